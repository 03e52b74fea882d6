"""What a person types at a desk: ids in short, invites in files, folders that hold nothing, ways through a proxy."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from xinglin.cli import agreement_verbs, node_verbs, witness_verbs
from xinglin.cli.app import app
from xinglin.cli.output import USAGE
from xinglin.console.doctor import examine
from xinglin.hub.desk import answer_at_desk
from xinglin.hub.members import INVITE_LIFE
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.testing.open_hub import OpenHub
from xinglin.wire.desk import DeskCall
from xinglin.wire.space import parse_invite

runner = CliRunner()
IDS = ("sha256:aa66" + "0" * 60, "sha256:aa77" + "0" * 60)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("aa66", IDS[0]),
        ("sha256:aa7", IDS[1]),
        (IDS[1], IDS[1]),
        ("aa", "aa"),
        ("a66", "a66"),
        ("sha256:", "sha256:"),
    ],
)
def test_an_agreement_is_named_by_enough_of_its_beginning(
    given: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With or without the name of the digest; what fits none or two goes on as it was typed, and is refused there."""
    asked: list[str] = []

    def answer(_: Path, verb: str, **arguments: str) -> Any:
        if verb == "agreements":
            return [{"id": one} for one in IDS]
        asked.append(arguments["id"])
        raise MalformedMessage("That is all that is asked here.")

    monkeypatch.setattr(agreement_verbs, "asked", answer)
    runner.invoke(app, ["node", "approve", given])
    assert asked == [meant]


def test_an_invite_is_the_first_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "invite"
    file.write_text("xinglin-invite-1.AAAA\nsent by the operator on Monday\n")
    assert node_verbs.invite_text(str(file)) == "xinglin-invite-1.AAAA"
    assert node_verbs.invite_text("xinglin-invite-1." + "A" * 5_000) == "xinglin-invite-1." + "A" * 5_000


@pytest.mark.parametrize(("role", "remedy"), [("node", "node join"), ("hub", "hub init"), ("witness", "space.json")])
def test_a_process_that_was_never_founded_says_how(role: str, remedy: str, tmp_path: Path) -> None:
    ended = runner.invoke(app, [role, "run", "--folder", str(tmp_path)])
    assert ended.exit_code == USAGE
    assert remedy in ended.stderr
    assert not list(tmp_path.iterdir())


def test_doctor_goes_the_way_that_the_node_goes(tmp_path: Path) -> None:
    """Behind a proxy the hub is not to be reached straight: doctor asks the node's own proxy for the hub."""
    made = runner.invoke(app, ["witness", "init", "Commission", "--folder", str(tmp_path / "w")])
    assert made.exit_code == 0, made.output
    words = ["hub", "init", "grove", "--card", str(tmp_path / "w" / "card.json"), "--folder", str(tmp_path / "h")]
    assert runner.invoke(app, [*words, "--host", "hub.invalid"]).exit_code == 0
    node = tmp_path / "n"
    node.mkdir()
    (node / "node.key").write_bytes((tmp_path / "h" / "hub.key").read_bytes())
    (node / "space.json").write_bytes((tmp_path / "h" / "space.json").read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard: list[bytes] = []
        hearing = threading.Thread(target=_hear, args=(listener, heard))
        hearing.start()
        (node / "node.toml").write_text(f'proxy = "http://127.0.0.1:{listener.getsockname()[1]}"\n')
        found = {one.check: one for one in examine(node)}
        hearing.join(10)
    assert not found["hub"].ok
    assert heard[0].startswith(b"CONNECT hub.invalid:8443 ")
    (node / "node.toml").write_text("prxy = 1\n")
    broken = {one.check: one for one in examine(node)}
    assert not broken["settings"].ok
    assert "proxy" in broken["settings"].remedy


def _hear(listener: socket.socket, heard: list[bytes]) -> None:
    listener.settimeout(10)
    line, _ = listener.accept()
    with line:
        heard.append(line.recv(4096))
        line.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")


def test_a_policy_is_shown_without_its_long_keys() -> None:
    text = f"witness w name+0a1b2c3d+{'A' * 2_600} https://w\nquorum w\n"
    assert witness_verbs._shortened(text) == "witness w name+0a1b2c3d+… https://w\nquorum w\n"


async def test_an_invite_lives_as_long_as_asked_and_a_week_at_most(tmp_path: Path) -> None:
    async with OpenHub(tmp_path) as hub:

        async def asked(life_s: str) -> Any:
            call = DeskCall("invite", {"role": "provider", "life_s": life_s})
            return (await answer_at_desk(hub.hub, call, asyncio.Event())).value

        week_s = INVITE_LIFE.value // 1000
        assert parse_invite((await asked(str(week_s)))["invite"]).role == "provider"
        with pytest.raises(LimitExceeded):
            await asked(str(week_s + 1))
        for wrong in ("0", "-1", "nan", "inf", "1e400", "soon"):
            with pytest.raises(MalformedMessage):
                await asked(wrong)
