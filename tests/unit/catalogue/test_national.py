"""The national catalogue's code tables, and the categories and levels of GB/T 39725."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from tests.unit.catalogue.statements import statement

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.catalogue.dcat import Holder, health_dcat
from xinglin.catalogue.errors import BadNationalCode
from xinglin.catalogue.national import (
    CATEGORIES,
    TYPES,
    NationalOffer,
    category_of,
    identifier,
    level_of,
    national_record,
    quality_code,
)
from xinglin.catalogue.quality import QualityStatement
from xinglin.catalogue.statement import ConfirmedGrade

OFFER = NationalOffer("310101", "12310000425005432M", 7, "002")


def test_a_record() -> None:
    found = national_record(statement(), OFFER)
    assert re.fullmatch(r"\d{6}[0-9A-Z]{18}/A\d{8}", found["identifier"])
    assert found["type"] == {"code": "A", "label": "API"}
    assert found["origin"] == {"code": "001", "label": "原始数据"}
    assert found["industry"] == {"code": "Q84", "label": "卫生"}
    assert found["delivery"] == {"code": "002", "label": "API 接口"}
    assert found["quality"] == {"code": "001", "label": "A"}
    assert found["security_level"]["code"] == "004"
    assert found["categories"] == ["健康状况数据"]
    assert found["time"] == {"from": "2020-01", "to": "2023-10"}
    (table,) = found["tables"]
    assert table["withheld"] == ["note"]
    assert {field["name"]: field["level"] for field in table["fields"]}["code"] == 3
    msgspec.json.encode(found)


def test_every_table_has_a_category() -> None:
    found = {category_of(table.name) for table in CANONICAL_TABLES}
    assert found == set(CATEGORIES)
    assert category_of("claim") == "医疗支付数据"
    assert category_of("own_product") == "医疗应用数据"


@pytest.mark.parametrize(
    ("grade", "found", "level"),
    [("L1", "plain", 1), ("L2", "plain", 3), ("L3", "identifier", 4), ("L3", "genome", 5), ("L9", "plain", 5)],
)
def test_levels(grade: str, found: str, level: int) -> None:
    assert level_of(ConfirmedGrade("t", "c", "data", grade, found, "")) == level


@pytest.mark.parametrize(("percent", "code"), [(95, "001"), (94, "002"), (85, "002"), (70, "003"), (69, "004")])
def test_quality_letters(percent: int, code: str) -> None:
    said = msgspec.structs.replace(statement(), quality=QualityStatement(0, {"validity": percent}, ()))
    assert quality_code(said) == code
    assert quality_code(msgspec.structs.replace(said, quality=None)) == "004"


@pytest.mark.parametrize("serial", range(0, 999_999, 33_333))
def test_check_digits_find_every_single_mistake(serial: int) -> None:
    offer = msgspec.structs.replace(OFFER, serial=serial)
    right = identifier(offer)
    digits = f"{serial:06d}"
    for at, digit in enumerate(digits):
        for other in "0123456789".replace(digit, ""):
            changed = int(digits[:at] + other + digits[at + 1 :])
            assert identifier(msgspec.structs.replace(offer, serial=changed))[-2:] != right[-2:]
    for kind in set(TYPES) - {"A"}:
        assert identifier(msgspec.structs.replace(offer, kind=kind))[-2:] != right[-2:]


@pytest.mark.parametrize("at", range(18))
def test_a_credit_code_with_one_mistake_is_refused(at: int) -> None:
    own = OFFER.organisation
    for other in "0123456789ABCDEFGHJKLMNPQRTUWXY".replace(own[at], ""):
        with pytest.raises(BadNationalCode):
            identifier(msgspec.structs.replace(OFFER, organisation=own[:at] + other + own[at + 1 :]))


def test_what_is_delivered_names_the_type() -> None:
    assert identifier(msgspec.structs.replace(OFFER, delivery="004"))[25] == "P"
    assert identifier(msgspec.structs.replace(OFFER, kind="D"))[25] == "D"


@pytest.mark.parametrize(
    "change",
    [
        {"area": "31"},
        {"area": "991234"},
        {"organisation": "short"},
        {"serial": 1_000_000},
        {"kind": "x"},
        {"frequency": "010"},
        {"industry": "84"},
    ],
)
def test_codes_that_no_table_has_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadNationalCode):
        national_record(statement(), msgspec.structs.replace(OFFER, **change))


def test_the_page_shows_a_holder_that_exports() -> None:
    page = (Path(__file__).parents[3] / "docs/quality.md").read_text(encoding="utf-8")
    blocks = (tomllib.loads(part.partition("```")[0]) for part in page.split("```toml\n")[1:])
    stated = next(block for block in blocks if "healthdcat" in block)
    holder = msgspec.convert(stated["healthdcat"], Holder)
    assert health_dcat(statement(), holder)["@graph"]
    assert national_record(statement(), msgspec.convert(stated["national"], NationalOffer))["identifier"]
