"""What this node knows of a use that is a synthetic set, and of every use by its kind."""

from __future__ import annotations

from typing import Protocol

import msgspec

from xinglin.contract import Agreement
from xinglin.gate import Use
from xinglin.kernel.verdict import Denied
from xinglin.node.extract_facts import is_workspace_of
from xinglin.terms.facts import Facts
from xinglin.terms.synthetic import SYNTHESISE, SYNTHETIC, is_synthetic, synthetic_of
from xinglin.trust.registry import KeyDirectory

OUTPUTS = ("synthetic-data",)
PROTECTIONS = frozenset({"evidence", "proven_noise", "watermark"})
"""What the gate carries out for every synthetic set."""


class FactsOfKind(Protocol):
    """Completes the facts of uses of one kind, and leaves any other's as they are."""

    def completed(self, use: Use, facts: Facts, agreement: Agreement | None, directory: KeyDirectory) -> Facts:
        """The facts of the use."""
        ...


class SyntheticFacts:
    """Completes the facts of synthetic sets."""

    def completed(self, use: Use, facts: Facts, agreement: Agreement | None, directory: KeyDirectory) -> Facts:
        """See the port."""
        if not is_synthetic(use.plan):
            return facts
        ask = synthetic_of(use.plan)
        inside = not isinstance(ask, Denied) and is_workspace_of(ask.recipient, agreement, directory)
        return msgspec.structs.replace(
            facts,
            algorithm_operation=SYNTHESISE,
            algorithm_names=(SYNTHETIC, *(name for name in facts.algorithm_names or () if name != SYNTHETIC)),
            output_types=OUTPUTS,
            protections=PROTECTIONS,
            k_anonymity=None,
            environment="workspace" if inside else None,
            place=None,
            network=None,
            packs=(),  # of cells that were counted; here nothing is but with noise
        )


class EveryKind:
    """Each kind's facts, one after the other."""

    def __init__(self, *kinds: FactsOfKind) -> None:
        self._kinds = kinds

    def completed(self, use: Use, facts: Facts, agreement: Agreement | None, directory: KeyDirectory) -> Facts:
        """See the port."""
        for kind in self._kinds:
            facts = kind.completed(use, facts, agreement, directory)
        return facts
