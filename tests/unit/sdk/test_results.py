"""Results: verified before they are shown, refusals typed, receipts that prove offline and fail when altered."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.sdk.fake_hub import NAMES, SALT, FakeHub

from xinglin.evidence.errors import EvidenceError
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.verdict import Reason
from xinglin.sdk.data import Data
from xinglin.sdk.errors import NotVerified, Refused, RunEnded, Unreachable, Withheld
from xinglin.sdk.progress import following, progress_lines
from xinglin.sdk.results import Receipt, StudyResult
from xinglin.sdk.study import Study
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.sealing import seal
from xinglin.wire.calls import RunResult, RunView
from xinglin.wire.channel import ATTESTATION_CONTEXT, SEAL_INFO, Attestation, Sealed


@pytest.fixture
def data(study: Study) -> Data:
    return study.sql("SELECT age, disease FROM cardiac")


@pytest.fixture
def model(data: Data) -> StudyResult:
    return data.glm("disease ~ age", family="binomial")


def test_numbers_by_the_names_statisticians_use(model: StudyResult) -> None:
    assert model.params == model.coefficients == {"Intercept": -1.5, "age": 0.25}
    assert model.bse["age"] == 0.125
    assert model.tvalues["age"] == 2.0
    assert model.pvalues["age"] == pytest.approx(0.0455, abs=1e-4)
    low, high = model.conf_int()["age"]
    assert (low, high) == (pytest.approx(0.005, abs=1e-3), pytest.approx(0.495, abs=1e-3))
    assert model.aic == 14.0
    with pytest.raises(AttributeError, match="aic"):
        _ = model.bic


def test_a_result_shows_itself_everywhere(model: StudyResult) -> None:
    assert "Intercept" in str(model)
    assert repr(model) == model.summary()
    assert "<table>" in model._repr_html_()
    assert list(model.to_pandas()["term"]) == ["Intercept", "age"]
    assert model.to_polars().shape[0] == 2
    assert msgspec.json.decode(msgspec.json.encode(model.to_dict()))["kind"] == "glm"


def test_html_shows_no_markup_of_the_data(model: StudyResult) -> None:
    payload = {**model.payload, "terms": ["<script>alert(1)</script>", "age"], "formula": "<b>x</b>"}
    shown = StudyResult("run", "glm", payload, model.receipt, b"", b"")._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown


def test_a_run_is_taken_up_again_by_its_id(data: Data) -> None:
    space = data.study.space
    run = data.ask("describe", columns=["age"])
    assert space.runs() == [run.id]  # type: ignore[attr-defined]
    assert space.run(run.id).result().kind == "glm"  # type: ignore[attr-defined]
    with pytest.raises(Refused):
        space.run("run-" + "a" * 26)  # type: ignore[attr-defined]


def test_a_run_that_this_folder_did_not_ask_for_gives_no_result(hub: FakeHub, data: Data, tmp_path: Path) -> None:
    run = data.ask("describe", columns=["age"])
    (tmp_path / "other").mkdir()
    with pytest.raises(NotVerified, match="no record"):
        hub.analyst(tmp_path / "other").run(run.id).result()


def test_an_altered_record_of_what_was_asked_is_refused(data: Data) -> None:
    run = data.ask("describe", columns=["age"])
    file = data.study.space.account.folder / "runs" / f"{run.id}.json"
    asked = msgspec.json.decode(file.read_bytes())
    plan = base64.b64decode(asked["plan"]).replace(b'"min_cell":10', b'"min_cell":11')
    file.write_bytes(msgspec.json.encode({**asked, "plan": base64.b64encode(plan).decode()}))
    with pytest.raises(NotVerified, match="record"):
        run.result()


def test_refusals_keep_every_reason_and_what_would_have_to_change(hub: FakeHub, data: Data) -> None:
    said = (
        Reason("terms.no_allowance", "north: used up.", "Amend."),
        Reason("terms.expired", "north: too late.", "Again."),
    )
    hub.end = ("refused", "", said)
    with pytest.raises(Refused) as refused:
        data.describe("age")
    assert refused.value.reasons == said
    assert "Amend." in str(refused.value)


def test_withheld_and_no_result_speak_with_the_hospitals_signed_words(hub: FakeHub, data: Data) -> None:
    said = (Reason("privacy.small_cell", "Too few persons.", "Widen the cohort."),)
    hub.end = ("withheld", "withheld", said)
    with pytest.raises(Withheld) as withheld:
        data.describe("age")
    assert withheld.value.codes == ("privacy.small_cell",)
    hub.end = ("no_result", "failure", (Reason("separation", "Separated.", "Use fewer terms."),))
    with pytest.raises(RunEnded) as ended:
        data.glm("disease ~ age", family="binomial")
    assert (ended.value.state, ended.value.reasons[0].code) == ("no_result", "separation")
    hub.end = ("withheld", "result", said)
    with pytest.raises(NotVerified):
        data.describe("age")


def test_what_one_hospital_alone_withholds_is_withheld_in_its_words(hub: FakeHub, data: Data) -> None:
    """The others signed a result, or other words: no result is shown, and the reasons are those that were signed."""
    said = Reason("terms.agreement_not_active", "The agreement is terminated, not active.", "Renew it.")
    hub.end = ("withheld", "result", ())

    def apart(answer: RunResult) -> RunResult:
        first, *others = answer.attestations
        keys = next(keys for keys in hub.nodes.values() if keys.did == first.signer)
        value = msgspec.json.decode(first.payload, type=Attestation)
        own = msgspec.structs.replace(value, kind="withheld", commitment="salted-sha256:other", reasons=(said,))
        return msgspec.structs.replace(answer, attestations=(sign(keys, ATTESTATION_CONTEXT, own), *others))

    forge(hub, apart)
    with pytest.raises(Withheld) as withheld:
        data.describe("age")
    assert withheld.value.codes == ("terms.agreement_not_active",)
    hub.end = ("done", "result", ())
    with pytest.raises(NotVerified):
        data.describe("age")
    hub.end = ("no_result", "failure", (said,))
    with pytest.raises(NotVerified):
        data.describe("age")


def test_a_run_that_one_hospital_stopped_is_withheld_in_its_own_words(hub: FakeHub, data: Data) -> None:
    """Signed by a hospital that was asked, about this run; what else the hub calls withheld is not believed."""
    said = (Reason("access.approval_revoked", "The approval was revoked.", "Renew it."),)
    hub.end = ("withheld", "result", ())
    name, keys = next(iter(hub.nodes.items()))
    stranger = PrivateKeys.generate()

    def halted(by: PrivateKeys, **changes: Any) -> None:
        def change(answer: RunResult) -> RunResult:
            own = Attestation(answer.run_id, keys.did, (), "refused", "", reasons=said)
            signed = sign(by, ATTESTATION_CONTEXT, msgspec.structs.replace(own, **changes))
            return msgspec.structs.replace(answer, attestations=(signed,))

        forge(hub, change)

    halted(keys)
    with pytest.raises(Withheld) as withheld:
        data.describe("age")
    assert withheld.value.codes == ("access.approval_revoked",)
    assert withheld.value.reasons[0].words == f"{name}: The approval was revoked."
    assert withheld.value.run_id
    wrong: list[tuple[PrivateKeys, dict[str, Any]]] = [
        (stranger, {}),
        (stranger, {"node": stranger.did}),
        (keys, {"run_id": "run-other"}),
        (keys, {"node": stranger.did}),
        (keys, {"kind": "result"}),
        (keys, {"kind": "withheld"}),
        (keys, {"reasons": ()}),
    ]
    for by, changes in wrong:
        halted(by, **changes)
        with pytest.raises(NotVerified):
            data.describe("age")


@pytest.mark.parametrize("state", ["too_few", "failed", "cancelled"])
def test_other_ends_are_typed(hub: FakeHub, data: Data, state: str) -> None:
    hub.end = (state, "", ())
    with pytest.raises(RunEnded) as ended:
        data.describe("age")
    assert ended.value.state == state
    assert ended.value.remedy


def forge(hub: FakeHub, change: Any) -> None:
    """Turn every ``RunResult`` that the hub gives."""
    hub.turn = lambda answer: change(answer) if isinstance(answer, RunResult) else answer


def test_a_result_of_invented_hospitals_is_refused(hub: FakeHub, data: Data) -> None:
    def invented(answer: RunResult) -> RunResult:
        said = msgspec.json.decode(answer.attestations[0].payload, type=Attestation)
        made = [PrivateKeys.generate() for _ in range(3)]
        dids = tuple(sorted(keys.did for keys in made))
        signed = tuple(
            sign(k, ATTESTATION_CONTEXT, msgspec.structs.replace(said, node=k.did, survivors=dids)) for k in made
        )
        return msgspec.structs.replace(answer, attestations=signed)

    forge(hub, invented)
    with pytest.raises(NotVerified):
        data.describe("age")


def test_hospitals_that_were_not_asked_do_not_count_even_when_they_are_members(hub: FakeHub, data: Data) -> None:
    run = data.ask("describe", columns=["age"])
    signed, plan = hub.runs[run.id]
    del signed
    others = [PrivateKeys.generate() for _ in range(3)]
    hub.nodes = {f"late {n}": keys for n, keys in enumerate(others)}
    from xinglin.evidence.entry import Entry
    from xinglin.trust.leaves import admit, leaf_body, leaf_kind, register

    for name, keys in hub.nodes.items():
        leaf = admit(register(keys, name, ("provider", "witness")), hub.operator)
        hub.add(Entry(kind=leaf_kind(leaf), at=1, submitter=hub.operator.did, subject=leaf.did, body=leaf_body(leaf)))
    assert not set(hub.dids) & set(plan.roster)
    with pytest.raises(NotVerified, match="not of the hospitals"):
        run.result()


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: msgspec.structs.replace(answer, attestations=answer.attestations[:2]),
        lambda answer: msgspec.structs.replace(answer, attestations=()),
        lambda answer: msgspec.structs.replace(answer, attestations=(answer.attestations[0],) * 3),
        lambda answer: msgspec.structs.replace(answer, sealed=answer.sealed[:-1] + bytes([answer.sealed[-1] ^ 1])),
        lambda answer: msgspec.structs.replace(answer, sealed=b""),
    ],
    ids=["one missing", "none", "one thrice", "altered seal", "no seal"],
)
def test_an_incomplete_or_altered_answer_is_refused(hub: FakeHub, data: Data, change: Any) -> None:
    forge(hub, change)
    with pytest.raises(NotVerified):
        data.describe("age")


def test_another_outcome_sealed_to_the_asker_is_refused(hub: FakeHub, data: Data) -> None:
    def other(answer: RunResult) -> RunResult:
        outcome = canonical_bytes({"kind": "glm", "payload": {"aic": 1.0}})
        run_id = msgspec.json.decode(answer.attestations[0].payload, type=Attestation).run_id
        content = msgspec.msgpack.encode(Sealed(run_id, SALT, outcome))
        return msgspec.structs.replace(answer, sealed=seal(hub.asker.public, content, SEAL_INFO))

    forge(hub, other)
    with pytest.raises(NotVerified, match="not the one that the hospitals signed"):
        data.describe("age")


def test_a_log_that_lost_entries_or_forked_is_refused(hub: FakeHub, data: Data) -> None:
    data.study.space.log.refresh()
    whole = hub.log
    hub.log = whole.fork(whole.size - 1)
    with pytest.raises(NotVerified, match="older log"):
        data.study.space.log.refresh()
    hub.log.add(whole.entries()[0])
    with pytest.raises(NotVerified, match="root"):
        hub.log.add(whole.entries()[1])
        data.study.space.log.refresh()


def test_a_hub_that_is_started_anew_is_waited_for(hub: FakeHub, data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.sdk.run._AGAIN_S", 0.0)
    run = data.ask("describe", columns=["age"])
    hub.lose = [Unreachable("gone"), Unreachable("gone")]
    assert run.wait().state == "done"
    monkeypatch.setattr("xinglin.sdk.run._AWAY_S", -1.0)
    hub.lose = [Unreachable("gone")]
    with pytest.raises(Unreachable) as gone:
        run.wait()
    assert run.id in gone.value.remedy


def test_a_receipt_verifies_offline_and_a_tampered_one_does_not(model: StudyResult) -> None:
    proof = model.receipt.verify()
    assert proof.opened
    assert not proof.fork_protection
    assert "no fork protection" in str(proof)
    receipt = model.receipt
    altered = [
        msgspec.structs.replace(receipt, outcome=receipt.outcome.replace(b"0.25", b"0.26")),
        msgspec.structs.replace(receipt, salt=b"t" * 32),
        msgspec.structs.replace(receipt, run_id="run-" + "a" * 26),
        msgspec.structs.replace(receipt, text=receipt.text.replace(f"index {proof.index}", "index 1")),
        msgspec.structs.replace(receipt, text=receipt.text[:-40]),
    ]
    for one in altered:
        with pytest.raises((NotVerified, EvidenceError)):
            one.verify()


def test_a_receipt_of_another_entry_of_the_same_log_is_refused(hub: FakeHub, model: StudyResult) -> None:
    other = hub.get_open("/receipt/0").decode()
    with pytest.raises(NotVerified, match="not of this result"):
        msgspec.structs.replace(model.receipt, text=other).verify()


def test_a_policy_that_does_not_know_the_witness_does_not_accept(hub: FakeHub, model: StudyResult) -> None:
    stranger = FakeHub().space.policy
    with pytest.raises(EvidenceError):
        model.receipt.verify(stranger)


def test_saving_writes_policy_and_opening_beside(model: StudyResult, tmp_path: Path) -> None:
    place = model.receipt.save(tmp_path / "r.tlog-proof")
    assert place.read_text() == model.receipt.text
    assert (tmp_path / "r.tlog-proof.policy").read_text() == model.receipt.policy
    model.receipt.save(tmp_path / "public.tlog-proof", opening=False)
    assert not (tmp_path / "public.tlog-proof.opening").exists()
    assert isinstance(model.receipt, Receipt)


def test_progress_shows_states_and_nothing_else(hub: FakeHub, data: Data) -> None:
    seen: list[RunView] = []
    run = data.ask("describe", columns=["age"])
    run.wait(seen.append)
    assert progress_lines(seen[-1]) == [(name, "released") for name in NAMES]
    with following(True) as tell:
        assert tell is None
