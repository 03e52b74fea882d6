"""How one source speaks HL7 v2: the ``[hl7v2]`` table of its mapping file."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from typing import Literal

import msgspec

from xinglin.records.errors import RecordsError

GB_SEX = {"1": "male", "2": "female", "0": "unknown", "9": "other"}
"""GB/T 2261.1 in FHIR's words (9: 未说明的性别, not stated, stands as other would: it is no sex of the table)."""


class BadMapping(RecordsError):
    """A source's mapping text that is not what its reader knows."""

    code = "hl7v2.mapping"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``sex``: ``hl7`` (table 0001) or ``gb2261`` (GB/T 2261.1) or ``both``. ``zone``: whose zone a time without one
    has: ``message`` (MSH-7 where it names one, HL7 v2.8.2 §2.14.9.7; else the source's) or ``source``.

    ``without_patient``: what becomes of a message without a patient's number that needs one: ``unread`` or
    ``anonymous`` (each message is a person of its own, as in surveillance feeds). ``envelope``: also give the
    MessageHeader and the parties of the MSH segment. ``account_is_visit``: PID-18 numbers the visit where PV1-19
    does not. ``identifier``: type of PID-3 that is the hospital's own number (``MR``); empty takes the usual order.
    """

    sex: Literal["hl7", "gb2261", "both"] = "both"
    zone: Literal["message", "source"] = "message"
    without_patient: Literal["unread", "anonymous"] = "unread"
    envelope: bool = False
    account_is_visit: bool = True
    identifier: str = ""


@lru_cache(maxsize=64)
def options_of(mapping: str) -> Options:
    """The ``[hl7v2]`` table of a mapping text; the defaults where there is none. Raises ``BadMapping``.

    >>> options_of('[hl7v2]\\nsex = "gb2261"').sex, options_of("").zone
    ('gb2261', 'message')
    """
    if not mapping.strip():
        return Options()
    try:
        return msgspec.convert(tomllib.loads(mapping).get("hl7v2", {}), Options)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        remedy = "see the fields of [hl7v2] in the documentation of the source's mapping"
        raise BadMapping("the mapping's [hl7v2] table is not known", why=str(wrong), remedy=remedy) from wrong
