"""Every Reference of a resource, found by the elements that can hold one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Visit = Callable[[dict[str, Any], Any], None]


def visit_references(body: dict[str, Any], visit: Visit) -> None:
    """Call ``visit`` with each Reference of a resource and the resource's contained resources."""
    contained = body.get("contained")
    todo: list[Any] = [body]
    while todo:
        value = todo.pop()
        if type(value) is list:
            todo.extend(each for each in value if type(each) is dict or type(each) is list)
        else:
            if "reference" in value or "identifier" in value:
                visit(value, contained)
            todo.extend(each for each in value.values() if type(each) is dict or type(each) is list)
