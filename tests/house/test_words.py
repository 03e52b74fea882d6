"""Two languages everywhere: what a person reads has its Chinese, and the catalogues agree with the texts.

``tools/python tools/words.py`` prints the same findings; ``--po`` prints what is missing as a catalogue to fill in.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

TOOLS = str(Path(__file__).resolve().parents[2] / "tools")


@pytest.fixture(scope="module")
def words() -> Any:
    sys.path.insert(0, TOOLS)
    try:
        import words

        return words
    finally:
        sys.path.remove(TOOLS)


@pytest.mark.parametrize("kind", ["texts", "terms", "templates", "catalogues", "helps", "codes"])
def test_everything_is_there_in_both_languages(words: Any, kind: str) -> None:
    found = sorted(getattr(words, kind)())
    assert not found, f"{len(found)} found\n" + "\n".join(map(str, found[:200]))


def test_the_rule_sees_enough(words: Any) -> None:
    """Codes and helps are found by reading the sources: few would mean that they are read wrongly."""
    assert len(list(words.help_texts())) > 800
    assert len(words.words_codes.codes(words.SOURCES)) > 900


@pytest.mark.parametrize(
    ("template", "seen"),
    [
        ("<p>Data sets</p>", ["Data sets"]),
        ("<p>{{ _('Data sets') }}</p>", []),
        ("<p>{% trans n=3 %}{{ n }} data sets{% endtrans %}</p>", []),
        ("<p>{{ n }} rows</p>", ["… rows"]),
        ('<a title="Open it">{{ x }}</a>', ['title="Open it"']),
        ('<a title="{{ _("Open it") }}" class="big red">{{ x }}</a>', []),
        ('<input aria-label="Name" name="name">', ['aria-label="Name"']),
        ("<code>sha256:abcd</code><p>Xinglin 杏林</p>", []),
        ('{{ "Yes" if x else "No" }}', ['{{ "No" }}', '{{ "Yes" }}']),
        ('{{ panel(_("Yes"), class="wide") }}{% if x == "Open" %}{% endif %}', []),
        ("{% if a %}<b>{{ _('x') }}</b>{% else %}Nothing{% endif %}", ["Nothing"]),
        ("{# A comment #}", []),
    ],
)
def test_the_template_rule_sees_what_is_shown_and_not_translated(words: Any, template: str, seen: list[str]) -> None:
    assert [text for _, text in words.words_templates.untranslated(template)] == seen


def test_the_template_rule_names_the_line(words: Any) -> None:
    assert words.words_templates.untranslated("{% if a %}\n{{ _('x') }}\n<p>\nRows</p>{% endif %}") == [(4, "Rows")]


def test_the_placeholder_rule_knows_names_and_kinds(words: Any) -> None:
    assert words.placeholders("%(n)s of %(m)d at 5 %") == {("n", "s"), ("m", "d")}


def test_codes_are_found_through_functions_that_hand_them_on(words: Any, tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text(
        "LATE = 'room.late'\n"
        "class Broken(Exception):\n    code = 'room.broken'\n"
        "def _no(slug, words):\n    return Reason(f'room.{slug}', words)\n"
        "def f(x):\n"
        "    _no('small', 'Too small.')\n    deny(LATE, f'{x} late')\n    Reason(f'room.end_{x.y}', 'Ended.')\n"
    )
    found = words.words_codes.codes(tmp_path)
    assert list(found) == ["room.broken", "room.end_*", "room.late", "room.small"]
    assert words.words_codes.is_whole(found["room.small"]) and not words.words_codes.is_whole(found["room.late"])
