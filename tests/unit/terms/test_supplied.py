"""Who supplies each fact: the table covers the vocabulary, and what nobody supplies is denied with its remedy."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import FACTS, PLAN, REQUEST, TERMS

from xinglin.connector.entry_terms import CLAIMED
from xinglin.kernel.verdict import Denied
from xinglin.terms.decide import decide
from xinglin.terms.policy import Constraint, Permission, Policy, Prohibition
from xinglin.terms.policy_facts import asked_of
from xinglin.terms.supplied import AT_THE_CONNECTOR, AT_THE_NODE, NOBODY
from xinglin.terms.vocabulary import OPERANDS


def test_every_operand_has_somebody_or_a_remedy() -> None:
    assert set(AT_THE_NODE) | set(NOBODY) == set(OPERANDS) and not set(AT_THE_NODE) & set(NOBODY)
    assert set(AT_THE_CONNECTOR) <= set(OPERANDS) and set(CLAIMED) <= set(AT_THE_CONNECTOR)


def test_a_node_that_knows_everything_supplies_what_the_table_says() -> None:
    facts = replace(
        FACTS,
        recipient_classes=("hospital",),
        place="CN",
        network="10.0.0.0/8",
        environment="node",
        uses_so_far=0,
        agreement_start=FACTS.now,
        population=("adults",),
        ethics_approvals=("one",),
        assessments=("one",),
        law_packs=("gdpr",),
        disclosure_packs=("sacro",),
        consent_basis="consent",
        output_types=("table",),
        k_anonymity=10,
        algorithm_names=("glm",),
        onward_transfer=False,
    )
    supplied = set(asked_of(REQUEST, PLAN, facts).values)
    assert supplied | {"openingHours"} == set(AT_THE_NODE), "the hour is the time's"


@pytest.mark.parametrize(("name", "value"), [("privacyBudget", "3"), ("payAmount", "100")])
def test_what_nobody_supplies_is_denied_and_says_what_to_do(name: str, value: str) -> None:
    assert FACTS.agreement is not None
    asks = Constraint(name, "lteq", value)
    for policy, code in (
        (Policy((Permission("use", (asks,)),)), "unknown"),
        (Policy((Permission("use"),), (Prohibition("use", (asks,)),)), "not_ruled_out"),
    ):
        held = replace(FACTS.agreement, terms=replace(TERMS, policy=policy))
        verdict = decide(REQUEST, PLAN, replace(FACTS, agreement=held))
        assert isinstance(verdict, Denied) and all(code in one for one in verdict.codes)
        assert code != "unknown" or verdict.reasons[0].remedy == NOBODY[name]


def test_an_attested_enclave_is_never_met() -> None:
    assert FACTS.agreement is not None
    policy = Policy((Permission("use", (Constraint("environment", "eq", "attested-enclave"),)),))
    held = replace(FACTS.agreement, terms=replace(TERMS, policy=policy))
    for environment in ("node", "sandbox"):
        verdict = decide(REQUEST, PLAN, replace(FACTS, agreement=held, environment=environment))
        assert isinstance(verdict, Denied) and verdict.codes == ("terms.not_met_environment",)
