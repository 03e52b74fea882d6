"""A question as it is built on a page: SQL, what is asked of its rows, noise; and the same in Python and as a command.

Pure. Which columns fit a field is judged by their published kind; whether a question is admitted, by the public calls.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from xinglin.console.errors import BadField
from xinglin.console.preview import OPERATIONS
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.analysis.admit import OutputColumn
    from xinglin.console.visit import Form
    from xinglin.terms.request import Plan

Of = Literal["number", "level", "boolean", "any", "text", "whole", "list", "choice"]
FIELD_PREFIX = "f."
_LEVELS_MOST = 60
"""A whole number with more possible values than this is offered as a number, not as groups."""
_NOT_PARAMS = frozenset({"noise", "moments", "link"})


class Field(msgspec.Struct, frozen=True):
    """A field of an operation. ``of``: which columns fit it, or what is typed; ``many``: several columns."""

    name: str
    label: str
    of: Of
    many: bool = False
    needed: bool = True
    default: str = ""
    choices: tuple[str, ...] = ()


class Operation(msgspec.Struct, frozen=True):
    """Something that can be asked: the SDK's method of that name. ``noise``: no, may, must."""

    name: str
    fields: tuple[Field, ...]
    noise: Literal["no", "may", "must"] = "no"

    @property
    def label(self) -> str:
        """What it is, in English; translated when shown."""
        return OPERATIONS[self.name]


_GROUPS = Field("by", N_("By groups of"), "level", many=True, needed=False)
_NUMBER = Field("column", N_("Which number"), "number")
_BY = Field("by", N_("Groups"), "level")
FAMILIES = ("gaussian", "binomial", "poisson", "gamma")
ASKED = {
    one.name: one
    for one in (
        Operation("describe", (Field("columns", N_("Numbers"), "number", many=True), _GROUPS), "may"),
        Operation("histogram", (_NUMBER, Field("bins", N_("Bins"), "whole", default="20")), "may"),
        Operation(
            "crosstab",
            (Field("rows", N_("Rows of the table"), "level"), Field("columns", N_("Columns of the table"), "level")),
            "may",
        ),
        Operation("table1", (_BY, Field("columns", N_("Describe"), "any", many=True))),
        Operation(
            "quantiles", (_NUMBER, Field("probabilities", N_("Shares"), "list", default="0.25, 0.5, 0.75")), "may"
        ),
        Operation("ttest", (_NUMBER, _BY)),
        Operation("anova", (_NUMBER, _BY)),
        Operation(
            "glm",
            (
                Field("formula", N_("Formula"), "text"),
                Field("family", N_("Family"), "choice", default="gaussian", choices=FAMILIES),
            ),
        ),
        Operation("correlation", (Field("columns", N_("Numbers"), "number", many=True),)),
        Operation("flow", (Field("steps", N_("Filters, in order"), "boolean", many=True),)),
        Operation("count", (_GROUPS,), "must"),
        Operation(
            "linear",
            (Field("outcome", N_("Outcome"), "number"), Field("columns", N_("On"), "number", many=True)),
            "must",
        ),
    )
}
"""What the workbench offers, by the name of the SDK's method."""


class Question(msgspec.Struct, frozen=True):
    """A question as it stands on the page. ``epsilon``: exact text, empty for an exact answer; ``fields``: as typed."""

    study: str
    sql: str = ""
    operation: str = "describe"
    fields: dict[str, tuple[str, ...]] = {}
    epsilon: str = ""
    hospitals: tuple[str, ...] = ()

    @property
    def asked(self) -> Operation:
        """The operation; raises ``BadField`` for one that is not offered."""
        if self.operation not in ASKED:
            raise BadField("operation", f"There is no statistic {self.operation[:40]!r}.", remedy="Choose one.")
        return ASKED[self.operation]

    def first(self, name: str) -> str:
        """The first value of a field, or its default."""
        given = self.fields.get(name)
        if given:
            return given[0]
        return next((one.default for one in self.asked.fields if one.name == name), "")


def question_of(form: Form) -> Question:
    """The question of a form."""
    fields = {
        name.removeprefix(FIELD_PREFIX): form.many(name) for name in form.names() if name.startswith(FIELD_PREFIX)
    }
    return Question(
        form.needed("study"), form.text("sql"), form.text("operation") or "describe", fields, form.text("epsilon"),
        form.many("hospital"),
    )  # fmt: skip


def fitting(field: Field, columns: Sequence[OutputColumn]) -> tuple[str, ...]:
    """Names of the columns that fit a field."""
    return tuple(one.name for one in columns if _fits(field.of, one))


def _fits(of: Of, column: OutputColumn) -> bool:
    bounded = column.kind == "number" and column.low is not None and column.high is not None
    short = bounded and column.integer and (column.high or 0) - (column.low or 0) < _LEVELS_MOST
    level = column.kind == "boolean" or short or (column.kind == "category" and bool(column.levels))
    return {
        "number": bounded or column.kind == "boolean",
        "level": level,
        "boolean": column.kind == "boolean",
        "any": bounded or level,
    }.get(of, False)


def with_defaults(question: Question, columns: Sequence[OutputColumn]) -> Question:
    """The question with its empty fields filled by the first columns that fit, each column once; others dropped."""
    taken: set[str] = set()
    fields: dict[str, tuple[str, ...]] = {}
    for field in question.asked.fields:
        given = question.fields.get(field.name, ())
        if field.of in ("text", "whole", "list", "choice"):
            fields[field.name] = given or ((field.default,) if field.default else ())
            continue
        fits = fitting(field, columns)
        kept = tuple(one for one in given if one in fits)
        if not kept and field.needed:
            free = [one for one in fits if one not in taken]
            kept = tuple(free) if field.many else tuple(free[:1])
        fields[field.name] = kept
        taken |= set(kept)
    epsilon = question.epsilon or ("0.5" if question.asked.noise == "must" else "")
    return msgspec.structs.replace(question, fields=fields, epsilon="" if question.asked.noise == "no" else epsilon)


def call_of(question: Question) -> tuple[str, dict[str, Any]]:
    """The algorithm and parameters as ``Data.ask`` takes them; raises ``BadField`` for what cannot be read."""
    operation, params = question.asked, {}
    for field in operation.fields:
        params[field.name] = _value(field, question.fields.get(field.name, ()))
    if operation.name == "glm":
        params["link"] = ""
    if question.epsilon and operation.noise != "no":
        params["epsilon"] = question.epsilon
    return {"correlation": "covariance"}.get(operation.name, operation.name), params


def _value(field: Field, given: tuple[str, ...]) -> Any:
    text = given[0] if given else field.default
    if field.needed and not text:
        raise BadField(field.name, f"'{field.name}' is empty.", remedy="Choose or write what it asks for.")
    try:
        if field.of == "whole":
            return int(text)
        if field.of == "list":
            return [float(part) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError as error:
        raise BadField(
            field.name, f"'{text[:40]}' is no number.", remedy="Write digits; a comma between two."
        ) from error
    return list(given) if field.many else text


def question_of_plan(plan: Plan, names: Mapping[str, str]) -> Question:
    """The question that a plan asks, for building on it; ``names``: DID to label."""
    operation = plan.algorithm.removeprefix("dp_")
    operation = "correlation" if operation == "covariance" else operation
    fields = {
        name: tuple(str(one) for one in value) if isinstance(value, list | tuple) else (str(value),)
        for name, value in plan.params.items()
        if name not in _NOT_PARAMS and value not in ("", [], ())
    }
    if "probabilities" in fields:
        fields["probabilities"] = (", ".join(fields["probabilities"]),)
    epsilon = ""
    noise = plan.params.get("noise")
    if isinstance(noise, Mapping):
        from xinglin.sdk.noise import epsilon_text

        epsilon = epsilon_text(int(noise["rho_units"]), str(noise["delta"]))
    hospitals = tuple(names.get(did, did) for did in plan.roster)
    return Question(plan.study, plan.sql, operation if operation in ASKED else "describe", fields, epsilon, hospitals)


# --- the same, elsewhere ---------------------------------------------------------------------------


def python_of(question: Question, title: str) -> str:
    """The same question in Python."""
    arguments: list[str] = []
    for field in question.asked.fields:
        given = question.fields.get(field.name, ())
        if not given and not field.needed:
            continue
        value = _value(field, given or ("",)) if field.of in ("whole", "list") else None
        if field.name in _POSITIONAL.get(question.operation, ()):
            arguments += [repr(one) for one in given]
        elif value is not None:
            arguments.append(f"{field.name}={value!r}")
        else:
            arguments.append(
                f"{field.name}={list(given)!r}" if field.many else f"{field.name}={question.first(field.name)!r}"
            )
    if question.epsilon:
        arguments.append(f"epsilon={question.epsilon!r}")
    where = f", hospitals={list(question.hospitals)!r}" if question.hospitals else ""
    return (
        "import xinglin\n\n"
        'with xinglin.connect("ACCOUNT-FOLDER") as space:\n'
        f"    study = space.study({title!r})\n"
        f"    data = study.sql({_long(question.sql)}{where})\n"
        f"    result = data.{question.operation}({', '.join(arguments)})\n"
        "    print(result)\n"
        "    print(result.receipt.verify())"
    )


def _long(sql: str) -> str:
    plain = "\n" in sql and '"' not in sql and "\\" not in sql and sql.replace("\n", "").isprintable()
    return f'"""{sql}"""' if plain else repr(sql)


def cli_of(question: Question, title: str) -> str:
    """The same question as a command."""
    words = ["xinglin", question.operation]
    flags: list[str] = []
    for field in question.asked.fields:
        given = question.fields.get(field.name, ())
        values = given or ((field.default,) if field.default else ())
        if field.of == "list":
            flags += [part for one in values[0].split(",") for part in ("--p", one.strip())] if values else []
        elif field.name in _FLAGS:
            flags += [part for value in values for part in (f"--{field.name}", value)]
        else:
            words += list(values)
    words += [*flags, "--account", "ACCOUNT-FOLDER", "--study", title, "--sql", question.sql]
    words += [part for one in question.hospitals for part in ("--hospital", one)]
    if question.epsilon:
        words += ["--epsilon", question.epsilon]
    return shlex.join(words)


_FLAGS = frozenset({"by", "bins", "family"})
_POSITIONAL = {
    "describe": ("columns",),
    "correlation": ("columns",),
    "count": ("by",),
    "flow": ("steps",),
    "linear": ("outcome", "columns"),
}
"""Fields that the SDK's method takes one after the other."""
