"""Plans held to a hospital's packs: what is asked, what is refused, and what is the same question in other words."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import PLAN, REQUEST, TERMS, did

from xinglin.gate import Use
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.verdict import Denied
from xinglin.node.pack_repeats import question_of, told_otherwise
from xinglin.node.pack_rules import PACKS_FOLDER, NodePacks
from xinglin.privacy.packs import carried_pack, named_packs, pack_digest, read_pack, shipped
from xinglin.privacy.packs.carried import tightened
from xinglin.privacy.packs.model import Origin, Pack, Rounding, Settings
from xinglin.terms.pack_named import NamedPacks, PackPart, packs_asked, packs_required
from xinglin.terms.policy import Constraint, Logical, Permission, Policy
from xinglin.terms.request import USE_REQUEST, Plan, check_plan
from xinglin.trust.envelope import Signed
from xinglin.wire.runs import run_id_of

OTHER, EARLIER = did("other"), "0" * len(REQUEST.nonce)
OWN = """version = 1
name = "own"
title = "A hospital's own"

[setting.min_cell]
value = 12
source = "minutes"

[setting.reviewers]
value = 2
source = "minutes"
"""


class Paper:
    """The part of an agreement that is asked for packs."""

    def __init__(self, *packs: str) -> None:
        asked = Constraint("disclosurePack", "isAllOf", tuple(sorted(packs)))
        self.terms = replace(TERMS, policy=Policy((Permission("use", (asked,)),)))


def planned(*packs: Any, **changes: Any) -> Plan:
    named = named_packs([shipped(one) if isinstance(one, str) else one for one in packs])
    rules = tightened(PLAN.rules, carried_pack(named))
    return replace(PLAN, **({"disclosure": named, "version": 2, "rules": rules} | changes))


def codes(packs: NodePacks, plan: Plan, *asked: str, answered: Any = None) -> tuple[str, ...]:
    return tuple(one.code for one in packs.judge(plan, "statistics", Paper(*asked), answered).reasons)  # type: ignore[arg-type]


@pytest.fixture
def packs(tmp_path: Path) -> NodePacks:
    folder = tmp_path / PACKS_FOLDER
    folder.mkdir()
    (folder / "own.toml").write_text(OWN, encoding="utf-8")
    return NodePacks(tmp_path)


def test_a_plan_without_packs_is_as_before_its_bytes_too() -> None:
    assert PLAN.named is None and b'disclosure":{' not in canonical_bytes(PLAN)
    assert decode_json(canonical_bytes(PLAN), Plan) == PLAN and PLAN.reviewers == 0
    assert decode_json(canonical_bytes(planned("sacro")), Plan) == planned("sacro")
    assert isinstance(check_plan(replace(PLAN, version=2)), Denied)
    assert isinstance(check_plan(replace(planned("sacro"), version=1)), Denied)


def test_what_a_hospital_asks_has_to_be_kept(packs: NodePacks) -> None:
    own, digest = read_pack(OWN), pack_digest(read_pack(OWN))
    assert codes(packs, PLAN) == ()
    assert codes(packs, PLAN, "sacro") == ("terms.pack_not_carried",)
    assert codes(packs, planned("sacro"), "sacro") == ()
    assert codes(packs, planned("datashield"), "sacro") == ("terms.pack_looser",)
    assert codes(packs, planned("sacro"), digest) == ("terms.pack_looser",)
    assert codes(packs, planned("sacro", own), digest, "sacro") == ()
    assert codes(packs, planned("sacro"), "sha256:" + "1" * 64) == ("terms.pack_missing",)
    kept = packs.judge(planned("sacro"), "statistics", Paper("sacro"), None).kept  # type: ignore[arg-type]
    assert kept is not None and {"sacro", pack_digest(shipped("sacro"))} <= set(kept) and "opensafely" not in kept


def test_lies_about_packs(packs: NodePacks) -> None:
    plan = planned("sacro", "opensafely")
    named = plan.named
    assert named is not None
    forged = replace(named, parts=tuple(PackPart(one.name, "sha256:" + "0" * 64) for one in named.parts))
    assert "terms.pack_digest" in codes(packs, replace(plan, disclosure=forged), "sacro")
    looser = replace(named, settings={**named.settings, "rounding": {"kind": "nearest", "base": 3}})
    assert codes(packs, replace(plan, disclosure=looser), "sacro") == ("terms.pack_looser",)
    assert codes(packs, replace(plan, rules=replace(PLAN.rules, min_cell=3)), "sacro") == ("terms.pack_rules",)
    unread = replace(named, settings={**named.settings, "min_cell": "ten"})
    assert codes(packs, replace(plan, disclosure=unread), "sacro") == ("terms.pack_unreadable",)
    for wrong in (
        NamedPacks((), {}),
        NamedPacks(named.parts[::-1], {}),
        NamedPacks((PackPart("Sacro!", named.parts[0].digest),), {}),
        NamedPacks(named.parts, {}, {"min_cell": ("nobody",)}),
        NamedPacks(named.parts, {"note": "x" * 40_000}),
        replace(named, version=2),
    ):
        assert isinstance(check_plan(replace(plan, disclosure=wrong)), Denied)


def test_a_file_that_is_no_pack_lets_nothing_out(packs: NodePacks, tmp_path: Path) -> None:
    (tmp_path / PACKS_FOLDER / "bad.toml").write_text("version = 9", encoding="utf-8")
    assert codes(packs, planned("sacro"), "sacro") == ("terms.pack_unreadable",)


def test_people_are_asked_for_only_where_there_are_any(packs: NodePacks) -> None:
    digest = pack_digest(read_pack(OWN))
    plan = planned("sacro", read_pack(OWN))
    packs.reviewers = lambda: 1
    assert codes(packs, plan, digest) == ("terms.pack_no_reviewers",)
    assert codes(packs, plan, "sacro") == (), "another hospital's people are its own affair"
    packs.reviewers = lambda: 2
    assert codes(packs, plan, digest) == () and packs.reviewers_asked("statistics", Paper(digest), plan) == 2  # type: ignore[arg-type]


def test_people_look_where_packs_are_alternatives(packs: NodePacks) -> None:
    either = Constraint("disclosurePack", "isAnyOf", ("ons", "opensafely"))
    paper: Any = Paper()
    paper.terms = replace(TERMS, policy=Policy((Permission("use", (either,)),)))
    plan = planned("opensafely")
    assert packs.reviewers_asked("statistics", paper, plan) == 2
    packs.reviewers = lambda: 1
    assert [one.code for one in packs.judge(plan, "statistics", paper).reasons] == ["terms.pack_no_reviewers"]
    assert packs.reviewers_asked("statistics", paper, planned("sacro")) == 0, "which the policy itself refuses"


@pytest.mark.parametrize(("kind", "base", "kept"), [
    ("up", 98, False), ("up", 100, False), ("nearest", 10, False), ("nearest", 15, True), ("midpoint", 25, False),
])  # fmt: skip
def test_a_greater_base_that_cuts_elsewhere_is_not_a_coarser_one(
    packs: NodePacks, kind: str, base: int, kept: bool
) -> None:
    settings = Settings(rounding=Rounding(kind, base))
    own = Pack("mine", "mine", "mine", settings, (Origin("rounding", "mine", "ours"),))
    plan = planned("opensafely", own)
    assert codes(packs, plan, "opensafely") == (() if kept else ("terms.pack_rounding",))
    found = packs.judge(plan, "statistics", Paper("opensafely")).kept  # type: ignore[arg-type]
    assert found is not None and ("opensafely" in found) == kept


OWN_RECORD = SimpleNamespace(state="asked", opened=10)


def asked_of(plan: Plan, requester: str = REQUEST.requester, nonce: str = REQUEST.nonce) -> Use:
    bound = {"plan": plan.digest(), "study": plan.study, "nodes": plan.roster}
    request = replace(REQUEST, **bound, requester=requester, nonce=nonce)
    signed = Signed(requester, USE_REQUEST, canonical_bytes(request), b"")
    return Use(run_id_of(signed), signed, request, plan)


def answered(use: Use, state: str = "settled", opened: int = 5) -> Any:
    """What a node's database says of one earlier answer."""
    row = SimpleNamespace(run=use.run, request=use.signed.to_bytes(), plan=canonical_bytes(use.plan))
    records = {use.run: SimpleNamespace(state=state, opened=opened)}
    charges = SimpleNamespace(charges=[SimpleNamespace(run=use.run)])
    return SimpleNamespace(
        allowance=lambda _: charges, record=lambda run: records.get(run, OWN_RECORD), run=lambda _: row
    )


def test_a_question_is_answered_under_one_set_of_settings() -> None:
    first, stricter = planned("opensafely"), planned("opensafely", "sacro")
    earlier = answered(asked_of(first, nonce=EARLIER))
    assert told_otherwise(earlier, asked_of(first)) == ()
    (reason,) = told_otherwise(earlier, asked_of(stricter))
    assert reason.code == "terms.pack_other_settings" and asked_of(first, nonce=EARLIER).run in reason.remedy
    (same,) = told_otherwise(earlier, asked_of(stricter, OTHER))
    assert same.code == reason.code and "run-" not in same.remedy, "under the same agreements"
    begun = asked_of(first, nonce=EARLIER)
    for state, opened, codes_ in (("computed", 5, 1), ("computed", 50, 0), ("settled", 50, 1), ("withheld", 5, 0)):
        assert len(told_otherwise(answered(begun, state, opened), asked_of(stricter))) == codes_, (state, opened)
    apart = dict.fromkeys(PLAN.agreements, "sha256:" + "7" * 64)
    assert told_otherwise(earlier, asked_of(replace(stricter, agreements=apart), OTHER)) == ()
    assert told_otherwise(earlier, asked_of(replace(stricter, sql=PLAN.sql + " WHERE age > 40"))) == ()
    plain = answered(asked_of(PLAN, nonce=EARLIER))
    assert told_otherwise(plain, asked_of(replace(PLAN, rules=replace(PLAN.rules, min_cell=40)))) == (), "as ever"
    assert told_otherwise(plain, asked_of(first)) == (), "the exact answer said all that the rounded one does"
    tighter = tightened(replace(first.rules, min_cell=40), carried_pack(named_packs([shipped("opensafely")])))
    assert told_otherwise(earlier, asked_of(replace(first, rules=tighter))), "thresholds of the agreements count too"


def test_repeats_are_counted_where_a_pack_locks_them(packs: NodePacks) -> None:
    text = OWN.replace("reviewers", "lock_repeats") + '\n[setting.lock_days]\nvalue = 30\nsource = "minutes"\n'
    plan = planned(read_pack(text))
    assert codes(packs, plan, answered=lambda: ((), 10)) == ()
    assert codes(packs, plan, answered=lambda: ((1, 2), 10)) == ("privacy.repeated",)
    assert codes(packs, planned("sacro"), answered=lambda: ((1, 2), 10)) == ()


def test_the_same_question_in_other_words() -> None:
    table = replace(PLAN, algorithm="crosstab", params={"rows": "sex", "columns": "disease"})
    turned = replace(table, params={"rows": "disease", "columns": "sex"}, study="another", as_of=PLAN.as_of + 5)
    spelled = replace(turned, sql=PLAN.sql.lower().replace(" ", "  ") + "\n")
    assert question_of(table) == question_of(turned) == question_of(spelled)
    assert question_of(table) != question_of(replace(table, params={"rows": "sex", "columns": "age"}))
    levels = replace(PLAN, algorithm="ttest", params={"column": "age", "by": "sex", "levels": ["f", "m"]})
    assert question_of(levels) == question_of(replace(levels, params={**levels.params, "levels": ["m", "f"]}))


ASKED = "SELECT a, b FROM t WHERE x > 1 AND y IN ('f', 'm')"


@pytest.mark.parametrize("other", [
    "select a,b from t where x>1 and y in('f','m')",
    "SELECT a, b /* again */ FROM t WHERE x > 1 AND y IN ('f', 'm') -- again",
    "SELECT a, b FROM t WHERE ((x) > 1) AND (y IN ('m', 'f'))",
    'SELECT t.b, "A" FROM t WHERE t.y IN (\'f\', \'m\') AND 1.0 < t.x AND x > 1',
    "SELECT u.a, u.b, u.c FROM t AS u WHERE u.x > 1 AND u.y IN ('f', 'm')",
    "WITH q AS (SELECT * FROM t WHERE x > 1) SELECT a, b FROM q WHERE y IN ('f', 'm')",
    "SELECT a, b FROM (SELECT a, b AS b, y, x FROM t) AS q WHERE x > 1 AND y IN ('f', 'm')",
])  # fmt: skip
def test_one_character_makes_no_other_question(other: str) -> None:
    table = replace(PLAN, algorithm="crosstab", params={"rows": "a", "columns": "b"}, sql=ASKED)
    assert question_of(table) == question_of(replace(table, sql=other))


@pytest.mark.parametrize("other", [
    ASKED.replace(">", "<"), ASKED.replace(">", ">="), ASKED.replace("1", "2"), ASKED.replace("'f'", "'F'"),
    ASKED.replace("AND", "OR"), ASKED.replace("FROM t", "FROM u"), ASKED.replace("a,", "a + 1 AS a,"),
    ASKED + " AND z", "SELECT a, b FROM t LEFT JOIN u USING (k) WHERE x > 1 AND y IN ('f', 'm')", "", "(" * 5_000,
    "no SQL", "SELECT 1; SELECT 2",
])  # fmt: skip
def test_another_question_is_another(other: str) -> None:
    table = replace(PLAN, algorithm="crosstab", params={"rows": "a", "columns": "b"}, sql=ASKED)
    assert question_of(table) != question_of(replace(table, sql=other))


def test_a_query_that_doubles_itself_is_read_in_no_time() -> None:
    doubled = ", ".join(f"q{i} AS (SELECT * FROM q{i - 1} AS a JOIN q{i - 1} AS b USING (k))" for i in range(1, 60))
    assert question_of(replace(PLAN, sql=f"WITH {doubled} SELECT x FROM q59")) != question_of(PLAN)


def test_names_of_columns_and_the_order_of_relations_change_nothing() -> None:
    joined = "SELECT p.sex AS s, d.code AS c FROM p JOIN d ON p.k = d.k WHERE d.at BETWEEN 1 AND 9"
    table = replace(PLAN, algorithm="crosstab", params={"rows": "s", "columns": "c"}, sql=joined)
    turned = "SELECT sex, code AS s FROM d JOIN p USING (k) WHERE d.at <= 9 AND at >= 1"
    assert question_of(table) == question_of(replace(table, sql=turned, params={"rows": "sex", "columns": "s"}))
    grouped = "SELECT site, max(x) AS m FROM t GROUP BY site"
    model = replace(PLAN, algorithm="glm", params={"formula": "m ~ site + w", "family": "f"}, sql=grouped)
    renamed = "SELECT MAX(t.x) AS f, site AS v FROM t GROUP BY 2"
    other = replace(model, sql=renamed, params={"formula": "f ~ w+v", "family": "f"})
    assert question_of(model) == question_of(other)
    assert question_of(model) != question_of(replace(other, sql=renamed.replace("MAX", "MIN")))
    compared = replace(
        PLAN, algorithm="ttest", params={"column": "x", "by": "g", "levels": ["f", "m"]}, sql="SELECT x, g FROM t"
    )
    called = {"column": "x", "by": "f", "levels": ["f", "m"]}
    assert question_of(compared) == question_of(replace(compared, sql="SELECT x, g AS f FROM t", params=called))
    united = "SELECT x, g FROM t UNION ALL SELECT x, g FROM u"
    swapped = "SELECT g, x FROM u UNION ALL SELECT g, x FROM t"
    assert (
        question_of(replace(compared, sql=united))
        == question_of(replace(compared, sql=swapped))
        != question_of(compared)
    )


def test_which_packs_a_policy_names() -> None:
    sacro, ehds = Constraint("disclosurePack", "eq", "sacro"), Constraint("disclosurePack", "isAllOf", ("ehds", "ons"))
    either = Logical("any", (sacro, ehds))
    assert packs_required(Policy((Permission("use", (Logical("all", (sacro, ehds)),)),)), "statistics") == (
        "ehds", "ons", "sacro",
    )  # fmt: skip
    alternatives = Policy((Permission("use", (either,)),))
    assert packs_required(alternatives, "statistics") == ()
    assert packs_asked(alternatives, "statistics") == ("ehds", "ons", "sacro")
    two = Policy((Permission("statistics", (sacro,)), Permission("use", (sacro, ehds)), Permission("extract")))
    assert packs_required(two, "statistics") == ("sacro",) and packs_asked(two, "extract") == ("ehds", "ons", "sacro")
    none = Constraint("disclosurePack", "isNoneOf", ("i2b2",))
    assert packs_asked(Policy((Permission("use", (none,)),)), "statistics") == ()
    assert msgspec.to_builtins(sacro)["operand"] == "disclosurePack"
