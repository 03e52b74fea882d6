"""What would leave: of a question and of an offer, from published facts alone."""

from __future__ import annotations

import msgspec

from xinglin.analysis.algorithm import AlgorithmSpec, build
from xinglin.analysis.table import Column
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.console.preview import differences, leaves_of_offer, operation_words, pack_of, rule_lines
from xinglin.console.preview_sample import sample_of
from xinglin.contract.agreement import Agreement
from xinglin.privacy.packs import named_packs, shipped
from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.thresholds import DisclosureRules
from xinglin.words import Words

DOMAIN = (
    Column("age", "number", 0, 120, integer=True),
    Column("sex", "category", levels=("female", "male")),
    Column("site", "category", levels=tuple(f"place {n}" for n in range(40))),
)
DATA_SET = DataSetDescription(
    "cardiology",
    "did:xinglin:a",
    "Cardiology",
    (
        TableDescription(
            "patient",
            (
                ColumnDescription("person", "integer", "person"),
                ColumnDescription("age", "integer", low=0, high=120),
                ColumnDescription("sex", "category", levels=("female", "male")),
            ),
            "person",
        ),
    ),
)
NAMES = {"did:xinglin:a": "county", "did:xinglin:b": "clinic", "did:xinglin:r": "Institute"}


def terms(**changed: object) -> AgreedTerms:
    """Terms over one view."""
    own = AgreedTerms(
        grade="L2",
        cohort=(CohortView("people", "SELECT age, sex FROM patient"),),
        variables=("patient.age", "patient.sex"),
        purposes=("health-research",),
        operations=("statistics",),
        not_before=0,
        expires=365 * 86_400_000,
        allowance=50,
        recipients=("did:xinglin:r",),
        peers=(Peer("did:xinglin:b", "sha256:0"),),
        rules=DisclosureRules(),
    )
    return msgspec.structs.replace(own, **changed)


def agreement(terms: AgreedTerms) -> Agreement:
    """An agreement with these terms."""
    return Agreement("did:xinglin:a", "sha256:0", "did:xinglin:r", "sha256:0", "study-x", "cardiology", terms, 0)


def test_an_offer_says_what_stays_what_is_computed_and_what_leaves() -> None:
    found = leaves_of_offer(Words.of("en"), agreement(terms()), DATA_SET, names=NAMES)
    assert "Institute" in found.said and "cardiology" in found.said
    assert [one.name for one in found.fields] == ["patient.age", "patient.sex"]
    assert found.fields[0].domain == "0 to 120"
    assert found.recipients == ("Institute",)
    assert any("none" in one.value for one in found.leaves)  # no rows of persons
    assert found.changes is None
    assert found.sample is not None and found.sample.rows


def test_an_offer_is_compared_with_the_last_one_that_was_approved() -> None:
    now, before = terms(allowance=80), terms()
    found = leaves_of_offer(Words.of("en"), agreement(now), DATA_SET, names=NAMES, before=before, compared="study-w")
    assert found.changes is not None
    assert [(one.before, one.now) for one in found.changes] == [("50", "80")]
    same = leaves_of_offer(Words.of("en"), agreement(before), DATA_SET, names=NAMES, before=before)
    assert same.changes == ()


def test_an_offer_of_rows_says_so() -> None:
    found = leaves_of_offer(Words.of("en"), agreement(terms(operations=("extract",))), DATA_SET, names=NAMES)
    assert not any(one.value == "none" for one in found.leaves)


def test_a_data_set_that_is_not_published_any_more_is_said() -> None:
    found = leaves_of_offer(Words.of("en"), agreement(terms()), None, names=NAMES)
    assert {one.domain for one in found.fields} == {"not published any more"}
    assert found.sample is None


def test_a_sample_hides_what_the_rules_hide_and_is_the_same_each_time() -> None:
    built = build(AlgorithmSpec("crosstab", {"rows": "site", "columns": "sex"}), DOMAIN, DisclosureRules())
    found = sample_of(built, 3, 240)
    assert found is not None
    assert found.hidden  # 240 persons in 80 entries
    assert found == sample_of(built, 3, 240)
    assert found.size_bytes > 100


def test_an_answer_that_made_up_rows_do_not_have_has_no_sample() -> None:
    built = build(AlgorithmSpec("crosstab", {"rows": "site", "columns": "sex"}), DOMAIN, DisclosureRules(min_cell=500))
    assert sample_of(built, 3, 240) is None


def test_rules_name_who_states_them() -> None:
    packs = named_packs([shipped("opensafely")])
    lines = {one.id: one for one in rule_lines(Words.of("en"), pack_of(DisclosureRules(), packs))}
    assert "min_cell" in lines and "rounding" in lines
    assert "opensafely" in lines["rounding"].stated_by
    plain = {one.id: one for one in rule_lines(Words.of("en"), pack_of(DisclosureRules(), None))}
    assert "rounding" not in plain and "10" in plain["min_cell"].words


def test_differences_name_both_sides() -> None:
    found = differences({"a": "1", "gone": "x"}, {"a": "2", "new": "y"})
    assert [(one.what, one.before, one.now) for one in found] == [("a", "1", "2"), ("gone", "x", ""), ("new", "", "y")]


def test_operations_are_told_in_words() -> None:
    assert "noise" in operation_words(Words.of("en"), "dp_histogram")
    assert operation_words(Words.of("en"), "covariance") == "Correlations of numbers"
