"""``xinglin terms …``: vocabularies of a node, what they say, and the review of a hospital's local codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli import policy_verbs
from xinglin.cli.options import Folder
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.records.terminology.local import Decision
    from xinglin.records.terminology.memory import MemoryVocabulary
    from xinglin.records.terminology.ports import Vocabulary

app = typer.Typer(no_args_is_help=True, help="Terminology (code systems, maps, units, local codes) and policies.")
app.add_typer(policy_verbs.app)

SystemName = Annotated[str, typer.Argument(help="Code system: URI, OID or a name such as LN, I10, SCT.")]
Version = Annotated[str, typer.Option("--version", help="Version of the code system; else the newest loaded.")]
By = Annotated[str, typer.Option("--by", help="Who decides; kept with the decision.")]
Source = Annotated[str, typer.Option("--source", help="The feed; empty: every feed.")]
Column = Annotated[str, typer.Option("--column", help="Where the code stands, such as observation.code.")]
LocalSystem = Annotated[str, typer.Option("--system", help="The source's own name of its code system.")]
Review = Annotated[Path | None, typer.Option("--review", help="A filled review (CSV).", exists=True, dir_okay=False)]


@app.command()
@ends
def load(
    kind: Annotated[str, typer.Argument(help="What it is; 'xinglin terms list --kinds' shows all.")],
    files: Annotated[list[Path] | None, typer.Argument(help="The publisher's archive or files.", exists=True)] = None,
    folder: Folder = Path("node"),
    version: Annotated[str, typer.Option(help="Version, where the files do not say.")] = "",
    licence: Annotated[str, typer.Option(help="Licence under which they are used here.")] = "",
    source: Annotated[str, typer.Option(help="Who gave them.")] = "",
    system: Annotated[str, typer.Option(help="Code system, where the files do not say.")] = "",
) -> None:
    """Load code systems, maps and value sets; a new version stands beside the old one."""
    from xinglin.kernel.instants import system_clock
    from xinglin.node.intake.local_codes import open_terms, tell_change
    from xinglin.records.terminology.loaders import Told, load_vocabulary

    given = {path.name: path.read_bytes() for path in _paths(files or [])}
    found = load_vocabulary(kind, given, Told(source, version, licence, system))
    at = system_clock()
    with open_terms(folder) as store:
        store.load(found, at)
    digests = {f"{one.url}|{one.version}": one.provenance.digest for one, _ in found.systems}
    digests |= {f"{one.url}|{one.version}": one.provenance.digest for one in found.maps}
    _noted(tell_change(folder, at, {"what": _digest(digests), "vocabularies": len(digests)}))
    value = {
        "code systems": len(found.systems),
        "concepts": sum(len(concepts) for _, concepts in found.systems),
        "maps": len(found.maps),
        "mappings": sum(len(one.elements) for one in found.maps),
        "value sets": len(found.value_sets),
        "skipped": found.skipped,
    }
    printer.value(value, lambda: facts(value))


@app.command("list")
@ends
def list_(
    folder: Folder = Path("node"),
    kinds: Annotated[bool, typer.Option("--kinds", help="What can be loaded, instead.")] = False,
    every: Annotated[bool, typer.Option("--all", help="The shipped HL7 and FHIR lists too.")] = False,
) -> None:
    """Show what is loaded: versions, where they came from, licences."""
    if kinds:
        from xinglin.records.terminology.loaders import LOADERS

        rows = [{"kind": name, "reads": one.words} for name, one in LOADERS.items()]
        printer.value(rows, lambda: columns(rows, ("kind", "reads")))
        return
    from xinglin.node.intake.local_codes import open_terms

    with open_terms(folder) as store:
        found = [msgspec.to_builtins(one) for one in store.systems()]
        maps = [msgspec.to_builtins(one) for one in store.maps()]
    shown = [
        {**one, **one["provenance"], "what": "system", "entries": one["concepts"]}
        for one in found
        if every or not one["url"].startswith(("http://hl7.org/fhir/", "http://terminology.hl7.org/")) or _large(one)
    ]
    shown += [{**one, **one["provenance"], "what": "map", "entries": one["count"]} for one in maps]
    names = ("what", "url", "version", "entries", "source", "licence", "digest")
    short = [{**one, "digest": one["digest"][:19], "licence": one["licence"][:40]} for one in shown]
    printer.value({"systems": found, "maps": maps}, lambda: columns(short, names))


def _large(one: dict[str, Any]) -> bool:
    return "/sid/" in one["url"]


@app.command()
@ends
def lookup(system: SystemName, code: str, folder: Folder = Path("node"), version: Version = "") -> None:
    """Show one concept: its names, what is wider, its properties."""
    value = _answered(folder, "lookup", {"system": system, "code": code, "version": version})
    printer.value(value, lambda: _told(value))


@app.command()
@ends
def validate(
    code: str,
    folder: Folder = Path("node"),
    system: Annotated[str, typer.Option(help="The code system (UCUM needs nothing loaded).")] = "",
    display: Annotated[str, typer.Option(help="A name that it should have.")] = "",
    value_set: Annotated[str, typer.Option(help="A value set that it should be in.")] = "",
    version: Version = "",
) -> None:
    """Say whether a code is one of its system, or of a value set."""
    given = {"code": code, "system": system, "display": display, "url": value_set, "version": version}
    value = _answered(folder, "validate-code", given)
    printer.value(value, lambda: _told(value))


@app.command()
@ends
def expand(
    url: Annotated[str, typer.Argument(help="Value set, or code system for all of it.")],
    folder: Folder = Path("node"),
    text: Annotated[str, typer.Option("--filter", help="Only codes with this in code or names.")] = "",
    offset: Annotated[int, typer.Option(min=0, help="Codes to pass over.")] = 0,
    count: Annotated[int, typer.Option(min=0, max=10_000, help="Codes on a page.")] = 50,
) -> None:
    """List the codes of a value set, page by page."""
    value = _answered(folder, "expand", {"url": url, "filter": text, "offset": offset, "count": count})
    rows = value["expansion"]["contains"]
    printer.value(
        value, lambda: columns(rows, ("code", "display", "system")) + f"\n{value['expansion']['total']} in all"
    )


@app.command()
@ends
def translate(
    system: SystemName,
    code: str,
    folder: Folder = Path("node"),
    target: Annotated[str, typer.Option(help="Only codes of this system.")] = "",
    url: Annotated[str, typer.Option("--map", help="Only by this map.")] = "",
) -> None:
    """Show what maps and the rules of ICD-10 make of a code, and what that loses."""
    given = {"system": system, "code": code, "targetsystem": target, "url": url}
    value = _answered(folder, "translate", given)
    printer.value(value, lambda: _told(value))


@app.command()
@ends
def unmapped(
    folder: Folder = Path("node"),
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    texts: Annotated[bool, typer.Option("--texts", help="Texts without a code as well.")] = False,
) -> None:
    """List local codes without a standard one, the most frequent first."""
    from xinglin.node.intake.local_codes import open_terms, unmapped_codes
    from xinglin.records.terminology.unmapped import undecided

    with open_terms(folder) as store:
        rows = [_row(one) for one in undecided(unmapped_codes(folder, limit, texts=texts), store.local())]
    printer.value(rows, lambda: columns(rows, ("seen", "source", "column", "system", "code", "text", "unit")))


@app.command()
@ends
def suggest(
    folder: Folder = Path("node"),
    text: Annotated[str, typer.Option(help="Candidates for this one name; else for what is unmapped.")] = "",
    unit: Annotated[str, typer.Option(help="The name's unit.")] = "",
    system: Annotated[str, typer.Option(help="Look in this loaded system; else in the shipped measurements.")] = "",
    by: By = "suggest",
    limit: Annotated[int, typer.Option(help="Unmapped codes taken up.", min=1, max=10_000)] = 500,
    out: Annotated[Path | None, typer.Option(help="Write the review (CSV) to this file.")] = None,
) -> None:
    """Propose standard codes for local ones into the review queue; nothing is mapped before somebody accepts."""
    from xinglin.kernel.instants import system_clock
    from xinglin.node.intake.local_codes import name_index, open_terms, propose_codes
    from xinglin.records.terminology.review import write_review
    from xinglin.records.terminology.suggestions import LocalItem

    if text:
        with open_terms(folder) as store:
            index = name_index(store, system)
            found = [msgspec.to_builtins(one) for one in index.suggest(LocalItem("", text, unit), 5)]
        printer.value(found, lambda: columns(found, ("score", "code", "display", "reasons")))
        return
    _noted(propose_codes(folder, by, system_clock(), limit=limit, system=system))
    with open_terms(folder) as store:
        queue = store.local("proposed")
    if out is not None:
        out.write_bytes(write_review(queue))
    rows = [_row(one) for one in queue]
    printer.value(rows, lambda: columns(rows, ("seen", "column", "code", "text", "target", "target_text", "note")))


@app.command()
@ends
def accept(
    code: Annotated[str, typer.Argument(help="The local code.")] = "",
    target: Annotated[str, typer.Argument(help="The standard code; empty: the proposed one.")] = "",
    folder: Folder = Path("node"),
    *,
    by: By,
    source: Source = "",
    column: Column = "observation.code",
    system: LocalSystem = "",
    target_system: Annotated[str, typer.Option(help="System of the standard code.")] = "http://loinc.org",
    equivalence: Annotated[str, typer.Option(help="equivalent, wider, narrower, related or unmapped.")] = "equivalent",
    note: Annotated[str, typer.Option(help="Why; kept with the decision.")] = "",
    review: Review = None,
) -> None:
    """Accept mappings: of one local code, or all decisions of a filled review. New rows are translated at once."""
    _decide(folder, "accept", (source, column, system, code), by, (target, target_system, equivalence, note), review)


@app.command()
@ends
def reject(
    code: Annotated[str, typer.Argument(help="The local code.")] = "",
    folder: Folder = Path("node"),
    *,
    by: By,
    source: Source = "",
    column: Column = "observation.code",
    system: LocalSystem = "",
    note: Annotated[str, typer.Option(help="Why; kept with the decision.")] = "",
    review: Review = None,
) -> None:
    """Reject the mapping of a local code, proposed or accepted; it is unmapped from now on."""
    _decide(folder, "reject", (source, column, system, code), by, ("", "", "equivalent", note), review)


def _decide(
    folder: Path,
    event: str,
    key: tuple[str, str, str, str],
    by: str,
    told: tuple[str, str, str, str],
    review: Path | None,
) -> None:
    from xinglin.kernel.instants import system_clock
    from xinglin.node.intake.local_codes import decide_codes
    from xinglin.records.terminology.local import Decision, LocalKey
    from xinglin.records.terminology.model import Equivalence
    from xinglin.records.terminology.review import read_review

    at = system_clock()
    target, target_system, equivalence, note = told
    decisions: Sequence[Decision]
    if review is not None:
        decisions = read_review(review.read_bytes(), by, at)
    else:
        try:
            word = msgspec.convert(equivalence, Equivalence)
        except msgspec.ValidationError as error:
            raise typer.BadParameter("--equivalence is equivalent, wider, narrower, related or unmapped.") from error
        system = target_system if target and word != "unmapped" else ""
        decisions = [Decision(LocalKey(*key), event, by, at, target if system else "", system, "", word, note)]
    changed, logged = decide_codes(folder, decisions, at)
    _noted(logged)
    rows = [_row(one) for one in changed]
    printer.value(
        rows, lambda: columns(rows, ("state", "column", "system", "code", "target", "equivalence", "version"))
    )


def _answered(folder: Path, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """The answer of a FHIR operation by what is loaded, or by what is shipped while nothing is."""
    from xinglin.node.intake.local_codes import open_terms
    from xinglin.records.terminology.errors import BadRequest
    from xinglin.records.terminology.parameters import answer

    kinds = {bool: "valueBoolean", int: "valueInteger", str: "valueString"}
    told = [{"name": name, kinds[type(value)]: value} for name, value in given.items() if value != ""]
    with open_terms(folder) as store:
        vocabulary: Vocabulary = store if store.systems() else _shipped()
        found = answer(vocabulary, operation, {"resourceType": "Parameters", "parameter": told})
    if found["resourceType"] == "OperationOutcome":
        raise BadRequest(found["issue"][0]["details"]["text"], remedy="See 'xinglin terms list'.")
    return found


def _shipped() -> MemoryVocabulary:
    from xinglin.records.terminology.loaders import load_vocabulary
    from xinglin.records.terminology.memory import MemoryVocabulary

    return MemoryVocabulary([load_vocabulary("shipped", {}), load_vocabulary("icd10", {})])


def _noted(told: bool) -> None:
    """Say where no entry of a change can come into the log."""
    if not told:
        printer.note("This node takes no data in yet: the change is in the terminology, and no entry of it in the log.")


def _digest(value: dict[str, str]) -> str:
    from xinglin.kernel.canonical import canonical_digest

    return canonical_digest(value)


def _paths(given: list[Path]) -> list[Path]:
    """Files as they are, and the files below folders."""
    return [path for one in given for path in (sorted(one.rglob("*")) if one.is_dir() else [one]) if path.is_file()]


def _row(one: Any) -> dict[str, Any]:
    value = msgspec.to_builtins(one)
    return {**value.pop("key"), **value}


def _told(value: dict[str, Any]) -> str:
    """A ``Parameters`` as lines."""
    lines = []
    for one in value["parameter"]:
        held = next((said for key, said in one.items() if key.startswith("value")), None)
        if held is None:
            parts = [next((v for k, v in part.items() if k.startswith("value")), "") for part in one["part"]]
            held = ", ".join(part.get("code", "") if isinstance(part, dict) else str(part) for part in parts)
        lines.append(f"{one['name']}  {('yes' if held else 'no') if isinstance(held, bool) else held}")
    return "\n".join(lines)
