"""The Chinese catalogues: every ``zh/*.po``, read once and merged."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent / "zh"
WHOLE = "whole"
"""The flag of a code's sentence that says all that the English words say: no detail follows it in brackets."""

Key = tuple[str, str]
"""The context of a message ("" where it has none), and the message."""


class Entry(msgspec.Struct, frozen=True):
    """One translated message, with the file and line where it stands."""

    key: Key
    text: str
    whole: bool
    path: Path
    line: int


class Catalogue(msgspec.Struct, frozen=True):
    """Every translated message by context and text, and the codes whose sentence is whole."""

    texts: dict[Key, str]
    whole: frozenset[Key]

    def text(self, message: str) -> str:
        """The translation of a text; empty where there is none."""
        return self.texts.get(("", message), "")

    def said(self, context: str, key: str) -> str:
        """What a catalogue says for a key in a context; empty where it says nothing."""
        return self.texts.get((context, key), "")

    def is_whole(self, context: str, key: str) -> bool:
        """Whether the sentence says all that the English words say."""
        return (context, key) in self.whole


def entries(folder: Path = FOLDER) -> Iterator[Entry]:
    """Every translated message of a folder's catalogues, file by file; a message without translation is left out."""
    from babel.messages.pofile import read_po

    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_Hans_CN", abort_invalid=True):
                one = message.id if isinstance(message.id, str) else message.id[-1]
                text = message.string if isinstance(message.string, str) else (message.string or ("",))[-1]
                if one and text and not message.fuzzy:
                    key = (message.context or "", one)
                    yield Entry(key, text, WHOLE in message.flags, path, message.lineno or 0)


@functools.cache
def chinese() -> Catalogue:
    """All Chinese catalogues as one; of two translations of one message the first file's holds."""
    texts: dict[Key, str] = {}
    whole: set[Key] = set()
    for entry in entries():
        if texts.setdefault(entry.key, entry.text) == entry.text and entry.whole:
            whole.add(entry.key)
    return Catalogue(texts, frozenset(whole))
