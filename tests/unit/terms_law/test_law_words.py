"""Packs, subjects and answers: whatever is unknown is refused when read, with its place and the nearest word."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.terms_law.cases import DAY, FEW, GOOD, NOW, OWN

from xinglin.kernel.errors import LimitExceeded
from xinglin.terms.law.answers import record_answer, standing
from xinglin.terms.law.conditions import ALWAYS, DEPTH, Clause, Joined, condition_text, holds, read_condition
from xinglin.terms.law.engine import check_articles, law_reasons
from xinglin.terms.law.errors import LawError
from xinglin.terms.law.facts import FACTS
from xinglin.terms.law.loading import PACKS, load_pack, read_pack
from xinglin.terms.law.subject import LawSubject, read_subject, with_terms
from xinglin.terms.law.withdrawals import strictest_withdrawal, withdrawal, withdrawal_rule
from xinglin.terms.purposes import BASES

ASKED = FEW.replace(
    'check = { fact = "persons", at_most = 100 }', 'judgement = true\nquestion = "Well?"\nquestion_zh = "好吗？"'
)


def refused(text: str) -> LawError:
    with pytest.raises(LawError) as raised:
        read_pack(text)
    return raised.value


def test_a_hospitals_own_pack() -> None:
    pack = read_pack(OWN + FEW)
    assert law_reasons(replace(GOOD, persons=100), [pack]) == ()
    (reason,) = law_reasons(replace(GOOD, persons=101), [pack])
    assert reason.code == "terms.law.own.few"
    (unknown,) = law_reasons(replace(GOOD, persons=None), [pack])
    assert (unknown.code, "persons" in unknown.remedy) == ("terms.law_unknown.own.few", True)


@pytest.mark.parametrize(
    ("old", "new", "nearest"),
    [
        ("remedy =", "remedi =", "Did you mean 'remedy'?"),
        ("title_zh", "titel_zh", "Did you mean 'title_zh'?"),
        ('"persons"', '"person"', "Did you mean 'persons'?"),
        ("at_most", "at_mots", "Did you mean 'at_most'?"),
        ("at_most = 100", 'is = "x"', "at_least, at_most"),
        ("at_most = 100", "at_most = 1, at_least = 1", "at_least, at_most"),
        ("at_most = 100", 'at_most = "100"', "Write one"),
        ("at_most = 100", "at_most = true", "Write one"),
        ("at_most = 100", "at_most = -1", "0 or more"),
        ('fact = "persons", at_most = 100', 'fact = "basis", is = "consnt"', "Did you mean 'consent'?"),
        ('fact = "persons", at_most = 100', 'fact = "measures", has = ["encrypton"]', "Did you mean 'encryption'?"),
        ('fact = "persons", at_most = 100', 'fact = "measures", has = []', "Write one"),
        ('fact = "persons", at_most = 100', 'fact = "measures", has = [1]', "Write one"),
        ('fact = "persons", at_most = 100', 'fact = "origin", lies_in = "CN-ZZ"', "CN-SH"),
        ('fact = "persons", at_most = 100', 'fact = "purposes", within = ["health-reserch"]', "'health-research'"),
        ('fact = "persons", at_most = 100', 'fact = "retention_ends", after = "persons"', "at, retention_ends"),
        ('fact = "persons", at_most = 100', 'any_of = [{ fact = "personal", is = true }]', "Did you mean 'any'?"),
        ('fact = "persons", at_most = 100', "all = []", "Name them"),
        ('{ fact = "persons", at_most = 100 }', '"persons <= 100"', "fact ="),
        ('status = "standard"', 'status = "in farce"', "Did you mean 'in force'?"),
        ('since = "2026-01-01"', 'since = "2026-13-01"', "2021-11-01"),
        ('jurisdiction = "CN-SH"', 'jurisdiction = "Shanghai"', "Write a place"),
        ("version = 1", "version = 2", "upgrade"),
        ('name = "own"', 'name = "Own"', "small letters"),
        ('id = "few"', 'id = "Few"', "small letters"),
        ('id = "few"', "", "Write it"),
        ("remedy =", "judgement = true\nremedy =", "Write it"),
        ("remedy =", 'question = "Really?"\nremedy =', "both, or neither"),
        ("remedy =", "valid_days = 5\nremedy =", "valid_days of a judgement"),
        ("remedy =", 'relaxable = "yes"\nremedy =', "Write one of them"),
        ('check = { fact = "persons", at_most = 100 }', "", "check, or judgement"),
    ],
)
def test_what_is_unknown_in_a_pack(old: str, new: str, nearest: str) -> None:
    text = OWN + FEW
    assert old in text
    error = refused(text.replace(old, new))
    assert nearest in error.remedy, (str(error), error.remedy)


def test_packs_that_are_none() -> None:
    assert "TOML" in refused("= 1").what
    assert "has rules" in refused(OWN).what
    assert "twice" in refused(OWN + FEW + FEW).what
    assert "'few'" in refused(OWN + FEW + FEW).what
    with pytest.raises(LimitExceeded):
        read_pack(OWN + FEW + "#" * 262_144)
    with pytest.raises(LawError, match="not a known law pack"):
        load_pack("piple")
    assert "Did you mean 'pipl'?" in law_reasons(GOOD, ["piple"])[0].remedy
    bad = '[[withdrawal]]\nbasis = "concent"\neffect = "binding"\nregime = "opt-in"\nfrozen = "leaves"\n'
    bad += 'reach = "at once"\narticle = "1"\nwords = "w"\nwords_zh = "w"\n'
    assert "'consent'" in refused(OWN + FEW + bad).remedy
    assert "'effect'" in refused(OWN + FEW + bad.replace("effect", "efect")).remedy
    assert "withdrawal cannot be read" in refused(OWN + FEW + bad.replace('"binding"', '"bindng"')).what


def test_conditions_have_a_depth() -> None:
    table: dict[str, Any] = {"fact": "personal", "is": True}
    for _ in range(DEPTH.value):
        table = {"not": table}
    assert isinstance(read_condition(table, "p"), Joined)
    with pytest.raises(LimitExceeded):
        read_condition({"not": table}, "p")


def test_unknown_is_neither_true_nor_false() -> None:
    subject = LawSubject(matter="s", at=NOW, basis="consent")
    known, wrong = Clause("basis", "is", "consent"), Clause("basis", "is", "permit")
    unknown = Clause("sold", "is", False)
    assert holds(Joined("all", (known, unknown)), subject) is None
    assert holds(Joined("all", (wrong, unknown)), subject) is False
    assert holds(Joined("any", (known, unknown)), subject) is True
    assert holds(Joined("any", (wrong, unknown)), subject) is None
    assert holds(Joined("not", (unknown,)), subject) is None
    assert holds(ALWAYS, subject) is True
    assert condition_text(Joined("not", (Joined("any", (known, unknown)),))) == (
        "not ((the basis in law is consent or not: data or material given for money))"
    )


def test_subjects_are_read_from_tables() -> None:
    read = read_subject({"matter": "s", "at": "2026-11-22T08:00:00+08:00", "origin": "CN-SH", "destinations": ["HK"]})
    assert (read.at, read.leaves_china, read.leaves_eea) == (NOW, True, False)
    for table, nearest in (
        ({"matter": "s", "at": "2026-11-22T08:00:00Z", "purpose": ["any"]}, "Did you mean 'purposes'?"),
        ({"matter": "s", "at": "2026-11-22T08:00:00Z", "personal": True}, "persons"),
        ({"matter": "s", "at": "2026-11-22T08:00:00Z", "measures": ["loging"]}, "Did you mean 'logging'?"),
        ({"matter": "s", "at": "2026-11-22T08:00:00Z", "purposes": ["sports"]}, "Known: any"),
        ({"matter": "s", "at": "2026-11-22T08:00:00Z", "origin": "Shanghai"}, "CN-SH"),
        ({"matter": "s", "at": "2026-11-22T08:00:00Z", "persons": -1}, "0 or more"),
        ({"matter": "s", "at": "2026-11-22T08:00:00Z", "persons": "many"}, "docs/law.md"),
        ({"matter": "s", "at": "2026-11-22T08:00:00"}, "zone"),
        ({"matter": "s", "at": 5}, "2026-01-01T"),
        ({"matter": "not plain", "at": "2026-11-22T08:00:00Z"}, "plain name"),
        ({"matter": "s"}, "docs/law.md"),
    ):
        with pytest.raises(LawError) as raised:
            read_subject(table)
        assert nearest in raised.value.remedy, (table, raised.value.remedy)


def test_a_value_that_nobody_knows_is_a_reason_even_where_its_absence_is_asked_for() -> None:
    subject = replace(GOOD, hipaa_form="safe-harbor", identifiers=frozenset({"nmaes"}))
    assert "terms.law_fact_unknown" in [one.code for one in law_reasons(subject, ["hipaa"])]


@pytest.mark.parametrize(
    ("origin", "destinations", "china", "eea"),
    [
        ("CN-SH", {"CN-BJ"}, False, False),
        ("CN-SH", {"CN-BJ", "DE"}, True, False),
        ("CN-SH", {"CN-TW"}, True, False),
        ("CN-HK", {"US"}, False, False),
        ("FR", {"DE", "NO"}, False, False),
        ("FR", {"EU"}, False, False),
        ("FR", {"CH"}, False, True),
        ("EU", {"GB"}, False, True),
        (None, {"DE"}, None, False),
        ("CN", None, None, False),
        (None, {"CN"}, False, None),
    ],
)
def test_what_leaves(origin: str | None, destinations: set[str] | None, china: bool | None, eea: bool | None) -> None:
    subject = LawSubject(
        matter="s", at=NOW, origin=origin, destinations=None if destinations is None else frozenset(destinations)
    )
    assert (subject.leaves_china, subject.leaves_eea) == (china, eea)


def test_sensitive_data() -> None:
    subject = LawSubject(matter="s", at=NOW)
    assert subject.sensitive is None
    assert replace(subject, identifiability="anonymous", categories=frozenset({"genetic"})).sensitive is False
    assert replace(subject, identifiability="pseudonymised", categories=frozenset({"genetic"})).sensitive is True
    plain = replace(subject, identifiability="identified", categories=frozenset({"health-resources"}))
    assert plain.sensitive is None
    assert replace(plain, minors_under_14=False).sensitive is False
    assert replace(plain, minors_under_14=True).sensitive is True


def test_terms_tell_what_they_know() -> None:
    subject = replace(GOOD, categories=frozenset({"health-status"}))
    found = with_terms(subject, purposes=("education",), operations=("training",), grade="L3", at=NOW + 1)
    assert (found.purposes, found.operations, found.at) == ({"education"}, {"training"}, NOW + 1)
    assert found.categories == {"health-status", "genetic"}
    with pytest.raises(LawError):
        with_terms(subject, purposes=("sports",), operations=(), grade="L2", at=NOW)


def test_answers_say_who_and_until_when_and_to_which_wording() -> None:
    pack = read_pack(OWN + ASKED)
    rule = pack.rules[0]
    yes = record_answer(rule, matter="s", yes=True, by="did:example:a", at=NOW, note=" seen ")
    assert (yes.expires, yes.note) == (NOW + 365 * DAY, "seen")
    assert standing(rule, "s", NOW, [yes]) == yes
    assert standing(rule, "s", NOW - 1, [yes]) is None
    assert standing(rule, "s", yes.expires - 1, [yes]) == yes
    assert standing(rule, "s", yes.expires, [yes]) is None
    assert standing(rule, "t", NOW, [yes]) is None
    assert standing(rule, "s", NOW + 400 * DAY, [replace(yes, expires=NOW + 9999 * DAY)]) is None
    assert standing(rule, "s", NOW, [replace(yes, by=" ")]) is None
    assert standing(rule, "s", NOW, [replace(yes, version=2)]) is None
    reworded = read_pack(OWN + ASKED.replace("Well?", "Quite well?")).rules[0]
    assert standing(reworded, "s", NOW, [yes]) is None
    no = replace(yes, yes=False)
    assert standing(rule, "s", NOW, [yes, no]) == no == standing(rule, "s", NOW, [no, yes])
    short = record_answer(rule, matter="s", yes=True, by="b", at=NOW + 1, days=1)
    assert standing(rule, "s", NOW + 1 + DAY, [yes, short]) is None, "an expired answer brings back no older one"
    report = check_articles(replace(GOOD, matter="s"), [pack], [yes])
    assert "did:example:a" in report.articles[0].how


def test_answers_that_are_none() -> None:
    rule, plain = read_pack(OWN + ASKED).rules[0], read_pack(OWN + FEW).rules[0]
    for changed in ({"by": " "}, {"matter": "not plain"}, {"days": 0}, {"days": 366}):
        with pytest.raises(LawError):
            record_answer(rule, **{"matter": "s", "yes": True, "by": "b", "at": NOW, **changed})  # type: ignore[arg-type]
    with pytest.raises(LawError, match="asks no person"):
        record_answer(plain, matter="s", yes=True, by="b", at=NOW)
    with pytest.raises(LimitExceeded):
        record_answer(rule, matter="s", yes=True, by="b", at=NOW, note="x" * 2001)


def test_a_law_before_its_day_is_checked_and_says_so() -> None:
    report = check_articles(GOOD, ["ehds", "pipl"])
    assert [(one.name, one.early) for one in report.packs] == [("ehds", True), ("pipl", False)]
    last = check_articles(replace(GOOD, at=NOW + 856 * DAY - 1), ["ehds"])
    first = check_articles(replace(GOOD, at=NOW + 856 * DAY), ["ehds"])
    assert [last.packs[0].early, first.packs[0].early] == [False, False]


def test_no_pack_is_no_article() -> None:
    report = check_articles(GOOD, [])
    assert (report.articles, report.reasons, bool(report)) == ((), (), True)


def test_two_texts_of_one_name_are_both_checked() -> None:
    loose = read_pack((OWN + FEW).replace("100", "1000").replace('"own"', '"pipl"'))
    both = {one.code for one in law_reasons(LawSubject(matter="s", at=NOW), [loose, "pipl"])}
    assert {one.code for one in law_reasons(LawSubject(matter="s", at=NOW), ["pipl"])} < both


def test_which_withdrawals_bind() -> None:
    assert {name: withdrawal_rule(name, "consent") for name in PACKS} == dict.fromkeys(PACKS, "binding")
    assert withdrawal_rule("hipaa", "ethics-waiver") == "not-binding"
    assert withdrawal_rule("ethics_review_2023", "ethics-waiver") == "outputs-withheld"
    assert withdrawal_rule("iso27799", "nonsense") == "binding"
    permit = withdrawal("ehds", "permit")
    assert (permit.effect, permit.regime, permit.frozen, permit.reach) == (
        "binding",
        "opt-out",
        "stays",
        "later permits",
    )
    for basis in BASES:
        strictest = strictest_withdrawal(PACKS, basis)
        assert strictest.effect == ("not-binding" if basis == "statutory-duty" else "binding")
        assert strictest == strictest_withdrawal(reversed(PACKS), basis)
    assert strictest_withdrawal([], "consent").effect == "binding"
    assert strictest_withdrawal(["iso27799"], "statutory-duty").effect == "binding"
    assert strictest_withdrawal(["iso27799", "pipl"], "statutory-duty").effect == "not-binding"
    assert strictest_withdrawal(["hipaa", "ethics_review_2023"], "ethics-waiver").effect == "outputs-withheld"
    with pytest.raises(LawError):
        withdrawal_rule("none", "consent")


def test_every_fact_is_a_field_or_derived_and_some_rule_asks_for_most() -> None:
    for fact in FACTS.values():
        assert hasattr(GOOD, fact.name)
        assert fact.words_zh
