"""The command line in the reader's language: helps, usage errors, headings and cells. JSON is never translated."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from xinglin.words import LANGUAGES, N_, Words, label_of, language_of

OPTION = "--language"
_GROUPS = {
    "state": "state",
    "status": "state",
    "verdict": "verdict",
    "decision": "verdict",
    "answer": "verdict",
    "kind": "kind",
    "role": "role",
    "roles": "role",
    "purpose": "purpose",
    "purposes": "purpose",
    "operation": "operation",
    "operations": "operation",
    "grade": "grade",
    "basis": "basis",
    "equivalence": "equivalence",
}
_BARE = frozenset({"state", "verdict"})
"""Groups whose word nobody types: the label stands alone; of the others the word follows in brackets."""
_USAGE = (
    (r"Missing argument '(?P<name>[^']*)'\.", N_("Missing argument '%(name)s'.")),
    (r"Missing option '(?P<name>[^']*)'\.", N_("Missing option '%(name)s'.")),
    (r"No such option: (?P<name>\S+)(?: .*)?", N_("There is no option %(name)s.")),
    (r"No such command '(?P<name>[^']*)'\..*", N_("There is no verb '%(name)s'.")),
    (r"Invalid value for (?P<name>'[^']*'): (?P<why>.*)", N_("Wrong value for %(name)s: %(why)s")),
    (r"Option '(?P<name>[^']*)' requires an argument\.", N_("Option %(name)s needs a value.")),
    (r"Got unexpected extra arguments? \((?P<name>.*)\)", N_("Too much is given: %(name)s")),
)
_TITLES = {
    "DEFAULT_STRING": N_("[default: {}]"),
    "REQUIRED_LONG_STRING": N_("[required]"),
    "ARGUMENTS_PANEL_TITLE": N_("Arguments"),
    "OPTIONS_PANEL_TITLE": N_("Options"),
    "COMMANDS_PANEL_TITLE": N_("Commands"),
    "ERRORS_PANEL_TITLE": N_("Error"),
    "ABORTED_TEXT": N_("Aborted."),
    "RICH_HELP": N_("Try [blue]'{command_path} {help_option}'[/] for help."),
}
_USAGE_WORD = N_("Usage:")
_HELP_OPTION = N_("Show this message and exit.")


def words_of(asked: str = "") -> Words:
    """The words of ``--language``, else of the environment; an unknown language ends the call as wrong use."""
    language = asked or language_of()
    if language not in LANGUAGES:
        raise typer.BadParameter(f"{language!r}: one of {', '.join(LANGUAGES)}.", param_hint=OPTION)
    return Words.of(language)


def split_language(args: list[str]) -> tuple[list[str], str]:
    """The arguments without the ``--language`` that stands before the verb, and what it asks for.

    >>> split_language(["--json", "--language", "zh", "run", "list"])
    (['--json', 'run', 'list'], 'zh')
    >>> split_language(["run", "--language", "zh"])
    (['run', '--language', 'zh'], '')
    """
    kept, asked, rest = [], "", iter(args)
    for word in rest:
        if word == OPTION:
            asked = next(rest, "")
        elif word.startswith(f"{OPTION}="):
            asked = word.partition("=")[2]
        else:
            kept.append(word)
            if not word.startswith("-"):
                break
    return [*kept, *rest], asked


def translate(command: Any, words: Words) -> None:
    """Put a tree of commands into a language: summaries, helps of arguments and options, the word for usage."""
    for one in (command, *command.params):
        for name in ("help", "short_help", "epilog"):
            text = getattr(one, name, None)
            if text:
                setattr(one, name, words.said("help", text) or text)
    _own_words(command, words)
    for inner in getattr(command, "commands", {}).values():
        translate(inner, words)


def _own_words(command: Any, words: Words) -> None:
    usage, help_option = command.get_usage, command.get_help_option

    def get_usage(ctx: Any) -> str:
        return str(usage(ctx)).replace("Usage:", words.text(_USAGE_WORD), 1)

    def get_help_option(ctx: Any) -> Any:
        found = help_option(ctx)
        if found is not None:
            found.help = words.text(_HELP_OPTION)
        return found

    command.get_usage, command.get_help_option = get_usage, get_help_option


@contextmanager
def spoken(words: Words) -> Iterator[None]:
    """While this holds, the library's own headings and usage errors are in the language."""
    if words.language == "en":
        yield
        return
    from typer import rich_utils

    library: Any = rich_utils
    before = {name: getattr(library, name) for name in (*_TITLES, "rich_format_error")}

    def format_error(error: Any) -> None:
        said = usage_error(error.format_message(), words)
        error.format_message = lambda: said
        before["rich_format_error"](error)

    try:
        for name, text in _TITLES.items():
            setattr(library, name, words.text(text))
        library.rich_format_error = format_error
        yield
    finally:
        for name, value in before.items():
            setattr(library, name, value)


def usage_error(text: str, words: Words) -> str:
    """What is wrong with a call, in the language; as it is where the library says something else."""
    for pattern, message in _USAGE:
        found = re.fullmatch(pattern, text, re.S)
        if found:
            return words.text(message, **found.groupdict())
    return text


def heading(name: str, words: Words) -> str:
    """A column's or a fact's name in the language."""
    return words.said("label", name) or name


def cell(name: str, shown: str, words: Words) -> str:
    """What stands under a name: words of an enumeration with their label."""
    group = _GROUPS.get(name)
    if group is None or words.language == "en":
        return shown
    return ", ".join(_labelled(group, one, words.language) for one in shown.split(", "))


def _labelled(group: str, word: str, language: str) -> str:
    label = label_of(f"{group}.{word}", language)
    if not label:
        return word
    return label if group in _BARE else f"{label} ({word})"


def wide(text: str) -> int:
    """Columns that a text takes on a terminal: East Asian characters take two.

    >>> wide("node 节点")
    9
    """
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def filled(text: str, width: int) -> str:
    """A text with spaces behind it up to a width on the terminal."""
    return text + " " * max(0, width - wide(text))
