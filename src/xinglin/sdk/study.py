"""A study: agreements with hospitals, and the SQL that runs under them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.verdict import Denied, Reason
from xinglin.sdk.data import Asking, Data
from xinglin.sdk.errors import NoAgreement, NotAnswered, Refused
from xinglin.sdk.scope import differing_in, fitted_sql, views_of
from xinglin.sdk.session import Held, Session
from xinglin.wire.calls import AgreementView

if TYPE_CHECKING:
    from xinglin.analysis.bounding import Fit
    from xinglin.catalogue.model import DataSetDescription
    from xinglin.sdk.extracts import Extract, Extraction

_HOLD_S = 20.0
_WAITING = "offered"


class Study:
    """One study of this account; ``agreements`` maps each hospital's DID to the newest agreement with it."""

    def __init__(self, space: Session, title: str, study_id: str, held: Sequence[Held]) -> None:
        self.space, self.title, self.id = space, title, study_id
        self._held: dict[str, Held] = {}
        self._keep(held)

    def __repr__(self) -> str:
        lines = [f"Study {self.title!r} ({self.id})"]
        names = self.space.names()
        for did, held in sorted(self._held.items()):
            terms = held.agreement.terms
            lines.append(
                f"  {names.get(did, did)}: {self.state_of(held)}, {len(terms.variables)} variables,"
                f" {terms.allowance} answers, minimum cell {terms.rules.min_cell}"
            )
        return "\n".join(lines)

    @property
    def agreements(self) -> dict[str, Held]:
        """Provider DID to the newest agreement with it, whatever its state."""
        return dict(self._held)

    @property
    def data_set(self) -> str:
        """The data set that the study's agreements are about."""
        return next(iter(self._held.values())).agreement.data_set

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Labels of the hospitals that have not answered yet."""
        names = self.space.names()
        return tuple(names.get(did, did) for did, held in sorted(self._held.items()) if held.view.state == _WAITING)

    def state_of(self, held: Held) -> str:
        """The agreement's state as the clock and the verified log make it."""
        digest, agreement, record = held.agreement.digest(), held.agreement, self.space.log.record
        if held.trouble:
            return "unverified"
        if digest in record.revoked or agreement.study in record.revoked:
            return "revoked"
        history = record.agreements.of(digest, agreement.provider, agreement.consumer)
        if history is not None and history.standing.state != "active":
            return history.standing.state
        if held.view.state == "active":
            if record.ended.get(digest, frozenset()) & {agreement.provider, agreement.consumer}:
                return "terminated"
            if agreement.terms.expires <= self.space.clock():
                return "expired"
        return held.view.state

    def refresh(self) -> Study:
        """Ask the hub how the agreements stand now."""
        self._keep(self.space.agreements(self.id))
        return self

    def wait(self, timeout_s: float = 3600.0, tell: Callable[[Study], None] | None = None) -> Study:
        """Wait until every hospital has answered and enough agreements are active; ``tell`` hears of every answer.

        Raises ``NotAnswered`` naming who has not, and ``Refused`` with the hospitals' reasons when too few agreed.
        """
        end = time.monotonic() + timeout_s
        while True:
            if tell is not None:
                tell(self)
            open_ones = [held.view.agreement_id for held in self._held.values() if held.view.state == _WAITING]
            if not open_ones:
                return self._enough()
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise NotAnswered(self.waiting_for, timeout_s)
            path = f"/v1/agreements/{open_ones[0]}"
            self.space.client.get(path, AgreementView, wait=min(left_s, _HOLD_S))
            self.refresh()

    def in_force(self, hospitals: Sequence[str] | None = None) -> dict[str, Held]:
        """Agreements to run under, by DID: every active one, or those of the named ``hospitals`` (DIDs or labels)."""
        active = {did: held for did, held in self._held.items() if self.state_of(held) == "active"}
        if hospitals is None:
            chosen = active
        else:
            labels = {label: did for did, label in self.space.names().items() if did in active}
            wanted = [one if one in active else labels.get(one, one) for one in hospitals]
            missing = [one for one in wanted if one not in active]
            if missing:
                raise NoAgreement(f"No active agreement with {', '.join(missing)}.", remedy="See study.agreements.")
            chosen = {did: active[did] for did in wanted}
        if not chosen:
            raise NoAgreement(
                "The study has no active agreement.",
                why=f"They are {', '.join(sorted({self.state_of(held) for held in self._held.values()}))}.",
                remedy="Wait for the hospitals: study.wait(); or propose it anew.",
            )
        return chosen

    def views(self) -> dict[str, tuple[str, ...]]:
        """What the study's SQL may name: each view of the agreements and its columns. From published facts; no row."""
        found: dict[str, tuple[str, ...]] = {}
        published = self._published()
        for did, one in sorted(self._held.items()):
            if did in published:
                found |= views_of(one.agreement.terms, published[did])
        return found

    def sql(self, text: str, *, hospitals: Sequence[str] | None = None) -> Data:
        """The rows that one SELECT over the study's views gives, wherever they are; admitted here, run nowhere yet.

        Raises ``Refused`` with every reason why the SQL is not admitted, and ``NoAgreement``. Nothing is sent.
        """
        return Data(Asking(self.space, self.id, self.title, self.data_set), text, self.in_force(hospitals))

    def fitted(self, text: str, *, hospitals: Sequence[str] | None = None) -> str:
        """The SELECT with each column that hospitals publish differently bounded by what they publish together.

        Nothing that is published lies outside those bounds, so the rows keep their values. From published facts; no
        row. Raises ``Refused`` and ``NoAgreement`` as ``sql`` does.
        """
        return fitted_sql(text, self.in_force(hospitals), self._published())

    def differing(self, text: str, *, hospitals: Sequence[str] | None = None) -> dict[str, Fit | None]:
        """Columns of a SELECT that hospitals publish differently, with what they publish together; None: no bound.

        Raises as ``fitted`` does.
        """
        return differing_in(text, self.in_force(hospitals), self._published())

    def _published(self) -> Mapping[str, DataSetDescription]:
        return self.space.data_sets(self.data_set).get(self.data_set, {})

    def extraction(
        self,
        sql: str,
        *,
        profile: str,
        workspace: str,
        k: int = 0,
        quasi: Sequence[str] = (),
        sensitive: Sequence[str] = (),
        hospitals: Sequence[str] | None = None,
        **more: Any,
    ) -> Extraction:
        """An extract as it would be asked for: ``preview()`` says what would leave and what protects it; asks nobody.

        ``profile``: name of the de-identification profile. ``workspace``: DID of an enrolled workspace that the
        agreements name. ``k``: persons who share each combination of the ``quasi`` columns (the agreed minimum cell
        unless given); every column is quasi-identifying unless it is ``sensitive``. ``more``: ``l``, ``t``,
        ``suppressed``, ``formats`` as ``terms.ExtractAsk`` has them. Raises ``Refused`` and ``NoAgreement``.
        """
        from xinglin.sdk.extracts import Extraction

        data = self.sql(sql, hospitals=hospitals)
        asked = {"profile": profile, "workspace": workspace, "k": k, "quasi": quasi, "sensitive": sensitive, **more}
        return Extraction(self.space, self.id, data, asked)

    def extract(self, sql: str, **asked: Any) -> tuple[Extract, ...]:
        """Ask each hospital for its own extract, as ``extraction`` has the parameters; does not wait."""
        return self.extraction(sql, **asked).ask()

    def _keep(self, held: Sequence[Held]) -> None:
        for one in sorted(held, key=lambda each: each.agreement.made):
            self._held[one.agreement.provider] = one

    def _enough(self) -> Study:
        active = {did: one for did, one in self._held.items() if self.state_of(one) == "active"}
        least = max((one.agreement.terms.rules.min_hospitals for one in self._held.values()), default=3)
        if len(active) >= least:
            return self
        names = self.space.names()
        reasons = [
            msgspec.structs.replace(reason, words=f"{names.get(did, did)}: {reason.words}")
            for did, one in sorted(self._held.items())
            for reason in one.view.reasons
        ]
        words = f"{len(active)} hospitals agreed, and {least} are needed."
        few = Reason("sdk.few_hospitals", words, "Propose other terms, or ask further hospitals.")
        raise Refused(Denied((few, *reasons)).reasons)
