"""Compile HL7's v2-to-FHIR concept maps into the data that ``xinglin.records.v2maps`` interprets.

Development time only::

    python tools/v2_maps.py ../shared/data/v2-to-fhir-maps/maps.tar.xz

reads the CSV files of HL7/v2-to-fhir (Apache-2.0), lays the project's own rows of ``overrides.toml`` over them, checks
every path against the R4B definitions of ``fhir.resources`` and writes ``src/xinglin/records/v2maps/maps.json``. Rows
that are narrative, or whose path is no path of the resource, are left out and counted; ``--report`` lists them.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import sys
import tarfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "src/xinglin/records/v2maps"
PROVENANCE = {
    "source": "https://github.com/HL7/v2-to-fhir, mappings/",
    "licence": "Apache-2.0",
    "made_by": "tools/v2_maps.py, with overrides.toml",
    "version": 1,
}
PRIMITIVES = {"bool": "boolean", "Integer": "integer", "PositiveInt": "positiveInt", "UnsignedInt": "unsignedInt",
              "Decimal": "decimal", "Date": "date", "DateTime": "dateTime", "Instant": "instant", "Time": "time",
              "Code": "code", "Id": "id", "Uri": "uri", "Url": "url", "Canonical": "canonical", "Oid": "oid",
              "Uuid": "uuid", "Base64Binary": "base64Binary", "Markdown": "markdown", "String": "string",
              "Xhtml": "xhtml"}  # fmt: skip
REFERENCE = re.compile(r"(?:[A-Z][A-Z0-9]{1,2})?[-.]?\d")


class Left(Exception):
    """A row that is not machine-readable; its word says why."""


# 1. Paths: `performer[2](PractitionerRole[1].organization(Organization.address))` -> steps.

STEP = re.compile(r"([A-Za-z]\w*|\$this|\$value)?\s*(?:\[(\d+)\])?")


def steps_of(text: str) -> list[tuple[str, int]]:
    """Steps as (name, index); a step into another resource is ``@Type``."""
    text = re.sub(r"value\.([A-Z])", r"value\1", text.strip())
    text = re.sub(r"\[\d-\d\]", "", text).replace('"', "")
    found: list[tuple[str, int]] = []
    at = 0
    inside = False
    while at < len(text):
        mark = text[at]
        if mark == "(":
            inside, at = True, at + 1
            continue
        if mark in ") .":
            at += 1
            continue
        match = STEP.match(text, at)
        if not match or match.end() == at:
            raise Left("path")
        name, index = match.group(1) or "", int(match.group(2) or 0)
        if name and not name.startswith("$"):
            found.append(("@" + name if inside else name, index))
        inside, at = False, match.end()
    return found


def field_of(kind: str, name: str) -> tuple[str, bool]:
    """Type and whether it repeats, of element ``name`` of type or resource ``kind``."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        fields = get_fhir_model_class(kind).model_fields
    except KeyError as gone:
        raise Left("type") from gone
    for found in fields.values():
        if found.alias == name:
            text = str(found.annotation)
            many = "List[" in text
            if match := re.search(r"abc\.(\w+)Type\b", text):
                return match.group(1), many
            for word, primitive in PRIMITIVES.items():
                if re.search(rf"\b{word}\b", text):
                    return primitive, many
            raise Left(f"annotation {text}")
    raise Left(f"no element {kind}.{name}")


def resolve(kind: str, text: str) -> tuple[list[Any], str]:
    """Steps as ``[name, index, repeats]`` or ``@Type``, and the type that they end in."""
    out: list[Any] = []
    for name, index in steps_of(text):
        if name.startswith("@"):
            if kind != "Reference":
                raise Left("reference where there is none")
            kind = name[1:]
            out.append(name)
            continue
        if kind in PRIMITIVES.values():
            if name != "extension" or isinstance(out[-1], str):
                raise Left("inside a primitive")
            out[-1] = ["_" + out[-1][0], *out[-1][1:]]
            kind = "Element"
        element = "url" if name in ("uri", "URL") and kind == "Extension" else name
        following, many = ("Extension", True) if element == "extension" else field_of(kind, element)
        out.append([element, index, int(many)])
        kind = following
    return out, kind


# 2. Conditions and assignments.


def operand(text: str, here: str) -> list[Any]:
    """``OBX-5.1`` -> ["OBX", 5, 1, 0]; inside data type ``here``, ``XTN.3`` -> ["", 3, 0, 0]."""
    match = re.fullmatch(r"([A-Z][A-Z0-9]{1,2})[-.](\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\s*LST\.COUNT)?", text)
    if not match:
        raise Left("operand")
    name, *numbers = match.groups()
    return ["" if name == here else name, *(int(number or 0) for number in numbers)]


OPERAND = r"[A-Z][A-Z0-9]{1,2}[-.]\d+(?:\.\d+)*"
VALUED = rf"({OPERAND})\s*(?:IS )?(NOT )?(VALUED|EXISTS?|EMPTY)"
PHRASES: list[tuple[str, str]] = [
    (rf"({OPERAND}) (?:LST\.)?COUNT (?:IS )?GREATER THAN (\d+)", "more"),
    (rf"({OPERAND}) ?(?:LST\.)?COUNT ?> ?(\d+)", "more"),
    (rf"({OPERAND}) ?(?:LST\.)?COUNT ?(?:=|EQUALS) ?(\d+)", "count"),
    (rf"({OPERAND}) LENGTH GREATER THAN (\d+)", "longer"),
    (rf"({OPERAND}) (?:IS )?NOT IN ?\(([^)]*)\)", "out"),
    (rf"({OPERAND}) (?:IS )?IN ?\(([^)]*)\)", "in"),
    (rf"({OPERAND}) ?(?:NOT EQUALS?|IS NOT|!=) ?(\"[^\"]*\")", "out"),
    (rf"({OPERAND}) ?(?:EQUALS?|IS|=) ?(\"[^\"]*\")", "in"),
    (rf"({OPERAND}) (?:IS |ARE |AREA )?NOT VALUED", "empty"),
    (rf"({OPERAND}) DOES NOT EXIST", "empty"),
    (rf"({OPERAND}) IS EMPTY", "empty"),
    (rf"({OPERAND}) (?:IS )?VALUED", "valued"),
]


def condition(text: str, here: str, source: str) -> list[Any] | None:
    """A boolean tree of ``and``, ``or`` and the words of ``PHRASES``; None where there is no condition."""
    text = re.sub(r"\s+", " ", text.strip()).replace("“", '"').replace("”", '"').replace("VAlUED", "VALUED")
    if not text:
        return None
    text = re.sub(r"\bIF\b\s*", "", text, flags=re.I).strip()
    if text.startswith("("):
        text = text.replace("(", "", 1) if text.count("(") > text.count(")") else text
    text = re.sub(r"^(NOT VALUED|VALUED|NOT IN|IN) ?", lambda m: f"{source} {m.group(0)}", text)
    for word, several in (("or", r" OR "), ("and", r" AND ")):
        parts = re.split(several, text)
        if len(parts) > 1 and not re.search(r"\([^)]*" + several + r"[^(]*\)", text):
            tails = re.search(r"((?:IS |ARE |AREA )?(?:NOT )?VALUED)\s*$", parts[-1])
            full = [p if " " in p.strip() or not tails else f"{p} {tails.group(1)}" for p in parts]
            lead = re.match(OPERAND, full[0])
            full = [p if re.match(OPERAND, p.strip(" (")) or not lead else f"{lead.group(0)} {p}" for p in full]
            return [word, *(condition(part, here, source) for part in full)]
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        return condition(text[1:-1], here, source)
    for pattern, word in PHRASES:
        if match := re.fullmatch(pattern, text):
            first = operand(match.group(1), here)
            if word in ("in", "out"):
                return [
                    word,
                    first,
                    re.findall(
                        r'"([^"]*)"',
                        match.group(2).replace('X"', '"X"')
                        if '"X"' not in match.group(2) and ' X"' in match.group(2)
                        else match.group(2),
                    ),
                ]
            return [word, first, int(match.group(2))] if len(match.groups()) > 1 else [word, first]
    raise Left("condition")


def assignment(text: str, here: str) -> list[Any] | None:
    """Literals (strings) and operands (lists) to be joined; None for "the value itself"."""
    text = text.strip()
    if not text:
        return None
    if text.startswith("/"):
        raise Left("narrative assignment")
    parts = re.findall(rf'"[^"]*"|{OPERAND}|\+', text)
    if "".join(parts).replace(" ", "") != text.replace(" ", "") or not parts:
        raise Left("assignment")
    return [part.strip('"').strip() if len(parts) == 1 else part.strip('"') if part[0] == '"' else operand(part, here)
            for part in parts if part != "+"]  # fmt: skip


# 3. Rows.


def compile_row(kind: str, here: str, row: dict[str, str]) -> dict[str, Any]:
    """One row as the engine reads it. Raises ``Left``."""
    source = row["source"].strip()
    match = re.fullmatch(r"[A-Z][A-Z0-9]{1,2}(?:[-.](\d+)(?:\.(\d+))?(?:\.(\d+))?)?", source)
    if not match:
        raise Left("source")
    if row.get("narrative", "").strip() and not row.get("ours"):
        raise Left("narrative condition")
    path, end = resolve(kind, row["path"])
    if not path and not row.get("datatype") and end[0].isupper():
        raise Left("a whole resource or type from nothing")
    told = re.sub(r"\s+", "", row.get("datatype", ""))
    given = assignment(row.get("assign", ""), here)
    target = re.fullmatch(r"(\w+)\[([\w.-]+)\]", told)
    if end == "Reference":
        if not target:
            raise Left("reference without a type")
        end = re.split(r"[-.]", target.group(2))[0]
        path.append("@" + end)
    out: dict[str, Any] = {"at": [int(number or 0) for number in match.groups()], "path": path, "type": end}
    # A primitive from a map of a complex type (`valueQuantity.value` by `NM[Quantity]`) is the primitive itself.
    if target and not given and (end[0].isupper() or not map_kind(told)[1][0].isupper()):
        out["by"] = told
    if row.get("vocabulary", "").strip():
        out["codes"] = re.sub(r"[\s/]+", "", row["vocabulary"])
    if given is not None:
        out["set"] = given
    if row.get("condition", "").strip():
        out["if"] = condition(row["condition"], here, source)
    return out


COLUMNS = ("source", "path", "datatype", "vocabulary", "assign", "condition")


def csv_rows(text: str) -> list[dict[str, str]]:
    """Rows of a segment's or data type's CSV that name a FHIR element."""
    rows = []
    for read in list(csv.reader(io.StringIO(text)))[2:]:
        cells = [cell.strip() for cell in (read + [""] * 20)[:20]]
        if not cells[9] or not cells[1]:
            continue
        path, _, value = cells[9].partition("=")
        rows.append({"source": cells[1], "path": path, "datatype": cells[14], "vocabulary": cells[15],
                     "assign": cells[16] or value, "condition": cells[6], "narrative": cells[8]})  # fmt: skip
    return rows


def our_rows(lines: list[str]) -> list[dict[str, str]]:
    """Rows of ``overrides.toml``: ``source | path | datatype | vocabulary | assign | condition``."""
    rows = []
    for line in lines:
        cells = [cell.strip() for cell in line.split(" | ")]
        rows.append({**dict.fromkeys(COLUMNS, ""), **dict(zip(COLUMNS, cells, strict=False)), "ours": "1"})
    return rows


def map_kind(name: str) -> tuple[str, str]:
    """``XCN[Annotation-Author]`` -> ("XCN", "Annotation")."""
    source, target = re.fullmatch(r"(\w+)\[([\w.-]+)\]", name).groups()  # type: ignore[union-attr]
    return source, re.split(r"[-.]", target)[0]


def compile_map(name: str, rows: list[dict[str, str]], own: dict[str, Any], left: list[str]) -> list[dict[str, Any]]:
    """All rows of one map, the CSV's first; a field that ``own`` drops is only what ``own`` says."""
    here, kind = map_kind(own.get("as", name) if own else name)
    dropped = set(own.get("drop", ()))
    kept = [row for row in rows if row["source"] not in dropped and "*" not in dropped]
    out = []
    for row in [*kept, *our_rows(own.get("rows", []))]:
        try:
            out.append(compile_row(kind, here, row))
        except Left as why:
            if row.get("ours"):
                raise SystemExit(f"{name}: {row}: {why}") from why
            left.append(f"{name} {row['source']} -> {row['path']}: {why}")
    return out


def code_map(text: str) -> dict[str, list[str]]:
    """v2 code -> [code, system, display]; rows with a condition or without a target are left out."""
    rows = [(cells + [""] * 12)[:12] for cells in list(csv.reader(io.StringIO(text)))[2:]]
    out: dict[str, list[str]] = {}
    for row in (list(map(str.strip, row)) for row in rows):
        if row[0] and row[6] and not (row[3] or row[4] or row[5]):
            out.setdefault(row[0], [row[6], row[9], row[8] or row[7]])
    return out


# 4. All of it.


def compile_all(archive: Path) -> tuple[dict[str, Any], list[str]]:
    """The whole data, and what was left out."""
    own = tomllib.loads((FOLDER / "overrides.toml").read_text(encoding="utf-8"))
    texts: dict[str, dict[str, str]] = {"segments": {}, "datatypes": {}, "codesystems": {}}
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            folder, _, file = member.name.removeprefix("./").rpartition("/")
            match = re.search(r"(?:R4_|Map_) (.+?) - ", file)
            if folder.split("/")[-1] in texts and match:
                data = opened.extractfile(member).read().decode("utf-8-sig")  # type: ignore[union-attr]
                texts[folder.split("/")[-1]][re.sub(r"\s+", "", match.group(1))] = data
    left: list[str] = []
    out: dict[str, Any] = {"provenance": PROVENANCE, "segments": {}, "datatypes": {}, "codes": {}}
    for part, key in (("segments", "segment"), ("datatypes", "datatype")):
        mine = own.get(key, {})
        for name in sorted({*texts[part], *mine}):
            if "Provenance" in name or "[Bundle]" in name:
                continue
            from_csv = csv_rows(texts[part].get(mine.get(name, {}).get("from", name), ""))
            if rows := compile_map(name, from_csv, mine.get(name, {}), left):
                out[part][name] = rows
    for name in sorted({*texts["codesystems"], *own.get("codes", {})}):
        mine = own.get("codes", {}).get(name, {})
        table = {**code_map(texts["codesystems"].get(name, "")), **{k: v for k, v in mine.items() if k != "why"}}
        if table:
            out["codes"][name] = dict(sorted(table.items()))
    return out, left


def used(data: dict[str, Any]) -> dict[str, Any]:
    """Only the code tables that a row names: the others would be dead weight."""
    named = {row["codes"] for part in ("segments", "datatypes") for rows in data[part].values() for row in rows
             if "codes" in row}  # fmt: skip
    extra = set(data["codes"]) & {"AdministrativeSex"}
    return {**data, "codes": {name: table for name, table in data["codes"].items() if name in named | extra}}


def main() -> int:
    """Write (or with ``--check`` compare) the data file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    parser.add_argument("--report", action="store_true", help="list the rows that were left out")
    said = parser.parse_args()
    data, left = compile_all(said.archive)
    text = json.dumps(used(data), ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
    target = FOLDER / "maps.json"
    if said.report:
        print("\n".join(left))
    kept = sum(len(rows) for part in ("segments", "datatypes") for rows in data[part].values())
    print(f"{kept} rows, {len(left)} left out: {dict(Counter(line.rsplit(': ')[-1][:24] for line in left))}")
    if said.check:
        return 0 if target.is_file() and target.read_text(encoding="utf-8") == text else 1
    target.write_text(text, encoding="utf-8")
    print(f"{target}: {len(text.encode()):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
