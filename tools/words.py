"""What people would read in one language only: ``tools/python tools/words.py [PART OF A PATH …]`` lists it.

Each line is ``file:line  what  text``. Looked at: texts marked in Python (``_("…")``, ``N_("…")``,
``words.text("…")``) and in the console's templates, labels of the glossary, help of the command line, stable codes,
and the catalogues themselves (placeholders, one text with two translations). Ends with 1 where something is found;
``--po`` prints what lacks its Chinese as an empty catalogue to fill in.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import words_codes
import words_templates

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src" / "xinglin"
MARKERS = frozenset({"_", "N_"})
_PLACE = re.compile(r"%(?:\((\w+)\))?[#0 +-]*[\d.*]*([a-zA-Z%])")
_TERM = re.compile(r"^(state|kind|role|purpose|grade|duty|basis|breach|verdict|pulse|operation|requirement)\.[\w-]+$")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to mend: where, what is wrong, and the text; ``context`` and ``text`` make its catalogue entry."""

    path: str
    line: int
    what: str
    text: str
    context: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {self.what}  {self.text!r}"


def findings() -> list[Finding]:
    """Everything, sorted by file and line."""
    return sorted({*texts(), *terms(), *templates(), *catalogues(), *helps(), *codes()})


def texts() -> Iterator[Finding]:
    """Marked texts without Chinese."""
    from xinglin.words.catalogue import chinese

    known = chinese()
    for path, line, text in marked():
        if text is None:
            yield Finding(path, line, "an f-string or a sum of texts cannot be translated", "")
        elif not known.text(text):
            yield Finding(path, line, "no Chinese", text)


def marked() -> Iterator[tuple[str, int, str | None]]:
    """Every marked text with its place; None where it is put together at run time."""
    for path, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and _marks(node.func):
                said = node.args[0]
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    yield path, node.lineno, said.value
                elif isinstance(said, ast.JoinedStr | ast.BinOp):
                    yield path, node.lineno, None
    for file in template_files():
        yield from _of_template(file)


def template_files() -> list[Path]:
    """The console's templates."""
    return sorted((SOURCES / "console" / "templates").rglob("*.html"))


def _of_template(file: Path) -> Iterator[tuple[str, int, str | None]]:
    from jinja2.ext import babel_extract

    with file.open("rb") as opened:
        for line, _, said, _ in babel_extract(opened, ("_", "gettext", "ngettext"), (), words_templates.OPTIONS):
            given = said if isinstance(said, tuple) else (said,)
            for text in given:
                if isinstance(text, str):
                    yield _short(file), line, text


def _marks(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in MARKERS
    if isinstance(function, ast.Attribute) and function.attr in ("text", "gettext"):
        return ast.unparse(function.value).endswith("words")
    return False


def terms() -> Iterator[Finding]:
    """Keys of terms that the glossary has no label of."""
    from xinglin.words.glossary import label_of

    for path, tree in _modules():
        for node in ast.walk(tree):
            said = node.value if isinstance(node, ast.Constant) and "console" in path else None
            if isinstance(said, str) and _TERM.match(said) and not label_of(said, "zh"):
                yield Finding(path, getattr(node, "lineno", 1), "no such term in the glossary", said)
    for file in template_files():
        for line, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for key in re.findall(r"\bterm\(\s*[\"']([^\"']*)[\"']\s*\)", text):
                if not label_of(key, "zh"):
                    yield Finding(_short(file), line, "no such term in the glossary", key)


def templates() -> Iterator[Finding]:
    """Texts of templates that nothing translates."""
    for file in template_files():
        for line, text in words_templates.untranslated(file.read_text(encoding="utf-8")):
            yield Finding(_short(file), line, "not translated: wrap it in _() or {% trans %}", text)


def catalogues() -> Iterator[Finding]:
    """Placeholders that differ between a text and its translation, and texts with two translations."""
    from xinglin.words.catalogue import entries

    first: dict[tuple[str, str], str] = {}
    for entry in entries():
        place = _short(entry.path)
        if first.setdefault(entry.key, entry.text) != entry.text:
            yield Finding(place, entry.line, "translated otherwise in another catalogue", entry.key[1])
        if not entry.key[0] and placeholders(entry.key[1]) != placeholders(entry.text):
            yield Finding(place, entry.line, "placeholders differ", entry.key[1])


def placeholders(text: str) -> set[tuple[str, str]]:
    """Names and conversions of the ``%(name)s`` of a text; a text without names has none.

    >>> sorted(placeholders("%(n)s of %(total)d, 5 %"))
    [('n', 's'), ('total', 'd')]
    """
    return {(name, kind) for name, kind in _PLACE.findall(text) if name}


def helps() -> Iterator[Finding]:
    """Help texts of the command line without Chinese."""
    from xinglin.words.catalogue import chinese

    known = chinese()
    for path, text in help_texts():
        if not known.said("help", text):
            yield Finding(path, 0, "no Chinese of this help", text, "help")


def help_texts() -> Iterator[tuple[str, str]]:
    """Verb and text of every help that the command line prints."""
    import typer.main

    from xinglin.cli.app import app

    yield from _helps("xinglin", typer.main.get_command(app))


def _helps(path: str, command: Any) -> Iterator[tuple[str, str]]:
    said = [command.help, command.epilog, *(getattr(one, "help", None) for one in command.params)]
    yield from ((path, text) for text in said if text)
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _helps(f"{path} {name}", inner)


def codes() -> Iterator[Finding]:
    """Stable codes without a Chinese sentence, and sentences that claim to say all and do not, or the reverse."""
    from xinglin.words import Words
    from xinglin.words.catalogue import chinese

    known, words = chinese(), Words.of("zh")
    for code, uses in words_codes.codes(SOURCES).items():
        if not words.said_of("reason", code):
            place, _, line = uses[0].place.rpartition(":")
            yield Finding(_short(Path(place)), int(line) if line.isdigit() else 0, "no Chinese", code, "reason")
        elif known.is_whole("reason", code) and not words_codes.is_whole(uses):
            yield Finding("src/xinglin/words/zh/errors.po", 0, "whole, though its English words vary", code)


def _modules() -> Iterator[tuple[str, ast.Module]]:
    yield from ((_short(module.path), module.tree) for module in words_codes.modules_of(SOURCES))


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_absolute() else str(path)


def blank(found: list[Finding]) -> str:
    """An empty catalogue of what lacks its Chinese."""
    rows = []
    for context, text in dict.fromkeys((one.context, one.text) for one in found if one.what.startswith("no Chinese")):
        head = f"msgctxt {_quoted(context)}\n" if context else ""
        rows.append(f'{head}msgid {_quoted(text)}\nmsgstr ""\n')
    return "\n".join(rows)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main(arguments: list[str]) -> int:
    """List what is found; 1 where there is something."""
    parts = [one for one in arguments if not one.startswith("--")]
    found = [one for one in findings() if not parts or any(part in one.path for part in parts)]
    if "--po" in arguments:
        print(blank(found))
    else:
        print("\n".join(str(one) for one in found) or "Every text has its Chinese.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
