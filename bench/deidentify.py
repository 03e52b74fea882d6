"""De-identification: FHIR with 193 rules, our profiles on FHIR, tables and HL7 v2; per processor second of one core."""

from __future__ import annotations

import datetime as dt
import gc
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from bench._deidentify_rules import configuration
from bench._report import quick, say, shortest

from xinglin.privacy.deidentify import Compiled, Keys, compile_profile, from_fhir_anonymizer, shipped
from xinglin.privacy.deidentify.keys import Prf

TODAY = dt.date(2026, 11, 22)
PROFILE = "gdpr-pseudonymised"
MESSAGE = (
    "MSH|^~\\&|HIS|A|XL|B|20240301101500||ORU^R01^ORU_R01|M{n}|P|2.5\r"
    "PID|1||{n}^^^HIS^MR||Quill^Orsolya||19700307|F|||1 Main St^^Boston^MA^02139^USA||(617)555-0{n:07d}\r"
    "PV1|1|I|W^1^2||||9^Hand^Erin|||||||||||{n}^^^HIS^VN\r"
    "OBR|1|P{n}|F{n}|24323-8^Panel^LN|||20240301101500\r"
    + "".join(
        f"OBX|{k}|NM|{k}-2^Sodium^LN||{{n}}.{k}|mmol/L^^UCUM|135-145|N|||F|||20240301101500\r" for k in range(1, 9)
    )
)


def patient(number: int) -> dict[str, Any]:
    """A Patient of some 2.3 kB, of the shape of the public golden files."""
    period = {"start": "2001-01-01"}
    address = {"use": "home", "type": "both", "line": [f"{number} Main St"], "city": "Boston", "district": "East"}
    address = {**address, "state": "MA", "postalCode": "02139", "text": f"{number} Main St Boston", "period": period}
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}
    identifier = {"use": "usual", "type": {"coding": [coding]}, "system": "urn:oid:1.2.36", "value": str(number)}
    phones = [
        {"system": "phone", "value": f"(01) 1234 {number}", "use": use, "rank": rank}
        for rank, use in enumerate(("work", "mobile", "old"), 1)
    ]
    names = [
        {"use": use, "family": "Quill", "given": ["Orsolya", "Ann"], "period": {"end": "2002"}}
        for use in ("official", "usual", "maiden")
    ]
    contact = {"name": {"family": "Hand", "given": ["Erin"]}, "telecom": phones[:1], "address": address}
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "text": {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>Orsolya</div>"},
        "identifier": [{**identifier, "period": period, "assigner": {"display": "Test Healthcare"}}],
        "active": True,
        "name": names,
        "telecom": [{"use": "home"}, *phones],
        "gender": "female",
        "birthDate": "1970-03-07",
        "deceasedBoolean": False,
        "address": [address, address],
        "contact": [{**contact, "gender": "female", "period": {"start": "2005"}}],
        "managingOrganization": {"reference": "Organization/1"},
    }


def table(rows: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Observations of a tenth as many persons."""
    drawn = np.random.default_rng(1).integers(0, max(1, rows // 10), rows)

    def keys(kind: str, numbers: np.ndarray) -> np.ndarray:
        out = np.empty(rows, dtype=object)
        known = {number: f"{kind}/{number}" for number in set(numbers.tolist())}
        out[:] = [known[number] for number in numbers.tolist()]
        return out

    persons = keys("Patient", drawn)
    code = np.empty(rows, dtype=object)
    code[:] = ["4548-4"] * rows
    columns = {
        "id": keys("Observation", np.arange(rows)),
        "patient": persons,
        "code": code,
        "value_number": drawn * 0.5,
        "effective": drawn.astype(np.int64) * 1_000_000,
        "message": code,
    }
    return columns, persons


def per_second(name: str, what: str, count: int, work: Callable[[], Any], promise: str = "", unit: str = "/s") -> None:
    """The rate of the quickest of three runs, by processor time, with the wall time of one beside it."""
    began = time.perf_counter()
    work()
    wall = time.perf_counter() - began
    best = shortest(3, work)
    say(name, what, count / best, unit, promise, f"first run {wall:.3g} s wall")


def fhir(compiled: Compiled, count: int) -> None:
    """Patients as bodies, and from bytes to bytes."""
    bodies = [patient(number) for number in range(count)]
    lines = [orjson.dumps(body) for body in bodies]
    gc.collect()
    gc.freeze()
    engine = from_fhir_anonymizer(orjson.dumps(configuration()), today=TODAY, entropy=os.urandom)
    kilobytes = f"{len(lines[0]) / 1000:.2g} kB each"
    what = f"Patients under a FHIR anonymizer configuration of 193 rules, {kilobytes}"
    per_second("deidentify.fhir_193_rules", what, count, lambda: [engine.resource(body) for body in bodies], ">= 10000")
    what = "the same from bytes to bytes (orjson)"
    per_second(
        "deidentify.fhir_193_rules.bytes",
        what,
        count,
        lambda: [orjson.dumps(engine.resource(orjson.loads(line))) for line in lines],
    )
    what = f"Patients under the shipped profile {PROFILE}"
    per_second("deidentify.fhir_profile", what, count, lambda: [compiled.resource(body) for body in bodies])


def main(arguments: list[str]) -> None:
    """All of them."""
    small = quick(arguments)
    compiled = compile_profile(shipped(PROFILE), Keys("study", "data", os.urandom(32)), TODAY)
    fhir(compiled, 50 if small else 3_000)
    rows = 2_000 if small else 1_000_000
    columns, persons = table(rows)
    what = f"rows of a table of {rows:,}: ids and persons pseudonymised, dates shifted, profile {PROFILE}"
    per_second(
        "deidentify.table", what, rows, lambda: compiled.table("observation", columns, persons), ">= 1000000", "rows/s"
    )
    apart = np.empty(rows, dtype=object)
    apart[:] = [("x" + person)[1:] for person in persons.tolist()]
    what = "the same, each row with a text of its own for its person, as decoded from a file without a dictionary"
    per_second(
        "deidentify.table_unshared",
        what,
        rows,
        lambda: compiled.table("observation", {**columns, "patient": apart}, apart),
        "",
        "rows/s",
    )
    prf = Prf(os.urandom(32))
    blocks = np.zeros((rows, 64), dtype=np.uint8)
    per_second("deidentify.prf", "keyed function over blocks of 64 bytes", rows, lambda: prf.of_blocks(blocks))
    count = 30 if small else 2_000
    messages = [MESSAGE.format(n=number).encode() for number in range(count)]
    what = f"HL7 v2 results of 12 segments under {PROFILE}"
    per_second("deidentify.hl7v2", what, count, lambda: [compiled.message(each) for each in messages])


if __name__ == "__main__":
    main(sys.argv[1:])
