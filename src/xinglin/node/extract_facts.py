"""What this node knows of a use that is an extract: its reviewers, its workspace, its k; nothing from asker or hub."""

from __future__ import annotations

import msgspec

from xinglin.access.output_review import VOTES_ASKED, may_review
from xinglin.contract import Agreement
from xinglin.gate import Use
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.node.extract_profiles import NodeProfiles
from xinglin.stores.extract_node import NodeExtractStore
from xinglin.terms.extracts import EXTRACT, ask_of, is_extract
from xinglin.terms.facts import Facts
from xinglin.terms.grades import highest
from xinglin.trust.leaves import ASKING_ROLES, WORKSPACE
from xinglin.trust.registry import KeyDirectory

OUTPUTS = ("records",)
PROTECTIONS = frozenset({"evidence", "disclosure_pack"})
"""What the gate carries out for every extract; the other requirements depend on who reviews and who receives."""


class ExtractFacts:
    """Completes the facts of extracts."""

    def __init__(self, node: str, store: NodeExtractStore, profiles: NodeProfiles) -> None:
        self._node, self._store, self._profiles = node, store, profiles

    def completed(self, use: Use, facts: Facts, agreement: Agreement | None, directory: KeyDirectory) -> Facts:
        """The facts of an extract; any other use's as they are."""
        if not is_extract(use.plan):
            return facts
        ask = ask_of(use.plan)
        protections = set(PROTECTIONS)
        if self._reviewers(use, directory) >= VOTES_ASKED:
            protections.add("output_review")
        enrolled = not isinstance(ask, Denied) and is_workspace_of(ask.workspace, agreement, directory)
        if enrolled:
            protections.add("enrolled_workspace")
        grade = highest(column.grade for column in facts.touched or ()) or ""
        faults = () if isinstance(ask, Denied) else self._profiles.faults(ask.profile, grade, use.request.purpose)
        return msgspec.structs.replace(
            facts,
            not_admitted=(*facts.not_admitted, *faults),
            algorithm_operation=EXTRACT,
            algorithm_names=(EXTRACT,),
            output_types=OUTPUTS,
            protections=frozenset(protections),
            k_anonymity=None if isinstance(ask, Denied) else ask.k,
            environment="workspace" if enrolled else None,
            place=None,
            network=None,
        )

    def _reviewers(self, use: Use, directory: KeyDirectory) -> int:
        appointed = self._store.reviewers()
        asker = use.request.requester
        if directory.status(asker) == "unknown":
            return 0
        verdicts = (may_review(one, self._node, appointed, asker, directory) for one in appointed)
        return sum(isinstance(verdict, Allowed) for verdict in verdicts)


def is_workspace_of(did: str, agreement: Agreement | None, directory: KeyDirectory) -> bool:
    """Whether ``did`` is an enrolled workspace, in force, of the institution that the agreement gives data to."""
    if agreement is None or directory.status(did) != "active":
        return False
    found = directory.participants[did]
    if WORKSPACE not in found.roles or directory.status(found.institution) != "active":
        return False
    consumer = directory.participants.get(agreement.consumer)
    homes = {agreement.consumer, consumer.institution if consumer is not None else ""}
    return found.institution in homes and bool(directory.roles(found.institution) & ASKING_ROLES)
