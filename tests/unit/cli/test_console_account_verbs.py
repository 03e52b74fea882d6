"""``xinglin console account``: what is made there is who may sign in; secrets are shown once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from xinglin.cli.console_account_verbs import app
from xinglin.cli.output import printer
from xinglin.console.people.entrance import Entrance
from xinglin.console.people.wiring import open_people
from xinglin.console.seats import Seat, write_seats

FROM = "127.0.0.1"
Verb = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "console.toml").write_text('institution = "County (fictional)"\noidc_issuer = "https://id.example"\n')
    roles = {"group": "researcher", "clinic": "patient", "hub": "operator"}
    write_seats(tmp_path, tuple(Seat(one, role, one, tmp_path / one) for one, role in roles.items()))
    return tmp_path


@pytest.fixture
def verb(folder: Path) -> Verb:
    """``verb("add", "mei", …)``: its JSON; ``fails``: the exit code and what was said."""

    def called(*words: str, fails: bool = False) -> Any:
        printer.as_json = True
        done = CliRunner().invoke(app, [*words, "--folder", str(folder)])
        if fails:
            return done.exit_code, done.output
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return called


@contextmanager
def people_of(folder: Path) -> Iterator[Entrance]:
    people = open_people(folder)
    try:
        yield people
    finally:
        people.close()


def test_an_account_signs_in_with_the_password_that_was_made_up(folder: Path, verb: Verb) -> None:
    made = verb("add", "mei", "--seat", "group", "--label", "Mei (fictional)")
    assert made["password"].count("-") == 4 and len(made["password"]) == 24
    with people_of(folder) as people:
        step = people.sign_in(people.begin(), "mei", made["password"], from_=FROM)
        assert (step.kind, step.return_to) == ("done", "/account/password")
    (row,) = verb("list")
    assert row == {
        "name": "mei", "label": "Mei (fictional)", "seats": ["group"], "password": "to be changed", "second": "",
        "outside": "",
    }  # fmt: skip


def test_a_password_of_a_file_is_kept(folder: Path, verb: Verb, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("a calm river bends twice\n")
    assert verb("add", "mei", "--seat", "group", "--password-file", str(tmp_path / "word"))["password"] == "set"
    with people_of(folder) as people:
        step = people.sign_in(people.begin(), "mei", "a calm river bends twice", from_=FROM)
        assert (step.kind, step.return_to) == ("done", "/")


def test_weak_passwords_are_refused_here_too(verb: Verb, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("password1234\n")
    code, said = verb("add", "mei", "--seat", "group", "--password-file", str(tmp_path / "word"), fails=True)
    assert code == 1 and "weak_password" in said


@pytest.mark.parametrize("seat", ["nowhere", "clinic", "group=person-1", ""])
def test_only_seats_that_are_there_are_granted_and_a_patient_s_is_about_somebody(verb: Verb, seat: str) -> None:
    assert verb("add", "mei", "--seat", seat, fails=True)[0] == 2
    assert verb("list") == []


def test_seats_come_and_go(verb: Verb) -> None:
    verb("add", "mei", "--seat", "group")
    assert verb("grant", "mei", "--seat", "clinic=person-1", "--seat", "hub")["seats"] == [
        "group", "clinic=person-1", "hub"
    ]  # fmt: skip
    assert verb("withdraw", "mei", "--seat", "hub", "--seat", "clinic")["seats"] == ["group"]
    assert verb("grant", "nobody", "--seat", "hub", fails=True)[0] == 1


def test_reset_and_codes_and_the_end(folder: Path, verb: Verb) -> None:
    made = verb("add", "mei", "--seat", "group")
    shown = verb("totp", "mei")
    assert len(shown["recovery"]) == 10 and shown["address"].startswith("otpauth://totp/County%20%28fictional%29%3Amei")
    with people_of(folder) as people:
        step = people.sign_in(people.begin(), "mei", made["password"], from_=FROM)
        token = people.second(step.token, shown["recovery"][0]).token
        assert people.session(token) is not None
        verb("end", "mei")
        assert people.session(token) is None
        again = verb("reset", "mei")
        assert again["second"] == ""
        assert people.sign_in(people.begin(), "mei", made["password"], from_=FROM).code == "wrong"
        assert people.sign_in(people.begin(), "mei", again["password"], from_=FROM).kind == "done"
    verb("remove", "mei")
    assert verb("list") == [] and verb("remove", "mei", fails=True)[0] == 1


def test_an_account_of_the_institution_has_no_password(folder: Path, verb: Verb) -> None:
    made = verb("add", "mei", "--seat", "group", "--outside", "employee-7")
    assert (made["password"], made["outside"]) == ("", "employee-7")
    assert verb("add", "li", "--seat", "group", "--outside", "employee-7", fails=True)[0] == 1
    assert verb("bind", "mei", "")["outside"] == ""
    with people_of(folder) as people:
        assert people.sign_in(people.begin(), "mei", "", from_=FROM).code == "wrong"


def test_a_folder_without_a_console_gets_no_accounts(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    done = CliRunner().invoke(app, ["list", "--folder", str(empty)])
    assert done.exit_code == 2 and not empty.exists()
