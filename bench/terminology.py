"""Terminology: codes and units of rows in the intake, point look-ups, candidates for local names.

``--loinc FOLDER`` (an owner's LOINC with a Chinese linguistic variant) adds the share of its Chinese names that are
found among the first five.
"""

from __future__ import annotations

import csv
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench._report import quick, say

from xinglin.records.model import Mapped
from xinglin.records.terminology.laboratory import laboratory_concepts
from xinglin.records.terminology.loaders import load_vocabulary
from xinglin.records.terminology.local import Decision, LocalKey
from xinglin.records.terminology.operations import lookup, subsumes
from xinglin.records.terminology.suggestions import LocalItem, NameIndex, recall, shipped_index
from xinglin.records.terminology.systems import ICD10, ICD10_CN, LOINC
from xinglin.records.terminology.translating import StoredTerms
from xinglin.records.terminology.units import convert
from xinglin.stores.terms_store import TermsStore

ROOT = Path(__file__).resolve().parent.parent
NAMES = ROOT / "tests/unit/records/terminology/held_out_names.csv"
PART_ROWS = 2_000
OBSERVATION = ("id", "patient", "code", "code_system", "code_source", "code_source_system", "code_source_text")
OBSERVATION += ("value_number", "value_unit_source", "effective", "place")
CONDITION = ("id", "patient", "code", "code_system", "code_source", "code_source_system", "place")
UNITS = ("×10^9/L", "mmol/l", "g/L", "umol/L", "%", "U/L")


def cpu_s(work: Callable[[], object]) -> float:
    """Seconds of the processor that ``work`` took."""
    start = time.process_time()
    work()
    return time.process_time() - start


def rows(small: bool) -> None:
    """Rows of a laboratory and of diagnoses, in parts as readers give them."""
    parts = 10 if small else 100
    with tempfile.TemporaryDirectory() as folder:
        store = TermsStore.in_folder(Path(folder))
        keys = [LocalKey("lis", "observation.code", "99LAB", f"L{number}") for number in range(400)]
        store.decide([Decision(key, "accept", "bench", 1, "6690-2", LOINC) for key in keys])
        terms = StoredTerms(TermsStore.in_folder(Path(folder), read_only=True))
        measured = [
            (str(n), "P/1", None, None, f"L{n % 420}", "99LAB", "白细胞", 5.0, UNITS[n % 6], "2024-03-01", f"line {n}")
            for n in range(PART_ROWS)
        ]
        found = [
            (str(n), "P/1", code, ICD10_CN, code, ICD10_CN, f"line {n}")
            for n in range(PART_ROWS)
            for code in [f"{'EIJK'[n % 4]}{10 + n % 12}.{n % 9}0{n % 5}"]
        ]
        gc.set_threshold(200_000, 50, 100)  # as in the reading child
        for name, table, columns, held in (
            ("terms.observation_us", "observation", OBSERVATION, measured),
            ("terms.condition_us", "condition", CONDITION, found),
        ):
            mapped = Mapped(table, columns, held)
            terms.translate([mapped], "lis")
            spent = cpu_s(lambda mapped=mapped: [terms.translate([mapped], "lis") for _ in range(parts)])  # type: ignore[misc]
            words = f"a row of {table}: codes, systems, losses and unit, {PART_ROWS} rows a part"
            say(name, words, spent / parts / PART_ROWS * 1e6, "us of processor", "<= 3")


def lookups(small: bool) -> None:
    """Point questions to a store on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        store = TermsStore.in_folder(Path(folder))
        loading = cpu_s(lambda: store.load(load_vocabulary("icd10", {}), 1))
        say("terms.load_icd10_s", "ICD-10 of the WHO (12,542 concepts) into the store", loading, "s of processor")
        codes = [concept.code for concept in store.concepts(ICD10)][:: 10 if small else 2]
        first = cpu_s(lambda: [lookup(store, ICD10, code) for code in codes]) / len(codes)
        again = cpu_s(lambda: [lookup(store, ICD10, code) for code in codes]) / len(codes)
        below = cpu_s(lambda: [subsumes(store, ICD10, "IX", code) for code in codes]) / len(codes)
        say("terms.lookup_first_us", "a concept, asked for the first time", first * 1e6, "us of processor")
        say("terms.lookup_us", "a concept, remembered", again * 1e6, "us of processor")
        say("terms.subsumes_us", "whether one code is below another", below * 1e6, "us of processor")
    times = 1_000 if small else 20_000
    convert(1.0, "mg/dL", "g/L")
    per_s = times / cpu_s(lambda: [convert(float(n), "mg/dL", "g/L") for n in range(times)])
    say("terms.convert_per_s", "conversions of a known pair of units", per_s, "a second of processor")


def names() -> None:
    """Recall on names that the shipped measurements do not list; both were written by the same people."""
    with NAMES.open(encoding="utf-8") as file:
        held = list(csv.DictReader(file))
    comment = f"{len(held)} hospital names against {len(laboratory_concepts())} shipped codes; same authors"
    for suffix, with_unit in (("", True), ("_without_unit", False)):
        cases = [
            (LocalItem("", row["name"], row["unit"] if with_unit else ""), frozenset(row["codes"].split("|")))
            for row in held
        ]
        for count in (1, 5):
            share = recall(shipped_index(), cases, count)
            words = f"names whose code is among the first {count}{'' if with_unit else ', unit withheld'}"
            say(f"terms.recall_at_{count}{suffix}", words, share, "share", comment=comment)
    spent = cpu_s(lambda: [shipped_index().suggest(item) for item, _ in cases]) / len(cases)
    say("terms.suggest_ms", "candidates for one name", spent * 1e3, "ms of processor")


def official(folder: Path) -> None:
    """Recall of the shipped names, and of all of LOINC in English, on LOINC's own Chinese names."""
    wanted = (path for path in folder.rglob("*.csv") if path.name == "Loinc.csv" or path.name.startswith("zhCN"))
    files = {path.name: path.read_bytes() for path in wanted}
    concepts = load_vocabulary("loinc", files).systems[0][1]
    known = {concept.code for concept in laboratory_concepts()}
    cases = []
    for concept in concepts:
        chinese = [text for language, text in concept.designations if language.startswith("zh")]
        if chinese and concept.code in known:
            unit = concept.property("EXAMPLE_UCUM_UNITS").split(";")[0]
            cases.append((LocalItem("", chinese[0], unit), frozenset({concept.code})))
    comment = f"{len(cases)} codes of LOINC that are among the shipped ones"
    share = recall(shipped_index(), cases)
    say("terms.recall_loinc_zh_shipped", "LOINC's Chinese names, shipped names asked", share, "share", comment=comment)
    index = NameIndex(LOINC, concepts)
    components = [(LocalItem("", one.text.partition(":")[0], one.unit), right) for one, right in cases]
    share = recall(index, components)
    say("terms.recall_loinc_zh_all", "components in Chinese, all loaded names asked", share, "share", comment=comment)


def main() -> None:
    """Print the figures."""
    small = quick(sys.argv[1:])
    rows(small)
    lookups(small)
    names()
    if "--loinc" in sys.argv:
        official(Path(sys.argv[sys.argv.index("--loinc") + 1]))


if __name__ == "__main__":
    main()
