"""The page of benchmarks: promises judged, rows kept, quick runs that write nothing."""

from __future__ import annotations

import json

import pytest
from bench import __main__ as bench
from bench._report import quantile


def figure(name: str, value: float, promise: str = "", unit: str = "ms") -> str:
    return json.dumps(
        {"name": name, "what": "a | b", "value": value, "unit": unit, "promise": promise, "comment": "why"}
    )


@pytest.mark.parametrize(
    ("value", "promise", "words"),
    [
        (20.0, "<= 20", "yes: 1 × the limit"),
        (20.4, "<= 20", "**no**: 1.02 × the limit"),
        (33.0, "<= 20", "**no**: 1.65 × the limit"),
        (20_000, ">= 20000", "yes: 1 × as much"),
        (19_000, ">= 20000", "**no**: 0.95 × as much"),
        (1.0, "", ""),
    ],
)
def test_a_promise_is_kept_or_not_and_by_how_much(value: float, promise: str, words: str) -> None:
    assert bench.reached(value, promise) == words


def test_a_figure_shows_its_promise_and_its_unit() -> None:
    said = bench.render(figure("a.b", 33.0, "<= 20") + "\n" + figure("a.c", 38_000.4, ">= 20000", "/s"))
    assert "| `a.b` | a \\| b | 33 ms | ≤ 20 ms | **no**: 1.65 × the limit | why |" in said
    assert "| `a.c` | a \\| b | 38,000/s | ≥ 20,000/s | yes: 1.9 × as much | why |" in said


def test_promises_of_all_sections_stand_first_on_the_page() -> None:
    first = bench.section("one", "Title.", figure("one.a", 33.0, "<= 20") + "\n" + figure("one.b", 3.0))
    second = bench.section("two", "Title.", figure("two.a", 1.0, "<= 2"))
    page = bench.page([first, second])
    summary = page.partition("## one")[0]
    assert "1 of 2 figures with a promise keep it." in summary
    assert "`one.a`" in summary and "`two.a`" in summary and "`one.b`" not in summary


def test_a_section_of_an_earlier_page_is_kept_and_the_summary_is_made_anew(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "PAGE", tmp_path / "BENCHMARKS.md")
    monkeypatch.setattr(bench, "benchmarks", lambda: {"one": "Title.", "two": "Title."})
    answers = {"one": figure("one.a", 33.0, "<= 20"), "two": figure("two.a", 1.0, "<= 2")}
    monkeypatch.setattr(bench, "run", lambda name, options: (answers[name], True))
    assert bench.main([]) == 0
    answers["one"] = figure("one.a", 10.0, "<= 20")
    assert bench.main(["one"]) == 0
    page = bench.PAGE.read_text()
    assert "2 of 2 figures" in page and page.count("## two") == 1 and page.count("## Promises") == 1
    assert bench.main(["--quick"]) == 0
    assert bench.PAGE.read_text() == page


def test_a_benchmark_that_fails_is_told_and_the_others_stay(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PAGE", tmp_path / "BENCHMARKS.md")
    monkeypatch.setattr(bench, "benchmarks", lambda: {"one": "Title."})
    monkeypatch.setattr(bench, "run", lambda name, options: ("failed with 1", False))
    assert bench.main([]) == 1
    assert "failed with 1" in bench.PAGE.read_text()
    assert bench.main(["none"]) == 2


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0], 0.95) == 1.0
