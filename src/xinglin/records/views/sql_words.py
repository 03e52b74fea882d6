"""Pieces of DuckDB SQL over JSON items that are already bound to a name (so that they may be said twice)."""

from __future__ import annotations

from collections.abc import Callable

MANY_WORDS = "views.many_values"
NOT_BOOLEAN_WORDS = "views.not_boolean"
TOO_DEEP_WORDS = "views.too_deep"
MANY = f"error('{MANY_WORDS}')"
NOT_BOOLEAN = f"error('{NOT_BOOLEAN_WORDS}')"
TOO_DEEP = f"error('{TOO_DEEP_WORDS}')"
LOGIC = {
    "and": "({a} AND {b})",
    "or": "({a} OR {b})",
    "xor": "(({a}) <> ({b}))",
    "implies": "((NOT {a}) OR {b})",
}
TEXTS = {"startsWith": "starts_with", "endsWith": "ends_with", "contains": "contains"}
_NUMERIC = "('BIGINT', 'UBIGINT', 'DOUBLE', 'HUGEINT')"
_WHOLE = "('BIGINT', 'UBIGINT')"
_ZONE = r"(Z|[+-]\d\d:\d\d)$"
_TIME_TEXT = r"^(\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?)?)?)?|\d\d:\d\d(:\d\d(\.\d+)?)?)$"
_SHORT_NUMBER = r"^-?\d{1,9}(\.\d{1,8})?$"
_TYPES = {
    "boolean": "= 'BOOLEAN'",
    "integer": "IN ('BIGINT', 'UBIGINT')",
    "positiveInt": "IN ('BIGINT', 'UBIGINT')",
    "unsignedInt": "IN ('BIGINT', 'UBIGINT')",
    "integer64": "IN ('BIGINT', 'UBIGINT')",
    "decimal": f"IN {_NUMERIC}",
}


class Names:
    """Names of lambda parameters, each once in a statement."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, letter: str) -> str:
        """A new name."""
        self._count += 1
        return f"{letter}{self._count}"

    def bind(self, code: str, body: Callable[[str], str], letter: str = "b") -> str:
        """``body`` about a name that stands for ``code``."""
        name = self.new(letter)
        return f"list_transform([{code}], lambda {name}: {body(name)})[1]"

    def each(self, code: str, body: Callable[[str], str], letter: str = "e") -> str:
        """The lists that ``body`` gives for each item, joined."""
        name = self.new(letter)
        return f"flatten(list_transform({code}, lambda {name}: {body(name)}))"

    def only(self, code: str, body: Callable[[str], str], letter: str = "e") -> str:
        """The items for which ``body`` is true."""
        name = self.new(letter)
        return f"list_filter({code}, lambda {name}: coalesce({body(name)}, false))"


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def json_text(item: str) -> str:
    """A JSON item as text: NULL for an object."""
    return f"CASE WHEN json_type({item}) NOT IN ('OBJECT', 'ARRAY', 'NULL') THEN {item}->>'$' END"


def json_number(item: str) -> str:
    """A JSON item as a number, or NULL."""
    return f"CASE WHEN json_type({item}) IN {_NUMERIC} THEN TRY_CAST({item}->>'$' AS DOUBLE) END"


def json_truth(item: str) -> str:
    """A JSON item as a boolean, or NULL."""
    return f"CASE WHEN json_type({item}) = 'BOOLEAN' THEN CAST({item} AS BOOLEAN) END"


def quick_value(value: str, at: str, type_: str) -> tuple[str, str]:
    """Whether JSON holds one value of an SQL type at a path, and that value."""
    told = f"json_type({value}, '{at}')"
    if type_ == "VARCHAR":
        return f"{told} = 'VARCHAR'", f"{value}->>'{at}'"
    if type_ == "BOOLEAN":
        return f"{told} = 'BOOLEAN'", f"CAST({value}->'{at}' AS BOOLEAN)"
    return f"{told} IN {_NUMERIC}", f"CAST(TRY_CAST({value}->>'{at}' AS DOUBLE) AS {type_})"


def spread(item: str, name: str, inner: str) -> str:
    """The items of an element of ``item`` as a list; ``inner`` is a free name. ``name`` is letters and digits."""
    value, path = f"{item}->'$.{name}'", f"'$.{name}'"
    cleaned = f"list_filter(CAST({value} AS JSON[]), lambda {inner}: json_type({inner}) <> 'NULL')"
    return (
        f"CASE coalesce(json_type({item}, {path}), 'NULL') WHEN 'ARRAY' THEN {cleaned} "
        f"WHEN 'NULL' THEN CAST([] AS JSON[]) ELSE [{value}] END"
    )


def spread_value(value: str, inner: str) -> str:
    """The items of a JSON value as a list."""
    cleaned = f"list_filter(CAST({value} AS JSON[]), lambda {inner}: json_type({inner}) <> 'NULL')"
    return (
        f"CASE coalesce(json_type({value}), 'NULL') WHEN 'ARRAY' THEN {cleaned} "
        f"WHEN 'NULL' THEN CAST([] AS JSON[]) ELSE [{value}] END"
    )


def has_type(item: str, name: str) -> str:
    """Whether an item is of a FHIR type, as far as JSON shows it."""
    if name[0].isupper():
        return f"json_type({item}) = 'OBJECT' AND coalesce({item}->>'$.resourceType', '{name}') = '{name}'"
    return f"json_type({item}) {_TYPES.get(name, chr(61) + chr(32) + quoted('VARCHAR'))}"


def order_of_times(a: str, b: str, inner: str) -> str:
    """-1, 0 or 1 for two texts of dates or times; NULL where their precision leaves it open."""
    x, y = f"{inner}.x", f"{inner}.y"
    zoned = f"contains({a}, 'T') AND contains({b}, 'T') AND regexp_matches({a}, '{_ZONE}') AND "
    zoned += f"regexp_matches({b}, '{_ZONE}')"
    moments = f"sign(epoch_us(TRY_CAST({a} AS TIMESTAMPTZ)) - epoch_us(TRY_CAST({b} AS TIMESTAMPTZ)))"
    fields = [
        f"CAST(regexp_extract_all(regexp_replace({each}, '{_ZONE}', ''), '\\d+(\\.\\d+)?') AS DOUBLE[])"
        for each in (a, b)
    ]
    shared = f"least(len({x}), len({y}))"
    compared = (
        f"CASE WHEN {x}[1:{shared}] < {y}[1:{shared}] THEN -1 WHEN {x}[1:{shared}] > {y}[1:{shared}] THEN 1 "
        f"WHEN len({x}) = len({y}) THEN 0 END"
    )
    by_fields = f"list_transform([{{'x': {fields[0]}, 'y': {fields[1]}}}], lambda {inner}: {compared})[1]"
    return f"CASE WHEN {zoned} THEN {moments} ELSE {by_fields} END"


def _are_times(a: str, b: str) -> str:
    return f"regexp_matches({a}, '{_TIME_TEXT}') AND regexp_matches({b}, '{_TIME_TEXT}')"


def same(pair: str, inner: str, times: bool) -> str:
    """Whether both JSON items of a pair are equal."""
    a, b = f"{pair}[1]", f"{pair}[2]"
    x, y = f"({a}->>'$')", f"({b}->>'$')"
    as_times = f"WHEN {_are_times(x, y)} THEN {order_of_times(x, y, inner)} = 0 " if times else ""
    return (
        f"CASE WHEN json_type({a}) IN {_NUMERIC} AND json_type({b}) IN {_NUMERIC} "
        f"THEN CAST({x} AS DOUBLE) = CAST({y} AS DOUBLE) WHEN json_type({a}) <> json_type({b}) THEN false "
        f"{as_times}ELSE {x} = {y} END"
    )


def ordered(a: str, b: str, sign: str, inner: str, times: bool) -> str:
    """The order of two JSON items, or NULL."""
    x, y = f"({a}->>'$')", f"({b}->>'$')"
    as_times = f"WHEN {_are_times(x, y)} THEN {order_of_times(x, y, inner)} {sign} 0 " if times else ""
    return (
        f"CASE WHEN json_type({a}) IN {_NUMERIC} AND json_type({b}) IN {_NUMERIC} "
        f"THEN CAST({x} AS DOUBLE) {sign} CAST({y} AS DOUBLE) "
        f"WHEN json_type({a}) = 'VARCHAR' AND json_type({b}) = 'VARCHAR' "
        f"THEN CASE {as_times or 'WHEN false THEN NULL '}ELSE {x} {sign} {y} END END"
    )


def arithmetic(a: str, b: str, sign: str) -> str:
    """A sum, difference, product, quotient, whole quotient or rest of two JSON items as JSON, or NULL.

    Whole numbers stay whole, but for ``/``; decimals are exact while they are short.
    """
    x, y = f"({a}->>'$')", f"({b}->>'$')"
    numbers = f"json_type({a}) IN {_NUMERIC} AND json_type({b}) IN {_NUMERIC}"
    whole = f"json_type({a}) IN {_WHOLE} AND json_type({b}) IN {_WHOLE}"
    first, second = f"CAST({x} AS DOUBLE)", f"CAST({y} AS DOUBLE)"
    if sign in ("+", "-", "*"):
        digits = "DECIMAL(18, 8)" if sign == "*" else "DECIMAL(38, 12)"
        exact = f"CAST(TRY_CAST({x} AS {digits}) {sign} TRY_CAST({y} AS {digits}) AS DOUBLE)"
        short = " AND ".join(f"regexp_matches({each}, '{_SHORT_NUMBER}')" for each in (x, y))
        sums = f"TRY_CAST(CAST({x} AS HUGEINT) {sign} CAST({y} AS HUGEINT) AS BIGINT)"
        return (
            f"CASE WHEN {whole} THEN to_json({sums}) WHEN {numbers} THEN "
            f"to_json(CASE WHEN {short} THEN {exact} ELSE {first} {sign} {second} END) END"
        )
    divides = f"{numbers} AND {second} <> 0"
    if sign == "/":
        return f"CASE WHEN {divides} THEN to_json({first} / {second}) END"
    if sign == "div":
        return f"CASE WHEN {divides} THEN to_json(CAST(trunc({first} / {second}) AS BIGINT)) END"
    rest = f"{first} % {second}"
    return (
        f"CASE WHEN {divides} THEN CASE WHEN {whole} THEN to_json(CAST({rest} AS BIGINT)) ELSE to_json({rest}) END END"
    )


def joined(a: str, b: str) -> str:
    """Two JSON texts as one, or NULL."""
    texts = f"json_type({a}) = 'VARCHAR' AND json_type({b}) = 'VARCHAR'"
    return f"CASE WHEN {texts} THEN ({a}->>'$') || ({b}->>'$') END"


def resource_key(names: Names, context: str) -> str:
    """``Type/id`` of the one item of a list."""
    return names.bind(context, lambda c: f"({c}[1]->>'$.resourceType') || '/' || ({c}[1]->>'$.id')")


def reference_keys(names: Names, context: str, wanted: str) -> str:
    """Keys of references; only of those to ``wanted``, where it is told."""
    typed = r"(?:^|/)([A-Z][A-Za-z]*/[^/]+)$"

    def key(item: str) -> str:
        text = f"({item}->>'$.reference')"
        plain = f"regexp_replace({text}, '^(.*/.*)/_history/[^/]*$', '\\1')"
        found = f"regexp_extract({plain}, '{typed}', 1)"
        told = f"CASE WHEN {found} = '' THEN {text} ELSE {found} END"
        if wanted:
            of_type = (
                f"CASE WHEN {found} = '' THEN coalesce({item}->>'$.type', '') ELSE split_part({found}, '/', 1) END"
            )
            asked = f"regexp_extract({text}, '([^/?]*)\\?', 1)"
            told = (
                f"CASE WHEN contains({text}, '?') THEN CASE WHEN {asked} = '{wanted}' THEN {text} END "
                f"WHEN {of_type} = '{wanted}' THEN {told} END"
            )
        else:
            told = f"CASE WHEN contains({text}, '?') THEN {text} ELSE {told} END"
        return (
            f"[CASE WHEN json_type({item}, '$.reference') = 'VARCHAR' AND {text} <> '' AND {text}[1] <> '#' "
            f"THEN to_json({told}) END]"
        )

    return names.only(names.each(context, key), lambda e: f"json_type({e}) <> 'NULL'")


def boundaries(names: Names, context: str, high: bool, hint: str) -> str:
    """``lowBoundary`` or ``highBoundary`` of each item."""
    period = f"'$.{'end' if high else 'start'}'"

    def value(item: str) -> str:
        text, part = f"({item}->>'$')", f"({item}->>{period})"
        return (
            f"[CASE WHEN json_type({item}) IN {_NUMERIC} THEN to_json({_number_boundary(item, high)}) "
            f"WHEN json_type({item}) = 'VARCHAR' THEN to_json({_text_boundary(text, high, hint)}) "
            f"WHEN json_type({item}) = 'OBJECT' THEN to_json({_text_boundary(part, high, 'dateTime')}) END]"
        )

    return names.only(names.each(context, value), lambda e: f"json_type({e}) <> 'NULL'")


def _number_boundary(item: str, high: bool) -> str:
    text = f"regexp_replace({item}->>'$', '(\\.\\d+?)0+$', '\\1')"
    decimals = f"length(regexp_extract({text}, '\\.(\\d+)$', 1))"
    sign = "+" if high else "-"
    return f"round(CAST({text} AS DOUBLE) {sign} 0.5 * pow(10, -{decimals}), CAST({decimals} + 1 AS INTEGER))"


def _text_boundary(text: str, high: bool, hint: str) -> str:
    template, zone = ("23:59:59.999", "-12:00") if high else ("00:00:00.000", "+14:00")
    day = f"split_part({text}, 'T', 1)"
    if high:
        last = f"CAST(last_day(TRY_CAST({day} || '-01' AS DATE)) AS VARCHAR)"
        date = f"CASE length({day}) WHEN 4 THEN {day} || '-12-31' WHEN 7 THEN {last} ELSE {day} END"
    else:
        date = f"CASE length({day}) WHEN 4 THEN {day} || '-01-01' WHEN 7 THEN {day} || '-01' ELSE {day} END"
    clock = f"regexp_replace(split_part({text}, 'T', 2), '{_ZONE}', '')"
    filled = f"{clock} || substr('{template}', length({clock}) + 1)"
    told = f"CASE WHEN contains({text}, 'T') THEN regexp_extract({text}, '{_ZONE}') ELSE '' END"
    whole = f"({date}) || 'T' || {filled} || CASE WHEN {told} = '' THEN '{zone}' ELSE {told} END"
    only_time = f"{text} || substr('{template}', length({text}) + 1)"
    day_only = whole if hint in ("dateTime", "instant") else date
    return (
        f"CASE WHEN NOT regexp_matches({text}, '{_TIME_TEXT}') THEN NULL "
        f"WHEN contains({text}, 'T') THEN {whole} WHEN contains({text}, ':') THEN {only_time} ELSE {day_only} END"
    )
