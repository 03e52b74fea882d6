"""An extract that nobody fetched: its parts go, its asker is told, the hospital hands over again, or takes it back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from tests.e2e.test_extracts import SQL, asked, verb

from xinglin.sample import generate_space
from xinglin.sdk import Refused
from xinglin.sdk.errors import SdkError
from xinglin.sdk.study import Study
from xinglin.stores.desk import ask_desk
from xinglin.stores.extract_hub import HubExtracts
from xinglin.testing import SampleSpace
from xinglin.testing.extract_space import ExtractSpace, opened
from xinglin.testing.sample_space import wait_until
from xinglin.wire.desk import DeskCall

pytestmark = pytest.mark.slow
WAIT_DAYS = 0.0001
"""Not nine seconds."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExtractSpace]:
    space = SampleSpace(tmp_path_factory.mktemp("again"), generate_space()[:3], hub={"extract_wait_days": WAIT_DAYS})
    with opened(space) as home:
        yield home


@pytest.fixture(scope="module")
def study(home: ExtractSpace) -> Study:
    return home.study("again")


def parts(home: ExtractSpace, run: str) -> int:
    store = HubExtracts.in_folder(home.space.hub_folder)
    with contextlib.closing(store):
        return store.parts(run)


def test_what_waited_too_long_is_deleted_told_and_handed_over_again(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home))
    home.both_vote("a", extract)
    assert extract.delivered(60).state in ("delivered", "dropped")
    wait_until(lambda: extract.state == "dropped", "the parts lapse", 60)
    view = extract.view()
    assert view.reasons[0].code == "hub.not_fetched" and "xinglin extract again" in view.reasons[0].remedy
    assert parts(home, extract.id) == 0
    with home.keeper() as keeper:
        assert keeper.waiting() == []
        home.space.kill("a")
        home.space.start_again("a")
        again = verb("extract", "again", extract.id, "--account", str(home.space.sdk.account.folder))
        assert again["state"] in ("asked", "delivered")
        wait_until(lambda: extract.state == "delivered", "the hospital hands it over again", 60)
        kept = keeper.fetch(extract.id)
        assert kept.manifest.k >= 10 and keeper.verify(extract.id).entry.submitter == home.space.dids["a"]
    assert extract.state == "taken" and parts(home, extract.id) == 0
    packages = home.space.node_folder("a") / "extracts" / f"{extract.id}.package"
    wait_until(lambda: not packages.exists(), "the hospital forgets what the workspace has")
    with pytest.raises(Refused) as refused:
        extract.again()
    assert refused.value.codes == ("hub.not_dropped",)


def test_an_agreement_that_ended_hands_nothing_over_again(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home))
    home.both_vote("a", extract)
    wait_until(lambda: extract.state == "dropped", "the parts lapse", 90)
    folder = home.space.node_folder("a")
    (held,) = [
        one.view.agreement_id for one in study.agreements.values() if one.agreement.provider == home.space.dids["a"]
    ]
    ask_desk(folder, DeskCall("end", {"id": held}))
    wait_until(lambda: _withdrawn(study, home), "everybody knows", 60)
    with contextlib.suppress(SdkError, Refused):
        extract.again()
    wait_until(lambda: extract.state in ("recalled", "ended"), "the hospital takes it back", 60)
    assert parts(home, extract.id) == 0 and not (folder / "extracts" / f"{extract.id}.package").exists()
    assert "took the extract back" in extract.view().words


def _withdrawn(study: Study, home: ExtractSpace) -> bool:
    home.space.sdk.log.refresh()
    (one,) = [held for held in study.agreements.values() if held.agreement.provider == home.space.dids["a"]]
    return study.state_of(one) != "active"
