"""What a document of a hospital says, as text: PDF, RTF, Word, HTML, plain text; images say nothing here.

No optical recognition is done: a scan has ``text_found`` false. Nothing in here raises for what a document holds:
what could not be read is a flag.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import msgspec

from xinglin.records.documents.bounds import DOCUMENT_BYTES, TEXT_CHARS

ENCRYPTED, DAMAGED = "documents.encrypted", "documents.damaged"
TOO_LARGE, CUT, UNKNOWN_TYPE = "documents.too_large", "documents.cut", "documents.unknown_type"

PDF, RTF = "application/pdf", "application/rtf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
IMAGES = ("image/png", "image/jpeg", "image/tiff")


class Extracted(msgspec.Struct, frozen=True):
    """What was found. ``pages``: None where there are none to count. ``created``: FHIR text. ``flags``: codes."""

    text: str = ""
    pages: int | None = None
    title: str = ""
    author: str = ""
    created: str = ""
    flags: tuple[str, ...] = ()

    @property
    def text_found(self) -> bool:
        """Whether there is any text that a person would call one."""
        return any(not letter.isspace() for letter in self.text[:4096]) or bool(self.text.strip())

    def __repr__(self) -> str:
        """Without what it says."""
        return f"Extracted({len(self.text)} characters, pages={self.pages}, flags={self.flags})"


_HOMES = {
    PDF: ("pdf", "pdf_text"),
    RTF: ("rtf", "rtf_text"),
    "text/rtf": ("rtf", "rtf_text"),
    DOCX: ("docx", "docx_text"),
    "text/plain": ("plain", "plain_text"),
    "text/html": ("plain", "html_text"),
    "application/xhtml+xml": ("plain", "html_text"),
    **dict.fromkeys(IMAGES, ("images", "image_pages")),
}
_MAGIC = (
    (b"%PDF-", PDF),
    (b"{\\rtf", RTF),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)
_VAGUE = ("", "application/octet-stream", "application/pdf-x", "application/x-pdf", "text/pdf", "image/jpg")


def extract_text(media_type: str, body: bytes) -> Extracted:
    """The text of a document; bytes that are known better than ``media_type`` says are taken for what they are.

    >>> extract_text("text/plain", "主诉：头痛".encode()).text
    '主诉：头痛'
    """
    kind = known_type(media_type, body)
    home = _HOMES.get(kind)
    if home is None:
        return Extracted(flags=(UNKNOWN_TYPE,))
    if len(body) > DOCUMENT_BYTES.value:
        return Extracted(flags=(TOO_LARGE,))
    read: Callable[[bytes], Extracted] = getattr(import_module(f"xinglin.records.documents.{home[0]}"), home[1])
    return bounded(read(body))


def known_type(media_type: str, body: bytes) -> str:
    """The media type without parameters, or what the bytes begin as where it says nothing or something else.

    >>> known_type("application/octet-stream", b"%PDF-1.7")
    'application/pdf'
    """
    plain = media_type.partition(";")[0].strip().lower()
    for magic, kind in _MAGIC:
        if body.startswith(magic) and (plain in _VAGUE or plain in _HOMES):
            return kind
    return plain if plain not in _VAGUE else ""


def bounded(found: Extracted) -> Extracted:
    """With no more text than ``TEXT_CHARS``, and none that no table takes."""
    text = found.text.replace("\0", "")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    if len(text) <= TEXT_CHARS.value:
        return found if text is found.text else msgspec.structs.replace(found, text=text)
    flags = (*found.flags, CUT)
    return msgspec.structs.replace(found, text=text[: TEXT_CHARS.value], flags=flags)
