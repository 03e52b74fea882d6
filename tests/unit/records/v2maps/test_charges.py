"""DFT through the intake's own steps: charges as rows of claims, changed and taken back by their number."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.records.v2maps.test_persons import body, given, of

from xinglin.intake.model import Source
from xinglin.intake.ports import Kept, Work
from xinglin.intake.preparing import Preparation
from xinglin.intake.standard import standard_steps
from xinglin.records.sniffing import HL7V2

PID = "PID|1||7^^^HIS^MR"
PV1 = "PV1|1|I|||||||||||||||||V77^^^HIS"
IN1 = "IN1|1|UEBMI^职工医保|330100^^^NHSA|杭州市医保局||||||||20240101|||1||||||||||||||||||||POL9"
BED = "FT1|1|T1||20240301|20240302|CG|B01^床位费^99CHG|||2|160&CNY|80&CNY|ICU^重症||||||K35.8^急性阑尾炎^I10"
DRUG = "FT1|2|T2||20240301^20240303||CG||||1|33.5&CNY" + "|" * 14 + "86979^头孢^99DRUG"


def tables(*segments: str, event: str = "DFT^P03") -> dict[str, Any]:
    kind, _, trigger = event.partition("^")
    head = f"MSH|^~\\&|HIS|A|||20240301080000||{kind}^{trigger}|1|P|2.5"
    message = "\r".join([head, *segments]).encode()
    source = Source("his", charset="utf-8")
    kept = Kept("0" * 64, 1, len(message), False, "his", HL7V2, 1_700_000_000_000, "inpatient")
    preparation = Preparation(standard_steps(), b"k" * 32)
    parts = list(preparation.prepare(Work(kept, source, HL7V2), message))
    assert not any(part.unread for part in parts)
    return {name: table.to_pylist() for name, table in preparation.tables({}, 1, 1_700_000_000_000).items()}


def test_charges_are_rows_of_claims() -> None:
    made = tables("EVN|P03|20240302", PID, PV1, BED, DRUG, IN1)
    rows = {row["id"]: row for row in made["claim"]}
    assert set(rows) == {"Claim/T1", "Claim/T1#1", "Claim/T2", "Claim/T2#1"}
    bed = rows["Claim/T1#1"]
    assert (bed["code_source"], bed["code_source_text"], bed["quantity"]) == ("B01", "床位费", 2)
    assert (bed["amount"], bed["unit_price"], bed["currency"]) == (160, 80, "CNY")
    assert (bed["patient"], bed["encounter"]) == ("Patient/HIS.7", "Encounter/HIS.V77")
    assert (bed["diagnosis_source"], bed["kind"], bed["status"], bed["line"]) == ("K35.8", "claim", "active", 1)
    assert bed["insurer"].startswith("Organization/")
    assert rows["Claim/T1"]["amount"] == 160
    assert rows["Claim/T2#1"]["code_source"] == "86979"
    assert rows["Claim/T2#1"]["ended"].isoformat()[:10] in ("2024-03-02", "2024-03-03")
    assert [one["name"] for one in made["organization"] if one["id"] == bed["insurer"]] == ["杭州市医保局"]


def test_a_diagnosis_of_the_message_is_that_of_charges_without_one() -> None:
    made = tables(PID, DRUG, "DG1|1||I10^高血压^I10")
    assert {row["diagnosis_source"] for row in made["claim"]} == {"I10"}
    assert {row["diagnosis_source"] for row in tables(PID, BED, "DG1|1||I10^高血压^I10")["claim"]} == {"K35.8"}


@pytest.mark.parametrize(("kind", "status"), [("CD", "cancelled"), ("CR", "cancelled"), ("D", "cancelled")])
def test_a_credit_takes_the_charge_back(kind: str, status: str) -> None:
    charge = body(given(PID, BED, event="DFT^P03"), "Claim")
    credit = body(given(PID, BED.replace("|CG|", f"|{kind}|"), event="DFT^P03"), "Claim")
    assert (charge["id"], charge["status"], credit["id"], credit["status"]) == ("T1", "active", "T1", status)


@pytest.mark.parametrize("kind", ["PY", "CO", "AJ"])
def test_money_that_is_no_charge_is_no_claim(kind: str) -> None:
    assert not of(given(PID, BED.replace("|CG|", f"|{kind}|"), event="DFT^P03"), "Claim")


def test_a_charge_without_a_number_or_a_code() -> None:
    unnumbered = BED.replace("|T1|", "||")
    first, again = (body(given(PID, unnumbered, event="DFT^P03"), "Claim")["id"] for _ in range(2))
    assert first == again != "T1"
    other = body(given(PID, unnumbered.replace("B01", "B02"), event="DFT^P03"), "Claim")["id"]
    assert other != first
    assert not of(given(PID, "FT1|1|T9||20240301||CG", event="DFT^P03"), "Claim")


def test_charges_of_two_persons_stay_apart() -> None:
    claims = of(given(PID, BED, "PID|2||8^^^HIS^MR", DRUG, IN1, event="DFT^P03"), "Claim")
    assert [one.body["patient"]["reference"] for one in claims] == ["Patient/HIS.7", "Patient/HIS.8"]
    assert [bool(one.body.get("insurer")) for one in claims] == [False, True]


OBR = "OBR|1|P1^HIS|F1^LIS|CBC^血常规^L|||20240301070000|||||||||||||||20240301090000||HM|F"


@pytest.mark.parametrize(("sent", "source", "standard"), [
    ("10*9/L^^UCUM", "10*9/L", "10*9/L"),
    ("10\\S\\9/L", "10^9/L", "10*9/L"),
    ("10^9/L", "10^9/L", "10*9/L"),
    ("10^9/L^^UCUM", "10^9/L", "10*9/L"),
    ("x10^9/L", "x10^9/L", "10*9/L"),
    ("×10\\S\\12/L", "×10^12/L", "10*12/L"),
    ("10^3/uL", "10^3/uL", "10*3/uL"),
    ("g/L", "g/L", "g/L"),
    ("mmol\\T\\x^mmol per x^99L", "mmol per x", None),
    ("10^mg per day^99L", "mg per day", None),
    ("10^10^UCUM", "10", None),
])  # fmt: skip
def test_a_unit_is_kept_as_sent_and_brought_to_its_standard(sent: str, source: str, standard: str | None) -> None:
    (row,) = tables(PID, OBR, f"OBX|1|NM|6690-2^WBC^LN||5.1|{sent}||N|||F", event="ORU^R01")["observation"]
    assert (row["value_number"], row["value_unit_source"]) == (5.1, source)
    assert row["value_unit"] == standard or standard is None
