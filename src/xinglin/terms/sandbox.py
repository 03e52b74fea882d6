"""Regulatory sandbox (监管沙盒): named pilots with participants, limits, a supervisor, an end, and a report.

A pilot adds limits of its own to a use. What it may relax is a closed list (points of control lists that their pack
calls relaxable, hours, places and networks of fences), signed by a supervisor who is a regulator of the space, until
a date. The constitution's table of requirements, laws, purposes, consent and approvals are never on that list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import msgspec

from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant, to_text
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.errors import TermsError
from xinglin.terms.grades import OPERATIONS, REQUIREMENTS
from xinglin.terms.law.loading import PACKS, load_pack
from xinglin.terms.purposes import check_purpose, covers
from xinglin.terms.request import is_did, is_name
from xinglin.terms.vocabulary import nearest
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

PILOT = "pilot/1"
"""Signing context of a pilot."""

PARTICIPANTS = Limit("participants of a pilot", 64, "participants")
RELAXATIONS = Limit("relaxations of a pilot", 32, "relaxations")
PILOT_DAYS = Limit("length of a pilot", 731, "days")
USES = Limit("uses of a pilot", 100_000, "uses")
PERSONS = Limit("persons of a pilot", 100_000_000, "persons")

FENCES_RELAXABLE = ("terms.fence_hours", "terms.fence_network", "terms.fence_place")
"""Reasons of fences that a supervisor may sign away; environments and passages are not among them."""

SUPERVISING_ROLE = "regulator"
_DAY_MS = 86_400_000


class PilotError(TermsError):
    """A pilot that cannot be taken: not signed by its supervisor, or not as pilots may be."""

    code = "terms.pilot"


class Relaxation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``reason``: the code that no longer stands in the way until before ``until``; ``instead``: what protects."""

    reason: str
    why: str
    instead: str
    until: Instant


class Pilot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pilot from ``begins`` until before ``ends``. Version 1; append-only. Lists are sorted, each once.

    ``uses`` and ``persons``: in all, of every participant together. ``supervisor``: the DID of a regulator.
    """

    name: str
    title: str
    participants: tuple[str, ...]
    supervisor: str
    purposes: tuple[str, ...]
    operations: tuple[str, ...]
    data_sets: tuple[str, ...]
    uses: int
    persons: int
    begins: Instant
    ends: Instant
    relaxations: tuple[Relaxation, ...] = ()
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


class PilotUse(msgspec.Struct, frozen=True, kw_only=True):
    """A use as the node sees it. ``uses`` and ``persons``: of the pilot so far, this use included; -1 is not known."""

    at: Instant
    participant: str
    purposes: tuple[str, ...]
    operation: str
    data_set: str
    uses: int = -1
    persons: int = -1


@cache
def relaxable() -> frozenset[str]:
    """Every code that a supervisor may sign away; no requirement of the constitution is among them."""
    points = (rule for name in PACKS for rule in load_pack(name).rules if rule.relaxable)
    codes = [f"terms.{kind}.{rule.key}" for rule in points for kind in ("law", "law_unanswered")]
    return frozenset((*codes, *FENCES_RELAXABLE))


def check_pilot(pilot: Pilot) -> Verdict:
    """Whether a pilot may be written, with every reason why not."""
    reasons = list(dict.fromkeys(_faults(pilot)))
    return Denied(tuple(reasons)) if reasons else Allowed()


def sign_pilot(private: PrivateKeys, pilot: Pilot) -> Signed:
    """The supervisor's envelope; raises ``PilotError`` for another signer or a pilot that may not be."""
    _takable(pilot)
    if private.did != pilot.supervisor:
        raise PilotError("A pilot is signed by its supervisor.", remedy="Let the supervisor sign it.")
    return sign(private, PILOT, pilot, pq=True)


def open_pilot(signed: Signed, directory: Directory, *, at: int | None = None) -> Pilot:
    """The pilot that its supervisor signed, a regulator of the space (after log index ``at``).

    Raises ``PilotError``, and what ``open_signed`` raises.
    """
    payload = open_signed(signed, PILOT, directory, at=at, need_pq=True)
    pilot = decode_json(payload, Pilot)
    if canonical_bytes(pilot) != payload:
        raise PilotError("The pilot is not written in its canonical form.", remedy="Sign the canonical bytes.")
    if signed.signer != pilot.supervisor:
        raise PilotError("The signer is not the pilot's supervisor.", remedy="Let the supervisor sign it.")
    if SUPERVISING_ROLE not in directory.roles(signed.signer, at):
        raise PilotError("The supervisor is no regulator of this space.", remedy="Let a regulator supervise it.")
    _takable(pilot)
    return pilot


def pilot_reasons(pilot: Pilot, use: PilotUse) -> tuple[Reason, ...]:
    """Every reason why a use is not one of the pilot's; none where it is."""
    checked = check_pilot(pilot)
    reasons = [*checked.reasons] if isinstance(checked, Denied) else []
    if use.at < pilot.begins:
        reasons.append(_no("not_begun", f"The pilot begins at {to_text(pilot.begins)}.", "Wait until then."))
    if use.at >= pilot.ends:
        reasons.append(_no("ended", f"The pilot ended at {to_text(pilot.ends)}.", "Use an ordinary agreement."))
    if use.participant not in pilot.participants:
        reasons.append(_no("participant", "The participant is not one of the pilot's.", "Have the pilot amended."))
    for purpose in use.purposes or ("",):
        if not covers(pilot.purposes, purpose):
            words = f"'{purpose[:60]}' is none of the pilot's purposes."
            reasons.append(_no("purpose", words, f"The pilot is for: {', '.join(pilot.purposes)}."))
    if use.operation not in pilot.operations:
        words = f"'{use.operation[:40]}' is none of the pilot's operations."
        reasons.append(_no("operation", words, f"The pilot is for: {', '.join(pilot.operations)}."))
    if use.data_set not in pilot.data_sets:
        reasons.append(_no("data_set", "The data set is none of the pilot's.", "Have the pilot amended."))
    reasons += _counted("uses", use.uses, pilot.uses)
    reasons += _counted("persons", use.persons, pilot.persons)
    return tuple(reasons)


def relax(pilot: Pilot, use: PilotUse, reasons: Iterable[Reason]) -> tuple[tuple[Reason, ...], tuple[str, ...]]:
    """The reasons that still stand, and the codes that were relaxed; a use outside the pilot is relaxed in nothing.

    Hand in a pilot that ``open_pilot`` opened. The reasons of the pilot itself are added to those that stand.
    """
    own = pilot_reasons(pilot, use)
    given = tuple(reasons)
    if own:
        return (*given, *own), ()
    signed = {one.reason for one in pilot.relaxations if use.at < one.until} & relaxable()
    kept = tuple(one for one in given if one.code not in signed)
    return kept, tuple(sorted({one.code for one in given if one.code in signed}))


class PilotEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a node's evidence holds of one use of a pilot; only codes and counts, never a row.

    ``kind``: of the entry (``decision``, ``refused``, ``release-authorised`` …). ``index``: its place in the log.
    """

    index: int
    kind: str
    at: Instant
    participant: str
    codes: tuple[str, ...] = ()
    relaxed: tuple[str, ...] = ()


class PilotReport(msgspec.Struct, frozen=True):
    """What a pilot came to, by counts; ``final`` from its end on. ``first`` and ``last``: of the log entries counted.

    ``beyond``: limits that were passed, in words; ``outside``: entries before its begin, after its end or of others.
    """

    pilot: str
    name: str
    made: Instant
    final: bool
    entries: dict[str, int]
    refusals: dict[str, int]
    relaxed: dict[str, int]
    by_participant: dict[str, int]
    persons: int
    first: int
    last: int
    beyond: tuple[str, ...]
    outside: int
    unused: tuple[str, ...]


def pilot_report(pilot: Pilot, events: Iterable[PilotEvent], *, persons: int, at: Instant) -> PilotReport:
    """The report from evidence: each log entry counts once, in whatever order they come.

    ``persons``: distinct persons over the pilot, as the nodes' persons' counters say. ``unused``: relaxations nobody
    needed. Entries outside the pilot are counted as that, and nowhere else.
    """
    found = {one.index: one for one in events}
    within = [one for _, one in sorted(found.items()) if _of(pilot, one)]
    kinds = Counter(one.kind for one in within)
    relaxed = Counter(code for one in within for code in one.relaxed)
    uses = kinds["release-authorised"]
    beyond = [f"{uses} uses of {pilot.uses}"] if uses > pilot.uses else []
    beyond += [f"{persons} persons of {pilot.persons}"] if persons > pilot.persons else []
    return PilotReport(
        pilot=pilot.digest(),
        name=pilot.name,
        made=at,
        final=at >= pilot.ends,
        entries=_sorted(kinds),
        refusals=_sorted(Counter(code for one in within if one.kind == "refused" for code in one.codes)),
        relaxed=_sorted(relaxed),
        by_participant=_sorted(Counter(one.participant for one in within if one.kind == "release-authorised")),
        persons=persons,
        first=within[0].index if within else -1,
        last=within[-1].index if within else -1,
        beyond=tuple(beyond),
        outside=len(found) - len(within),
        unused=tuple(one.reason for one in pilot.relaxations if one.reason not in relaxed),
    )


def _of(pilot: Pilot, event: PilotEvent) -> bool:
    return pilot.begins <= event.at < pilot.ends and event.participant in pilot.participants


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _counted(what: str, used: int, allowed: int) -> list[Reason]:
    if used < 0:
        return [_no(what, f"The pilot's {what} so far are not known.", "Count them from the evidence.")]
    if used > allowed:
        return [_no(what, f"This would be {used} {what}; the pilot has {allowed}.", "Have the pilot amended.")]
    return []


def _takable(pilot: Pilot) -> None:
    checked = check_pilot(pilot)
    if isinstance(checked, Denied):
        first = checked.reasons[0]
        raise PilotError(first.words, why="; ".join(one.words for one in checked.reasons[1:]), remedy=first.remedy)


def _faults(pilot: Pilot) -> Iterator[Reason]:
    if pilot.version != 1:
        yield _bad(f"Version {pilot.version} of a pilot is not known here.", "Upgrade.")
    if not is_name(pilot.name) or not pilot.title.strip():
        yield _bad("A pilot has a plain name and a title.", "Write both.")
    members = list(pilot.participants)
    if not 1 <= len(members) <= PARTICIPANTS.value or members != sorted(set(members)) or not all(map(is_did, members)):
        yield _bad(f"A pilot has 1 to {PARTICIPANTS.value} participants: DIDs, sorted, each once.", "List them.")
    if not is_did(pilot.supervisor) or pilot.supervisor in members:
        yield _bad("A pilot has a supervisor who takes no part in it.", "Name a regulator's DID.")
    if not pilot.purposes or not all(check_purpose(one) for one in pilot.purposes):
        yield _bad("A pilot has purposes, all known and none prohibited.", "Name them.")
    if not pilot.operations or any(one not in OPERATIONS for one in pilot.operations):
        yield _bad("A pilot has operations, all known.", f"Use some of {', '.join(OPERATIONS)}.")
    if not pilot.data_sets or not all(map(is_name, pilot.data_sets)):
        yield _bad("A pilot names its data sets.", "List their plain names.")
    if not 1 <= pilot.uses <= USES.value or not 1 <= pilot.persons <= PERSONS.value:
        yield _bad(f"A pilot has 1 to {USES.value} uses and 1 to {PERSONS.value} persons.", "Set its limits.")
    if not 0 <= pilot.begins < pilot.ends or pilot.ends - pilot.begins > PILOT_DAYS.value * _DAY_MS:
        yield _bad(f"A pilot ends after it begins, within {PILOT_DAYS.value} days.", "Set its dates.")
    if len(pilot.relaxations) > RELAXATIONS.value:
        yield _bad(f"A pilot has at most {RELAXATIONS.value} relaxations.", "Leave some out.")
    for one in pilot.relaxations:
        yield from _relaxation(pilot, one)


def _relaxation(pilot: Pilot, one: Relaxation) -> Iterator[Reason]:
    code = one.reason[:120].encode("ascii", "replace").decode()
    if one.reason.rpartition(".")[2] in REQUIREMENTS:
        words = f"'{code}' is a requirement of the constitution's table, which nobody relaxes."
        yield Reason("terms.pilot_constitution", words, "Meet it.")
    elif one.reason not in relaxable():
        like = nearest_code(one.reason)
        meant = f"Did you mean '{like}'?" if like else "See 'relaxable' points of the packs, and hours of fences."
        yield Reason("terms.pilot_not_relaxable", f"'{code}' cannot be relaxed.", meant)
    if not one.why.strip() or not one.instead.strip():
        yield _bad("A relaxation says why, and what protects instead.", "Write both.")
    if not pilot.begins < one.until <= pilot.ends:
        yield _bad("A relaxation ends within the pilot.", "Set its date.")


def nearest_code(code: str) -> str:
    """The relaxable code most like ``code``, or ``""``."""
    last = {one.rpartition(".")[2]: one for one in sorted(relaxable(), reverse=True)}
    return last.get(nearest(code.rpartition(".")[2], last), "")


def _no(slug: str, words: str, remedy: str) -> Reason:
    return Reason(f"terms.pilot_{slug}", words, remedy)


def _bad(words: str, remedy: str) -> Reason:
    return Reason("terms.pilot_malformed", words, remedy)
