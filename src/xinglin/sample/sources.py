"""What each generated hospital has: an HL7 v2 feed, exported tables in GB18030, FHIR resources, an image archive."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from xinglin.sample.dicom import instances
from xinglin.sample.errors import SampleError
from xinglin.sample.fhir import bulk
from xinglin.sample.hl7v2 import messages
from xinglin.sample.hospital import SampleHospital
from xinglin.sample.tables import exports

KINDS = {"university": "hl7v2", "county": "tables", "heart": "fhir", "clinic": "fhir"}
"""How each hospital of ``PROFILES`` keeps its records."""
IMAGED = 10
"""Persons of the university hospital whose heart was imaged."""
_MAPPINGS = {"患者基本信息.csv": "persons", "检验结果.csv": "results", "诊断.csv": "diagnoses"}


class SampleSource(msgspec.Struct, frozen=True):
    """One source: its name, its files by name, and the mapping (TOML) of tables, empty for others."""

    name: str
    media_type: str
    files: dict[str, bytes]
    mapping: str = ""


def sources(hospital: SampleHospital) -> tuple[SampleSource, ...]:
    """The sources of a generated hospital; all of them tell the same facts that its tables hold."""
    kind = KINDS.get(hospital.profile.slug)
    if kind == "hl7v2":
        feed = b"".join(messages(hospital))
        slices = {f"{number}.dcm": one for number, one in enumerate(instances(hospital, count=IMAGED, side=32), 1)}
        return (
            SampleSource("his", "x-application/hl7-v2+er7", {"feed.hl7": feed}),
            SampleSource("pacs", "application/dicom", slices),
        )
    if kind == "tables":
        return tuple(
            SampleSource(_MAPPINGS[name], "text/csv", {name: body}, mapping(_MAPPINGS[name]))
            for name, body in exports(hospital).items()
        )
    if kind == "fhir":
        return (SampleSource("fhir", "application/fhir+ndjson", bulk(hospital)),)
    raise SampleError(f"The hospital '{hospital.profile.slug}' has no sources of its own.")


def mapping(name: str) -> str:
    """The text of a shipped mapping: ``persons``, ``results`` or ``diagnoses``."""
    return (files("xinglin.sample") / "mappings" / f"{name}.toml").read_text(encoding="utf-8")
