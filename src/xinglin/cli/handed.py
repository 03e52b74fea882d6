"""What ``xinglin extract`` and ``xinglin synthetic`` share: rows that hospitals hand over when they are asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.cli.output import columns, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.extracts import Extraction
    from xinglin.sdk.synthetic import Synthesis
    from xinglin.wire.extracts import ExtractView

_SHOWN = ("run_id", "state", "node", "recipient", "words")


def show_asked(wanted: Extraction | Synthesis, *, preview: bool) -> None:
    """What it would be; or ask, and show one id a hospital."""
    if preview:
        shown = wanted.preview()
        printer.value(shown.to_dict(), lambda: str(shown))
        return
    rows = [{"run_id": one.id} for one in wanted.ask()]
    printer.value(rows, lambda: columns(rows, ("run_id",)))


def show_views(views: Iterable[ExtractView]) -> None:
    """Where each stands, a line each."""
    rows = [msgspec.to_builtins(one) for one in views]
    printer.value(rows, lambda: columns(rows, _SHOWN))


def show_view(view: ExtractView) -> None:
    """Where one stands, with every reason and what to do about it."""
    value: dict[str, Any] = msgspec.to_builtins(view)
    reasons = "".join(f"\n  - {one.words} {one.remedy} [{one.code}]" for one in view.reasons)
    printer.value(value, lambda: facts({name: value[name] for name in _SHOWN}) + reasons)


def at_desk(folder: Path, verb: str, *, timeout_s: float = 60.0, **words: str) -> Any:
    """What a hospital's running node answers; empty words are left out."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    given = {name: value for name, value in words.items() if value}
    return ask_desk(folder, DeskCall(verb, given), timeout_s=timeout_s).value
