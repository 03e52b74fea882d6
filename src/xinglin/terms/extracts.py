"""What a plan of an extract asks for: which columns under which protection, for which workspace.

An extract is the operation ``extract`` with the algorithm of that name, at one hospital: rows of one SELECT,
de-identified, k-anonymous, marked for their recipient and looked at by persons, sealed to one enrolled workspace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.terms.request import Plan, UseRequest, is_did, is_name

EXTRACT = "extract"
"""The operation, and the algorithm."""
FORMATS = ("parquet", "fhir", "resources")
"""A Parquet file of the rows; FHIR resources of the same rows, as newline-delimited JSON; whole FHIR resources of the
persons in the rows, as the hospital received them and de-identified, in place of the rows."""
WHOLE = FORMATS[2]
PATIENT = "Patient"
TYPES = Limit("types of whole resources in an extract", 32, "types")
EXTRACT_TIME = Limit("time from an extract's admission to its release", 14 * 24 * 3_600_000, "milliseconds")
"""Persons look at it in between; whoever takes a choice back meanwhile ends it, so nothing old is released."""
K_MOST = Limit("k of an extract", 100_000, "persons")
COLUMNS = Limit("columns of an extract", 200, "columns")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}\Z")
_DECIMAL = re.compile(r"0(\.\d{1,6})?\Z|1(\.0{1,6})?\Z")


class ExtractAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of an extract's plan. Version 1; append-only.

    ``profile``: name of the de-identification profile. ``k``: persons who share each combination of the ``quasi``
    columns; ``l``: distinct values of each ``sensitive`` column among them (0: not asked); ``t``: largest distance of
    their distribution from the whole, an exact decimal (empty: not asked). ``suppressed``: largest part of the rows
    that may be left out for that, an exact decimal. ``workspace``: DID that it is sealed to. Every column of the query
    is quasi-identifying or sensitive. ``resources``: FHIR types of the whole resources, where that is the format.
    """

    profile: str
    k: int
    workspace: str
    quasi: tuple[str, ...]
    sensitive: tuple[str, ...] = ()
    l: int = 0  # noqa: E741 - the name of the measure
    t: str = ""
    suppressed: str = "0.1"
    formats: tuple[str, ...] = FORMATS[:1]
    version: int = 1
    resources: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether whole resources leave in place of the rows."""
        return self.formats == (WHOLE,)

    def to_params(self) -> dict[str, Any]:
        """As a plan's parameters; what was added later is in them only where it is asked for."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        if not self.resources:
            del plain["resources"]
        return plain


def is_extract(plan: Plan) -> bool:
    """Whether a plan is one of an extract."""
    return plan.algorithm == EXTRACT


def ask_of(plan: Plan) -> ExtractAsk | Denied:
    """What the plan asks for, or every reason why it is no extract that could be made."""
    try:
        ask = msgspec.convert(plan.params, ExtractAsk)
    except msgspec.ValidationError:
        words = "The parameters are not those of an extract."
        return deny("terms.not_an_extract", words, "Ask by study.extract(...), or 'xinglin extract ask'.")
    reasons = tuple(_faults(ask))
    return Denied(reasons) if reasons else ask


def decimal(text: str) -> Fraction:
    """An exact decimal from 0 to 1.

    >>> decimal("0.15")
    Fraction(3, 20)
    """
    return Fraction(text)


def check_extract(request: UseRequest, plan: Plan) -> Iterator[Reason]:
    """Every reason why a use that is an extract, or says so, may not be one; nothing for any other use."""
    if EXTRACT not in (plan.algorithm, request.operation):
        return
    if plan.algorithm != EXTRACT or request.operation != EXTRACT:
        yield _reason("An extract is the operation and the algorithm 'extract'.", "Ask by study.extract(...).")
        return
    if len(plan.roster) != 1:
        yield _reason("An extract is of one hospital.", "Ask each hospital for its own.")
    ask = ask_of(plan)
    if isinstance(ask, Denied):
        yield from ask.reasons
        return
    yield from check_groups(ask, plan)
    if request.recipients != (ask.workspace,):
        yield _reason("An extract is sealed to its workspace alone.", "Name the workspace as the only recipient.")


def check_groups(ask: ExtractAsk, plan: Plan) -> Iterator[Reason]:
    """Why its groups are too small for what was agreed; nothing where they are not."""
    if ask.k < plan.min_cell:
        words = f"k of {ask.k} is below the agreed minimum cell of {plan.min_cell} persons."
        yield Reason("terms.k_too_small", words, f"Ask for k of {plan.min_cell} or more.")


def _faults(ask: ExtractAsk) -> Iterator[Reason]:
    named = (*ask.quasi, *ask.sensitive)
    if ask.version != 1:
        yield Reason("terms.version", f"Version {ask.version} of an extract is not known here.", "Use version 1.")
    if not is_name(ask.profile):
        yield _reason("The de-identification profile has no valid name.", "Name a shipped profile.")
    if not is_did(ask.workspace):
        yield _reason("The workspace is not a DID of this space.", "Name the enrolled workspace's DID.")
    if not 2 <= ask.k <= K_MOST.value:
        yield _reason(f"k is 2 to {K_MOST.value} persons.", "State k.")
    if not 0 <= ask.l <= K_MOST.value or (ask.t and not _DECIMAL.match(ask.t)):
        yield _reason("l is a count, t a decimal from 0 to 1.", "State them so, or leave them out.")
    if (ask.l or ask.t) and not ask.sensitive:
        yield _reason("l and t are of sensitive columns, and none is named.", "Name the sensitive columns.")
    if not _DECIMAL.match(ask.suppressed):
        yield _reason("The part that may be suppressed is a decimal from 0 to 1.", "State it so.")
    if not ask.quasi or len(named) > COLUMNS.value or len(set(named)) != len(named) or not all(map(_column, named)):
        words = f"Quasi-identifying and sensitive columns are named, each once, at most {COLUMNS.value}."
        yield _reason(words, "Name at least one quasi-identifying column.")
    if not ask.formats or len(set(ask.formats)) != len(ask.formats) or not set(ask.formats) <= set(FORMATS):
        yield _reason("A format is not known.", f"Known: {', '.join(FORMATS)}.")
    if WHOLE in ask.formats or ask.resources:
        yield from _whole_faults(ask)


def _whole_faults(ask: ExtractAsk) -> Iterator[Reason]:
    """Whole resources leave in place of rows, and their patients with them."""
    named = ask.resources
    if not ask.is_whole or PATIENT not in named:
        words = "Whole resources are an extract of their own: format 'resources', and types with Patient among them."
        yield _reason(words, "Ask for the rows by an extract of their own.")
    if len(named) > TYPES.value or len(set(named)) != len(named) or not all(map(_TYPE.match, named)):
        yield _reason(f"FHIR types are named once each, at most {TYPES.value}.", "Name them as FHIR does: Condition.")
    if ask.l or ask.t:
        words = "l and t are of columns, and whole resources have none."
        yield _reason(words, "Ask for the rows, or leave l and t out.")


def _column(name: str) -> bool:
    return name.isidentifier() and len(name) <= 128


def _reason(words: str, remedy: str) -> Reason:
    return Reason("terms.not_an_extract", words, remedy)
