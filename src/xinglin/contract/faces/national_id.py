"""The 47 characters that name a 数字合约 (TC609-6-2025-14): C, node type 1, subject 18, area 4, time 14, random 8,
check 1.

The text was not to be had; lengths and order are as summaries and implementations quote them. Our own reading, where
those do not say it: the subject is a unified social credit code (GB 32100-2015), the area the first four digits of
GB/T 2260, the time of day Beijing's, the eight characters come from the agreement's digest (so that both parties name
the same contract alike), and the check is ISO/IEC 7064 MOD 37,36 (GB/T 17710), which catches every single changed
character and all but two in a thousand swaps of unlike neighbours.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import msgspec

from xinglin.catalogue.national import AREA, credit_check
from xinglin.contract.errors import NotThisFace
from xinglin.kernel.instants import Instant
from xinglin.terms.request import is_digest

LENGTH = 47
NODE_TYPES = {"1": "国家级节点", "2": "区域或行业节点", "3": "空间或业务节点"}
"""Codes 1, 2, 3; the labels are our reading."""
NodeType = Literal["1", "2", "3"]

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ID = re.compile(r"C[123][0-9A-HJ-NPQRTUWXY]{18}[0-9]{18}[0-9A-Z]{9}\Z")
_BEIJING = timezone(timedelta(hours=8))
_LATEST = 253_402_214_400_000
"""The year 10000 has no four digits."""


class ContractId(msgspec.Struct, frozen=True):
    """The parts of a contract's id; ``tail``: the eight characters that tell contracts of one second apart."""

    node_type: str
    subject: str
    area: str
    at: Instant
    tail: str

    @property
    def text(self) -> str:
        """All 47 characters; the instant is cut to its second."""
        when = datetime.fromtimestamp(self.at // 1000, UTC).astimezone(_BEIJING).strftime("%Y%m%d%H%M%S")
        body = f"C{self.node_type}{self.subject}{self.area}{when}{self.tail}"
        return body + check_character(body)


def contract_id(digest: str, made: Instant, node_type: NodeType, subject: str, area: str) -> str:
    """The id of the contract whose agreement has ``digest`` and was ``made`` then; ``NotThisFace`` for bad parts.

    >>> contract_id("sha256:" + "0" * 64, 0, "3", "91350100M000100Y43", "3101")
    'C391350100M000100Y4331011970010108000000000000V'
    """
    if not is_digest(digest):
        raise NotThisFace("A contract is named after the digest of its agreement.")
    when = made if 0 <= made < _LATEST else 0
    found = ContractId(node_type, subject, area, when, tail_of(digest)).text
    if when != made:
        raise NotThisFace("A contract's time has fourteen digits.")
    read_id(found)
    return found


def tail_of(digest: str) -> str:
    """Eight characters of base 36 from an agreement's digest."""
    number, tail = int(digest.partition(":")[2], 16) % 36**8, ""
    for _ in range(8):
        number, digit = divmod(number, 36)
        tail = _ALPHABET[digit] + tail
    return tail


def read_id(text: str) -> ContractId:
    """The parts of an id; ``NotThisFace`` for one of another form, or that a check does not confirm."""
    if len(text) != LENGTH or not _ID.match(text):
        raise NotThisFace("A contract's id is C and 46 more characters of its form.", remedy="See TC609-6-2025-14.")
    if check_character(text[:-1]) != text[-1]:
        raise NotThisFace("The last character does not confirm the others.", remedy="Read the id again.")
    subject, area = text[2:20], text[20:24]
    if credit_check(subject) != subject[-1]:
        raise NotThisFace("The subject's last character does not confirm the others.", remedy="See GB 32100-2015.")
    if not AREA.match(area + "00"):
        raise NotThisFace("The area is no province's.", remedy="See GB/T 2260.")
    try:
        when = datetime.strptime(text[24:38], "%Y%m%d%H%M%S").replace(tzinfo=_BEIJING)
    except ValueError as error:
        raise NotThisFace("The time is none.", remedy="Fourteen digits, from year to second.") from error
    return ContractId(text[1], subject, area, round(when.timestamp()) * 1000, text[38:46])


def check_character(body: str) -> str:
    """The check by ISO/IEC 7064 MOD 37,36 (hybrid system, clause 9) of characters 0–9 and A–Z.

    >>> check_character("A12425GABC1234002")
    'M'
    """
    if not set(body) <= set(_ALPHABET):
        raise NotThisFace("A contract's id has digits and capital letters alone.")
    product = 36
    for letter in body:
        total = (product + _ALPHABET.index(letter)) % 36 or 36
        product = total * 2 % 37
    return _ALPHABET[(37 - product) % 36]
