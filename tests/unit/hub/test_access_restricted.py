"""What the machine's look at a form tells of a restricted data set: nothing, to whoever may not know of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.hub.review_scene import Scene
from tests.unit.sdk.fake_hub import described

from xinglin.access.application import Submit
from xinglin.catalogue.entry import Listing
from xinglin.hub.committee_lines import committee_page
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.dpop import DoorKey
from xinglin.wire.access import Checked

NAME, NOT_PUBLISHED = "cardiology", "access.not_published"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with OpenHub(tmp_path) as hub:
        made = Scene(hub)
        await made.fill()
        yield made


async def publish(scene: Scene, *audience: str) -> None:
    """North publishes a data set that only these may know of."""
    north = scene.people["north"].did
    listing = Listing(NAME, restricted=True, audience=tuple(scene.people[name].did for name in audience))
    await scene.hub.publish(north, msgspec.json.encode((described(north),)), msgspec.json.encode((listing,)))


async def asked(scene: Scene, who: str) -> Checked:
    """The look at the form, asked at the hub's door."""
    door = DoorKey.generate()
    token = await scene.open.token(scene.people[who], door)
    body = msgspec.json.encode(scene.form())
    answer = await scene.open.call(token, door, "POST", "/v1/access/check", content=body)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Checked)


def told(checked: Checked, scene: Scene) -> set[str]:
    """Codes of what is said of the hospital that publishes."""
    (found,) = [one for one in checked.screenings if one.hospital == scene.people["north"].did]
    return {reason.code for reason in found.reasons}


async def test_a_restricted_data_set_is_as_none_to_whoever_may_not_know_of_it(scene: Scene) -> None:
    before = await asked(scene, "researcher")
    assert told(before, scene) == {NOT_PUBLISHED}
    await publish(scene, "third")
    assert await asked(scene, "researcher") == before, "the same answer to the letter"
    assert NOT_PUBLISHED not in told(await asked(scene, "third"), scene)
    assert NOT_PUBLISHED not in told(await asked(scene, "north"), scene), "the hospital knows its own"
    await publish(scene, "researcher")
    assert NOT_PUBLISHED not in told(await asked(scene, "researcher"), scene)
    assert NOT_PUBLISHED in told(await asked(scene, "third"), scene)


async def test_an_application_is_told_what_its_applicant_may_know_whoever_reads_it(scene: Scene) -> None:
    await publish(scene, "researcher")
    await scene.act("application-1", 1, Submit(scene.form()))
    readers = [scene.people[name].did for name in ("researcher", "third", "south")] + [scene.hub.keys.did]
    for shown in (True, False):
        for did in readers:
            views = (scene.desk.view("application-1", did), *scene.desk.views(did))
            for view in views:
                (found,) = [one for one in view.screenings if one.hospital == scene.people["north"].did]
                assert (NOT_PUBLISHED not in {one.code for one in found.reasons}) is shown
        await publish(scene, "third", "south")  # the readers know of it, and the applicant does no longer


async def test_a_page_of_the_committee_goes_by_each_applicant(scene: Scene) -> None:
    await publish(scene, "researcher")
    form = scene.form()
    north = replace(form, data=replace(form.data, hospitals=(scene.people["north"].did,)))
    await scene.act("application-1", 1, Submit(north))
    (known,) = committee_page(scene.desk, scene.people["chair"].did).lines
    assert NOT_PUBLISHED not in {one.code for one in known.reasons}
    await publish(scene, "chair")
    (hidden,) = committee_page(scene.desk, scene.people["chair"].did).lines
    assert NOT_PUBLISHED in {one.code for one in hidden.reasons} and hidden.verdict == "no"
