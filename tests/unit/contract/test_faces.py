"""Three faces of one agreement: each names its digest, leads back to it, and cannot be changed under its name."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.conformance.official import Schemas
from tests.unit.contract.papers import DAY, HOSPITAL, INSTITUTE, NOW, PAPER, TERMS
from tests.unit.terms.uses import digest

from xinglin.contract.agreement import Agreement
from xinglin.contract.errors import NotThisFace
from xinglin.contract.faces.carried import policy_of
from xinglin.contract.faces.dsp import CARRIED, from_dsp, to_dsp
from xinglin.contract.faces.national import (
    NATIONAL_STATES,
    SIGN_MODES,
    Filing,
    Registration,
    contract_bytes,
    from_contract,
    read_contract,
    status_of,
    to_contract,
)
from xinglin.contract.faces.national_calls import MESSAGES, ContractNegotiate, read_call, status_after
from xinglin.contract.faces.national_id import LENGTH, check_character, contract_id, read_id
from xinglin.contract.faces.national_words import (
    ACTIONS_ZH,
    OPERATOR_CODES,
    OPERATORS,
    NationalConstraint,
    NationalRule,
    from_national,
    to_national,
)
from xinglin.contract.faces.permit import from_permit, to_permit
from xinglin.contract.negotiation import AGREEMENT_STATES, Standing
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import to_text
from xinglin.kernel.states import IllegalMove
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.odrl import read_odrl
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.thresholds import DisclosureRules

PLACE = Registration("91350100M000100Y43", "3101")
POLICY = Policy(
    permissions=(
        Permission("use", (Constraint("elapsedTime", "lteq", "P90D"),), (Duty("acknowledge"),)),
        Permission("statistics", (Logical("any", (Constraint("place", "isPartOf", ("CN",)),)),)),
    ),
    prohibitions=(Prohibition("commercialise"),),
    duties=(Duty("delete"),),
)
ACTIVE = Standing(PAPER.digest(), "active", NOW)


@st.composite
def agreements(draw: Any) -> Agreement:
    """Agreements of many shapes that may be made."""
    policy = draw(st.sampled_from([msgspec.UNSET, POLICY]))
    start = draw(st.integers(NOW - 10 * DAY, NOW + DAY))
    terms = replace(
        TERMS,
        purposes=draw(st.sampled_from([("health-research",), ("education",), ("disease-research/MONDO:0005010",)])),
        operations=draw(st.sampled_from([("statistics",), ("statistics", "training"), ("extract",)])),
        allowance=draw(st.integers(1, 10_000)),
        not_before=start,
        expires=start + draw(st.integers(11 * DAY, 3_000 * DAY)),
        rules=DisclosureRules(min_cell=draw(st.integers(1, 99)), max_params_share=draw(st.sampled_from([0.1, 1 / 3]))),
        policy=policy,
    )
    replaces = draw(st.sampled_from(["", digest("earlier")]))
    study = draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,30}", fullmatch=True))
    return replace(PAPER, terms=terms, study=study, replaces=replaces, version=terms.version)


@settings(deadline=None, max_examples=60)
@given(agreements())
def test_every_face_leads_back_to_the_same_agreement(paper: Agreement) -> None:
    document = json.loads(json.dumps(to_dsp(paper)))
    assert from_dsp(document) == paper
    contract = read_contract(contract_bytes(to_contract(paper, replace(ACTIVE, agreement=paper.digest()), PLACE)))
    assert from_contract(contract) == paper
    earlier = (paper.replaces,) if paper.replaces else ()
    permit = msgspec.json.decode(msgspec.json.encode(to_permit(paper, ACTIVE, NOW, earlier)), type=_permit_type())
    assert from_permit(permit, ACTIVE, NOW) == paper
    names = (document["@id"].removeprefix("urn:xinglin:agreement:"), contract.digest, permit.id)
    assert set(names) == {paper.digest()}


def _permit_type() -> Any:
    from xinglin.contract.faces.permit import Permit

    return Permit


# --- Dataspace Protocol ----------------------------------------------------------------------------------


def test_the_dsp_face_says_who_what_and_when() -> None:
    document = to_dsp(PAPER)
    found = read_odrl({name: value for name, value in document.items() if name != CARRIED})
    assert (found.kind, found.target, found.assigner, found.assignee) == (
        "Agreement",
        "heart",
        HOSPITAL.did,
        INSTITUTE.did,
    )
    assert found.timestamp == to_text(PAPER.made)
    assert found.policy == policy_of(PAPER)


def test_the_dsp_face_is_valid_by_the_official_schema(schemas: Schemas) -> None:
    message = {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": "ContractAgreementMessage",
        "providerPid": "urn:uuid:1",
        "consumerPid": "urn:uuid:2",
        "agreement": to_dsp(replace(PAPER, terms=replace(TERMS, policy=POLICY), version=2)),
    }
    assert schemas.faults("ContractAgreementMessage", message) == []
    del message["agreement"]["target"]
    assert schemas.faults("ContractAgreementMessage", message)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update({"@id": "urn:xinglin:agreement:" + digest("another")}),
        lambda d: d.update({"@id": "urn:uuid:1"}),
        lambda d: d.update({"assignee": HOSPITAL.did}),
        lambda d: d.update({"target": "another"}),
        lambda d: d.pop("prohibition"),
        lambda d: d["permission"][0]["constraint"].pop(),
        lambda d: d.pop(CARRIED),
        lambda d: d[CARRIED]["@value"]["terms"].update({"allowance": 10_000}),
        lambda d: d[CARRIED].update({"@value": "nothing"}),
    ],
)
def test_nobody_changes_a_dsp_face_and_keeps_its_name(spoil: Any) -> None:
    document = copy.deepcopy(to_dsp(PAPER))
    spoil(document)
    with pytest.raises(NotThisFace):
        from_dsp(document)


def test_the_faces_policy_is_no_wider_than_the_terms() -> None:
    """Each agreed operation under every limit, the policy's own rules kept, and nothing that was not agreed."""
    policy = policy_of(replace(PAPER, terms=replace(TERMS, policy=POLICY), version=2))
    assert {one.action for one in policy.permissions} == {"statistics"}
    assert {one.action for one in policy.prohibitions} == {"commercialise", "reidentify"}
    judge = compile_policy(policy_of(PAPER)).judge
    good = {
        "study": "heart-study",
        "purpose": "health-research",
        "recipient": TERMS.recipients,
        "variable": TERMS.variables,
        "dateTime": to_text(NOW),
        "count": "1",
        "minimumCell": "10",
        "grade": "L2",
    }
    assert judge(Asked("statistics", good))
    assert not judge(Asked("training", good))
    for name, value in {
        "study": "other",
        "purpose": "education",
        "recipient": (HOSPITAL.did,),
        "variable": ("heart.chol",),
        "dateTime": to_text(TERMS.expires),
        "count": str(TERMS.allowance + 1),
        "minimumCell": "9",
        "grade": "L3",
    }.items():
        assert not judge(Asked("statistics", {**good, name: value})), name


# --- 数字合约 --------------------------------------------------------------------------------------------

TEXT = contract_id(PAPER.digest(), NOW, "3", PLACE.subject, PLACE.area)
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def test_an_id_has_its_47_characters_and_its_parts_come_back() -> None:
    assert len(TEXT) == LENGTH
    found = read_id(TEXT)
    assert (found.node_type, found.subject, found.area, found.at) == ("3", PLACE.subject, "3101", NOW)
    assert found.text == TEXT
    assert TEXT[24:38] == "20260921221320"  # Beijing's time


@given(
    st.integers(0, 4_000_000_000_000),
    st.sampled_from("123"),
    st.from_regex(r"(11|31|44|65)[0-9]{2}", fullmatch=True),
    st.binary(min_size=32, max_size=32),
)
def test_every_id_reads_back(at: int, node_type: Any, area: str, seed: bytes) -> None:
    text = contract_id("sha256:" + seed.hex(), at, node_type, PLACE.subject, area)
    found = read_id(text)
    assert (found.text, found.area, found.node_type, found.at) == (text, area, node_type, at // 1000 * 1000)


@given(st.text(LETTERS, min_size=46, max_size=46), st.integers(0, 45), st.integers(1, 35))
def test_the_check_catches_every_single_change(body: str, at: int, by: int) -> None:
    changed = body[:at] + LETTERS[(LETTERS.index(body[at]) + by) % 36] + body[at + 1 :]
    assert check_character(changed) != check_character(body)


def test_the_check_catches_nearly_every_swap_of_neighbours() -> None:
    """Whatever stands before them: of all (running product, two neighbours) it misses under two in a thousand."""
    missed = total = 0
    for product in range(1, 37):
        for one in range(36):
            for other in range(36):
                if one != other:
                    total += 1
                    missed += _step(_step(product, one), other) == _step(_step(product, other), one)
    assert missed * 1_000 < 2 * total
    assert total == 36 * 36 * 35


def _step(product: int, value: int) -> int:
    return ((product + value) % 36 or 36) * 2 % 37


@pytest.mark.parametrize("at", range(LENGTH))
def test_an_id_with_any_one_character_changed_is_refused(at: int) -> None:
    for letter in LETTERS:
        if letter != TEXT[at]:
            with pytest.raises(NotThisFace):
                read_id(TEXT[:at] + letter + TEXT[at + 1 :])


@pytest.mark.parametrize(
    "text", ["", TEXT[:-1], TEXT + "0", "D" + TEXT[1:], TEXT.lower(), "C4" + TEXT[2:], " " + TEXT[1:]]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(NotThisFace):
        read_id(text)


def test_bad_parts_make_no_id() -> None:
    for digest_, subject, area in (
        ("sha256:no", PLACE.subject, "3101"),
        (PAPER.digest(), "91350100M000100Y44", "3101"),
        (PAPER.digest(), PLACE.subject, "9901"),
        (PAPER.digest(), PLACE.subject, "31"),
        (PAPER.digest(), PLACE.subject, "31\u06601"),
    ):
        with pytest.raises(NotThisFace):
            contract_id(digest_, NOW, "3", subject, area)


def test_every_operator_code_is_read_and_the_written_ones_come_back() -> None:
    assert sorted(OPERATORS) == [f"{number:02d}" for number in range(1, 13)]
    for operator, code in OPERATOR_CODES.items():
        assert OPERATORS[code] == operator
    assert (OPERATOR_CODES["isPartOf"], OPERATOR_CODES["neq"]) == ("09", "12")
    assert set(ACTIONS_ZH.values()) == {"read", "use", "derive", "anonymise", "mask", "sell"}


LOSSLESS = Policy(
    permissions=(
        Permission(
            "use",
            (
                Constraint("purpose", "isA", "health-research"),
                Constraint("place", "isPartOf", ("CN",)),
                Constraint("count", "lteq", "5"),
                Constraint("dateTime", "lt", "2030-01-01T00:00:00Z"),
                Constraint("recipient", "isAnyOf", (HOSPITAL.did,)),
            ),
        ),
        Permission("read"),
    ),
    prohibitions=(Prohibition("commercialise"),),
    duties=(Duty("anonymise"),),
)


def test_rules_in_the_codes_come_back_without_loss() -> None:
    rules, losses = to_national(LOSSLESS, (HOSPITAL.did,))
    assert losses == ()
    assert all(rule.execution_nodes == (HOSPITAL.did,) for rule in rules)
    back, lost = from_national(rules)
    assert (back, lost) == (LOSSLESS, ())
    flat = replace(LOSSLESS, permissions=(Permission("use", (Logical("all", LOSSLESS.permissions[0].constraints),)),))
    assert to_national(flat, ())[1] == ()


def test_what_the_codes_cannot_say_is_named() -> None:
    rules, losses = to_national(POLICY, ())
    said = " ".join(one.words for one in losses)
    for word in ("elapsedTime", "'any'", "acknowledge", "statistics", "delete"):
        assert word in said
    strict = Policy((Permission("use"),), (Prohibition("commercialise", (Constraint("grade", "eq", "L3"),)),))
    written, lost = to_national(strict, ())
    assert written[1].constraints == ()  # it prohibits more, never less
    assert any("prohibits more" in one.words for one in lost)
    assert rules


def test_what_is_not_understood_is_no_permission_and_still_a_prohibition() -> None:
    odd = NationalConstraint("温度", "01", "5")
    for rule in (
        NationalRule("permission", "授权使用", (odd,)),
        NationalRule("permission", "脱敏"),
        NationalRule("permission", "转换"),
        NationalRule("permission", "授权使用", (NationalConstraint("使用次数", "13", "5"),)),
        NationalRule("permission", "授权使用", (NationalConstraint("使用次数", "11", ("5", "6")),)),
        NationalRule("obligation", "出售"),
    ):
        policy, losses = from_national([rule])
        assert policy == Policy()
        assert losses
    policy, losses = from_national([NationalRule("prohibition", "出售", (odd,))])
    assert policy.prohibitions == (Prohibition("commercialise"),)
    assert losses
    _, doubt = from_national([NationalRule("permission", "授权使用", (NationalConstraint("空间范围", "04", "CN"),))])
    assert "04" in doubt[0].words


CONTRACT = to_contract(PAPER, ACTIVE, PLACE)


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": digest("another")},
        {"contract_id": contract_id(digest("another"), NOW, "3", PLACE.subject, "3101")},
        {"status": "Asleep"},
        {"sign_mode": "03"},
        {"product_id": "another"},
        {"signatories": CONTRACT.signatories[::-1]},
        {"rules": CONTRACT.rules[1:]},
        {"losses": ()},
        {"expires": "2099-01-01T00:00:00.000Z"},
        {"agreement": {}},
        {"replaces": digest("another")},
        {"version": 2},
    ],
)
def test_nobody_changes_a_contract_and_keeps_its_name(changes: dict[str, Any]) -> None:
    assert from_contract(CONTRACT) == PAPER
    with pytest.raises(NotThisFace):
        from_contract(replace(CONTRACT, **changes))


def test_the_status_follows_the_standing() -> None:
    statuses = {state: status_of(Standing("", state, 0)) for state in AGREEMENT_STATES.states}
    assert set(statuses.values()) <= set(NATIONAL_STATES.states)
    assert (statuses["offered"], statuses["countersigned"], statuses["active"]) == ("Initiated", "Signed", "Signed")
    assert {statuses[one] for one in AGREEMENT_STATES.final} == {"Terminated"}
    active = Standing("", "active", 0)
    assert (status_of(active, filed=True), status_of(active, filed=True, used=1)) == ("Filed", "Executing")


def test_a_filing_is_handed_in_returned_accepted_and_cancelled() -> None:
    filing = Filing(CONTRACT.contract_id, CONTRACT.digest, "region's data bureau")
    accepted = filing.after("return", "d", reason="form").after("submit", "d").after("accept", "d", number="7")
    filed = to_contract(PAPER, ACTIVE, PLACE, filing=accepted)
    assert (filed.status, from_contract(filed)) == ("Filed", PAPER)
    assert to_contract(PAPER, ACTIVE, PLACE, filing=filing).status == "Signed"
    assert accepted.after("cancel", "d").state == "cancelled"
    with pytest.raises(IllegalMove):
        accepted.after("accept", "d")
    with pytest.raises(NotThisFace):
        to_contract(PAPER, ACTIVE, PLACE, filing=replace(filing, digest=digest("another")))


def test_the_six_calls_read_and_move_the_status() -> None:
    signer = msgspec.to_builtins(CONTRACT.signatories[0])
    filing = msgspec.to_builtins(Filing(TEXT, CONTRACT.digest, "bureau"))
    bodies: dict[str, Any] = {
        "/contractTemplate": {"templateId": "statistics", "title": "Statistics"},
        "/contractCreate": {"contract": msgspec.to_builtins(CONTRACT)},
        "/contractNegotiate": {"contractId": TEXT, "by": signer, "accept": True},
        "/contractRegistrate": {"filing": filing},
        "/contractExecution": {"contractId": TEXT, "request": digest("r"), "nodes": [HOSPITAL.did]},
        "/contractTerminate": {"contractId": TEXT, "by": HOSPITAL.did},
    }
    assert set(bodies) == set(MESSAGES)
    calls = {path: read_call(path, msgspec.json.encode(body)) for path, body in bodies.items()}
    for path, call in calls.items():
        assert read_call(path, msgspec.json.encode(call)) == call
    status = NATIONAL_STATES.start
    for path in bodies:
        status = status_after(status, path, calls[path])
    assert status == "Terminated"
    with pytest.raises(IllegalMove):
        status_after(status, "/contractExecution", calls["/contractExecution"])
    for path, body in (
        ("/contractErase", {}),
        ("/contractTemplate", {"title": "no id"}),
        ("/contractTemplate", {"templateId": "a", "title": "b", "version": 2}),
        ("/contractTerminate", {"contractId": TEXT[:-1] + "!", "by": ""}),
        ("/contractTerminate", {"contractId": TEXT, "by": "", "also": 1}),
        ("/contractNegotiate", {"contractId": TEXT, "by": signer}),
        ("/contractExecution", {"contractId": TEXT, "request": "r", "nodes": []}),
    ):
        with pytest.raises(NotThisFace):
            read_call(path, msgspec.json.encode(body))
    assert set(SIGN_MODES) == {"01", "02"}
    assert isinstance(calls["/contractNegotiate"], ContractNegotiate)
    with pytest.raises(MalformedMessage):
        read_contract(b"{}")
