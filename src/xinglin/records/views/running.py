"""What compiled views call while they run: FHIRPath over parsed JSON, tolerant of whatever a resource holds.

A value is ``None`` (nothing), one item, or a list of items. An item is never ``None``; a list may hold ``None``
where JSON has ``null``, and is cleaned where it is walked.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from xinglin.records.views.boundaries import compare_times, is_time_text, text_number
from xinglin.records.views.errors import NotBoolean, NotOneValue, TooDeep
from xinglin.records.views.model import REPEAT_DEPTH

_CHOICE_LIMIT = 64


def items(value: Any) -> Any:
    """The items of a value, as something to iterate."""
    if type(value) is not list:
        return () if value is None else (value,)
    return [each for each in value if each is not None] if None in value else value


def squeezed(found: list[Any]) -> Any:
    """A value of the items found: nothing, one, or the list."""
    if not found:
        return None
    return found[0] if len(found) == 1 else found


def first(value: list[Any]) -> Any:
    """The first item of a list."""
    return next((each for each in value if each is not None), None)


def last(value: Any) -> Any:
    """The last item of a value."""
    found = items(value)
    return found[-1] if found else None


def at(value: Any, index: Any) -> Any:
    """The item at an index; nothing outside."""
    found = items(value)
    if type(index) is not int or not 0 <= index < len(found):
        return None
    return found[index]


def walk(value: Any, name: str) -> Any:
    """``value.name`` where ``value`` is not one object."""
    if type(value) is not list:
        return value.get(name) if type(value) is dict else None
    if len(value) == 1:
        return value[0].get(name) if type(value[0]) is dict else None
    found: list[Any] = []
    for each in value:
        if type(each) is dict:
            inner = each.get(name)
            if type(inner) is list:
                found += inner
            elif inner is not None:
                found.append(inner)
    return squeezed(found)


def choice(value: Any, name: str) -> Any:
    """``value.name`` for an element with a choice of types: ``value`` is ``valueQuantity``, whatever the type."""
    found: list[Any] = []
    for each in items(value):
        if type(each) is dict:
            inner = each.get(name)
            if inner is None:
                inner = next((each[key] for key in each if _is_choice(key, name)), None)
            found += items(inner)
    return squeezed(found)


def _is_choice(key: str, name: str) -> bool:
    size = len(name)
    return key.startswith(name) and len(key) > size and key[size].isupper() and len(key) < size + _CHOICE_LIMIT


def of_type(value: Any, name: str) -> Any:
    """Items of a type, as far as JSON shows it: primitives by their form, resources by ``resourceType``."""
    return squeezed([each for each in items(value) if _has_type(each, name)])


def _has_type(item: Any, name: str) -> bool:
    if isinstance(item, dict):
        return bool(item.get("resourceType", name) == name) and name[0].isupper()
    if isinstance(item, bool):
        return name == "boolean"
    if isinstance(item, int):
        return name in ("integer", "decimal", "positiveInt", "unsignedInt", "integer64")
    if isinstance(item, float):
        return name == "decimal"
    return name[0].islower() and name not in ("boolean", "integer", "decimal", "positiveInt", "unsignedInt")


def one(value: list[Any]) -> Any:
    """The one item of a list. Raises ``NotOneValue`` where there are several."""
    found = items(value)
    if len(found) > 1:
        raise NotOneValue(
            "A column that takes one value was given several.",
            remedy="Say first() in its path, iterate with forEach, or set collection.",
        )
    return found[0] if found else None


def single(value: Any) -> Any:
    """The one item of a value, or nothing. Raises ``NotOneValue``."""
    return one(value) if type(value) is list else value


def many(value: Any) -> list[Any]:
    """A value as a list."""
    return list(items(value))


def some(value: Any) -> bool:
    """Whether there is anything."""
    return value is not None and (type(value) is not list or any(each is not None for each in value))


def count(value: Any) -> int:
    """How many items there are."""
    return len(items(value))


def truth(value: Any) -> bool | None:
    """A value where a boolean is expected: itself, nothing, or true for any other one item (FHIRPath §4.5)."""
    value = single(value)
    return value if value is None or value is True or value is False else True


def passes(value: Any) -> bool:
    """Whether a resource passes a filter. Raises ``NotBoolean``."""
    value = single(value)
    if value is not None and value is not True and value is not False:
        raise NotBoolean("A filter is neither true nor false.", remedy="Say exists() or a comparison in `where`.")
    return value is True


def negated(value: Any) -> bool | None:
    """``not()``."""
    given = truth(value)
    return None if given is None else not given


def both(left: Any, right: Any) -> bool | None:
    """``and`` of three values."""
    a, b = truth(left), truth(right)
    if a is False or b is False:
        return False
    return True if a is True and b is True else None


def either(left: Any, right: Any) -> bool | None:
    """``or`` of three values."""
    a, b = truth(left), truth(right)
    if a is True or b is True:
        return True
    return False if a is False and b is False else None


def differs(left: Any, right: Any) -> bool | None:
    """``xor`` of three values."""
    a, b = truth(left), truth(right)
    return None if a is None or b is None else a is not b


def implies(left: Any, right: Any) -> bool | None:
    """``implies`` of three values."""
    a, b = truth(left), truth(right)
    if a is False or b is True:
        return True
    if a is True:
        return b
    return None


def equal(left: Any, right: Any, times: bool = False) -> bool | None:
    """``=``: nothing where either side is nothing. ``times``: texts are dates and times, compared as such."""
    a, b = items(left), items(right)
    if not a or not b:
        return None
    if len(a) != len(b):
        return False
    answer: bool | None = True
    for x, y in zip(a, b, strict=True):
        same = _same(x, y, times)
        if same is False:
            return False
        answer = answer if same else None
    return answer


def _same(x: Any, y: Any, times: bool) -> bool | None:
    if times and isinstance(x, str) and isinstance(y, str) and is_time_text(x) and is_time_text(y):
        order = compare_times(x, y)
        return None if order is None else order == 0
    if isinstance(x, bool) is not isinstance(y, bool):
        return False
    return bool(x == y)


def among(value: list[Any], words: frozenset[str]) -> bool:
    """Whether a list is one text that is one of ``words``."""
    found = items(value)
    return len(found) == 1 and type(found[0]) is str and found[0] in words


def unequal(left: Any, right: Any, times: bool = False) -> bool | None:
    """``!=``."""
    return negated(equal(left, right, times))


def _pair(left: Any, right: Any) -> tuple[Any, Any]:
    """Both sides as one item each; nothing where either side is nothing, however many the other has."""
    if type(left) is not list and type(right) is not list:
        return left, right
    if not some(left) or not some(right):
        return None, None
    return single(left), single(right)


def ordered(left: Any, right: Any, sign: str, times: bool = False) -> bool | None:
    """``<``, ``<=``, ``>`` and ``>=``; nothing where the two cannot be compared."""
    x, y = _pair(left, right)
    if x is None or y is None or isinstance(x, bool) or isinstance(y, bool):
        return None
    if isinstance(x, str) and isinstance(y, str):
        as_times = times and is_time_text(x) and is_time_text(y)
        order = compare_times(x, y) if as_times else (x > y) - (x < y)
    elif isinstance(x, int | float) and isinstance(y, int | float):
        order = (x > y) - (x < y)
    else:
        return None
    if order is None:
        return None
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[sign]


def arithmetic(left: Any, right: Any, sign: str) -> Any:
    """``+ - * / div mod`` of numbers, exact as written; ``+`` also joins texts. Nothing on dividing by 0."""
    if type(left) is int and type(right) is int and sign == "+":
        return left + right
    x, y = _pair(left, right)
    if x is None or y is None:
        return None
    if isinstance(x, str) and isinstance(y, str):
        return x + y if sign == "+" else None
    if not _is_number(x) or not _is_number(y):
        return None
    a, b = text_number(x), text_number(y)
    if a is None or b is None:
        return None
    if sign in ("/", "div", "mod"):
        if not b:
            return None
        answer = a / b if sign == "/" else a // b if sign == "div" else a % b
        whole = sign == "div" or (sign == "mod" and isinstance(x, int) and isinstance(y, int))
        return _plain(answer, not whole)
    answer = a + b if sign == "+" else a - b if sign == "-" else a * b
    return _plain(answer, not (isinstance(x, int) and isinstance(y, int)))


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)


def _plain(number: Decimal, fraction: bool) -> int | float:
    return float(number) if fraction else int(number)


def joined(left: Any, right: Any) -> str:
    """``&``: texts joined, nothing being the empty text."""
    x, y = single(left), single(right)
    return (to_text(x) or "") + (to_text(y) or "")


def join(value: Any, separator: Any) -> str:
    """``join(separator)`` of the texts; nothing gives the empty text (SQL on FHIR v2, ``fhirpath.json``)."""
    words = [each for each in items(value) if isinstance(each, str)]
    return (separator if isinstance(separator, str) else "").join(words)


def to_text(value: Any) -> str | None:
    """``toString()``."""
    value = single(value)
    if value is None or isinstance(value, dict):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def texts(value: Any, other: Any, name: str) -> bool | None:
    """``startsWith``, ``endsWith`` and ``contains``."""
    x, y = single(value), single(other)
    if not isinstance(x, str) or not isinstance(y, str):
        return None
    return x.startswith(y) if name == "startsWith" else x.endswith(y) if name == "endsWith" else y in x


def union(left: Any, right: Any) -> Any:
    """``|``: items of both, each once."""
    found: list[Any] = []
    for each in (*items(left), *items(right)):
        if not any(_same(each, other, False) and type(each) is type(other) for other in found):
            found.append(each)
    return squeezed(found)


def chosen(condition: Any, then: Any, otherwise: Any) -> Any:
    """``iif``."""
    return then if truth(condition) is True else otherwise


def reference_key(value: Any, wanted: str | None = None) -> Any:
    """``getReferenceKey``: ``Type/id`` of a reference; others (``urn:uuid:``, conditional) as written.

    ``wanted``: only references to this type. A reference into its own resource (``#id``) has no key.
    """
    if type(value) is dict:
        text = value.get("reference")
        if type(text) is not str:
            return None
        type_, key = _key_of(text)
        if wanted is None or type_ == wanted:
            return key
        return key if not type_ and value.get("type") == wanted else None
    if type(value) is list:
        found = [
            key for each in items(value) if type(each) is dict and (key := reference_key(each, wanted)) is not None
        ]
        return squeezed(found)
    return None


@lru_cache(maxsize=32_768)
def _key_of(text: str) -> tuple[str, str | None]:
    """The type, where it is told, and the key of a reference."""
    type_, slash, rest = text.partition("/")
    if slash and type_.isalpha() and type_[0].isupper() and "/" not in rest and "?" not in rest:
        return type_, text
    parts = text.split("/")
    if len(parts) >= 4 and parts[-2] == "_history":
        parts = parts[:-2]
    if not text or text[0] == "#":
        return "", None
    if "?" in text:
        return text.split("?", 1)[0].rsplit("/", 1)[-1], text
    if len(parts) >= 2 and parts[-2][:1].isupper() and parts[-2].isalpha():
        return parts[-2], f"{parts[-2]}/{parts[-1]}"
    return "", text


def resource_key(value: Any) -> str | None:
    """``getResourceKey()``: ``Type/id``."""
    if type(value) is not dict:
        return None
    type_, number = value.get("resourceType"), value.get("id")
    return f"{type_}/{number}" if isinstance(type_, str) and isinstance(number, str) else None


def repeated(value: Any, steps: tuple[Any, ...]) -> list[Any]:
    """Everything that the steps reach from ``value``, again and again, each item before what is below it.

    Raises ``TooDeep`` past ``REPEAT_DEPTH``.
    """
    found: list[Any] = []
    waiting = [(each, 1) for each in reversed(_reached(value, steps))]
    while waiting:
        item, depth = waiting.pop()
        if depth > REPEAT_DEPTH.value:
            raise TooDeep(f"A repeat goes deeper than {REPEAT_DEPTH.value} levels.")
        found.append(item)
        waiting += [(each, depth + 1) for each in reversed(_reached(item, steps))]
    return found


def _reached(value: Any, steps: Iterable[Any]) -> list[Any]:
    return [each for step in steps for each in items(step(value))]
