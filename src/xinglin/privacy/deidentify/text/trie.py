"""Many words as one pattern: a tree of their beginnings, so that a place in a text is looked at once."""

from __future__ import annotations

import re
from collections.abc import Iterable

_Tree = dict[str, "_Tree"]


def pattern_of(words: Iterable[str]) -> str:
    """A regular expression for any of ``words``, the longest at each place.

    >>> pattern_of(["ab", "abc", "x"])
    '(?:ab(?:c)?|x)'
    """
    tree: _Tree = {}
    for word in words:
        node = tree
        for letter in word:
            node = node.setdefault(letter, {})
        node[""] = {}
    return _written(tree)


def _written(tree: _Tree) -> str:
    ends = "" in tree
    parts = []
    for letter, below in sorted(tree.items()):
        if letter:
            text, rest = re.escape(letter), below
            while len(rest) == 1 and "" not in rest:
                ((following, rest),) = rest.items()
                text += re.escape(following)
            parts.append(text + ("" if set(rest) == {""} else _written(rest)))
    if not parts:
        return ""
    return f"(?:{'|'.join(parts)}){'?' if ends else ''}"
