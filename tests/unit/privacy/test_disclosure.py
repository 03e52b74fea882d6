"""Each rule on a pooled total at its edge; no refusal says how many."""

from __future__ import annotations

import pytest

from xinglin.kernel.verdict import Denied
from xinglin.privacy.disclosure import (
    DisclosureRules,
    check_dominance,
    check_total,
    hidden_reason,
    report_missing,
    strictest,
)
from xinglin.privacy.errors import PrivacyError
from xinglin.terms.errors import TermsError

RULES = DisclosureRules()


def codes(**given: object) -> tuple[str, ...]:
    facts: dict[str, object] = {"persons": {"all": 300}, "hospitals": 3} | given
    verdict = check_total(RULES, **facts)  # type: ignore[arg-type]
    return verdict.codes if isinstance(verdict, Denied) else ()


def test_at_the_edge() -> None:
    assert codes(persons={"all": 10}) == ()
    assert codes(persons={"all": 9}) == ("privacy.small_cell",)
    assert codes(hospitals=2) == ("privacy.few_hospitals",)
    assert codes(dof=10) == ()
    assert codes(dof=9) == ("privacy.few_degrees_of_freedom",)
    assert codes(persons={"all": 30}, parameters=10) == ()
    assert codes(persons={"all": 30}, parameters=11) == ("privacy.many_parameters",)
    assert codes(persons={}) == ("privacy.uncounted",)


def test_every_reason_at_once() -> None:
    assert codes(persons={"all": 3, "sex=F": 1}, hospitals=1, dof=0, parameters=5) == (
        "privacy.small_cell",
        "privacy.few_hospitals",
        "privacy.few_degrees_of_freedom",
        "privacy.many_parameters",
    )


def test_nobody_and_a_few_read_the_same() -> None:
    said = [check_total(RULES, persons={"all": n}, hospitals=4) for n in (0, 1, 5, 9)]
    assert all(verdict == said[0] for verdict in said)


def test_many_small_cells_are_named_briefly() -> None:
    verdict = check_total(RULES, persons={f"g{i}": 1 for i in range(9)}, hospitals=3)
    assert isinstance(verdict, Denied)
    assert "'g4' and others" in verdict.reasons[0].words


def test_dominance() -> None:
    assert check_dominance(RULES, rows=10, rows_squared=10)
    assert not check_dominance(RULES, rows=49, rows_squared=1609)
    assert check_dominance(RULES, rows=20, rows_squared=100)
    assert not check_dominance(RULES, rows=20, rows_squared=101)
    assert not check_dominance(RULES, rows=0, rows_squared=0)
    assert not check_dominance(RULES, rows=10, rows_squared=9), "squares below the rows are a wrong count"


@pytest.mark.parametrize(("used", "missing"), [(297, 6), (297, 0), (9, 400), (0, 0), (300, 10), (300, 9)])
def test_missing_never_gives_a_small_part_back(used: int, missing: int) -> None:
    report = report_missing(RULES, used=used, missing=missing)
    for shown in (report.used, report.missing, report.eligible):
        assert shown is None or shown >= 10
    if report.eligible is not None:
        assert report.used is not None and report.missing is not None
    with pytest.raises(PrivacyError):
        report_missing(RULES, used=-1, missing=used)
    if missing >= 10 and used >= 10:
        assert (report.used, report.missing, report.eligible) == (used, missing, used + missing)


def test_strictest_is_strict_in_every_field() -> None:
    loose = DisclosureRules(2, 2, 1, 1.0, 1.0, True, 500)
    tight = DisclosureRules(20, 5, 30, 0.1, 0.2, False, 10)
    mixed = DisclosureRules(20, 2, 30, 1.0, 0.2, True, 500)
    assert strictest([loose, tight]) == strictest([tight, loose, mixed]) == tight
    assert strictest([loose]) == loose
    with pytest.raises(TermsError):
        strictest([])


@pytest.mark.parametrize("bad", [{"min_cell": 0}, {"min_hospitals": 0}, {"min_dof": -1}, {"exact_answers_cap": -1}])
def test_thresholds_are_positive(bad: dict[str, int]) -> None:
    with pytest.raises(TermsError):
        DisclosureRules(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_shares_are_shares(share: float) -> None:
    with pytest.raises(TermsError):
        DisclosureRules(max_params_share=share)
    with pytest.raises(TermsError):
        DisclosureRules(max_person_share=share)


def test_a_blank_cell_is_explained_by_its_rule() -> None:
    assert "at least 10 persons" in hidden_reason(RULES).words
