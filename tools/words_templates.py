"""What a template shows and does not translate: text nodes, visible attributes, texts in expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from jinja2 import Environment, nodes

OPTIONS = {"extensions": "jinja2.ext.i18n,jinja2.ext.do", "newstyle_gettext": "true"}
OPTIONS |= {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
VISIBLE = frozenset({"title", "aria-label", "aria-description", "aria-roledescription", "placeholder", "alt"})
UNREAD = frozenset({"code", "kbd", "pre", "script", "style", "samp"})
VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
TRANSLATORS = frozenset({"_", "gettext", "ngettext", "N_", "term", "asset", "integrity", "fresh_id"})
_NAMES = "Xinglin 杏林 Python CLI JSON CSV SVG PDF QR DID ID UTC English 中文 DUO ODRL FHIR DCAT TOTP LD Ctrl"
NAMES = frozenset(_NAMES.split())
"""Proper names and notations: the same in both languages."""
_HOLE = "\ue000"
_FILE = re.compile(r"\b[\w-]+\.(?:txt|json|csv|zip|toml|po)\b")
_LETTERS = re.compile(r"[A-Za-z]{2,}|[\u4e00-\u9fff]+")
_SENTENCE = re.compile(r"^[A-Z][a-z]+|[\u4e00-\u9fff]")

Found = tuple[int, str]


def untranslated(text: str) -> list[Found]:
    """Line and text of whatever a person would read in one language only."""
    environment = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], trim_blocks=True, lstrip_blocks=True)
    reader = _Reader()
    reader.feed(_skeleton(environment, text))
    reader.close()
    return sorted([*reader.found, *_spoken(environment.parse(text))])


def _skeleton(environment: Environment, text: str) -> str:
    """The template's HTML with a mark for each expression, without blocks and translated texts; lines are kept."""
    kept: list[str] = []
    inside, translating, tag = "", False, ""
    for _, kind, value in environment.lex(text):
        if kind == "data":
            kept.append("\n" * value.count("\n") if translating else value)
            continue
        kept.append("\n" * value.count("\n"))
        if kind in ("variable_begin", "block_begin"):
            inside, tag = kind, ""
        elif kind == "name" and inside == "block_begin" and not tag:
            tag = value
        elif kind == "variable_end" and not translating:
            kept.append(_HOLE)
        elif kind == "block_end":
            translating = tag == "trans" or (translating and tag != "endtrans")
    return "".join(kept)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Found] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name, value in attrs:
            shown = name in VISIBLE or (
                name == "value" and tag == "input" and given.get("type") in ("submit", "button")
            )
            if shown and value and _reads(value):
                self.found.append((self.getpos()[0], f'{name}="{value.replace(_HOLE, "…")}"'))
        if tag not in VOID:
            own = "lang" in given or given.get("translate") == "no"
            self._open.append((tag, tag in UNREAD or own))

    def handle_endtag(self, tag: str) -> None:
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at][0] == tag:
                del self._open[at:]
                return

    def handle_data(self, data: str) -> None:
        quiet = any(unread for tag, unread in self._open if tag != "html")
        if not quiet and _reads(data):
            line = self.getpos()[0] + len(data[: len(data) - len(data.lstrip())].split("\n")) - 1
            self.found.append((line, " ".join(data.replace(_HOLE, "…").split())))


def _reads(text: str) -> bool:
    return bool(set(_LETTERS.findall(_FILE.sub("", text))) - NAMES)


def _spoken(tree: nodes.Node) -> Iterator[Found]:
    """Texts in expressions that no translator is given: ``{{ "Yes" if found else "No" }}``."""
    quiet: set[int] = set()
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in TRANSLATORS:
            quiet |= {id(inner) for inner in call.find_all(nodes.Const)}
    for silent in (nodes.Compare, nodes.Getitem, nodes.Test, nodes.Import, nodes.FromImport, nodes.Include):
        for node in tree.find_all(silent):
            quiet |= {id(inner) for inner in node.find_all(nodes.Const)}
    for const in tree.find_all(nodes.Const):
        value: Any = const.value
        if id(const) not in quiet and isinstance(value, str) and _SENTENCE.search(value) and _reads(value):
            yield const.lineno, f'{{{{ "{value}" }}}}'
