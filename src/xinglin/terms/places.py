"""Places: countries (ISO 3166-1), their parts (ISO 3166-2), areas of China by GB/T 2260, and groups of countries.

A place is written ``CN``, ``CN-SH``, ``CN-310104``, ``EU``. Something lies in a place where its path begins with the
place's: ``CN-310104`` in ``CN-SH`` in ``CN``.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COUNTRIES = _words(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
_EU = _words("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK")
GROUPS = {"EU": _EU, "EEA": _EU | {"IS", "LI", "NO"}}
"""Groups of countries that may be written as a place."""

_PROVINCES = {
    pair[:2]: pair[3:]
    for pair in _words(
        "BJ:11 TJ:12 HE:13 SX:14 NM:15 LN:21 JL:22 HL:23 SH:31 JS:32 ZJ:33 AH:34 FJ:35 JX:36 SD:37 HA:41 HB:42 HN:43 "
        "GD:44 GX:45 HI:46 CQ:50 SC:51 GZ:52 YN:53 XZ:54 SN:61 GS:62 QH:63 NX:64 XJ:65 TW:71 HK:81 MO:82"
    )
}
_LETTERS = {digits: letters for letters, digits in _PROVINCES.items()}
_PLACE = re.compile(r"([A-Z]{2})((?:-[A-Z0-9]{1,6}){0,3})\Z")
_AREA = re.compile(r"(\d\d)(?:(\d\d)(\d\d))?\Z")


class Place(msgspec.Struct, frozen=True):
    """A place as a path from its country down, or as a group of countries."""

    spelled: str
    path: tuple[str, ...] = ()
    group: frozenset[str] = frozenset()

    def within(self, other: Place) -> bool | None:
        """Whether all of this place lies in ``other``; ``None`` where only a part of it does.

        >>> shanghai, china = read_place("CN-SH"), read_place("CN")
        >>> shanghai.within(china), china.within(shanghai), china.within(read_place("DE"))
        (True, None, False)
        """
        mine, theirs = self._countries, other._countries
        if not mine & theirs:
            return False
        if other.group:
            return True if mine <= theirs else None
        if self.group:
            return None
        if self.path[: len(other.path)] == other.path:
            return True
        return None if other.path[: len(self.path)] == self.path else False

    @property
    def _countries(self) -> frozenset[str]:
        return self.group or frozenset(self.path[:1])


@lru_cache(maxsize=4096)
def read_place(text: str) -> Place | None:
    """The place that ``text`` names, in its canonical spelling; ``None`` where it names none.

    >>> read_place("CN-310000").spelled
    'CN-SH'
    """
    if text in GROUPS:
        return Place(text, group=GROUPS[text])
    found = _PLACE.match(text)
    if not found or found[1] not in _COUNTRIES:
        return None
    parts = found[2].split("-")[1:]
    if found[1] != "CN" or not parts:
        return Place(text, (found[1], *parts))
    return _area(parts)


def _area(parts: list[str]) -> Place | None:
    """An area of China: letters and digits of a province are the same place, ``00`` is no further part."""
    digits = _AREA.match(_PROVINCES.get(parts[0], parts[0]))
    if len(parts) != 1 or digits is None or digits[1] not in _LETTERS:
        return None
    levels = [pair for pair in digits.groups() if pair]
    while len(levels) > 1 and levels[-1] == "00":
        levels.pop()
    spelled = _LETTERS[levels[0]] if len(levels) == 1 else "".join(levels).ljust(6, "0")
    return Place(f"CN-{spelled}", ("CN", *levels))
