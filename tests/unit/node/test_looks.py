"""The book of looks at real nodes: each run once, whatever crashes; persons find themselves, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from tests.unit.evidence.space import OTHER_DID
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.evidence.looks import BadLooks, against_log, verify_looks
from xinglin.evidence.policy import parse_policy
from xinglin.kernel.limits import Limit
from xinglin.lake.delta import Lake
from xinglin.node.care import CareDoor
from xinglin.node.consent import withdraw
from xinglin.node.joining import SALT_FILE
from xinglin.node.looks import NotYet, answer, complain, complaints, enrol, note_care, prove, shown
from xinglin.node.looks_clock import DAY_MS, is_due, next_page
from xinglin.node.looks_counted import code_of, codes_of, counted, counted_file
from xinglin.node.looks_keeper import LookKeeper
from xinglin.node.settings import NodeSettings
from xinglin.stores import look_book
from xinglin.stores.look_book import LookBook
from xinglin.terms.care import CareFacts, LookupRequest
from xinglin.testing.asker import Asker, furnish
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.errors import Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
COLUMNS = ("age", "sex", "trestbps", "disease")
COHORT = {"cardiac": f"SELECT {', '.join(COLUMNS)} FROM cardiac"}
SQL = "SELECT age, sex FROM cardiac WHERE age >= 55"
SETTINGS = NodeSettings()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def space(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    """Three hospitals that publish the generated tables."""
    async with HostileHub(tmp_path_factory.mktemp("looks"), names=("a", "b", "c")) as hub:
        furnish(hub)
        yield hub


def keeper(hospital: Hospital, every_ms: int = 0) -> LookKeeper:
    node, book = hospital.node, LookBook.in_folder(hospital.folder)
    return LookKeeper(
        node.keys.did, hospital.folder, book, node.database, node.view, node.evidence, hospital.clock, every_ms
    )


async def ran(
    space: HostileHub, study: str, algorithm: str = "describe", params: Any = None, sql: str = SQL
) -> tuple[Asker, str]:
    one = Asker(space, study)
    await one.agree(COHORT, [f"cardiac.{name}" for name in COLUMNS])
    return one, await ask(space, one, algorithm, params or {"columns": ["age"]}, sql)


async def ask(space: HostileHub, one: Asker, algorithm: str, params: Any, sql: str = SQL) -> str:
    run = await one.ask(one.plan(sql, algorithm, params))
    async with asyncio.timeout(20):
        while any(run.run_id in each.node.runs.open for each in space.hospitals.values()):
            await asyncio.sleep(0.02)
    return str(run.run_id)


def ages(hospital: Hospital) -> dict[str, float]:
    lake: Any = Lake(hospital.folder / "lake")
    rows = lake.datasets(lake.current(["cardiac"]))["cardiac"].to_table(columns=["person", "age"]).to_pylist()
    return {str(row["person"]): row["age"] for row in rows}


def two(hospital: Hospital) -> tuple[str, str]:
    """Somebody whom the query counts, and somebody whom it does not."""
    found = ages(hospital)
    old = next(person for person, age in sorted(found.items()) if age is not None and age >= 55)
    return old, next(person for person, age in sorted(found.items()) if age is not None and age < 55)


def entries(hospital: Hospital) -> Any:
    return [(at, hospital.node.view.entry(at)) for at in range(hospital.node.view.trusted.size)]


async def test_a_run_is_in_the_list_of_whom_it_counted_and_nobody_elses(space: HostileHub) -> None:
    one, run = await ran(space, "study-one")
    hospital = space.hospitals["a"]
    counts, not_counted = two(hospital)
    policy = hospital.node.view.record.policy_text
    with pytest.raises(NotYet):
        prove(hospital.folder, SETTINGS, counts)
    for person in (counts, not_counted):
        assert enrol(hospital.folder, SETTINGS, person) == 1
        assert enrol(hospital.folder, SETTINGS, person) == 0
    kept = keeper(hospital)
    await kept.turn()
    kept.close()
    mine, theirs = (shown(hospital.folder, SETTINGS, each, policy) for each in (counts, not_counted))
    (look,) = [link.look for link in mine.verified.links if link.look.is_research]
    assert (look.use, look.study, look.outcome, look.kind) == (run, "study-one", "released", "run")
    assert look.asker == one.did and look.purpose == "health-research" and look.index > 0 and look.asker_name
    assert [link.look.kind for link in theirs.verified.links] == ["enrolment"]
    for each in (mine, theirs):
        assert against_log(each.proof, entries(hospital)) == ()
        assert verify_looks(each.proof, parse_policy(policy)).complete_to > look.index
    hidden = [(at, one) for at, one in entries(hospital)]
    assert not [one for _, one in hidden if counts in str(one) or not_counted in str(one)]


async def test_a_look_that_the_hospital_does_not_write_down_is_detected(space: HostileHub) -> None:
    _, hidden = await ran(space, "study-hidden")
    hospital = space.hospitals["b"]
    person, _ = two(hospital)
    enrol(hospital.folder, SETTINGS, person)
    kept = keeper(hospital)
    kept._over.add(hidden)  # a hospital that leaves it out
    await kept.turn()
    kept.close()
    found = against_log(prove(hospital.folder, SETTINGS, person), entries(hospital))
    assert len(found) == 1 and "is in no page" in found[0]


@pytest.mark.parametrize("where", ["before the look", "before the page", "before the log", "before it is told"])
async def test_a_crash_anywhere_writes_each_look_once(
    space: HostileHub, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run = await ran(space, f"study-{where.replace(' ', '-')}")
    hospital = space.hospitals["c"]
    person, _ = two(hospital)
    enrol(hospital.folder, SETTINGS, person)

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    name = {"before the look": "note", "before the page": "write_page", "before it is told": "posted"}.get(where)
    with monkeypatch.context() as patch:
        if name is None:
            patch.setattr(hospital.node.evidence, "record", killed)
        else:
            patch.setattr(LookBook, name, killed)
        first = keeper(hospital)
        with pytest.raises(Killed):
            await first.turn()
        first.close()
    again = keeper(hospital)
    await again.turn()
    await again.turn()
    again.close()
    proof = prove(hospital.folder, SETTINGS, person)
    verified = verify_looks(proof, parse_policy(hospital.node.view.record.policy_text))
    assert [link.look.use for link in verified.links].count(run) == 1
    assert against_log(proof, entries(hospital)) == ()


async def test_a_noised_answer_keeps_whom_it_counted_and_the_same_again_counts_nobody(space: HostileHub) -> None:
    noised = {"column": "age", "bins": 5, "noise": {"rho_units": 5 * 10**9, "minimum": 3, "colluders": 1}}
    one, first = await ran(space, "study-noised", "dp_histogram", noised)
    again = await ask(space, one, "dp_histogram", noised)
    hospital = space.hospitals["a"]
    salt = (hospital.folder / SALT_FILE).read_bytes()
    old = {code_of(person, salt) for person, age in ages(hospital).items() if age is not None and age >= 55}
    assert counted(hospital.folder, first) == old and (hospital.folder / counted_file(first)).exists()
    person, _ = two(hospital)
    enrol(hospital.folder, SETTINGS, person)
    assert set(codes_of(hospital.folder, SETTINGS, person)) <= old
    kept = keeper(hospital)
    await kept.turn()
    kept.close()
    proof = prove(hospital.folder, SETTINGS, person)
    verified = verify_looks(proof, parse_policy(hospital.node.view.record.policy_text))
    looks = {link.look.use: link.look.kind for link in verified.links}
    assert looks[first] == "noised" and (again == first or again not in looks) and verified.unknown == ()


async def test_who_objects_is_in_no_later_run_and_sees_it(space: HostileHub) -> None:
    hospital = space.hospitals["a"]
    person, _ = two(hospital)
    receipt = withdraw(hospital.folder, person, "the person")
    _, later = await ran(space, "study-later", sql="SELECT age, sex FROM cardiac WHERE age >= 30")
    kept = keeper(hospital)
    await kept.turn()
    kept.close()
    found = shown(hospital.folder, SETTINGS, person, hospital.node.view.record.policy_text)
    kinds = [link.look.kind for link in found.verified.links]
    assert "choice" in kinds and later not in [link.look.use for link in found.verified.links]
    assert f"choice:{receipt.id}" in [link.look.use for link in found.verified.links]
    assert later in {subject for page in found.proof.pages for subject in page.covers}


async def test_a_choice_alone_writes_no_page_until_the_day_is_over(space: HostileHub) -> None:
    """The log must not tell that somebody chose: a choice rides along, or waits for the day's page."""
    hospital = space.hospitals["b"]
    kept = keeper(hospital)
    await kept.turn()
    book = LookBook.in_folder(hospital.folder)
    before = book.last_page()
    withdraw(hospital.folder, two(hospital)[1], "the person")
    await kept.turn()
    assert before is not None and book.last_page() == before
    hospital.clock.off_ms = DAY_MS + 1
    await asyncio.to_thread(kept._gather)
    assert is_due(book, hospital.clock(), 0)
    hospital.clock.off_ms = 0
    kept.close()
    book.close()


async def test_pages_are_on_a_clock_and_none_tells_that_somebody_asked(space: HostileHub) -> None:
    """Asked or not, said or not: the log sees the same pages at the same times; a use has its page at once."""
    hospital = space.hospitals["c"]
    every_ms = 3_600_000
    kept, book = keeper(hospital, every_ms), LookBook.in_folder(hospital.folder)
    try:
        await kept.turn()
        before = book.last_page()
        person = two(hospital)[1]
        enrol(hospital.folder, SETTINGS, person)
        said = complain(hospital.folder, SETTINGS, person, "", "That was not me.")
        answer(hospital.folder, SETTINGS, said.id, "We look.", "Dr Wang")
        await kept.turn()
        assert before is not None and book.last_page() == before  # nothing shows that somebody spoke
        strikes = next_page(book, hospital.clock(), every_ms)
        assert 0 < strikes - hospital.clock() <= every_ms
        for strike in (1, 2):  # the second has nothing to say, and is written all the same
            assert not is_due(book, strikes - 1, every_ms)
            hospital.clock.off_ms += next_page(book, hospital.clock(), every_ms) - hospital.clock() + 1
            await kept.turn()
            last = book.last_page()
            assert last is not None and last.page.number == before.page.number + strike and last.page.covers == ()
            strikes = next_page(book, hospital.clock(), every_ms)
        looks = verify_looks(prove(hospital.folder, SETTINGS, person), parse_policy(policy_of(hospital))).links
        assert {"enrolment", "complaint", "answer"} <= {link.look.kind for link in looks}
        hospital.clock.off_ms = 0
        _, run = await ran(space, "study-clock", sql="SELECT age, sex FROM cardiac WHERE age >= 35")
        await kept.turn()
        last = book.last_page()
        assert last is not None and last.page.covers == (run,)
    finally:
        hospital.clock.off_ms = 0
        kept.close()
        book.close()


def policy_of(hospital: Hospital) -> str:
    return hospital.node.view.record.policy_text


async def test_a_complaint_is_a_look_of_its_own_and_is_answered_once(space: HostileHub) -> None:
    hospital = space.hospitals["b"]
    person, _ = two(hospital)
    choice = withdraw(hospital.folder, person, "the person")  # which the node has not noted yet
    said = complain(hospital.folder, SETTINGS, person, f"choice:{choice.id}", "I was never in a study of hearts.")
    assert complaints(hospital.folder, SETTINGS) == (said,) and said.is_open
    answered = answer(hospital.folder, SETTINGS, said.id, "You objected after it began.", "Dr Wang")
    assert not answered.is_open and complaints(hospital.folder, SETTINGS, person) == (answered,)
    with pytest.raises(Refused):
        answer(hospital.folder, SETTINGS, said.id, "Something else.", "Dr Wang")
    with pytest.raises(Refused):
        complain(hospital.folder, SETTINGS, person, "", "  ")
    kept = keeper(hospital)
    await kept.turn()
    kept.close()
    found = prove(hospital.folder, SETTINGS, person)
    verified = verify_looks(found, parse_policy(hospital.node.view.record.policy_text))
    kinds = [link.look.kind for link in verified.links]
    assert kinds.count("complaint") == 1 and kinds.count("answer") == 1


async def test_a_file_that_cannot_be_read_is_said_to_be_unknown(space: HostileHub, tmp_path: Path) -> None:
    _, run = await ran(space, "study-damaged", sql="SELECT age, sex FROM cardiac WHERE age >= 45")
    hospital = space.hospitals["c"]
    for name in (f"releases/{run}.cells", counted_file(run)):
        if (hospital.folder / name).exists():
            (hospital.folder / name).write_bytes(b"\x00")
    kept = keeper(hospital)
    await kept.turn()
    kept.close()
    person, _ = two(hospital)
    enrol(hospital.folder, SETTINGS, person)
    proof = prove(hospital.folder, SETTINGS, person)
    assert run in verify_looks(proof, parse_policy(hospital.node.view.record.policy_text)).unknown


async def test_the_proof_of_a_second_hospital_is_not_this_ones(space: HostileHub) -> None:
    hospital = space.hospitals["c"]
    person, _ = two(hospital)
    proof = prove(hospital.folder, SETTINGS, person)
    other = prove(space.hospitals["b"].folder, SETTINGS, two(space.hospitals["b"])[0])
    mixed = type(proof)(proof.node, proof.person, proof.pages, other.places, proof.receipt, proof.salt)
    with pytest.raises(BadLooks):
        verify_looks(mixed, parse_policy(hospital.node.view.record.policy_text))


async def test_an_emergency_look_up_is_in_the_patients_list_before_anything_is_shown(space: HostileHub) -> None:
    hospital = space.hospitals["b"]
    _, patient = two(hospital)
    told: list[str] = []

    class Outbox:
        def tell(self, kind: str, subject: str, at: int, values: Any) -> None:
            book = LookBook.in_folder(hospital.folder)
            told.append(f"{kind} {book.knows(subject)}")
            book.close()

    door = CareDoor(Outbox(), partial(note_care, hospital.folder, SETTINGS))
    request = msgspec.structs.replace(request_of(hospital.did, patient), emergency="Unconscious, no papers with him.")
    again = msgspec.structs.replace(request, nonce="b" * 32)
    assert door.ask(request, facts_of(hospital.did, request.requester))
    assert not door.ask(again, msgspec.structs.replace(facts_of(hospital.did, request.requester), nonce_seen=True))
    assert told == ["break-glass True", "refused False"]
    enrol(hospital.folder, SETTINGS, patient)
    kept = keeper(hospital)
    await kept.turn()
    kept.close()
    proof = prove(hospital.folder, SETTINGS, patient)
    links = verify_looks(proof, parse_policy(hospital.node.view.record.policy_text)).links
    assert [link.look.words for link in links if link.look.kind == "break-glass"] == [request.emergency]
    assert request.digest() in {subject for page in proof.pages for subject in page.covers}


def request_of(node: str, patient: str) -> LookupRequest:
    """A look-up of a patient, as its asker signs it."""
    return LookupRequest(
        requester=OTHER_DID, node=node, patient=patient, purpose="clinical-care", variables=("patient.sex",),
        nonce="a" * 32, issued=1_000, expires=61_000,
    )  # fmt: skip


def facts_of(node: str, requester: str) -> CareFacts:
    """All that a node knows when a look-up is in order."""
    return CareFacts(
        now=2_000, node=node, signer=requester, key_status="active", nonce_seen=False, institution=requester,
        authorised=True, treating=True, restricted=False, match_confirmed=True, checkpoint_age_ms=0,
    )  # fmt: skip


async def test_the_verbs_say_the_same_and_verify_what_was_taken_home(space: HostileHub, tmp_path: Path) -> None:
    hospital = space.hospitals["a"]
    person, _ = two(hospital)
    enrol(hospital.folder, SETTINGS, person)
    kept = keeper(hospital)
    await kept.turn()
    kept.close()
    file = tmp_path / "mine.json"
    asked = ["--json", "patients", "looks", person, "--folder", str(hospital.folder), "--proof", str(file)]
    shown_now = await asyncio.to_thread(CliRunner().invoke, app, asked)
    assert shown_now.exit_code == 0, shown_now.output
    said = msgspec.json.decode(shown_now.stdout)
    assert said["against"] == [] and said["person"] == person
    again = await asyncio.to_thread(CliRunner().invoke, app, ["--json", "verify", str(file), "--before", str(file)])
    assert again.exit_code == 0 and msgspec.json.decode(again.stdout)["looks"] == said["looks"]
    file.write_bytes(file.read_bytes().replace(b'"number": 1', b'"number": 2', 1))
    assert (await asyncio.to_thread(CliRunner().invoke, app, ["--json", "verify", str(file)])).exit_code == 4


async def test_what_one_page_does_not_hold_is_on_the_next_ones_in_the_same_turn(
    space: HostileHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital = space.hospitals["a"]
    person, _ = two(hospital)
    _, run = await ran(space, "study-many", sql="SELECT age, sex FROM cardiac WHERE age >= 40")
    monkeypatch.setattr(look_book, "LOOKS_AT_ONCE", Limit("looks on one page", 1, "looks"))
    enrol(hospital.folder, SETTINGS, person)
    complain(hospital.folder, SETTINGS, person, "", "Not me.")
    kept, book = keeper(hospital), LookBook.in_folder(hospital.folder)
    before = book.last_page()
    await kept.turn()
    kept.close()
    last = book.last_page()
    assert before is not None and last is not None and last.page.number >= before.page.number + 2
    assert book.waiting() == 0 and last.page.upto > before.page.upto
    proof = prove(hospital.folder, SETTINGS, person)
    assert run in {subject for page in proof.pages for subject in page.covers}
    assert against_log(proof, entries(hospital)) == ()
    book.close()


async def test_a_page_of_which_the_log_has_not_told_yet_takes_nothing_away(space: HostileHub) -> None:
    """The list is proved up to the page before, and what is on the new one is said to be on its way."""
    hospital = space.hospitals["c"]
    person, policy = two(hospital)[0], policy_of(hospital)
    enrol(hospital.folder, SETTINGS, person)
    kept = keeper(hospital)
    await kept.turn()
    kept.close()
    before = shown(hospital.folder, SETTINGS, person, policy)
    said = complain(hospital.folder, SETTINGS, person, "", "Not me.")
    book = LookBook.in_folder(hospital.folder)
    page = book.write_page(hospital.did, 0, hospital.clock())
    for index in (-1, 10**6):  # not posted; posted, and its receipt on its way
        book.posted(page.number, index)
        found = shown(hospital.folder, SETTINGS, person, policy)
        assert found.verified.links == before.verified.links and found.verified.pages == page.number - 1
        assert [one.use for one in found.waiting] == [said.id]
    book.close()
