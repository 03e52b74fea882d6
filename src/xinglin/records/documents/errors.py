"""Errors of documents; none of them holds a word of one."""

from __future__ import annotations

from xinglin.records.errors import RecordsError, Unreadable


class BadOptions(RecordsError):
    """A source's ``[documents]`` table that is not known."""

    code = "documents.mapping"


class BadXml(Unreadable):
    """XML that is damaged, too large, too deep, or brings a document type of its own."""

    code = "documents.xml"


class NotClinical(Unreadable):
    """XML that is no CDA document."""

    code = "documents.not_cda"
