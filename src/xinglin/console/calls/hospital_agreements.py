"""What a hospital's officer may ask about agreements: what is offered, what is in force, what an end would touch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.access.register import PermitEntry
from xinglin.catalogue.model import DataSetDescription
from xinglin.console.addresses import segment
from xinglin.console.calls.seat_calls import Hit, Item, ItemAct
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.preview import Leaves, leaves_of_offer
from xinglin.console.seats import Seat
from xinglin.contract.agreement import Agreement
from xinglin.kernel.verdict import Reason
from xinglin.sdk.errors import Unreachable
from xinglin.terms.agreed import AgreedTerms
from xinglin.wire.errors import Refused
from xinglin.words import N_, Words

OFFER = "item.agreement"
NO_SUCH = 404
TITLES_MS = 20_000
"""So long a reading of the public register is used."""
ANOTHERS_STUDY = N_("The offer names another's study: its ethics approval was not given to who asks.")
NOT_COVERED = N_("The study's ethics approval does not cover this offer; the offer's page says why.")


class AgreementCalls:
    """The officer's verbs at the node's desk. Every value is as the node says it."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines
        self._titles: tuple[int, dict[str, str]] = (0, {})

    def all(self) -> list[dict[str, Any]]:
        """Every agreement, as it stands, without its terms."""
        found: list[dict[str, Any]] = self._lines.desk(self._folder, "agreements", brief="yes")
        return found

    def offered(self) -> list[dict[str, Any]]:
        """Those that wait for the officer, with what the hospital's rules say to each."""
        found: list[dict[str, Any]] = self._lines.desk(
            self._folder, "agreements", brief="yes", state="offered", explained="yes"
        )
        return found

    def one(self, agreement: str) -> dict[str, Any]:
        """One agreement, the application that it follows from, and its cases; raises ``NotThere``."""
        try:
            found: dict[str, Any] = self._lines.desk(self._folder, "agreement", id=agreement)
        except Refused as refused:
            if refused.status == NO_SUCH or "node.unknown_agreement" in refused.codes:
                raise NotThere("There is no such agreement here.", remedy="See the list.") from refused
            raise
        return found

    def radius(self, agreement: str) -> dict[str, Any]:
        """What ending it would touch."""
        found: dict[str, Any] = self._lines.desk(self._folder, "radius", id=agreement)
        return found

    def explain(self, agreement: str) -> dict[str, Any]:
        """What the hospital's own rules say to the offer: accept, ask or refuse, and which rule says so."""
        found: dict[str, Any] = self._lines.desk(self._folder, "explain", id=agreement)
        return found

    def answer(self, agreement: str, verb: str, **given: Any) -> dict[str, Any]:
        """Approve, refuse, suspend, resume or end one; as it stands then."""
        found: dict[str, Any] = self._lines.desk(self._folder, verb, id=agreement, **given)
        return found

    def breach(self, agreement: str, **given: Any) -> dict[str, Any]:
        """Give a notice of breach, answer one, or close one."""
        found: dict[str, Any] = self._lines.desk(self._folder, "breach", id=agreement, **given)
        return found

    def inbox(self) -> tuple[Item, ...]:
        """Offers that wait for this hospital's answer."""
        return tuple(self._item(one) for one in self.offered())

    def find(self, text: str, most: int) -> tuple[Hit, ...]:
        """Agreements by study, title, consumer, data set or id."""
        wanted = text.casefold()
        found = [(self.title(one), one) for one in self.all()]
        hits = [
            Hit(f"{title} · {one['consumer']}", "object.agreement", f"/agreements/{segment(one['id'])}")
            for title, one in found
            if wanted in title.casefold()
            or any(wanted in str(one[key]).casefold() for key in ("study", "consumer", "data_set", "id"))
        ]
        return tuple(hits[:most])

    def title(self, one: dict[str, Any]) -> str:
        """What an agreement is called: as its papers say, else by its study's id.

        By the title of the hub's public register, where the study's approval names who signed the agreement.
        """
        study, told = str(one["study"]), one.get("approval") or {}
        return signed_title(one) or (self.titles().get(study, study) if told.get("theirs") else study)

    def titles(self) -> dict[str, str]:
        """Study to title, as the public register has them now; nothing while the hub cannot be reached."""
        read, held = self._titles
        now = self._lines.clock()
        if now - read > TITLES_MS:
            try:
                entries = self._lines.open(self._folder).get("/v1/access/register", list[PermitEntry])
                held = {one.study: one.title for one in entries}
            except Unreachable:
                pass  # an older reading is better than none
            self._titles = (now, held)
        return held

    def leaves(self, one: dict[str, Any], words: Words) -> Leaves:
        """What would leave under an agreement, against the last one of the same party that was countersigned."""
        terms = msgspec.convert(one["terms"], AgreedTerms)
        agreement = Agreement("", "", one["consumer"], "", one["study"], one["data_set"], terms, one.get("since", 0))
        published = self._lines.desk(self._folder, "tables", name=one["data_set"])
        described = [msgspec.convert(each, DataSetDescription) for each in published]
        book = self._lines.book(self._folder)
        names = {did: book.name(did) for did in (*terms.recipients, *(peer.did for peer in terms.peers))}
        before = self._before(one)
        return leaves_of_offer(
            words,
            agreement,
            next((each for each in described if each.name == one["data_set"]), None),
            names=names,
            before=msgspec.convert(before["terms"], AgreedTerms) if before else None,
            compared=self.title(before) if before else "",
        )

    def _before(self, one: dict[str, Any]) -> dict[str, Any] | None:
        """The last agreement with the same party on the same data set that this hospital signed."""
        signed = [
            each
            for each in self.all()
            if each["id"] != one["id"]
            and each["index"] >= 0
            and (each["consumer"], each["data_set"]) == (one["consumer"], one["data_set"])
        ]
        last = max(signed, key=lambda each: int(each["index"]), default=None)
        return self.one(last["id"]) if last is not None else None

    def _item(self, one: dict[str, Any]) -> Item:
        """An offer in the words of its signed papers alone: it is countersigned by one press."""
        verdict, reasons = _verdict(one["explained"], uncovered(one))
        path = f"/agreements/{segment(one['id'])}"
        acts = (
            ItemAct(N_("Countersign"), f"{path}/approve", "a", "primary", fields={"next": "inbox"}),
            ItemAct(N_("Refuse"), f"{path}/refuse", "r", "danger", N_("Why (the asker reads it)")),
        )
        what = f"{one['data_set']} · {one['grade']}"
        title, words = (one["title"], what) if one["title"] else (what, str(one["study"]))
        return Item(
            one["id"], OFFER, title, path, words, one["consumer"],
            one.get("since", 0), 0, verdict, reasons, acts,
        )  # fmt: skip


def signed_title(one: Mapping[str, Any]) -> str:
    """The study's title in the application that an agreement names; empty where it names none."""
    application = one.get("application")
    return str(application["study"]["title"]) if isinstance(application, dict) else ""


def uncovered(one: Mapping[str, Any]) -> tuple[Reason, ...]:
    """What of an agreement no ethics approval covers, of a study that the log knows one of."""
    return msgspec.convert((one.get("approval") or {}).get("uncovered", ()), tuple[Reason, ...])


def _verdict(found: Mapping[str, Any], lacks: tuple[Reason, ...]) -> tuple[str, tuple[str, ...]]:
    """What is said of an offer: that no approval covers it, else what the hospital's auto-pilot found, and why."""
    missed = [reason["words"] for one in found["tried"] for reason in one.get("reasons", ())]
    reasons = tuple(dict.fromkeys(word for word in (str(found["reason"]), *missed) if word))
    if all(reason.code == "access.approval_unknown" for reason in lacks) and lacks:
        return "ask", (*(reason.words for reason in lacks), *reasons)  # it may still arrive
    if lacks:
        others = any(reason.code == "access.other_people" for reason in lacks)
        return "no", (ANOTHERS_STUDY if others else NOT_COVERED, *reasons)
    return {"accept": "yes", "refuse": "no"}.get(str(found["do"]), "ask"), reasons


def countersigned(calls: AgreementCalls, agreement: str, wait_s: float = 8.0) -> dict[str, Any]:
    """Wait a moment until a countersigned agreement is in force: its leaf needs a quorum."""
    end = time.monotonic() + wait_s
    while True:
        found = calls.one(agreement)
        if found["state"] != "countersigned" or time.monotonic() > end:
            return found
        time.sleep(0.1)
