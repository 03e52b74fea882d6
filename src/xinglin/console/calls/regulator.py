"""What a seat with the role ``regulator`` may ask: the space as its verified log has it, and the regulator's orders."""

from __future__ import annotations

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.calls.seat_calls import Item
from xinglin.console.calls.watching import ANSWER_DAYS, DAY_MS, Trouble, WatchingCalls
from xinglin.console.errors import NotThere
from xinglin.contract.replay import History
from xinglin.evidence.policy import parse_policy
from xinglin.sdk.regulating import Policies, Regulating, policies_of
from xinglin.wire.products import Product
from xinglin.words import N_


class Rests(msgspec.Struct, frozen=True):
    """What rests on a subject: ``kind`` is ``agreement``, ``study`` or ``party``.

    ``agreements``: (digest, provider, consumer, state); ``approvals``: digests; ``persons``: labels.
    """

    kind: str
    subject: str
    label: str
    agreements: tuple[tuple[str, str, str, str], ...] = ()
    approvals: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    frozen: bool = False


class RegulatorCalls(WatchingCalls):
    """Calls of a seat with the role ``regulator``."""

    PARTICIPANT_PATH = "/oversight/participants"

    def inbox(self) -> tuple[Item, ...]:
        """What waits for the regulator: a policy to sign, and what went wrong."""
        items = [_item(one) for one in self.troubles() if one.late or one.kind == "checkpoint"]
        policies = self.policies()
        if not policies.same:
            title = N_("The quorum policy no longer names all witnesses")
            words = N_("Members changed since it was signed. Sign the one that today's members make.")
            items.append(Item("policy", "item.policy", title, "/oversight/policy", words=words))
        return tuple(items)

    # --- orders --------------------------------------------------------------------------------

    def rests_on(self, subject: str) -> Rests:
        """What a freeze or a revocation of a subject would stop; raises ``NotThere`` for what the log does not know."""
        book = self.book
        record, frozen = book.record, subject in book.record.revoked
        if subject.startswith("did:"):
            one = record.directory.participants.get(subject)
            if one is None:
                raise NotThere("Nobody with this DID ever joined.", remedy="Copy the DID from the participants.")
            rows = [self._row(digest, history) for digest, history in self.agreements()
                    if subject in (history.provider, history.consumer)]  # fmt: skip
            persons = tuple(each.name for each in record.directory.participants.values() if each.institution == subject)
            return Rests("party", subject, one.name, tuple(rows), persons=persons, frozen=frozen)
        histories = record.agreements.claimed(subject)
        if histories:
            rows = [self._row(subject, history) for history in histories]
            return Rests("agreement", subject, subject, tuple(rows), frozen=frozen)
        approvals = book.approvals.known(subject)
        if approvals or (subject.startswith("study-") and self._names_study(subject)):
            return Rests("study", subject, subject, approvals=approvals, frozen=frozen)
        raise NotThere(
            "The log knows no such agreement, study or party.",
            remedy="Copy an agreement's digest, a study's id or a participant's DID from a page. A study that was "
            "never approved is not in the log: freeze its agreements, or who asks.",
        )

    def _names_study(self, study: str) -> bool:
        """Whether an entry of the log (other than an order to freeze it), or the public register, names a study."""
        book = self.book
        told = (*book.about(study), *book.naming(study))
        return any(one.entry.kind != "freeze" for one in told) or any(one.study == study for one in self.register())

    def _row(self, digest: str, history: History) -> tuple[str, str, str, str]:
        name = self.book.name
        return digest, name(history.provider), name(history.consumer), history.standing.state

    def freeze(self, subject: str) -> int:
        """Freeze what the log knows; the index of the leaf."""
        self.rests_on(subject)
        return self._told(self._acts().freeze(subject))

    def revoke(self, did: str, reason: str) -> int:
        """End a participant's keys; the index of the leaf."""
        self.member(did)
        return self._told(self._acts().revoke(did, reason))

    def withdraw(self, product: str, reason: str) -> Product:
        """Order that a product goes."""
        found = self._acts().withdraw(product, reason)
        self._told(found.order)
        return found

    def policies(self) -> Policies:
        """The quorum policy in force, and the one to sign."""
        return policies_of(self.book.space, self.book.record)

    def sign_policy(self) -> int:
        """Sign the policy that today's members make; the index of the leaf. Raises ``NotThere`` if there is none."""
        found = self.policies()
        if found.same:
            raise NotThere("The policy in force is the one that today's members make.")
        parse_policy(found.proposed)
        return self._told(self._acts().sign_policy(found.proposed, found.in_force))

    def _acts(self) -> Regulating:
        from xinglin.witness.founding import open_witness_keys

        keys = open_witness_keys(self.seat.folder)
        return Regulating(self.book.space, keys, self.lines.open(self.seat.folder), self.book.clock)

    def _told(self, index: int) -> int:
        """Bring the leaf into the book, so that the next page shows it: it is there once a quorum has cosigned it."""
        self.book.covers(index)
        return index


def _item(one: Trouble) -> Item:
    path = f"/evidence/{segment(one.index)}" if one.index >= 0 else "/evidence/checkpoint"
    if one.kind == "checkpoint":
        words = N_("No quorum of witnesses attested the log for more than five minutes.")
        return Item("checkpoint", "item.health", N_("The newest checkpoint is old"), path, words, since=one.at)
    title = N_("A notice of breach was not answered in time")
    return Item(f"breach-{one.index}", "item.incident", title, path, one.subject, one.who, one.at,
                one.at + ANSWER_DAYS * DAY_MS)  # fmt: skip
