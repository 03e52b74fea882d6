"""The examples that the publishers of the packs print, and the settings that they publish."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from xinglin.privacy.packs import SHIPPED, apply, check_repeats, count_table, noise_of, rules_of, shipped, sum_table
from xinglin.privacy.packs.model import Rounding, Settings
from xinglin.privacy.packs.rounding import rounded, shown_from, told_counts
from xinglin.terms.thresholds import DisclosureRules

KEY = bytes(range(32))
AGES = {"age": ["21-30", "31-40", "41-50", "51+"]}


def told(pack: str, counts: list[int], **more: object) -> list[float | None]:
    protected = apply(shipped(pack), count_table("t", AGES, counts), **more)
    return [None if np.isnan(cell) else float(cell) for cell in protected.cells]


def ambiguity(s: Settings, count: int) -> int:
    """How many counts read the same as ``count``."""
    told = told_counts(s, np.arange(count + 40))
    return int(np.sum(told == told[count]))


def test_opensafely_redacts_then_rounds_and_totals_are_those_of_the_rounded() -> None:
    """documentation, outputs/sdc, "Rounding counts": the table before and after."""
    assert told("opensafely", [3, 8, 16, 23]) == [None, 10, 15, 25, 50]
    assert told("opensafely", [18, 23, 31, 44]) == [20, 25, 30, 45, 120]


def test_redacting_up_to_5_and_rounding_to_5_gave_6_and_7_away() -> None:
    """The rule before: a shown 5 was 6 or 7. The pack redacts up to 7, and each shown count stands for five."""
    before = Settings(min_cell=6, small="hide", rounding=Rounding("nearest", 5))
    naive = [c for c in range(6, 40) if rounded(before.rounding, [c])[0] == 5]
    assert naive == [6, 7]
    assert shown_from(before) == 8, "the threshold moves to where a step begins"
    now = shipped("opensafely").settings
    assert [told_counts(now, [c])[0] for c in (6, 7, 8, 12, 13)] == [-1, -1, 10, 10, 15]
    assert {ambiguity(now, count) for count in range(8, 60)} == {5}


def test_midpoint_6_as_printed() -> None:
    """documentation, outputs/sdc, the mapping of roundmid_any(x, to = 6)."""
    s = shipped("opensafely-midpoint6").settings
    assert told_counts(s, range(19)).tolist() == [0] + [3] * 6 + [9] * 6 + [15] * 6
    assert {ambiguity(s, count) for count in range(1, 60)} == {6}
    steps = rounded(s.rounding, np.arange(1, 6001))
    assert abs(float(np.mean(steps - np.arange(1, 6001)))) <= 0.5, "unbiased"


def test_opensafely_secondary_disclosure_by_totals() -> None:
    """documentation, "Primary vs secondary": one redacted cell beside an exact total is no protection."""
    one = apply(shipped("sacro"), count_table("heart disease", AGES, [1, 10, 15, 25]))
    assert one.is_hidden((0,)) and len(one.hidden) >= 2
    assert told("opensafely", [1, 10, 15, 25])[0] is None
    assert told("opensafely", [1, 10, 15, 25])[-1] == 10 + 15 + 25, "the total is of what is told"


def test_opensafely_shows_zeros_and_has_people_look_at_whole_groups() -> None:
    table = count_table("t", {"age": ["a", "b"], "used": ["yes", "no"]}, [[0, 40], [20, 30]])
    protected = apply(shipped("opensafely"), table)
    assert protected.cells[0, 0] == 0
    assert [ask.code for ask in protected.asks] == ["privacy.class_disclosure"]
    assert shipped("opensafely").settings.reviewers == 2


def test_codex_as_written() -> None:
    """fc - fc mod 10 + 10: no site ever says nought, and 0 to 9 read 10."""
    s = shipped("codex").settings
    assert told_counts(s, [0, 1, 9, 10, 19, 20, 99, 100]).tolist() == [10, 10, 10, 20, 20, 30, 100, 110]
    assert all(fc - fc % 10 + 10 == told_counts(s, [fc])[0] for fc in range(500))
    assert {ambiguity(s, count) for count in range(100)} == {10}


def test_acro_default_thresholds() -> None:
    s = shipped("sacro").settings
    assert (s.min_cell, s.min_dof, s.min_at_risk, s.zeros) == (10, 10, 10, "hide")
    assert [(r.n, r.share) for r in s.dominance] == [(2, Fraction(9, 10))]
    assert s.p_ratio == Fraction(1, 10) and s.formats_blocked == ("gph", "svg")


def spread(values: list[float]) -> object:
    """One cell with these contributions beside another that is safe."""
    safe = [10.0] * 30
    where = np.array([[0] * len(values) + [1] * len(safe)])
    return sum_table("grants", {"kind": ["x", "y"]}, np.array(values + safe), where, margins=False)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        # agg_nk: the largest two of 100 hold more than 90 %.
        ([60.0, 31.0] + [1.0] * 9, "dominance"),
        # agg_threshold: nine contributors.
        ([10.0] * 9, "threshold"),
        # agg_p_percent: what is left without the two largest is less than a tenth of the largest.
        ([100.0, 2.0] + [0.1] * 12, "dominance"),
        ([10.0] * 10, None),
        # Exactly 90 % does not break "more than".
        ([50.0, 40.0] + [1.0] * 10, None),
    ],
)
def test_acro_rules_on_contributions(values: list[float], rule: str | None) -> None:
    protected = apply(shipped("sacro"), spread(values))  # type: ignore[arg-type]
    found = protected.inside.get((0,))
    assert (found.rule if found else None) == rule
    assert (1,) not in protected.hidden


def test_the_p_ratio_is_a_rule_of_its_own() -> None:
    values = [100.0, 100.0] + [0.5] * 12
    only = Settings(p_ratio=Fraction(1, 10))
    from xinglin.privacy.packs.rules import below_p_ratio

    assert below_p_ratio(only, spread(values))[0]  # type: ignore[arg-type]
    assert not below_p_ratio(only, spread([100.0, 100.0] + [1.0] * 12))[0]  # type: ignore[arg-type]


def test_acro_rounds_to_5_where_that_is_asked_for() -> None:
    assert told("sacro", [3, 8, 16, 23], round_instead=True) == [5, 10, 15, 25, 50]


def test_sdclog_counts_85_percent_itself_as_too_much() -> None:
    """sdcLog, sdc_descriptives: the largest 2 entities account for 85 % or more."""
    fifteen = [50.0, 35.0] + [3.0] * 5
    assert apply(shipped("bundesbank"), spread(fifteen)).inside[(0,)].rule == "dominance"  # type: ignore[arg-type]
    assert (0,) not in apply(shipped("bundesbank"), spread([50.0, 34.0] + [3.2] * 5)).hidden  # type: ignore[arg-type]
    assert apply(shipped("bundesbank"), spread([5.0] * 4)).inside[(0,)].rule == "threshold"  # type: ignore[arg-type]


def test_uk_llc_blocks_zeros_and_ons_shows_them() -> None:
    assert told("uk-llc", [0, 40, 50, 60])[0] is None
    assert told("ons", [0, 40, 50, 60]) == [0, 40, 50, 60, 150]
    assert told("ons", [9, 40, 50, 60])[0] is None


def test_datashield_threshold_is_of_non_zero_counts() -> None:
    s = shipped("datashield").settings
    assert (s.min_cell, s.min_subset, s.text_chars, s.name_chars) == (3, 3, 80, 20)
    assert (s.max_params_share, s.max_level_density, s.max_levels) == (Fraction(33, 100), Fraction(33, 100), 40)
    assert told("datashield", [0, 3, 40, 50]) == [0, 3, 40, 50, 93]
    assert told("datashield", [0, 2, 40, 50])[1] is None


def test_i2b2_three_or_less_is_zero_and_noise_is_within_three() -> None:
    for count in range(4):
        assert told("i2b2", [count, 50, 60, 70], key=KEY)[0] == 0
    for count in (4, 10, 200):
        cell = told("i2b2", [count, 50, 60, 70], key=KEY)[0]
        assert cell is not None and (cell == 0 or abs(cell - count) <= 3)


def test_noise_repeats_and_so_gives_nothing_to_averages() -> None:
    s = shipped("i2b2").settings
    assert len({noise_of(s, KEY, b"the same persons") for _ in range(1000)}) == 1
    drawn = np.array([noise_of(s, KEY, str(i).encode()) for i in range(20_000)])
    assert drawn.min() == -3 and drawn.max() == 3 and abs(drawn.mean()) < 0.05
    assert abs(drawn.std() - 1.29) < 0.05, "1.323, clamped at 3"
    assert [noise_of(s, b"x" * 16, str(i).encode()) for i in range(50)] != drawn[:50].tolist()
    with pytest.raises(Exception, match="key"):
        noise_of(s, b"short", b"")


def test_the_same_persons_get_the_same_noise_whatever_the_question_is_called() -> None:
    marks = np.arange(5, dtype=np.uint64)
    cells = []
    for name in ("asked so", "asked otherwise"):
        table = count_table(name, AGES, [20, 30, 40, 50])
        with_marks = type(table)(table.name, table.axes, table.persons, table.figures, marks=marks)
        cells.append(apply(shipped("i2b2"), with_marks, key=KEY).cells.tolist())
    assert cells[0] == cells[1]


def test_i2b2_locks_after_seven_in_thirty_days() -> None:
    day = 86_400_000
    asked = [day * n for n in range(7)]
    assert check_repeats(shipped("i2b2"), asked[:6], now=10 * day)
    locked = check_repeats(shipped("i2b2"), asked, now=10 * day)
    assert locked.codes == ("privacy.repeated",) and "i2b2" in locked.reasons[0].words  # type: ignore[union-attr]
    assert check_repeats(shipped("i2b2"), asked, now=31 * day), "the oldest are past thirty days"
    assert check_repeats(shipped("sacro"), [0] * 100, now=1)


def test_ehds_smallest_cohort() -> None:
    assert (shipped("ehds").settings.min_cell, shipped("ehds").settings.min_subset) == (5, 5)


def test_our_own_pack_is_the_default_of_agreements() -> None:
    assert rules_of(shipped("xinglin")) == DisclosureRules()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_setting_of_a_shipped_pack_names_its_source(name: str) -> None:
    pack = shipped(name)
    assert pack.name == name and pack.title_zh != pack.title
    assert pack.origins and all(len(origin.source) > 10 for origin in pack.origins)
    default = Settings()
    changed = {f for f in Settings.__struct_fields__ if getattr(pack.settings, f) != getattr(default, f)}
    assert changed <= {origin.setting for origin in pack.origins}
