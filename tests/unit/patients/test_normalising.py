"""Identity numbers, names, telephones, placeholders."""

from __future__ import annotations

import doctest
import importlib

import pytest
from tests.unit.patients.people import number, traits

from xinglin.patients.contact import phone_of
from xinglin.patients.folding import NOTHING
from xinglin.patients.identity import IdNumber, check_character, parse_id
from xinglin.patients.names import compatible, name_of
from xinglin.patients.placeholders import is_placeholder_number
from xinglin.patients.traits import traits_of

MODULES = ("identity", "placeholders", "names", "contact", "traits", "model", "rules", "crosswalk")


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"xinglin.patients.{name}"))
    assert done.attempted and not done.failed


def test_every_wrong_character_of_a_number_is_found() -> None:
    """MOD 11-2 finds every single wrong digit and every swap of neighbours."""
    whole = number("1949-12-31", 2)
    for at in range(17):
        for digit in "0123456789":
            if digit != whole[at]:
                found = parse_id(whole[:at] + digit + whole[at + 1 :])
                assert found is not None and found.kind == "damaged"
        if whole[at] != whole[at + 1]:
            swapped = whole[:at] + whole[at + 1] + whole[at] + whole[at + 2 :]
            found = parse_id(swapped)
            assert found is None or not found.checked


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (number(region="810000"), "cn"),
        (number(region="830000"), "cn"),
        (number(region="991005"), "damaged"),
        (number("1980-02-30"), "damaged"),
        (number("2199-01-01"), "damaged"),
        ("110105800105001", "cn"),
        ("110105801305001", None),
        ("H12345678", "permit"),
        ("h1234567801", "permit"),
        ("M12345678", "permit"),
        ("01234567", None),
        ("01234568(B)", "other"),
        ("0123456801", "taiwan"),
        ("E12345679", "passport"),
        ("ＥＡ１２３４５７９", "passport"),
        ("999-12-3456", "ssn"),
        ("USA110105800105", "resident"),
        ("X" * 41, None),
        ("12", None),
        ("", None),
        (None, None),
    ],
)
def test_kinds_of_numbers(text: str | None, kind: str | None) -> None:
    found = parse_id(text)
    assert (found.kind if found else None) == kind


def test_permits_lose_the_number_of_their_issue() -> None:
    assert parse_id("H1234567801") == parse_id("H12345678")
    assert parse_id("0123456801") == parse_id("01234568")


def test_the_old_number_is_the_new_one_and_centenarians_were_born_in_the_century_before() -> None:
    assert parse_id("110105800105001") == parse_id(number("1980-01-05", 1))
    old = parse_id("110105980105997")
    assert old is not None and old.birth == "1898-01-05"


def test_a_foreigners_card_tells_the_birth_date() -> None:
    seventeen = "911840" + "19850407" + "001"
    found = parse_id(seventeen + check_character(seventeen))
    assert found is not None and found.checked and (found.birth, found.sex) == ("1985-04-07", "")


@pytest.mark.parametrize("text", ["000000", "111111111111111111", "123456789", "999999", "无", "NONE", "0000000001"])
def test_placeholders_are_no_numbers(text: str) -> None:
    assert is_placeholder_number(text) and parse_id(text) is None


def test_a_number_is_never_shown_by_a_value() -> None:
    said = traits("Patient/1", national_id=number(), name="王伟")
    assert number() not in repr(said) and "王" not in repr(said) and number() not in repr(IdNumber("cn", number()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("王　伟", "王伟"),
        ("ＷＡＮＧ wei", "Wei Wang"),
        ("陳麗華", "陈丽华"),
        ("阿卜杜拉·买买提", "阿卜杜拉．买买提"),
        ("MÜLLER, Jörg", "Jorg Muller"),
        ("Dr. O'Brien Pat", "pat o brien"),
    ],
)
def test_names_that_are_one(one: str, other: str) -> None:
    assert name_of(one).key == name_of(other).key != ""


@pytest.mark.parametrize("name", ["无名氏", "无名氏甲", "未知", "不详", "Unknown", "John Doe", "", "  ", "XX"])
def test_nobody_has_no_name(name: str) -> None:
    assert name_of(name).key == ""


@pytest.mark.parametrize(
    "name", ["王丽之子", "王丽之女", "王丽之子2", "王丽之双子一", "新生儿", "王丽大宝", "Baby Boy Smith", "newborn"]
)
def test_children_without_a_name(name: str) -> None:
    assert name_of(name).newborn


@pytest.mark.parametrize("name", ["测试", "测试患者", "张测试", "TEST PATIENT", "demo"])
def test_tests_are_told(name: str) -> None:
    assert name_of(name).test


@pytest.mark.parametrize("name", ["王伟", "Christine Contessa", "Boyd Lee", "李之仪", "子女"])
def test_people_are_people(name: str) -> None:
    found = name_of(name)
    assert found.key and not found.test and not found.newborn


def test_names_in_two_scripts_say_nothing_against_each_other() -> None:
    assert compatible(name_of("王伟"), name_of("Wang Wei"))
    assert not compatible(name_of("Ann Lee"), name_of("Bob Hu"))


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("13912345678", "13912345678"),
        ("0086 139 1234 5678", "13912345678"),
        ("013912345678", "13912345678"),
        ("(010)6552-9988", "01065529988"),
        ("+86-10-65529988", "01065529988"),
        ("65529988-801转12", "65529988801"),
        ("+1 617 555 1234", "16175551234"),
        ("13911111111", ""),
        ("13888888888", ""),
        ("1234", ""),
        (None, ""),
    ],
)
def test_telephones(text: str | None, digits: str) -> None:
    assert phone_of(text) == digits


def test_a_number_tells_birth_and_sex_where_the_record_does_not() -> None:
    said = traits("Patient/1", national_id=number("1980-01-05", 2))
    assert (said.birth, said.sex, said.doubts) == ("1980-01-05", "female", ())
    year = traits("Patient/1", national_id=number("1980-01-05", 2), birth_year=1980)
    assert year.birth == "1980-01-05"


def test_a_number_that_contradicts_its_record_is_in_doubt() -> None:
    child = traits("Patient/1", national_id=number("1980-01-05", 2), birth_date="2010-05-06", sex="male")
    assert child.doubts == ("birth_date", "sex") and child.birth == "2010-05-06"


def test_a_record_taken_back_says_nothing() -> None:
    said = traits("Patient/1", national_id=number(), status="entered-in-error")
    assert not said.held and said.id is None
    assert traits_of("Patient/1", 1, NOTHING).held
