"""What may be asked at the intake's desk. Every answer is counts, names and codes; none is a record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.verdict import Reason, deny
from xinglin.node.intake import reconciling, upkeep
from xinglin.node.intake.loading import load
from xinglin.node.intake.marks import UNSEEN, Marks
from xinglin.node.intake.sources import read_sources
from xinglin.node.intake.wiring import OpenIntake
from xinglin.wire.desk import DeskAnswer, DeskCall

if TYPE_CHECKING:
    from xinglin.node.intake.schedules import Schedules

Arguments = dict[str, str]
HELD_ROWS = 100


class Process(Protocol):
    """Of the intake's process, what the desk needs."""

    opened: OpenIntake
    stopping: asyncio.Event
    schedules: Schedules
    ca_file: Path | None

    @property
    def turn(self) -> threading.Lock:
        """Held by whoever carries objects or changes files of the lake."""
        ...

    async def reload(self) -> dict[str, str]:
        """Read ``sources.toml`` again."""
        ...

    def status(self) -> dict[str, Any]:
        """How the intake stands."""
        ...


Verb = Callable[[Process, Arguments], Awaitable[Any]]


async def answer_at_desk(process: Process, call: DeskCall) -> DeskAnswer:
    """One of ``VERBS``; anything else is refused with the list."""
    verb = VERBS.get(call.verb)
    if verb is None:
        words = f"The intake knows no verb {call.verb!r}."
        return DeskAnswer(None, deny("node.unknown_verb", words, f"Known: {', '.join(VERBS)}.").reasons)
    try:
        return DeskAnswer(await verb(process, call.arguments))
    except XinglinError as error:
        return DeskAnswer(None, (Reason(error.code, error.what, error.remedy),))


async def _status(process: Process, _given: Arguments) -> Any:
    return await asyncio.to_thread(process.status)


async def _reload(process: Process, _given: Arguments) -> Any:
    return {"problems": await process.reload()}


async def _load(process: Process, given: Arguments) -> Any:
    folder = process.opened.folder
    source = next((one for one in read_sources(folder) if one.name == given.get("source")), None)
    if source is None:
        raise XinglinError("There is no such source.", remedy="See sources.toml.")
    files = [Path(one) for one in decode_json(given.get("files", "[]").encode(), list[str])]
    marks = _marks(files, given["marks"]) if "marks" in given else None

    def work() -> Any:
        with process.turn:
            return msgspec.to_builtins(load(process.opened, source.source(folder), files, marks=marks))

    return await asyncio.to_thread(work)


def _marks(files: list[Path], given: str) -> Marks:
    """Of each file; one without a mark is not loaded."""
    marks = given.split(",")
    return {path: (marks[at] if at < len(marks) else "") or UNSEEN for at, path in enumerate(files)}


async def _held(process: Process, given: Arguments) -> Any:
    rows = process.opened.accounts.held(_number(given, "after"), HELD_ROWS)
    return msgspec.to_builtins(rows)


async def _replay(process: Process, given: Arguments) -> Any:
    codes = [given["code"]] if given.get("code") else []
    return await _alone(process, upkeep.replay_held, given.get("source", ""), codes)


async def _remap(process: Process, given: Arguments) -> Any:
    return await _alone(process, upkeep.remap_source, given.get("source", ""))


async def _accounts(process: Process, given: Arguments) -> Any:
    return await asyncio.to_thread(
        upkeep.accounts, process.opened, given.get("by", "source"), given.get("first", ""), given.get("last", "9999"),
        given.get("source", ""),
    )  # fmt: skip


async def _pull(process: Process, given: Arguments) -> Any:
    return {"run": await process.schedules.pull(given.get("source", ""))}


async def _cancel(process: Process, given: Arguments) -> Any:
    return {"cancelled": list(await process.schedules.cancel(given.get("source", "")))}


async def _check(process: Process, given: Arguments) -> Any:
    return await _alone(process, upkeep.check, given.get("repair") == "yes", given.get("deep") != "no")


async def _night(process: Process, given: Arguments) -> Any:
    return {"run": await process.schedules.night(given.get("job", ""))}


async def _reconcile(process: Process, given: Arguments) -> Any:
    count = _number(given, "count") if given.get("count") else None
    keys = tuple(decode_json(given.get("keys", "[]").encode(), list[str]))
    texts = {name: given.get(name, "") for name in ("source", "day", "kind", "column", "key")}
    wanted = reconciling.Wanted(**texts, count=count, keys=keys)
    return await asyncio.to_thread(reconciling.reconciled, process.opened, wanted, process.ca_file)


async def _erase(process: Process, given: Arguments) -> Any:
    persons = decode_json(given.get("persons", "[]").encode(), list[str])
    return await _alone(process, upkeep.erase_persons, persons)


async def _stop(process: Process, _given: Arguments) -> Any:
    process.stopping.set()
    return {"stopping": True}


async def _alone(process: Process, work: Callable[..., Any], *given: Any) -> Any:
    """Work that no batch may run beside."""

    def done() -> Any:
        with process.turn:
            return work(process.opened, *given)

    return await asyncio.to_thread(done)


def _number(given: Arguments, name: str) -> int:
    text = given.get(name, "0")
    if not text.isdigit() or len(text) > 18:
        raise MalformedMessage(f"'{name}' is a number.")
    return int(text)


VERBS: dict[str, Verb] = {
    "status": _status,
    "reload": _reload,
    "load": _load,
    "held": _held,
    "replay": _replay,
    "remap": _remap,
    "accounts": _accounts,
    "pull": _pull,
    "cancel": _cancel,
    "check": _check,
    "night": _night,
    "reconcile": _reconcile,
    "erase": _erase,
    "stop": _stop,
}
