"""Search: two languages, facets, pages, what a study may use; and that nobody learns of what is not theirs to see."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.catalogue.comparing import BadComparison, compare
from xinglin.catalogue.dcat_catalogue import dcat_catalogue
from xinglin.catalogue.eligible import StudyFacts, UnknownFact, standing
from xinglin.catalogue.entry import CatalogueEntry, EntryVariable, Listing, check_listing
from xinglin.catalogue.search import BadSearch, Found, Search, search
from xinglin.catalogue.search_bits import Members, Posting, add, best_first, members
from xinglin.catalogue.search_index import SearchIndex
from xinglin.catalogue.search_words import parts_of, synonyms
from xinglin.kernel.errors import LimitExceeded
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition

ALICE, BOB = "did:web:alice.example", "did:web:bob.example"
HOSPITAL, OTHER = "did:web:hospital.example", "did:web:other.example"
RESEARCH = Policy(
    permissions=(
        Permission(
            "statistics",
            (Constraint("purpose", "isA", "health-research"), Constraint("recipientClass", "isAnyOf", ("university",))),
            (Duty("publish"),),
        ),
    )
)
PUBLIC = Policy(permissions=(Permission("statistics", (Constraint("purpose", "isA", "public-health"),)),))


def entry(name: str, *variables: str, provider: str = HOSPITAL, **more: object) -> CatalogueEntry:
    told = tuple(EntryVariable("observation", one, "number") for one in variables)
    plain = {"title": name, "grade": "L2", "tables": ("observation",), "variables": told, "institution": "First"}
    return msgspec.convert({"entry_id": f"{provider}#{name}", "name": name, "provider": provider, **plain} | more,
                           CatalogueEntry, strict=False, from_attributes=True)  # fmt: skip


def index(*entries: CatalogueEntry) -> SearchIndex:
    return SearchIndex(enumerate(entries, 1))


def names(found: Found) -> list[str]:
    return [hit.entry.name for hit in found.hits]


HEART = entry("heart", "trestbps", "chol", policy=PUBLIC, first_month="2018-01", last_month="2020-06", records=100)
SUGAR = entry("metabolic", "hba1c", "bmi", policy=RESEARCH, region="上海", custody="hosted")
LUNG = entry("chest", "spo2", title="肺炎患者队列", words="住院患者的影像与检验", provider=OTHER, institution="Second")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("收缩压", ["heart"]),
        ("systolic blood pressure", ["heart"]),
        ("血压", ["heart"]),
        ("糖化血红蛋白", ["metabolic"]),
        ("BMI", ["metabolic"]),
        ("pneumonia", ["chest"]),
        ("imaging", ["chest"]),
        ("血氧", ["chest"]),
        ("患者队列", ["chest"]),
        ("trestb", ["heart"]),
    ],
)
def test_words_of_either_language_find_both(text: str, expected: list[str]) -> None:
    assert names(search(index(HEART, SUGAR, LUNG), Search(text), ALICE)) == expected


def test_a_hit_names_the_variables_that_the_words_are_about() -> None:
    (hit,) = search(index(HEART, SUGAR, LUNG), Search("收缩压"), ALICE).hits
    assert hit.variables == ("observation.trestbps",)


def test_all_words_are_wanted_and_some_are_shown_when_nothing_has_all() -> None:
    found = search(index(HEART, SUGAR, LUNG), Search("cholesterol hba1c"), ALICE)
    assert sorted(names(found)) == ["heart", "metabolic"] and found.some_words
    assert names(search(index(HEART, SUGAR, LUNG), Search("cholesterol 收缩压"), ALICE)) == ["heart"]


@pytest.mark.parametrize(
    "text",
    ['" OR 1=1 --', "heart* NEAR(", "'; DROP TABLE entry; --", "{}[]()^~:\\", "title:heart", "\x00heart", "%_", "🫀"],
)
def test_nothing_in_a_text_is_an_operator(text: str) -> None:
    found = search(index(HEART, SUGAR, LUNG), Search(text), ALICE)
    assert set(names(found)) <= {"heart", "metabolic", "chest"}
    assert all(part.terms[0].lstrip("#").replace("-", "").isalnum() for part in found.understood)


@given(st.text(max_size=60))
def test_any_text_is_only_words(text: str) -> None:
    found = search(index(HEART, SUGAR, LUNG), Search(text), ALICE)
    assert found.total >= len(found.hits)


def test_a_text_has_a_limit() -> None:
    with pytest.raises(LimitExceeded):
        parts_of("x" * 401)
    with pytest.raises(LimitExceeded):
        parts_of(" ".join(f"word{k}" for k in range(17)))


def test_facets_count_with_everything_else_chosen() -> None:
    found = search(index(HEART, SUGAR, LUNG), Search(chosen={"institution": ("First",)}), ALICE)
    assert sorted(names(found)) == ["heart", "metabolic"]
    counted = {one.value: one.count for one in found.facets["institution"]}
    assert counted == {"First": 2, "Second": 1}
    assert {one.value: one.count for one in found.facets["custody"]} == {"own": 1, "hosted": 1}
    variable = {one.value: one.words_zh for one in found.facets["variable"]}
    assert variable["systolic-blood-pressure"] == "收缩压"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Search(chosen={"purpose": ("public-health",)}), ["heart"]),
        (Search(chosen={"region": ("上海",), "custody": ("hosted",)}), ["metabolic"]),
        (Search(chosen={"years": ("2019",)}), ["heart"]),
        (Search(from_month="2020-06"), ["heart"]),
        (Search(from_month="2020-07"), []),
        (Search(to_month="2017-12"), []),
        (Search(chosen={"region": ("nowhere",)}), []),
    ],
)
def test_what_is_chosen_holds(asked: Search, expected: list[str]) -> None:
    assert names(search(index(HEART, SUGAR, LUNG), asked, ALICE)) == expected


@pytest.mark.parametrize(
    "asked",
    [
        Search(chosen={"owner": ("x",)}),
        Search(from_month="2020-13"),
        Search(from_month="²020-01"),
        Search(answers=("yes",)),
        Search(answers=("maybe",), study=StudyFacts()),
        Search(cursor="bm9uc2Vuc2U"),
        Search(cursor="\x00"),
        Search(most=0),
    ],
)
def test_what_is_no_search_is_refused(asked: Search) -> None:
    with pytest.raises(BadSearch):
        search(index(HEART), asked, ALICE)


def test_one_more_than_a_page_is_refused() -> None:
    assert search(index(HEART), Search(most=100), ALICE).total == 1
    with pytest.raises(LimitExceeded):
        search(index(HEART), Search(most=101), ALICE)


def test_pages_hold_everything_once_and_in_order() -> None:
    rng = random.Random(5)
    found = index(*(entry(f"d{k}", *rng.sample(["sbp", "bmi", "hba1c", "chol"], 2)) for k in range(57)))
    for text in ("", "blood pressure", "bmi cholesterol"):
        whole = search(found, Search(text, most=100), ALICE)
        paged: list[str] = []
        asked = Search(text, most=5)
        while True:
            page = search(found, asked, ALICE)
            paged += names(page)
            if not page.after:
                break
            asked = msgspec.structs.replace(asked, cursor=page.after)
        assert paged == names(whole) and len(set(paged)) == whole.total


def test_a_cursor_is_good_for_its_own_search_and_asker_alone() -> None:
    many = index(*(entry(f"d{k}", "sbp") for k in range(9)))
    page = search(many, Search("sbp", most=3), ALICE)
    with pytest.raises(BadSearch):
        search(many, Search("bp", most=3, cursor=page.after), ALICE)
    with pytest.raises(BadSearch):
        search(many, Search("sbp", most=3, cursor=page.after), BOB)


# --- what a study may use ----------------------------------------------------------------------


def test_every_reason_is_told_with_what_would_change_it() -> None:
    found = search(
        index(HEART, SUGAR, LUNG),
        Search(study=StudyFacts(values={"purpose": "education", "recipientClass": ("company",)})),
        ALICE,
    )
    told = {hit.entry.name: hit.standing for hit in found.hits}
    assert told["chest"] is not None and told["chest"].answer == "ask"
    sugar = told["metabolic"]
    assert sugar is not None and sugar.answer == "no"
    assert len(sugar.reasons) == 2 and all(reason.remedy for reason in sugar.reasons)
    assert found.answers == {"yes": 0, "open": 0, "no": 2, "ask": 1}


def test_what_is_not_known_yet_stays_open_and_duties_are_named() -> None:
    unknown = standing(RESEARCH, "L2", StudyFacts(values={"purpose": "health-research"}))
    assert (unknown.answer, unknown.open) == ("open", ("recipientClass",))
    known = standing(RESEARCH, "L2", StudyFacts(values={"purpose": "health-research", "recipientClass": "university"}))
    assert known.answer == "yes" and any("publish" in one for one in known.owed) and "secure_sum" in known.asked


def test_only_answers_that_are_wanted_are_shown_and_counted_in_facets() -> None:
    study = StudyFacts(values={"purpose": "public-health"})
    found = search(index(HEART, SUGAR, LUNG), Search(study=study, answers=("yes", "open")), ALICE)
    assert names(found) == ["heart"] and found.total == 1
    assert {one.value: one.count for one in found.facets["institution"]} == {"First": 1}


def test_a_prohibited_purpose_and_an_operation_that_is_not_offered_are_refused_everywhere() -> None:
    pricing = standing(None, "L2", StudyFacts(values={"purpose": "insurance-pricing"}))
    assert pricing.answer == "no" and pricing.reasons[0].code == "terms.purpose_prohibited"
    assert standing(PUBLIC, "L3", StudyFacts("extract", {"purpose": "public-health"})).answer == "no"


def test_a_fact_that_terms_do_not_know_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownFact, match="purpose"):
        search(index(HEART), Search(study=StudyFacts(values={"purpos": "x"})), ALICE)


# --- who may know of what ----------------------------------------------------------------------

SECRET = entry(
    "unheard", "hiv", title="zebra registry", institution="Hidden clinic", region="Atlantis", policy=PUBLIC,
    restricted=True, audience=(BOB,), provider=OTHER,
)  # fmt: skip


@pytest.mark.parametrize(
    "asked",
    [
        Search(),
        Search("zebra"),
        Search("hiv"),
        Search("zeb"),
        Search("艾滋病"),
        Search(chosen={"region": ("Atlantis",)}),
        Search(study=StudyFacts(values={"purpose": "public-health"})),
    ],
)
def test_who_may_not_see_an_entry_gets_what_they_would_get_without_it(asked: Search) -> None:
    without = search(index(HEART, SUGAR, LUNG), asked, ALICE)
    numbered = [(1, HEART), (2, SUGAR), (3, LUNG)]
    for place in (0, 4):
        order = [(number + 1 if place == 0 else number, one) for number, one in numbered]
        with_it = search(SearchIndex(sorted([(1 if place == 0 else 4, SECRET), *order])), asked, ALICE)
        assert msgspec.json.encode(with_it, order="sorted") == msgspec.json.encode(without, order="sorted")


def test_audience_and_provider_see_it() -> None:
    for asker in (BOB, OTHER):
        assert names(search(index(HEART, SECRET), Search("zebra"), asker)) == ["unheard"]


def test_a_cursor_made_by_one_who_sees_it_tells_another_nothing() -> None:
    found = index(SECRET, HEART, SUGAR)
    page = search(found, Search(most=1), BOB)
    with pytest.raises(BadSearch) as seen:
        search(found, Search(most=1, cursor=page.after), ALICE)
    with pytest.raises(BadSearch) as unseen:
        search(index(HEART, SUGAR), Search(most=1, cursor=page.after), ALICE)
    assert str(seen.value) == str(unseen.value)


def test_an_entry_that_is_taken_back_leaves_nothing_behind() -> None:
    found = index(HEART, SUGAR)
    found.put(3, LUNG)
    found.drop(3)
    for asked in (Search("pneumonia"), Search(), Search("pneu"), Search(chosen={"institution": ("Second",)})):
        fresh = search(index(HEART, SUGAR), asked, ALICE)
        assert msgspec.json.encode(search(found, asked, ALICE)) == msgspec.json.encode(fresh)
    found.put(1, msgspec.structs.replace(HEART, restricted=True))
    assert names(search(found, Search(), ALICE)) == ["metabolic"]


# --- side by side, out ------------------------------------------------------------------------


def test_side_by_side_by_meaning_with_what_differs() -> None:
    one = entry("a", first_month="2018-01", last_month="2020-01", policy=RESEARCH,
                variables=(EntryVariable("v", "sbp", "number", "mm[Hg]"), EntryVariable("v", "age")))  # fmt: skip
    two = entry("b", first_month="2019-05", last_month="2023-01",
                variables=(EntryVariable("w", "收缩压", "number", "kPa"), EntryVariable("w", "bmi")))  # fmt: skip
    found = compare([one, two], StudyFacts(values={"purpose": "public-health"}))
    assert (found.from_month, found.to_month, found.shared) == ("2019-05", "2020-01", 1)
    assert found.rows[0].variable == "systolic-blood-pressure" and found.rows[0].differs == ("unit",)
    assert found.columns[0].duties == ("publish",) and "health-research" in found.columns[0].purposes
    assert found.columns[0].standing is not None and found.columns[0].standing.answer == "no"


@pytest.mark.parametrize("count", [0, 1, 6])
def test_two_to_five_stand_side_by_side(count: int) -> None:
    with pytest.raises(BadComparison):
        compare([entry(f"d{k}") for k in range(count)])
    with pytest.raises(BadComparison):
        compare([HEART, HEART])


def test_the_whole_catalogue_as_dcat_reads_as_json_ld() -> None:
    from pyld import jsonld

    document = dcat_catalogue([HEART, SUGAR, LUNG], base="https://hub.example", title="a space")
    graph = jsonld.expand(document)
    sets = [node for node in graph if "http://www.w3.org/ns/dcat#Dataset" in node.get("@type", ())]
    assert len(sets) == 3
    offers = [node for node in graph if "http://www.w3.org/ns/odrl/2/Offer" in node.get("@type", ())]
    assert len(offers) == 2 and all("http://www.w3.org/ns/odrl/2/permission" in one for one in offers)


# --- the sets behind it -----------------------------------------------------------------------


@given(st.lists(st.dictionaries(st.integers(0, 300), st.integers(1, 7)), max_size=5), st.integers(0, 3))
def test_scores_are_the_sums_that_one_would_count(weights: list[dict[int, int]], shift: int) -> None:
    total: list[int] = []
    for one in weights:
        posting = Posting()
        for number, weight in one.items():
            posting.put(number, weight)
        add(total, posting.planes(), shift)
    counted = {n: sum(one.get(n, 0) for one in weights) << shift for n in range(301)}
    found = [(score, n) for score, group in best_first(total, (1 << 301) - 1) for n in members(group)]
    assert found == sorted(((score, n) for n, score in counted.items()), key=lambda x: (-x[0], x[1]))


@given(st.sets(st.integers(0, 2_000)), st.sets(st.integers(0, 2_000)))
def test_members_come_and_go(first: set[int], second: set[int]) -> None:
    having = Members()
    for number in first:
        having.put(number, there=True)
    for number in second:
        having.put(number, there=False)
    assert list(members(having.bits())) == sorted(first - second)


# --- listings ---------------------------------------------------------------------------------


def test_a_listing_with_terms_that_nobody_knows_is_refused() -> None:
    bad = Policy(prohibitions=(Prohibition("statistics", (Constraint("moonPhase", "eq", "full"),)),))
    assert not check_listing(Listing("heart", policy=bad), {"heart"})
    assert not check_listing(Listing("heart", audience=(BOB,)), {"heart"})
    assert not check_listing(Listing("other"), {"heart"})
    assert check_listing(Listing("heart", policy=RESEARCH, restricted=True, audience=(BOB,)), {"heart"})


def test_every_synonym_is_whole() -> None:
    known = synonyms().concepts
    assert len(known) > 150
    assert all(one.en and one.zh and set(one.wider) <= set(known) for one in known.values())
