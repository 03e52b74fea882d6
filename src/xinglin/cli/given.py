"""An opened thing that a verb is given, with the options that open it.

A *source* is a context manager whose parameters are options. A verb under ``@given("space", account_space)`` takes
``space``; on the command line it has the options of ``account_space`` in its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from xinglin.cli.options import AccountFolder, AskPassphrase, PassphraseFile, passphrase

if TYPE_CHECKING:
    from xinglin.sdk.space import Space

R = TypeVar("R")
Source = Callable[..., AbstractContextManager[Any]]


def given(name: str, source: Source) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """A decorator: the verb's parameter ``name`` is what ``source`` opens; it is closed behind the verb.

    On the command line the required options of the source stand where the parameter stood, its others at the end.
    """

    def decorate(verb: Callable[..., R]) -> Callable[..., R]:
        opening = _options(source)
        required = [option for option in opening if option.default is option.empty]
        place = list(inspect.signature(verb).parameters).index(name)
        own = _options(verb, without=name)
        ordered = [*own[:place], *required, *own[place:], *(one for one in opening if one not in required)]

        @functools.wraps(verb)
        def wrapped(**values: Any) -> R:
            with source(**{option.name: values.pop(option.name) for option in opening}) as opened:
                return verb(**values, **{name: opened})

        wrapped.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {option.name: option.annotation for option in ordered}
        return wrapped

    return decorate


def _options(function: Callable[..., Any], without: str = "") -> list[inspect.Parameter]:
    """The parameters that are options, with their annotations read."""
    own = {name: one for name, one in inspect.signature(function).parameters.items() if name != without}
    # What a function gives back, and what it is given, may be types that only checkers load.
    written = SimpleNamespace(__annotations__={name: one.annotation for name, one in own.items()})
    read = get_type_hints(written, inspect.unwrap(function).__globals__, include_extras=True)
    return [one.replace(kind=one.KEYWORD_ONLY, annotation=read[name]) for name, one in own.items()]


@contextmanager
def account_space(
    account: AccountFolder, passphrase_file: PassphraseFile = None, ask_passphrase: AskPassphrase = False
) -> Iterator[Space]:
    """The space of an account."""
    from xinglin.sdk.space import connect

    with connect(account, passphrase=passphrase(passphrase_file, ask_passphrase)) as space:
        yield space
