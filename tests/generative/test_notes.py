"""Any text: spans in order, inside it, none over another; never an error; time in proportion to its length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.slowness import slowness

from xinglin.privacy.deidentify.text import Known, find, redact

ALPHABET = (
    "王李张三丰建国男女，。：:()（） \n0123456789Xx-/.年月日号路省市区医生主任患者姓名Dr Mr Smith,MD@+abcABC·０９Ｘ"
)
TEXTS = st.text(alphabet=ALPHABET, max_size=120) | st.text(max_size=80)


@given(TEXTS, st.lists(st.text(alphabet=ALPHABET, max_size=12), max_size=4))
def test_spans_are_in_order_inside_and_apart(text: str, known: list[str]) -> None:
    found = find(text, Known(names=tuple(known), phones=tuple(known), addresses=tuple(known), dates=tuple(known)))
    edges = [edge for span in found for edge in (span.start, span.end)]
    assert edges == sorted(edges) and all(0 <= edge <= len(text) for edge in edges)
    assert all(span.start < span.end for span in found)
    redact(text, found)


@given(TEXTS)
def test_a_known_name_never_stays(text: str) -> None:
    whole = f"{text}欧阳若曦{text}"
    assert "欧阳若曦" not in redact(whole, find(whole, Known(names=("欧阳若曦",))))


HOSTILE = {
    "digits": "1" * 100_000,
    "digits apart": "1 " * 50_000,
    "dashes": "1-" * 50_000,
    "surnames": "王李张" * 33_000,
    "names": "王建国" * 33_000,
    "labels": "姓名：" * 33_000,
    "titles": "主任" * 50_000,
    "doctors": "Dr " * 33_000,
    "capitals": "Aa " * 33_000,
    "roads": "路1号" * 33_000,
    "provinces": "北京市" * 33_000,
    "colons": ":" * 100_000,
    "spaces": " " * 100_000,
    "months": "月" * 100_000,
    "mail": "a@" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_text_and_no_faster(name: str) -> None:
    """A tenth of the text takes a tenth of the time, or nearly: no pattern goes back over what it saw."""
    text = HOSTILE[name]

    def taken(part: str) -> float:
        start = time.process_time()
        find(part)
        return time.process_time() - start

    taken(text[:1000])
    assert taken(text) < 10 * slowness(), name
