"""The strictest pack: never looser than any part, and the same in any order and grouping."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.privacy.packs import SHIPPED, BadPack, at_least, read_pack, rules_of, shipped, strictest_pack
from xinglin.privacy.packs.model import CLASSES, EXTREMES, SMALL, TOTALS, ZEROS, Dominance, Origin, Pack, Settings
from xinglin.privacy.packs.model import Rounding as Step
from xinglin.privacy.packs.rounding import begins_step, merges, shown_from, step_start, told_counts
from xinglin.terms.thresholds import strictest

named = st.lists(st.sampled_from(SHIPPED), min_size=1, max_size=5)
shares = st.fractions(Fraction(1, 20), 1, max_denominator=20)
steps = st.one_of(st.just(Step()), st.builds(Step, st.sampled_from(("nearest", "midpoint", "up")), st.integers(2, 12)))


@st.composite
def packs(draw: st.DrawFn) -> Pack:
    """A pack of a hospital's own."""
    s = Settings(
        min_cell=draw(st.integers(1, 15)),
        small=draw(st.sampled_from(SMALL)),
        zeros=draw(st.sampled_from(ZEROS)),
        dominance=tuple(draw(st.lists(st.builds(Dominance, st.integers(1, 3), shares, st.booleans()), max_size=2))),
        p_ratio=draw(shares),
        class_disclosure=draw(st.sampled_from(CLASSES)),
        rounding=draw(steps),
        round_instead=draw(st.integers(0, 10)),
        totals=draw(st.sampled_from(TOTALS)),
        extremes=draw(st.sampled_from(EXTREMES)),
        min_dof=draw(st.integers(1, 20)),
        max_params_share=draw(shares),
        text_chars=draw(st.integers(1, 100)),
        formats_blocked=tuple(draw(st.lists(st.sampled_from(("svg", "gph", "pdf")), unique=True, max_size=2))),
        lock_repeats=draw(st.integers(1, 9)),
        reviewers=draw(st.integers(0, 3)),
    )
    if s.small == "hide":
        # As loading asks for: a threshold where a step begins.
        import msgspec

        s = msgspec.structs.replace(s, min_cell=shown_from(s))
    name = f"p{draw(st.integers(0, 10**6))}"
    origins = tuple(Origin(f, name, "ours") for f in Settings.__struct_fields__)
    return Pack(name, name, name, s, tuple(sorted(origins)))


@settings(max_examples=40)
@given(st.lists(packs(), min_size=1, max_size=4, unique_by=lambda p: p.name), st.randoms())
def test_order_repetition_and_grouping_do_not_matter(parts: list[Pack], random: object) -> None:
    whole = strictest_pack(parts)
    mixed = [*parts, parts[0]]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert strictest_pack(mixed) == whole
    cut = len(parts) // 2
    grouped = [strictest_pack(group) for group in (parts[:cut], parts[cut:]) if group]
    again = strictest_pack(grouped)
    assert (again.settings, again.origins, again.name) == (whole.settings, whole.origins, whole.name)


@settings(max_examples=40)
@given(st.lists(packs(), min_size=1, max_size=4, unique_by=lambda p: p.name))
def test_never_looser_than_any_part(parts: list[Pack]) -> None:
    whole = strictest_pack(parts)
    assert all(at_least(whole, part) for part in parts)
    assert at_least(whole, whole)


@settings(max_examples=30)
@given(st.lists(packs(), min_size=1, max_size=4, unique_by=lambda p: p.name))
def test_what_a_part_hides_is_hidden_and_a_shown_count_is_as_blurred(parts: list[Pack]) -> None:
    whole = strictest_pack(parts).settings
    counts = np.arange(60)
    told = told_counts(whole, counts)
    for part in parts:
        own = told_counts(part.settings, counts)
        assert not np.any((own == -1) & (told != -1))
        # Among counts above nought: whether nought may be shown is a setting of its own.
        many, theirs = told_counts(whole, np.arange(1, 120)), told_counts(part.settings, np.arange(1, 120))
        for count in range(1, 60):
            if told[count] > 0 and own[count] > 0:
                assert np.sum(many == told[count]) >= min(np.sum(theirs == own[count]), part.settings.rounding.base)


@given(named)
def test_shipped_packs_join(names: list[str]) -> None:
    parts = [shipped(name) for name in names]
    whole = strictest_pack(parts)
    assert whole.name == "+".join(sorted(set(names)))
    assert all(at_least(whole, part) for part in parts)
    stated = [part for part in parts if part.states("min_cell")]
    assert all(rules_of(whole).min_cell >= rules_of(part).min_cell for part in stated)


def test_of_two_bases_that_stand_in_for_hiding_the_greater_holds() -> None:
    def offered(base: int) -> Pack:
        return Pack(f"p{base}", "p", "p", Settings(round_instead=base), ())

    assert strictest_pack([offered(5), offered(10)]).settings.round_instead == 10
    assert strictest_pack([offered(5), offered(10), offered(0)]).settings.round_instead == 0
    assert at_least(offered(10), offered(5)) and not at_least(offered(5), offered(10))


@given(steps.filter(lambda one: one.kind != "none"), st.sampled_from(("nearest", "midpoint", "up")), st.integers(2, 80))
def test_a_rounding_that_merges_steps_tells_nothing_more(fine: Step, kind: str, base: int) -> None:
    coarse = Step(kind, base)
    ends = {k for k in range(1, 600) if begins_step(coarse, k)}
    inside = [k for k in sorted(ends) if not begins_step(fine, k)]
    if merges(coarse, fine):
        assert not inside
    elif coarse.kind == fine.kind:
        assert inside, "nothing is refused that could be allowed"
    assert all(step_start(coarse, k) == max((e for e in ends if e <= k), default=0) for k in range(600))


def test_who_states_the_setting_that_holds_is_named() -> None:
    whole = strictest_pack([shipped("ehds"), shipped("sacro"), shipped("uk-llc")])
    assert whole.names_of("min_cell") == "sacro, uk-llc"
    assert whole.names_of("dominance") == "sacro"


def test_gate_rules_of_a_silent_pack_stay_at_the_default() -> None:
    rules = rules_of(shipped("codex"))
    assert (rules.min_cell, rules.min_hospitals, rules.publish_zeros) == (10, 3, True)
    assert strictest([rules, rules_of(shipped("sacro"))]).publish_zeros is False


def test_nobody_named_is_refused() -> None:
    with pytest.raises(BadPack):
        strictest_pack([])


GOOD = 'version = 1\nname = "mine"\ntitle = "Mine"\n[setting.min_cell]\nvalue = 7\nsource = "our board, 2026"\n'


def test_a_hospitals_own_pack_is_read() -> None:
    own = read_pack(GOOD)
    assert own.settings.min_cell == 7
    assert own.settings.small == "hide" and own.names_of("small") == "mine", "a threshold alone hides"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 2", "version"),
        (GOOD.replace("min_cell", "min_cel"), "no setting"),
        (GOOD.replace('source = "our board, 2026"', 'source = " "'), "source"),
        (GOOD.replace("7", '"7"'), "another kind"),
        (GOOD.replace("7", "true"), "another kind"),
        (GOOD.replace("7", "0"), "at least 1"),
        (GOOD.replace('"mine"', '"Mine Own"'), "name"),
        (GOOD + "[setting.min_cell]\n", "TOML"),
        (GOOD + "extra = 1\n", "value and a source"),
        (GOOD + '[setting.dominance]\nvalue = [{ n = 1, share = 1.5 }]\nsource = "x"\n', "share"),
        (GOOD + '[setting.dominance]\nvalue = [{ n = 1 }]\nsource = "x"\n', "cannot be read"),
        (GOOD + '[setting.p_ratio]\nvalue = "1/0"\nsource = "x"\n', "cannot be read"),
        (GOOD + '[setting.zeros]\nvalue = "maybe"\nsource = "x"\n', "one of"),
        (GOOD + '[setting.rounding]\nvalue = { kind = "sideways", base = 5 }\nsource = "x"\n', "rounding"),
        (
            GOOD.replace("7", "6")
            + '[setting.small]\nvalue = "hide"\nsource = "x"\n'
            + '[setting.rounding]\nvalue = { kind = "nearest", base = 5 }\nsource = "x"\n',
            "inside a step",
        ),
    ],
)
def test_what_is_no_pack_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadPack, match=words):
        read_pack(text)
