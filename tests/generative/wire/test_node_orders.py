"""Whatever the hub orders, a node neither raises nor falls silent; and nothing of it leaves the node unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.contract.agreement import AGREEMENT
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.verdict import Reason
from xinglin.secure import Adverts, Begin, Endorsed, Survivors, Total, encode
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.envelope import sign
from xinglin.wire.channel import (
    AgreementOrder,
    CheckpointOrder,
    CosignAnswer,
    CosignOrder,
    LogTicket,
    Order,
    Orders,
    PaperOrder,
    RunEnd,
    RunOrder,
    RunRefused,
    RunRelay,
    RunReleases,
)
from xinglin.wire.runs import run_id_of

PLAN_FIELDS = ("rules", "params", "sql", "roster", "agreements", "as_of", "rounds", "packs")
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
short, small = st.text(max_size=12), st.binary(max_size=80)
whole = st.integers(-(2**63), 2**63 - 1)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
orders = st.one_of(
    st.builds(RunOrder, short, small, small),
    st.builds(RunRelay, short, small),
    st.builds(RunReleases, short, st.lists(small, max_size=3).map(tuple)),
    st.builds(RunEnd, short, short, short),
    st.builds(CosignOrder, short, small, small),
    st.builds(CheckpointOrder, small),
    st.builds(LogTicket, short, st.lists(whole, max_size=3).map(tuple), st.just((Reason("a", "b"),))),
    st.builds(AgreementOrder, short, small, small),
    st.builds(PaperOrder, short, short, small),
)


class Line:
    """One node without data, a researcher, and one event loop for all examples."""

    def __init__(self, hub: HostileHub, run: Any) -> None:
        self.hub, self.run = hub, run
        self.node: Hospital = hub.hospitals["a"]
        self.asker = run(self._asker())

    async def _asker(self) -> Asker:
        return Asker(self.hub)

    def deliver(self, *given: Order) -> list[Any]:
        """Orders as the channel hands them over; what the node said because of them. It lives afterwards."""
        self.node.channel.sent.clear()
        self.run(self._deliver(given))
        return list(self.node.channel.sent)

    async def _deliver(self, given: tuple[Order, ...]) -> None:
        for order in given:
            self.node.dispatch.take(order)
        for _ in range(5):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while self.node.dispatch._tasks or self.node.node.runs.open:
                await asyncio.sleep(0.002)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with asyncio.Runner() as runner:
        unheard: list[dict[str, Any]] = []
        runner.get_loop().set_exception_handler(lambda _loop, context: unheard.append(context))
        hub = HostileHub(tmp_path_factory.mktemp("orders"))
        runner.run(hub.__aenter__())
        hub.beating = False
        yield Line(hub, runner.run)
        runner.run(hub.__aexit__(None, None, None))
        assert unheard == []


@SLOW
@given(given_orders=st.lists(orders, max_size=5))
def test_any_orders(line: Line, given_orders: list[Order], caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    before = line.node.node.view.trusted
    said = line.deliver(*given_orders)
    assert all(isinstance(report, RunRefused | CosignAnswer) for report in said)
    assert all(report.status != 200 for report in said if isinstance(report, CosignAnswer))
    assert line.node.node.view.trusted == before
    assert "an order failed" not in caplog.text


@SLOW
@given(data=small | plain.map(msgspec.json.encode))
def test_any_bytes_are_orders_or_malformed(data: bytes) -> None:
    from xinglin.kernel.codec import decode_msgpack
    from xinglin.kernel.errors import MalformedMessage

    try:
        decode_msgpack(data, Orders)
    except MalformedMessage:
        return
    raise AssertionError("these bytes are no orders")


@SLOW
@given(field=st.sampled_from(["study", "data_set", "terms", "made", "provider", "consumer", "version"]), value=plain)
def test_any_agreement_of_a_member(line: Line, field: str, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Well signed, and anything at all inside."""
    caplog.clear()
    body = {
        "provider": line.node.did,
        "consumer": line.asker.did,
        "study": "s",
        "data_set": "d",
        "terms": {},
        "made": 1,
    }
    body[field] = value
    try:
        payload = canonical_bytes(body)
    except Exception:
        payload = msgspec.json.encode(body)
    signed = sign(line.asker.keys, AGREEMENT, payload, pq=True)
    assert line.deliver(AgreementOrder("x", signed.to_bytes())) == []
    assert line.node.node.agreements.list() == []


@SLOW
@given(
    field=st.sampled_from(["rules", "params", "sql", "roster", "agreements", "as_of", "rounds", "packs"]), value=plain
)
def test_any_plan_of_a_member(line: Line, field: str, value: Any) -> None:
    """Well signed, named by its digest, and anything at all inside: refused in words, and nothing else is said."""
    asker = line.asker
    good = asker.plan("SELECT 1 AS a", "describe", {"columns": ["a"]}, roster=(line.node.did,), agreements={})
    body = {**msgspec.to_builtins(good), field: value}
    try:
        data = canonical_bytes(body)
        digest = msgspec.convert(body, type(good)).digest()
    except Exception:
        data, digest = msgspec.json.encode(body), good.digest()
    signed = asker.signed(msgspec.structs.replace(asker.request(good), plan=digest))
    said = line.deliver(RunOrder(run_id_of(signed), signed.to_bytes(), data))
    assert len(said) <= 1
    assert all(isinstance(report, RunRefused) for report in said)


@pytest.mark.parametrize("message", [Adverts, Begin, Survivors, Endorsed, Total])
def test_messages_for_a_run_that_is_not_there_are_dropped(line: Line, message: type) -> None:
    fields: dict[type, tuple[Any, ...]] = {
        Adverts: ((),),
        Begin: ((),),
        Survivors: (1, (0, 1, 2)),
        Endorsed: (1, (0, 1, 2), (), (), {}),
        Total: (1, (0, 1, 2), memoryview(b"")),
    }
    data = encode(message(1, bytes(32), *fields[message]))
    assert line.deliver(*[RunRelay("run-" + "a" * 26, data)] * 100) == []
    assert line.node.node.runs._inboxes == {}


def test_deep_and_large_orders_are_refused(line: Line) -> None:
    for body in (b"[" * 100_000, b"\x91" * 100_000, b"{" * 70, b"\0" * (1024 * 1024)):
        said = line.deliver(
            RunOrder("run-x", body, body),
            AgreementOrder("x", body, body),
            PaperOrder("x", "notice", body),
            CheckpointOrder(body),
            CosignOrder("t", body, body),
        )
        assert {type(report) for report in said} <= {RunRefused, CosignAnswer}
        assert len(encode_msgpack(said)) < 4096
