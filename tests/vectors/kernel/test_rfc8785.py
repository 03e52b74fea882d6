"""RFC 8785: the number table of appendix B, and the examples of sections 3.2.2 to 3.2.4."""

from __future__ import annotations

import json
import struct

import pytest

from xinglin.kernel import MalformedMessage, canonical_bytes

# IEEE 754 bits in hexadecimal, and the text that the appendix prints beside them.
APPENDIX_B = """
0000000000000000 0
8000000000000000 0
0000000000000001 5e-324
8000000000000001 -5e-324
7fefffffffffffff 1.7976931348623157e+308
ffefffffffffffff -1.7976931348623157e+308
4340000000000000 9007199254740992
c340000000000000 -9007199254740992
4430000000000000 295147905179352830000
44b52d02c7e14af5 9.999999999999997e+22
44b52d02c7e14af6 1e+23
44b52d02c7e14af7 1.0000000000000001e+23
444b1ae4d6e2ef4e 999999999999999700000
444b1ae4d6e2ef4f 999999999999999900000
444b1ae4d6e2ef50 1e+21
3eb0c6f7a0b5ed8c 9.999999999999997e-7
3eb0c6f7a0b5ed8d 0.000001
41b3de4355555553 333333333.3333332
41b3de4355555554 333333333.33333325
41b3de4355555555 333333333.3333333
41b3de4355555556 333333333.3333334
41b3de4355555557 333333333.33333343
becbf647612f3696 -0.0000033333333333333333
43143ff3c1cb0959 1424953923781206.2
"""
NUMBERS = [tuple(line.split()) for line in APPENDIX_B.strip().splitlines()]


def double(bits: str) -> float:
    return struct.unpack(">d", bytes.fromhex(bits))[0]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_appendix_b_numbers(bits: str, text: str) -> None:
    assert canonical_bytes(double(bits)) == text.encode()
    assert canonical_bytes([double(bits)]) == f"[{text}]".encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_appendix_b_refusals(bits: str) -> None:
    with pytest.raises(MalformedMessage, match="NaN"):
        canonical_bytes({"x": double(bits)})


def test_section_3_2_2_primitive_types() -> None:
    text = (
        r'{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        r'"string": "\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}'
    )
    expected = (
        r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_bytes(json.loads(text)) == expected.encode()


def test_section_3_2_3_sorting_is_by_utf_16_units() -> None:
    named = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]
    assert list(json.loads(canonical_bytes(named)).values()) == order


def test_section_3_2_4_bytes_of_the_worked_example() -> None:
    value = {"string": '€$\u000f\nA\'B"\\\\"/'}
    assert canonical_bytes(value).hex() == "7b22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d"
