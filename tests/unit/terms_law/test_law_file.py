"""A hospital's law file: what holds for all, for a data set and for a study, and every word known."""

from __future__ import annotations

import pytest

from xinglin.kernel.instants import from_text
from xinglin.terms.law.errors import LawError
from xinglin.terms.law_file import LawFile, read_law_file

NOW = from_text("2026-11-22T00:00:00Z")
FILE = """
packs = ["pipl"]
[facts]
origin = "CN-SH"
persons = 100
[fence]
hours = ["Mo-Fr 08:00-18:00 Asia/Shanghai"]
[data_set.cardiology]
packs = ["human_genetic_resources", "pipl"]
pilot = "heart.pilot"
[data_set.cardiology.facts]
persons = 600
[study."study-1".facts]
persons = 7
commercial = false
[study."study-1".fence]
networks = ["10.1.0.0/16"]
"""


def test_the_nearer_says_it_and_packs_and_fences_add_up() -> None:
    said = read_law_file(FILE)
    elsewhere = said.of("other", "study-9", NOW)
    assert [pack.name for pack in elsewhere.packs] == ["pipl"]
    assert (elsewhere.subject.persons, elsewhere.subject.origin, elsewhere.pilot) == (100, "CN-SH", "")
    assert elsewhere.subject.matter == "study-9"
    whole = said.of("cardiology", "study-1", NOW)
    assert sorted(pack.name for pack in whole.packs) == ["human_genetic_resources", "pipl"]
    assert (whole.subject.persons, whole.subject.commercial, whole.pilot) == (7, False, "heart.pilot")
    assert whole.fence is not None and whole.fence.hours and whole.fence.beside[0].networks == ("10.1.0.0/16",)
    assert said.of("cardiology", "", NOW).subject.matter == "cardiology"


def test_an_empty_file_asks_nothing() -> None:
    assert read_law_file("") == LawFile()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("packs = [", "no TOML"),
        ('packs = ["piplx"]', "piplx"),
        ("packs = 3", "list of names"),
        ("pack = []", "'pack' is not a known part"),
        ("[facts]\npersonz = 1", "Did you mean 'persons'"),
        ('[facts]\nmatter = "x"', "'at' and 'matter'"),
        ('[fence]\nhours = ["always"]', "is no window"),
        ('[fence]\nhour = ["x"]', "the fence cannot be read"),
        ("[study.a]\nfences = {}", "study.a"),
        ('pilot = "../x"', "named by its file"),
        ("data_set = 3", "has tables"),
        ("[data_set]\na = 3", "is a table"),
    ],
)
def test_what_is_unknown_is_refused(text: str, words: str) -> None:
    with pytest.raises(LawError) as caught:
        read_law_file(text)
    assert words in f"{caught.value.what} {caught.value.remedy}"
