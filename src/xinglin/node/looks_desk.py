"""Desk verbs about complaints: what patients say is wrong, and the hospital's answer."""

from __future__ import annotations

import asyncio

import msgspec

from xinglin.node.looks import answer, complaints
from xinglin.node.wiring import Node
from xinglin.wire.desk import DeskCall

LOOKS_VERBS = ("complaints", "answer-complaint")


async def answer_about_looks(node: Node, call: DeskCall) -> object:
    """``complaints``: all of them, oldest first; ``answer-complaint`` (``complaint``, ``words``, ``by``): once."""
    given = call.arguments
    if call.verb == "answer-complaint":
        said = (given.get("complaint", ""), given.get("words", ""), given.get("by", ""))
        found = await asyncio.to_thread(answer, node.folder, node.settings, *said, node.clock)
        return msgspec.to_builtins(found)
    every = await asyncio.to_thread(complaints, node.folder, node.settings)
    return [msgspec.to_builtins(one) | {"waits": one.is_open} for one in every]
