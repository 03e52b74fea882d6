"""132 messages and the FHIR bundles that are expected of them (CDC ReportStream's mapping inventory, CC0).

``fields.py`` says what is compared and what is set aside: ids, the vendor's own extensions, and nothing else that
holds any content. The bar is 95 % of the expected fields; ``misses.toml`` lists every expected field that is not
reproduced, by resource and path, with the reason, and is held to the figures here: a new miss fails, and so does a
miss that went away and is still listed.

The messages are read as their inventory means them: times without a zone in UTC, also where MSH-7 names another (HL7
v2.8.2 §2.14.9.7 says the opposite, and the default here follows it); messages without any number of a patient are
anonymous instead of unread; the envelope (MSH) is mapped too. All three are options of the source's mapping.

``python -m tests.vectors.hl7v2_to_fhir.test_pairs`` prints recall and precision by type and by v2 field.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.vectors.hl7v2_to_fhir.fields import Leaf, expected_leaves, matched, produced_leaves
from tests.vectors.hl7v2_to_fhir.sources import source_of

from xinglin.records.hl7v2.message import parse_message
from xinglin.records.model import ReadContext
from xinglin.records.v2maps.mapping import map_message

MAPPING = '[hl7v2]\nzone = "source"\nwithout_patient = "anonymous"\nenvelope = true\n'
CONTEXT = ReadContext(source="pairs", received_at=0, zone="UTC", mapping=MAPPING)
BAR = 0.95
PAIRS = 132


class Score:
    """Expected, produced and matched leaves over all pairs."""

    def __init__(self) -> None:
        self.expected: Counter[tuple[str, str]] = Counter()
        self.matched: Counter[tuple[str, str]] = Counter()
        self.produced: Counter[str] = Counter()

    def add(self, bundle: dict[str, Any], produced: list[dict[str, Any]]) -> None:
        """One pair of a bundle and what was made of its message."""
        wanted, made = expected_leaves(bundle), produced_leaves(produced)
        for kind in {*wanted, *made}:
            ours, theirs = made.get(kind, []), wanted.get(kind, [])
            self.produced[kind] += sum(one.total() for one in ours)
            pairs = dict(matched(theirs, ours))
            for at, leaves in enumerate(theirs):
                common = leaves & ours[pairs[at]] if at in pairs else Counter[Leaf]()
                self._count(self.expected, kind, leaves)
                self._count(self.matched, kind, common)

    def _count(self, into: Counter[tuple[str, str]], kind: str, leaves: Counter[Leaf]) -> None:
        for (path, _), number in leaves.items():
            into[kind, path] += number

    def recall(self) -> float:
        """Matched by expected."""
        return self.matched.total() / self.expected.total()

    def precision(self) -> float:
        """Matched by produced."""
        return self.matched.total() / self.produced.total()

    def misses(self) -> dict[str, int]:
        """Missed leaves by ``Type.path``."""
        missed = self.expected - self.matched
        return {f"{kind}.{path}": number for (kind, path), number in sorted(missed.items())}


def scored(archive: Path) -> tuple[Score, int]:
    """The score of every pair of the archive, and how many there are."""
    score, texts = Score(), {}
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile():
                texts[member.name] = opened.extractfile(member).read()  # type: ignore[union-attr]
    names = sorted(name[:-5] for name in texts if name.endswith(".fhir"))
    for name in names:
        found = map_message(parse_message(texts[f"{name}.hl7"]), CONTEXT)
        assert not found.unread, name
        assert not found.ignored, name
        score.add(json.loads(texts[f"{name}.fhir"]), [one.body for one in found.resources])
    return score, len(names)


@pytest.fixture(scope="module")
def score(shared_data: Path) -> Score:
    found, number = scored(shared_data / "hl7v2-to-fhir" / "pairs.tar.gz")
    assert number == PAIRS
    return found


def test_recall_reaches_the_bar(score: Score) -> None:
    assert score.expected.total() > 4_500
    assert score.recall() >= BAR


def test_every_miss_is_listed_with_its_reason(score: Score) -> None:
    listed = tomllib.loads((Path(__file__).parent / "misses.toml").read_text(encoding="utf-8"))["miss"]
    assert all(len(one["why"]) > 15 for one in listed)
    counted = {path: number for one in listed for path, number in one["paths"].items()}
    assert sum(len(one["paths"]) for one in listed) == len(counted)
    assert counted == score.misses()


def test_what_is_produced_beyond_is_reported_not_hidden(score: Score) -> None:
    # More is produced than the vendor keeps (standard extensions, code systems, subjects): a floor, not a bar.
    assert score.precision() >= 0.8


def report(score: Score) -> str:
    """Recall and precision by type; recall by v2 field, the worst first."""
    lines = [f"recall {score.recall():.4f} of {score.expected.total():,} fields, precision {score.precision():.4f}", ""]
    kinds = sorted({kind for kind, _ in score.expected})
    for kind in kinds:
        wanted, got = (sum(n for (of, _), n in c.items() if of == kind) for c in (score.expected, score.matched))
        lines.append(f"{kind:<18} {got:>5} of {wanted:>5}  {got / wanted:7.2%}  produced {score.produced[kind]:>5}")
    by_field: dict[str, list[int]] = {}
    for (kind, path), number in score.expected.items():
        told = by_field.setdefault(source_of(kind, path), [0, 0])
        told[0] += score.matched[kind, path]
        told[1] += number
    lines.append("")
    ranked = sorted(by_field.items(), key=lambda one: (one[1][0] - one[1][1], one[0]))
    lines += [f"{name:<40} {got:>5} of {all_:>5}  {got / all_:7.2%}" for name, (got, all_) in ranked]
    return "\n".join(lines)


if __name__ == "__main__":
    folder = Path(os.environ.get("XINGLIN_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
    sys.stdout.write(report(scored(folder / "hl7v2-to-fhir" / "pairs.tar.gz")[0]) + "\n")
