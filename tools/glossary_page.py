"""The page of the glossary, from the room ``words``: its words with meanings, and the labels of enumerations."""

from __future__ import annotations

_HEAD = """# Glossary 术语表

One word, one meaning, one spelling: folder, class, column and label use the same word. 一词一义一写法。

Printed from `src/xinglin/words` by `make docs`; console, command line and errors take their labels from there.

| English | 中文 | meaning 含义 |
|---|---|---|
"""
_LABELS = """
## Labels 标签

What is shown for each word of a state table or a list, by the first part of its key.
"""


def page() -> str:
    """The whole page."""
    from xinglin.words.glossary import glossary

    groups: dict[str, list[str]] = {}
    words = []
    for term in glossary().values():
        group, _, word = term.key.partition(".")
        if group == "word":
            words.append(f"| {term.en} | {term.zh} | {term.meaning_en} · {term.meaning_zh} |")
        else:
            groups.setdefault(group, []).append(f"| `{word}` | {term.en} | {term.zh} |")
    tables = [
        f"\n### {name}\n\n| key | English | 中文 |\n|---|---|---|\n" + "\n".join(rows) for name, rows in groups.items()
    ]
    return _HEAD + "\n".join(words) + "\n" + _LABELS + "\n".join(tables) + "\n"
