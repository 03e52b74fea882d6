"""What a source's mapping says of genomes: its ``[genomics]`` table."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import Literal

import msgspec

from xinglin.records.genomics.errors import BadGenomics

PATTERN_CHARS = 500


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose the samples are, and what becomes of genotypes.

    ``samples``: the patient's key by the sample's name. ``patient``: one key for all samples. ``patient_pattern``:
    an expression whose first group, in the sample's name, is the patient's number, written into ``patient_key``.
    ``specimens`` and ``specimen_key`` likewise. ``build``: where the header says none. ``missing``: whether a
    genotype that was not called makes a row.
    """

    samples: dict[str, str] = {}
    patient: str = ""
    patient_pattern: str = ""
    patient_key: str = "Patient/{}"
    specimens: dict[str, str] = {}
    specimen_key: str = ""
    build: str = ""
    missing: Literal["skip", "keep"] = "skip"


@lru_cache(maxsize=64)
def options_of(mapping: str) -> Options:
    """The ``[genomics]`` table of a mapping text; the defaults where there is none. Raises ``BadGenomics``.

    >>> options_of('[genomics.samples]\\nS1 = "Patient/7"').samples
    {'S1': 'Patient/7'}
    """
    if not mapping.strip():
        return Options()
    remedy = "See the fields of [genomics] in the documentation of the source's mapping."
    try:
        options = msgspec.convert(tomllib.loads(mapping).get("genomics", {}), Options)
        groups = re.compile(options.patient_pattern).groups
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, re.error) as wrong:
        raise BadGenomics("The mapping's [genomics] table is not known.", why=str(wrong), remedy=remedy) from wrong
    if options.patient_pattern and (groups != 1 or len(options.patient_pattern) > PATTERN_CHARS):
        raise BadGenomics("patient_pattern is one short expression with one group.", remedy=r"Write ^P(\d+)_.")
    for name in ("patient_key", "specimen_key"):
        text = getattr(options, name)
        if text and text.count("{}") != 1:
            raise BadGenomics(f"{name} has no place for the number.", remedy='Write "Patient/{}".')
    return options


def patient_of(options: Options, sample: str) -> str:
    """The patient's key of a sample; empty where nobody is named.

    >>> patient_of(Options(patient_pattern="^P([0-9]+)_"), "P12_blood")
    'Patient/12'
    """
    named = options.samples.get(sample) or options.patient
    if named or not options.patient_pattern:
        return named
    found = re.search(options.patient_pattern, sample[:PATTERN_CHARS])
    return options.patient_key.format(found[1]) if found and found[1] else ""


def specimen_of(options: Options, sample: str) -> str | None:
    """The specimen's key of a sample."""
    return options.specimens.get(sample) or (options.specimen_key.format(sample) if options.specimen_key else None)
