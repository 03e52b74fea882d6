"""Values of de-identification: actions, profiles, and who may be given what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np

Columns = dict[str, np.ndarray]
"""Arrays of equal length by column name; texts as objects (``str`` or ``None``), dates as days since 1970-01-01,
instants as milliseconds since then (or ``datetime64``), missing numbers as NaN."""

Do = Literal["keep", "drop", "change", "pseudonymise", "substitute", "note"]
Precision = Literal["", "day", "month", "year", "decade"]
PRECISIONS: tuple[Precision, ...] = ("", "day", "month", "year", "decade")
FORMAT = 1


class Action(msgspec.Struct, frozen=True):
    """What becomes of one field. ``change`` does, in this order, whatever is set:

    ``shift_days``: dates move by up to so many days, the same for a person in a study. ``date``: the finest
    precision that stays. ``oldest``: years of age above which all ages are one. ``zip``: three digits of a US ZIP,
    none of ``restricted``. ``digits``: leading digits of an area code. ``prefix``: leading characters of a code.
    ``low`` and ``high``: numbers beyond are brought to the edge. ``bin``: width of bins, the lower edge stays.
    ``span``: noise of at most half of it, uniform (``proportional``: of the value times it), ``places`` decimals.
    """

    do: Do
    shift_days: int = 0
    date: Precision = ""
    oldest: int = 0
    zip: bool = False
    restricted: tuple[str, ...] = ()
    digits: int = 0
    prefix: int = 0
    low: float | None = None
    high: float | None = None
    bin: float = 0.0
    span: float = 0.0
    proportional: bool = False
    places: int = 2
    value: Any = None

    @property
    def on_dates(self) -> bool:
        """Whether it changes dates."""
        return bool(self.shift_days or self.date)

    @property
    def on_numbers(self) -> bool:
        """Whether it changes numbers."""
        return bool(self.bin or self.span) or self.low is not None or self.high is not None

    @property
    def on_texts(self) -> bool:
        """Whether it changes codes and area codes."""
        return bool(self.zip or self.digits or self.prefix)


KEEP, DROP = Action("keep"), Action("drop")
Fields = Mapping[str, Action]
Forms = Mapping[str, Fields]


class Readers(msgspec.Struct, frozen=True):
    """For whom a profile is made; an empty list admits every one."""

    lanes: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()


class Profile(msgspec.Struct, frozen=True):
    """An allow-list: what is not named is dropped.

    ``tables``: canonical (or own) tables, by stored column. ``fhir``: FHIR resource and data types, by element path
    (``contact.gender``). ``extensions``: by URL. ``hl7v2``: segments, by position (``3.1``, ``5.2.1``, ``5@NM``).
    ``label``: code of v3-ObservationValue written to ``meta.security`` of what was changed.
    """

    name: str
    title: str
    source: str
    tables: Forms
    fhir: Forms
    hl7v2: Forms
    extensions: Fields = {}
    readers: Readers = Readers()
    label: str = "PSEUDED"
