"""Limits of what is read as a document; one more than the limit is not read, and a flag says so."""

from __future__ import annotations

from xinglin.kernel.limits import Limit

DOCUMENT_BYTES = Limit("size of a document", 256 * 1024 * 1024, "bytes")
XML_BYTES = Limit("size of an XML document", 64 * 1024 * 1024, "bytes")
TEXT_CHARS = Limit("text of a document", 10_000_000, "characters")
PAGES = Limit("pages of a document that are read", 5_000, "pages")
PAGE_CONTENT_BYTES = Limit("drawing instructions of a page", 4 * 1024 * 1024, "bytes")
CONTENT_BYTES = Limit("drawing instructions of a document", 32 * 1024 * 1024, "bytes")
OPERATIONS = Limit("drawing operations of a document", 5_000_000, "operations")
FORMS = Limit("forms drawn by a document", 20_000, "forms")
RTF_BYTES = Limit("size of an RTF document", 64 * 1024 * 1024, "bytes")
RTF_FONTS = Limit("fonts of an RTF document", 4_096, "fonts")
DOCX_MEMBER_BYTES = Limit("a part of a Word document", 64 * 1024 * 1024, "bytes")
DOCX_BYTES = Limit("the parts of a Word document", 128 * 1024 * 1024, "bytes")
DOCX_MEMBERS = Limit("parts of a Word document", 10_000, "parts")
IMAGES = Limit("images of a TIFF file", 10_000, "images")
ENTRY_DEPTH = Limit("statements within statements of a CDA", 12, "levels")
SECTIONS = Limit("sections of a CDA", 2_000, "sections")
STATEMENTS = Limit("statements of a CDA", 200_000, "statements")
SEARCHED_CHARS = Limit("text in which a patient's number is looked for", 50_000, "characters")
PATTERN_CHARS = Limit("a pattern", 500, "characters")
HELD_BYTES = Limit("attachments that wait for their Binary", 256 * 1024 * 1024, "bytes")
ATTACHMENTS = Limit("attachments of one resource", 64, "attachments")
