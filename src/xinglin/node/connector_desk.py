"""The hospital's verbs about the Dataspace Protocol: its own connector's processes, and what the hub holds for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from xinglin.kernel.verdict import deny
from xinglin.node.connector_held import NodeHeld
from xinglin.wire.desk import DeskAnswer, DeskCall
from xinglin.wire.errors import Refused

if TYPE_CHECKING:
    from xinglin.node.connector import NodeConnector

DSP = "dsp-"
_ANSWERS = {"dsp-accept": True, "dsp-refuse": False}


class NodeDspDesk:
    """``connector``: None where this node is not reached itself; what its hub holds for it is answered all the same."""

    def __init__(self, held: NodeHeld, connector: NodeConnector | None) -> None:
        self._held, self._connector = held, connector

    async def answer_at_desk(self, call: DeskCall, others: Callable[[DeskCall], Awaitable[DeskAnswer]]) -> DeskAnswer:
        """What a call at the node's desk is answered; what is not of the protocol goes to ``others``."""
        return DeskAnswer(await self.answer(call)) if call.verb.startswith(DSP) else await others(call)

    async def answer(self, call: DeskCall) -> Any:
        """One of the verbs ``dsp-…``."""
        pid = call.arguments.get("pid", "")
        if call.verb in _ANSWERS and self._is_held(pid):
            from xinglin.connector.operating import said_in

            seen = call.arguments.get("question", "")
            return await self._held.answer(pid, _ANSWERS[call.verb], *said_in(call.arguments), seen)
        if call.verb == "dsp-show" and self._is_held(pid):
            return self._held.one(pid)
        held = self._held.shown() if call.verb == "dsp-list" and call.arguments.get("kind") != "transfer" else []
        if self._connector is None:
            return held if call.verb == "dsp-list" else self._silent()
        return await self._own(call, held)

    def _is_held(self, pid: str) -> bool:
        """A process of this node's own comes first: ids of what is held are the hub's choice."""
        own = self._connector
        return pid in self._held and (own is None or own.assembled.connector.world.store.process(pid) is None)

    async def _own(self, call: DeskCall, held: list[dict[str, Any]]) -> Any:
        from xinglin.connector.operating import CONNECTOR_VERBS, act_of_connector

        if call.verb not in CONNECTOR_VERBS or self._connector is None:
            known = ", ".join(CONNECTOR_VERBS)
            raise Refused(deny("node.unknown_verb", f"There is no verb {call.verb!r}.", f"Known: {known}.").reasons)
        found = await act_of_connector(self._connector.assembled, call, hospital=True)
        return [*found, *held] if call.verb == "dsp-list" else found

    def _silent(self) -> Any:
        words = "This node does not speak the Dataspace Protocol, and nothing is held for it under this id."
        raise Refused(deny("dsp.no_connector", words, "Set 'dsp_address', or see: xinglin dsp list.").reasons)
