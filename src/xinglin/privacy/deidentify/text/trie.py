"""Many words as one pattern: a tree of their beginnings, so that a place in a text is looked at once."""

from __future__ import annotations

import re
from collections.abc import Iterable

_Tree = dict[str, "_Tree"]
_GROUP = 48
"""First letters that are told from others at once, so that a place is not held against every word."""


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


def search_of(words: Iterable[str]) -> str:
    """As ``pattern_of``, for searching: a place whose first two letters begin no word is passed over at once.

    >>> re.findall(search_of(["月", "主任", "主治"]), "主任每月值班，由主人")
    ['主任', '月']
    """
    told = sorted(set(words))
    alone, longer = [word for word in told if len(word) == 1], [word for word in told if len(word) > 1]
    begins = [f"{_any_of(longer)}{_any_of(word[1:] for word in longer)}"] if longer else []
    begins += [_any_of(alone)] if alone else []
    firsts = sorted({word[0] for word in told})
    groups = [frozenset(firsts[start : start + _GROUP]) for start in range(0, len(firsts), _GROUP)]
    parts = [f"(?={_any_of(group)}){pattern_of(word for word in told if word[0] in group)}" for group in groups]
    return f"(?={_any_of(told)})(?={'|'.join(begins)})(?:{'|'.join(parts)})"


def _any_of(words: Iterable[str]) -> str:
    """The first letters of the words as one class."""
    return f"[{''.join(map(re.escape, sorted({word[0] for word in words})))}]"


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
