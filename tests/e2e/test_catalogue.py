"""The catalogue with real processes: published, searched, judged, and a count before any study, within a minute."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest
from tests.slowness import slowness

from xinglin.catalogue.entry import Listing
from xinglin.sample import generate_space
from xinglin.sdk.catalogue import Catalogue, study_facts
from xinglin.sdk.feasibility import how_many
from xinglin.stores.desk import ask_desk
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.testing import SampleSpace
from xinglin.testing.sample_space import wait_until
from xinglin.wire.desk import DeskCall

pytestmark = pytest.mark.slow
POLICY = Policy(permissions=(Permission("statistics", (Constraint("purpose", "isA", "health-research"),)),))
RULES = 'data_sets = ["*"]\nparticipants = ["*"]\nvariables = ["cardiac.*"]\n'


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleSpace]:
    made = SampleSpace(tmp_path_factory.mktemp("catalogue"), generate_space()[:3])
    try:
        made.open()
        yield made
    finally:
        made.close()


def test_found_judged_and_counted_before_any_study(space: SampleSpace) -> None:
    for hospital in space.dids:
        (space.node_folder(hospital) / "feasibility.toml").write_text(RULES, encoding="utf-8")
    first = next(iter(space.dids))
    (name,) = {one["name"] for one in ask_desk(space.node_folder(first), DeskCall("tables")).value}
    listing = msgspec.json.encode(Listing(name, region="上海", policy=POLICY)).decode()
    ask_desk(space.node_folder(first), DeskCall("list", {"listing": listing}))
    catalogue = Catalogue(space.sdk)
    wait_until(lambda: catalogue.search("收缩压", {"region": ["上海"]}).total == 1, "the listing is shown")
    found = catalogue.search("收缩压")
    assert found.total == 3 and any("trestbps" in one for one in found.hits[0].variables)
    answers = sorted(
        hit.standing.answer for hit in catalogue.eligible(study_facts(purpose="education")) if hit.standing
    )
    assert answers == ["ask", "ask", "no"]
    assert catalogue.compare([hit.entry.entry_id for hit in found.hits]).shared > 3
    assert sum("Dataset" in msgspec.json.encode(one).decode() for one in catalogue.dcat()) == 1
    began = time.monotonic()
    question = "SELECT age, sex FROM cardiac WHERE age >= 50"
    asked = {"data_set": name, "variables": ["cardiac.age", "cardiac.sex"]}
    answer = how_many(space.sdk, question, **asked)
    assert time.monotonic() - began < 60 * slowness(time.perf_counter)
    assert answer.persons is not None and answer.persons % 10 == 0
    assert how_many(space.sdk, question, **asked) == answer
    assert how_many(space.sdk, "SELECT age, sex FROM cardiac WHERE age >= 91", **asked).words == "<10"
