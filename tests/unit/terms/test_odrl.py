"""Policies as ODRL: against the protocol's own schemas, examples and contexts, in every spelling, without loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyld import jsonld
from tests.conformance.official import Schemas

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms import odrl_words
from xinglin.terms.odrl import CONTEXTS, NotThisOdrl, from_odrl, read_odrl, to_odrl
from xinglin.terms.odrl_words import CONTEXT_IRI, DSP_CONTEXT_IRI, PROFILE_IRI, context_document
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.vocabulary import ACTIONS, DUTIES, OPERANDS, SET_OPERATORS
from xinglin.terms.writing import check_policy

DSP = "https://w3id.org/dspace/2025/1/"
VALUES = {
    "number": "5",
    "instant": "2027-01-01T00:00:00+08:00",
    "duration": "P90D",
    "place": "CN-SH",
    "network": "10.1.0.0/16",
    "window": "Mo-Fr 08:00-18:00 Asia/Shanghai",
    "flag": "false",
    "purpose": "disease-research/MONDO:0005010",
    "grade": "L2",
}
FORMS = {
    "party": "did:web:a.example",
    "name": "plain-1",
    "variable": "heart.age",
    "algorithm": "sha256:" + "0" * 64,
    "pack": "sacro",
}


def value_of(name: str) -> str:
    operand = OPERANDS[name]
    if operand.kind in VALUES:
        return VALUES[operand.kind]
    return operand.values[0] if operand.values else FORMS[operand.form]


def everything() -> Policy:
    """A policy with every operand under every operator, every action, duty and way of nesting."""
    parts = [
        Constraint(name, operator, (value_of(name),) if operator in SET_OPERATORS else value_of(name), unit)
        for name, operand in OPERANDS.items()
        for operator in operand.operators
        for unit in ("", *operand.units[1:])
    ]
    several = Constraint("purpose", "isAnyOf", ("education", "health-research", "public-health"))
    nested = tuple(Logical(one, (several, Logical("any", (parts[0],)))) for one in ("all", "any", "one", "sequence"))
    duties = tuple(Duty(name, (Constraint("elapsedTime", "lteq", "P180D"),)) for name in DUTIES)
    return Policy(
        (Permission("use", (*parts, *nested), duties), *(Permission(name) for name in ACTIONS)),
        tuple(Prohibition(name, (several,)) for name in ACTIONS),
        (Duty("log"), *duties),
    )


def test_the_policy_of_everything_may_be_written() -> None:
    assert check_policy(everything()) == Allowed()


def messages(policy: Policy, spelling: Any) -> dict[str, dict[str, Any]]:
    """A message of each kind that carries a policy, by its kind."""
    pids = {"providerPid": "urn:uuid:1", "consumerPid": "urn:uuid:2", "@context": list(CONTEXTS)}
    offer = to_odrl(policy, "Offer", "urn:uuid:3", target="urn:uuid:4", spelling=spelling)
    bare = to_odrl(policy, "Offer", "urn:uuid:3", spelling=spelling)
    agreement = to_odrl(
        policy, "Agreement", "urn:uuid:5", "urn:uuid:4", "did:web:p", "did:web:c", "2026-01-01T00:00:00Z",
        spelling=spelling,
    )  # fmt: skip
    service = {"@type": "DataService", "@id": "urn:uuid:6", "endpointURL": "https://a.example"}
    spread = {"@type": "Distribution", "format": "HttpData-PULL", "accessService": service}
    return {
        "ContractOfferMessage": {"@type": "ContractOfferMessage", **pids, "offer": offer},
        "ContractRequestMessage": {
            "@type": "ContractRequestMessage", "@context": list(CONTEXTS), "consumerPid": "urn:uuid:2",
            "callbackAddress": "https://c.example/", "offer": offer,
        },
        "ContractAgreementMessage": {
            "@type": "ContractAgreementMessage", **pids, "agreement": agreement,
        },
        "Dataset": {
            "@context": list(CONTEXTS), "@id": "urn:uuid:7", "@type": "Dataset", "hasPolicy": [bare],
            "distribution": [spread],
        },
    }  # fmt: skip


@pytest.mark.parametrize("spelling", ["short", "absolute"])
def test_what_is_written_is_valid_by_the_protocols_schemas(schemas: Schemas, spelling: str) -> None:
    for name, message in messages(everything(), spelling).items():
        assert schemas.faults(name, message) == []
        assert schemas.faults(name, json.loads(json.dumps(message).replace('"leftOperand"', '"left"')))


@pytest.mark.parametrize("spelling", ["short", "absolute"])
def test_everything_comes_back(spelling: Any) -> None:
    written = to_odrl(
        everything(), "Agreement", "urn:1", "urn:2", "urn:3", "urn:4", "2026-01-01T00:00:00Z", spelling=spelling
    )
    read = read_odrl(json.loads(json.dumps(written)))
    assert read.policy == everything()
    assert (read.kind, read.id, read.target, read.assigner, read.assignee, read.timestamp, read.profiles) == (
        "Agreement", "urn:1", "urn:2", "urn:3", "urn:4", "2026-01-01T00:00:00Z", (PROFILE_IRI,),
    )  # fmt: skip


def test_every_example_of_the_protocol_is_read(schemas: Schemas) -> None:
    found = []
    for path, document in schemas.examples.items():
        found += [(path, one) for key in ("offer", "agreement") for one in [document.get(key)] if one]
        sets = [document, *document.get("dataset", [])]
        found += [(path, one) for held in sets if isinstance(held, dict) for one in held.get("hasPolicy", [])]
    assert len(found) >= 7
    for path, one in found:
        policy = from_odrl(one)
        assert policy.permissions, path
        assert from_odrl(to_odrl(policy, "Set", "urn:1")) == policy
    plain = dict(found)["negotiation/example/contract-agreement-message.json"]
    until = Constraint("dateTime", "lteq", "2023-12-31T06:00:00Z")
    assert from_odrl(plain) == Policy((Permission("use", (until,)),))
    assert check_policy(from_odrl(plain)) == Allowed()
    full = check_policy(from_odrl(dict(found)["negotiation/example/contract-agreement-message-full.json"]))
    assert isinstance(full, Denied)
    assert set(full.codes) == {"terms.operand_unknown"}


def test_the_published_context_is_made_from_the_vocabulary() -> None:
    published = Path(odrl_words.__file__).with_name("context.jsonld").read_text(encoding="utf-8")
    assert json.loads(published) == context_document()


def test_json_ld_processors_read_the_same(schemas: Schemas) -> None:
    """Expanded by the protocol's contexts and ours, and read; in both spellings, in every message."""
    known = {
        DSP_CONTEXT_IRI: schemas.contexts["context/dspace.jsonld"],
        DSP + "odrl-profile.jsonld": schemas.contexts["context/odrl.jsonld"],
        CONTEXT_IRI: context_document(),
    }

    def load(url: str, _: Any = None) -> dict[str, Any]:
        return {"contextUrl": None, "documentUrl": url, "document": known[url]}

    def carried(expanded: Any) -> Any:
        for key in (DSP + "offer", DSP + "agreement", "http://www.w3.org/ns/odrl/2/hasPolicy"):
            if key in expanded[0]:
                return expanded[0][key]
        raise LookupError("no policy in the message")

    for spelling in ("short", "absolute"):
        for message in messages(everything(), spelling).values():
            expanded = jsonld.expand(message, {"documentLoader": load})
            assert from_odrl(carried(expanded)) == everything()
            assert "left" not in str(sorted(expanded[0]))
            compacted = jsonld.compact(expanded, {"@context": list(CONTEXTS)}, {"documentLoader": load})
            held = compacted.get("offer") or compacted.get("agreement") or compacted.get("hasPolicy")
            assert from_odrl(held) == everything()
    alone = {"@context": [CONTEXT_IRI], **to_odrl(everything(), "Offer", "urn:1")}
    assert from_odrl(jsonld.expand(alone, {"documentLoader": load})) == everything()


@pytest.mark.parametrize(
    ("left", "operator", "right", "expected"),
    [
        ("spatial", "eq", "CN-310000", Constraint("place", "eq", "CN-SH")),
        ("place", "odrl:isPartOf", "EU", Constraint("place", "isPartOf", ("EU",))),
        ("odrl:purpose", "isA", {"@id": "http://purl.obolibrary.org/obo/DUO_0000006"},
         Constraint("purpose", "isA", "health-research")),
        ("http://www.w3.org/ns/odrl/2/count", "http://www.w3.org/ns/odrl/2/lteq",
         {"@value": "05", "@type": "xsd:integer"}, Constraint("count", "lteq", "5")),
        ("count", "lteq", 5, Constraint("count", "lteq", "5")),
        ("xinglin:kAnonymity", "gteq", {"@value": 10}, Constraint("kAnonymity", "gteq", "10")),
        ("https://w3id.org/xinglin/terms/1/privacyBudget", "lteq", "0.50", Constraint("privacyBudget", "lteq", "0.5")),
        ("onwardTransfer", "eq", False, Constraint("onwardTransfer", "eq", "false")),
        ("purpose", "isAnyOf", {"@list": ["education", "DUO:0000006"]},
         Constraint("purpose", "isAnyOf", ("education", "health-research"))),
        ("elapsedTime", "lteq", "P2W", Constraint("elapsedTime", "lteq", "P14D")),
        ("partner", "eq", "gold", Constraint("partner", "eq", "gold")),
        ("partner", "isAnyOf", ["gold"], Constraint("partner", "isAnyOf", ("gold",))),
    ],
)  # fmt: skip
def test_each_spelling_is_read(left: str, operator: str, right: Any, expected: Constraint) -> None:
    constraint = {"leftOperand": left, "operator": operator, "rightOperand": right}
    document = {
        "@type": "odrl:Offer",
        "odrl:permission": [{"odrl:action": {"@id": "odrl:use"}, "constraint": constraint}],
    }
    assert from_odrl(document) == Policy((Permission("use", (expected,)),))


RULE = {"action": "use"}
ATOM = {"leftOperand": "count", "operator": "lteq", "rightOperand": "5"}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "use",
        {"@type": "Dataset", "permission": [RULE]},
        {"@type": "Offer", "permission": [RULE], "inheritFrom": "urn:1"},
        {"@type": "Offer", "permission": [RULE], "conflict": "perm"},
        {"@type": "Offer", "permission": [{}]},
        {"@type": "Offer", "permission": ["use"]},
        {"@type": "Offer", "permission": [{**RULE, "assignee": "did:web:x"}]},
        {"@type": "Offer", "target": "urn:1", "permission": [{**RULE, "target": "urn:2"}]},
        {"@type": "Offer", "prohibition": [{**RULE, "remedy": [{"action": "pay"}]}]},
        {"@type": "Offer", "permission": [{"action": {"rdf:value": {"@id": "odrl:use"}, "refinement": [ATOM]}}]},
        {"@type": "Offer", "permission": [{**RULE, "constraint": [{**ATOM, "rightOperandReference": "urn:1"}]}]},
        {"@type": "Offer", "permission": [{**RULE, "constraint": [{**ATOM, "rightOperand": 0.5}]}]},
        {"@type": "Offer", "permission": [{**RULE, "constraint": [{**ATOM, "rightOperand": {"a": 1}}]}]},
        {"@type": "Offer", "permission": [{**RULE, "constraint": [{**ATOM, "rightOperand": None}, None]}]},
        {"@type": "Offer", "permission": [{**RULE, "constraint": [{"leftOperand": "count"}]}]},
        {"@type": "Offer", "permission": [{**RULE, "constraint": [{"and": [ATOM], "or": [ATOM]}]}]},
        {"@type": "Offer", "permission": [{**RULE, "constraint": [{"and": [ATOM], **ATOM}]}]},
        {"@type": "Offer", "permission": [RULE], "odrl:permission": [RULE]},
        {"@type": "Offer", "permission": [{**RULE, "duty": [{"action": "log", "consequence": [RULE]}]}]},
    ],
)
def test_what_a_policy_here_cannot_hold_is_refused_and_not_dropped(document: Any) -> None:
    with pytest.raises(NotThisOdrl):
        from_odrl(document)


def test_constraints_are_not_nested_without_end() -> None:
    nested: dict[str, Any] = ATOM
    for _ in range(4):
        nested = {"and": [nested]}
    assert from_odrl({"permission": [{**RULE, "constraint": [nested]}]})
    with pytest.raises(LimitExceeded):
        from_odrl({"permission": [{**RULE, "constraint": [{"and": [nested]}]}]})


def test_a_policy_without_a_rule_is_not_written() -> None:
    with pytest.raises(NotThisOdrl):
        to_odrl(Policy((), (), (Duty("log"),)), "Offer", "urn:1")


def test_unknown_words_stay_for_the_check_to_refuse() -> None:
    document = {
        "permission": [{"action": "cc:Sharing", "constraint": [{**ATOM, "leftOperand": "ex:age", "unit": "ex:y"}]}]
    }
    policy = from_odrl(document)
    assert policy == Policy((Permission("cc:Sharing", (Constraint("ex:age", "lteq", "5", "ex:y"),)),))
    assert from_odrl(to_odrl(policy, "Set", "urn:1", spelling="absolute")) == policy
    verdict = check_policy(policy)
    assert isinstance(verdict, Denied)
    assert set(verdict.codes) == {"terms.action_unknown", "terms.operand_unknown"}
