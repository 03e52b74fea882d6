"""A provider tightens and never loosens; grades beside other scales; a changed policy over decisions that were made."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from xinglin.catalogue.national import level_of as national_level
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.errors import TermsError
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.grades import GRADES, REQUIREMENTS
from xinglin.terms.grading import (
    CARE,
    CARE_FIELDS,
    GRADE_WORDS,
    LEVELS,
    REQUIREMENT_WORDS_ZH,
    grade_table,
    level_of,
    release_grade,
)
from xinglin.terms.policy import RULES, Constraint, Duty, Permission, Policy, Prohibition
from xinglin.terms.simulate import RECORDS, Recorded, findings, simulate
from xinglin.terms.tighten import at_least_as_strict, tighten


def count(operator: str, value: str) -> Constraint:
    return Constraint("count", operator, value)


OFFERED = Policy((Permission("use", (count("lteq", "10"),)),), (), (Duty("log"),))
OWN = Policy(
    (Permission("statistics", (count("lteq", "5"), Constraint("place", "isPartOf", ("CN",)))),),
    (Prohibition("redistribute"),),
    (Duty("publish"),),
)


def test_tightening_joins_both() -> None:
    both = tighten(OWN, OFFERED)
    assert both.permissions == (
        Permission("statistics", (count("lteq", "5"), Constraint("place", "isPartOf", ("CN",)), count("lteq", "10"))),
    )
    assert both.prohibitions == OWN.prohibitions
    assert both.duties == (Duty("publish"), Duty("log"))
    assert at_least_as_strict(both, OWN)
    assert at_least_as_strict(both, OFFERED)
    assert not at_least_as_strict(OFFERED, both)


@pytest.mark.parametrize(
    ("strict", "loose", "expected"),
    [
        (count("lteq", "5"), count("lteq", "10"), True),
        (count("lt", "10"), count("lteq", "10"), True),
        (count("lteq", "10"), count("lt", "10"), False),
        (count("eq", "3"), count("lteq", "10"), True),
        (count("gteq", "5"), count("gteq", "4.5"), True),
        (Constraint("place", "isPartOf", ("CN-SH",)), Constraint("place", "isPartOf", ("CN",)), True),
        (Constraint("place", "isPartOf", ("CN",)), Constraint("place", "isPartOf", ("CN-SH",)), False),
        (Constraint("network", "eq", "10.1.2.3"), Constraint("network", "isPartOf", ("10.0.0.0/8",)), True),
        (Constraint("purpose", "eq", "product-development"), Constraint("purpose", "isA", "health-research"), True),
        (Constraint("variable", "isPartOf", ("heart.age",)), Constraint("variable", "isPartOf", ("heart.*",)), True),
        (
            Constraint("recipient", "isNoneOf", ("did:a:1", "did:b:1")),
            Constraint("recipient", "isNoneOf", ("did:a:1",)),
            True,
        ),
        (Constraint("ethicsApproval", "isAllOf", ("a", "b")), Constraint("ethicsApproval", "isAnyOf", ("a",)), True),
        (Constraint("ethicsApproval", "isAnyOf", ("a",)), Constraint("ethicsApproval", "isNoneOf", ("b",)), False),
        (
            Constraint("openingHours", "isAnyOf", ("Mo-Fr 09:00-17:00 Z",)),
            Constraint("openingHours", "isAnyOf", ("Mo-Su 08:00-18:00 Z",)),
            True,
        ),
        (
            Constraint("openingHours", "isAnyOf", ("Mo-Fr 09:00-17:00 Z",)),
            Constraint("openingHours", "isAnyOf", ("Mo-Su 08:00-18:00 Asia/Shanghai",)),
            False,
        ),
        (count("lteq", "5"), Constraint("study", "eq", "s"), False),
    ],
)
def test_what_is_stricter_than_what(strict: Constraint, loose: Constraint, expected: bool) -> None:
    one, other = (Policy((Permission("use", (part,)),)) for part in (strict, loose))
    assert at_least_as_strict(one, other) is expected
    assert at_least_as_strict(one, one)
    cut = [Policy((Permission("use"),), (Prohibition("use", (part,)),)) for part in (strict, loose)]
    assert at_least_as_strict(cut[1], cut[0]) is expected


def test_duties_and_prohibitions_may_not_be_dropped() -> None:
    assert not at_least_as_strict(replace(OFFERED, duties=()), OFFERED)
    assert at_least_as_strict(replace(OFFERED, duties=(Duty("log"), Duty("pay"))), OFFERED)
    cut = replace(OFFERED, prohibitions=(Prohibition("training"),))
    assert at_least_as_strict(cut, OFFERED)
    assert not at_least_as_strict(OFFERED, cut)
    within = Duty("delete", (Constraint("elapsedTime", "lteq", "P90D"),))
    later = Duty("delete", (Constraint("elapsedTime", "lteq", "P180D"),))
    assert at_least_as_strict(replace(OFFERED, duties=(Duty("log"), within)), replace(OFFERED, duties=(later,)))
    assert not at_least_as_strict(replace(OFFERED, duties=(Duty("log"), later)), replace(OFFERED, duties=(within,)))


def test_what_cannot_be_joined_is_said() -> None:
    with pytest.raises(TermsError):
        tighten(Policy((Permission("walk"),)), OFFERED)
    many = Policy(tuple(Permission("use", (Constraint("study", "eq", f"s{n}"),)) for n in range(20)))
    more = Policy(tuple(Permission("use", (count("lteq", str(n)),)) for n in range(20)))
    assert RULES.value < 20 * 20
    with pytest.raises(TermsError):
        tighten(many, more)
    assert not at_least_as_strict(Policy((Permission("walk"),)), OFFERED)


def test_grades_have_a_level_on_other_scales() -> None:
    assert set(GRADE_WORDS) == {*GRADES, CARE}
    assert [GRADE_WORDS[grade].catalogue_code for grade in GRADES] == ["001", "003", "004"]
    assert len(LEVELS) == 5
    assert level_of("L3", ["genome"]) == 5
    assert set(REQUIREMENT_WORDS_ZH) == set(REQUIREMENTS)
    assert [row["grade"] for row in grade_table()] == ["L1", "L2", "L3", "care"]
    assert all(row["words_zh"] and row["level_words_zh"] for row in grade_table())
    assert not {"number", "address", "phone"} & set(CARE_FIELDS)


def test_the_catalogue_says_the_same_levels() -> None:
    from xinglin.catalogue.statement import ConfirmedGrade

    fields = dict.fromkeys(ConfirmedGrade.__struct_fields__, "")
    for grade, content in (("L1", ""), ("L2", ""), ("L3", ""), ("L3", "genome")):
        confirmed = ConfirmedGrade(**{**fields, "grade": grade, "found": content})
        assert national_level(confirmed) == level_of(grade, [content] if content else [])


def test_a_release_has_its_own_grade() -> None:
    assert release_grade(["l1/1"], "L3") == "L1"
    assert release_grade(["disclosure/1"], "L3") == "L2"
    assert release_grade([], "L2") == "L2"
    assert release_grade(["unheard"], "unheard") == "L3"


USE = Asked("statistics", {"count": "7", "place": "CN-SH", "study": "s"})


def test_a_changed_rule_is_run_over_decisions_that_were_made() -> None:
    before = compile_policy(OFFERED)
    asked = [replace(USE, values={**USE.values, "count": str(n)}) for n in range(1, 13)]
    records = [Recorded(f"run-{n}", n, one, before.judge(one)) for n, one in enumerate(asked)]
    assert simulate(OFFERED, records).differing == ()
    found = simulate(tighten(OWN, OFFERED), records)
    assert found.decisions == 12
    assert found.count("now-denied") == 5
    assert found.count("other-conditions") == 5
    looser = simulate(replace(OFFERED, permissions=(Permission("use", (count("lteq", "11"),)),)), records)
    assert [(one.id, one.change) for one in looser.differing] == [("run-10", "now-allowed")]
    assert isinstance(looser.differing[0].before, Denied)
    assert isinstance(looser.differing[0].after, Allowed)


def test_a_simulation_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Recorded("r", 0, USE, compile_policy(OFFERED).judge(USE))
    monkeypatch.setattr("xinglin.terms.simulate.RECORDS", replace(RECORDS, value=3))
    assert simulate(OFFERED, [one] * 3).decisions == 3
    with pytest.raises(LimitExceeded):
        simulate(OFFERED, [one] * 4)


def test_dead_superfluous_and_conflicting_rules_are_found() -> None:
    policy = Policy(
        (
            Permission("use", (count("lteq", "10"),)),
            Permission("statistics", (count("lteq", "5"),)),
            Permission("training", (count("gt", "10"), count("lt", "3"))),
            Permission("extract", (Constraint("place", "isPartOf", ("CN-SH",)),), (Duty("log"),)),
            Permission("use", (count("lteq", "10"),)),
        ),
        (
            Prohibition("extract", (Constraint("place", "isPartOf", ("CN",)),)),
            Prohibition("reidentify"),
            Prohibition("statistics", (Constraint("purpose", "isAnyOf", ("education",)),)),
            Prohibition("statistics", (Constraint("purpose", "eq", "education"), count("gteq", "1"))),
        ),
    )
    found = {(one.rule, one.finding, one.other) for one in findings(policy)}
    assert ("permission 1", "superfluous", "permission 0") in found
    assert ("permission 2", "dead", "") in found
    assert ("permission 3", "dead", "prohibition 0") in found
    assert ("permission 4", "superfluous", "permission 0") in found
    assert ("permission 0", "conflict", "prohibition 2") in found
    assert ("prohibition 1", "superfluous", "") in found
    assert ("prohibition 3", "superfluous", "prohibition 2") in found
    assert (
        not {("permission 0", kind, other) for kind in ("dead", "superfluous") for other in ("", "permission 4")}
        & found
    )
    unused = {one.rule for one in findings(policy, [Recorded("r", 0, USE, Allowed())]) if one.finding == "unused"}
    assert "permission 0" not in unused
    assert "permission 1" in unused
    assert [one.finding for one in findings(Policy((Permission("walk"),)))] == ["dead"]
