"""Values: recipients, what may be marked and how far, what was done, and what was found."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.instants import Instant
from xinglin.privacy.watermark.errors import BadMarkPlan

Columns = dict[str, np.ndarray]
"""Arrays of equal length by column name; texts as objects, missing numbers as NaN."""

KEY_BYTES = 32
COARSE = 4
"""Steps of a number by whose coarse part a row is found: a mark moves one value in eight into another part."""
FORMAT = 1


class Recipient(msgspec.Struct, frozen=True):
    """Who was given the data, under which agreement (digest), when (ms): what a mark stands for."""

    recipient: str
    agreement: str
    at: Instant

    def digest(self) -> bytes:
        """32 bytes that name the codeword."""
        return hashlib.sha256(canonical_bytes(self)).digest()


class Numbers(msgspec.Struct, frozen=True, tag="numbers"):
    """A column of numbers: a marked cell moves by at most ``step``; ``decimals`` are kept (0: whole numbers).

    ``low`` and ``high``: the published range; a cell that would leave it is not marked. A step of 5 % of the standard
    deviation, and at least twice the rounding that the mark has to survive, is a good one.
    """

    column: str
    step: float
    decimals: int = 0
    low: float = float("-inf")
    high: float = float("inf")


class Codes(msgspec.Struct, frozen=True, tag="codes"):
    """A column of codes: pairs that mean the same (``I10`` and ``I10.x00``); a marked cell becomes one of its pair."""

    column: str
    pairs: tuple[tuple[str, str], ...]


class Orders(msgspec.Struct, frozen=True, tag="orders"):
    """A column of lists whose order means nothing, ``separator`` between: a marked cell is put in one of two orders."""

    column: str
    separator: str = ";"


Markable = Numbers | Codes | Orders


class MarkPlan(msgspec.Struct, frozen=True):
    """Where marks go. The plan and the key are kept by whoever marks; without both nothing is found.

    ``columns``: what may be marked, and how far. ``keys``: sets of columns by which a row is found again, each tried
    on its own: an id first, then columns that a leaker is likely to keep. None of them may be marked; ``~x`` stands for
    the coarse part of a marked number ``x`` (``COARSE`` steps wide), which marks hardly touch. ``every``: one row in so
    many carries a bit, for each set. ``length``: bits of a codeword. ``colluders``: how many recipients
    together the code is made for.
    """

    columns: tuple[Markable, ...]
    keys: tuple[tuple[str, ...], ...]
    every: int = 2
    length: int = 8192
    colluders: int = 5
    version: int = FORMAT

    def __post_init__(self) -> None:
        names = [one.column for one in self.columns]
        keyed = {name for one in self.keys for name in one if not name.startswith("~")}
        coarse = {name[1:] for one in self.keys for name in one if name.startswith("~")}
        if not names or not self.keys or not all(self.keys) or len(set(names)) < len(names):
            raise BadMarkPlan("A plan marks columns, each once, and finds rows by others.", remedy="Name them.")
        if coarse - {one.column for one in self.columns if isinstance(one, Numbers)}:
            raise BadMarkPlan("A coarse part is of a marked number.", remedy="Name a number that the plan marks.")
        if keyed & set(names):
            raise BadMarkPlan(
                f"{sorted(keyed & set(names))[0]!r} finds rows and would be changed.",
                remedy="Mark other columns, or find rows by others.",
            )
        if not (1 <= self.every <= 1000 and 64 <= self.length <= 1 << 16 and 1 <= self.colluders <= 32):
            raise BadMarkPlan(
                "One row in 1 to 1000, a code of 64 to 65536 bits, against 1 to 32 recipients.",
                remedy="State numbers in these ranges.",
            )
        for one in self.columns:
            if isinstance(one, Numbers) and not (one.step > 0 and one.step >= 2 * 10.0**-one.decimals):
                raise BadMarkPlan(
                    f"The step of {one.column!r} is too small for its decimals.",
                    remedy="State a step of at least two units of the last decimal.",
                )
            if isinstance(one, Codes) and (
                not one.pairs or len({c for p in one.pairs for c in p}) < 2 * len(one.pairs)
            ):
                raise BadMarkPlan(f"The pairs of {one.column!r} overlap, or there are none.", remedy="Name pairs.")


class ColumnReport(msgspec.Struct, frozen=True):
    """What a column lost. ``changed``: cells; ``share``: of all; ``largest``: change of a cell, ``rms`` of all cells in
    standard deviations, ``mean_shift`` of the mean in standard deviations (0 for codes and orders).
    """

    column: str
    changed: int
    share: float
    largest: float = 0.0
    rms: float = 0.0
    mean_shift: float = 0.0


class MarkReport(msgspec.Struct, frozen=True):
    """``cells`` carry a bit, ``positions`` of the codeword's bits are carried at all."""

    cells: int
    positions: int
    columns: tuple[ColumnReport, ...]


class Marked(msgspec.Struct, frozen=True):
    """The marked table and what marking did to it."""

    columns: Columns
    report: MarkReport


class Found(msgspec.Struct, frozen=True):
    """A recipient whose mark is in the data. ``score``: in standard deviations of an innocent's; ``bound``: the
    probability, at most, that anyone innocent of those asked about is named with such a score.
    """

    recipient: Recipient
    score: float
    bound: float


class Detection(msgspec.Struct, frozen=True):
    """``accused``: surest first; empty where nobody is named. ``cells``: that were read; ``best``: largest score."""

    accused: tuple[Found, ...]
    cells: int
    positions: int
    candidates: int
    best: float
