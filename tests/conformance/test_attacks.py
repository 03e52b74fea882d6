"""Messages that are not what the protocol says: no 5xx, no state changes, and nobody learns what is another's."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.conformance.attacked import Attacked, Endpoint, as_other, running
from tests.conformance.official import CONTEXT, Schemas
from tests.conformance.peer import Message
from tests.conformance.process import Asking

WRONG: tuple[Any, ...] = (None, 0, True, "", "x", [], {}, [None])
JSON = {"content-type": "application/json"}
# A body that was not read lets the server close the connection, whoever sent it.
_TRANSPORT = ("date", "content-length", "connection")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, schemas: Schemas) -> Iterator[Attacked]:
    with running(tmp_path_factory.mktemp("attacked"), schemas) as found:
        yield found


@pytest.fixture
def unmoved(attacked: Attacked) -> Iterator[Attacked]:
    """The connector, whose every process is afterwards as it was."""
    before = attacked.states()
    yield attacked
    assert attacked.states() == before


def broken(message: Message) -> Iterator[tuple[str, Message]]:
    """The message with one member left out or replaced by something else, wherever it lies."""
    for path in places(message):
        for value in (*WRONG, ...):
            made = copy.deepcopy(message)
            holder = made
            for part in path[:-1]:
                holder = holder[part]
            if value is ...:
                del holder[path[-1]]
            else:
                holder[path[-1]] = value
            yield f"{'/'.join(map(str, path))} {'left out' if value is ... else repr(value)[:20]}", made


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in items:
        yield (*path, name)
        yield from places(part, (*path, name))


def test_a_message_that_the_schema_refuses_is_refused_and_moves_nothing(unmoved: Attacked) -> None:
    """Every single fault in every message at every endpoint, with the right ids and in a state that takes it."""
    peer, taken, sent = unmoved.peer, [], 0
    for endpoint in unmoved.endpoints():
        if not endpoint.move:
            continue
        good = endpoint.process.draft(endpoint.move)
        for fault, made in broken(good):
            if not peer.schemas.faults(good["@type"], made):
                continue
            sent += 1
            answer = peer.raw("POST", endpoint.url, json=made)
            if not 400 <= answer.status_code < 500:
                taken.append(f"{answer.status_code} {endpoint.process.subject} {good['@type']}: {fault}")
    assert not taken, f"{len(taken)} of {sent}: {taken[:20]}"
    assert sent > 1_500


def test_a_first_message_that_the_schema_refuses_opens_nothing(unmoved: Attacked) -> None:
    peer, taken = unmoved.peer, []
    for place, subject in (("negotiations", "ACN0202"), ("transfers", "ATP0205")):
        good = Asking(peer, place, subject).opening()
        for fault, made in broken(good):
            if peer.schemas.faults(good["@type"], made):
                answer = peer.raw("POST", f"{peer.provider_url}/{place}/request", json=made)
                if not 400 <= answer.status_code < 500:
                    taken.append(f"{answer.status_code} {good['@type']}: {fault}")
    assert not taken, taken[:20]


def bodies(endpoint: Endpoint) -> Iterator[tuple[bytes, dict[str, str]]]:
    """What is no message at all."""
    good = json.dumps(endpoint.process.draft(endpoint.move)).encode()
    yield from ((body, JSON) for body in (b"", b"null", b"[]", b"{", b"\xff\xfe", b"\x00" * 64, good[:-1], good + b"x"))
    yield b"[" * 100_000, JSON
    yield b'{"a":' * 50_000 + b"1" + b"}" * 50_000, JSON
    yield b'{"@context":["%s"],"@type":"x","n":1e999}' % CONTEXT.encode(), JSON
    yield good[:-1] + b',"pad":"' + b"x" * (1024 * 1024) + b'"}', JSON
    yield good, {"content-type": "text/plain"}
    yield good, {"content-type": "application/xml"}
    yield good, JSON | {"content-encoding": "gzip"}


def test_what_is_no_message_is_refused_and_moves_nothing(unmoved: Attacked) -> None:
    wrong, alone = [], {"connection": "close"}
    for endpoint in unmoved.endpoints():
        if not endpoint.move:
            continue
        for body, headers in bodies(endpoint):
            try:
                status = unmoved.peer.raw("POST", endpoint.url, content=body, headers=alone | headers).status_code
            except httpx.TransportError:
                # A body longer than any message is not read to its end: the client may find the door shut.
                status = 413 if len(body) > 1024 * 1024 else 0
            if not 400 <= status < 500:
                wrong.append(f"{status} {endpoint.path} {headers} {body[:60]!r}")
    assert not wrong, wrong[:20]


def test_other_methods_and_paths_are_refused(unmoved: Attacked) -> None:
    wrong = []
    for endpoint in unmoved.endpoints():
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
            if method in ("GET", "HEAD", "OPTIONS") and not endpoint.move:
                continue
            answer = unmoved.peer.raw(method, endpoint.url)
            if answer.status_code >= 500 or (answer.is_success and method != "OPTIONS"):
                wrong.append(f"{answer.status_code} {method} {endpoint.url}")
    for path in (
        "/negotiations/%00",
        "/negotiations/..%2f..",
        "/transfers/%ff",
        "/catalog/datasets/",
        "/x",
        "//",
        "/%",
    ):
        answer = unmoved.peer.raw("GET", unmoved.peer.provider_url + path)
        if not 400 <= answer.status_code < 500:
            wrong.append(f"{answer.status_code} GET {path}")
    assert not wrong, wrong


def told(answer: httpx.Response, *ids: str) -> tuple[int, Any, dict[str, str]]:
    """Status, body and headers without what differs by itself: ids, lengths, the clock."""
    text = answer.text
    for one in ids:
        text = text.replace(one, "ID")
    headers = {name: value for name, value in answer.headers.items() if name not in _TRANSPORT}
    return answer.status_code, json.loads(text) if text else "", headers


def test_what_is_anothers_is_told_like_what_is_not_there(unmoved: Attacked) -> None:
    """Every endpoint: somebody else's process, and an id that never was, are one answer; so for nobody at all."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        for endpoint in unmoved.endpoints():
            process = endpoint.process
            never = "urn:uuid:00000000-0000-4000-8000-000000000000"
            unknown = endpoint.url.replace(process.theirs, never)
            assert unknown != endpoint.url
            method = "POST" if endpoint.move else "GET"
            good = process.draft(endpoint.move) if endpoint.move else None
            swapped = json.loads(json.dumps(good).replace(process.theirs, never))
            for body, other in ((good, swapped), ({}, {}), ([1], [1])):
                theirs = told(as_other(client, method, endpoint.url, body), process.theirs)
                nobodys = told(as_other(client, method, unknown, other), never)
                assert theirs == nobodys, endpoint.url
                if body is good:
                    assert theirs[0] == 404
                more = {"json": body} if method == "POST" else {}
                assert told(client.request(method, endpoint.url, **more), process.theirs) == told(
                    client.request(method, unknown, **more), never
                )


def test_anothers_agreement_is_told_like_one_that_is_not_there(unmoved: Attacked) -> None:
    peer = unmoved.peer
    url = f"{peer.provider_url}/transfers/request"
    with httpx.Client(trust_env=False, timeout=30) as client:
        opening = Asking(peer, "transfers", "ATP0205").opening()
        theirs = told(as_other(client, "POST", url, opening), "ATP0205")
        nobodys = told(as_other(client, "POST", url, opening | {"agreementId": "ATP9999"}), "ATP9999")
    assert theirs == nobodys and theirs[0] == 404


def test_the_same_id_of_two_counterparties_is_two_processes(attacked: Attacked) -> None:
    """The other participant may use our ids as its own: it gets a process of its own, and ours stays."""
    peer = attacked.peer
    mine = next(one for one in attacked.processes if one.subject == "ACN0202")
    opening = Asking(peer, "negotiations", "ACN0202").opening() | {"consumerPid": mine.pid}
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = as_other(client, "POST", f"{peer.provider_url}/negotiations/request", opening)
    assert answer.status_code == 201 and answer.json()["providerPid"] != mine.theirs
    assert mine.told() == "REQUESTED"


@pytest.mark.parametrize(
    "address",
    ["", "x", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://user:secret@127.0.0.1/", "javascript:0",
     "http://127.0.0.1:0/", "http://127.0.0.1:99999/", "http://a b/", "http://127.0.0.1/?a=b", "http://127.0.0.1/#a"],
)  # fmt: skip
def test_addresses_that_cannot_be_called_are_refused_at_once(unmoved: Attacked, address: str) -> None:
    for place, subject in (("negotiations", "ACN0202"), ("transfers", "ATP0205")):
        opening = Asking(unmoved.peer, place, subject).opening() | {"callbackAddress": address}
        answer = unmoved.peer.raw("POST", f"{unmoved.peer.provider_url}/{place}/request", json=opening)
        assert 400 <= answer.status_code < 500, answer.text
