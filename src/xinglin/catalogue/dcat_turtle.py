"""JSON-LD as ``dcat`` writes it (prefixes, ``@graph``, nested nodes with ids) as Turtle, the same every time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_LOCAL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_UNSAFE = re.compile(r"[\x00-\x20<>\"{}|^`\\]")


def turtle(document: Mapping[str, Any]) -> str:
    """The document as Turtle. Nodes are written in their order, their properties sorted."""
    prefixes: Mapping[str, str] = document["@context"]
    lines = [f"@prefix {name}: <{uri}> ." for name, uri in sorted(prefixes.items())]
    waiting, nodes = list(document["@graph"]), []
    while waiting:
        node = waiting.pop(0)
        nodes.append(node)
        inner = [value for values in node.values() for value in _listed(values)]
        waiting = [each for each in inner if isinstance(each, dict) and len(each) > 1 and "@id" in each] + waiting
    return "\n".join([*lines, "", *(_node(node, prefixes) for node in nodes)])


def _node(node: Mapping[str, Any], prefixes: Mapping[str, str]) -> str:
    rows = [f"    a {', '.join(_listed(node['@type']))}"] if "@type" in node else []
    for name in sorted(key for key in node if not key.startswith("@")):
        values = ", ".join(_value(each, prefixes) for each in _listed(node[name]))
        rows.append(f"    {name} {values}")
    return _uri(node["@id"], prefixes) + "\n" + " ;\n".join(rows) + " .\n"


def _value(value: Any, prefixes: Mapping[str, str]) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if "@id" in value:
        return _uri(value["@id"], prefixes)
    text = json.dumps(value["@value"], ensure_ascii=False)
    return f"{text}@{value['@language']}" if "@language" in value else f"{text}^^{value['@type']}"


def _uri(uri: str, prefixes: Mapping[str, str]) -> str:
    for name, start in prefixes.items():
        if uri.startswith(start) and _LOCAL.match(uri[len(start) :]):
            return f"{name}:{uri[len(start) :]}"
    return "<" + _UNSAFE.sub(lambda found: f"%{ord(found.group()):02X}", uri) + ">"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
