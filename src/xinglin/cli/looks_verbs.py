"""``xinglin patients looks``, ``complaints`` and ``answer``: who looked at a person's data, and what they say to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.options import Folder
from xinglin.cli.output import UNVERIFIED, columns, ends, printer

if TYPE_CHECKING:
    from xinglin.evidence.looks import VerifiedLooks

HEADS = ("at", "kind", "study", "purpose", "asker", "institution", "outcome", "index")


def add_to(app: typer.Typer) -> None:
    """Register the verbs beside those of the patient index."""
    for verb in (looks, complaints, answer):
        app.command()(verb)


@ends
def looks(
    person: Annotated[str, typer.Argument(help="The hospital's key of the person, as in its tables (Patient/123).")],
    folder: Folder = Path("node"),
    proof: Annotated[
        Path | None,
        typer.Option(help="Write the proof here, for the person to take home; verify it by xinglin verify."),
    ] = None,
) -> None:
    """Who looked at a person's data: the whole list, verified now against the node's own copy of the log.

    Asked for the first time, the person's place becomes theirs, and the list can be proved a minute later.
    Ends with 4 where the log knows of a look that the list does not have.
    """
    from xinglin.cli.wiring import known_entries, known_record
    from xinglin.evidence.looks import against_log
    from xinglin.node.looks import enrol, shown
    from xinglin.node.settings import node_settings

    settings = node_settings(folder).settings
    enrol(folder, settings, person)
    policy = known_record(folder).policy_text
    found = shown(folder, settings, person, policy)
    against = against_log(found.proof, known_entries(folder))
    if proof is not None:
        proof.write_bytes(found.proof.to_bytes())
        Path(f"{proof}.policy").write_text(policy, encoding="utf-8")
    value = told(found.verified) | {"against": list(against), "proof": str(proof) if proof is not None else None}
    printer.value(value, lambda: text_of(value))
    if against:
        raise typer.Exit(UNVERIFIED)


@ends
def complaints(
    folder: Folder = Path("node"),
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that nobody has answered.")] = False,
) -> None:
    """What patients say is wrong, oldest first, with the answers."""
    from xinglin.kernel.instants import to_text
    from xinglin.node.looks import complaints as said
    from xinglin.node.settings import node_settings

    found = [one for one in said(folder, node_settings(folder).settings) if one.is_open or not waiting]
    rows = [
        msgspec.structs.asdict(one)
        | {"at": to_text(one.at), "answered_at": to_text(one.answered_at) if not one.is_open else ""}
        for one in found
    ]
    printer.value(rows, lambda: columns(rows, ("id", "at", "person", "about", "words", "answer")))


@ends
def answer(
    complaint: Annotated[str, typer.Argument(help="Its id, as in: xinglin patients complaints.")],
    words: Annotated[str, typer.Option(help="What the patient is told.")],
    by: Annotated[str, typer.Option("--by", help="Name of the person who answers; it stays in the history.")],
    folder: Folder = Path("node"),
) -> None:
    """Answer a complaint, once; the patient sees it in their list."""
    from xinglin.node.looks import answer as answered
    from xinglin.node.settings import node_settings

    found = answered(folder, node_settings(folder).settings, complaint, words, by)
    printer.value(msgspec.to_builtins(found), "answered")


def told(verified: VerifiedLooks) -> dict[str, Any]:
    """A verified list as a verb says it."""
    from xinglin.kernel.instants import to_text

    return {
        "person": verified.person,
        "hospital": verified.node,
        "complete_to": verified.complete_to,
        "pages": verified.pages,
        "last_page": to_text(verified.at),
        "since": to_text(verified.since),
        "receipt_index": verified.entry.index,
        "fork_protection": verified.entry.fork_protection,
        "unknown": list(verified.unknown),
        "looks": [
            {"number": link.number, "place": link.place, "digest": link.digest}
            | msgspec.structs.asdict(link.look)
            | {"at": to_text(link.look.at)}
            for link in verified.links
        ],
    }


def text_of(value: dict[str, Any]) -> str:
    """The list as words and columns."""
    fork = "" if value["fork_protection"] else "; no fork protection"
    head = f"verified: complete up to index {value['complete_to']} of the log, {value['last_page']}{fork}"
    rest = [f"{len(value['unknown'])} uses of which it was not kept who counted"] if value["unknown"] else []
    said = columns(value["looks"], HEADS) if value["looks"] else "nobody has looked"
    return "\n".join([head, *rest, *value.get("against", []), said])
