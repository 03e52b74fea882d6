"""Runs that a hub finds open when it starts again."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tests.unit.terms.uses import PLAN, RESEARCHER

from xinglin.evidence.entry import Entry
from xinglin.hub.ports import RunRow
from xinglin.kernel.canonical import canonical_bytes
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import leaf_body, leaf_kind, revoke


async def test_a_hub_starts_though_a_hospital_of_an_open_run_was_revoked(tmp_path: Path) -> None:
    """The run has failed, and says so; the hub comes up and goes on with the others."""
    async with OpenHub(tmp_path) as hub:
        members = [await hub.member("provider") for _ in range(4)]
        roster = tuple(sorted(one.did for one in members))
        plan = msgspec.structs.replace(PLAN, roster=roster)
        for number in (1, 2):
            chosen = plan if number == 1 else msgspec.structs.replace(plan, roster=roster[:3])
            hub.parts.database.add_run(RunRow(f"run-{number}", "open", RESEARCHER, b"", canonical_bytes(chosen), b""))
        await _revoke(hub, next(one for one in members if one.did == roster[3]))
        await hub.hub.runs.restore()
        view = await hub.hub.runs.view("run-1", RESEARCHER)
        assert (view.state, bool(view.words), bool(view.ended)) == ("failed", True, True)
        assert [row.run_id for row in hub.parts.database.open_runs()] == ["run-2"]
        assert (await hub.hub.runs.view("run-2", RESEARCHER)).state == "deciding"


async def _revoke(hub: OpenHub, keys: PrivateKeys) -> None:
    leaf = revoke(keys.did, "compromised", keys)
    entry = Entry(kind=leaf_kind(leaf), at=hub.clock(), submitter=keys.did, subject=keys.did, body=leaf_body(leaf))
    await hub.hub.log.append([entry.to_bytes()])
    hub.hub.members.catch_up()
    assert hub.hub.members.directory.status(keys.did) == "revoked"
