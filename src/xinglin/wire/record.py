"""The space's record: keys, policy and endings, folded leaf by leaf from a verified log.

Everybody who reads the log folds it the same way, so nobody has to take these from the hub.
A leaf that is malformed, badly signed or out of place has no effect and stays in the log for all to see.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from xinglin.contract.changes import open_change
from xinglin.contract.replay import AGREEMENT_KINDS, Standings
from xinglin.evidence.entry import Entry, decode_entry
from xinglin.evidence.policy import Policy, parse_policy
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied
from xinglin.trust.leaves import leaf_from_body
from xinglin.trust.registry import KeyDirectory, Participant
from xinglin.wire.endings import open_ending
from xinglin.wire.policy import next_policy
from xinglin.wire.space import Space

log = logging.getLogger("xinglin.wire.record")
KEY_KINDS = frozenset({"key-registration", "key-change", "key-revocation"})
RECORD_KINDS = KEY_KINDS | {"policy", "freeze"} | AGREEMENT_KINDS
"""Kinds of leaves that change a ``SpaceRecord``; of any other it counts nothing but its place."""


class SpaceRecord:
    """What the first ``size`` leaves say.

    ``directory``: keys and roles. ``policy``: the quorum policy in force, ``policy_text`` as it was signed.
    ``revoked``: DIDs, study ids and digests that a regulator ended, or keys that were revoked. ``ended`` maps the
    digest of an agreement to who said that it ends; whether they may is in the reader's copy of the agreement.
    ``agreements``: where each stands, replayed.
    """

    def __init__(self, space: Space) -> None:
        self.size = 0
        self.directory = KeyDirectory(space.operator, space.regulator)
        self.policy_text = space.policy
        self.policy: Policy = parse_policy(space.policy)
        self.revoked: frozenset[str] = frozenset()
        self._revoked_at: dict[str, int] = {}
        self.ended: dict[str, frozenset[str]] = {}
        self.agreements = Standings()
        self.on_member: list[Callable[[Participant], None]] = []
        self.on_entry: list[Callable[[int, Entry], None]] = []

    def take(self, data: bytes) -> None:
        """Fold the next leaf."""
        index = self.size
        self.size += 1
        try:
            entry = decode_entry(data)
            if entry.kind in KEY_KINDS:
                self._key(index, entry)
            elif entry.kind == "policy":
                self._policy(index, entry)
            elif entry.kind == "freeze":
                self._freeze(index, entry)
            elif entry.kind in AGREEMENT_KINDS:
                self._agreement(index, entry)
        except XinglinError as error:
            log.warning("leaf %d has no effect: %s", index, error.code)
            return
        for tell in self.on_entry:
            tell(index, entry)

    def skip(self, leaves: int) -> None:
        """Pass over so many leaves of kinds outside ``RECORD_KINDS``; nobody is told of them."""
        self.size += leaves

    def revoked_below(self, below: int | None) -> frozenset[str]:
        """``revoked`` as the leaves below that index make it; all of it for ``None``."""
        if below is None:
            return self.revoked
        return frozenset(subject for subject, at in self._revoked_at.items() if at < below)

    def _revoke(self, index: int, subject: str) -> None:
        self.revoked |= {subject}
        self._revoked_at.setdefault(subject, index)

    def _key(self, index: int, entry: Entry) -> None:
        leaf = leaf_from_body(entry.kind, entry.body)
        following = self.directory.apply(index, leaf)
        if isinstance(following, Denied):
            log.warning("leaf %d has no effect: %s", index, following.codes[0])
            return
        self.directory = following
        if entry.kind == "key-revocation":
            self._revoke(index, leaf.did)
        for tell in self.on_member:
            tell(following.participant(leaf.did))

    def _policy(self, index: int, entry: Entry) -> None:
        following = next_policy(self.policy_text, entry.body, self.directory, index)
        if following is not None:
            self.policy, self.policy_text = following, str(entry.body["text"])

    def _freeze(self, index: int, entry: Entry) -> None:
        leaf, by_regulator = open_ending(entry, self.directory, index)
        if by_regulator:
            self._revoke(index, leaf.subject)

    def _agreement(self, index: int, entry: Entry) -> None:
        if entry.kind == "agreement-end":
            change, by = open_change(entry, self.directory, index)
            if "regulator" in self.directory.roles(by, index):
                self._revoke(index, change.agreement)
            else:
                self.ended[change.agreement] = self.ended.get(change.agreement, frozenset()) | {by}
        self.agreements.take(index, entry, self.directory)
