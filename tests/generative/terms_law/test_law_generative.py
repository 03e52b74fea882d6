"""Law packs over generated subjects: order never matters, a pack more never takes a reason away, and what is not
known is never satisfied into a yes that knowing could not give."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from xinglin.terms.fences import Circumstances, Fence, inside, tighten
from xinglin.terms.law.answers import Answer, record_answer
from xinglin.terms.law.conditions import Clause, Condition, Joined, condition_text, facts_of, holds
from xinglin.terms.law.engine import check_articles, law_reasons
from xinglin.terms.law.errors import LawError
from xinglin.terms.law.facts import FACTS, Fact
from xinglin.terms.law.loading import PACKS, load_pack, read_pack
from xinglin.terms.law.model import Pack
from xinglin.terms.law.subject import LawSubject
from xinglin.terms.purposes import PURPOSES

NOW = 1_795_000_000_000
DAY = 86_400_000
PLACES = ("CN-SH", "CN-ZJ", "CN-HK", "CN", "DE", "NO", "US", "EU")
CODES = sorted(code for code in PURPOSES if code != "disease-research")
NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 183, 184, 365, 366, 500, 501, 10_000_000])
INSTANTS = st.sampled_from([NOW - 732 * DAY, NOW - 366 * DAY, NOW - DAY, NOW, NOW + 1, NOW + 9 * DAY])


def values(fact: Fact) -> st.SearchStrategy[Any]:
    words = sorted(fact.values)
    return {
        "flag": st.booleans(),
        "word": st.sampled_from(words or ["x"]),
        "words": st.frozensets(st.sampled_from(words or ["x"])),
        "number": NUMBERS,
        "instant": INSTANTS,
        "place": st.sampled_from(PLACES),
        "places": st.frozensets(st.sampled_from(PLACES), max_size=3),
        "purposes": st.frozensets(st.sampled_from(CODES), min_size=1, max_size=3),
    }[fact.kind]


STATED = {name: fact for name, fact in FACTS.items() if not fact.derived and name != "at"}
SUBJECTS = st.builds(
    lambda known: LawSubject(matter="s", at=NOW, **known),
    st.fixed_dictionaries({}, optional={name: values(fact) for name, fact in STATED.items()}),
)
QUESTIONS = [rule for name in PACKS for rule in load_pack(name).rules if rule.question]


@st.composite
def answers(draw: st.DrawFn) -> tuple[Answer, ...]:
    chosen = draw(st.lists(st.sampled_from(QUESTIONS), max_size=6))
    return tuple(
        record_answer(rule, matter="s", yes=draw(st.booleans()), by="p", at=NOW - draw(st.integers(0, 400)) * DAY)
        for rule in chosen
    )


CHOSEN = st.lists(st.sampled_from(PACKS), max_size=5, unique=True)


@given(SUBJECTS, CHOSEN, answers(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_order_never_matters(subject: LawSubject, packs: list[str], given_: tuple[Answer, ...], chance: Any) -> None:
    reasons = law_reasons(subject, packs, given_)
    mixed: list[Pack] = []
    for name in packs:
        rules = list(load_pack(name).rules)
        chance.shuffle(rules)
        mixed.append(replace(load_pack(name), rules=tuple(rules)))
    chance.shuffle(mixed)
    others = list(given_)
    chance.shuffle(others)
    assert law_reasons(subject, mixed, others) == reasons


@given(SUBJECTS, CHOSEN, st.sampled_from(PACKS), answers())
@settings(max_examples=60)
def test_a_pack_more_never_takes_a_reason_away(
    subject: LawSubject, packs: list[str], more: str, given_: tuple[Answer, ...]
) -> None:
    assert set(law_reasons(subject, packs, given_)) <= set(law_reasons(subject, [*packs, more], given_))


@given(SUBJECTS, st.sampled_from(PACKS), st.data())
@settings(max_examples=100)
def test_knowing_less_never_satisfies_more(subject: LawSubject, pack: str, data: st.DataObject) -> None:
    """Kleene: an open condition can only close; what was in the way stays in the way when less is known."""
    name = data.draw(st.sampled_from(sorted(STATED)))
    less = replace(subject, **{name: None})
    for rule in load_pack(pack).rules:
        for condition in (rule.applies, rule.check):
            with_, without = holds(condition, subject), holds(condition, less)
            assert without is None or without is with_, (rule.key, name)
    before = {one.rule for one in check_articles(subject, [pack]).articles if one.reason is not None}
    after = {one.rule for one in check_articles(less, [pack]).articles if one.reason is not None}
    assert before <= after


@given(SUBJECTS, st.sampled_from(PACKS))
@settings(max_examples=100)
def test_every_outcome_is_explained(subject: LawSubject, pack: str) -> None:
    for one in check_articles(subject, [pack]).articles:
        assert one.how
        assert (one.reason is None) == (one.outcome in ("satisfied", "not applicable"))
        assert bool(one.question) == (one.outcome == "needs an answer")
        assert bool(one.missing) <= (one.outcome == "not known")


CLAUSES = st.builds(
    lambda fact, value: Clause(fact, "is", value),
    st.sampled_from([name for name, fact in FACTS.items() if fact.kind == "flag" and not fact.derived]),
    st.booleans(),
)
CONDITIONS = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        st.builds(lambda parts: Joined("all", tuple(parts)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: Joined("any", tuple(parts)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: Joined("not", (part,)), inner),
    ),
    max_leaves=8,
)


@given(CONDITIONS, SUBJECTS)
def test_conditions_follow_kleene(condition: Condition, subject: LawSubject) -> None:
    """What holds or fails with facts unknown, does so under every value of them."""
    state = holds(condition, subject)
    assert condition_text(condition)
    if state is None:
        return
    for value in (True, False):
        filled = {name: value for name in facts_of(condition) if getattr(subject, name) is None}
        assert holds(condition, replace(subject, **filled)) is state


@given(st.text(max_size=300))
def test_any_text_is_a_pack_or_refused(text: str) -> None:
    try:
        read_pack(text)
    except LawError as error:
        assert error.remedy


FENCES = st.builds(
    Fence,
    name=st.just("f"),
    networks=st.sampled_from([(), ("10.0.0.0/8",), ("10.1.0.0/16", "2001:db8::/32")]),
    places=st.sampled_from([(), ("CN",), ("CN-SH", "DE")]),
    hours=st.sampled_from([(), ("Mo-Fr 08:00-18:00 Asia/Shanghai",), ("22:00-06:00 Europe/Berlin",)]),
    environments=st.sampled_from([(), ("node",), ("node", "attested-enclave")]),
)
AROUND = st.builds(
    Circumstances,
    at=st.integers(NOW, NOW + 20 * DAY),
    address=st.sampled_from(["", "10.1.2.3", "10.2.2.3", "2001:db8::1"]),
    place=st.sampled_from(["", *PLACES]),
    environment=st.sampled_from(["", "node", "attested-enclave", "workspace"]),
)


@given(FENCES, FENCES, AROUND)
def test_tightening_never_lets_in(fence: Fence, other: Fence, around: Circumstances) -> None:
    both = inside(tighten(fence, other), around)
    assert bool(both) == (bool(inside(fence, around)) and bool(inside(other, around)))
