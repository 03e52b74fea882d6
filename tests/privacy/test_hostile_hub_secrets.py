"""What can a hub compute from everything that ever passed it, with keys stolen late, or make the asker believe?"""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.privacy.conftest import GLM, SQL, said

from xinglin.evidence.entry import decode_entry
from xinglin.hub.runs import Coordinator
from xinglin.kernel.canonical import canonical_bytes
from xinglin.sdk.account import Account
from xinglin.sdk.asked import Asked, keep
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.run import Run
from xinglin.secure import Party, Upload, channels, parse, ring
from xinglin.secure.party_state import Fresh, PartyState
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import HostileHub
from xinglin.wire.calls import RunResult
from xinglin.wire.channel import RunMessage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
replace = msgspec.structs.replace
STOLEN_IN = 5


# --- a key stolen in round 5 -------------------------------------------------------------------------------


async def test_a_whole_run_with_a_key_of_round_five_leaves_rounds_one_to_four_closed(
    hub: HostileHub, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thief has every byte that passed the hub, and a hospital's mask key and states of round 5, once uploaded."""
    victim = hub.hospitals["b"]
    kept: list[PartyState] = []
    settle = Party._settle

    def spied(party: Party, state: PartyState) -> None:
        settle(party, state)
        if state.session.did(state.me) == victim.did:
            kept.append(state)

    monkeypatch.setattr(Party, "_settle", spied)
    run = await asker.ask(asker.plan(SQL, "glm", GLM))
    assert run.state == "done"
    uploads = {m.round: parse(m.payload) for m in victim.channel.of(RunMessage) if m.kind == "Upload"}
    assert len(uploads) > STOLEN_IN
    before = {s.round: s for s in kept if s.phase == "ready"}
    after = {s.round: s for s in kept if s.phase == "uploaded"}
    loot = [s for s in kept if s.round == STOLEN_IN and s.phase in ("uploaded", "revealed")]
    mask_key = _need(after[STOLEN_IN - 1].fresh).private
    public = {m.round + 1: parse(m.payload).endorsement for m in hub.hospitals["a"].channel.of(RunMessage) if _up(m)}
    shared = channels.exchange(mask_key, public[STOLEN_IN].mask_key, "")
    stolen = {secret for state in loot for secret in _secrets(state)} | {mask_key, shared}
    seen = b"".join(hub.bytes_seen) + b"".join(msgspec.msgpack.encode(state) for state in loot)
    for number in range(1, STOLEN_IN):
        state, upload = before[number], uploads[number]
        plain = _stripped(after[number], upload, _masks(state, number))
        assert plain[0] == plain[1] == 0  # control: with its own keys the round opens, and the flags are clear
        assert np.any(plain)
        gone = {state.seed, state.pad_chain, *state.pairs.values(), *state.held.values()}
        assert not any(secret in seen for secret in gone), number
        assert not gone & stolen
        for key in stolen:
            for masks in ([(key, False)], [(channels.derive(key, "pad", number), False)]):
                left = _stripped(after[number], upload, masks)
                assert not np.any(np.isclose(left[2:], plain[2:], rtol=1e-3) & (plain[2:] != 0))
    # The near miss: the same key does give the mask of the round that it is of.
    me, other = loot[0].me, public[STOLEN_IN].sender
    assert before[STOLEN_IN].pairs[other] == _pair(loot[0], shared, STOLEN_IN, me, other)
    for number in range(2, STOLEN_IN):
        tried = channels.exchange(mask_key, public[number].mask_key, "")
        assert before[number].pairs[other] != _pair(loot[0], tried, number, me, other)


def _pair(state: PartyState, shared: bytes, number: int, me: int, other: int) -> bytes:
    return channels.pair_key(state.session.id, shared, "mask", number, me, other)


def _up(message: RunMessage) -> bool:
    return message.kind == "Upload"


def _need(fresh: Fresh | None) -> Fresh:
    assert fresh is not None
    return fresh


def _secrets(state: PartyState) -> list[bytes]:
    found = [state.seed, state.pad_chain, state.derive_key, *state.pairs.values(), *state.chains.values()]
    found += [state.fresh.private, state.fresh.seed] if state.fresh else []
    found += [state.coming.seed, *state.coming.pairs.values()] if state.coming else []
    return [secret for secret in found if len(secret) == 32]


def _masks(state: PartyState, number: int) -> list[tuple[bytes, bool]]:
    own = channels.extract(state.session.id, state.seed, "self", number, state.me)
    pad = channels.derive(state.pad_chain, "pad", number)
    return [(own, False), (pad, False), *((key, other < state.me) for other, key in state.pairs.items())]


def _stripped(state: PartyState, upload: Upload, masks: list[tuple[bytes, bool]]) -> np.ndarray[Any, Any]:
    assert state.fixed is not None
    vector = np.frombuffer(upload.masked, dtype="<u8").copy()
    ring.apply(vector, state.fixed.shape, masks)
    ring.shift_right(vector, state.fixed.shape, state.session.shift_bits)
    return state.fixed.decode(vector)


# --- words, logs, the transcript ---------------------------------------------------------------------------------


async def test_no_log_line_holds_a_value_or_a_key(
    hub: HostileHub, asker: Asker, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that ends well, one that is refused, one that fails, one whose total is altered: at every level."""
    caplog.set_level(logging.DEBUG)
    assert (await asker.ask(asker.plan(SQL, "glm", GLM))).state == "done"
    await asker.ask(asker.plan("SELECT nothing FROM cardiac", "describe", {"columns": ["nothing"]}))
    await asker.ask(asker.plan(SQL, "glm", {"formula": "disease ~ age + age", "family": "binomial"}))
    text = caplog.text + repr(said(hub, RunMessage))
    for name in ("university-0", "county-0", "heart-0", "clinic-0", "Generated Person"):
        assert name not in text
    for hospital in hub.hospitals.values():
        seeds = hospital.node.keys.seeds
        for secret in (seeds.ed25519, seeds.x25519, seeds.mlkem768, seeds.mldsa44, seeds.mldsa65):
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in text
            assert secret not in b"".join(hub.bytes_seen)
        assert hospital.node.keys.seeds.ed25519.hex() not in repr(hospital.node.keys)


async def test_leaves_of_a_run_hold_commitments_and_nothing_else(hub: HostileHub, asker: Asker) -> None:
    run = await asker.ask(asker.plan(SQL, "glm", GLM))
    entries = [entry for entry in map(decode_entry, hub.log.entries()) if entry.subject == run.run_id]
    assert {entry.kind for entry in entries} >= {"admitted", "release-authorised"}
    for entry in entries:
        assert entry.body == {}
        assert all(text.startswith("salted-sha256:") for text in entry.commitments.values())
    marks = [entry.commitments["mark"] for entry in entries if entry.kind == "release-authorised"]
    assert len(set(marks)) == 4


# --- what the asker is made to believe ----------------------------------------------------------------------------


async def test_a_swapped_result_and_mixed_attestations_are_refused(
    hub: HostileHub, asker: Asker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two honest runs of one researcher: nothing of one passes for the other's."""
    folder = tmp_path_factory.mktemp("account")
    first, one = await _asked(hub, asker, folder, "describe", {"columns": ["age"]})
    second, other = await _asked(hub, asker, folder, "describe", {"columns": ["trestbps"]})
    assert first._open(one).payload == asker.opened(hub.runs[first.id])["payload"]
    mixed = (*one.attestations[:3], other.attestations[3])
    turned = {
        "sealed of the other run": replace(one, sealed=other.sealed),
        "the other run": other,
        "mixed": replace(one, attestations=mixed),
        "one left out": replace(one, attestations=one.attestations[:3]),
        "one twice": replace(one, attestations=(*one.attestations[:3], one.attestations[0])),
        "none": replace(one, attestations=()),
        "renamed": replace(one, attestations=(replace(one.attestations[0], signer=hub.operator.did),) * 4),
        "cut": replace(one, sealed=one.sealed[:-1]),
        "empty": replace(one, sealed=b""),
    }
    for words, found in turned.items():
        with pytest.raises(NotVerified):
            first._open(found)
        assert words
    assert second._open(other)


async def _asked(hub: HostileHub, asker: Asker, folder: Any, algorithm: str, params: Any) -> tuple[Run, RunResult]:
    plan = asker.plan(SQL, algorithm, params)
    request = asker.request(plan)
    run = await asker.ask(plan, request)
    assert run.result is not None
    account = Account(hub.space, asker.keys, folder)
    keep(account, run.run_id, Asked(asker.signed(request), canonical_bytes(plan)))
    return Run(_session(hub, account, run), run.run_id), run.result  # type: ignore[arg-type]


def _session(hub: HostileHub, account: Account, run: Coordinator) -> SimpleNamespace:
    """As much of an SDK session as a run's end needs, over the hub's log as a node holds it."""
    view = hub.hospitals["a"].node.view
    found = [(i, view.entry(i)) for i in range(view.size)]
    about = [SimpleNamespace(index=i, entry=entry) for i, entry in found if entry.subject == run.run_id]
    log = SimpleNamespace(refresh=lambda: view.size, record=view.record, about=lambda _subject: about)
    receipt = SimpleNamespace(get_open=lambda path: view.receipt(int(path.rpartition("/")[2])).encode())
    return SimpleNamespace(account=account, log=log, client=receipt)
