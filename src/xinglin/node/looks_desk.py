"""Desk verbs about complaints: what patients say is wrong, and the hospital's answer."""

from __future__ import annotations

import asyncio

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.node.looks import answer, complaints
from xinglin.node.wiring import Node
from xinglin.wire.desk import DeskCall

TOLD = Limit("complaints told at once", 500, "complaints")
LOOKS_VERBS = ("complaints", "answer-complaint")


async def answer_about_looks(node: Node, call: DeskCall) -> object:
    """``complaints``: those that wait (or the newest), oldest first, 500 at most; ``answer-complaint``: once.

    An answer names its ``complaint``, its ``words``, and ``by`` whom it is.
    """
    given = call.arguments
    if call.verb == "answer-complaint":
        said = (given.get("complaint", ""), given.get("words", ""), given.get("by", ""))
        found = await asyncio.to_thread(answer, node.folder, node.settings, *said, node.clock)
        return msgspec.to_builtins(found)
    every = await asyncio.to_thread(complaints, node.folder, node.settings)
    told = sorted(every, key=lambda one: (not one.is_open, one.at if one.is_open else -one.at))[: TOLD.value]
    return [msgspec.to_builtins(one) | {"waits": one.is_open} for one in sorted(told, key=lambda one: one.at)]
