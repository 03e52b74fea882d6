"""Each kind of identifier, its near misses, what stands in its place, and recognisers of somebody else's."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from xinglin.privacy.deidentify.identifiers import (
    identity_parts,
    is_card,
    is_identity_number,
    is_old_identity_number,
    is_phone,
    looks_like_identity,
)
from xinglin.privacy.deidentify.keys import Keys
from xinglin.privacy.deidentify.text import (
    KINDS,
    Known,
    PresidioShape,
    Span,
    Surrogates,
    find,
    from_presidio,
    redact,
)

FOUND = {
    "姓名：王建国": "name",
    "患者王小明，男，45岁": "name",
    "其子李强陪同": "name",
    "张伟主任查房": "name",
    "阿依古丽·买买提来诊": "name",
    "由王芳签字": "name",
    "郗鉴之子陪护；表姐郗鉴，联络人：逄博": "name",
    "Deborah Okonjo slept well": "name",
    "Okonjo, Deborah": "name",
    "身份证11010519491231002X": "identity_number",
    "身份证 110105 19491231 002X": "identity_number",
    "身份证：１１０１０５１９４９１２３１００２Ｘ": "identity_number",
    "证件号110105194912310O2X": "identity_number",
    "110105491231002": "identity_number",
    "电话13912345678": "phone",
    "138-1234-5678": "phone",
    "+86 138 1234 5678": "phone",
    "010-88881234": "phone",
    "住院号：ZY20231178": "record_number",
    "医保卡号 JS1234567890": "insurance_number",
    "卡号6222021001123456789": "bank_card",
    "邮箱 a.b@example.org": "email",
    "见 https://example.org/x?y=1": "url",
    "微信号：lily_2020": "account",
    "车牌苏A12D45": "plate",
    "护照E12345678": "passport",
    "2024年3月5日入院": "date",
    "入院日期 2024-03-05": "date",
    "患者93岁": "age",
    "家住北京市朝阳区建国路88号3栋2单元501室": "address",
    "北京市第一人民医院": "organisation",
    "Mr. Abernathy was seen": "name",
    "Name: SMITH, JOHN": "name",
    "Her daughter Aisha Khan called": "name",
    "MRN: 00482913": "record_number",
    "SSN 123-45-6789": "identity_number",
    "(617) 555-0182": "phone",
    "12 Oak Street, Apt 4B, Boston, MA 02115": "address",
    "admitted March 5, 2024": "date",
    "a 94-year-old woman": "age",
    "ip 192.168.0.17": "url",
    "编码 983746520193": "number",
    "tel13812345678": "phone",
    "ID11010519491231002X": "identity_number",
    "身份证ID11010519491231002X": "identity_number",
    "电话138\u200b1234\u200b5678": "phone",
    "".join(chr(0x1D7CE + int(digit)) for digit in "13812345678"): "phone",
}


@pytest.mark.parametrize(("text", "kind"), FOUND.items())
def test_each_kind_is_found(text: str, kind: str) -> None:
    assert kind in {span.kind for span in find(text)}, find(text)
    assert kind in KINDS


LEFT = (
    "血压130/80mmHg，心率76次/分，体温36.8℃",
    "阿司匹林100mg qd，甘露醇125ml q8h，华法林2.5mg",
    "帕金森病，格林·巴利综合征，王不留行10g，高血压3级",
    "WBC 12.3×10^9/L，PLT 256，ICD-10 I63.902，床号32",
    "3个月前，每月1次，随访6月",
    "Parkinson's disease, Foley catheter, Glasgow Coma Scale 15",
    "aspirin 81 mg, troponin 0.04, BP 128/76, HR 98",
    "a 45-year-old man with Graves disease",
    "患者65岁，主任医师查房，值班医生",
    "符合诊断，来源于欧洲，安全，方法合理，白天要求平卧，石膏固定，商用密码",
    "ANA positive, AMY 80 U/L, allen test, will return, in or out",
)


@pytest.mark.parametrize("text", LEFT)
def test_values_of_medicine_and_eponyms_are_left_alone(text: str) -> None:
    assert not find(text)


KNOWN = Known(
    names=("张三丰", "John Q. Smith"),
    phones=("13912345678",),
    ids=("11010519491231002X",),
    addresses=("江苏省徐州市云龙区淮海东路12号",),
    records=("70031285",),
    dates=("1949-12-31",),
)
SAID = """张先生|老张|三丰|张 三 丰|Smith, John|SMITH JOHN|J. Smith|1 3 9-1234.5678|110105 1949 1231 002x|尾号12345678
淮海东路|淮海东路12号|号码70031285|7003 1285|1949年12月31日|12/31/1949|December 31, 1949""".replace("\n", "|").split(
    "|"
)


@pytest.mark.parametrize("text", SAID)
def test_the_patients_own_record_is_found_however_it_is_written(text: str) -> None:
    found = find(f"…{text}…", KNOWN)
    assert any(span.why == "known" for span in found), found


def test_characters_that_nobody_sees_hide_nothing() -> None:
    text = "\u200b".join("患者张三丰来诊")
    assert redact(text, find(text, KNOWN)).count("[姓名]") == 1


def test_a_name_that_is_told_once_is_found_again() -> None:
    text = "签名：闻喜，随后闻喜自行离开"
    assert [(span.start, span.end) for span in find(text)] == [(3, 5), (8, 10)]
    text = "Seen by Adaeze Okonjo, MD. Call Okonjo, not Okonjos or the Okonjo syndrome."
    assert [text[span.start : span.end] for span in find(text)] == ["Adaeze Okonjo", "Okonjo"]


def test_what_is_known_of_one_patient_says_nothing_of_another() -> None:
    assert not [span for span in find("老张，三丰，70031285 1949年", Known()) if span.why == "known"]
    assert "张三丰" not in repr(KNOWN)


def test_identity_numbers_tell_their_three_parts_and_near_misses_are_none() -> None:
    parts = identity_parts("11010519491231002X")
    assert parts is not None and (parts.region, parts.birth, parts.sex) == ("110105", "1949-12-31", "female")
    assert not is_identity_number("110105194912310021") and looks_like_identity("110105194912310021")
    assert not is_identity_number("99010519491231002X") and not is_identity_number("110105194913310024")
    assert is_old_identity_number("110105491231002") and not is_old_identity_number("110105491331002")
    assert is_card("6222021001123456789") and not is_card("6222021001123456782")
    assert is_phone("13912345678") and not is_phone("12912345678")
    assert "1949" not in repr(parts)


def test_spans_become_tags_surrogates_or_dates_moved() -> None:
    text = "姓名：王建国，2024-03-05入院，王建国诉"
    spans = find(text, Known(names=("王建国",)))
    assert redact(text, spans) == "姓名：[姓名]，[日期]入院，[姓名]诉"
    assert redact(text, spans, keep=("date",)) == "姓名：[姓名]，2024-03-05入院，[姓名]诉"
    moved = redact(text, spans, Surrogates(Keys("a", "notes", b"s" * 32), days=10))
    other = redact(text, spans, Surrogates(Keys("b", "notes", b"s" * 32), days=10))
    assert "2024-03-15" in moved and "王建国" not in moved and moved != other
    first, again = moved.split("姓名 ")[1][:8], moved.split("姓名 ")[2][:8]
    assert first == again


class Entity(NamedTuple):
    entity_type: str
    start: int
    end: int
    score: float


class Elsewhere:
    """A recogniser in Presidio's shape."""

    supported_entities = ("PERSON",)

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any) -> list[Entity]:
        assert entities == ["PERSON"] and nlp_artifacts is None
        return [Entity("PERSON", 0, 3, 0.9), Entity("PERSON", 5, 6, 0.1), Entity("PERSON", 2, 900, 0.9)]


def test_a_presidio_recogniser_adds_to_ours_and_stays_inside_the_text() -> None:
    assert find("xyz was here", more=[from_presidio(Elsewhere())]) == [Span(0, 3, "name", "model")]


def test_ours_answers_in_presidios_shape() -> None:
    shape = PresidioShape(Known(names=("张三丰",)))
    found = shape.analyze("张三丰电话13912345678", ["PERSON"])
    assert [(one.entity_type, one.start, one.end, one.score) for one in found] == [("PERSON", 0, 3, 1.0)]
    assert {one.entity_type for one in shape.analyze("张三丰电话13912345678")} == {"PERSON", "PHONE_NUMBER"}
