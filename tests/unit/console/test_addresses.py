"""What a browser may write into an address: read no further than it makes sense, and never as another host."""

from __future__ import annotations

from typing import Any

import pytest

from xinglin.console.serving import _event, _path_of, _query_of
from xinglin.console.visit import Visit


class Asked:
    """A request of which the scope alone is read."""

    def __init__(self, **scope: Any) -> None:
        self.scope = {"path": "/runs", "query_string": b"", **scope}


def test_a_hundred_words_are_read_and_one_more_makes_none() -> None:
    words = b"&".join(b"k%d=1" % n for n in range(101))
    asked: Any = Asked(query_string=words)
    assert _query_of(asked) == {}
    asked = Asked(query_string=words.rpartition(b"&")[0])
    assert len(_query_of(asked)) == 100


@pytest.mark.parametrize("raw", [b"//evil.example/x", b"///evil.example/x"])
def test_a_path_names_no_other_host(raw: bytes) -> None:
    asked: Any = Asked(raw_path=raw)
    assert _path_of(asked) == "/evil.example/x"


def test_a_path_is_what_the_browser_wrote() -> None:
    asked: Any = Asked(raw_path=b"/data-sets/did%3Aa%23heart?page=2")
    assert _path_of(asked) == "/data-sets/did%3Aa%23heart"
    asked = Asked(path="/data-sets/a#b")
    assert _path_of(asked) == "/data-sets/a%23b"


@pytest.mark.parametrize("text", ["9" * 5_000, "-1", "１", "1e3", ""])
def test_what_is_no_number_of_a_page_is_the_first(text: str) -> None:
    visit = Visit.__new__(Visit)
    visit.query = {"page": text}
    assert visit.number("page", 1, least=1) == 1


def test_a_line_end_in_a_live_part_begins_no_field_of_its_own() -> None:
    told = _event("<b>a\revent: end\r\nid: 7\n</b>")
    assert all(line.startswith(b"data: ") for line in told.strip(b"\n").split(b"\n"))
    assert b"\r" not in told
