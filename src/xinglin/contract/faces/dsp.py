"""The agreement as an Agreement of the Dataspace Protocol 2025-1: ODRL with assigner, assignee, target and timestamp.

Its ``@id`` is the agreement's digest as a URN; one member of our own vocabulary carries the agreement (as a JSON
literal), so that any connector reads the rules and ours reads all of it.
"""

from __future__ import annotations

from typing import Any

from xinglin.contract.agreement import Agreement
from xinglin.contract.errors import NotThisFace
from xinglin.contract.faces.carried import carried, carry, policy_of
from xinglin.kernel.instants import to_text
from xinglin.terms.odrl import to_odrl
from xinglin.terms.vocabulary import TERMS

URN = "urn:xinglin:agreement:"
CARRIED = TERMS + "agreement"
"""The member that carries the agreement."""


def to_dsp(agreement: Agreement) -> dict[str, Any]:
    """The Agreement for a ``ContractAgreementMessage``: the provider assigns, the consumer is assigned to.

    Raises ``NotThisOdrl`` for a policy that permits none of the agreed operations.
    """
    document = to_odrl(
        policy_of(agreement),
        "Agreement",
        URN + agreement.digest(),
        target=agreement.data_set,
        assigner=agreement.provider,
        assignee=agreement.consumer,
        timestamp=to_text(agreement.made),
    )
    return {**document, CARRIED: {"@type": "@json", "@value": carry(agreement)}}


def from_dsp(document: dict[str, Any]) -> Agreement:
    """The agreement that a document of ours is the face of; ``NotThisFace`` where it says anything else.

    Rules, parties, target and timestamp are held to what the agreement says: nobody changes the face and keeps the
    name.
    """
    name, inside = document.get("@id"), document.get(CARRIED)
    if not isinstance(name, str) or not name.startswith(URN) or not isinstance(inside, dict):
        raise NotThisFace("The document names and carries no agreement of this space.", remedy="Read its rules alone.")
    agreement = carried(inside.get("@value"), name.removeprefix(URN))
    if to_dsp(agreement) != document:
        raise NotThisFace("The document says something else than the agreement that it names.")
    return agreement
