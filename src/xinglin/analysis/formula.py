"""Formulas, read against an allow-list: own tokens, own grammar, own values; nothing is evaluated.

::

    formula  = response "~" sum
    response = column | "log" "(" column ")"
    sum      = ["+" | "-"] product { ("+" | "-") product }
    product  = crossing { "*" crossing }            a*b is a + b + a:b
    crossing = atom { ":" atom }
    atom     = "0" | "1" | "(" sum ")" | factor
    factor   = column [("^" | "**") integer]        a power, not a crossing
             | "log" "(" column ")"
             | "C" "(" column ["," "ref" "=" (text | number)] ")"
             | "poly" "(" column "," integer ")"
             | "ns" "(" column "," "knots" "=" list ["," "boundary" "=" list] ")"

``0``, ``-1`` and ``+ 0`` leave the intercept out; ``- a:b`` leaves a term out. A column is a name that
the query gives: letters of any script, digits, underscores, in Unicode's NFKC form.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import NoReturn

import msgspec

from xinglin.analysis.errors import FormulaRefused
from xinglin.kernel.limits import Limit

CHARACTERS = Limit("formula length", 4096, "characters")
TERMS = Limit("terms a formula", 200, "terms")
FACTORS = Limit("factors a term", 4, "factors")
NESTING = Limit("brackets in a formula", 16, "levels")
DEGREE = Limit("power of a column", 9, "degrees")
KNOTS = Limit("knots a spline", 16, "knots")

ALLOWED = (
    "Allowed: column, C(column), C(column, ref='level'), a + b, a - b, a:b, a*b, -1, column^2, "
    "log(column), poly(column, 3), ns(column, knots=[40, 60])."
)
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<text>'[^'\\\r\n]{0,128}'|\"[^\"\\\r\n]{0,128}\")|(?P<sign>\*\*|[-+*:^~(),=\[\]])"
)


class Numeric(msgspec.Struct, frozen=True, tag="column"):
    """A column as it is: a number or a boolean; a category stands for ``C`` of itself."""

    column: str

    @property
    def label(self) -> str:
        """How the term is named in a summary."""
        return self.column


class Categorical(msgspec.Struct, frozen=True, tag="category"):
    """A column as levels; ``reference`` is the level that has no coefficient (the first, by default)."""

    column: str
    reference: str | None = None

    @property
    def label(self) -> str:
        """How the term is named in a summary."""
        return f"C({self.column})"


class Power(msgspec.Struct, frozen=True, tag="power"):
    """A whole power of a column, ``exponent`` from 2."""

    column: str
    exponent: int

    @property
    def label(self) -> str:
        """How the term is named in a summary."""
        return f"{self.column}^{self.exponent}"


class Log(msgspec.Struct, frozen=True, tag="log"):
    """The natural logarithm of a column whose published range lies above zero."""

    column: str

    @property
    def label(self) -> str:
        """How the term is named in a summary."""
        return f"log({self.column})"


class Spline(msgspec.Struct, frozen=True, tag="spline"):
    """A natural cubic spline with declared knots; the boundary is the published range by default."""

    column: str
    knots: tuple[float, ...]
    boundary: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """How the term is named in a summary; the knots are part of the name."""
        return f"ns({self.column}, {', '.join(f'{k:g}' for k in self.knots)})"


Factor = Numeric | Categorical | Power | Log | Spline
Term = tuple[Factor, ...]


class Formula(msgspec.Struct, frozen=True):
    """A formula as values: no text of it is ever run. ``terms`` are in order of degree, then as written."""

    response: Numeric | Log
    terms: tuple[Term, ...]
    intercept: bool
    text: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it names, each once, the response first."""
        names = [self.response.column, *(factor.column for term in self.terms for factor in term)]
        return tuple(dict.fromkeys(names))


def parse_formula(text: str) -> Formula:
    """The formula of this text; raises ``FormulaRefused`` with the position and what is allowed.

    >>> parse_formula("disease ~ age + C(sex) - 1").columns
    ('disease', 'age', 'sex')
    """
    CHARACTERS.check(len(text))
    return _Reader(text).formula()


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    position: int


_Sum = dict[frozenset[Factor], Term]
"""Terms by their set of factors; the empty set is the intercept."""


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FormulaRefused(
                f"The character {text[position]!r} has no meaning here", formula=text, position=position, remedy=ALLOWED
            )
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match.group(), position))
        position = match.end()
    tokens.append(_Token("end", "", len(text)))
    return tokens


class _Reader:
    """Recursive descent over the tokens; one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._at, self._depth = text, _tokens(text), 0, 0

    def formula(self) -> Formula:
        response = self._response()
        self._expect("~")
        terms = self._sum({frozenset(): ()})
        if self._now.kind != "end":
            self._refuse(f"{self._now.text!r} is not expected here")
        ordered = sorted((term for term in terms.values() if term), key=len)
        return Formula(response, tuple(ordered), frozenset() in terms, self._text)

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _refuse(self, what: str, position: int | None = None) -> NoReturn:
        at = self._now.position if position is None else position
        raise FormulaRefused(what, formula=self._text, position=at, remedy=ALLOWED)

    def _take(self) -> _Token:
        token = self._now
        self._at += token.kind != "end"
        return token

    def _accept(self, *signs: str) -> str:
        if self._now.kind == "sign" and self._now.text in signs:
            return self._take().text
        return ""

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            found = repr(self._now.text) if self._now.kind != "end" else "the end"
            self._refuse(f"{sign!r} is expected, not {found}")

    def _response(self) -> Numeric | Log:
        position = self._now.position
        factors = self._factor()
        if len(factors) != 1 or not isinstance(factors[0], Numeric | Log):
            self._refuse("The outcome is a column or log(column)", position)
        return factors[0]

    def _sum(self, terms: _Sum) -> _Sum:
        """The terms added to (or taken from) those given."""
        sign = self._accept("+", "-") or "+"
        while sign:
            position = self._now.position
            for key, term in self._product().items():
                # "0" is written as a mark of its own: adding it takes the intercept away.
                zero = key == _ZERO
                if (sign == "+") == zero:
                    terms.pop(frozenset() if zero else key, None)
                else:
                    terms.setdefault(*((frozenset(), ()) if zero else (key, term)))
            if len(terms) > TERMS.value:
                self._refuse(f"More than {TERMS.value} terms", position)
            sign = self._accept("+", "-")
        return terms

    def _product(self) -> _Sum:
        left = self._crossing()
        while self._now.text == "*" and self._now.kind == "sign":
            position = self._take().position
            right = self._crossing()
            left = {**left, **right, **self._cross(left, right, position)}
        return left

    def _crossing(self) -> _Sum:
        left = self._atom()
        while self._now.text == ":" and self._now.kind == "sign":
            position = self._take().position
            left = self._cross(left, self._atom(), position)
        return left

    def _cross(self, left: _Sum, right: _Sum, position: int) -> _Sum:
        if any(key in (_ZERO, frozenset()) for key in (*left, *right)):
            self._refuse("0 and 1 are not crossed with a column", position)
        if len(left) * len(right) > TERMS.value:
            self._refuse(f"More than {TERMS.value} terms", position)
        crossed: _Sum = {}
        for first, second in itertools.product(left.values(), right.values()):
            term = tuple(dict.fromkeys((*first, *second)))
            if len(term) > FACTORS.value:
                self._refuse(f"More than {FACTORS.value} columns crossed", position)
            crossed.setdefault(frozenset(term), term)
        return crossed

    def _atom(self) -> _Sum:
        token = self._now
        if token.kind == "number":
            self._take()
            if token.text not in ("0", "1") or self._depth:
                self._refuse("Of the numbers only 0 and 1 stand alone, outside brackets", token.position)
            return {_ZERO: ()} if token.text == "0" else {frozenset(): ()}
        if self._accept("("):
            self._depth += 1
            if self._depth > NESTING.value:
                self._refuse("Brackets are nested too deeply", token.position)
            inner = self._sum({})
            self._expect(")")
            self._depth -= 1
            if self._now.text in ("^", "**"):
                self._refuse("A power belongs to one column, not to a bracket")
            return inner
        return {frozenset({factor}): (factor,) for factor in self._factor()}

    def _factor(self) -> tuple[Factor, ...]:
        token = self._take()
        if token.kind != "name":
            found = repr(token.text) if token.kind != "end" else "the end"
            self._refuse(f"A column is expected, not {found}", token.position)
        if self._now.text == "(" and self._now.kind == "sign":
            return self._call(token)
        name = self._column_name(token)
        if self._accept("^", "**"):
            exponent = self._whole(1, DEGREE.value)
            return (Power(name, exponent) if exponent > 1 else Numeric(name),)
        return (Numeric(name),)

    def _call(self, token: _Token) -> tuple[Factor, ...]:
        if token.text not in ("C", "log", "poly", "ns"):
            self._refuse(f"There is no function {token.text!r}", token.position)
        self._expect("(")
        column = self._column_name(self._take())
        factors: tuple[Factor, ...]
        if token.text == "C":
            factors = (Categorical(column, self._reference()),)
        elif token.text == "log":
            factors = (Log(column),)
        elif token.text == "poly":
            self._expect(",")
            degree = self._whole(1, DEGREE.value)
            factors = (Numeric(column), *(Power(column, k) for k in range(2, degree + 1)))
        else:
            factors = (self._spline(column),)
        self._expect(")")
        return factors

    def _column_name(self, token: _Token) -> str:
        name = token.text
        if token.kind != "name":
            self._refuse("The name of a column is expected", token.position)
        # Two spellings of one name would be two columns to a reader and one to Python.
        if unicodedata.normalize("NFKC", name) != name or name.startswith("__"):
            self._refuse(f"{name!r} is not the name of a column", token.position)
        return name

    def _keyword(self, word: str) -> None:
        if self._now.kind != "name" or self._now.text != word:
            self._refuse(f"'{word} =' is expected")
        self._take()
        self._expect("=")

    def _reference(self) -> str | None:
        if not self._accept(","):
            return None
        self._keyword("ref")
        token = self._take()
        if token.kind == "text":
            return token.text[1:-1]
        if token.kind != "number":
            self._refuse("A level is a text or a number", token.position)
        return f"{float(token.text):g}"

    def _spline(self, column: str) -> Spline:
        self._expect(",")
        position = self._now.position
        self._keyword("knots")
        knots = self._list()
        boundary = None
        if self._accept(","):
            self._keyword("boundary")
            ends = self._list()
            if len(ends) != 2:
                self._refuse("A boundary is two numbers", position)
            boundary = (ends[0], ends[1])
        every = (*(boundary or ())[:1], *knots, *(boundary or ())[1:])
        if list(every) != sorted(set(every)):
            self._refuse("Knots rise from one boundary to the other", position)
        return Spline(column, knots, boundary)

    def _list(self) -> tuple[float, ...]:
        self._expect("[")
        values = [self._number()]
        while self._accept(","):
            values.append(self._number())
            if len(values) > KNOTS.value:
                self._refuse(f"More than {KNOTS.value} knots")
        self._expect("]")
        return tuple(values)

    def _number(self) -> float:
        sign = -1.0 if self._accept("-") else 1.0
        token = self._take()
        value = float(token.text) if token.kind == "number" else float("inf")
        if not abs(value) <= 1e300:
            self._refuse("A number is expected", token.position)
        return sign * value

    def _whole(self, low: int, high: int) -> int:
        token = self._take()
        if token.kind != "number" or not re.fullmatch("[0-9]{1,3}", token.text) or not low <= int(token.text) <= high:
            self._refuse(f"A whole number from {low} to {high} is expected", token.position)
        return int(token.text)


_ZERO: frozenset[Factor] = frozenset({Numeric("0")})
