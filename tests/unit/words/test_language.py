"""Texts, reasons, errors, dates and numbers in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.kernel.errors import LimitExceeded, ReasonedError, XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.wire.errors import Refused
from xinglin.words import LANGUAGES, N_, Words, language_of
from xinglin.words.catalogue import chinese, entries

EN, ZH = (Words.of(language) for language in LANGUAGES)
NOON = 1_795_348_800_000  # 2026-11-22T12:00:00Z


def test_words_are_kept_and_another_language_is_refused() -> None:
    assert Words.of("zh") is ZH
    assert (EN.tag, ZH.tag) == ("en", "zh-CN")
    for wrong in ("de", "", "ZH"):
        with pytest.raises(ValueError, match="language"):
            Words.of(wrong)
    with pytest.raises(ValueError, match="time zone"):
        Words.of("en", "Moon/Crater")


def test_a_text_takes_its_values_by_name_and_falls_back_to_english() -> None:
    assert N_("x %(n)s") == "x %(n)s"
    assert EN.text("There are %(n)s studies.", n=3) == "There are 3 studies."
    assert ZH.text("There is no verb '%(name)s'.", name="x") == "没有命令“x”。"
    assert ZH.text("A text that nobody translated: %(n)s.", n=3) == "A text that nobody translated: 3."
    assert EN.text("100 %") == "100 %"


def test_a_translation_that_asks_for_another_value_gives_way_to_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Words, "gettext", lambda self, message: "有 %(other)s 个")
    assert ZH.text("There are %(n)s.", n=3) == "There are 3."


def test_plurals() -> None:
    assert [EN.ngettext("one", "many", n) for n in (0, 1, 2)] == ["many", "one", "many"]
    assert ZH.ngettext("one", "many", 1) == "many"


def test_terms_of_machines_and_of_words_nobody_knows() -> None:
    assert (EN.term("state.active"), ZH.term("state.active")) == ("in force", "生效中")
    assert ZH.term("state.AWAITING_ADDITIONAL_INFORMATION") == "等待补充信息"
    assert ZH.term("state.case.accepted") == ZH.term("state.accepted") == "已接受"
    assert ZH.term("state.something_new") == "something new"


def test_a_code_says_its_sentence_and_keeps_what_the_english_adds() -> None:
    assert (
        ZH.reason("privacy.small_cell", "Fewer than 10 persons.")
        == "有单元格的人数低于约定下限。（Fewer than 10 persons.）"
    )
    assert ZH.reason("terms.expired", "The request has expired.") == "请求已过期。"
    assert ZH.reason("terms.requires_anything", "Grade L2.") == "该等级要求的一项条件没有满足。（Grade L2.）"
    assert ZH.reason("nobody.knows", "Some words.") == "Some words."


def test_a_remedy_is_its_own_chinese_or_that_of_its_codes() -> None:
    assert ZH.remedy("privacy.x", "Merge levels, or widen the cohort.") == "请合并水平，或扩大队列。"
    assert ZH.remedy("privacy.x", "Ask for 3 more.") == "请减少细节、扩大队列，或询问医院。（Ask for 3 more.）"
    assert ZH.remedy("nobody.knows", "Do it.") == "Do it." and ZH.remedy("privacy.x", "") == ""


def test_an_error_is_told_with_its_code_and_every_reason() -> None:
    told = ZH.error(LimitExceeded("a message", 3, 4, "bytes"))
    assert told.code == "kernel.limit"
    assert told.what == "超出上限。（a message is limited to 3 bytes; 4 were given.）"
    assert told.remedy == "请减少到上限以内。（Send at most 3 bytes.）"
    error = Refused((Reason("terms.expired", "The request has expired.", "Issue it anew."), Reason("a.b", "Words.")))
    assert ZH.error(error).reasons == (
        Reason("terms.expired", "请求已过期。", "请重新签发。"),
        Reason("a.b", "Words."),
    )
    assert EN.error(error).reasons == error.reasons and EN.error(error).what == error.what


def test_one_code_for_several_cases_is_told_by_its_case() -> None:
    class Broken(ReasonedError, XinglinError):
        code = "intake.reader_failed"

    assert ZH.error(Broken("intake.too_large", "Too large.")).what.startswith("对象过大。")
    assert ZH.error(Broken("unheard", "Broke.")).what == "读取器在该对象上出错，或给出了不可能的结果。（Broke.）"


def test_dates_and_instants() -> None:
    assert (EN.date(NOON), ZH.date(NOON)) == ("22 Nov 2026", "2026年11月22日")
    assert (EN.instant(NOON), ZH.instant(NOON)) == ("22 Nov 2026, 12:00 UTC", "2026年11月22日 12:00 UTC")
    assert Words.of("zh", "Asia/Shanghai").instant(NOON, seconds=True) == "2026年11月22日 20:00:00 UTC+8"
    assert EN.instant(NOON, zone="Asia/Kolkata") == "22 Nov 2026, 17:30 UTC+5:30"
    assert EN.date(None) == EN.number(None) == EN.ago(None) == "–"


@pytest.mark.parametrize(
    ("ms", "en", "zh"),
    [
        (-3 * 3_600_000, "3 hours ago", "3小时前"),
        (9 * 86_400_000, "in 9 days", "9天后"),
        (-90_000, "90 seconds ago", "90秒钟前"),
    ],
)
def test_how_long_ago(ms: int, en: str, zh: str) -> None:
    assert (EN.ago(NOON + ms, NOON), ZH.ago(NOON + ms, NOON)) == (en, zh)


def test_numbers_shares_and_sizes() -> None:
    assert EN.number(11_780) == ZH.number(11_780) == "11,780"
    assert EN.number(0.12345) == "0.123" and EN.percent(0.125) == "12.5%"
    assert [EN.bytes(n) for n in (0, 999, 1000, 1_234_567, 250_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.2 MB",
        "250 MB",
    ]


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LC_ALL": "zh_HK"}, "zh"),
        ({"XINGLIN_LANGUAGE": "en", "LC_ALL": "zh_CN"}, "en"),
        ({"XINGLIN_LANGUAGE": "de"}, "en"),
    ],
)
def test_the_environment_names_the_language(environ: dict[str, str], language: str) -> None:
    assert language_of(environ) == language


def test_catalogues_leave_out_what_is_empty_or_fuzzy(tmp_path: Path) -> None:
    (tmp_path / "a.po").write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "a"\nmsgstr ""\n\n'
        '#, fuzzy\nmsgid "b"\nmsgstr "乙"\n\n#, whole\nmsgctxt "reason"\nmsgid "c.d"\nmsgstr "丙"\n'
    )
    assert [(one.key, one.text, one.whole) for one in entries(tmp_path)] == [(("reason", "c.d"), "丙", True)]


def test_the_catalogues_are_read_once() -> None:
    assert chinese() is chinese() and len(chinese().texts) > 2000
