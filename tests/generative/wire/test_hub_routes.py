"""Whatever arrives at the hub's calls, the answer is a success or a problem that says why; never a 500."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.contract.faces.national_calls import MESSAGES
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import encode_msgpack
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest
from xinglin.terms.thresholds import DisclosureRules
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.dpop import DoorKey
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.calls import RunCall
from xinglin.wire.channel import (
    POLL_CONTEXT,
    REPORTS_CONTEXT,
    AgreementAnswer,
    CosignAnswer,
    LogSubmission,
    PaperReport,
    Poll,
    Published,
    Reports,
    RunAdmitted,
    RunMessage,
    RunRefused,
    RunReleased,
    RunStopped,
)

CALLS = (
    ("POST", "/v1/enrol"), ("POST", "/v1/door"), ("GET", "/v1/space"), ("GET", "/v1/participants"),
    ("GET", "/v1/policy"),
    ("GET", "/v1/status/1"), ("GET", "/v1/healthz"), ("GET", "/v1/datasets"), ("POST", "/v1/agreements"),
    ("GET", "/v1/agreements"), ("GET", "/v1/agreements/x"), ("GET", "/v1/agreements/x/papers"),
    ("POST", "/v1/agreements/x/papers"), ("GET", "/v1/national/contracts"), ("GET", "/v1/national/contracts/x"),
    *(("POST", "/v1/national" + path) for path in MESSAGES), ("POST", "/v1/runs"), ("GET", "/v1/runs/x"),
    ("GET", "/v1/runs/x/result"), ("POST", "/v1/runs/x/cancel"), ("GET", "/checkpoint"), ("GET", "/tile/0/000"),
    ("GET", "/tile/entries/000.p/1"), ("GET", "/receipt/99999"), ("POST", "/submit"), ("POST", "/node/poll"),
    ("POST", "/node/send"),
)  # fmt: skip
JSON_BODIES = (
    "/v1/enrol", "/v1/door", "/v1/agreements", "/v1/agreements/x/papers", "/v1/national/contractCreate", "/v1/runs"
)  # fmt: skip
SLOW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
header_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200)


class Door:
    """The hub, a member with a token, a node, and one event loop for all examples."""

    def __init__(self, hub: OpenHub, run: Any) -> None:
        self.hub, self._run = hub, run
        self.own = DoorKey.generate()
        self.member: PrivateKeys = run(hub.member())
        self.node: PrivateKeys = run(hub.member("provider"))
        self.token: str = run(hub.token(self.member, self.own))

    def do(self, coroutine: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
        """One call; the answer is a success or a problem."""
        answer: httpx.Response = self._run(coroutine)
        assert answer.status_code < 500 or answer.status_code in (503, 507), answer.text
        if answer.status_code >= 300:
            found = answer.json()
            reasons = found.get("reasons") or [found]
            assert all(reason["code"] and reason["words"] for reason in reasons), answer.text
            assert "Traceback" not in answer.text
        return answer

    def call(self, method: str, path: str, **how: Any) -> httpx.Response:
        """One call behind the door, with a good token and proof."""
        return self.do(self.hub.call(self.token, self.own, method, path, **how))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with asyncio.Runner() as runner:
        hub = OpenHub(tmp_path_factory.mktemp("fuzzed"))
        runner.run(hub.__aenter__())
        yield Door(hub, runner.run)
        runner.run(hub.__aexit__(None, None, None))


@SLOW
@given(call=st.sampled_from(CALLS), body=st.binary(max_size=400) | json_like.map(msgspec.json.encode))
def test_any_body_at_any_call(door: Door, call: tuple[str, str], body: bytes) -> None:
    method, path = call
    door.do(door.hub.http.request(method, path, content=body))
    if path.startswith("/v1/"):
        door.call(method, path, content=body)


@SLOW
@given(call=st.sampled_from(CALLS), token=header_text, proof=header_text)
def test_any_headers_at_any_call(door: Door, call: tuple[str, str], token: str, proof: str) -> None:
    headers = {"authorization": token, "dpop": proof, "content-length": "0"}
    door.do(door.hub.http.request(*call, headers=headers))


@SLOW
@given(
    after=st.sampled_from(["-1", "0", "9" * 40, "x", "", "1.5", "nan", "-" + "9" * 30]),
    wait=st.sampled_from(["nan", "inf", "-inf", "-1", "1e309", "x", "", "0"]),
    path=st.sampled_from(["/v1/runs/x", "/v1/agreements/x"]),
)
def test_any_number_in_a_query(door: Door, after: str, wait: str, path: str) -> None:
    door.call("GET", f"{path}?after={after}&wait={wait}")


@SLOW
@given(name=st.text(min_size=1, max_size=60))
def test_any_name_in_a_path(door: Door, name: str) -> None:
    from urllib.parse import quote

    spelled = quote(name, safe="")
    for path in (f"/v1/runs/{spelled}", f"/v1/agreements/{spelled}", f"/tile/{spelled}", f"/receipt/9{spelled}"):
        door.do(door.hub.http.get(path))
    for path in ("/v1/runs/%ff%fe", "/v1/agreements/%00", "/tile/../../etc/passwd", "/receipt/-1", "/nowhere"):
        door.do(door.hub.http.get(path))


@pytest.mark.parametrize("path", JSON_BODIES)
def test_deep_and_large_bodies_are_refused(door: Door, path: str) -> None:
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b" " * (4 * 1024 * 1024 + 1), b'"' + b"x" * 3_000_000 + b'"'):
        answer = door.call("POST", path, content=body)
        assert answer.status_code in (400, 413)


@pytest.mark.parametrize("path", ["/node/poll", "/node/send", "/submit"])
def test_deep_packed_bodies_are_refused(door: Door, path: str) -> None:
    for body in (b"\x91" * 100_000, b"\x81\xa1a" * 100_000, b"\xc1", b""):
        assert door.do(door.hub.http.post(path, content=body)).status_code in (400, 413)
    assert door.do(door.hub.http.post("/node/poll", content=b"\x90" * (64 * 1024 + 1))).status_code == 413


# --- members that say anything -------------------------------------------------------------------------------


@SLOW
@given(field=st.sampled_from([f.name for f in msgspec.structs.fields(Plan)]), value=json_like)
def test_any_plan_of_a_member(door: Door, field: str, value: Any) -> None:
    hub, now = door.hub, door.hub.clock()
    plan = {
        "study": "s",
        "data_set": "d",
        "sql": "SELECT 1 AS a",
        "algorithm": "describe",
        "params": {},
        "roster": [door.node.did],
        "as_of": 1,
        "agreements": {door.node.did: "sha256:" + "0" * 64},
        "rules": msgspec.to_builtins(DisclosureRules()),
        "packs": ["disclosure/1"],
        "rounds": 50,
        "version": 1,
        field: value,
    }
    try:
        data = canonical_bytes(plan)
        digest = msgspec.convert(plan, Plan).digest()
    except Exception:
        data, digest = msgspec.json.encode(plan), "sha256:" + "0" * 64
    request = UseRequest(
        plan=digest, requester=door.member.did, study="s", purpose="p", operation="statistics", nonce="n" * 16,
        issued=now, expires=now + 1000, recipients=(door.member.did,), nodes=(door.node.did,),
    )  # fmt: skip
    call = RunCall(sign(door.member, USE_REQUEST, request), data)
    assert door.call("POST", "/v1/runs", content=msgspec.json.encode(call)).status_code >= 400
    assert hub.hub.runs.busy is False


whole = st.integers(-(2**63), 2**63 - 1)
reports = st.one_of(
    st.builds(RunAdmitted, st.text(max_size=8), st.binary(max_size=40), st.binary(max_size=40)),
    st.builds(RunRefused, st.text(max_size=8), st.just(())),
    st.builds(RunMessage, st.text(max_size=8), st.text(max_size=8), whole, st.binary(max_size=40)),
    st.builds(RunReleased, st.text(max_size=8), st.binary(max_size=40), st.just({})),
    st.builds(RunStopped, st.text(max_size=8), st.text(max_size=8), st.text(max_size=8)),
    st.builds(LogSubmission, st.text(max_size=8), st.binary(max_size=80)),
    st.builds(CosignAnswer, st.text(max_size=8), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40)),
    st.builds(Published, st.binary(max_size=80) | json_like.map(msgspec.json.encode)),
    st.builds(AgreementAnswer, st.text(max_size=8), st.booleans(), st.binary(max_size=40)),
    st.builds(PaperReport, st.text(max_size=8), st.text(max_size=8), st.binary(max_size=40)),
)  # fmt: skip


@SLOW
@given(said=st.lists(reports, max_size=4), boot=st.text(max_size=8), number=st.integers(-(2**63), 2**63 - 1))
def test_any_report_of_a_node(door: Door, said: list[Any], boot: str, number: int) -> None:
    value = Reports(door.node.did, boot, number, door.hub.clock(), tuple(said))
    signed = sign(door.node, REPORTS_CONTEXT, encode_msgpack(value))
    answer = door.do(door.hub.http.post("/node/send", content=encode_msgpack(signed)))
    assert answer.status_code in (200, 400)


@SLOW
@given(
    have=st.integers(-(2**63), 2**63 - 1),
    size=st.integers(-(2**63), 2**63 - 1),
    hub_boot=st.text(max_size=8),
    runs=st.lists(st.text(max_size=8), max_size=3),
)
def test_any_poll_of_a_node(door: Door, have: int, size: int, hub_boot: str, runs: list[str]) -> None:
    hub = door.hub
    hub.hub.mailboxes.put(door.node.did, door_order())
    value = Poll(door.node.did, "b", hub.clock(), hub_boot, have, size, tuple(runs))
    signed = sign(door.node, POLL_CONTEXT, encode_msgpack(value))
    assert door.do(hub.http.post("/node/poll", content=encode_msgpack(signed))).status_code in (200, 400)


def door_order() -> Any:
    """Something that waits, so that a poll returns at once."""
    from xinglin.wire.channel import RunEnd

    return RunEnd("run-x", "cancelled", "")
