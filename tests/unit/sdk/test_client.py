"""The line to a hub that lies about size: every path has its limit, and the caller is told what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import msgspec
import pytest

from xinglin.evidence.notes import NOTE_BYTES
from xinglin.evidence.receipt import RECEIPT_BYTES
from xinglin.kernel.limits import MESSAGE_BYTES, Limit
from xinglin.kernel.verdict import Reason
from xinglin.sdk import client as line
from xinglin.sdk.client import OpenClient
from xinglin.sdk.errors import Refused, Unreachable
from xinglin.stores.log_fetch import BUNDLE_BYTES
from xinglin.wire.calls import ENROL_BYTES
from xinglin.wire.errors import Problem
from xinglin.wire.extracts import PART_BYTES, SEALED_PART_BYTES
from xinglin.wire.space import Space

Answer = Callable[[httpx.Request], httpx.Response]
STEP = 256 * 1024


def hub(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> OpenClient:
    made = httpx.Client(transport=httpx.MockTransport(answer), base_url="https://hub.example")
    monkeypatch.setattr(line, "_http", lambda *_: made)
    return OpenClient(Space("x", "https://hub.example", "", "", "", "", ""))


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/checkpoint", NOTE_BYTES),
        ("/tile/entries/000.p/3", BUNDLE_BYTES),
        ("/receipt/17", RECEIPT_BYTES),
        ("/v1/enrol", ENROL_BYTES),
        ("/v1/extracts/run-a/parts/3", SEALED_PART_BYTES),
        ("/v1/extracts/run-a", MESSAGE_BYTES),
        ("/v1/access/register", MESSAGE_BYTES),
    ],
)
def test_no_answer_is_read_beyond_what_its_path_can_give(
    path: str, most: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        while given <= MESSAGE_BYTES.value + 2 * STEP:
            given += STEP
            yield bytes(STEP)

    lying = hub(monkeypatch, lambda _: httpx.Response(200, content=endless()))
    with lying as client, pytest.raises(Unreachable) as told:
        client.get_open(path)
    assert most.value < given <= most.value + STEP
    assert most.name in told.value.why and told.value.remedy


def test_a_whole_part_of_an_extract_still_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    with hub(monkeypatch, lambda _: httpx.Response(200, content=bytes(PART_BYTES.value + 4_096))) as client:
        assert len(client.get_open("/v1/extracts/run-a/parts/1")) == PART_BYTES.value + 4_096


def test_a_packed_answer_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def packed(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([b"\x1f\x8b"]), headers={"content-encoding": "gzip"})

    with hub(monkeypatch, packed) as client, pytest.raises(Unreachable, match="not listened to"):
        client.get("/v1/healthz", dict)


def test_a_refusal_keeps_its_reasons_and_status(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = msgspec.json.encode(Problem(404, (Reason("hub.unknown_run", "There is no such run."),)))
    refusing = hub(monkeypatch, lambda _: httpx.Response(404, content=problem))
    with refusing as client, pytest.raises(Refused) as refused:
        client.get_open("/v1/runs/x")
    assert (refused.value.status, refused.value.codes) == (404, ("hub.unknown_run",))
    broken = hub(monkeypatch, lambda _: httpx.Response(502, content=b"<html>"))
    with broken as client, pytest.raises(Refused, match="502"):
        client.get_open("/v1/runs/x")
