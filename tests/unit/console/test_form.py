"""Fields of a form: what people type, and nothing that hides behind it."""

from __future__ import annotations

import pytest

from xinglin.console.errors import BadField
from xinglin.console.visit import Form


@pytest.mark.parametrize("hidden", ["\x00", "\x08", "\x0b", "\x1b[2J", "\x7f", "\x9b"])
def test_control_characters_are_refused_where_a_text_belongs(hidden: str) -> None:
    form = Form({"words": [f"yes{hidden}no"], "password": [f"yes{hidden}no"]})
    for read in (form.text, form.needed, form.many):
        with pytest.raises(BadField, match="control character"):
            read("words")
    assert form.secret("password") == f"yes{hidden}no"


def test_lines_tabs_and_every_script_are_text() -> None:
    told = "line\r\nline\tcell\n\u533b\u9662 \U0001f33f caf\u00e9\u00a0"
    assert Form({"words": [told]}).text("words") == told.replace("\r\n", "\n").strip()
