"""What does a researcher get who goes round the SDK and asks for what the agreement does not give? On real nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from tests.privacy.conftest import quiet, said

from xinglin.hub.runs import Coordinator
from xinglin.lake.delta import Lake
from xinglin.node.engine import EngineDied
from xinglin.sample import SampleHospital, data_set, descriptions, generate_space, write_hospital
from xinglin.testing.asker import Asker, publish
from xinglin.testing.hostile_hub import HostileHub
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register
from xinglin.wire.calls import NodeProgress, RunView
from xinglin.wire.channel import RunMessage, RunReleased

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
COHORT = {
    "cardiac": "SELECT age, sex, trestbps, chol, restecg, cost, disease FROM cardiac",
    "encounter": "SELECT department, stay_days, charge FROM encounter",
}
VARIABLES = [
    *(f"cardiac.{name}" for name in ("age", "sex", "trestbps", "chol", "restecg", "cost", "disease")),
    *(f"encounter.{name}" for name in ("department", "stay_days", "charge")),
]
ALL = "SELECT age, sex, trestbps, restecg, disease FROM cardiac"
AGES = {"columns": ["age"]}
SAMPLE = generate_space()


@pytest_asyncio.fixture(loop_scope="module")
async def studies(hub: HostileHub, request: pytest.FixtureRequest) -> AsyncIterator[list[Asker]]:
    """Two researchers of different studies, on a data set that no other test asked about."""
    name = "set-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:]
    for hospital, sample in zip(hub.hospitals.values(), SAMPLE, strict=True):
        described = data_set(sample.profile, hospital.did, descriptions())
        publish(hospital, msgspec.structs.replace(described, name=name))
    made = [Asker(hub, f"study-{number}", name) for number in (1, 2)]
    for one in made:
        await one.agree(COHORT, VARIABLES)
    yield made


def codes(run: Coordinator) -> set[str]:
    """The codes of the reasons that the asker reads."""
    return {reason.code for reason in run.view().reasons}


def words(run: Coordinator) -> str:
    """Everything that the asker reads about why not."""
    return " ".join([run.view().words, *(f"{reason.words} {reason.remedy}" for reason in run.view().reasons)])


async def refused(hub: HostileHub, run: Coordinator) -> set[str]:
    """A run that no hospital took part in; its codes."""
    await hub.finish(run)
    assert run.state == "refused"
    assert not any(m.kind == "Upload" for ones in said(hub, RunMessage).values() for m in ones)
    assert not any(said(hub, RunReleased).values())
    for hospital in hub.hospitals.values():
        await quiet(hospital, run.run_id)
    return codes(run)


# --- outside the agreement --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT los_days AS age FROM cardiac", "sql.unknown_column"),
        ("SELECT age FROM patient", "sql.unknown_relation"),
        ("SELECT p.age FROM cardiac p JOIN observation o ON TRUE", "sql.unknown_relation"),
        ("SELECT * FROM read_csv('/etc/passwd')", "sql.not_admitted"),
        ("SELECT __person AS age FROM cardiac", "sql.reserved_name"),
        ("SELECT age FROM cardiac LIMIT 1", "sql.order"),
        ("SELECT x AS age FROM range(1000000000) t(x)", "sql.not_admitted"),
    ],
)
async def test_sql_outside_the_agreed_views_is_refused(
    hub: HostileHub, studies: list[Asker], sql: str, code: str
) -> None:
    found = await refused(hub, studies[0].begin(studies[0].plan(sql, "describe", AGES)))
    assert code in found or "terms.columns_unknown" in found


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "commercial-use"}, "terms.purpose"),
        ({"operation": "training"}, "terms.operation_not_agreed"),
        ({"study": "another"}, "terms.other_study"),
    ],
)
async def test_another_purpose_operation_or_study_is_refused(
    hub: HostileHub, studies: list[Asker], change: dict[str, str], code: str
) -> None:
    plan = studies[0].plan(ALL, "describe", AGES)
    found = await refused(hub, studies[0].begin(plan, studies[0].request(plan, **change)))
    assert any(each.startswith(code) for each in found), found


async def test_another_recipient_is_refused(hub: HostileHub, studies: list[Asker]) -> None:
    friend = PrivateKeys.generate()
    hub.enter(register(friend, "friend", ("consumer",)))
    await hub.checkpoint()
    plan = studies[0].plan(ALL, "describe", AGES)
    recipients = tuple(sorted((studies[0].did, friend.did)))
    found = await refused(hub, studies[0].begin(plan, studies[0].request(plan, recipients=recipients)))
    assert found == {"terms.recipient_not_agreed"}


async def test_another_studys_agreement_opens_nothing(hub: HostileHub, studies: list[Asker]) -> None:
    mine, other = studies
    plan = mine.plan(ALL, "describe", AGES, agreements=other.agreements)
    assert {"terms.other_consumer", "terms.study_not_agreed"} <= await refused(hub, mine.begin(plan))
    posing = mine.plan(ALL, "describe", AGES, agreements=other.agreements, study=other.study)
    assert "terms.other_consumer" in await refused(hub, mine.begin(posing))


async def test_an_expired_agreement_opens_nothing(hub: HostileHub, studies: list[Asker]) -> None:
    expires = hub.clock() + 4_000  # time enough to agree on it
    await studies[0].agree(COHORT, VARIABLES, expires=expires)
    await asyncio.sleep(max(0.0, (expires - hub.clock()) / 1000) + 0.1)
    found = await refused(hub, studies[0].begin(studies[0].plan(ALL, "describe", AGES)))
    assert "terms.agreement_expired" in found or "terms.agreement_not_active" in found


async def test_looser_rules_than_agreed_are_refused(hub: HostileHub, studies: list[Asker]) -> None:
    plan = studies[0].plan(ALL, "describe", AGES)
    for change in ({"min_cell": 9}, {"min_dof": 9}, {"max_person_share": 0.9}):
        loose = msgspec.structs.replace(plan, rules=msgspec.structs.replace(plan.rules, **change))
        assert "terms.rules_too_loose" in await refused(hub, studies[0].begin(loose))


async def test_answers_run_out_for_a_study_and_for_a_data_set(hub: HostileHub, studies: list[Asker]) -> None:
    mine, other = studies
    await mine.agree(COHORT, VARIABLES, allowance=1)
    assert (await mine.ask(mine.plan(ALL, "describe", AGES))).state == "done"
    for hospital in hub.hospitals.values():
        hospital.channel.sent.clear()
    assert "terms.no_allowance" in await refused(hub, mine.begin(mine.plan(ALL, "describe", AGES)))
    databases = [hospital.node.database for hospital in hub.hospitals.values()]
    caps = [database._cap for database in databases]
    try:
        for database in databases:
            database._cap = 1
        assert "terms.no_answers" in await refused(hub, other.begin(other.plan(ALL, "describe", AGES)))
    finally:
        for database, cap in zip(databases, caps, strict=True):
            database._cap = cap


# --- one person --------------------------------------------------------------------------------------------


def _one_person() -> str:
    """A predicate that exactly one person of all four hospitals meets."""
    ages = [
        (int(age), sex)
        for sample in SAMPLE
        for age, sex, finding in zip(
            *(sample.tables["cardiac"].columns[n] for n in ("age", "sex", "restecg")), strict=True
        )
        if finding == "brugada"
    ]
    age, sex = next(pair for pair in ages if ages.count(pair) == 1)
    return f"restecg = 'brugada' AND age = {age} AND sex = '{sex}'"


@pytest.mark.parametrize("across", [False, True], ids=["within a study", "across two studies"])
@pytest.mark.parametrize("larger_first", [True, False])
async def test_two_cohorts_one_person_apart(
    hub: HostileHub, studies: list[Asker], across: bool, larger_first: bool
) -> None:
    cohorts = [ALL, f"{ALL} WHERE NOT ({_one_person()})"]
    first, second = cohorts if larger_first else reversed(cohorts)
    mine, other = studies[0], studies[1 if across else 0]
    assert (await mine.ask(mine.plan(first, "describe", AGES))).state == "done"
    run = await other.ask(other.plan(second, "describe", AGES))
    assert run.state == "withheld"
    assert codes(run) == {"privacy.differencing"}
    assert mine.study not in words(run)


async def test_one_person_and_nobody_read_the_same(hub: HostileHub, studies: list[Asker]) -> None:
    """A cohort of one, of three and of nobody: the same answer, without a count."""
    seen = []
    for where in (_one_person(), "restecg = 'brugada'", f"{_one_person()} AND age > 119"):
        run = await studies[0].ask(studies[0].plan(f"{ALL} WHERE {where}", "describe", AGES))
        assert run.state == "withheld"
        assert codes(run) == {"privacy.small_cell"}
        seen.append(words(run))
    assert len(set(seen)) == 1


async def test_a_small_cell_of_a_table_is_hidden_with_one_beside_it(hub: HostileHub, studies: list[Asker]) -> None:
    run = await studies[0].ask(studies[0].plan(ALL, "crosstab", {"rows": "restecg", "columns": "sex"}))
    if run.state == "withheld":
        assert codes(run) == {"privacy.small_cell"}
        return
    cells = str(studies[0].opened(run)["payload"])
    assert "None" in cells
    assert " 1," not in cells and " 2," not in cells and " 3," not in cells


@pytest.mark.parametrize(
    "expression",
    [
        "CASE WHEN age = 64 THEN cost ELSE 0 END",
        "IF(restecg = 'brugada', cost, 0)",
        "cost * (restecg = 'brugada')::INT",
        "cost + 1000000 * (age = 64)::INT",
        "cost / (age - 64)",
        "cost * exp(-1000 * (age - 64) * (age - 64))",
        "greatest(0, age - 94) * cost",
        "cost * (lag(1) OVER (ORDER BY age) IS NULL)::INT",
        "cost * (nullif(1, 1) IS NULL)::INT",
        "cost * exp((age - 64) * (age - 64) * greatest(NULL, -1000))",
    ],
)
async def test_a_value_hidden_in_a_mean_is_refused(hub: HostileHub, studies: list[Asker], expression: str) -> None:
    sql = f"SELECT {expression} AS x FROM cardiac"
    found = await refused(hub, studies[0].begin(studies[0].plan(sql, "describe", {"columns": ["x"]})))
    assert "sql.hidden_value" in found or "terms.columns_unknown" in found


async def test_an_indicator_of_few_persons_is_withheld(hub: HostileHub, studies: list[Asker]) -> None:
    """Its mean times the number of persons would be the count of those few."""
    sql = "SELECT CASE WHEN restecg = 'brugada' THEN 1 ELSE 0 END AS x FROM cardiac"
    run = await studies[0].ask(studies[0].plan(sql, "describe", {"columns": ["x"]}))
    assert run.state in ("withheld", "refused")
    assert run.result is None or not run.result.sealed


async def test_forty_encounters_of_one_person_are_one_person(hub: HostileHub, studies: list[Asker]) -> None:
    sql = "SELECT stay_days, charge FROM encounter WHERE department = 'dialysis'"
    run = await studies[0].ask(studies[0].plan(sql, "describe", {"columns": ["stay_days"]}))
    assert run.state == "withheld"
    assert codes(run) == {"privacy.small_cell"}
    by = await studies[0].ask(
        studies[0].plan(
            "SELECT department, stay_days FROM encounter",
            "describe",
            {"columns": ["stay_days"], "by": ["department"]},
        )
    )
    if by.state == "done":
        shown = str(studies[0].opened(by)["payload"])
        assert "40" not in [part.strip("',") for part in shown.split() if part.strip("',").isdigit()]


# --- formulas -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "formula",
    [
        "disease ~ __import__('os').system('id')",
        "disease ~ eval('age')",
        "disease ~ age.__class__",
        "disease ~ (lambda: age)()",
        "disease ~ [age for age in sex]",
        "disease ~ I(age)",
        "disease ~ log(open('/etc/passwd').read())",
        "disease ~ f'{age}'",
        "disease ~ " + "(" * 500 + "age" + ")" * 500,
        "disease ~ " + " + ".join(f"age**{n}" for n in range(2, 400)),
    ],
)
async def test_a_formula_that_calls_python_runs_nowhere(hub: HostileHub, studies: list[Asker], formula: str) -> None:
    left = {name: one.node.database.allowance(studies[0].data_set).left for name, one in hub.hospitals.items()}
    run = studies[0].begin(studies[0].plan(ALL, "glm", {"formula": formula, "family": "binomial"}))
    await hub.finish(run)
    assert run.state in ("refused", "failed")
    for name, hospital in hub.hospitals.items():
        await quiet(hospital, run.run_id)
        assert hospital.node.database.allowance(studies[0].data_set).left == left[name]
        row = hospital.node.database.run(run.run_id)
        assert row is None or row.state == "ended"
    assert not any(m.kind == "Upload" for ones in said(hub, RunMessage).values() for m in ones)


# --- oracles ------------------------------------------------------------------------------------------------


Seen = list[tuple[object, ...]]


async def _watched(hub: HostileHub, asker: Asker) -> tuple[Coordinator, Seen, dict[str, list[int]]]:
    """A run, everything a follower sees of it but names and times, and the sizes of what each hospital sent."""
    for hospital in hub.hospitals.values():
        hospital.channel.sent.clear()
    run = asker.begin(asker.plan(ALL, "glm", {"formula": "disease ~ age + trestbps", "family": "binomial"}))
    seen: Seen = []
    async with asyncio.timeout(60):
        while not run.over:
            await run.follow(run.version, 0.2)
            view = run.view()
            states = tuple(sorted({node.state for node in view.nodes}))
            seen.append((view.state, view.round, view.words, view.reasons, states))
    sizes = {name: [len(one.payload) for one in ones] for name, ones in said(hub, RunMessage).items()}
    return run, [each for each, before in zip(seen, [None, *seen], strict=False) if each != before], sizes


def _outlier(sample: SampleHospital) -> SampleHospital:
    """The same hospital with one person of 500 years."""
    table = sample.tables["cardiac"]
    ages = table.columns["age"].copy()
    ages[0] = 500
    cardiac = msgspec.structs.replace(table, columns={**table.columns, "age": ages})
    return msgspec.structs.replace(sample, tables={**sample.tables, "cardiac": cardiac})


@pytest.mark.parametrize("name", ["a", "d"])
async def test_rows_out_of_range_at_one_hospital_show_not_where(
    hub: HostileHub, studies: list[Asker], name: str
) -> None:
    """One person of 500 years is missing from the total; no word, no state and no size of a message says where."""
    place, lake = hub.names.index(name), Lake(hub.hospitals[name].folder / "lake")
    write_hospital(_outlier(SAMPLE[place]), lake)
    try:
        await asyncio.sleep(0.01)
        run, seen, sizes = await _watched(hub, studies[0])
    finally:
        write_hospital(SAMPLE[place], lake)
    assert run.state == "done"
    assert len({tuple(each) for each in sizes.values()}) == 1
    assert seen[-1][2:4] == ("The result was released.", ())


@pytest.mark.parametrize("out", ["a", "d"])
@pytest.mark.parametrize("fewer_first", [True, False])
async def test_two_rosters_one_hospital_apart(
    hub: HostileHub, studies: list[Asker], out: str, fewer_first: bool
) -> None:
    """The same cohort with and without one hospital: the difference would be that hospital's own part."""
    all_four = tuple(sorted(studies[0].agreements))
    three = tuple(did for did in all_four if did != hub.hospitals[out].did)
    rosters = (three, all_four) if fewer_first else (all_four, three)
    first = await studies[0].ask(studies[0].plan(ALL, "describe", AGES, roster=rosters[0]))
    assert first.state == "done"
    second = await studies[1].ask(studies[1].plan(ALL, "describe", AGES, roster=rosters[1]))
    assert second.state == "withheld"
    assert codes(second) == {"privacy.roster_differencing"}
    other = studies[1].plan(f"{ALL} WHERE age > 60", "describe", AGES, roster=rosters[1])
    assert (await studies[1].ask(other)).state == "done"


@pytest.mark.parametrize("method", ["start", "cells", "local"])
async def test_a_child_that_dies_at_one_hospital_shows_not_where(
    hub: HostileHub, studies: list[Asker], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A query that floods memory or time where some row is there would be an oracle for that row."""
    ends = []
    for name in ("a", "d"):
        engine = hub.hospitals[name].node.desk.engine
        await engine.warm()

        async def die(*_request: object) -> None:
            raise EngineDied("The child ended before it answered.")

        with monkeypatch.context() as patched:
            patched.setattr(engine._made, method, die)
            run, seen, sizes = await _watched(hub, studies[0])
        assert run.state == "no_result"
        assert codes(run) == {"failed"}
        assert len({tuple(each) for each in sizes.values()}) == 1
        ends.append(seen[-1])
    assert ends[0] == ends[1]


async def test_a_view_of_a_run_has_no_field_that_depends_on_rows() -> None:
    """A new field has to be added here, by somebody who has thought about it."""
    assert [field.name for field in msgspec.structs.fields(NodeProgress)] == ["did", "name", "state", "connected"]
    assert [field.name for field in msgspec.structs.fields(RunView)] == [
        "run_id", "state", "version", "round", "nodes", "reasons", "words", "started", "ended", "entries",
    ]  # fmt: skip
