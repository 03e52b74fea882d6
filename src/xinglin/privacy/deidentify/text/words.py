"""The packaged words, read once."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources


@functools.cache
def _page() -> dict[str, dict[str, str]]:
    text = resources.files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def words(language: str, name: str) -> tuple[str, ...]:
    """A list of words: separated by ``|`` where some have spaces, else by spaces.

    >>> words("chinese", "postcode_labels")
    ('邮编', '邮政编码')
    """
    text = _page()[language][name]
    parts = text.replace("\n", "").split("|") if "|" in text else text.split()
    return tuple(part.strip() for part in parts if part.strip())


def letters(language: str, name: str) -> str:
    """A list of characters, as one text."""
    return "".join(_page()[language][name].split())
