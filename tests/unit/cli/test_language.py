"""The command line in Chinese: helps, usage errors, refusals, headings; JSON never changes."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from xinglin.cli import output
from xinglin.cli.app import app
from xinglin.cli.language import spoken, usage_error
from xinglin.cli.output import columns, ends, facts, printer
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Reason
from xinglin.wire.errors import Refused
from xinglin.words import Words

ZH = Words.of("zh")


@pytest.fixture
def in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer, "asked", "zh")


def shown(*words: str, **environ: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words), env={"LC_ALL": "C", "XINGLIN_LANGUAGE": "", **environ})
    return done.exit_code, done.output + done.stderr


def test_help_is_in_the_language_that_is_asked_for() -> None:
    code, text = shown("--language", "zh", "node", "--help")
    assert code == 0 and "医院的节点" in text and "用法：" in text and "选项" in text and "Usage" not in text
    assert "显示本说明并退出。" in text
    assert "A hospital's node" in shown("node", "--help")[1]


def test_the_environment_says_the_language_and_the_option_overrules_it() -> None:
    assert "医院的节点" in shown("node", "--help", XINGLIN_LANGUAGE="zh")[1]
    assert "医院的节点" in shown("node", "--help", LC_ALL="zh_CN.UTF-8")[1]
    assert "A hospital's node" in shown("--language", "en", "node", "--help", XINGLIN_LANGUAGE="zh")[1]


def test_wrong_use_is_told_in_the_language_and_ends_with_two() -> None:
    code, text = shown("--language", "zh", "nowhere")
    assert code == 2 and "没有命令“nowhere”。" in text and "错误" in text
    assert shown("--language", "xx", "run", "list")[0] == 2
    assert usage_error("Something new.", ZH) == "Something new."


def test_the_library_speaks_english_again_afterwards() -> None:
    from typer import rich_utils

    with spoken(ZH):
        assert rich_utils.OPTIONS_PANEL_TITLE == "选项"
    assert rich_utils.OPTIONS_PANEL_TITLE == "Options"


def test_a_refusal_says_every_reason_in_chinese_with_its_code(
    in_chinese: None, capsys: pytest.CaptureFixture[str]
) -> None:
    @ends
    def refused() -> None:
        raise Refused((Reason("terms.small", "x"), Reason("privacy.small_cell", "Fewer than 10 persons.", "Widen it.")))

    with pytest.raises(Exception, match="1"):
        refused()
    told = capsys.readouterr().err
    assert told.startswith(("对方拒绝", "已拒绝。"))
    assert "有单元格的人数低于约定下限。（Fewer than 10 persons.） [privacy.small_cell]" in told
    assert "须作的改变：" in told and "Widen it." in told


def test_an_error_keeps_its_numbers_in_brackets(in_chinese: None, capsys: pytest.CaptureFixture[str]) -> None:
    @ends
    def too_much() -> None:
        raise LimitExceeded("a message", 3, 4, "bytes")

    with pytest.raises(Exception, match="2"):
        too_much()
    told = capsys.readouterr().err
    assert told.startswith("超出上限。（a message is limited to 3 bytes; 4 were given.）")
    assert told.endswith("[kernel.limit]\n")


def test_headings_and_states_are_in_chinese_and_columns_stay_aligned(in_chinese: None) -> None:
    rows = [{"state": "active", "name": "心脏", "purpose": "health-research"}, {"state": "offered", "name": "ab"}]
    lines = columns(rows, ("state", "name", "purpose")).splitlines()
    assert lines == [
        "状态    名称  目的",
        "生效中  心脏  健康医学研究 (health-research)",
        "已要约  ab    -",
    ]
    assert facts({"state": "too_few", "run": True}) == "状态  医院过少\n运行  是"
    assert columns([], ("state",)) == "无"


def test_json_is_the_same_in_every_language(
    in_chinese: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output.printer, "as_json", True)

    @ends
    def refused() -> None:
        raise Refused((Reason("privacy.small_cell", "Fewer than 10 persons.", "Widen it."),))

    with pytest.raises(Exception, match="1"):
        refused()
    told = json.loads(capsys.readouterr().out)
    assert told["reasons"] == [{"code": "privacy.small_cell", "words": "Fewer than 10 persons.", "remedy": "Widen it."}]
    assert told["remedy"] == "Widen it."
