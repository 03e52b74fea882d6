"""Words of policies, how each kind compares, and what is refused when a policy is written."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms import policy as limits
from xinglin.terms.constraints import compile_part
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.purposes import NO_DISEASES, PURPOSES, Diseases, covers, read_purpose, within
from xinglin.terms.reading import example
from xinglin.terms.vocabulary import ACTIONS, CLASSES, DUTIES, OPERANDS, OPERATORS, includes, nearest
from xinglin.terms.windows import read_window
from xinglin.terms.writing import canonical_constraint, check_policy


def state(operand: str, operator: str, value: Any, asked: Any, diseases: Diseases = NO_DISEASES) -> bool | None:
    """How one constraint answers to one fact."""
    constraint = Constraint(operand, operator, value)
    assert canonical_constraint(constraint) == constraint
    assert check_policy(Policy((Permission("use", (constraint,)),))) == Allowed()
    return compile_part(constraint, diseases).test({operand: asked})


def refusal(*constraints: Constraint | Logical, **changes: Any) -> set[str]:
    """The codes for which a policy with these constraints may not be written."""
    policy = replace(Policy((Permission("use", constraints),)), **changes)
    verdict = check_policy(policy)
    judged = compile_policy(policy).judge(Asked("use"))
    codes = set(verdict.codes) if isinstance(verdict, Denied) else set()
    assert isinstance(judged, Denied)
    assert codes <= set(judged.codes)
    return codes


def test_every_word_is_told_in_two_languages() -> None:
    for one in (*OPERANDS.values(), *ACTIONS.values(), *DUTIES.values(), *PURPOSES.values()):
        assert one.words, one
        assert any("\u4e00" <= letter <= "\u9fff" for letter in one.words_zh), one
    assert all(words and words_zh for words, words_zh in OPERATORS.values())
    for operand in OPERANDS.values():
        assert operand.remedy
        assert set(operand.operators) <= set(OPERATORS)
        assert example(operand)
    for name, values in CLASSES.items():
        assert tuple(values) == OPERANDS[name].values


def test_names_and_iris_are_each_their_own() -> None:
    words = [*OPERANDS.values(), *ACTIONS.values(), *DUTIES.values()]
    assert len({one.iri for one in words}) == len(words)
    assert len({one.name for one in words}) == len(words)


def test_actions_are_a_tree() -> None:
    assert {name for name in ACTIONS if includes("use", name)} == {
        "use", "read", "display", "statistics", "training", "extract", "synthesise", "transfer", "lookup",
    }  # fmt: skip
    assert not includes("use", "reidentify")
    assert not includes("statistics", "use")
    assert not includes("use", "anything")


@pytest.mark.parametrize(
    ("operand", "operator", "value", "asked", "expected"),
    [
        ("count", "lteq", "10", "9", True),
        ("count", "lteq", "10", "9.999999999999", True),
        ("count", "lteq", "10", "10.000000000001", False),
        ("count", "lt", "10", "9e0", None),
        ("privacyBudget", "eq", "0.3", "0.30", True),
        ("privacyBudget", "lteq", "0.3", "0.300000000001", False),
        ("kAnonymity", "gteq", "10", "9", False),
        ("dateTime", "lt", "2026-01-01T00:00:00+08:00", "2025-12-31T16:00:00Z", False),
        ("dateTime", "lt", "2026-01-01T00:00:00+08:00", "2025-12-31T15:59:59.999Z", True),
        ("dateTime", "eq", "2026-01-01T00:00:00+08:00", "2025-12-31T16:00Z", True),
        ("dateTime", "lt", "2026-01-01T00:00:00Z", "2025-06-01T00:00:00", None),
        ("elapsedTime", "lteq", "P90D", "PT2160H", True),
        ("elapsedTime", "lteq", "P90D", "P90DT1S", False),
        ("elapsedTime", "lteq", "P90D", "P3M", None),
        ("grade", "lteq", "L2", "L1", True),
        ("grade", "lteq", "L2", ("L1", "L3"), None),
        ("grade", "lteq", "L2", "L9", None),
        ("onwardTransfer", "eq", "false", "0", True),
        ("onwardTransfer", "eq", "false", "maybe", None),
        ("recipient", "isAnyOf", ("did:web:a", "did:web:b"), ("did:web:b",), True),
        ("recipient", "isAnyOf", ("did:web:a",), ("did:web:a", "did:web:c"), None),
        ("recipient", "isNoneOf", ("did:web:c",), ("did:web:a", "did:web:c"), None),
        ("recipient", "isNoneOf", ("did:web:c",), ("did:web:c",), False),
        ("recipient", "isAnyOf", ("did:web:a",), (), None),
        ("recipient", "isAnyOf", ("did:web:a",), "somebody", None),
        ("recipient", "hasPart", ("did:web:a",), ("did:web:a", "did:web:c"), True),
        ("recipientClass", "isNoneOf", ("company",), "martian", None),
        ("variable", "isPartOf", ("heart.*",), ("heart.age", "heart.sex"), True),
        ("variable", "isPartOf", ("heart.age",), ("heart.*",), None),
        ("variable", "isNoneOf", ("lab.*",), ("heart.age",), True),
        ("place", "isPartOf", ("CN-SH",), "CN-310104", True),
        ("place", "isPartOf", ("CN-SH",), "CN", None),
        ("place", "isPartOf", ("EU",), "DE", True),
        ("place", "isPartOf", ("EU",), "NO", False),
        ("place", "isPartOf", ("EEA",), "EU", True),
        ("place", "isNoneOf", ("CN-BJ",), "CN-SH", True),
        ("place", "isPartOf", ("CN",), "Atlantis", None),
        ("network", "isPartOf", ("10.0.0.0/8",), "10.255.255.255", True),
        ("network", "isPartOf", ("10.0.0.0/8",), "11.0.0.0", False),
        ("network", "isPartOf", ("10.1.0.0/16",), "10.0.0.0/8", None),
        ("network", "isPartOf", ("10.0.0.0/8",), "::ffff:10.0.0.1", True),
        ("network", "isPartOf", ("10.0.0.0/8",), "2001:db8::1", False),
        ("network", "isPartOf", ("10.0.0.0/8",), "10.0.0.1%eth0", None),
        ("openingHours", "isAnyOf", ("Mo-Fr 08:00-18:00 Asia/Shanghai",), "2026-01-05T00:00:00Z", True),
        ("openingHours", "isAnyOf", ("Mo-Fr 08:00-18:00 Asia/Shanghai",), "2026-01-05T10:00:00Z", False),
        ("openingHours", "isAnyOf", ("Mo-Fr 08:00-18:00 Asia/Shanghai",), "2026-01-05T09:59:59.999Z", True),
        ("openingHours", "isAnyOf", ("Su 22:00-06:00 Z",), "2026-01-05T05:59:00Z", True),
        ("ethicsApproval", "isAnyOf", ("a-1", "a-2"), ("a-2", "b-1"), True),
        ("ethicsApproval", "isAllOf", ("a-1", "a-2"), ("a-2",), False),
        ("ethicsApproval", "isAnyOf", ("a-1",), (), False),
        ("ethicsApproval", "isNoneOf", ("a-1",), (), True),
        ("algorithm", "eq", "glm", ("glm", "sha256:" + "0" * 64), True),
        ("purpose", "isAnyOf", ("health-research",), "disease-research/MONDO:0005010", True),
        ("purpose", "isAnyOf", ("health-research",), "general-research", None),
        ("purpose", "isNoneOf", ("ancestry-research",), "education", True),
        ("purpose", "isAnyOf", ("education",), "advertising", None),
        ("purpose", "isA", "disease-research/MONDO:0004992", "disease-research/MONDO:0007254", None),
    ],
)  # fmt: skip
def test_each_kind_compares_as_what_it_is(
    operand: str, operator: str, value: Any, asked: Any, expected: bool | None
) -> None:
    assert state(operand, operator, value, asked) is expected
    assert state(operand, operator, value, None) is None


def test_a_zone_knows_its_summer() -> None:
    window = read_window("Mo-Fr 08:00-18:00 Europe/Berlin")
    assert window is not None
    hours = ("Mo-Fr 08:00-18:00 Europe/Berlin",)
    assert state("openingHours", "isAnyOf", hours, "2026-07-01T06:00:00Z") is True
    assert state("openingHours", "isAnyOf", hours, "2026-01-05T06:30:00Z") is False
    assert state("openingHours", "isAnyOf", hours, "2026-01-05T07:00:00Z") is True


@pytest.mark.parametrize("instant", ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"])
def test_the_ends_of_the_calendar_are_not_open(instant: str) -> None:
    for zone in ("Asia/Shanghai", "-10:00", "Z"):
        found = state("openingHours", "isAnyOf", (f"Mo-Su 00:00-24:00 {zone}",), instant)
        assert found is True or found is None


def test_hours_are_asked_at_the_time_of_the_use() -> None:
    part = compile_part(Constraint("openingHours", "isAnyOf", ("Mo-Fr 08:00-18:00 Z",)), NO_DISEASES)
    assert part.test({"dateTime": "2026-01-05T09:00:00Z"}) is True
    assert part.test({"dateTime": "2026-01-04T09:00:00Z"}) is False
    assert part.test({}) is None


def test_diseases_are_placed_by_a_table_that_is_handed_in() -> None:
    table = Diseases(
        {
            "MONDO:0007254": ["MONDO:0004992"],
            "MONDO:0004992": [],
            "MONDO:0005015": [],
            "MONDO:0015967": ["MONDO:0005015", "MONDO:0003847"],
            "MONDO:0003847": [],
        }
    )
    cancer, breast, diabetes, hereditary = (
        f"disease-research/MONDO:{code}" for code in ("0004992", "0007254", "0005015", "0003847")
    )
    assert within(breast, cancer, table) is True
    assert within(cancer, breast, table) is None
    assert within(breast, diabetes, table) is False
    assert within(diabetes, hereditary, table) is None
    assert within(breast, "disease-research/MONDO:9999999", table) is None
    assert within(breast, cancer) is None
    assert within(breast, breast) is True
    assert covers([cancer], breast, table)
    assert not covers([cancer], breast)
    assert state("purpose", "isNoneOf", (cancer,), breast, table) is False
    assert state("purpose", "isNoneOf", (cancer,), diabetes, table) is True


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("DUO:0000042", "general-research"),
        ("obo:DUO_0000043", "clinical-care"),
        ("http://purl.obolibrary.org/obo/DUO_0000004", "any"),
        ("http://purl.obolibrary.org/obo/MONDO_0005010", "disease-research/MONDO:0005010"),
        ("EHDS:53(1)(b)", "policy-making"),
        ("EHDS:53(1)(e)(ii)", "algorithm-testing"),
        ("https://w3id.org/xinglin/terms/1/purpose/care-quality", "care-quality"),
        ("DUO:0000007", None),
        ("EHDS:54(c)", None),
        ("EHDS:", None),
        ("", None),
        ("advertising", None),
    ],
)
def test_purposes_are_read_as_others_spell_them(word: str, code: str | None) -> None:
    assert read_purpose(word) == code


def test_every_purpose_of_article_53_is_there() -> None:
    articles = {one.ehds for one in PURPOSES.values()}
    assert {f"53(1)({letter})" for letter in "abcdef"} <= articles
    assert {f"54({letter})" for letter in "abcde"} <= articles
    assert all(one.prohibited == one.ehds.startswith("54") for one in PURPOSES.values() if one.ehds)


@pytest.mark.parametrize(
    ("constraint", "code"),
    [
        (Constraint("purpos", "eq", "education"), "terms.operand_unknown"),
        (Constraint("purpose", "equals", "education"), "terms.operator_unknown"),
        (Constraint("count", "isPartOf", ("5",)), "terms.operator_unknown"),
        (Constraint("count", "lteq", "5", "persons"), "terms.unit_unknown"),
        (Constraint("count", "lteq", "5", "uses"), "terms.policy_malformed"),
        (Constraint("count", "lteq", "five"), "terms.value_unknown"),
        (Constraint("count", "lteq", "-1"), "terms.value_unknown"),
        (Constraint("kAnonymity", "gteq", "0"), "terms.value_unknown"),
        (Constraint("count", "lteq", "05"), "terms.policy_malformed"),
        (Constraint("count", "lteq", ("5",)), "terms.policy_malformed"),
        (Constraint("purpose", "isAnyOf", "education"), "terms.policy_malformed"),
        (Constraint("purpose", "isAnyOf", ()), "terms.policy_malformed"),
        (Constraint("purpose", "isAnyOf", ("public-health", "education")), "terms.policy_malformed"),
        (Constraint("purpose", "isAnyOf", ("advertising",)), "terms.value_unknown"),
        (Constraint("dateTime", "lt", "2026-01-01T00:00:00"), "terms.value_unknown"),
        (Constraint("dateTime", "lt", "2026-01-01"), "terms.value_unknown"),
        (Constraint("elapsedTime", "lteq", "P3M"), "terms.value_unknown"),
        (Constraint("network", "isPartOf", ("10.0.0.1/8",)), "terms.value_unknown"),
        (Constraint("openingHours", "isAnyOf", ("Mo-Fr 08:00-18:00",)), "terms.value_unknown"),
        (Constraint("openingHours", "isAnyOf", ("Mo-Fr 08:00-18:00 Mars/Base",)), "terms.value_unknown"),
        (Constraint("place", "isPartOf", ("CN-310000",)), "terms.policy_malformed"),
        (Constraint("place", "isPartOf", ("http://example.org/EU",)), "terms.value_unknown"),
        (Constraint("environment", "eq", "enclave"), "terms.value_unknown"),
        (Logical("not", (Constraint("count", "lteq", "5"),)), "terms.operator_unknown"),
        (Logical("any", ()), "terms.policy_malformed"),
    ],
)
def test_what_is_not_known_is_refused_when_it_is_written(constraint: Constraint | Logical, code: str) -> None:
    assert refusal(constraint) == {code}
    assert refusal(Logical("any", (Constraint("count", "gteq", "0"), constraint))) == {code}


def test_a_refusal_names_the_nearest_known_word() -> None:
    cases = {
        "purpos": "purpose", "Spatial": "place", "kAnonimity": "kAnonymity", "commercialize": "commercialise",
        "http://www.w3.org/ns/odrl/2/spatial": "place", "delet": "delete", "qqqq": "",
    }  # fmt: skip
    assert {word: nearest(word) for word in cases} == cases
    verdict = check_policy(Policy((Permission("trainning", (Constraint("purpos", "eq", "education"),)),)))
    assert isinstance(verdict, Denied)
    assert [reason.remedy.partition("?")[0] for reason in verdict.reasons] == [
        "Did you mean 'training'", "Did you mean 'purpose'",
    ]  # fmt: skip


def test_actions_and_duties_are_not_taken_for_each_other() -> None:
    assert refusal(permissions=(Permission("log"),)) == {"terms.action_unknown"}
    assert refusal(duties=(Duty("training"),)) == {"terms.duty_unknown"}
    assert refusal(version=2) == {"terms.version"}


def test_one_more_than_a_limit_is_refused() -> None:
    part = Constraint("count", "lteq", "5")
    fitting = Policy((Permission("use", (part,) * limits.CONSTRAINTS.value),))
    assert check_policy(fitting) == Allowed()
    assert refusal(*(part,) * (limits.CONSTRAINTS.value + 1)) == {"terms.policy_malformed"}
    assert check_policy(Policy((Permission("use"),) * limits.RULES.value)) == Allowed()
    assert refusal(permissions=(Permission("use"),) * (limits.RULES.value + 1)) == {"terms.policy_malformed"}
    names = tuple(sorted(f"t.c{n}" for n in range(limits.VALUES.value + 1)))
    assert check_policy(Policy((Permission("use", (Constraint("variable", "isPartOf", names[1:]),)),))) == Allowed()
    assert refusal(Constraint("variable", "isPartOf", names)) == {"terms.policy_malformed"}
    nested: Constraint | Logical = part
    for _ in range(limits.LOGIC_DEPTH.value):
        nested = Logical("any", (nested,))
    assert check_policy(Policy((Permission("use", (nested,)),))) == Allowed()
    assert refusal(Logical("any", (nested,))) == {"terms.policy_malformed"}


def test_a_tower_of_constraints_falls_over_nothing() -> None:
    tower: Constraint | Logical = Constraint("count", "lteq", "5")
    for _ in range(5_000):
        tower = Logical("all", (tower,))
    assert refusal(tower) == {"terms.policy_malformed"}


GRANT = Permission("statistics", (Constraint("count", "lteq", "5"), Constraint("place", "isPartOf", ("CN",))))


def test_every_reason_is_told_each_with_what_would_change_it() -> None:
    policy = Policy((GRANT,), (Prohibition("use", (Constraint("purpose", "isAnyOf", ("education",)),)),))
    verdict = compile_policy(policy).judge(Asked("statistics", {"count": "6", "purpose": "education"}))
    assert isinstance(verdict, Denied)
    assert verdict.codes == ("terms.not_met_count", "terms.prohibited_use", "terms.unknown_place")
    assert all(reason.words and reason.remedy for reason in verdict.reasons)


def test_a_prohibition_wins_and_one_permission_is_enough() -> None:
    asked = Asked("statistics", {"count": "1", "place": "CN-SH", "purpose": "education"})
    other = Permission("use", (Constraint("study", "eq", "x"),))
    assert compile_policy(Policy((other, GRANT))).judge(asked) == Allowed()
    assert not compile_policy(Policy((GRANT,), (Prohibition("statistics"),))).judge(asked)
    assert not compile_policy(Policy((GRANT,), (Prohibition("use"),))).judge(asked)
    assert compile_policy(Policy((GRANT,), (Prohibition("training"),))).judge(asked) == Allowed()


def test_a_part_that_is_prohibited_spoils_the_whole() -> None:
    policy = Policy((Permission("use"),), (Prohibition("training"),))
    assert compile_policy(policy).judge(Asked("statistics")) == Allowed()
    verdict = compile_policy(policy).judge(Asked("use"))
    assert isinstance(verdict, Denied)
    assert verdict.codes == ("terms.not_ruled_out_training",)


def test_duties_are_conditions() -> None:
    within_days = Duty("delete", (Constraint("elapsedTime", "lteq", "P180D"),))
    policy = Policy(
        (Permission("use", (), (within_days,)), Permission("use", (), (Duty("publish"),))), (), (Duty("log"),)
    )
    assert compile_policy(policy).judge(Asked("read")) == Allowed(
        ("duty:delete elapsedTime lteq P180D", "duty:log", "duty:publish")
    )


@pytest.mark.parametrize(
    ("operator", "counts", "expected"),
    [
        ("all", ("5", "6"), True),
        ("all", ("4", "6"), False),
        ("any", ("4", "6"), True),
        ("one", ("4", "6"), True),
        ("one", ("5", "6"), False),
        ("sequence", ("5", "6"), True),
    ],
)
def test_nested_constraints(operator: str, counts: tuple[str, str], expected: bool) -> None:
    nested = Logical(operator, tuple(Constraint("count", "lteq", count) for count in counts))
    verdict = compile_policy(Policy((Permission("use", (nested,)),))).judge(Asked("use", {"count": "5"}))
    assert bool(verdict) is expected
    assert not compile_policy(Policy((Permission("use", (nested,)),))).judge(Asked("use"))


def test_before_a_use_only_what_is_known_refuses() -> None:
    compiled = compile_policy(Policy((GRANT,), (Prohibition("use", (Constraint("recipient", "eq", "did:web:x"),)),)))
    assert compiled.prospect(Asked("statistics", {"count": "1"})) == Allowed(("open:place", "open:recipient"))
    full = {"count": "1", "place": "CN", "recipient": "did:web:y"}
    assert compiled.prospect(Asked("statistics", full)) == Allowed()
    for wrong in ({"count": "6"}, {"recipient": "did:web:x"}):
        assert not compiled.prospect(Asked("statistics", {**full, **wrong}))
    assert not compiled.prospect(Asked("training"))
    assert not compiled.prospect(Asked("nothing"))


def test_amounts_in_other_units_are_other_facts() -> None:
    paid = Constraint("payAmount", "gteq", "100", "CNY")
    policy = Policy((Permission("use", (paid,)),))
    assert check_policy(policy) == Allowed()
    assert compile_policy(policy).judge(Asked("use", {"payAmount:CNY": "100"}))
    assert not compile_policy(policy).judge(Asked("use", {"payAmount": "100"}))


def test_the_same_policy_is_one_digest() -> None:
    assert Policy((GRANT,)).digest() == Policy((GRANT,)).digest() != Policy((replace(GRANT, action="use"),)).digest()
