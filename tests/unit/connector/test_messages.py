"""Messages: the official examples are read, what we write is valid, and what is not a message is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.official import Schemas
from tests.unit.connector.conftest import message, request_message

from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.errors import BadMessage
from xinglin.wire.dsp.policies import RULES, agreement_of, check_offer, rules_digest

OFFER = {"@type": "Offer", "@id": "o", "target": "d", "permission": [{"action": "use"}]}
AGREEMENT = {**OFFER, "@type": "Agreement", "assigner": "p", "assignee": "c", "timestamp": "2026-01-01T00:00:00Z"}
BOTH = {"providerPid": "p", "consumerPid": "c"}


def kind_of(name: str) -> Any:
    return getattr(m, name, None)


def test_the_official_examples_are_read_and_written_again(schemas: Schemas, check: Callable[[Any], None]) -> None:
    read = 0
    for document in schemas.examples.values():
        kind = kind_of(document.get("@type", ""))
        if kind is not None:
            written = json.loads(m.encode(m.parse(json.dumps(document).encode(), kind)))
            check(written)
            assert {name: value for name, value in document.items() if value != []} == written
            read += 1
    assert read == 20


def test_every_message_has_an_official_schema(schemas: Schemas) -> None:
    kinds = {one.__name__ for one in vars(m).values() if isinstance(one, type) and issubclass(one, m.Message)}
    assert kinds - {"Message", "Ack"} == set(schemas.names) - {"Catalog", "Dataset", "VersionResponse"}


BROKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "no context": ("ContractNegotiation", {"@type": "ContractNegotiation", **BOTH, "state": "REQUESTED"}),
    "context a text": (
        "ContractNegotiation",
        {"@context": m.CONTEXT, "@type": "ContractNegotiation", **BOTH, "state": "REQUESTED"},
    ),
    "context of others": (
        "ContractNegotiation",
        {"@context": ["https://x"], "@type": "ContractNegotiation", **BOTH, "state": "REQUESTED"},
    ),
    "context with an object": (
        "ContractNegotiation",
        {"@context": [m.CONTEXT, {}], "@type": "ContractNegotiation", **BOTH, "state": "REQUESTED"},
    ),
    "another type": ("ContractNegotiation", message("TransferProcess", **BOTH, state="REQUESTED")),
    "no type": ("ContractNegotiation", {"@context": [m.CONTEXT], **BOTH, "state": "REQUESTED"}),
    "unknown state": ("ContractNegotiation", message("ContractNegotiation", **BOTH, state="START")),
    "a transfer's state": ("ContractNegotiation", message("ContractNegotiation", **BOTH, state="STARTED")),
    "no pid": ("TransferProcess", message("TransferProcess", providerPid="p", state="STARTED")),
    "an empty pid": ("TransferProcess", message("TransferProcess", providerPid="p", consumerPid="", state="STARTED")),
    "a pid of control characters": (
        "TransferProcess",
        message("TransferProcess", providerPid="p\u0000", consumerPid="c", state="STARTED"),
    ),
    "a pid that is a number": (
        "TransferProcess",
        message("TransferProcess", providerPid=5, consumerPid="c", state="STARTED"),
    ),
    "both ways to reach": ("ContractRequestMessage", request_message(providerPid="p")),
    "an empty callback": ("ContractRequestMessage", request_message(callbackAddress="")),
    "an event of ours": ("ContractNegotiationEventMessage", message("X", **BOTH, eventType="OFFERED")),
    "an unknown event": (
        "ContractNegotiationEventMessage",
        message("ContractNegotiationEventMessage", **BOTH, eventType="VERIFIED"),
    ),
    "an offer that is an agreement": ("ContractRequestMessage", request_message(offer=AGREEMENT)),
    "an offer without rules": (
        "ContractRequestMessage",
        request_message(offer={"@type": "Offer", "@id": "o", "target": "d"}),
    ),
    "an offer without id": (
        "ContractRequestMessage",
        request_message(offer={k: v for k, v in OFFER.items() if k != "@id"}),
    ),
    "no rules in a permission": ("ContractRequestMessage", request_message(offer=OFFER | {"permission": []})),
    "an action that is no text": (
        "ContractRequestMessage",
        request_message(offer=OFFER | {"permission": [{"action": {"@id": "use"}}]}),
    ),
    "a number as right operand": (
        "ContractRequestMessage",
        request_message(
            offer=OFFER
            | {
                "permission": [
                    {
                        "action": "use",
                        "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": 5}],
                    }
                ]
            }
        ),
    ),
    "an unknown operator": (
        "ContractRequestMessage",
        request_message(
            offer=OFFER
            | {
                "permission": [
                    {
                        "action": "use",
                        "constraint": [{"leftOperand": "count", "operator": "less", "rightOperand": "5"}],
                    }
                ]
            }
        ),
    ),
    "an agreement without assignee": (
        "ContractAgreementMessage",
        message("ContractAgreementMessage", **BOTH, agreement={k: v for k, v in AGREEMENT.items() if k != "assignee"}),
    ),
    "an agreement of no time": (
        "ContractAgreementMessage",
        message("ContractAgreementMessage", **BOTH, agreement=AGREEMENT | {"timestamp": "yesterday"}),
    ),
    "a data address of nothing": (
        "TransferStartMessage",
        message("TransferStartMessage", **BOTH, dataAddress={"@type": "DataAddress"}),
    ),
    "an empty reason": ("TransferTerminationMessage", message("TransferTerminationMessage", **BOTH, reason=[])),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_message_is_refused(name: str) -> None:
    kind, document = BROKEN[name]
    with pytest.raises(BadMessage):
        m.parse(json.dumps(document).encode(), kind_of(kind))


def test_neither_way_to_reach() -> None:
    document = request_message()
    del document["callbackAddress"]
    with pytest.raises(BadMessage):
        m.parse(json.dumps(document).encode(), m.ContractRequestMessage)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"\xff\xfe", b"[" * 100_000, b'{"@type":' * 100])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadMessage):
        m.parse(body, m.CatalogRequestMessage)


def test_members_that_we_do_not_know_are_left_alone() -> None:
    found = m.parse(json.dumps(request_message(surprise={"a": [1]})).encode(), m.ContractRequestMessage)
    assert found.consumer_pid == "c-1"


def test_one_more_than_the_limits_is_refused() -> None:
    rules = [{"action": "use"}] * RULES.value
    check_offer(OFFER | {"permission": rules})
    with pytest.raises(BadMessage):
        check_offer(OFFER | {"permission": [*rules, {"action": "use"}]})
    deep: dict[str, Any] = {"leftOperand": "a", "operator": "eq", "rightOperand": "b"}
    for _ in range(7):
        deep = {"and": [deep]}
    check_offer(OFFER | {"permission": [{"action": "use", "constraint": [deep]}]})
    with pytest.raises(BadMessage):
        check_offer(OFFER | {"permission": [{"action": "use", "constraint": [{"and": [deep]}]}]})
    with pytest.raises(BadMessage):
        m.parse(b" " * (m.MESSAGE_SIZE.value + 1), m.CatalogRequestMessage)


def test_the_same_rules_have_the_same_digest() -> None:
    one = {"action": "use", "constraint": []}
    other = {"action": "read"}
    assert rules_digest(OFFER | {"permission": [one, other]}) == rules_digest(
        {"@id": "another", "permission": [other, {"action": "use"}]}
    )
    assert rules_digest(OFFER) != rules_digest({"prohibition": [{"action": "use"}]})


def test_an_agreement_has_the_offers_rules() -> None:
    made = agreement_of(OFFER, id_="a", assigner="p", assignee="c", timestamp="2026-01-01T00:00:00Z")
    assert rules_digest(made) == rules_digest(OFFER)
    assert (made["target"], made["@type"]) == ("d", "Agreement")
