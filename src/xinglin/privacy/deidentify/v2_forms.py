"""What stands in positions of HL7 v2 that hold dates, times, numbers or ranges, and the names of character sets.

A profile that keeps such a position keeps a date, time, number or range. Text in its place, or behind it, is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from xinglin.privacy.deidentify.dates import is_v2_date
from xinglin.records.hl7v2.charset import codec_of
from xinglin.records.hl7v2.separators import Separators

Test = Callable[[str], object]
# By the field and component types of HL7 v2.3 to 2.8.2, where all releases agree: d date or timestamp, t time of day,
# n number. Three of OBX are narrower than their types: k type of a value, s number of a part, r reference range.
_FORMS = (
    "ABS:d4,d7,n12 ACC:d1,n12 AIG:n1,n6,d8,n9,n11 AIL:n1,d6,n7,n9 AIP:n1,d6,n7,n9 AIS:n1,d4,n5,n7 AL1:d6 "
    "ARV:n1,d6,d6.2 AUT:d4,d5,n7,n7.3,n7.4,n8,n9,d10,d15,n18,n19,n20,n22,d26 BLG:d1.2 BPO:n1,n4,n5,d7,d10 "
    "BPX:n1,d4,d13,n14,n15 BTX:n1,n8,n9,d13,d16,d17 CDM:n10 CM0:n1,d6,n7,d8 CM1:n1 CM2:n1 CON:n1,d12,d13,d14,d15 "
    "CSP:d2,d3 CSR:d6,d9,d11,d15 CSS:d2 CTD:d7.4 DB1:n1,d5,d6,d7,d8 DG1:n1,d5,n13.3,n13.4,d19 "
    "DRG:d2,n6,n7,n7.3,n7.4,n9,n9.3,n9.4,n15,n16,n21,n22,n23,n24,n25 ERR:n1.2,n1.3,n2.2,n2.3,n2.4,n2.5 EVN:d2,d3,d6 "
    "FT1:n1,d4,d4.2,d5,n10,n11,n11.3,n11.4,n12,n12.3,n12.4,n15,n15.3,n15.4,n22,n22.3,n22.4,n31,n43 "
    "GOL:d2,n6,d7,d8,d12,d13,d14,d15.4,d15.5,d19 GP1:n5,n5.3,n5.4 "
    "GP2:n2,n3,n3.3,n3.4,n11,n11.3,n11.4,n13,n13.3,n13.4,n14 "
    "GT1:n1,d8,d13,d14,n15,d24,n27,n27.3,n27.4,n28,d31,d32,d54.2 IAM:n1,d11,d13,d20,d22,d24,d26 "
    "IN1:n1,d12,d13,d14.2,d18,d24,d26,d29,n33,n34,n37,n37.3,n37.4,n38.3,n38.4,n39,n40.3,n40.4,n41.3,n41.4,d51 "
    "IN2:d17,n30,n30.2,n30.3,d44,d45,d55,d56 IN3:n1,n5.2,d6,d7,d9,d10,n11.2,d13,d20.3,d22 "
    "INV:n7,n8,n9,n10,d12,d13,d14.4,d14.5,n19,n20 MFA:d3 MFE:d3,d6 MFI:d4,d5 MSA:n4,n7 MSH:d7,n13 NK1:n1,d8,d9,d16 "
    "NTE:n1,d6,d7,d8 "
    "OBR:n1,d6,d7,d8,n9,d14,d22,n23,d27.4,d27.5,d32.2,d32.3,d33.2,d33.3,d34.2,d34.3,d35.2,d35.3,d36,n37 "
    "OBX:n1,k2,s4,n4.2,n4.3,r7,n9,d12,d14,d19 OM1:n1,d21,d22,n23,n24,n57,n59,n59.2 ORC:d7.4,d7.5,d9,d15,d27,d32 "
    "ORG:n1,d9,d9.2 PCR:n4,d5,d6,d7,d8,d18 PD1:d13,d17,d18,d22 PDA:d4,d7,d7.2 PID:n1,d7,d20.3,n25,d29,d33 "
    "PR1:n1,d5,n7,n10 PRA:d5.4,d6.4,d7.3,d7.4,d8,d10,n12 PRB:d2,n6,d7,d8,d9,d15,d16,n20 PRD:d7.4,d8,d9 "
    "PRT:d11,d12,d17,d18 PTH:d4,d6 PV1:n1,d20.2,d25,n26,n27,d30,n32,n33,d35,d37.2,d44,d45,n46,n47,n48,n49 "
    "PV2:d8,d9,n10,n11,d14,d17,n20,d26,d28,d29,d33,d46,d47,d48,d50 QAK:n4,n5,n6 QRD:d1,d6,n7 "
    "QRF:d2,d3,n9,d9.4,d9.5,n10 RF1:d7,d8,d9,d13,n15,n16,n17,n18,d22 RGS:n1 ROL:d5,d6 RQD:n1,n5,d10 "
    "RXA:n2,d3,d4,n6,n13,d16,d22,n23 RXC:n3,n5,n8,n10 RXD:n1,d3,n4,n8,n12,n16,d19,n22,n28 "
    "RXE:d1.4,d1.5,n3,n4,n10,n12,n16,n17,d18,n19,n25,n28,d32,n33,n39 RXG:n2,d3.4,d3.5,n5,n6,n17,d20,n23,n32 "
    "RXO:n2,n3,n11,n13,n18,n23,n25,n28 RXV:n1,n3,n5,n8,n10,n12,n14,n16,n17,n20 "
    "SAC:d7,n11,n11.2,n11.3,n11.4,n14,n14.2,n14.3,n14.4,n16,n17,n18,n19,n21,n22,n23,n29.2,n29.4,n31.2,n31.4,n32,"
    "n34,n36,n38 "
    "SCH:n3,n9,n11,d11.4,d11.5 SFT:d6 SPM:n1,n12,n13,d17,d17.2,d18,d19,n25,n26 "
    "STF:d6,d12,d13,d22.3,d24,d25,d26,d31,d34,d34.2,d35 TQ1:n1,n2,n3.3,n3.4,n3.5,t4,n5,n6,d7,d8,n13,n14 "
    "TQ2:n1,n8,n9 TXA:n1,d4,d6,d7,d8,d26 UB1:n1,n10.2,d16.2 UB2:n1,n6.2,n6.3,d7.2,d8.2,d8.3,n17 VAR:d2,d3"
)
_SIGNED = r"[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})"
# Laboratories write a comparator into numbers too: below the limit of detection.
_COMPARED = rf"(?:[<>]=?)?{_SIGNED}"
_PATTERNS = {
    "n": _COMPARED,
    "t": r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,4})?)?)?(?:[+-]\d{4})?",
    "k": "[A-Z]{2,3}",
    "s": r"[A-Za-z]|\d{1,6}(?:[.-]\d{1,6}){0,5}",
    "r": rf"(?:[<>]=?|[\u2264\u2265])? ?{_SIGNED}(?: ?(?:--?|[~/:\u2013\uff5e]) ?{_SIGNED})?",
    "compare": "[<>]=?|=|<>",
    "between": "[-+/.:]",
}
_TESTS: dict[str, Test] = {
    "d": is_v2_date,
    **{form: re.compile(pattern, re.ASCII).fullmatch for form, pattern in _PATTERNS.items()},
}
_OF_TYPE = {"NM": "n", "DT": "d", "TS": "d", "DTM": "d", "TM": "t"}
_OF_SN = {1: "compare", 2: "n", 3: "between", 4: "n"}
OBX_TYPES = (*_OF_TYPE, "SN")
"""Types of OBX-5 whose values have a form."""
_CHARSETS = {
    "ascii": "ASCII",
    "utf-8": "UNICODE UTF-8",
    "utf-16": "UNICODE UTF-16",
    "utf-32": "UNICODE UTF-32",
    **{f"utf-{bits}-{order}": f"UNICODE UTF-{bits}" for bits in (16, 32) for order in ("le", "be")},
    "gb18030": "GB 18030-2000",
    "big5hkscs": "BIG-5",
    "cp949": "KS X 1001",
    "iso2022_jp_ext": "ISO IR87",
    "cp932": "SHIFT_JIS",
    "euc_jp": "EUC-JP",
    "cp874": "CP874",
    **{f"iso8859_{n}": f"8859/{n}" for n in range(1, 17)},
    **{f"cp{n}": f"WINDOWS-{n}" for n in range(1250, 1259)},
}
_WIDE = ("utf-16", "utf-32")


@cache
def _forms() -> dict[tuple[str, str], str]:
    found = {}
    for each in _FORMS.split():
        segment, _, positions = each.partition(":")
        found.update({(segment, position[1:]): position[0] for position in positions.split(",")})
    return found


def test_of_position(segment: str, at: tuple[int, int, int], kind: str = "") -> Test | None:
    """The test of a kept text by segment, field, component, sub-component and the type in OBX-2; ``None``: any text.

    >>> test = test_of_position("OBX", (5, 1, 1), "NM")
    >>> [bool(test and test(text)) for text in ("13.5", "<0.01", "13.5 Li")]
    [True, True, False]
    """
    field, component, sub = at
    if segment == "OBX" and field == 5 and kind in OBX_TYPES:
        form = _OF_TYPE.get(kind) or _OF_SN.get(component, "n")
    else:
        position = ".".join(str(n) for n in at[: 3 if sub > 1 else 2 if component > 1 else 1])
        form = _forms().get((segment, position), "")
    return _TESTS[form] if form else None


def charset_name(raw: str, used: Separators) -> str:
    """What MSH-18 says of a message written anew: the set by which it was read, never what the sender wrote.

    Text of ASCII alone is what was declared too, if that is a set in which ASCII is itself.
    """
    codec = used.charset
    if codec == "ascii":
        first = raw.partition(used.repetition)[0].partition(used.component)[0]
        declared = codec_of(first) or ""
        codec = declared if declared in _CHARSETS and declared not in _WIDE else codec
    return _CHARSETS.get(codec, "")
