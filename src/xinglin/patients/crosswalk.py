"""The hospital's own master index as a file: one line a record, with the person's number there.

CSV or tabs, UTF-8 or GB18030, a heading. ``patient`` is the record's key in the lake (``Patient/HIS.007``),
``person`` the number in the master index; an empty one takes the record's number back.
"""

from __future__ import annotations

import csv

from xinglin.kernel.limits import Limit
from xinglin.patients.errors import BadCrosswalk

CROSSWALK_BYTES = Limit("crosswalk file", 1024 * 1024 * 1024, "bytes")
CELL = Limit("a number of a crosswalk", 256, "characters")
_PATIENT = ("patient", "record", "患者", "患者主键")
_PERSON = ("person", "master", "empi", "mpi", "主索引", "主索引号", "患者主索引")


def read_crosswalk(body: bytes) -> dict[str, str]:
    """The person's number by record. Raises ``BadCrosswalk`` with the line, ``LimitExceeded``.

    >>> read_crosswalk(b"patient,person\\nPatient/1,E9\\nPatient/2,E9\\n")
    {'Patient/1': 'E9', 'Patient/2': 'E9'}
    """
    CROSSWALK_BYTES.check(len(body))
    lines = _text(body).splitlines()
    if not lines:
        raise BadCrosswalk("The file is empty.", remedy="Its heading is: patient,person")
    rows = csv.reader(lines, delimiter="\t" if "\t" in lines[0] else ",", strict=True)
    found: dict[str, str] = {}
    try:
        heading = [name.strip().lower() for name in next(rows)]
        patient, person = _place(heading, _PATIENT), _place(heading, _PERSON)
        for row in rows:
            if not row:
                continue
            if len(row) != len(heading) or not row[patient].strip():
                raise BadCrosswalk(f"Line {rows.line_num} is not a line of the crosswalk.")
            key, number = row[patient].strip(), row[person].strip()
            CELL.check(max(len(key), len(number)))
            if found.setdefault(key, number) != number:
                raise BadCrosswalk(f"Line {rows.line_num} names a second person for one record.")
    except csv.Error as error:
        raise BadCrosswalk(f"Line {rows.line_num} cannot be read.") from error
    return found


def _place(heading: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in heading:
            return heading.index(name)
    raise BadCrosswalk(f"No column is called {names[0]!r}.", remedy="The heading is: patient,person")


def _text(body: bytes) -> str:
    for charset in ("utf-8-sig", "gb18030"):
        try:
            return body.decode(charset)
        except UnicodeDecodeError:
            continue
    raise BadCrosswalk("The file is neither UTF-8 nor GB18030.")
