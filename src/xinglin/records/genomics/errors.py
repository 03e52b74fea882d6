"""Errors of genomes; none of them holds a variant or the name of a sample."""

from __future__ import annotations

from xinglin.records.errors import RecordsError, Unreadable


class BadGenomics(RecordsError):
    """A source's ``[genomics]`` table that is not known."""

    code = "genomics.mapping"


class BadVcf(Unreadable):
    """A file that is no VCF of a version that is read, or whose header is damaged."""

    code = "genomics.vcf"
