"""What holds for every policy: order never matters, tightening never permits, the unknown never passes."""

from __future__ import annotations

import json
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.generative.terms.policies import (
    ALL,
    ANCESTORS,
    CHOSEN,
    POOLS,
    asked,
    constraints,
    facts,
    parts,
    policies,
    prohibitions,
)

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.constraints import Value, compile_part
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.implied import excludes, implies
from xinglin.terms.odrl import from_odrl, to_odrl
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.purposes import Diseases
from xinglin.terms.reading import spelled
from xinglin.terms.simulate import Recorded, findings, simulate
from xinglin.terms.tighten import at_least_as_strict, tighten
from xinglin.terms.vocabulary import ACTIONS, DUTIES, OPERANDS, OPERATORS
from xinglin.terms.writing import canonical, check_policy

DISEASES = Diseases(ANCESTORS)


@given(policies)
def test_generated_policies_may_be_written(policy: Policy) -> None:
    assert check_policy(policy) == Allowed()
    assert canonical(policy) == policy


@given(policies, asked, st.randoms(use_true_random=False))
def test_order_never_matters(policy: Policy, one: Asked, random: Random) -> None:
    def mixed(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(items, len(items)))

    def within(part: Constraint | Logical) -> Constraint | Logical:
        return replace(part, parts=mixed(tuple(map(within, part.parts)))) if isinstance(part, Logical) else part

    def rule(one: Any) -> Any:
        return replace(one, constraints=mixed(tuple(map(within, one.constraints))))

    other = Policy(
        mixed(tuple(replace(rule(p), duties=mixed(tuple(map(rule, p.duties)))) for p in policy.permissions)),
        mixed(tuple(map(rule, policy.prohibitions))),
        mixed(tuple(map(rule, policy.duties))),
    )
    assert compile_policy(policy).judge(one) == compile_policy(other).judge(one)


@given(policies, policies, asked)
def test_tightened_allows_exactly_what_both_allow(own: Policy, offered: Policy, one: Asked) -> None:
    both = tighten(own, offered)
    verdicts = [compile_policy(policy).judge(one) for policy in (own, offered)]
    joined = compile_policy(both).judge(one)
    assert bool(joined) == all(map(bool, verdicts))
    if isinstance(joined, Allowed):
        assert set(joined.conditions) == {text for v in verdicts if isinstance(v, Allowed) for text in v.conditions}


@given(policies, policies)
def test_tightened_is_known_to_be_as_strict_as_both(own: Policy, offered: Policy) -> None:
    both = tighten(own, offered)
    assert check_policy(both) == Allowed()
    assert at_least_as_strict(both, own)
    assert at_least_as_strict(both, offered)


@st.composite
def _changed(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """Two policies of which the second is the first with rules and constraints added, dropped and exchanged."""
    policy = draw(policies)

    def some(items: tuple[Constraint | Logical, ...]) -> tuple[Constraint | Logical, ...]:
        kept = tuple(item for item in items if draw(st.booleans()))
        return (*kept, *draw(st.lists(parts(), max_size=1)))

    other = Policy(
        tuple(replace(p, constraints=some(p.constraints)) for p in policy.permissions),
        tuple(replace(p, constraints=some(p.constraints)) for p in policy.prohibitions if draw(st.booleans())),
        policy.duties if draw(st.booleans()) else (),
    )
    return policy, other


@given(_changed(), asked)
def test_what_is_said_to_be_as_strict_permits_nothing_more(pair: tuple[Policy, Policy], one: Asked) -> None:
    for strict, loose in (pair, pair[::-1]):
        if at_least_as_strict(strict, loose) and compile_policy(strict).judge(one):
            assert compile_policy(loose).judge(one)


@given(policies, parts(), prohibitions, asked, st.integers(0, 2))
def test_a_further_constraint_or_prohibition_never_permits(
    policy: Policy, part: Constraint | Logical, prohibition: Prohibition, one: Asked, position: int
) -> None:
    rules = list(policy.permissions)
    at = position % len(rules)
    rules[at] = replace(rules[at], constraints=(*rules[at].constraints, part))
    stricter = Policy(tuple(rules), (*policy.prohibitions, prohibition), policy.duties)
    for changed in (replace(stricter, prohibitions=policy.prohibitions), stricter):
        if compile_policy(changed).judge(one):
            assert compile_policy(policy).judge(one)


@given(policies, asked, st.sets(st.sampled_from(CHOSEN)))
def test_knowing_less_never_permits(policy: Policy, one: Asked, forgotten: set[str]) -> None:
    less = Asked(one.action, {name: value for name, value in one.values.items() if name not in forgotten})
    if compile_policy(policy).judge(less):
        assert compile_policy(policy).judge(one)


@given(policies, asked, st.sets(st.sampled_from(CHOSEN)))
def test_what_may_be_allowed_later_is_not_refused_before(policy: Policy, one: Asked, unknown: set[str]) -> None:
    early = Asked(one.action, {name: value for name, value in one.values.items() if name not in unknown})
    if compile_policy(policy).judge(one):
        assert compile_policy(policy).prospect(early)


@given(policies, asked, st.data())
def test_an_unknown_word_never_passes(policy: Policy, one: Asked, data: st.DataObject) -> None:
    odd = st.text(max_size=12).filter(lambda text: text not in {*OPERANDS, *OPERATORS, *ACTIONS, *DUTIES})
    word = data.draw(odd)
    name = data.draw(st.sampled_from(CHOSEN))
    broken = data.draw(
        st.sampled_from(
            [
                Constraint(word, "eq", "x"),
                Constraint(name, word, "x"),
                Constraint("count", "lteq", "5", f"{word} "),
                Constraint("place", "eq", "XX" + word),
                Constraint("grade", "eq", "L4"),
                Logical("any", (Constraint("count", "gteq", "0"), Constraint(word, "eq", "x"))),
                Logical(word, (Constraint("count", "gteq", "0"),)),
            ]
        )
    )
    permission = policy.permissions[0]
    spoiled = [
        replace(policy, permissions=(replace(permission, constraints=(broken,)), *policy.permissions)),
        replace(policy, prohibitions=(*policy.prohibitions, Prohibition("use", (broken,)))),
        replace(policy, duties=(*policy.duties, Duty("delete", (broken,)))),
        replace(policy, permissions=(*policy.permissions, Permission(word))),
        replace(policy, prohibitions=(*policy.prohibitions, Prohibition(word))),
        replace(policy, duties=(*policy.duties, Duty(word))),
        replace(policy, version=policy.version + 1),
    ]
    for one_policy in spoiled:
        checked = check_policy(one_policy)
        assert isinstance(checked, Denied)
        verdict = compile_policy(one_policy).judge(one)
        assert isinstance(verdict, Denied)
        assert set(checked.codes) <= set(verdict.codes)
        assert not compile_policy(one_policy).prospect(one)
    assert not compile_policy(policy).judge(replace(one, action=word))


@given(policies, st.sampled_from(("Offer", "Agreement", "Set")), st.sampled_from(("short", "absolute")))
def test_what_is_written_is_read_again(policy: Policy, kind: str, spelling: str) -> None:
    document = to_odrl(policy, kind, "urn:uuid:1", target="urn:t", spelling=spelling)  # type: ignore[arg-type]
    assert from_odrl(json.loads(json.dumps(document))) == policy


_KEYS = (
    *("@id", "@type", "@value", "@list", "permission", "prohibition", "action", "constraint", "and", "leftOperand"),
    *("operator", "rightOperand", "target", "duty", "odrl:permission", "unit", "x"),
)


def _nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), _nested))
def test_any_json_is_read_or_refused(document: object) -> None:
    try:
        from_odrl(document)
    except XinglinError as error:
        assert str(error)


@given(st.lists(constraints(("count", "place", "purpose", "variable")), min_size=1, max_size=3), constraints(), facts())
def test_what_is_implied_holds(given_: list[Constraint], wanted: Constraint, known: dict[str, Value]) -> None:
    _implied(given_, wanted, known)


@given(st.sampled_from(ALL).flatmap(lambda n: st.tuples(constraints((n,)), constraints((n,)), facts((n,)))))
def test_what_is_implied_on_one_operand_holds(drawn: tuple[Constraint, Constraint, dict[str, Value]]) -> None:
    one, other, known = drawn
    _implied([one], other, known)


def _implied(given_: list[Constraint], wanted: Constraint, known: dict[str, Value]) -> None:
    states = [compile_part(part, DISEASES).test(known) for part in given_]
    state = compile_part(wanted, DISEASES).test(known)
    if implies(given_, wanted, DISEASES):
        assert state is True or not all(states)
        assert state is not False or False in states
    if excludes(given_, [wanted], DISEASES):
        assert not (all(states) and state)


@given(policies, st.lists(asked, max_size=4))
def test_dead_rules_never_matter(policy: Policy, many: list[Asked]) -> None:
    for one in findings(policy):
        kind, _, position = one.rule.partition(" ")
        if one.finding not in ("dead", "superfluous"):
            continue
        name = f"{kind}s"
        rules = getattr(policy, name)
        without = replace(policy, **{name: rules[: int(position)] + rules[int(position) + 1 :]})
        for use in many:
            assert bool(compile_policy(policy).judge(use)) == bool(compile_policy(without).judge(use))


@given(policies, st.lists(asked, max_size=5))
def test_the_same_policy_changes_no_decision(policy: Policy, many: list[Asked]) -> None:
    records = [Recorded(str(n), n, one, compile_policy(policy).judge(one)) for n, one in enumerate(many)]
    assert simulate(policy, records).differing == ()


_DECIMALS = st.from_regex(r"-?[0-9]{1,24}(\.[0-9]{1,12})?", fullmatch=True)


@given(_DECIMALS, _DECIMALS, st.sampled_from(("eq", "neq", "lt", "lteq", "gt", "gteq")))
def test_numbers_compare_as_numbers(left: str, right: str, operator: str) -> None:
    value = spelled(OPERANDS["count"], right)
    assert value is not None
    state = compile_part(Constraint("count", operator, value), DISEASES).test({"count": left})
    a, b = Fraction(left), Fraction(right)
    wanted = {"eq": a == b, "neq": a != b, "lt": a < b, "lteq": a <= b, "gt": a > b, "gteq": a >= b}
    assert state is wanted[operator]
    assert Fraction(value) == b


def test_every_value_of_the_pools_is_known() -> None:
    assert all(spelled(OPERANDS[name], text) for name in ALL for text in POOLS[name])
