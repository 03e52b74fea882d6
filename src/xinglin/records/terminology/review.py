"""The review queue as a table that a reviewer opens, fills and hands back (CSV, UTF-8 with a mark, for Excel).

``decision`` is empty (nothing changes), ``accept`` or ``reject``; ``target`` may be another code than proposed, or
empty with ``equivalence`` *unmapped*. A file is taken as a whole or not at all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.records.terminology.errors import BadReview
from xinglin.records.terminology.local import Decision, LocalCode, LocalKey
from xinglin.records.terminology.model import EQUIVALENCES, Equivalence

ROWS = Limit("rows of a review", 100_000, "rows")
COLUMNS: tuple[str, ...] = (
    "source",
    "column",
    "system",
    "code",
    "text",
    "seen",
    "state",
    "target",
    "target_system",
    "target_text",
)
COLUMNS += ("equivalence", "decision", "note")
_DECISIONS = ("accept", "reject")
_FORMULA = ("=", "+", "-", "@", "\t")


def write_review(codes: Iterable[LocalCode]) -> bytes:
    """The table; what a spreadsheet would take for a formula has an apostrophe before it."""
    held = io.StringIO(newline="")
    writer = csv.writer(held)
    writer.writerow(COLUMNS)
    for one in codes:
        key = msgspec.structs.astuple(one.key)
        told = (one.text, str(one.seen), one.state, one.target, one.target_system, one.target_text, one.equivalence)
        writer.writerow([_guarded(cell) for cell in (*key, *told, "", one.note)])
    return b"\xef\xbb\xbf" + held.getvalue().encode()


def read_review(body: bytes, by: str, at: Instant) -> tuple[Decision, ...]:
    """The decisions of a filled table. Raises ``BadReview`` (with the line) or ``LimitExceeded``."""
    try:
        reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise BadReview(f"The review has no column {missing[0]}.")
        decisions = []
        for row in reader:
            ROWS.check(reader.line_num)
            if (row["decision"] or "").strip():
                decisions.append(_decision(row, by, at, reader.line_num))
    except UnicodeDecodeError as error:
        raise BadReview("The review is not UTF-8.", remedy="Save it as CSV UTF-8.") from error
    except csv.Error as error:
        raise BadReview("The review is no table.", why=str(error)) from error
    return tuple(decisions)


def _decision(row: dict[str, str | None], by: str, at: Instant, line: int) -> Decision:
    cells = {name: _bare((row[name] or "").strip()) for name in COLUMNS}
    event, equivalence = cells["decision"].lower(), cells["equivalence"] or "equivalent"
    if event not in _DECISIONS:
        raise BadReview(f"Line {line}: a decision is accept or reject.")
    if equivalence not in EQUIVALENCES:
        raise BadReview(f"Line {line}: an equivalence is one of {', '.join(EQUIVALENCES)}.")
    if event == "accept" and not cells["target"] and equivalence != "unmapped":
        raise BadReview(f"Line {line}: what is accepted has a target, or is unmapped.")
    return Decision(
        LocalKey(cells["source"], cells["column"], cells["system"], cells["code"]),
        event,
        by,
        at,
        cells["target"] if equivalence != "unmapped" else "",
        cells["target_system"] if equivalence != "unmapped" else "",
        cells["target_text"],
        msgspec.convert(equivalence, Equivalence),
        cells["note"],
        cells["text"],
    )


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def _bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell
