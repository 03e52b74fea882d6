"""A run from the asker's side: follow it, stop it, open its result; everything by its id, at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from xinglin.evidence.commitments import commit
from xinglin.sdk.errors import NotVerified, Refused, RunEnded, Withheld
from xinglin.sdk.results import Receipt, StudyResult
from xinglin.trust.envelope import Signed, open_signed_as
from xinglin.trust.sealing import unseal
from xinglin.wire.calls import RunResult, RunView
from xinglin.wire.channel import ATTESTATION_CONTEXT, SEAL_INFO, Attestation, Sealed

if TYPE_CHECKING:
    from xinglin.sdk.space import Space

Progress = Callable[[RunView], None]
_FINAL = frozenset({"done", "refused", "withheld", "no_result", "too_few", "failed", "cancelled"})
_HOLD_S = 20.0
RECEIPT_KIND = "release-authorised"


class Run:
    """One run; ``id`` is all that is needed to come back to it."""

    def __init__(self, space: Space, run_id: str) -> None:
        self._space = space
        self.id = run_id

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def view(self, after: int = -1, hold_s: float = 0.0) -> RunView:
        """Where the run stands; waits up to ``hold_s`` seconds for a change after version ``after``."""
        return self._space.client.get(f"/v1/runs/{self.id}", RunView, after=after, wait=hold_s)

    def cancel(self) -> RunView:
        """Stop the run; what was charged stays charged once anything has left a hospital."""
        return self._space.client.post(f"/v1/runs/{self.id}/cancel", {}, RunView)

    def wait(self, progress: Progress | None = None) -> RunView:
        """Follow the run to its end; ``progress`` is called with every change."""
        view = self.view()
        while True:
            if progress is not None:
                progress(view)
            if view.state in _FINAL:
                return view
            view = self.view(view.version, _HOLD_S)

    def result(self, progress: Progress | None = None) -> StudyResult:
        """The verified result; ``Refused``, ``Withheld`` or ``RunEnded`` when there is none, with the reasons."""
        view = self.wait(progress)
        if view.state == "refused":
            raise Refused(view.reasons)
        if view.state == "withheld":
            raise Withheld(self.id, view.reasons)
        if view.state != "done":
            raise RunEnded(self.id, view.state, view.words)
        return self._open(self._space.client.get(f"/v1/runs/{self.id}/result", RunResult))

    def _open(self, found: RunResult) -> StudyResult:
        """1. every survivor attested the same outcome; 2. it opens with this account's key; 3. it is what they attested."""
        attested = self._attested(found.attestations)  # 1
        data = unseal(self._space.account.keys, found.sealed, SEAL_INFO)  # 2
        sealed = msgspec.msgpack.decode(data, type=Sealed)
        if sealed.run_id != self.id or commit(sealed.salt, sealed.outcome) != attested.commitment:  # 3
            raise NotVerified("The result is not the one that the hospitals signed.", remedy="Tell the regulator.")
        outcome = msgspec.json.decode(sealed.outcome)
        return StudyResult(self.id, outcome["kind"], outcome["payload"], self._receipt(attested), sealed.salt, sealed.outcome)

    def _attested(self, signed: tuple[Signed, ...]) -> Attestation:
        self._space.log.refresh()
        directory = self._space.log.record.directory
        opened = [open_signed_as(one, ATTESTATION_CONTEXT, directory, Attestation) for one in signed]
        signers = [one.signer for one in signed]
        first = opened[0] if opened else None
        if first is None or any((a.run_id, a.node) != (self.id, s) for a, s in zip(opened, signers, strict=True)):
            raise NotVerified("An attestation is of another run or another hospital.")
        same = len({(a.kind, a.commitment, a.survivors) for a in opened}) == 1
        if not same or set(signers) != set(first.survivors) or len(signers) < 3:
            raise NotVerified("Not every taking-part hospital signed the same result.", remedy="Tell the regulator.")
        return first

    def _receipt(self, attested: Attestation) -> Receipt:
        for found in reversed(self._space.log.about(self.id)):
            if found.entry.kind == RECEIPT_KIND and attested.commitment in found.entry.commitments.values():
                text = self._space.client.get_open(f"/receipt/{found.index}").decode()
                return Receipt(text, self._space.log.record.policy_text, attested.commitment)
        raise NotVerified("The log holds no authorisation of this result.", remedy="Tell the regulator.")


