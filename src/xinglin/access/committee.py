"""Ethics committees: a charter that the regulator signs, and who may not vote on what.

A charter names members of several institutions, the chairs among them, the quorum and the majority. Majorities are
counted against every member who may vote, not against those who did: leaving a vote out never helps anybody.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinglin.access.errors import NotThisCharter
from xinglin.access.ports import Registry, institution_of
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.request import is_did, is_digest, is_name
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys

COMMITTEE = "committee/1"
"""Signing context of a charter."""
COMMITTEE_MEMBERS = Limit("members of a committee", 64, "persons")
FEWEST_MEMBERS = 3
MAJORITIES = ("half", "two-thirds")
"""More than half, or at least two thirds, of the members who may vote on the motion."""
NAME_CHARACTERS = Limit("name of a committee", 200, "characters")


class Charter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``id``: plain name that stays over versions. ``members``, ``chairs`` (among them): DIDs, sorted.

    ``quorum``: ballots that a resolution needs. ``replaces``: digest of the charter before this, or empty.
    """

    id: str
    name: str
    members: tuple[str, ...]
    chairs: tuple[str, ...]
    quorum: int
    majority: str
    made: Instant
    replaces: str = ""
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: the charter's name in motions."""
        return canonical_digest(self)

    def needed(self, may_vote: int) -> int:
        """Approving votes that are needed where ``may_vote`` members may vote.

        >>> Charter("c", "C", (), (), 3, "half", 0).needed(4), Charter("c", "C", (), (), 3, "two-thirds", 0).needed(4)
        (3, 3)
        """
        return may_vote // 2 + 1 if self.majority == "half" else -(-2 * may_vote // 3)


def check_charter(charter: Charter) -> Verdict:
    """Whether a charter can work, with every reason why not."""
    reasons = []
    members, chairs = charter.members, charter.chairs
    if charter.version != 1:
        reasons.append(_reason(f"Version {charter.version} of a charter is not known here.", "Upgrade."))
    if not is_name(charter.id):
        reasons.append(_reason("The committee has no valid id.", "Use letters, digits, . _ : and -."))
    if not charter.name.strip() or not charter.name.isprintable() or len(charter.name) > NAME_CHARACTERS.value:
        reasons.append(_reason("A committee has a printable name.", "Name it."))
    if not FEWEST_MEMBERS <= len(members) <= COMMITTEE_MEMBERS.value:
        most = COMMITTEE_MEMBERS.value
        reasons.append(_reason(f"A committee has {FEWEST_MEMBERS} to {most} members.", "Appoint them."))
    if tuple(sorted(set(members))) != members or not all(map(is_did, members)):
        reasons.append(_reason("Members are DIDs, sorted, each once.", "Look them up."))
    if not chairs or tuple(sorted(set(chairs))) != chairs or not set(chairs) <= set(members):
        reasons.append(_reason("Chairs are some of the members, sorted.", "Name a chair and a deputy."))
    if charter.majority not in MAJORITIES:
        reasons.append(_reason("The majority is not known.", f"Use one of {', '.join(MAJORITIES)}."))
    if not FEWEST_MEMBERS <= charter.quorum <= len(members):
        reasons.append(_reason("The quorum is 3 to all of the members.", "State it."))
    if charter.replaces and not is_digest(charter.replaces):
        reasons.append(_reason("A charter is replaced by naming its digest.", "Name the digest, or nothing."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def check_seats(charter: Charter, registry: Registry, at: int | None = None) -> Verdict:
    """Whether the members are registered and of at least two institutions."""
    strangers = [did for did in charter.members if registry.status(did, at) != "active"]
    if strangers:
        return Denied((_reason(f"{len(strangers)} members are not registered.", "Have them join the space."),))
    if len({institution_of(registry, did, at) for did in charter.members}) < 2:
        return Denied((_reason("All members are of one institution.", "Appoint members of several institutions."),))
    return Allowed()


def sign_charter(regulator: PrivateKeys, charter: Charter) -> Signed:
    """The regulator's envelope; raises ``NotThisCharter`` for one that cannot work."""
    _workable(charter)
    return sign(regulator, COMMITTEE, charter, pq=True)


def open_charter(signed: Signed, registry: Registry, *, at: int | None = None) -> Charter:
    """The charter, signed by a regulator; raises what ``open_signed`` raises, and ``NotThisCharter``."""
    payload = open_signed(signed, COMMITTEE, registry, at=at, need_pq=True)
    charter = decode_json(payload, Charter)
    if canonical_bytes(charter) != payload:
        raise NotThisCharter("The charter is not written in its canonical form.")
    _workable(charter)
    if "regulator" not in registry.roles(signed.signer, at):
        raise NotThisCharter("Only a regulator charters a committee.")
    seats = check_seats(charter, registry, at)
    if isinstance(seats, Denied):
        raise NotThisCharter("The committee cannot work.", why=seats.reasons[0].words, remedy=seats.reasons[0].remedy)
    return charter


def conflict(
    member: str, institution: str, named: Iterable[str], registry: Registry, at: int | None = None
) -> Reason | None:
    """Why a member may not vote on a study of ``institution`` with these ``named`` persons; None where they may.

    A member of the applicant's institution, of a named person's, or named themselves.
    """
    persons = set(named)
    if member in persons:
        return Reason("access.conflict_named", "You are named in this study.", "Leave it to the other members.")
    involved = {institution} | {institution_of(registry, did, at) for did in persons if _known(registry, did, at)}
    if member in involved or institution_of(registry, member, at) in involved:
        words = "Your institution takes part in this study."
        return Reason("access.conflict_institution", words, "Leave it to members of other institutions.")
    return None


def _known(registry: Registry, did: str, at: int | None) -> bool:
    return registry.status(did, at) != "unknown"


def _reason(words: str, remedy: str) -> Reason:
    return Reason("access.bad_charter", words, remedy)


def _workable(charter: Charter) -> None:
    verdict = check_charter(charter)
    if isinstance(verdict, Denied):
        raise NotThisCharter("The charter cannot work.", why=" ".join(reason.words for reason in verdict.reasons))
