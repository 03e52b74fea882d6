"""Reading the command line: the global --json, help, wrong use, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import pytest
import typer
from typer.testing import CliRunner

from xinglin.cli import output
from xinglin.cli.app import app, split_json
from xinglin.cli.output import NO_RESULT, REFUSED, UNREACHABLE, UNVERIFIED, USAGE, columns, ends, facts, printer
from xinglin.evidence.errors import BadProof
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.sdk.errors import NotAnswered, NotVerified, Refused, RunEnded, Unreachable, Withheld
from xinglin.stores.desk import NotRunning

runner = CliRunner()
VERBS = frozenset(
    {
        "join",
        "participants",
        "datasets",
        "study",
        "preview",
        "describe",
        "crosstab",
        "histogram",
        "quantiles",
        "correlation",
        "ttest",
        "anova",
        "glm",
        "table1",
        "flow",
        "run",
        "settings",
        "doctor",
        "fsck",
        "verify",
        "demo",
        "hub",
        "node",
        "witness",
    }
)
INNER = {
    "hub": "init run invite status stop",
    "node": "join run status tables publish agreements approve refuse end receipts stop",
    "witness": "init run policy follow status",
    "study": "propose list show",
    "run": "show result cancel list",
}


@pytest.mark.parametrize(
    ("given", "kept", "as_json"),
    [
        (["status"], ["status"], False),
        (["--json", "status"], ["status"], True),
        (["hub", "status", "--json"], ["hub", "status"], True),
        (["hub", "--json", "status", "--folder", "h"], ["hub", "status", "--folder", "h"], True),
        (["demo", "--json", "file"], ["demo", "--json", "file"], False),
        (["--json", "demo", "--json", "file"], ["demo", "--json", "file"], True),
        (["glm", "--", "--json"], ["glm", "--", "--json"], False),
        ([], [], False),
    ],
)
def test_json_stands_before_or_after_the_verb(given: list[str], kept: list[str], as_json: bool) -> None:
    assert split_json(given) == (kept, as_json)


def test_every_verb_is_there_with_help() -> None:
    listed = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert set(listed) >= VERBS
    for group, names in INNER.items():
        assert set(names.split()) <= set(listed[group].commands)
    for name, command in listed.items():
        for each in [command, *getattr(command, "commands", {}).values()]:
            assert (each.help or "").strip(), name
            assert all(getattr(p, "help", None) or p.param_type_name == "argument" for p in each.params), each.name


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["hub", "nonsense"], ["glm"], ["settings", "pharmacy"], ["fsck"], ["verify"], ["hub", "--port"]],
)
def test_wrong_use_ends_with_2(words: list[str]) -> None:
    assert runner.invoke(app, words).exit_code == USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused((Reason("a.b", "No.", "Change."),)), REFUSED),
        (Withheld("run", (Reason("a.b", "No."),)), REFUSED),
        (NotRunning("nobody"), UNREACHABLE),
        (Unreachable("away"), UNREACHABLE),
        (httpx.ConnectError("no route"), UNREACHABLE),
        (BadProof("no"), UNVERIFIED),
        (NotVerified("no"), UNVERIFIED),
        (RunEnded("run", "too_few", "gone"), NO_RESULT),
        (NotAnswered(("north",), 1.0), NO_RESULT),
        (MalformedMessage("not that"), USAGE),
        (FileNotFoundError(2, "No such file", "x"), USAGE),
        (XinglinError("other"), REFUSED),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_exit_codes_never_change(
    error: Exception, code: int, as_json: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printer, "as_json", as_json)

    @ends
    def verb() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        verb()
    assert ended.value.exit_code == code
    said = capsys.readouterr()
    if as_json:
        assert set(msgspec.json.decode(said.out)) == {"code", "what", "why", "remedy", "reasons"}
    else:
        assert said.out == ""
        assert "Traceback" not in said.err
        assert said.err.strip()


def test_a_refusal_tells_every_reason_and_what_would_have_to_change(capsys: pytest.CaptureFixture[str]) -> None:
    @ends
    def verb() -> None:
        raise Refused((Reason("a.one", "First.", "Change one."), Reason("a.two", "Second.", "Change two.")))

    with pytest.raises(typer.Exit):
        verb()
    said = capsys.readouterr().err
    for part in ("First.", "[a.one]", "Change one.", "Second.", "Change two."):
        assert part in said


def test_a_fault_of_the_program_is_not_dressed_up() -> None:
    @ends
    def verb() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        verb()


def test_columns_and_facts_are_plain() -> None:
    text = columns([{"a": 1, "b": None}, {"a": "long", "b": [1, 2]}], ("a", "b"))
    assert text.splitlines() == ["a     b", "1     -", "long  1, 2"]
    assert columns([], ("a",)) == "nothing"
    assert facts({"up": True, "name": ""}) == "up    yes\nname  -"


def test_help_is_light() -> None:
    """``xinglin --help`` imports no process, no heavy library and no HTTP."""
    program = "import sys, xinglin.cli.app; print(*sorted(n for n in sys.modules))"
    root = Path(output.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    heavy = {"numpy", "duckdb", "pyarrow", "deltalake", "sqlglot", "scipy", "pandas", "httpx", "litestar", "sqlalchemy"}
    assert not loaded & heavy
    assert not {n for n in loaded if n.startswith(("xinglin.hub", "xinglin.node", "xinglin.witness", "xinglin.sdk"))}


def test_version_in_words_and_json() -> None:
    from xinglin import __version__

    assert __version__ in runner.invoke(app, ["--version"]).stdout
    assert msgspec.json.decode(runner.invoke(app, ["--version", "--json"]).stdout) == {"version": __version__}
    assert not printer.as_json, "the flag holds for its own call"


def test_an_interrupt_tells_how_to_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    @ends
    def verb() -> None:
        stop = KeyboardInterrupt()
        stop.add_note("The run goes on: run-1")
        raise stop

    with pytest.raises(typer.Exit) as ended:
        verb()
    assert ended.value.exit_code == output.INTERRUPTED
    assert "run-1" in capsys.readouterr().err
