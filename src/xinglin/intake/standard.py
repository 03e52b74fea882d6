"""The steps that every node has: the readers of the records, the shipped views, and shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.intake.consents import Heard, WithConsents
from xinglin.intake.ports import Terms
from xinglin.intake.preparing import Origin, Steps
from xinglin.kernel.instants import Instant
from xinglin.records.dicom import DicomReader
from xinglin.records.documents import CdaReader, DocumentReader, WithTexts
from xinglin.records.fhir import FhirReader
from xinglin.records.genomics import VcfReader, WithVcf
from xinglin.records.linked import WithLinked
from xinglin.records.model import Mapped, Reader, Turned
from xinglin.records.omop import WithOmop
from xinglin.records.packed import WithPacked
from xinglin.records.shape import shape_parts
from xinglin.records.tabular import TabularReader
from xinglin.records.tabular.product_rows import product_parts
from xinglin.records.terminology.translating import StoredTerms
from xinglin.records.v2maps import Hl7v2Reader
from xinglin.records.views import map_resources


def standard_steps(terms: Terms | None = None) -> Steps:
    """Readers that check what they read; without ``terms``, units and ICD-10 alone are brought to their standard."""
    return Steps(by_media_type(standard_readers()), map_resources, shape_rows, terms=terms or StoredTerms())


def shape_rows(table: str, rows: Sequence[tuple[Mapped | Turned, Origin]], batch: int, recorded_at: Instant) -> Any:
    """Arrow rows of a canonical table, or of a product."""
    shape = product_parts if canonical_table(table) is None else shape_parts
    return shape(table, rows, batch, recorded_at)


def standard_readers(heard: Heard | None = None) -> tuple[Reader, ...]:
    """One of each kind; ``heard`` is told of Consents (``WithConsents``)."""
    messages = (WithConsents(WithTexts(WithLinked(FhirReader())), heard), WithTexts(WithLinked(Hl7v2Reader())))
    others = (*messages, DicomReader(), CdaReader(), DocumentReader(), VcfReader())
    return (*others, WithPacked(WithVcf(WithOmop(TabularReader())), others))


def by_media_type(readers: Iterable[Reader]) -> dict[str, Reader]:
    """Readers by each media type that they read; the first of two that read the same."""
    found: dict[str, Reader] = {}
    for reader in readers:
        for name in reader.media_types:
            found.setdefault(name, reader)
    return found
