"""The catalogue's address and back, paths of data sets, and terms as codes of the Data Use Ontology."""

from __future__ import annotations

import random
from urllib.parse import parse_qsl, unquote, urlsplit

from xinglin.catalogue.entry import CatalogueEntry, EntryVariable
from xinglin.console.calls.researcher_catalogue import id_of, path_of
from xinglin.console.calls.search_address import Asked, address, asked_of
from xinglin.console.screens.catalogue_parts import coverage, duo_codes, quality_chart, shares
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition


def read(path: str) -> Asked:
    return asked_of(dict(parse_qsl(urlsplit(path).query)))


def test_a_search_and_its_address_are_one() -> None:
    chosen = {"grade": ("L1", "L2"), "institution": ("A, B & C", "庐山")}
    asked = Asked("血压 a&b", chosen, "2024-01", "2024-12", "study-x", ("open", "yes"), "cursor")
    assert read(address(asked)) == asked
    dice = random.Random(7)
    for _ in range(200):
        values = {"".join(dice.choice("a,b%&=+ #/?中\"'<") for _ in range(6)).strip(",") for _ in range(3)} - {""}
        one = Asked("t", {"institution": tuple(sorted(values))})
        assert read(address(one)) == one


def test_words_that_are_none_of_ours_are_left_out() -> None:
    found = asked_of({"q": "x" * 1_000, "colour": "red", "answers": "yes,maybe", "study": "", "grade": ","})
    assert len(found.text) == 400 and found.chosen == {} and found.answers == ()
    assert asked_of({"answers": "yes,maybe", "study": "s"}).answers == ("yes",)
    months = asked_of({"from": "2024-13", "to": "2024-02"})
    assert (months.from_month, months.to_month) == ("", "2024-02")


def test_a_value_is_chosen_and_no_longer_chosen() -> None:
    asked = Asked("x", {"grade": ("L1",)}, cursor="after")
    more = read(asked.toggled("grade", "L2"))
    assert more.chosen == {"grade": ("L1", "L2")} and more.cursor == ""
    assert read(more.toggled("grade", "L1")).toggled("grade", "L2") == "/catalogue?q=x"


def test_a_data_set_s_path_says_its_id_whatever_is_in_it() -> None:
    for name in ("did:key:z6#heart", "did:web:a.example:b/c~d#é 中?x=%2F", "~1~0/~"):
        path = path_of(name)
        assert path.count("/") == 2 and "#" not in path and "?" not in path
        assert id_of(unquote(path.removeprefix("/data-sets/"))) == name


def test_terms_come_to_codes_of_the_ontology() -> None:
    purpose = Constraint("purpose", "isA", "health-research")
    approval = Constraint("ethicsApproval", "isAllOf", ("c1",))
    rule = Permission("statistics", (purpose, approval), (Duty("publish"),))
    found = {one.short for one in duo_codes(Policy((rule,), (Prohibition("commercialise"),)))}
    assert {"HMB", "IRB", "PUB", "NCU"} <= found and "NMDS" not in found
    assert duo_codes(None) == ()


def test_what_was_stated_is_drawn_and_nothing_else() -> None:
    def say(text: str, /, **values: object) -> str:
        return text % values if values else text

    bare = CatalogueEntry("did:a#x", "x", "did:a", "X")
    assert quality_chart(bare, say, str) is None and coverage(bare, say) is None and shares(bare, say, str) == []
    variables = (EntryVariable("patient", "sex", filled_percent=99), EntryVariable("patient", "note"))
    people = {"age": {"40": 12}, "sex": {"female": 51}}
    score = {"completeness": 97}
    stated = CatalogueEntry("did:a#x", "x", "did:a", "X", variables=variables, population=people, quality=score)
    drawn = quality_chart(stated, say, str)
    assert drawn is not None and drawn.rows == (("quality.completeness", "97 %"),)
    filled = coverage(stated, say)
    assert filled is not None and filled.rows == (("patient.sex", "99 %"),)
    assert {row for one in shares(stated, say, str) for row in one.rows} == {("40–49", "12 %"), ("female", "51 %")}
