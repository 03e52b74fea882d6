"""A policy as a form: one row a rule, one line a limit; what a form cannot show is kept as it is, and said.

Fields are numbered (``rule-0-action``, ``rule-0-limit-1-operand``); ``do`` says which button was pressed. A nested
limit and a duty with limits of its own travel as text in a hidden field, untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from xinglin.console.errors import BadField
from xinglin.console.policy_words import constraint_sentence, duty_sentence
from xinglin.kernel.limits import Limit
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.vocabulary import ACTIONS, DUTIES, OPERANDS, OPERATORS, SET_OPERATORS

if TYPE_CHECKING:
    from xinglin.console.visit import Form
    from xinglin.words import Words

FORM_RULES = Limit("rules of a policy's form", 64, "rules")
FORM_LIMITS = Limit("limits of a rule's form", 16, "limits")
Kind = Literal["permission", "prohibition", "duty"]
KINDS: tuple[Kind, ...] = ("permission", "prohibition", "duty")


class LimitRow(msgspec.Struct, frozen=True):
    """One limit in the form; ``kept``: a nested one, as text, that the form only carries."""

    operand: str = ""
    operator: str = ""
    value: str = ""
    unit: str = ""
    kept: str = ""


class RuleRow(msgspec.Struct, frozen=True):
    """One rule in the form. ``duties``: names of plain ones; ``kept``: duties with limits of their own, as text."""

    kind: Kind
    action: str
    limits: tuple[LimitRow, ...] = ()
    duties: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def draft_of(policy: Policy | None) -> Policy:
    """What a draft begins with: what is in force, or one rule that permits statistics."""
    return policy if policy is not None else Policy(permissions=(Permission("statistics"),))


def rows_of(policy: Policy) -> tuple[RuleRow, ...]:
    """The rows of a policy."""
    found = [
        RuleRow(
            "permission",
            one.action,
            _limits(one.constraints),
            tuple(duty.action for duty in one.duties if not duty.constraints),
            tuple(_text(duty) for duty in one.duties if duty.constraints),
        )
        for one in policy.permissions
    ]
    found += [RuleRow("prohibition", one.action, _limits(one.constraints)) for one in policy.prohibitions]
    found += [RuleRow("duty", one.action, _limits(one.constraints)) for one in policy.duties]
    return tuple(found)


def policy_of_form(form: Form, deed: str) -> Policy:
    """The policy that a form says, after its button: ``add-permission``, ``drop-2``, ``limit-2``, ``unlimit-2-0``.

    Raises ``BadField`` or ``LimitExceeded``.
    """
    rows = list(_rows(form))
    verb, _dash, rest = deed.partition("-")
    where = [int(one) for one in rest.split("-") if one.isascii() and one.isdigit() and len(one) < 6]
    if verb == "add" and rest in KINDS:
        rows.append(RuleRow(rest, "log" if rest == "duty" else "statistics"))
    elif verb == "drop" and where and where[0] < len(rows):
        rows.pop(where[0])
    elif verb == "limit" and where and where[0] < len(rows):
        one = rows[where[0]]
        rows[where[0]] = msgspec.structs.replace(one, limits=(*one.limits, LimitRow("purpose", "isAnyOf", "")))
    elif verb == "unlimit" and len(where) == 2 and where[0] < len(rows):
        one = rows[where[0]]
        left = tuple(limit for at, limit in enumerate(one.limits) if at != where[1])
        rows[where[0]] = msgspec.structs.replace(one, limits=left)
    return _policy(rows)


def form_choices(words: Words) -> dict[str, dict[str, str]]:
    """What the form's selects offer, in the reader's language."""
    zh = words.language == "zh"
    return {
        "action": {name: one.words_zh if zh else one.words for name, one in ACTIONS.items()},
        "duty": {name: one.words_zh if zh else one.words for name, one in DUTIES.items()},
        "operand": {name: one.words_zh if zh else one.words for name, one in OPERANDS.items()},
        "operator": {name: one[1] if zh else one[0] for name, one in OPERATORS.items()},
    }


def kept_sentence(text: str, words: Words) -> str:
    """What a carried limit or duty says."""
    try:
        return constraint_sentence(msgspec.json.decode(text, type=Logical), words)
    except msgspec.ValidationError:
        return duty_sentence(msgspec.json.decode(text, type=Duty), words)


def _rows(form: Form) -> list[RuleRow]:
    count = form.whole("rules")
    FORM_RULES.check(count)
    found = []
    for at in range(count):
        kind = form.text(f"rule-{at}-kind")
        if kind not in KINDS:
            raise BadField(f"rule-{at}-kind", "A rule is a permission, a prohibition or a duty.")
        limits = form.whole(f"rule-{at}-limits")
        FORM_LIMITS.check(limits)
        found.append(
            RuleRow(
                kind,
                form.text(f"rule-{at}-action"),
                tuple(_limit_row(form, f"rule-{at}-limit-{number}") for number in range(limits)),
                form.many(f"rule-{at}-duty"),
                form.many(f"rule-{at}-kept"),
            )
        )
    return found


def _limit_row(form: Form, name: str) -> LimitRow:
    parts = ("operand", "operator", "value", "unit", "kept")
    return LimitRow(**{part: form.text(f"{name}-{part}") for part in parts})


def _policy(rows: list[RuleRow]) -> Policy:
    permissions = tuple(
        Permission(one.action, _constraints(one), (*(Duty(name) for name in one.duties), *map(_kept_duty, one.kept)))
        for one in rows
        if one.kind == "permission"
    )
    prohibitions = tuple(Prohibition(one.action, _constraints(one)) for one in rows if one.kind == "prohibition")
    duties = tuple(Duty(one.action, _constraints(one)) for one in rows if one.kind == "duty")
    return Policy(permissions, prohibitions, duties)


def _constraints(row: RuleRow) -> tuple[Constraint | Logical, ...]:
    return tuple(_constraint(one) for one in row.limits)


def _constraint(row: LimitRow) -> Constraint | Logical:
    if row.kept:
        try:
            return msgspec.json.decode(row.kept, type=Logical)
        except msgspec.MsgspecError as error:
            raise BadField("kept", "A nested limit cannot be read.", remedy="Write it as text.") from error
    if row.operator in SET_OPERATORS:
        values = tuple(sorted({one.strip() for one in row.value.replace("、", ",").split(",") if one.strip()}))
        return Constraint(row.operand, row.operator, values, row.unit)
    return Constraint(row.operand, row.operator, row.value, row.unit)


def _kept_duty(text: str) -> Duty:
    try:
        return msgspec.json.decode(text, type=Duty)
    except msgspec.MsgspecError as error:
        raise BadField("kept", "A duty cannot be read.", remedy="Write it as text.") from error


def _limits(parts: tuple[Constraint | Logical, ...]) -> tuple[LimitRow, ...]:
    return tuple(
        LimitRow(kept=_text(one))
        if isinstance(one, Logical)
        else LimitRow(
            one.operand, one.operator, one.value if isinstance(one.value, str) else ", ".join(one.value), one.unit
        )
        for one in parts
    )


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
