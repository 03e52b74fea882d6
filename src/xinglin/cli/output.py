"""How verbs print and end: people get lines, programs get one JSON value, exit codes never change."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import httpx
import msgspec
import typer

from xinglin.kernel.errors import XinglinError
from xinglin.wire.errors import Refused

P = ParamSpec("P")
R = TypeVar("R")

REFUSED, USAGE, UNREACHABLE, UNVERIFIED, NO_RESULT = 1, 2, 3, 4, 5
_UNREACHABLE_CODES = frozenset({"stores.not_running", "sdk.unreachable"})
_NO_RESULT_CODES = frozenset({"sdk.run_ended", "sdk.timeout"})


class Printer:
    """Prints for people, or JSON when asked; made once per call from the global ``--json``."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def value(self, value: Any, lines: Callable[[], str] | str) -> None:
        """One result: ``value`` as JSON, or the text that ``lines`` gives."""
        if self.as_json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
        else:
            sys.stdout.write((lines if isinstance(lines, str) else lines()) + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """A passing remark, on the error stream, for people only."""
        if not self.as_json:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


printer = Printer()


def ends(function: Callable[P, R]) -> Callable[P, R]:
    """Turn typed errors into words on the error stream and a stable exit code."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except XinglinError as error:
            _complain(error)
            raise typer.Exit(_code_of(error)) from error
        except httpx.HTTPError as error:
            sys.stderr.write(f"The hub cannot be reached: {type(error).__name__}. What to do: run 'xinglin doctor'.\n")
            raise typer.Exit(UNREACHABLE) from error

    return wrapped


def _complain(error: XinglinError) -> None:
    if printer.as_json:
        reasons: Any = error.reasons if isinstance(error, Refused) else ()
        body = {"code": error.code, "what": error.what, "why": error.why, "remedy": error.remedy, "reasons": reasons}
        sys.stdout.write(msgspec.json.encode(body).decode() + "\n")
        return
    if isinstance(error, Refused):
        sys.stderr.write("Refused.\n")
        for reason in error.reasons:
            sys.stderr.write(f"  - {reason.words} [{reason.code}]\n")
            if reason.remedy:
                sys.stderr.write(f"    What would have to change: {reason.remedy}\n")
        return
    sys.stderr.write(f"{error} [{error.code}]\n")


def _code_of(error: XinglinError) -> int:
    if error.code in _UNREACHABLE_CODES:
        return UNREACHABLE
    if error.code in _NO_RESULT_CODES:
        return NO_RESULT
    if error.code.startswith("evidence."):
        return UNVERIFIED
    if error.code in ("kernel.malformed", "kernel.limit"):
        return USAGE
    return REFUSED
