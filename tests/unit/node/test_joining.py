"""Joining a space: whom an invite may name, what an answer may be, and what a crash or an older file leaves behind."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from xinglin.console.calls.joining import JoiningCalls
from xinglin.console.seats import Seat
from xinglin.kernel.instants import system_clock
from xinglin.node import joining
from xinglin.node.joining import BEGUN_FILE, CREDENTIAL_FILE, SPACE_FILE, CannotJoin, invite_for_hospital, join_and_keep
from xinglin.node.settings import node_settings
from xinglin.trust.leaves import KeyRegistration
from xinglin.wire.calls import EnrolCall, Enrolled
from xinglin.wire.errors import Problem, Refused
from xinglin.wire.space import Invite, Space

SPACE = Space("unit", "https://hub.invalid", "", "unit+00000000+AAAA", "did:key:o", "did:key:r", "")
Answer = Callable[[httpx.Request], httpx.Response]


def invite(url: str = SPACE.hub_url, name: str = "unit") -> str:
    space = msgspec.structs.replace(SPACE, hub_url=url, name=name)
    return Invite(space, "provider", "secret", system_clock() + 60_000).text()


def enrolled(request: httpx.Request) -> httpx.Response:
    """As a hub answers, for the hospital that asks."""
    call = msgspec.json.decode(request.content, type=EnrolCall)
    did = msgspec.json.decode(call.registration, type=KeyRegistration).did
    return httpx.Response(200, content=msgspec.json.encode(Enrolled(did, 3, "x", b"y")))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """What the hub answers, in order; what is left was not asked."""
    given: list[Answer] = []
    real = httpx.Client

    def client(**_: object) -> httpx.Client:
        return real(transport=httpx.MockTransport(lambda request: given.pop(0)(request)))

    monkeypatch.setattr(joining.httpx, "Client", client)
    return given


def test_how_the_hub_is_reached_is_kept_where_nobody_wrote_it(tmp_path: Path, answers: list[Answer]) -> None:
    answers.append(enrolled)
    settings = tmp_path / "node.toml"
    settings.write_text('proxy = "http://proxy.hospital:3128"')  # by hand: no end of the line
    settings.chmod(0o640)
    join_and_keep(invite(), tmp_path, "A", proxy="http://127.0.0.1:1", ca_file="")
    assert tomllib.loads(settings.read_text()) == {"proxy": "http://proxy.hospital:3128"}
    joining._keep_settings(tmp_path, {"proxy": "http://other:1", "ca_file": "/etc/ca.pem"})
    kept = node_settings(tmp_path, environ={}).settings
    assert (kept.proxy, kept.ca_file) == ("http://proxy.hospital:3128", "/etc/ca.pem")
    assert settings.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("url", ["http://hub.example", "ftp://hub.example", "hub.example", "https://", "https://[1"])
def test_an_invite_names_an_address_of_https(url: str, tmp_path: Path, answers: list[Answer]) -> None:
    with pytest.raises(CannotJoin, match="https"):
        join_and_keep(invite(url), tmp_path / "node", "A")
    assert not (tmp_path / "node").exists(), "no key is made for it"


def test_a_hub_of_this_machine_may_do_without_tls() -> None:
    for url in ("https://hub.example:8443", "http://127.0.0.1:8443", "http://localhost:1"):
        assert invite_for_hospital(invite(url)).space.hub_url == url


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe", b"{}", b"[" * 100_000, b""])
def test_what_answers_and_is_no_hub_is_told(status: int, body: bytes, tmp_path: Path, answers: list[Answer]) -> None:
    answers.append(lambda _: httpx.Response(status, content=body))
    with pytest.raises(CannotJoin, match="no hub"):
        join_and_keep(invite(), tmp_path, "A")
    assert not (tmp_path / SPACE_FILE).exists()


def test_an_answer_has_a_limit_and_a_refusal_its_reasons(tmp_path: Path, answers: list[Answer]) -> None:
    answers.append(lambda _: httpx.Response(200, content=iter([b" " * 65_536] * 1_000)))
    with pytest.raises(CannotJoin, match="no hub"):
        join_and_keep(invite(), tmp_path, "A")
    answers.append(lambda _: httpx.Response(403, content=msgspec.json.encode(Problem(403, ()))))
    with pytest.raises(Refused):
        join_and_keep(invite(), tmp_path, "A")
    answers.append(lambda _: httpx.Response(200, content=msgspec.json.encode(Enrolled("did:key:other", 1, "", b""))))
    with pytest.raises(CannotJoin, match="another hospital"):
        join_and_keep(invite(), tmp_path, "A")
    assert not (tmp_path / CREDENTIAL_FILE).exists()


def test_a_crash_after_the_hub_enrolled_is_no_end(
    tmp_path: Path, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.append(enrolled)
    real = joining.write_private

    def dies(path: Path, data: bytes, mode: int = 0o600) -> None:
        real(path, data, mode)
        if path.name == CREDENTIAL_FILE:
            raise KeyboardInterrupt

    monkeypatch.setattr(joining, "write_private", dies)
    with pytest.raises(KeyboardInterrupt):
        join_and_keep(invite(), tmp_path, "A")
    monkeypatch.setattr(joining, "write_private", real)
    assert (tmp_path / CREDENTIAL_FILE).exists() and not (tmp_path / SPACE_FILE).exists()
    calls = JoiningCalls(Seat("h", "hospital", "H", tmp_path), None, None)  # type: ignore[arg-type]
    assert calls.offer(invite()).space == "unit", "the console lets it be finished"
    with pytest.raises(CannotJoin, match="another space"):
        join_and_keep(invite(name="else"), tmp_path, "A")
    joined = join_and_keep(invite(), tmp_path, "A")  # the hub is not asked: there is no answer left
    assert joined.space == SPACE and not (tmp_path / BEGUN_FILE).exists()
    with pytest.raises(CannotJoin, match="already"):
        join_and_keep(invite(), tmp_path, "A")
