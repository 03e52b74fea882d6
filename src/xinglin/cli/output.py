"""How verbs print and end: people get lines, programs get one JSON value, exit codes never change."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import msgspec
import typer

from xinglin.cli.language import cell, filled, heading, wide, words_of
from xinglin.kernel.errors import XinglinError
from xinglin.wire.errors import Refused
from xinglin.words import Words

P = ParamSpec("P")
R = TypeVar("R")

REFUSED, USAGE, UNREACHABLE, UNVERIFIED, NO_RESULT = 1, 2, 3, 4, 5
PARTLY = 6
"""It was done, but not with everything that was given: what was left out is told."""
INTERRUPTED = 130
_UNREACHABLE_CODES = frozenset({"stores.not_running", "sdk.unreachable"})
_NO_RESULT_CODES = frozenset({"sdk.run_ended", "sdk.timeout"})
_NOTHING_THERE_CODES = frozenset({"sdk.no_account", "node.not_joined", "hub.not_founded", "witness.not_following"})
_USAGE_CODES = frozenset({"kernel.malformed", "kernel.limit", "stores.settings"}) | _NOTHING_THERE_CODES
_STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UNVERIFIED_PREFIXES = ("evidence.", "sdk.not_verified")


class Printer:
    """Prints for people, or JSON when asked.

    ``as_json`` and ``asked`` (a language; empty: the environment's) are set once per call, from the global options.
    """

    def __init__(self, as_json: bool = False, asked: str = "") -> None:
        self.as_json, self.asked = as_json, asked

    @property
    def words(self) -> Words:
        """The words of the language in which people are answered; JSON is always in English."""
        return words_of("en" if self.as_json else self.asked)

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
            raise typer.Exit(code_of(error)) from error
        except _network_errors() as error:
            said = f"Nobody can be reached: {type(error).__name__}."
            _say(_told("cli.unreachable", said, "Run 'xinglin doctor'."))
            raise typer.Exit(UNREACHABLE) from error
        except KeyboardInterrupt as stop:
            for note in getattr(stop, "__notes__", ()):  # such as: the run goes on under this id
                sys.stderr.write(note + "\n")
            raise typer.Exit(INTERRUPTED) from stop
        except OSError as error:
            said = f"{error.filename or 'A file'}: {error.strerror or type(error).__name__}."
            _say(_told("cli.file", said, "Check the path and its permissions."))
            raise typer.Exit(USAGE) from error

    return wrapped


def columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Rows as aligned text columns under their names; "nothing" where there is none."""
    words = printer.words
    if not rows:
        return words.text("nothing")
    cells = [
        [heading(name, words) for name in names],
        *([cell(name, _cell(row.get(name)), words) for name in names] for row in rows),
    ]
    widths = [max(wide(row[k]) for row in cells) for k in range(len(names))]
    return "\n".join("  ".join(filled(one, w) for one, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def facts(value: Mapping[str, Any]) -> str:
    """A mapping as one ``name  value`` line each."""
    words = printer.words
    named = [(heading(name, words), cell(name, _cell(found), words)) for name, found in value.items()]
    width = max((wide(name) for name, _ in named), default=0)
    return "\n".join(f"{filled(name, width)}  {found}" for name, found in named)


def code_of(error: XinglinError) -> int:
    """The exit code of a typed error."""
    if error.code in _UNREACHABLE_CODES:
        return UNREACHABLE
    if error.code in _NO_RESULT_CODES:
        return NO_RESULT
    if error.code.startswith(_UNVERIFIED_PREFIXES):
        return UNVERIFIED
    return USAGE if error.code in _USAGE_CODES else REFUSED


class _Told(msgspec.Struct, frozen=True):
    code: str
    what: str
    why: str = ""
    remedy: str = ""
    reasons: tuple[Any, ...] = ()


def _complain(error: XinglinError) -> None:
    if printer.words.language != "en":
        told = printer.words.error(error)
        _say(_Told(told.code, told.what, told.why, told.remedy, told.reasons))
        return
    reasons = error.reasons if isinstance(error, Refused) else tuple(getattr(error, "reasons", ()))
    _say(_Told(error.code, error.what, error.why, error.remedy, reasons))


def _told(code: str, what: str, remedy: str) -> _Told:
    return _Told(code, printer.words.reason(code, what), remedy=printer.words.remedy(code, remedy))


def _say(told: _Told) -> None:
    if printer.as_json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    sys.stderr.write(harmless(_in_words(told, printer.words)))


def _in_words(told: _Told, words: Words) -> str:
    if not told.reasons:
        what = told.what
        if told.why:
            what += " " + words.text("Why: %(text)s", text=told.why)
        if told.remedy:
            what += " " + words.text("What to do: %(text)s", text=told.remedy)
        return f"{what} [{told.code}]\n"
    head = words.text("Refused.") if told.code.endswith("refused") else told.what
    lines = [f"{head} [{told.code}]\n"]
    for reason in told.reasons:
        lines.append(f"  - {reason.words} [{reason.code}]\n")
        if reason.remedy:
            lines.append("    " + words.text("What would have to change: %(text)s", text=reason.remedy) + "\n")
    return "".join(lines)


def _network_errors() -> tuple[type[BaseException], ...]:
    # Looked at only when something was raised: a verb that talks to nobody never loads the HTTP library.
    httpx = sys.modules.get("httpx")
    return (httpx.HTTPError,) if httpx is not None else ()


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return printer.words.text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value) or "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_cell(found)}" for name, found in value.items()) or "-"
    return harmless(str(value))


def harmless(text: str) -> str:
    """Others' words on a person's terminal: what would steer it, or turn the reading direction, is shown as a box.

    >>> harmless("a\x1b[2Jb")
    'a\N{REPLACEMENT CHARACTER}[2Jb'
    """
    return _STEERS.sub("\N{REPLACEMENT CHARACTER}", text)
