"""An application may name any study: whoever names another's is told nothing of that one's agreements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.hub.review_scene import Scene

from xinglin.access.application import Submit
from xinglin.access.form import Form, agreed_terms
from xinglin.contract import Agreement
from xinglin.contract.agreement import sign_agreement
from xinglin.hub.study_lines import operator_page, study_page
from xinglin.stores.hub_rows import AgreementRow
from xinglin.testing.open_hub import OpenHub


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with OpenHub(tmp_path) as hub:
        made = Scene(hub)
        await made.fill()
        yield made


def in_force(scene: Scene, form: Form) -> None:
    """Agreements of the researcher's study with every hospital, as the hub keeps them."""
    asker = scene.people["researcher"]
    keys = {one.did: one for one in scene.people.values()}
    for did in form.data.hospitals:
        made = Agreement(
            did, keys[did].public.digest(), asker.did, asker.public.digest(), form.study, form.data.data_set,
            agreed_terms(form, (asker.did,), scene.now), scene.now,
        )  # fmt: skip
        offered = sign_agreement(asker, made).to_bytes()
        scene.hub.store.put_agreement(AgreementRow(made.digest(), "active", did, asker.did, offered))


async def test_a_stranger_who_names_anothers_study_learns_nothing_of_its_agreements(scene: Scene) -> None:
    form = scene.form()
    await scene.act("application-1", 1, Submit(form))
    in_force(scene, form)
    await scene.person("stranger", "institute", "consumer")
    stranger = scene.people["stranger"].did
    named = replace(form, people=replace(form.people, members=(replace(form.people.members[0], did=stranger),)))
    told = await scene.act("application-2", 1, Submit(named), "stranger")
    assert named.study == form.study
    assert {one.state for one in told.tasks if one.desk == "hospital"} == {"waiting"}
    assert {one.state for one in scene.desk.view("application-2", stranger).tasks if one.desk == "hospital"} == {
        "waiting"
    }
    (listed,) = scene.desk.views(stranger)
    assert "active" not in {one.state for one in listed.tasks}
    assert study_page(scene.desk, stranger).lines[0].state == "applied"


async def test_the_applicant_and_the_operator_see_the_applicants_own(scene: Scene) -> None:
    form = scene.form()
    await scene.act("application-1", 1, Submit(form))
    in_force(scene, form)
    mine = scene.desk.view("application-1", scene.people["researcher"].did)
    assert {one.state for one in mine.tasks if one.desk == "hospital"} == {"active"}
    assert operator_page(scene.desk).lines[0].state == "in-force"


async def test_a_member_whom_a_stranger_names_brings_no_agreements_with_them(scene: Scene) -> None:
    form = scene.form()
    in_force(scene, form)
    await scene.person("stranger", "institute", "consumer")
    stranger = scene.people["stranger"].did
    both = (*form.people.members, replace(form.people.members[0], did=stranger))
    named = replace(form, people=replace(form.people, members=both))
    told = await scene.act("application-2", 1, Submit(named), "stranger")
    assert {one.state for one in told.tasks if one.desk == "hospital"} == {"waiting"}
    assert operator_page(scene.desk).lines[0].state == "applied"
