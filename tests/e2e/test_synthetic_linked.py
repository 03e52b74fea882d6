"""Synthetic sets of several tables, into a workspace, and through a hospital that dies in between; real processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from xinglin.kernel.canonical import canonical_bytes
from xinglin.sample import generate_space
from xinglin.sdk import Refused
from xinglin.sdk.asked import kept
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.offers import Offer
from xinglin.sdk.study import Study
from xinglin.sdk.synthetic import Synthesis, Synthetic
from xinglin.testing import SampleSpace
from xinglin.testing.extract_space import ExtractSpace, opened
from xinglin.testing.sample_space import DATA_SET, wait_until
from xinglin.wire.calls import RunCall
from xinglin.wire.extracts import ExtractView

pytestmark = pytest.mark.slow
COHORT = {"people": "SELECT sex, age FROM cardiac", "visits": "SELECT code, value, observed_on FROM observation"}
READINGS = "SELECT code, value, date_diff('day', DATE '1970-01-01', observed_on) AS day FROM visits"
VARIABLES = ("cardiac.sex", "cardiac.age", "observation.code", "observation.value", "observation.observed_on")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExtractSpace]:
    space = SampleSpace(tmp_path_factory.mktemp("linked"), generate_space()[:3])
    with opened(space, at=()) as made:
        yield made


@pytest.fixture(scope="module")
def study(home: ExtractSpace) -> Study:
    space = home.space
    offer = Offer(operations=("synthesise",), recipients=(home.workspace,))
    found = space.sdk.propose("linked", data_set=DATA_SET, cohort=COHORT, variables=VARIABLES, offer=offer)
    wanted = {held.agreement.provider: held.view.agreement_id for held in found.agreements.values()}
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: space._approve(one, wanted[space.dids[one]]), space.hospitals))
    return found.wait(60)


def test_tables_hang_on_made_up_persons(home: ExtractSpace, study: Study) -> None:
    data = study.sql("SELECT sex, age FROM people", hospitals=[home.space.dids["a"]])
    readings = {"sql": READINGS, "rows_per_person": 4, "given": ["sex"]}
    with pytest.raises(Refused) as refused:
        home.space.sdk.synthetic(data, rows=1_000, rho="0.05", tables={"readings": readings}, colour="red")
    assert refused.value.codes == ("sdk.synthetic",)
    asked = {"rows": 1_000, "rho": "0.05", "tables": {"readings": readings}, "dates": ["day"]}
    preview = home.space.sdk.synthetic(data, **asked, preview=True)
    assert [one.table for one in preview.expected] == ["persons", "readings"] and "made-up persons" in str(preview)
    (made,) = home.space.sdk.synthetic(data, **asked)
    persons, rows = made.arrow("persons"), made.arrow("readings")
    assert persons.num_rows == 1_000 and rows.num_rows > 0
    assert set(rows["person"].to_pylist()) <= set(persons["person"].to_pylist())
    assert str(rows.schema.field("day").type) == "date32[day]"
    assert made.manifest.rho_units == 5 * 10**10


def test_a_workspace_where_the_agreement_names_one(home: ExtractSpace, study: Study) -> None:
    data = study.sql("SELECT code, value FROM visits", hospitals=[home.space.dids["b"]])
    (asked,) = Synthesis(data, rows=600, epsilon="0.5", recipient=home.workspace).ask()
    assert asked.wait(60).state == "delivered"
    with pytest.raises(NotVerified):
        asked.result()
    with pytest.raises(Refused) as refused:
        home.space.sdk.client.get_bytes(f"/v1/extracts/{asked.id}/parts/1")
    assert refused.value.codes == ("hub.not_the_recipient",)
    with home.keeper() as keeper:
        assert keeper.waiting() == [], "it is no extract"
        made = keeper.fetch_set(asked.id)
        assert made.arrow().num_rows == 600 and made.manifest.recipient == home.workspace
        assert keeper.set(asked.id).verify().entry.submitter == home.space.dids["b"]


def test_a_hospital_that_is_killed_and_a_request_that_is_sent_again(home: ExtractSpace, study: Study) -> None:
    space = home.space
    data = study.sql("SELECT code, value FROM visits", hospitals=[space.dids["c"]])
    (asked,) = Synthesis(data, rows=600, epsilon="0.5").ask()
    wait_until(lambda: asked.state in ("working", "delivered"), "the hospital has it", 30)
    space.kill("c")
    space.start_again("c")
    made = asked.result(90)
    (budget,) = [one for one in space.sdk.budget(DATA_SET, study.id) if one.hospital == space.dids["c"]]
    assert budget.spent == made.manifest.rho_units == budget.everybody_spent
    sent = kept(space.sdk.account, asked.id)
    assert sent is not None
    again = space.sdk.client.post("/v1/extracts", RunCall(sent.request, sent.plan), ExtractView)
    assert again.run_id == asked.id and again.state == "taken", "a request that is sent again asks for nothing new"
    other = canonical_bytes(sent.opened())
    assert other == sent.plan
    stranger = Synthetic(home.persons.person("colleague", "c"), asked.id)
    with pytest.raises(Refused) as refused:
        stranger.view()
    assert refused.value.codes == ("hub.unknown_extract",)
