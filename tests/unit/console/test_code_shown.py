"""Code to copy holds others' words as literals alone: on every screen, whatever they are."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

import xinglin.console
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.questions import Question, cli_of, python_of

HERE = Path(xinglin.console.__file__).parent
NASTY = (
    "'; rm -rf ~; '",
    '"); import os; os.system("x")  # ',
    "$(id)",
    "`id`",
    "a b",
    "\\",
    "'''",
    "{0}",
    "${HOME}",
    "中文 '",
)
CODE = ("in_python", "in_shell")
STARTS = ("xinglin ", "space.", "from xinglin")
"""How code that is shown to be copied begins."""
SHOWN = [path for path in sorted(HERE.rglob("*.py")) if "people" not in path.parts]
TEMPLATES = sorted((HERE / "templates").rglob("*.html"))


@pytest.mark.parametrize("word", NASTY)
def test_a_word_stays_one_literal(word: str) -> None:
    call = ast.parse(in_python("f({}, x={})", word, [word])).body
    (only,) = call
    assert isinstance(only, ast.Expr) and isinstance(only.value, ast.Call)
    assert ast.literal_eval(only.value.args[0]) == word
    assert ast.literal_eval(only.value.keywords[0].value) == [word]
    assert shlex.split(in_shell("xinglin show {} --all", word)) == ["xinglin", "show", word, "--all"]


@pytest.mark.parametrize("word", ["--account=/elsewhere", "-x", "a\nb", "\x1b[201~id\n", "a\u202eb", "\x00", "\u2028"])
def test_no_command_is_made_of_options_or_of_what_a_terminal_acts_on(word: str) -> None:
    assert in_shell("xinglin show {}", word) == ""
    assert in_python("f({})", word).isprintable()


@pytest.mark.parametrize("sql", ["SELECT 1\n\\", 'SELECT "a"\nFROM "b"', 'a\n"""); import os  # ', "a\n\\x41", "a\nb"])
def test_a_question_of_the_workbench_stays_one_literal(sql: str) -> None:
    question = Question("study-x", sql, "describe", {"columns": ("age",)})
    tree = ast.parse(python_of(question, 'It\'s "mine"'))
    texts = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)]
    assert sql in texts and not any(isinstance(one, ast.Import) and one.names[0].name == "os" for one in ast.walk(tree))
    assert sql in shlex.split(cli_of(question, 'It\'s "mine"'))


def _safe(value: ast.expr, tree: ast.Module) -> bool:
    """Whether an argument of ``Same`` is a text of ours, or made by the one home of such code."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.IfExp):
        return _safe(value.body, tree) and _safe(value.orelse, tree)
    if isinstance(value, ast.Name):
        given = _assigned(tree, value.id)
        return bool(given) and all(_safe(one, tree) for one in given)
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Attribute):  # a table of constants
        named = value.func.value
        tables = _assigned(tree, named.id) if isinstance(named, ast.Name) and value.func.attr == "get" else []
        return bool(tables) and all(isinstance(one, ast.Dict) and _constants(one.values) for one in tables)
    if not isinstance(value.func, ast.Name):
        return False
    if value.func.id in CODE:
        return not any(isinstance(one, ast.JoinedStr) for one in ast.walk(value.args[0]))
    made = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef) and one.name == value.func.id]
    returned = [one.value for function in made for one in ast.walk(function) if isinstance(one, ast.Return)]
    return bool(returned) and all(one is not None and _safe(one, tree) for one in returned)


def _assigned(tree: ast.Module, name: str) -> list[ast.expr]:
    assigns = [one for one in ast.walk(tree) if isinstance(one, ast.Assign)]
    return [one.value for one in assigns if any(isinstance(each, ast.Name) and each.id == name for each in one.targets)]


def _constants(values: list[ast.expr]) -> bool:
    return all(isinstance(one, ast.Constant) for one in values)


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.py")), ids=lambda path: str(path.relative_to(HERE)))
def test_every_screens_code_comes_from_its_one_home(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Same":
            given = [*call.args, *(one.value for one in call.keywords)]
            assert all(_safe(one, tree) for one in given), f"{path.name}:{call.lineno}: {ast.unparse(call)}"


def test_the_walk_sees_what_it_looks_for() -> None:
    bad = (
        'Same(cli=f"x {a}")', 'Same(cli="x " + a)', 'Same("x %s" % a)', 'Same(python="{}".format(a))', "Same(cli=a)",
        'Same(cli=in_shell(f"x {a}"))', "Same(cli=other(a))",
    )  # fmt: skip
    for text in bad:
        tree = ast.parse(f"a = b\n{text}")
        (call,) = [one for one in ast.walk(tree) if isinstance(one, ast.Call) and getattr(one.func, "id", "") == "Same"]
        assert not all(_safe(one, tree) for one in [*call.args, *(one.value for one in call.keywords)]), text


def _put_together(tree: ast.Module) -> list[str]:
    """Code of ours that is put together with something else outside its one home."""
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
    homes = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id in CODE and one.args]
    inside = {id(each) for one in homes for each in ast.walk(one.args[0])}
    found = []
    for one in ast.walk(tree):
        if not isinstance(one, ast.expr):
            continue
        begin: ast.expr | None = None
        if isinstance(one, ast.JoinedStr) and one.values:
            begin = one.values[0]
        elif isinstance(one, ast.BinOp):
            begin = one.left
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in ("format", "join"):
            begin = one.func.value
        if isinstance(begin, ast.Constant) and str(begin.value).startswith(STARTS) and id(one) not in inside:
            found.append(f"{one.lineno}: {ast.unparse(one)}")
    return found


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(HERE)))
def test_no_code_is_put_together_outside_its_one_home(path: Path) -> None:
    """However it comes to a page: as ``Same``, or as a value that a template shows."""
    assert _put_together(ast.parse(path.read_text())) == []


def test_this_walk_sees_what_it_looks_for_too() -> None:
    for text in (
        '{"elsewhere": f"xinglin extract fetch {run} --to FOLDER"}', 'x = "xinglin show " + run',
        'x = "xinglin show %s" % run', 'x = "xinglin show {}".format(run)', 'x = f"space.run({run!r})"',
        'x = in_shell(f"{x}", "xinglin show " + run)',
    ):  # fmt: skip
        assert _put_together(ast.parse(text)), text
    assert not _put_together(ast.parse('x = in_shell("xinglin show {}" + " --all" * 2, run)\ny = "xinglin list"'))


def _joined_in(source: str) -> list[str]:
    """Words that a template puts into code which it shows; numbers, and literals in Python, may stand there."""
    found = []
    for call in Environment(autoescape=True, extensions=["jinja2.ext.i18n"]).parse(source).find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name != "code" or not call.args:
            continue
        shown = call.args[0]
        if isinstance(shown, nodes.BinExpr) or (isinstance(shown, nodes.Filter) and shown.name == "format"):
            found.append(f"{shown.lineno}: {type(shown).__name__}")
        if isinstance(shown, nodes.Concat):
            first = shown.nodes[0]
            shell = not isinstance(first, nodes.Const) or str(first.value).startswith(STARTS[0])
            allowed = ("int",) if shell else ("int", "tojson")
            found += [
                f"{one.lineno}: {one}"
                for one in shown.nodes
                if not isinstance(one, nodes.Const) and not (isinstance(one, nodes.Filter) and one.name in allowed)
            ]
    return found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(HERE)))
def test_no_template_puts_a_word_into_code(path: Path) -> None:
    assert _joined_in(path.read_text(encoding="utf-8")) == []


def test_what_a_template_must_not_show() -> None:
    for text in (
        '{{ code("xinglin release " ~ run ~ " describe") }}', '{{ code("xinglin show " ~ run | tojson) }}',
        '{{ code("xinglin show " + run) }}', '{{ code(start ~ run, "Command line") }}',
        '{{ code("xinglin show %s" | format(run)) }}', '{{ code("f(" ~ run ~ ")") }}',
    ):  # fmt: skip
        assert _joined_in(text), text
    for text in ('code("xinglin list")', "code(found)", 'code("xinglin verify " ~ n | int)', 'code("f(" ~ x | tojson)'):
        assert not _joined_in(f"{{{{ {text} }}}}"), text
