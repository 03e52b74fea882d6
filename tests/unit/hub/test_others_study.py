"""An application may name any study: whoever names another's is refused, hides nothing of it, and is told nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.hub.review_scene import Scene

from xinglin.access.application import Act, Answer, Ask, Submit, sign_act
from xinglin.access.form import Form, agreed_terms
from xinglin.access.ports import ActRow
from xinglin.access.team import team_of
from xinglin.contract import Agreement
from xinglin.contract.agreement import sign_agreement
from xinglin.hub.study_lines import operator_page, study_page
from xinglin.stores.hub_rows import AgreementRow
from xinglin.terms.request import study_id
from xinglin.testing.open_hub import OpenHub
from xinglin.wire.errors import Refused


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


def kept_before(scene: Scene, application: str, form: Form, by: str) -> None:
    """An application in the store, as one that came before anybody looked at whose study it names."""
    act = Act(application, 1, scene.now, Submit(form))
    scene.desk.access.add_act(ActRow(application, 1, act.at, sign_act(scene.people[by], act).to_bytes()))
    scene.desk._known = None


def naming(scene: Scene, form: Form, *names: str) -> Form:
    """The form with these members."""
    members = tuple(replace(form.people.members[0], did=scene.people[name].did) for name in names)
    return replace(form, people=replace(form.people, members=members))


async def refused(scene: Scene, form: Form, by: str = "stranger") -> tuple[str, ...]:
    with pytest.raises(Refused) as error:
        await scene.act("application-9", 1, Submit(form), by)
    return error.value.codes


async def test_nobody_applies_for_anothers_study(scene: Scene) -> None:
    form = scene.form()
    await scene.person("stranger", "institute", "consumer")
    both = naming(scene, form, "stranger", "researcher")
    await scene.act("application-1", 1, Submit(form))
    assert await refused(scene, both) == ("access.others_study",)
    assert await refused(scene, replace(both, relation="renewal", replaces="sha256:" + "0" * 64)) != ()
    alone = replace(both, study="study-of-agreements-alone")
    in_force(scene, replace(form, study=alone.study))
    assert await refused(scene, alone) == ("access.others_study",)
    again = await scene.act("application-2", 1, Submit(replace(form, study=alone.study)))
    assert again.application.state == "PRE_SCREENING", "it is the researcher's, whose agreements they are"


async def test_a_members_renewal_is_taken_and_a_later_members(scene: Scene) -> None:
    await scene.person("fellow", "institute", "consumer")
    await scene.person("heir", "institute", "consumer")
    await scene.act("application-1", 1, Submit(naming(scene, scene.form(), "researcher", "fellow")))
    assert await refused(scene, naming(scene, scene.form(), "heir"), "heir") == ("access.others_study",)
    await scene.act("application-2", 1, Submit(naming(scene, scene.form(), "fellow", "heir", "researcher")), "fellow")
    await scene.act("application-3", 1, Submit(naming(scene, scene.form(), "heir", "researcher")), "heir")
    me = scene.people["researcher"].did
    assert study_page(scene.desk, me).lines[0].application == "application-2", "the newest of those they work with"


async def test_whom_an_id_follows_from_is_shut_out_by_nobody(scene: Scene) -> None:
    me = scene.people["researcher"].did
    form = replace(scene.form(), study=study_id(scene.form().project.title, me))
    await scene.person("stranger", "institute", "consumer")
    await scene.act("application-5", 1, Submit(naming(scene, form, "stranger", "researcher")), "stranger")
    await scene.act("application-1", 1, Submit(form))
    assert study_page(scene.desk, me).lines[0].application == "application-1"
    retitled = replace(form, project=replace(form.project, title="Another title"))
    assert await refused(scene, naming(scene, retitled, "stranger")) == ("access.others_study",)
    assert (await scene.act("application-2", 1, Submit(retitled))).application.form.study == form.study


async def test_a_title_changed_in_an_answer_gives_the_study_to_nobody_else(scene: Scene) -> None:
    me = scene.people["researcher"].did
    form = replace(scene.form(), study=study_id(scene.form().project.title, me))
    await scene.person("stranger", "institute", "consumer")
    kept_before(scene, "application-5", naming(scene, form, "stranger"), "stranger")
    await scene.act("application-1", 1, Submit(form))
    await scene.next("application-1", Ask("Which title?"), "north")
    retitled = replace(form, project=replace(form.project, title="Another title"))
    await scene.next("application-1", Answer(1, "This one.", retitled), "researcher")
    assert team_of(form.study, scene.desk.every()) == {me, *(one.did for one in form.people.members)}
    assert await refused(scene, naming(scene, retitled, "stranger")) == ("access.others_study",)


async def test_what_was_taken_before_is_folded_and_hides_nothing(scene: Scene) -> None:
    me, form = scene.people["researcher"].did, scene.form()
    await scene.act("application-1", 1, Submit(form))
    await scene.person("stranger", "institute", "consumer")
    kept_before(scene, "application-2", naming(scene, form, "stranger", "researcher"), "stranger")
    await scene.next("application-1", Ask("How many?"), "north")
    assert {one.id for one in scene.desk.every()} == {"application-1", "application-2"}
    (line,) = study_page(scene.desk, me).lines
    assert (line.application, line.questions) == ("application-1", 1)
    assert await refused(scene, naming(scene, form, "stranger", "researcher")) == ("access.others_study",)


async def test_a_fellow_who_was_named_twice_is_shown_the_teams(scene: Scene) -> None:
    await scene.person("fellow", "institute", "consumer")
    await scene.person("stranger", "institute", "consumer")
    await scene.act("application-1", 1, Submit(naming(scene, scene.form(), "researcher", "fellow")))
    kept_before(scene, "application-2", naming(scene, scene.form(), "stranger", "fellow"), "stranger")
    assert study_page(scene.desk, scene.people["fellow"].did).lines[0].application == "application-1"


async def test_a_stranger_who_names_anothers_study_learns_nothing_of_its_agreements(scene: Scene) -> None:
    form = scene.form()
    await scene.act("application-1", 1, Submit(form))
    in_force(scene, form)
    await scene.person("stranger", "institute", "consumer")
    stranger = scene.people["stranger"].did
    kept_before(scene, "application-2", naming(scene, form, "stranger"), "stranger")
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
    kept_before(scene, "application-2", naming(scene, form, "researcher", "stranger"), "stranger")
    told = scene.desk.view("application-2", stranger)
    assert {one.state for one in told.tasks if one.desk == "hospital"} == {"waiting"}
    assert operator_page(scene.desk).lines[0].state == "applied"
