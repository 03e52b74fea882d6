"""A mapping as TOML with comments, laid out for a person to edit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from typing import Any

import msgspec

from xinglin.records.tabular.mapping import OTHER_READERS
from xinglin.records.tabular.model import Block, CodeMap, Mapping, Product, Strict

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_WIDE = 110


def write_toml(mapping: Mapping, comments: Dict[str, str] | None = None) -> str:
    """The text of a mapping. ``comments``: lines above a place (``table[1]``, ``product.columns.age``)."""
    said = comments or {}
    lines = [*_comment(said.get("", "")), f"version = {mapping.version}", f"name = {_text(mapping.name)}"]
    if mapping.words:
        lines.append(f"words = {_text(mapping.words)}")
    source = _plain(mapping.source)
    if source:
        lines += ["", "[source]", *_comment(said.get("source", ""))]
        lines += [f"{key} = {_value(value)}" for key, value in source.items()]
    for number, block in enumerate(mapping.table, 1):
        lines += ["", *_comment(said.get(f"table[{number}]", "")), *_block(block)]
    for name, codes in mapping.codes.items():
        lines += ["", *_comment(said.get(f"codes.{name}", "")), *_codes(name, codes)]
    if mapping.product is not None:
        lines += ["", *_comment(said.get("product", "")), *_product(mapping.product, said)]
    for name in OTHER_READERS:
        if told := getattr(mapping, name):
            lines += ["", f"[{name}]", *_comment(said.get(name, ""))]
            lines += [f"{_key(key)} = {_value(value)}" for key, value in told.items()]
    return "\n".join(lines) + "\n"


def _block(block: Block) -> list[str]:
    plain = _plain(block)
    fields = plain.pop("columns", {})
    lines = ["[[table]]", *(f"{key} = {_value(value)}" for key, value in plain.items())]
    return [*lines, "[table.columns]", *(f"{_key(name)} = {_value(field)}" for name, field in fields.items())]


def _codes(name: str, codes: CodeMap) -> list[str]:
    plain = _plain(codes)
    entries, words = plain.pop("map", {}), plain.pop("words", {})
    lines = [f"[codes.{_key(name)}]", *(f"{key} = {_value(value)}" for key, value in plain.items())]
    if words:
        lines += [f"[codes.{_key(name)}.words]", *(f"{_key(key)} = {_text(value)}" for key, value in words.items())]
    return [*lines, f"[codes.{_key(name)}.map]", *(f"{_key(key)} = {_value(value)}" for key, value in entries.items())]


def _product(product: Product, said: Dict[str, str]) -> list[str]:
    plain = _plain(product)
    columns = plain.pop("columns", {})
    lines = ["[product]", *(f"{key} = {_value(value)}" for key, value in plain.items())]
    for name, column in columns.items():
        here = f"product.columns.{name}"
        lines += [*_comment(said.get(here, "")), f"[{here}]"]
        lines += [f"{key} = {_value(value)}" for key, value in column.items()]
    return lines


def _plain(struct: Strict) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(struct)
    return found


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.splitlines()] if text else []


def _key(name: str) -> str:
    return name if _BARE.match(name) else _text(name)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, apart from the delete character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return _list(value)
    return repr(value)


def _list(values: Sequence[Any]) -> str:
    parts = [_value(value) for value in values]
    whole = "[" + ", ".join(parts) + "]"
    if len(whole) <= _WIDE:
        return whole
    lines, line = [], "  "
    for part in parts:
        if line.strip() and len(line) + len(part) > _WIDE:
            lines.append(line.rstrip())
            line = "  "
        line += part + ", "
    return "[\n" + "\n".join([*lines, line.rstrip()]) + "\n]"
