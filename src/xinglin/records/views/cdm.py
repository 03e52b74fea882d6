"""OMOP CDM 5.4 over the canonical current views: SQL shipped in ``omop/``, for DuckDB.

The statements read tables of a schema ``canonical`` (the current views) and make views in a schema ``omop``. Where a
customer's vocabulary is loaded as ``omop.concept`` and ``omop.concept_relationship``, concepts are found there; else
they are 0, apart from those that OMOP itself fixes (sexes, kinds of visit, types of record). Keys are the first 63
bits of MD5 of the fact's key, so that they are the same on every day.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from xinglin.records.errors import RecordsError

OMOP_TABLES = (
    "person",
    "observation_period",
    "visit_occurrence",
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "measurement",
    "observation",
    "death",
    "device_exposure",
    "specimen",
    "note",
    "location",
    "care_site",
    "provider",
)
"""Tables of OMOP CDM 5.4 that are filled."""
_VOCABULARY = ("concept", "concept_relationship")
_BETWEEN = ("coded", "measured")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


class UnknownZone(RecordsError):
    """A zone that is not an offset; OMOP's local times need one."""

    code = "views.unknown_zone"


@cache
def omop_views() -> dict[str, str]:
    """A SELECT for each table of ``OMOP_TABLES``, and for what they share, by name."""
    return {name: _text(name) for name in (*_VOCABULARY, *_BETWEEN, *OMOP_TABLES)}


def omop_statements(*, vocabulary: bool = False, zone: str = "+08:00") -> tuple[str, ...]:
    """Statements that make the views, in order. ``vocabulary``: ``omop.concept`` and its relationships are there.

    ``zone``: an offset, taken for times that were given without one. Raises ``UnknownZone``.
    """
    if not _OFFSET.fullmatch(zone):
        raise UnknownZone(
            "The zone is not an offset.", remedy="Write it as +08:00: OMOP's times are local and know no rules."
        )
    macros = [part.strip() for part in _text("macros").replace("{zone}", zone).split(";") if part.strip()]
    named = (*(() if vocabulary else _VOCABULARY), *_BETWEEN, *OMOP_TABLES)
    views = [f"CREATE OR REPLACE VIEW omop.{name} AS\n{omop_views()[name]}" for name in named]
    return ("CREATE SCHEMA IF NOT EXISTS omop", *macros, *views)


def _text(name: str) -> str:
    text = (files(__package__) / "omop" / f"{name}.sql").read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
