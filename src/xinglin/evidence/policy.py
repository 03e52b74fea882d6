"""Policies (C2SP tlog-policy): which logs and witnesses are known, and which of their words suffice: the quorum."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from xinglin.evidence.checkpoint import Checkpoint, parse_checkpoint
from xinglin.evidence.cosignature import check_cosignature, check_signature
from xinglin.evidence.errors import MalformedPolicy, QuorumMissed, UnknownLog
from xinglin.evidence.notes import (
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    parse_note,
    parse_vkey,
    verify_note,
)
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Verdict, deny

POLICY_BYTES = Limit("policy size", 1024 * 1024, "bytes")
POLICY_LINES = Limit("policy definitions of one sort", 256, "lines")
NO_QUORUM = "none"
INSTITUTIONS_FOR_FORK_PROTECTION = 4

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


class LogKey(msgspec.Struct, frozen=True):
    """A log: the key whose name is its origin, and perhaps where it answers."""

    key: VerifierKey
    url: str = ""


class Witness(msgspec.Struct, frozen=True):
    """One cosigning key under its ``name`` in this policy, and perhaps where it answers."""

    name: str
    key: VerifierKey
    url: str = ""


class Group(msgspec.Struct, frozen=True):
    """Satisfied when at least ``threshold`` of its ``members`` (names of witnesses and groups) are."""

    name: str
    threshold: int
    members: tuple[str, ...]


class Policy(msgspec.Struct, frozen=True):
    """Logs, witnesses, groups in order of definition, and the name of the ``quorum`` (``none``: no witness needed).

    ``MalformedPolicy`` when a name is unknown or used twice, a key stands twice, a threshold cannot be met, or a name
    is a member of two groups (each witness counts in one way only).
    """

    logs: tuple[LogKey, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def __post_init__(self) -> None:
        for rows in (self.logs, self.witnesses, self.groups):
            POLICY_LINES.check(len(rows))
        _check_keys(self)
        _check_names(self)

    def reaches_quorum(self, witnesses: Iterable[str]) -> bool:
        """Whether cosignatures of these witnesses (by their names here) suffice."""
        reached = set(witnesses)
        for group in self.groups:
            if sum(member in reached for member in group.members) >= group.threshold:
                reached.add(group.name)
        return self.quorum == NO_QUORUM or self.quorum in reached

    def satisfied(self, note: Note) -> Verdict:
        """Whether ``note`` is a checkpoint that this policy accepts: ``verify_checkpoint`` as a verdict."""
        try:
            verify_checkpoint(self, note)
        except XinglinError as error:
            return deny(error.code, error.what, error.remedy)
        return Allowed()

    @property
    def institutions(self) -> int:
        """How many seats the quorum counts: witnesses, each group of one institution's keys (``a`` of ``a.…``) once."""
        return sum(1 for _ in _seats(self, self.quorum))

    @property
    def fork_protection(self) -> bool:
        """Whether two conflicting checkpoints can reach the quorum only if more than ⌊(n−1)/3⌋ of n ≥ 4 sign both."""
        count = self.institutions
        return count >= INSTITUTIONS_FOR_FORK_PROTECTION and _overlap(self, self.quorum) > (count - 1) // 3

    def to_text(self) -> str:
        """The policy file; ``parse_policy`` gives this policy back."""
        lines = [f"log {log.key.to_text()} {log.url}".rstrip() for log in self.logs]
        lines += [f"witness {each.name} {each.key.to_text()} {each.url}".rstrip() for each in self.witnesses]
        lines += [f"group {each.name} {each.threshold} {' '.join(each.members)}" for each in self.groups]
        return "\n".join([*lines, f"quorum {self.quorum}", ""])


class VerifiedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint that a policy accepted: who signed as ``log``, and when (POSIX s) each witness cosigned.

    ``attested_at_s`` is the latest time by which a whole quorum had cosigned it; 0 without a quorum.
    """

    checkpoint: Checkpoint
    log: VerifierKey
    cosigned_at_s: dict[str, int]
    attested_at_s: int
    fork_protection: bool


class Cosigner(msgspec.Struct, frozen=True):
    """One institution's witness: a ``name``, one or more cosigning keys that must all sign, perhaps a URL."""

    name: str
    keys: tuple[VerifierKey, ...]
    url: str = ""


def parse_policy(data: str | bytes) -> Policy:
    """The policy that a policy file spells; ``MalformedPolicy``, ``MalformedKey`` or ``LimitExceeded`` otherwise."""
    POLICY_BYTES.check(len(data))
    # Names are opaque octets (C2SP tlog-policy, Character set): unknown bytes survive as surrogates.
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    if _FORBIDDEN.search(text):
        raise MalformedPolicy("A policy holds no control characters other than tab and newline.")
    rows: dict[str, list[list[str]]] = {"log": [], "witness": [], "group": [], "quorum": []}
    known = {NO_QUORUM}
    for line in text.split("\n"):
        words = [word for word in re.split("[ \t]+", line) if word]
        if not words or words[0].startswith("#"):
            continue
        if words[0] not in rows:
            raise MalformedPolicy("A policy line starts with log, witness, group or quorum.")
        _check_order(words, known)
        rows[words[0]].append(words[1:])
    if len(rows["quorum"]) != 1 or len(rows["quorum"][0]) != 1:
        raise MalformedPolicy("A policy has exactly one quorum line with one name.")
    return Policy(
        tuple(LogKey(parse_vkey(row[0]), *row[1:]) for row in _sized(rows["log"], 1, 2)),
        tuple(Witness(row[0], parse_vkey(row[1]), *row[2:]) for row in _sized(rows["witness"], 2, 3)),
        tuple(_parse_group(row) for row in _sized(rows["group"], 3, 2 * POLICY_LINES.value + 2)),
        rows["quorum"][0][0],
    )


def verify_checkpoint(policy: Policy, note: Note | str | bytes) -> VerifiedCheckpoint:
    """The checkpoint in ``note``, accepted by ``policy``; raises a named error otherwise.

    1. The text is a checkpoint (``MalformedCheckpoint``).
    2. Every signature of a known key verifies; unknown keys are ignored (``BadSignature``).
    3. A log of the policy signed it under its own origin (``UnknownLog``).
    4. The witnesses that cosigned reach the quorum (``QuorumMissed``).
    """
    signed = note if isinstance(note, Note) else parse_note(note)
    checkpoint = parse_checkpoint(signed.text)  # 1
    logs = [log.key for log in policy.logs if log.key.name == checkpoint.origin]
    if not logs:
        raise UnknownLog(f"No log named {checkpoint.origin!r} is known.", remedy="Ask for the policy of that log.")
    names = {witness.key: witness.name for witness in policy.witnesses}
    times: dict[str, int] = {}

    def check(key: VerifierKey, whole: Note, signature: NoteSignature) -> None:
        if key in names:
            parts = check_cosignature(key, whole, signature, checkpoint)
            times[names[key]] = max(times.get(names[key], 0), parts.time_s)
        else:
            check_signature(key, whole, signature)

    signers = verify_note(signed, (*logs, *names), check)  # 2
    log = next((key for key in signers if key in logs), None)
    if log is None:  # 3
        raise UnknownLog(f"The log {checkpoint.origin!r} did not sign this checkpoint.")
    if not policy.reaches_quorum(times):  # 4
        raise QuorumMissed(
            f"The witnesses {', '.join(sorted(times)) or '(none)'} do not reach the quorum {policy.quorum!r}.",
            remedy="Wait for more cosignatures, or ask for a newer checkpoint.",
        )
    return VerifiedCheckpoint(checkpoint, log, times, _attested_at_s(policy, times), policy.fork_protection)


def default_policy(log: LogKey, regulators: Sequence[Cosigner], institutions: Sequence[Cosigner]) -> Policy:
    """The space's own quorum: ⌈(n+f+1)/2⌉ of n institutions, f = ⌊(n−1)/3⌋ of them assumed faulty.

    n counts the regulator's seat and the ``institutions``; the operator (whose key is the ``log``'s) is refused
    among them. The first of ``regulators`` or one of its named standbys is mandatory. Regulator and standby are one
    seat: a standby cosigns only after it has taken over the regulator's witness memory, else the pair could vouch for
    two histories. Guarantee: two conflicting checkpoints need more than f institutions that sign both.
    """
    seats = [*regulators, *institutions]
    if not regulators:
        raise MalformedPolicy("The regulator is mandatory in a quorum.", remedy="Name a regulator.")
    if any(not seat.keys for seat in seats):
        raise MalformedPolicy("Every institution names at least one cosigning key.")
    if any(key.public == log.key.public for seat in seats for key in seat.keys):
        raise MalformedPolicy("The operator is no witness of its own log.")
    count = 1 + len(institutions)
    faulty = (count - 1) // 3
    needed = (count + faulty + 2) // 2
    witnesses: list[Witness] = []
    groups: list[Group] = []
    regulator = _seat(regulators[0], "", witnesses, groups)
    if len(regulators) > 1:
        witnesses.clear()
        groups.clear()
        members = tuple(_seat(each, "regulator.", witnesses, groups) for each in regulators)
        regulator = "regulator"
        groups.append(Group(regulator, 1, members))
    members = tuple(_seat(each, "", witnesses, groups) for each in institutions)
    if not members:
        return Policy((log,), tuple(witnesses), tuple(groups), regulator)
    groups.append(Group("institutions", needed - 1, members))
    groups.append(Group("quorum", 2, (regulator, "institutions")))
    return Policy((log,), tuple(witnesses), tuple(groups), "quorum")


def _seat(cosigner: Cosigner, prefix: str, witnesses: list[Witness], groups: list[Group]) -> str:
    """Define the witnesses (and, for several keys, the group) of one institution; give its name."""
    name = prefix + cosigner.name
    if len(cosigner.keys) == 1:
        witnesses.append(Witness(name, cosigner.keys[0], cosigner.url))
        return name
    members = tuple(f"{name}.{number}" for number in range(1, len(cosigner.keys) + 1))
    witnesses.extend(Witness(member, key, cosigner.url) for member, key in zip(members, cosigner.keys, strict=True))
    groups.append(Group(name, len(members), members))
    return name


def _attested_at_s(policy: Policy, times: dict[str, int]) -> int:
    for time_s in sorted(set(times.values()), reverse=True):
        if policy.reaches_quorum(name for name, each in times.items() if each >= time_s):
            return 0 if policy.quorum == NO_QUORUM else time_s
    return 0


def _group_of(policy: Policy, name: str) -> Group | None:
    return next((group for group in policy.groups if group.name == name), None)


def _is_seat(policy: Policy, name: str) -> bool:
    group = _group_of(policy, name)
    return group is None or all(member.startswith(f"{name}.") for member in group.members)


def _seats(policy: Policy, name: str) -> Iterator[str]:
    group = _group_of(policy, name)
    if name == NO_QUORUM:
        return
    if group is None or _is_seat(policy, name):
        yield name
        return
    for member in group.members:
        yield from _seats(policy, member)


def _overlap(policy: Policy, name: str) -> int:
    """The fewest seats that any two sets reaching ``name`` have in common (exact: groups form a tree)."""
    group = _group_of(policy, name)
    if group is None or _is_seat(policy, name):
        return 1
    shared = max(0, 2 * group.threshold - len(group.members))
    return sum(sorted(_overlap(policy, member) for member in group.members)[:shared])


def _check_keys(policy: Policy) -> None:
    for keys in ([log.key for log in policy.logs], [witness.key for witness in policy.witnesses]):
        if len({key.public for key in keys}) != len(keys):
            raise MalformedPolicy("A policy names the same public key twice.")
    if any(witness.key.kind == ED25519 for witness in policy.witnesses):
        raise MalformedPolicy("A witness's key is of a cosignature type (0x04 or 0x06).")
    urls = [log.url for log in policy.logs] + [witness.url for witness in policy.witnesses]
    if any(re.search(r"[\s\x00-\x20]", url) for url in urls):
        raise MalformedPolicy("A URL holds no spaces.")


def _check_names(policy: Policy) -> None:
    defined: set[str] = set()
    members: set[str] = set()
    names = [witness.name for witness in policy.witnesses] + [group.name for group in policy.groups]
    for name in names:
        if not name or name == NO_QUORUM or re.search(r"[\x00-\x20\x7f]", name) or name in defined:
            raise MalformedPolicy(f"The name {name!r} is defined twice or is not a name.")
        defined.add(name)
    defined = {witness.name for witness in policy.witnesses}
    for group in policy.groups:
        if not 1 <= group.threshold <= len(group.members):
            raise MalformedPolicy(f"The group {group.name!r} cannot ask for {group.threshold} of its members.")
        for member in group.members:
            if member not in defined or member in members:
                raise MalformedPolicy(f"{member!r} is not defined before {group.name!r}, or is a member twice.")
            members.add(member)
        defined.add(group.name)
    if policy.quorum != NO_QUORUM and policy.quorum not in defined:
        raise MalformedPolicy(f"The quorum {policy.quorum!r} is not defined.")


def _check_order(words: list[str], known: set[str]) -> None:
    """Groups and the quorum name only what lines above them define."""
    named = words[3:] if words[0] == "group" else words[1:2] if words[0] == "quorum" else []
    if any(name not in known for name in named):
        raise MalformedPolicy(f"A {words[0]} line names what no line above it defines.")
    if words[0] in ("witness", "group") and len(words) > 1:
        known.add(words[1])


def _sized(rows: list[list[str]], least: int, most: int) -> list[list[str]]:
    if any(not least <= len(row) <= most for row in rows):
        raise MalformedPolicy("A policy line has too few or too many words.")
    return rows


def _parse_group(row: list[str]) -> Group:
    name, threshold, *members = row
    if threshold in ("any", "all"):
        return Group(name, 1 if threshold == "any" else len(members), tuple(members))
    if not _NUMBER.fullmatch(threshold):
        raise MalformedPolicy("A group's threshold is any, all or a number.")
    return Group(name, int(threshold), tuple(members))
