"""Code to copy holds others' words as literals alone: on every screen, whatever they are."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest

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
