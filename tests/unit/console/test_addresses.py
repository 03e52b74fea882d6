"""Addresses: what a browser writes is read as far as it makes sense; what others named stays one part of a path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest

from xinglin.console.addresses import NOTHING, segment
from xinglin.console.render import TEMPLATES
from xinglin.console.render import _path_of as path_of_row
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


HOSTILE = ("../approvals/sha256:ab/revoke?", "..", ".", "", "b?", "b#", "b/c", "//evil.example", "\\b", "%2e%2e", "b\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_of_anybodys_stays_where_it_stands_in_a_path(name: str) -> None:
    for path in (f"/motions/{segment(name)}/vote", path_of_row("/motions/{id}/vote", {"id": name})):
        there = urljoin("http://here/inbox", path)
        assert re.fullmatch(r"http://here/motions/[^/?#\\]+/vote", there), there
    assert segment(name) not in (".", "..")


def test_a_plain_name_stands_as_it_is() -> None:
    for name in ("application-1.b_c", "sha256:" + "a" * 64, "did:web:a.example", 7):
        assert segment(name) == str(name) != NOTHING


def test_no_template_puts_a_name_into_an_address_as_it_is() -> None:
    found = [
        f"{path.relative_to(TEMPLATES)}: {bare}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for bare in bare_in_template(path.read_text(encoding="utf-8"))
    ]
    assert not found, "write {{ … | segment }} in a path, {{ … | urlencode }} after the question mark"


def test_no_screen_puts_a_name_into_an_address_as_it_is() -> None:
    home = TEMPLATES.parent
    found = [
        f"{path.relative_to(home)}: {bare}"
        for folder in ("screens", "calls")
        for path in sorted((home / folder).glob("*.py"))
        for bare in bare_in_code(path.read_text(encoding="utf-8"))
    ]
    assert not found, "write segment(…) in a path"


def test_a_bare_name_would_be_found() -> None:
    assert list(bare_in_template('<a href="/runs/{{ run }}">')) == ["run"]
    assert list(bare_in_template('<form action="{{ path }}/{{ one.id }}/end">')) == ["one.id"]
    assert list(bare_in_template('<a href="/x?study={{ one }}">')) == ["one"]
    assert list(bare_in_template('{{ link_button(words, "/x?study=" ~ one.id) }}')) == ["one.id"]
    assert not list(bare_in_template('<a href="{{ path }}/{{ a | segment }}?b={{ c | urlencode }}">{{ d }}</a>'))
    assert list(bare_in_code('f"/runs/{run}/again"')) == ["run"] == list(bare_in_code('"/runs/" + run'))
    assert not list(bare_in_code('f"/runs/{segment(run)}?q={quote(a)}"'))


ADDRESS = re.compile(r'\b(?:href|src|action|formaction|hx-get|hx-post|data-live)="((?:\{\{.*?\}\}|\{%.*?%\}|[^"])*)"')
SHOWN = re.compile(r"\{\{ *(.*?) *\}\}")
JOINED = re.compile(r'"/[^" ]*[/=]" ~ (\([^)]*\)|[\w.]+)')
QUOTING = {"segment", "quote", "_quoted", "urlencode"}


def bare_in_template(text: str) -> Iterator[str]:
    """What stands in an address unquoted; an address that begins with a value was made whole by a screen."""
    for address in ADDRESS.findall(text):
        for shown in SHOWN.finditer(address):
            before = address[: shown.start()]
            if before and not shown[1].endswith("| urlencode" if "?" in before else "| segment"):
                yield shown[1]
    yield from (one for one in JOINED.findall(text) if not re.search(r"\| (segment|urlencode)\)$", one))


def bare_in_code(text: str) -> Iterator[str]:
    """Values in texts that begin with a slash, unquoted."""
    for node in ast.walk(ast.parse(text)):
        values: list[ast.expr] = []
        if isinstance(node, ast.JoinedStr) and begins_path(node.values[0]):
            values = [one.value for one in node.values if isinstance(one, ast.FormattedValue)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and begins_path(node.left):
            values = [node.right]
        for one in values:
            quoted = isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in QUOTING
            if not (quoted or "urlencode(" in ast.unparse(one)):
                yield ast.unparse(one)


def begins_path(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"/\w", node.value) is not None
