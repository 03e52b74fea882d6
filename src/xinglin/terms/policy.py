"""Policies: a closed set of typed permissions, prohibitions, duties and constraints, as values.

What a word means, which operators and values it takes and how it is compared is ``vocabulary``'s; ``evaluate``
judges an asked use; ``odrl`` is how policies travel. Values are texts in one canonical spelling, so that a policy
has one digest: numbers as shortest decimals, instants with their zone, durations as ISO 8601, sets sorted.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.limits import Limit

RULES = Limit("rules of a policy", 256, "rules")
CONSTRAINTS = Limit("constraints of a rule", 256, "constraints")
VALUES = Limit("values of a constraint", 4_096, "values")
LOGIC_DEPTH = Limit("depth of nested constraints", 4, "levels")


class Constraint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="constraint"):
    """``operand`` (a short name of the vocabulary), ``operator``, and ``value``: one text, or a sorted set of them.

    ``unit``: one of the operand's; empty is its first.
    """

    operand: str
    operator: str
    value: str | tuple[str, ...]
    unit: str = ""


class Logical(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="logical"):
    """``all``, ``any``, ``one`` or ``sequence`` of several constraints (ODRL: and, or, xone, andSequence).

    A decision is one instant, so that a sequence holds where all of its parts do.
    """

    operator: str
    parts: tuple[Constraint | Logical, ...]


class Duty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done (log, delete, return, publish, acknowledge, pay …), within these constraints."""

    action: str
    constraints: tuple[Constraint | Logical, ...] = ()


class Permission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action that is allowed where every constraint holds, at the price of its duties."""

    action: str
    constraints: tuple[Constraint | Logical, ...] = ()
    duties: tuple[Duty, ...] = ()


class Prohibition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action that is refused where every constraint holds; without constraints: always."""

    action: str
    constraints: tuple[Constraint | Logical, ...] = ()


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules whose order never matters: a use needs one permission that holds, and no prohibition that does.

    ``duties``: owed whatever is used.
    """

    permissions: tuple[Permission, ...] = ()
    prohibitions: tuple[Prohibition, ...] = ()
    duties: tuple[Duty, ...] = ()
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)
