"""A run from the asker's side: follow it, stop it, open its result; everything by its id, at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from xinglin.evidence.commitments import commit
from xinglin.kernel.codec import decode_msgpack
from xinglin.sdk.asked import kept
from xinglin.sdk.errors import NotVerified, Refused, RunEnded, Unreachable, Withheld
from xinglin.sdk.results import RECEIPT_KIND, Outcome, Receipt, StudyResult
from xinglin.trust.envelope import Signed, open_signed_as
from xinglin.trust.errors import TrustError
from xinglin.trust.sealing import unseal
from xinglin.wire.calls import RunResult, RunView
from xinglin.wire.channel import ATTESTATION_CONTEXT, SEAL_INFO, Attestation, Sealed
from xinglin.wire.runs import is_refusal

if TYPE_CHECKING:
    from xinglin.sdk.session import Session
    from xinglin.terms.request import Plan

Progress = Callable[[RunView], None]
FINAL = frozenset({"done", "refused", "withheld", "no_result", "too_few", "failed", "cancelled"})
_HOLD_S = 20.0
_AWAY_S, _LOG_S, _AGAIN_S = 120.0, 10.0, 0.5


class Run:
    """One run; ``id`` is all that is needed to come back to it, from the account's folder that asked for it."""

    def __init__(self, space: Session, run_id: str) -> None:
        self._space = space
        self.id = run_id

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    @property
    def plan(self) -> Plan:
        """What was asked; raises ``NotVerified`` where this account's folder has no record of it."""
        asked = kept(self._space.account, self.id)
        if asked is None:
            raise NotVerified(
                f"This account's folder has no record of {self.id}.",
                why="Without it, nobody here knows which hospitals were asked.",
                remedy="Open the run from the folder that asked for it.",
            )
        return asked.opened()

    def view(self, after: int = -1, hold_s: float = 0.0) -> RunView:
        """Where the run stands; waits up to ``hold_s`` seconds for a change after version ``after``."""
        return self._space.client.get(f"/v1/runs/{self.id}", RunView, after=after, wait=hold_s)

    def cancel(self) -> RunView:
        """Stop the run; what was charged stays charged once anything has left a hospital."""
        return self._space.client.post(f"/v1/runs/{self.id}/cancel", {}, RunView)

    def wait(self, progress: Progress | None = None) -> RunView:
        """Follow the run to its end; ``progress`` is called with every change.

        A hub that is started anew meanwhile is waited for, up to two minutes; then ``Unreachable``, and the run
        can be followed again by its id.
        """
        view: RunView | None = None
        lost_since = 0.0
        while True:
            try:
                view = self.view() if view is None else self.view(view.version, _HOLD_S)
                lost_since = 0.0
            except Unreachable as error:
                now = time.monotonic()
                lost_since = lost_since or now
                if now - lost_since > _AWAY_S:
                    error.remedy = f"The run may go on: space.run({self.id!r}).result() when the hub is back."
                    raise
                view = None  # a hub that was started anew counts its versions anew
                time.sleep(_AGAIN_S)
                continue
            if progress is not None:
                progress(view)
            if view.state in FINAL:
                return view

    def result(self, progress: Progress | None = None) -> StudyResult:
        """The verified result; ``Refused``, ``Withheld`` or ``RunEnded`` when there is none, with the reasons."""
        view = self.wait(progress)
        if view.state == "refused":
            raise Refused(view.reasons)
        if view.state == "withheld":
            raise Withheld(self.id, self._said(view).reasons)
        if view.state == "no_result":
            said = self._said(view)
            raise RunEnded(self.id, view.state, said.words, said.reasons)
        if view.state != "done":
            raise RunEnded(self.id, view.state, view.words, view.reasons)
        return self._open(self._fetched())

    def _fetched(self) -> RunResult:
        return self._space.client.get(f"/v1/runs/{self.id}/result", RunResult)

    def _said(self, view: RunView) -> Attestation:
        """Why there is no result, in the hospitals' own signed words."""
        signed = self._fetched().attestations
        if view.state == "withheld" and len(signed) == 1:
            return self._halted(signed[0])
        opened = self._opened(signed)
        kind = {"withheld": "withheld", "no_result": "failure"}[view.state]
        found = [one for one in opened if one.kind == kind]
        if not found or (kind == "failure" and len({(one.kind, one.commitment) for one in opened}) != 1):
            raise NotVerified("The hub tells another end of the run than the hospitals signed.", remedy=_TELL)
        reasons = tuple(dict.fromkeys(reason for one in found for reason in one.reasons))
        return msgspec.structs.replace(found[0], reasons=reasons)

    def _halted(self, signed: Signed) -> Attestation:
        """One asked hospital's own "no" in the middle of the run, its name before each reason."""
        (said,) = self._read((signed,))
        if signed.signer not in self.plan.roster or not is_refusal(said, self.id, signed.signer):
            raise NotVerified("The hub tells another end of the run than the hospitals signed.", remedy=_TELL)
        known = self._space.log.record.directory.participants.get(signed.signer)
        name = known.name if known is not None else signed.signer
        reasons = tuple(msgspec.structs.replace(one, words=f"{name}: {one.words}") for one in said.reasons)
        return msgspec.structs.replace(said, reasons=reasons)

    def _open(self, found: RunResult) -> StudyResult:
        """1. Every survivor attested the same outcome. 2. It opens with this account's key. 3. It is that outcome."""
        attested = self._attested(found.attestations)  # 1
        if attested.kind != "result":
            raise NotVerified("The hospitals signed no result.", remedy=_TELL)
        try:
            data = unseal(self._space.account.keys, found.sealed, SEAL_INFO)  # 2
        except TrustError as error:
            raise NotVerified("The sealed result does not open with this account's key.", remedy=_TELL) from error
        sealed = decode_msgpack(data, Sealed)
        if sealed.run_id != self.id or commit(sealed.salt, sealed.outcome) != attested.commitment:  # 3
            raise NotVerified("The result is not the one that the hospitals signed.", remedy=_TELL)
        outcome = msgspec.json.decode(sealed.outcome, type=Outcome)
        receipt = self._receipt(attested, sealed)
        return StudyResult(self.id, outcome.kind, outcome.payload, receipt, sealed.salt, sealed.outcome)

    def _attested(self, signed: tuple[Signed, ...]) -> Attestation:
        """What every survivor signed alike."""
        opened = self._opened(signed)
        if len({(a.kind, a.commitment) for a in opened}) != 1:
            raise NotVerified("Not every taking-part hospital signed the same result.", remedy=_TELL)
        return opened[0]

    def _opened(self, signed: tuple[Signed, ...]) -> list[Attestation]:
        """What each survivor signed: hospitals of the roster that this account asked, and enough of them.

        One that withholds is believed alone; a result is one that all of them signed.
        """
        plan = self.plan
        opened = self._read(signed)
        signers = [one.signer for one in signed]
        if not opened or any((a.run_id, a.node) != (self.id, s) for a, s in zip(opened, signers, strict=True)):
            raise NotVerified("An attestation is of another run or another hospital.", remedy=_TELL)
        first = opened[0]
        if len({a.survivors for a in opened}) != 1 or set(signers) != set(first.survivors):
            raise NotVerified("Not every taking-part hospital signed the same result.", remedy=_TELL)
        if not set(signers) <= set(plan.roster) or len(set(signers)) < max(3, plan.rules.min_hospitals):
            raise NotVerified("The result is not of the hospitals that were asked.", remedy=_TELL)
        return opened

    def _read(self, signed: tuple[Signed, ...]) -> list[Attestation]:
        self._space.log.refresh()
        directory = self._space.log.record.directory
        try:
            return [open_signed_as(one, ATTESTATION_CONTEXT, directory, Attestation) for one in signed]
        except TrustError as error:
            raise NotVerified("An attestation is not signed by who it names.", remedy=_TELL) from error

    def _receipt(self, attested: Attestation, sealed: Sealed) -> Receipt:
        """The receipt of an authorisation; a log that lags behind, as after a start of the hub, is looked at again."""
        end = time.monotonic() + _LOG_S
        while (receipt := self._logged(attested, sealed)) is None:
            if time.monotonic() > end:
                raise NotVerified("The log holds no authorisation of this result.", remedy=_TELL)
            time.sleep(_AGAIN_S)
            self._space.log.refresh()
        return receipt

    def _logged(self, attested: Attestation, sealed: Sealed) -> Receipt | None:
        for found in reversed(self._space.log.about(self.id)):
            entry = found.entry
            known = entry.submitter in attested.survivors
            if entry.kind == RECEIPT_KIND and known and attested.commitment in entry.commitments.values():
                text = self._space.client.get_open(f"/receipt/{found.index}").decode()
                policy = self._space.log.record.policy_text
                receipt = Receipt(text, policy, self.id, sealed.salt, sealed.outcome)
                receipt.verify()
                return receipt
        return None


_TELL = "Do not use it. Tell the regulator."

__all__ = ["FINAL", "Progress", "Run"]
