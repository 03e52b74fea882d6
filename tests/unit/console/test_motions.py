"""A committee's deeds in the console are on the form that the person read, and on no other."""

from __future__ import annotations

import asyncio
import queue
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.console.hall import Hall
from tests.unit.hub.review_scene import Scene
from tests.unit.sdk.turned_hub import TurnedHub

from xinglin.testing.open_hub import OpenHub
from xinglin.wire.access import MotionCall, VoteCall

SHOWN = re.compile(r'name="shown" value="([^"]+)"')
OTHER = "sha256:" + "0" * 64


class Chair:
    """A chair's seat of a console over the real hub; ``line``: their line to it."""

    def __init__(self, folder: Path, scene: Scene, loop: asyncio.AbstractEventLoop) -> None:
        self.scene, self.line = scene, TurnedHub(scene, "chair", loop)
        self.hall = Hall(folder, "ethics")
        pool: queue.LifoQueue[Any] = queue.LifoQueue()
        pool.put(self.line.session("chair", folder))
        self.hall.console.lines._spaces[folder / "ethics"] = pool

    def read(self, path: str) -> str:
        """The digest that a page's form carries."""
        (digest,) = SHOWN.findall(self.hall.get(path, "ethics").text)
        return str(digest)


@pytest.fixture
def chair(tmp_path: Path) -> Iterator[Chair]:
    loop = asyncio.new_event_loop()
    hub = OpenHub(tmp_path / "hub")
    loop.run_until_complete(hub.__aenter__())
    scene = Scene(hub)
    for step in (scene.fill(), scene.accepted()):
        loop.run_until_complete(step)
    made = Chair(tmp_path, scene, loop)
    yield made
    made.hall.close()
    loop.run_until_complete(hub.__aexit__(None, None, None))
    loop.close()


def test_an_application_is_put_and_voted_on_as_it_was_read(chair: Chair) -> None:
    path, fields = "/applications/application-1", {"committee": "committee-heart", "days": "10"}
    for more in ({}, {"shown": OTHER}):
        assert chair.hall.post(f"{path}/put", "ethics", **fields, **more).status_code >= 400
    assert chair.line.posted == []
    put = chair.hall.post(f"{path}/put", "ethics", **fields, shown=chair.read(path))
    assert put.status_code == 303 and isinstance(chair.line.posted.pop(), MotionCall)
    motion = put.headers["location"].partition("?")[0]
    for more in ({}, {"shown": OTHER}):
        assert chair.hall.post(f"{motion}/vote", "ethics", choice="approve", **more).status_code >= 400
    assert chair.line.posted == []
    assert chair.hall.post(f"{motion}/vote", "ethics", choice="approve", shown=chair.read(motion)).status_code == 303
    assert isinstance(chair.line.posted.pop(), VoteCall)
