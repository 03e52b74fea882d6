"""What a verb is given: opened by options of its source, closed behind it whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import pytest
import typer
from typer.testing import CliRunner

from xinglin.cli.given import given
from xinglin.cli.output import ends
from xinglin.kernel.errors import XinglinError

if TYPE_CHECKING:
    from nowhere import Shelf  # such types are never loaded

Room = Annotated[str, typer.Option("--room", help="Where the shelf stands.")]
events: list[str] = []


@contextmanager
def shelf_of(room: Room, rows: Annotated[int, typer.Option(help="Rows of the shelf.")] = 2) -> Iterator[Shelf]:
    events.append(f"open {room}")
    try:
        yield [room] * rows
    finally:
        events.append(f"close {room}")


def app() -> typer.Typer:
    made = typer.Typer()

    @made.command()
    @ends
    @given("shelf", shelf_of)
    def count(book: str, shelf: Shelf, by: Annotated[str, typer.Option()] = "title") -> None:
        """Count a book."""
        if book == "none":
            raise XinglinError("There is no such book.")
        typer.echo(f"{book} {shelf} {by}")

    return made


@pytest.fixture(autouse=True)
def fresh() -> None:
    events.clear()


def test_the_verb_has_its_own_options_and_those_of_the_source() -> None:
    command = typer.main.get_command(app())
    assert [one.name for one in command.params][:4] == ["book", "room", "by", "rows"]
    assert command.help == "Count a book."
    done = CliRunner().invoke(app(), ["atlas", "--room", "b2", "--rows", "1"])
    assert done.output == "atlas ['b2'] title\n" and events == ["open b2", "close b2"]


def test_it_is_closed_when_the_verb_fails() -> None:
    done = CliRunner().invoke(app(), ["none", "--room", "b2"])
    assert done.exit_code == 1 and "no such book" in done.output and events == ["open b2", "close b2"]


def test_a_required_option_of_the_source_is_asked_for_and_nothing_is_opened() -> None:
    assert CliRunner().invoke(app(), ["atlas"]).exit_code == 2 and not events


def test_a_verb_without_the_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="shelf"):
        given("shelf", shelf_of)(lambda book: None)


def test_an_option_that_stood_there_twice_is_refused() -> None:
    def verb(shelf: Shelf, room: Room = "") -> None: ...

    with pytest.raises(ValueError, match="duplicate"):
        given("shelf", shelf_of)(verb)
