"""The mark of an extract: its recipient's codeword in numbers that do not identify, and finding it again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.node.extract_columns import PERSON_COLUMN, Columns
from xinglin.terms.extracts import ExtractAsk

if TYPE_CHECKING:
    from xinglin.analysis.admit_model import OutputColumn
    from xinglin.privacy.watermark import Codes, Found, MarkPlan, Numbers, Orders

STEP_SHARE = 0.05
"""A marked number moves by at most this part of its standard deviation, or by two units of its last decimal."""
MOST_DECIMALS = 6
COARSE_KEYS = 3
"""Marked numbers by whose coarse parts together a row is found where nothing else is left."""
_ICD10 = re.compile(r"[A-TV-Z]\d[0-9AB](\.?[0-9A-Z]{1,4})?\Z")
UNBOUNDED = 1e300
"""The bound of a number that has none; a plan is kept as JSON, which has no infinity."""
ACCUSE = 1e-6
"""The probability, at most, that looking for a leak names anybody innocent, over all that was ever given out."""


class NoMark(XinglinError):
    """The mark cannot be set: nothing leaves without one."""

    code = "extract.no_mark"


class Marking(msgspec.Struct, frozen=True):
    """The marked columns, how the mark was set (JSON, for finding it again), and in words what it cost."""

    columns: Columns
    said: bytes
    words: str
    columns_said: dict[str, str]
    is_set: bool


class Given(msgspec.Struct, frozen=True):
    """Who was given a marked extract: what its codeword stands for, and how it was set."""

    run: str
    recipient: str
    agreement: str
    at: Instant
    plan: bytes


def set_mark(
    columns: Columns,
    key: bytes,
    given: Given,
    ask: ExtractAsk,
    described: Mapping[str, OutputColumn],
    unordered: Collection[str] = (),
) -> Marking:
    """Set the codeword of recipient, agreement and time into ``columns``, which hold ``PERSON_COLUMN`` too.

    In sensitive numbers; where there are none, in the spelling of ICD-10 codes (``E11.9``, ``E119``) and in the order
    of the lists in the columns ``unordered``, of which the hospital says that it means nothing. Raises ``NoMark`` where
    none of these is there, or too few cells.
    """
    from xinglin.privacy.watermark import MarkPlan

    numbers = tuple(_numbers(columns, ask.sensitive, described))
    if not numbers:
        return _marked_texts(columns, key, given, ask, unordered)
    marked_names = {one.column for one in numbers}
    others = tuple(name for name in columns if name not in marked_names and name != PERSON_COLUMN)
    coarse = tuple(f"~{one.column}" for one in numbers[:COARSE_KEYS])
    keys = ((PERSON_COLUMN,), *((others,) if others else ()), *((coarse,) if len(coarse) > 1 else ()))
    return _marked(columns, key, given, MarkPlan(columns=numbers, keys=keys))


def _marked_texts(columns: Columns, key: bytes, given: Given, ask: ExtractAsk, unordered: Collection[str]) -> Marking:
    from xinglin.privacy.watermark import MarkPlan

    found = tuple(_texts(columns, ask.sensitive, unordered))
    if not found:
        words = "No sensitive column of numbers, of ICD-10 codes or of lists without an order is in the extract."
        remedy = (
            "Ask for a measured number or a code too, as a sensitive column; or have the hospital list a column of "
            "lists under the word sensitive_unordered of its profile."
        )
        raise NoMark(words, remedy=remedy)
    names = {one.column for one in found}
    others = tuple(name for name in columns if name not in names and name != PERSON_COLUMN)
    return _marked(
        columns, key, given, MarkPlan(columns=found, keys=((PERSON_COLUMN,), *((others,) if others else ())))
    )


def _texts(columns: Columns, names: Sequence[str], unordered: Collection[str]) -> Iterator[Codes | Orders]:
    from xinglin.privacy.watermark import Codes, Orders

    for name in names:
        values = columns.get(name)
        if values is None or values.dtype.kind != "O":
            continue
        texts = {one for one in values.tolist() if one is not None}
        if name in unordered and any(";" in one for one in texts):
            yield Orders(name)
        elif texts and all(map(_ICD10.match, texts)):
            pairs = tuple((one, one.replace(".", "")) for one in sorted(texts) if "." in one)
            if pairs:
                yield Codes(name, pairs)


def set_mark_alone(columns: Columns, key: bytes, given: Given, described: Mapping[str, OutputColumn]) -> Marking:
    """The same where every other column is a number to be marked, and rows are found by ``PERSON_COLUMN`` alone."""
    from xinglin.privacy.watermark import MarkPlan

    numbers = tuple(_numbers(columns, tuple(described), described))
    if not numbers:
        words = "No measured number that differs from one person to another is in the extract."
        raise NoMark(words, remedy="Ask for Observation too, of a larger cohort.")
    return _marked(columns, key, given, MarkPlan(columns=numbers, keys=((PERSON_COLUMN,),)))


def _marked(columns: Columns, key: bytes, given: Given, plan: MarkPlan) -> Marking:
    from xinglin.privacy.watermark import Numbers, Recipient, TooFewCells, mark

    # A cell that kept more decimals than a marked one has would tell which cells carry the mark.
    even = {
        one.column: np.round(columns[one.column], one.decimals)
        for one in plan.columns
        if isinstance(one, Numbers) and one.decimals
    }
    columns = {**columns, **even}
    try:
        done = mark(columns, key, Recipient(given.recipient, given.agreement, given.at), plan)
    except TooFewCells as error:
        remedy = "Ask for a larger cohort, or for more sensitive columns of numbers."
        raise NoMark("Too few cells of the extract can carry the mark.", remedy=remedy) from error
    numbers = {one.column for one in plan.columns if isinstance(one, Numbers)}
    said = {
        one.column: f"marked: {one.share:.0%} of the cells, "
        + (
            f"by {one.largest:g} at most, the mean by {one.mean_shift:.4f} standard deviations"
            if one.column in numbers
            else "which mean the same"
        )
        for one in done.report.columns
    }
    words = f"{done.report.cells} cells carry {done.report.positions} of {plan.length} bits"
    return Marking(dict(done.columns), msgspec.json.encode(plan), words, said, is_set=done.report.cells > 0)


def find_mark(columns: Columns, key: bytes, given: Sequence[Given]) -> tuple[tuple[Given, Found], ...]:
    """Whose extract a leaked part is, surest first: many rows and some marked columns of it, in any order.

    Rows are found again by the pseudonym, by the unmarked columns together, or by the coarse parts of the marked
    numbers together (two of them at least). A part without any of these, or of few rows, names nobody.
    Guarantee: the probability that anyone innocent is named is at most ``ACCUSE``, over all that was ever given out.
    """
    from xinglin.privacy.watermark import Recipient, detect

    plans: dict[bytes, list[Given]] = {}
    for one in given:
        if one.plan:
            plans.setdefault(one.plan, []).append(one)
    found = []
    for said, group in plans.items():
        plan = _plan_of(said)
        by = {Recipient(one.recipient, one.agreement, one.at): one for one in group}
        detection = detect(columns, key, plan, list(by), ACCUSE / len(plans))
        found += [(by[one.recipient], one) for one in detection.accused]
    return tuple(sorted(found, key=lambda pair: pair[1].bound))


def _plan_of(said: bytes) -> MarkPlan:
    """A plan as it was kept; JSON has no infinity, so a bound that was one is there as nothing."""
    from xinglin.privacy.watermark import MarkPlan

    plain = msgspec.json.decode(said)
    for one in plain["columns"]:
        for name, bound in (("low", -UNBOUNDED), ("high", UNBOUNDED)):
            if name in one and one[name] is None:
                one[name] = bound
    return msgspec.convert(plain, MarkPlan)


def _numbers(columns: Columns, names: Sequence[str], described: Mapping[str, OutputColumn]) -> list[Numbers]:
    from xinglin.privacy.watermark import Numbers

    found = []
    for name, values in columns.items():
        if name not in names or values.dtype.kind not in "if":
            continue
        valid = np.asarray(values, dtype=np.float64)
        valid = valid[np.isfinite(valid)]
        deviation = float(np.std(valid)) if len(valid) else 0.0
        decimals = _decimals(valid)
        unit = 10.0**-decimals
        step = max(2 * unit, round(STEP_SHARE * deviation / unit) * unit)
        if deviation < 2 * step:
            continue  # so few values that a mark would show
        about = described[name]
        low = about.low if about.low is not None else -UNBOUNDED
        high = about.high if about.high is not None else UNBOUNDED
        found.append(Numbers(name, step, decimals, low, high))
    return found


def _decimals(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """Decimals that the column is written with."""
    for decimals in range(MOST_DECIMALS):
        if np.allclose(values, np.round(values, decimals), rtol=0, atol=10.0 ** -(decimals + 6)):
            return decimals
    return MOST_DECIMALS
