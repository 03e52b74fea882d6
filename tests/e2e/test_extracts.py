"""Extracts with real processes: asked, made in a child, held, voted on blind, sealed, fetched, proved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xinglin.sample import generate_space
from xinglin.sdk import Refused
from xinglin.sdk.study import Study
from xinglin.testing import SampleSpace
from xinglin.testing.extract_space import PROFILE, REVIEWERS, ExtractSpace
from xinglin.testing.sample_space import wait_until

pytestmark = pytest.mark.slow

SQL = "SELECT age, sex, chol, disease FROM cardiac"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExtractSpace]:
    space = SampleSpace(tmp_path_factory.mktemp("extracts"), generate_space()[:3])
    home = ExtractSpace(space)
    try:
        space.open()
        home.open()
        yield home
    finally:
        home.close()
        space.close()


@pytest.fixture(scope="module")
def study(home: ExtractSpace) -> Study:
    return home.study("extracts")


def asked(home: ExtractSpace, **changes: object) -> dict[str, object]:
    return {
        "profile": PROFILE,
        "workspace": home.workspace,
        "k": 10,
        "quasi": ("age", "sex"),
        "sensitive": ("chol", "disease"),
        "formats": ("parquet", "fhir"),
        "hospitals": [home.space.dids["a"]],
        **changes,
    }


def test_an_extract_is_held_reviewed_sealed_fetched_and_proved(home: ExtractSpace, study: Study) -> None:
    preview = str(study.extraction(SQL, **asked(home)).preview())
    assert "at least 10 persons" in preview and "blind to each other" in preview
    (extract,) = study.extract(SQL, **asked(home))
    page = home.page("a", extract)
    assert int(str(page["k"])) >= 10 and page["sample"] and "to" in str(page["rows"])
    first, second = (home.persons.people[f"{name} of a"] for name in REVIEWERS)
    assert home.vote("a", extract, first, "release") == {"run": extract.id, "votes_in": 1}
    assert extract.state == "held"
    home.vote("a", extract, second, "release")
    view = extract.delivered(60)
    assert view.state == "delivered" and view.parts >= 1
    with home.keeper() as keeper:
        assert [one.run_id for one in keeper.waiting()] == [extract.id]
        kept = keeper.fetch(extract.id)
        assert set(kept.files) == {"rows.parquet", "Patient.ndjson", "Observation.ndjson"}
        assert kept.manifest.k >= 10 and kept.manifest.recipient == keeper.account.did
        assert keeper.verify(extract.id).entry.submitter == home.space.dids["a"]
        assert keeper.waiting() == []
    assert extract.state == "taken"
    leaves = home.space.sdk.log
    leaves.refresh()
    kinds = [one.entry.kind for one in leaves.about(extract.id)]
    assert kinds == ["admitted", "release-authorised", "delivered"]


def test_one_vote_against_withholds_it(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home))
    home.page("a", extract)
    first, second = (home.persons.people[f"{name} of a"] for name in REVIEWERS)
    home.vote("a", extract, first, "release")
    home.vote("a", extract, second, "withhold", "cholesterol is not needed")
    with pytest.raises(Refused) as refused:
        extract.delivered(60)
    assert refused.value.codes == ("extract.withheld",)
    assert "cholesterol" not in str(refused.value)


def test_what_the_rules_refuse(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home, workspace=home.space.sdk.account.did))
    with pytest.raises(Refused) as refused:
        extract.delivered(60)
    assert "terms.requires_enrolled_workspace" in refused.value.codes
    (extract,) = study.extract(SQL, **asked(home, profile="no-such-profile"))
    with pytest.raises(Refused) as refused:
        extract.delivered(60)
    assert refused.value.codes == ("extract.profile_unknown",)
    (extract,) = study.extract(SQL, **asked(home, profile="gb-t-37964", hospitals=[home.space.dids["b"]]))
    with pytest.raises(Refused) as refused:
        extract.delivered(60)
    assert "terms.requires_output_review" in refused.value.codes
    with pytest.raises(Refused) as refused:
        study.extract(SQL, **asked(home, k=9))
    assert refused.value.codes == ("terms.k_too_small",)


def test_a_hospital_that_is_killed_goes_on_where_it_was(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home))
    home.page("a", extract)
    home.space.kill("a")
    home.space.start_again("a")
    first, second = (home.persons.people[f"{name} of a"] for name in REVIEWERS)
    wait_until(lambda: home.vote("a", extract, first, "release"), "the first vote is in")
    home.space.kill("a")
    home.space.start_again("a")
    home.vote("a", extract, second, "release")
    assert extract.delivered(60).state == "delivered"
    with home.keeper() as keeper:
        assert keeper.fetch(extract.id).manifest.k >= 10
