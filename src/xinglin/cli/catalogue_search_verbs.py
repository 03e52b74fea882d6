"""``xinglin catalogue search|eligible|compare|dcat|offer``: find data sets, see what a study may use, publish terms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer
from xinglin.cli.quality_verbs import BadChoice

if TYPE_CHECKING:
    from xinglin.catalogue.eligible import Standing, StudyFacts
    from xinglin.catalogue.entry import Listing
    from xinglin.catalogue.search import Found, Hit
    from xinglin.sdk.space import Space

Text = Annotated[str, typer.Argument(help="Words in English or Chinese; empty finds everything.")]
Facet = Annotated[
    list[str] | None,
    typer.Option("--facet", help="NAME=VALUE: grade, table, variable, purpose, region, institution, years, custody."),
]
Fact = Annotated[
    list[str] | None,
    typer.Option("--fact", help="NAME=VALUE that the study states: purpose, recipientClass, place … Repeatable."),
]
Action = Annotated[str, typer.Option(help="What the study would do: statistics, training, read, extract …")]
Most = Annotated[int, typer.Option(help="Data sets shown at most.")]
Wanted = Annotated[list[str], typer.Argument(help="Ids of two to five entries.")]


def add_to(catalogue: typer.Typer) -> None:
    """Register these verbs beside the hospital's own."""
    for verb in (search, eligible, compare, dcat, count, offer, federate):
        catalogue.command()(verb)


@ends
@given("space", account_space)
def search(
    space: Space,
    text: Text = "",
    facet: Facet = None,
    from_month: Annotated[str, typer.Option(help="Data from this month on (2024-03).")] = "",
    to_month: Annotated[str, typer.Option(help="Data up to this month.")] = "",
    most: Most = 20,
    cursor: Annotated[str, typer.Option(help="Go on where a page ended.")] = "",
) -> None:
    """Search the catalogue; words find their synonyms in the other language too."""
    from xinglin.sdk.catalogue import Catalogue

    found = Catalogue(space).search(
        text, _pairs(facet), from_month=from_month, to_month=to_month, cursor=cursor, most=most
    )
    printer.value(msgspec.to_builtins(found), lambda: _found(found))
    if found.after:
        printer.note(f"{found.total} in all; the next page: --cursor {found.after}")


@ends
@given("space", account_space)
def eligible(
    space: Space, text: Text = "", action: Action = "statistics", fact: Fact = None, facet: Facet = None,
    most: Most = 100,
) -> None:  # fmt: skip
    """Which data sets a study may use, and why not: every reason, and what would change it."""
    from xinglin.sdk.catalogue import Catalogue

    hits = Catalogue(space).eligible(_study(fact, action), text, _pairs(facet), most=most)
    rows = [_judged(hit) for hit in hits]
    printer.value(msgspec.to_builtins(hits), lambda: columns(rows, ("answer", "title", "institution", "why", "remedy")))


@ends
@given("space", account_space)
def compare(space: Space, entry: Wanted, action: Action = "statistics", fact: Fact = None) -> None:
    """Two to five data sets side by side: variables, time, grade, terms, quality."""
    from xinglin.sdk.catalogue import Catalogue

    found = Catalogue(space).compare(entry, _study(fact, action) if fact else None)
    names = [str(number) for number, _ in enumerate(found.columns, 1)]
    rows = [
        {"variable": row.variable, **{n: "yes" if cell else "" for n, cell in zip(names, row.cells, strict=True)},
         "differs": ", ".join(row.differs)}
        for row in found.rows
    ]  # fmt: skip
    told = ("title", "institution", "grade", "persons", "first_month", "last_month", "purposes", "quality")
    heads = [{"": name, **msgspec.to_builtins(one)} for name, one in zip(names, found.columns, strict=True)]
    printer.value(
        msgspec.to_builtins(found),
        lambda: columns(heads, ("", *told)) + "\n\n" + columns(rows, ("variable", *names, "differs")),
    )


@ends
@given("space", account_space)
def dcat(
    space: Space,
    entry: Annotated[str, typer.Argument(help="One entry's id; the whole catalogue by default.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write it to this file, one document a line.")] = None,
) -> None:
    """The catalogue as DCAT with HealthDCAT-AP's properties (JSON-LD), as far as this account sees it."""
    from xinglin.sdk.catalogue import Catalogue

    documents = list(Catalogue(space).dcat(entry))
    text = "\n".join(msgspec.json.encode(one).decode() for one in documents)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
        printer.value({"file": str(out), "documents": len(documents)}, f"written to {out}")
        return
    printer.value(documents, text)


@ends
def offer(
    data_set: Annotated[str, typer.Argument(help="A published data set.")],
    policy: Annotated[Path | None, typer.Option(help="Its terms: an ODRL offer (JSON).", dir_okay=False)] = None,
    about: Annotated[Path | None, typer.Option(help="TOML: words, region, custody, keywords.", dir_okay=False)] = None,
    statement: Annotated[Path | None, typer.Option(help="Of 'catalogue statement --out'.", dir_okay=False)] = None,
    only: Annotated[list[str] | None, typer.Option(help="Restricted: only these (DIDs) may know of it.")] = None,
    restricted: Annotated[bool, typer.Option("--restricted", help="Nobody but the audience may know of it.")] = False,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Say beside a published description what its terms are, and who may know that it exists."""
    from xinglin.catalogue.entry import Listing
    from xinglin.catalogue.statement import DataSetStatement
    from xinglin.kernel.codec import decode_json
    from xinglin.terms.odrl import from_odrl

    listing = Listing(
        data_set,
        policy=from_odrl(msgspec.json.decode(policy.read_bytes())) if policy is not None else None,
        restricted=restricted or bool(only),
        audience=tuple(only or ()),
        statement=decode_json(statement.read_bytes(), DataSetStatement) if statement is not None else None,
    )
    if about is not None:
        listing = msgspec.structs.replace(listing, **_about(about))
    said = _keep(folder, listing, passphrase(passphrase_file, ask_passphrase))
    printer.value(said, lambda: facts(said))


@ends
@given("space", account_space)
def count(
    space: Space,
    select: Annotated[str, typer.Argument(help="A SELECT over published tables; who has a row in it is counted.")],
    data_set: Annotated[str, typer.Option(help="The published data set.")],
    variable: Annotated[list[str], typer.Option(help="A column that it touches, table.column. Repeatable.")],
    purpose: Annotated[str, typer.Option(help="Purpose of use.")] = "health-research",
    hospital: Annotated[list[str] | None, typer.Option(help="Ask this hospital (DID). Repeatable.")] = None,
    minimum: Annotated[int, typer.Option(help="Persons that a count has at least.")] = 10,
    round_to: Annotated[int, typer.Option(help="Steps in which it is told.")] = 10,
) -> None:
    """How many persons match, rounded, before any study, at hospitals that agreed to such questions beforehand."""
    from xinglin.sdk.feasibility import how_many

    found = how_many(
        space, select, data_set=data_set, variables=variable, purpose=purpose, hospitals=hospital, minimum=minimum,
        round_to=round_to,
    )  # fmt: skip
    printer.value(msgspec.to_builtins(found), str(found))


@ends
def federate(
    participant: Annotated[str, typer.Argument(help="Whose catalog; empty lists the sources.")] = "",
    address: Annotated[str, typer.Argument(help="Its connector's address; without one it is forgotten.")] = "",
    folder: Folder = Path("hub"),
) -> None:
    """At the hub: read another participant's catalog beside our own (Dataspace Protocol), or forget it."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    found = ask_desk(folder, DeskCall("federate", {"participant": participant, "address": address})).value
    printer.value(found, lambda: columns(list(found), ("participant", "entries", "read", "stale", "trouble")))


def _keep(folder: Path, listing: Listing, secret: str) -> dict[str, Any]:
    from xinglin.node.desk import listed
    from xinglin.node.joining import open_node_keys
    from xinglin.node.listings import Listings
    from xinglin.node.tables import Tables
    from xinglin.stores.desk import NotRunning, ask_desk
    from xinglin.wire.desk import DeskCall

    try:
        return dict(ask_desk(folder, DeskCall("list", {"listing": msgspec.json.encode(listing).decode()})).value)
    except (NotRunning, OSError):
        tables = Tables(folder, open_node_keys(folder, secret).did)
        return {**listed(Listings(folder, tables).keep(listing)), "when": "at the node's next start"}


def _about(file: Path) -> dict[str, Any]:
    import tomllib

    found = tomllib.loads(file.read_text(encoding="utf-8"))
    known = {"words", "region", "custody", "keywords"}
    if not set(found) <= known:
        raise BadChoice(f"{file.name} says more than is known.", remedy=f"Known: {', '.join(sorted(known))}.")
    return found | ({"keywords": tuple(found["keywords"])} if "keywords" in found else {})


def _pairs(given: list[str] | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in given or ():
        name, separator, value = one.partition("=")
        if not separator or not name.isidentifier():
            raise BadChoice(f"{one[:80]!r} is no NAME=VALUE.", remedy="Write it as NAME=VALUE.")
        found[name] = (*found.get(name, ()), value)
    return found


def _study(given: list[str] | None, action: str) -> StudyFacts:
    from xinglin.sdk.catalogue import facts_of

    return facts_of(_pairs(given), action)


def _found(found: Found) -> str:
    rows = [
        {
            "id": hit.entry.entry_id,
            "title": hit.entry.title,
            "institution": hit.entry.institution,
            "grade": hit.entry.grade,
            "time": f"{hit.entry.first_month} - {hit.entry.last_month}" if hit.entry.first_month else "",
            "variables": ", ".join(hit.variables[:4]),
        }
        for hit in found.hits
    ]
    counts = {
        name: ", ".join(f"{one.value} {one.count}" for one in values[:6]) for name, values in found.facets.items()
    }
    return columns(rows, ("id", "title", "institution", "grade", "time", "variables")) + "\n\n" + facts(counts)


def _judged(hit: Hit) -> dict[str, str]:
    standing: Standing | None = hit.standing
    reasons = standing.reasons if standing is not None else ()
    why = " ".join(one.words for one in reasons)
    if standing is not None and standing.open:
        why = f"open: {', '.join(standing.open)}"
    return {
        "answer": standing.answer if standing is not None else "",
        "title": hit.entry.title,
        "institution": hit.entry.institution,
        "why": why,
        "remedy": " ".join(dict.fromkeys(one.remedy for one in reasons if one.remedy)),
    }
