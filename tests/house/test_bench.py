"""The page of benchmarks: figures as tables, words as words."""

from __future__ import annotations

from bench.__main__ import benchmarks, render


def test_objects_with_the_same_keys_are_one_table_and_words_stay_words() -> None:
    said = '{"n": 4, "ms": 1.23456}\n{"n": 10000, "ms": 2}\nslower than hoped\n{"key": "a|b"}'
    assert render(said) == (
        "| n | ms |\n|---|---|\n| 4 | 1.235 |\n| 10,000 | 2 |\n\n"
        "```\nslower than hoped\n```\n\n"
        "| key |\n|---|\n| a\\|b |\n"
    )


def test_every_benchmark_has_a_title() -> None:
    assert all(title and title != name for name, title in benchmarks().items())
