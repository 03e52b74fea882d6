"""Templates: what is translated by name is written in the template; what comes as data is always escaped."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import replace
from tests.unit.access.people import FORM

from xinglin.console.assets import Assets
from xinglin.console.render import TEMPLATES, Renderer

MARKED = re.compile(r"(?<![\w.])_\(\s*(?![\"'])")
"""``_()`` of the templates gives its text as it is, since translators write marks into it: it takes no data."""


def test_only_texts_of_the_template_itself_are_taken_at_their_word() -> None:
    found = [
        f"{path.relative_to(TEMPLATES)}:{number}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MARKED.search(line)
    ]
    assert not found, "write translated(…) for what comes as data"


def test_nothing_is_marked_as_safe_in_a_template() -> None:
    found = [path for path in TEMPLATES.rglob("*.html") if re.search(r"\|\s*safe\b", path.read_text(encoding="utf-8"))]
    assert not found


def test_data_that_is_translated_is_escaped() -> None:
    renderer = Renderer(Assets(), (), "UTC")
    for language in ("en", "zh"):
        made = renderer._made[language].from_string("{{ translated(words) }}")
        assert made.render(words="<script>alert(1)</script>") == "&lt;script&gt;alert(1)&lt;/script&gt;"


def test_whoever_reads_an_application_sees_which_study_it_is_of() -> None:
    renderer = Renderer(Assets(), (), "UTC")
    for language in ("en", "zh"):
        made = renderer._made[language].from_string(
            '{% from "parts/safes.html" import safes with context %}{{ safes(form, {}) }}'
        )
        assert "<code>study-&lt;b&gt;</code>" in made.render(form=replace(FORM, study="study-<b>"))
    for page in ("motions/motion.html", "motions/application.html"):
        assert "safes(form, names)" in (Path(TEMPLATES) / page).read_text(encoding="utf-8")


def test_folders_hold_templates_alone() -> None:
    assert {path.suffix for path in Path(TEMPLATES).rglob("*") if path.is_file()} == {".html"}


def test_no_value_has_the_name_of_a_constant_of_the_templates() -> None:
    home = Path(TEMPLATES).parent
    taken = re.compile(r'"(?:none|true|false|None|True|False)":')
    found = [path.name for path in sorted((home / "screens").glob("*.py")) if taken.search(path.read_text("utf-8"))]
    assert not found, "a template would show the constant, and never the value"
