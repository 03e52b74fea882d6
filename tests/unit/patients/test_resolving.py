"""Rules on pairs, and what follows for groups."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations
from typing import Any

import pytest
from tests.unit.patients.people import LI, WANG, number, traits

from xinglin.patients.model import COMPONENT, RULES, SHARED, Link, Statement, Traits, pair_of, person_key
from xinglin.patients.resolve import APART, Resolution, resolve
from xinglin.patients.rules import against, bare_of, keys_of, twins

PASSPORT = {"national_id": "E12345679", "birth_date": "1980-01-05"}
INSURED = {"insurance_id": "A123", "name": "王伟", "birth_date": "1980-01-05"}
NUMBER = {"identifier": "7", "identifier_system": "urn:his"}


def resolved(*records: Traits, said: tuple[Statement, ...] = (), probable: tuple[Link, ...] = ()) -> Resolution:
    """Records that meet under the texts that they share."""
    buckets = defaultdict(set)
    for one in records:
        for text in keys_of(one):
            buckets[text].add(one.key)
    return resolve({one.key: one for one in records}, map(sorted, buckets.values()), said, probable)


def persons(found: Resolution) -> dict[str, str]:
    """Person by record."""
    return {one.patient: one.person for one in found.persons}


def rule_of(one: Traits, other: Traits) -> str:
    """The rule that links a pair; "" where none does."""
    links = resolved(one, other).links
    return links[0].rule if links else ""


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        (WANG, WANG, "national_id"),
        (WANG, {"national_id": "110105800105001"}, "national_id"),
        (WANG, {**WANG, "name": "王玮"}, "national_id"),
        (WANG, {**WANG, "name": "Wang Wei"}, "national_id"),
        (WANG, {**WANG, "name": "李娜"}, ""),
        (WANG, {**WANG, "birth_date": "1980-05-01"}, ""),
        (WANG, {**WANG, "sex": "female"}, ""),
        (WANG, {**WANG, "name": "王伟之子"}, ""),
        (PASSPORT, {**PASSPORT, "national_id": "e 12345679"}, "document"),
        (PASSPORT, {"national_id": "E12345679"}, ""),
        ({"national_id": "110105198001050011"}, {"national_id": "110105198001050011"}, ""),
        (INSURED, {**INSURED, "insurance_id": "a-123"}, "insurance"),
        ({**INSURED, "birth_date": "1980"}, {**INSURED, "birth_date": "1980"}, ""),
        ({**INSURED, "name": "王一"}, {**INSURED, "name": "王二"}, ""),
        ({**INSURED, "name": "王丽之子"}, {**INSURED, "name": "王丽之子"}, ""),
        (NUMBER, NUMBER, "identifier"),
        (NUMBER, {**NUMBER, "identifier_system": "urn:lis"}, ""),
        ({"identifier": "7"}, {"identifier": "7"}, ""),
        ({**NUMBER, "identifier": "0000"}, {**NUMBER, "identifier": "0000"}, ""),
        ({**WANG, "name": "测试"}, {**WANG, "name": "测试"}, ""),
        ({**WANG, "national_id": None}, {**WANG, "national_id": None}, ""),
    ],
)  # fmt: skip
def test_rules_on_pairs(one: dict[str, Any], other: dict[str, Any], rule: str) -> None:
    assert rule_of(traits("Patient/1", **one), traits("Patient/2", **other)) == rule


def test_an_issuer_that_is_no_uri_counts_within_its_namespace() -> None:
    same = {"identifier": "7", "identifier_system": "HIS"}
    assert rule_of(traits("a/Patient/1", **same), traits("a/Patient/2", **same)) == "identifier"
    assert rule_of(traits("a/Patient/1", **same), traits("b/Patient/1", **same)) == ""


def test_facts_that_name_a_number_are_of_whoever_has_it() -> None:
    known = traits("his/Patient/1", identifier="7", identifier_system="urn:his")
    bare = traits(bare_of(known))
    assert bare.key.startswith("his/Patient/i-") and rule_of(known, bare) == "identifier"


def test_what_speaks_against_goes_to_review_with_its_fields() -> None:
    found = resolved(traits("Patient/1", **WANG), traits("Patient/2", **{**WANG, "birth_date": "1980-05-01"}))
    assert not found.persons and not found.links
    (one,) = found.doubtful
    assert (one.kind, one.rule, one.pair) == ("conflict", "national_id", ("Patient/1", "Patient/2"))
    assert one.differ == ("birth_date",) and "name" in one.agree


def test_a_child_under_a_parents_number_is_no_riddle() -> None:
    child = {**WANG, "name": "王小宝", "birth_date": "2015-06-07"}
    assert not resolved(traits("Patient/1", **WANG), traits("Patient/2", **child)).doubtful
    newborn = {"national_id": WANG["national_id"], "name": "王丽之子"}
    assert not resolved(traits("Patient/1", **WANG), traits("Patient/2", **newborn)).doubtful


def test_twins() -> None:
    one = {"name": "王一", "family": "王", "birth_date": "2020-01-05", "phone": "13912345678"}
    assert twins(traits("Patient/1", **one), traits("Patient/2", **{**one, "name": "王二"}))
    assert twins(traits("Patient/1", **one, multiple_birth=1), traits("Patient/2", **one, multiple_birth=2))
    assert not twins(traits("Patient/1", **one), traits("Patient/2", **one))
    first, second = traits("Patient/1", **one, multiple_birth=1), traits("Patient/2", **one, multiple_birth=2)
    assert against(first, second) == ("multiple_birth",)


def test_the_oldest_record_names_the_person_and_links_are_transitive() -> None:
    one = traits("Patient/9", since=1, **WANG)
    other = traits("Patient/10", since=2, **WANG, identifier="7", identifier_system="urn:his")
    third = traits("Patient/2", since=3, identifier="7", identifier_system="urn:his")
    for order in permutations((one, other, third)):
        found = resolved(*order)
        assert persons(found) == dict.fromkeys(("Patient/10", "Patient/2", "Patient/9"), "Person/9")
    reasons = {row.patient: row.reason for row in resolved(one, other, third).persons}
    assert reasons["Patient/9"].startswith("national_id: national_id name") and reasons["Patient/2"].startswith(
        "identifier:"
    )


def test_a_rule_joins_no_two_groups_that_contradict_each_other() -> None:
    woman = traits("Patient/3", identifier="7", identifier_system="urn:his", sex="female", birth_date="1975-03-02")
    between = traits("Patient/2", identifier="7", identifier_system="urn:his", insurance_id="A123", name="王伟")
    man = traits("Patient/1", identifier="7", identifier_system="urn:his", sex="male")
    found = resolved(man, between, woman)
    assert persons(found) == {"Patient/1": "Person/1", "Patient/2": "Person/1"}
    assert {one.pair for one in found.doubtful} == {("Patient/1", "Patient/3"), ("Patient/2", "Patient/3")}


def test_the_hospitals_own_index_counts_more_than_what_differs() -> None:
    one = traits("Patient/1", masters={"empi": "E1"}, **WANG)
    other = traits("Patient/2", masters={"empi": "E1"}, **LI)
    assert rule_of(one, other) == "crosswalk" and not resolved(one, other).doubtful
    apart = traits("Patient/2", masters={"empi": "E2"}, **WANG)
    assert rule_of(one, apart) == "" and resolved(one, apart).doubtful[0].differ == ("master",)
    assert rule_of(one, traits("Patient/2", masters={"other": "E2"}, **WANG)) == "national_id"


def test_merges_link_whatever_differs_and_chains_are_followed() -> None:
    one = traits("Patient/1", replaced_by="Patient/2", **WANG)
    other = traits("Patient/2", replaced_by="Patient/3", **LI)
    found = resolved(one, other, traits("Patient/3"))
    assert set(persons(found)) == {"Patient/1", "Patient/2", "Patient/3"}
    assert {link.rule for link in found.links} == {"merge"}
    itself = resolved(traits("Patient/1", replaced_by="Patient/1"))
    assert not itself.persons


def test_the_newest_statement_holds_and_parts_whole_groups() -> None:
    records = [traits(f"Patient/{n}", since=n, **WANG) for n in (1, 2, 3)]
    apart = Statement(("Patient/1", "Patient/3"), "apart", 5, "clerk")
    found = resolved(*records, said=(apart,))
    assert persons(found) == {"Patient/1": "Person/1", "Patient/2": "Person/1"}
    assert {(one.pair, one.differ) for one in found.doubtful} == {
        (("Patient/1", "Patient/3"), (APART,)),
        (("Patient/2", "Patient/3"), (APART,)),
    }
    again = Statement(("Patient/1", "Patient/3"), "link", 6, "source")
    assert len(resolved(*records, said=(again, apart)).persons) == 3
    nothing = Statement(("Patient/1", "Patient/3"), "nothing", 7, "clerk")
    assert len(resolved(*records, said=(apart, nothing)).persons) == 3


def test_a_clerk_links_what_rules_refuse() -> None:
    one, other = traits("Patient/1", **WANG), traits("Patient/2", **LI)
    found = resolved(one, other, said=(Statement(("Patient/1", "Patient/2"), "link", 5, "clerk"),))
    assert [link.rule for link in found.links] == ["clerk"]


def test_a_probable_link_is_marked() -> None:
    one, other = traits("Patient/1", name="王伟"), traits("Patient/2", name="王伟")
    link = Link(("Patient/1", "Patient/2"), "probable", ("name",), 0.995)
    found = resolved(one, other, probable=(link,))
    assert {row.reason for row in found.persons} == {"probable 0.9950 unconfirmed: name"} and not link.confirmed


def test_one_record_more_than_a_number_may_have_and_it_says_nothing() -> None:
    crowd = [traits(f"Patient/{n}", identifier="7", identifier_system="urn:his") for n in range(SHARED.value)]
    assert len(resolved(*crowd).persons) == SHARED.value
    assert not resolved(*crowd, traits("Patient/x", identifier="7", identifier_system="urn:his")).persons


def test_one_record_more_than_are_looked_at_together_and_rules_say_nothing() -> None:
    def chain(length: int) -> list[Traits]:
        return [
            traits(
                f"Patient/{n}", masters={f"m{n}": "1", f"m{n + 1}": "1"}, identifier="7", identifier_system=f"urn:{n}"
            )
            for n in range(length)
        ]

    assert len(resolved(*chain(COMPONENT.value)).persons) == COMPONENT.value
    assert not resolved(*chain(COMPONENT.value + 1)).persons
    apart = [*chain(300), *(traits(f"other/Patient/{n}", masters={f"o{n}": "1", f"o{n + 1}": "1"}) for n in range(300))]
    assert len(resolved(*apart).persons) == 600


def test_records_taken_back_link_nothing() -> None:
    gone = traits("Patient/2", status="entered-in-error", replaced_by="Patient/1", **WANG)
    assert not resolved(traits("Patient/1", **WANG), gone).persons


def test_words_of_rules_and_keys() -> None:
    assert sorted(rank for rank, _ in RULES.values()) == sorted({rank for rank, _ in RULES.values()})
    assert len({person_key(key) for key in ("7", "Patient/7", "a/Patient/7", "Patient/a/7")}) == 4
    assert pair_of("b", "a") == ("a", "b") and number() in str(keys_of(traits("Patient/1", **WANG)))
