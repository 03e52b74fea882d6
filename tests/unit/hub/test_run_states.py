"""States of a run: whatever a hospital's rules end is withheld in every phase, and whatever breaks has failed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from xinglin.hub.ports import RunRow
from xinglin.hub.run_states import HALTED, RUN_STATES, WORDS
from xinglin.hub.runs import Coordinator, Line, Patience
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.secure import Member, Session
from xinglin.testing.hub_memory import MemoryHubStore
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import ATTESTATION_CONTEXT, Attestation, RunEnd, RunRefused, RunStopped
from xinglin.wire.runs import refusal_of

KEYS = tuple(sorted((PrivateKeys.generate() for _ in range(3)), key=lambda one: one.did))
NORTH = KEYS[0].did
PHASES = tuple(state for state in RUN_STATES.states if state not in RUN_STATES.final)
NO = (Reason("access.approval_revoked", "The approval was revoked.", "Renew it."), Reason("terms.x", "More."))


def coordinator(state: str) -> tuple[Coordinator, list[tuple[str, Any]]]:
    said: list[tuple[str, Any]] = []
    members = tuple(Member(keys.did, keys.public.digest()) for keys in KEYS)
    session = Session(plan="sha256:" + "0" * 64, run="run-1", members=members, fewest=3)
    row = RunRow("run-1", "open", "did:key:asker", b"", b"", b"")
    store, line = MemoryHubStore(), Line(lambda did, order: said.append((did, order)), lambda _did: True)
    store.add_run(row)
    found = Coordinator(
        row, session, {NORTH: "north"}, store, line, lambda: 1_000, Patience(), lambda *_: True
    )  # fmt: skip
    found.state = state
    return found, said


def stopped(**changes: object) -> RunStopped:
    attestation = msgspec.structs.replace(Attestation("run-1", NORTH, (), "refused", "", reasons=NO), **changes)
    signed = sign(KEYS[0], ATTESTATION_CONTEXT, attestation).to_bytes()
    return RunStopped("run-1", NO[0].code, NO[0].words, signed)


def test_every_phase_takes_both_kinds_of_end() -> None:
    for state in PHASES:
        assert RUN_STATES.move(state, "withhold") == "withheld"
        assert RUN_STATES.move(state, "fail") == "failed"
    assert [state for state in PHASES if "refuse" in RUN_STATES.events(state)] == ["deciding"]
    assert set(WORDS) == RUN_STATES.final
    assert all(f"{state} --> withheld: withhold" in RUN_STATES.diagram() for state in PHASES)


@pytest.mark.parametrize("state", PHASES)
async def test_what_a_hospitals_rules_stop_is_withheld_with_every_reason(state: str) -> None:
    run, said = coordinator(state)
    await run.take(NORTH, stopped())
    view = run.view()
    assert (view.state, view.words, run.over) == ("withheld", HALTED, True)
    assert [reason.code for reason in view.reasons] == [reason.code for reason in NO]
    assert view.reasons[0].words == "north: The approval was revoked."
    assert run.result is not None and len(run.result.attestations) == 1 and not run.result.sealed
    assert [order for _, order in said] == [RunEnd("run-1", "withheld", HALTED)] * 3


@pytest.mark.parametrize("state", PHASES)
async def test_what_breaks_has_failed(state: str) -> None:
    run, _ = coordinator(state)
    await run.take(NORTH, RunStopped("run-1", "engine.gone", "The engine ended."))
    view = run.view()
    assert (view.state, view.words, view.reasons, run.result) == ("failed", "The engine ended.", (), None)


async def test_a_first_no_is_refused_and_a_no_without_a_signature_after_a_yes_has_failed() -> None:
    run, _ = coordinator("deciding")
    await run.take(NORTH, RunRefused("run-1", NO))
    assert run.state == "refused"
    run, _ = coordinator("computing")
    await run.take(NORTH, RunRefused("run-1", NO))
    assert run.state == "failed"


async def test_after_the_end_nothing_turns_it() -> None:
    run, _ = coordinator("computing")
    await run.take(NORTH, stopped())
    await run.take(NORTH, RunStopped("run-1", "engine.gone", "The engine ended."))
    await run.take(KEYS[1].did, stopped(node=KEYS[1].did))
    assert (run.state, run.view().words) == ("withheld", HALTED)


@pytest.mark.parametrize(
    "report",
    [
        stopped(run_id="run-2"),
        stopped(node=KEYS[1].did),
        stopped(kind="withheld"),
        stopped(reasons=()),
        RunStopped("run-1", "engine.gone", "Gone.", b"no envelope"),
        RunStopped("run-1", "engine.gone", "Gone.", sign(KEYS[0], ATTESTATION_CONTEXT, b"{").to_bytes()),
    ],
    ids=["another run", "another hospital", "another kind", "no reason", "no envelope", "no attestation"],
)
async def test_what_is_no_refusal_counts_as_a_breakage(report: RunStopped) -> None:
    assert refusal_of(report, NORTH) is None
    run, _ = coordinator("computing")
    await run.take(NORTH, report)
    assert (run.state, run.result) == ("failed", None)


def test_an_illegal_move_names_both() -> None:
    with pytest.raises(XinglinError, match="'withhold' is not possible in state 'done'"):
        RUN_STATES.move("done", "withhold")
