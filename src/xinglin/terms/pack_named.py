"""Disclosure packs by name: how policies name them, and how a plan carries the strictest of those that hold.

A *part* is a pack by its name and the digest of all that it says. A plan *names* the parts and carries what they come
to, setting by setting, with who states it; what the settings mean is the privacy room's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.terms.policy import Constraint, Logical, Permission, Policy
from xinglin.terms.vocabulary import includes

OPERAND = "disclosurePack"
PARTS = Limit("disclosure packs of a plan", 64, "packs")
SETTINGS_BYTES = Limit("settings of a plan's disclosure packs", 32 * 1024, "bytes")

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_ASKED = frozenset({"eq", "isAnyOf", "isAllOf", "hasPart"})
_ALL_OF = frozenset({"eq", "isAllOf", "hasPart"})


class PackPart(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A pack by ``name`` and the ``digest`` of what it says."""

    name: str
    digest: str


class NamedPacks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The strictest of ``parts`` (sorted, each once), as a plan carries it. Version 1; append-only.

    ``settings``: plain JSON values of every setting that is not the loosest. ``stated``: by setting, the names of the
    parts that state it as it is here.
    """

    parts: tuple[PackPart, ...]
    settings: dict[str, Any]
    stated: dict[str, tuple[str, ...]] = {}
    version: int = 1

    @property
    def name(self) -> str:
        """The names of all parts, joined."""
        return "+".join(sorted({part.name for part in self.parts}))

    @property
    def reviewers(self) -> int:
        """How many people look at each output; 0 where nobody is asked for."""
        asked = self.settings.get("reviewers", 0)
        return asked if type(asked) is int else 0


def check_named(named: NamedPacks) -> list[Reason]:
    """Why the packs of a plan are not well formed in themselves."""
    parts, names = list(named.parts), {part.name for part in named.parts}
    reasons = []
    if named.version != 1:
        reasons.append(_no(f"Version {named.version} of named packs is not known here.", "Upgrade."))
    if not 1 <= len(parts) <= PARTS.value or parts != sorted(set(parts)):
        reasons.append(_no("A plan names 1 to 64 packs, sorted, each once.", "Name those of the hospitals."))
    if not all(_NAME.match(part.name) and _DIGEST.match(part.digest) for part in parts):
        reasons.append(_no("A pack is named by its name and its sha256 digest.", "Name both."))
    if any(list(who) != sorted(set(who)) or not who or not set(who) <= names for who in named.stated.values()):
        reasons.append(_no("A setting is stated by packs of the plan.", "Make the strictest of them again."))
    try:
        if len(canonical_bytes(named.settings)) > SETTINGS_BYTES.value:
            reasons.append(_no("The settings of the packs are too large.", "Name fewer packs."))
    except (XinglinError, TypeError):
        reasons.append(_no("The settings of the packs are not plain JSON.", "Make the strictest of them again."))
    return reasons


def packs_asked(policy: Policy, operation: str) -> tuple[str, ...]:
    """Every pack (name or digest) that a policy mentions for an operation: who keeps them all, keeps each one's say."""
    found = [value for rule in _rules(policy, operation) for value in _values(rule.constraints, _ASKED, every=True)]
    return tuple(sorted(set(found)))


def packs_required(policy: Policy, operation: str) -> tuple[str, ...]:
    """The packs without which no permission of a policy for the operation holds.

    Alternatives (``any``, or one of several) are left to the policy's own judgement.
    """
    each = [set(_values(rule.constraints, _ALL_OF, every=False)) for rule in _rules(policy, operation)]
    return tuple(sorted(set.intersection(*each))) if each else ()


def _rules(policy: Policy, operation: str) -> list[Permission]:
    return [rule for rule in policy.permissions if includes(rule.action, operation)]


def _values(parts: Iterable[Constraint | Logical], operators: frozenset[str], *, every: bool) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Logical):
            if every or part.operator in ("all", "sequence"):
                yield from _values(part.parts, operators, every=every)
        elif part.operand == OPERAND and part.operator in operators:
            yield from (part.value,) if isinstance(part.value, str) else part.value


def _no(words: str, remedy: str) -> Reason:
    return Reason("terms.pack_malformed", words, remedy)
