"""``parse_view``: a ViewDefinition from its JSON, with everything that is not one refused by name and place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit
from xinglin.records.views.errors import InvalidView
from xinglin.records.views.model import (
    COLUMNS,
    SELECT_DEPTH,
    TIME_TYPES,
    Column,
    Kind,
    Literal,
    Node,
    Select,
    ViewDefinition,
    columns_of,
)
from xinglin.records.views.path import parse_path

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")
_PREFIX = "http://hl7.org/fhir/StructureDefinition/"
_SELECT_KEYS = {"column", "select", "unionAll", "forEach", "forEachOrNull", "repeat", "id", "extension"}
_COLUMN_KEYS = {"path", "name", "description", "collection", "type", "tag", "id", "extension", "modifierExtension"}
_CONSTANT_TYPES = frozenset(
    [
        "base64Binary",
        "boolean",
        "canonical",
        "code",
        "date",
        "dateTime",
        "decimal",
        "id",
        "instant",
        "integer",
        "integer64",
        "oid",
        "string",
        "positiveInt",
        "time",
        "unsignedInt",
        "uri",
        "url",
        "uuid",
    ]
)
VIEW_BYTES = Limit("view definition size", 1024 * 1024, "bytes")


def parse_view(definition: Mapping[str, Any] | bytes | str) -> ViewDefinition:
    """The view of a ViewDefinition, given as parsed JSON or as its text.

    Raises ``InvalidView``: a resource type or a select is missing, a path is not of the subset, a constant is not
    defined, a name is taken twice, branches of a ``unionAll`` differ, an element is not known. Source: SQL on FHIR v2.

    >>> parse_view({"resource": "Patient", "select": [{"column": [{"name": "id", "path": "id"}]}]}).columns[0].name
    'id'
    """
    body = _loaded(definition)
    resource = body.get("resource")
    if not isinstance(resource, str) or not _TYPE.fullmatch(resource):
        raise InvalidView("no resource type is named.", place="resource")
    if body.get("resourceType", "ViewDefinition") != "ViewDefinition":
        raise InvalidView("that is another resource.", place="resourceType")
    name = body.get("name", "")
    if not isinstance(name, str) or (name and not _NAME.fullmatch(name)):
        raise InvalidView("the name is not letters, digits and underscores.", place="name")
    try:
        reading = _Reading(_constants(body.get("constant", [])))
        selects = reading.selects(body.get("select"), "select", 1)
        view = ViewDefinition(resource, selects, reading.where(body.get("where", [])), name, _versions(body))
        COLUMNS.check(len(view.columns))
    except LimitExceeded as error:
        raise InvalidView(str(error)) from error
    _names_differ(view.columns, "select")
    return view


def _loaded(definition: Mapping[str, Any] | bytes | str) -> Mapping[str, Any]:
    if isinstance(definition, bytes | str):
        import orjson

        try:
            VIEW_BYTES.check(len(definition))
            definition = orjson.loads(definition)
        except LimitExceeded as error:
            raise InvalidView(str(error)) from error
        except orjson.JSONDecodeError as error:
            raise InvalidView("the text is not JSON.") from error
    if not isinstance(definition, Mapping):
        raise InvalidView("a view is an object.")
    return definition


def _versions(body: Mapping[str, Any]) -> tuple[str, ...]:
    versions = body.get("fhirVersion", [])
    if not isinstance(versions, list) or not all(isinstance(each, str) for each in versions):
        raise InvalidView("FHIR versions are a list of texts.", place="fhirVersion")
    return tuple(versions)


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidView("a list is expected.", place=place)
    return value


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidView("an object is expected.", place=place)
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidView("a text is expected.", place=place)
    return value


def _known(body: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(str(key) for key in body if key not in known and not str(key).startswith("_"))
    if unknown:
        raise InvalidView(f"the element '{unknown[0][:40]}' is not known.", place=place)


def _names_differ(columns: tuple[Column, ...], place: str) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise InvalidView(f"the column '{column.name}' is there twice.", place=place)
        seen.add(column.name)


def _constants(body: Any) -> dict[str, Literal]:
    constants: dict[str, Literal] = {}
    for number, each in enumerate(_list(body, "constant")):
        place = f"constant[{number}]"
        named = _object(each, place)
        name = _text(named.get("name"), f"{place}.name")
        values = [key for key in named if str(key).startswith("value")]
        if not _NAME.fullmatch(name) or name in constants:
            raise InvalidView("the name is taken, or not letters, digits and underscores.", place=f"{place}.name")
        if len(values) != 1:
            raise InvalidView("a constant has one value.", place=place)
        constants[name] = _constant(values[0], named[values[0]], place)
    return constants


def _constant(key: str, value: Any, place: str) -> Literal:
    type_ = key[5:6].lower() + key[6:]
    if type_ not in _CONSTANT_TYPES:
        raise InvalidView(f"a constant cannot be a '{type_[:40]}'.", place=place)
    if isinstance(value, bool):
        kind: Kind = "boolean"
        given = "true" if value else "false"
    elif isinstance(value, int | float | Decimal):
        kind, given = "number", str(value)
    else:
        kind, given = ("time" if type_ in TIME_TYPES else "text"), _text(value, place)
    if (kind == "boolean") != (type_ == "boolean"):
        raise InvalidView("the value is not of its type.", place=place)
    return Literal(given, kind)


class _Reading:
    """One definition being read, with its constants."""

    def __init__(self, constants: dict[str, Literal]) -> None:
        self._constants = constants

    def _path(self, value: Any, place: str) -> Node:
        return parse_path(_text(value, place), self._constants, place)

    def where(self, body: Any) -> tuple[Node, ...]:
        return tuple(
            self._path(_object(each, f"where[{number}]").get("path"), f"where[{number}].path")
            for number, each in enumerate(_list(body, "where"))
        )

    def selects(self, body: Any, place: str, depth: int) -> tuple[Select, ...]:
        SELECT_DEPTH.check(depth)
        listed = _list(body, place)
        if not listed:
            raise InvalidView("nothing is selected.", place=place)
        return tuple(self._select(each, f"{place}[{number}]", depth) for number, each in enumerate(listed))

    def _select(self, body: Any, place: str, depth: int) -> Select:
        given = _object(body, place)
        _known(given, _SELECT_KEYS, place)
        ways = [key for key in ("forEach", "forEachOrNull", "repeat") if key in given]
        if len(ways) > 1:
            raise InvalidView(f"{' and '.join(ways)} cannot stand together.", place=place)
        repeat = given.get("repeat")
        union = self.selects(given["unionAll"], f"{place}.unionAll", depth + 1) if "unionAll" in given else ()
        select = Select(
            columns=self._columns(given.get("column", []), f"{place}.column"),
            selects=self.selects(given["select"], f"{place}.select", depth + 1) if "select" in given else (),
            union=union,
            for_each=self._path(given["forEach"], f"{place}.forEach") if "forEach" in given else None,
            for_each_or_null=(
                self._path(given["forEachOrNull"], f"{place}.forEachOrNull") if "forEachOrNull" in given else None
            ),
            repeat=() if repeat is None else self._repeat(repeat, f"{place}.repeat"),
        )
        if not columns_of(select):
            raise InvalidView("a selection without columns.", place=place)
        _same_columns(union, f"{place}.unionAll")
        return select

    def _repeat(self, body: Any, place: str) -> tuple[Node, ...]:
        paths = tuple(self._path(each, f"{place}[{number}]") for number, each in enumerate(_list(body, place)))
        if not paths:
            raise InvalidView("repeat names no path.", place=place)
        return paths

    def _columns(self, body: Any, place: str) -> tuple[Column, ...]:
        columns = tuple(self._column(each, f"{place}[{number}]") for number, each in enumerate(_list(body, place)))
        COLUMNS.check(len(columns))
        return columns

    def _column(self, body: Any, place: str) -> Column:
        given = _object(body, place)
        _known(given, _COLUMN_KEYS, place)
        name, type_, collection = given.get("name"), given.get("type", ""), given.get("collection", False)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidView("the name is not letters, digits and underscores.", place=f"{place}.name")
        if not isinstance(collection, bool):
            raise InvalidView("collection is true or false.", place=f"{place}.collection")
        if not isinstance(type_, str):
            raise InvalidView("a type is a text.", place=f"{place}.type")
        return Column(name, self._path(given.get("path"), f"{place}.path"), collection, type_.removeprefix(_PREFIX))


def _same_columns(union: tuple[Select, ...], place: str) -> None:
    shapes = [[(column.name, column.type, column.collection) for column in columns_of(each)] for each in union]
    if any(shape != shapes[0] for shape in shapes):
        raise InvalidView("its branches do not have the same columns in the same order.", place=place)
