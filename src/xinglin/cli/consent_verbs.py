"""``xinglin consent …``: what persons chose about the use of their data, at the hospital that holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.given import given
from xinglin.cli.options import Folder
from xinglin.cli.output import columns, ends, facts, printer
from xinglin.cli.quality_verbs import BadChoice

if TYPE_CHECKING:
    from xinglin.stores.consent_register import ChoiceReceipt
    from xinglin.terms.consent import Choice, Delegate, IdentityCheck, Where

consent = typer.Typer(no_args_is_help=True, help="Persons' choices: consent, objection, withdrawal, and their effect.")

Person = Annotated[str, typer.Argument(help="The hospital's key of the person, as in its tables (Patient/123).")]
Source = Annotated[str, typer.Option(help="Where it comes from: paper form, portal, desk, …")]
Purposes = Annotated[list[str] | None, typer.Option("--purpose", help="Only this purpose; may be repeated.")]
Institutions = Annotated[
    list[str] | None, typer.Option("--institution", help="Only this institution (DID or name); may be repeated.")
]
Categories = Annotated[
    list[str] | None, typer.Option("--category", help="Only this sensitive category; may be repeated.")
]
Studies = Annotated[list[str] | None, typer.Option("--study", help="Only this study; may be repeated.")]
Classes = Annotated[list[str] | None, typer.Option("--records", help="Only this kind of records; may be repeated.")]
Commercial = Annotated[bool, typer.Option("--commercial", help="Only commercial use.")]
Until = Annotated[str, typer.Option(help="Until when it holds: an instant with a zone.")]
Guardian = Annotated[
    str, typer.Option(help="Who speaks for the person: RELATION,FROM[,UNTIL] with days or instants, such as parent.")
]
Identity = Annotated[str, typer.Option(help="How identity was checked: asked for where more is permitted.")]
By = Annotated[str, typer.Option("--by", help="Who checked it: a name that stays in the record.")]


@contextmanager
def _where(
    purpose: Purposes = None,
    institution: Institutions = None,
    category: Categories = None,
    study: Studies = None,
    records: Classes = None,
    commercial: Commercial = False,
    until: Until = "",
) -> Iterator[Where]:
    """What a choice is about; everything where nothing is given."""
    from xinglin.kernel.instants import from_text
    from xinglin.terms.consent import Where

    yield Where(
        purposes=_named(purpose),
        institutions=_named(institution),
        categories=_named(category),
        studies=_named(study),
        classes=_named(records),
        commercial=commercial,
        until=from_text(until) if until else None,
    )


def _named(words: list[str] | None) -> tuple[str, ...]:
    return tuple(sorted(set(words or ())))


@consent.command("record")
@ends
@given("where", _where)
def record_verb(
    decision: Annotated[str, typer.Argument(help="permit or deny.")],
    person: Person,
    where: Where,
    folder: Folder = Path("node"),
    source: Source = "desk",
    guardian: Guardian = "",
    at: Annotated[str, typer.Option(help="When it was said, with its zone; else now.")] = "",
    identity: Identity = "",
    by: By = "",
) -> None:
    """Record what a person chose, and confirm it at once."""
    from xinglin.node.consent import record

    _told(record(folder, [_choice(decision, person, source, where, guardian, at, identity, by)])[0])


@consent.command("withdraw")
@ends
@given("where", _where)
def withdraw_verb(
    person: Person,
    where: Where,
    folder: Folder = Path("node"),
    source: Source = "desk",
    guardian: Guardian = "",
) -> None:
    """The person withdraws consent, or objects: from the next run on, wherever the law lets it bind."""
    from xinglin.node.consent import withdraw

    _told(withdraw(folder, person, source, where, delegate=_delegate(guardian)))


@consent.command("reverse")
@ends
def reverse_verb(
    ids: Annotated[list[str], typer.Argument(help="Ids of the choices that the person takes back.")],
    identity: Annotated[str, typer.Option(help="How the person's identity was checked.")],
    by: Annotated[str, typer.Option("--by", help="Who checked it: a name that stays in the record.")],
    folder: Folder = Path("node"),
    source: Source = "desk",
    guardian: Guardian = "",
) -> None:
    """Take back earlier choices, after a check of identity."""
    from xinglin.node.consent import reverse

    checked = _identity(identity, by)
    if checked is None:
        raise BadChoice("Somebody checks who the person is.", remedy="Say how with --identity, and who with --by.")
    _told(reverse(folder, tuple(ids), source, checked, delegate=_delegate(guardian)))


@consent.command("list")
@ends
def list_verb(
    folder: Folder = Path("node"), person: Annotated[str, typer.Option(help="Only this person's.")] = ""
) -> None:
    """Choices as they were recorded, oldest first. For the hospital's own eyes."""
    from xinglin.node.consent import recorded

    rows = [_row(one) for one in recorded(folder) if not person or one.person == person]
    printer.value(rows, lambda: columns(rows, ("id", "person", "kind", "decision", "at", "source", "by", "flags")))


@consent.command("history")
@ends
def history_verb(person: Person, folder: Folder = Path("node")) -> None:
    """Everything that was recorded of a person: when, the digest, and its leaf in the log."""
    from xinglin.kernel.instants import to_text
    from xinglin.node.consent import history

    rows = [
        _row(one)
        | {"recorded_at": to_text(at), "digest": one.digest(), "leaf": leaf, "choice": msgspec.to_builtins(one)}
        for at, one, leaf in history(folder, person)
    ]
    names = ("recorded_at", "id", "kind", "decision", "at", "source", "by", "digest", "leaf")
    printer.value(rows, lambda: columns(rows, names))


@consent.command("import")
@ends
def import_verb(
    file: Annotated[Path, typer.Argument(help="FHIR: a Consent, a bundle, or a resource a line.", exists=True)],
    folder: Folder = Path("node"),
    source: Annotated[str, typer.Option(help="Where the file comes from.")] = "",
    namespace: Annotated[str, typer.Option(help="Namespace of the source's keys, where sources.toml gives one.")] = "",
    identity: Identity = "",
    by: By = "",
) -> None:
    """Record FHIR Consents (R4 or R5). What is not understood denies, and is listed."""
    from xinglin.node.consent_files import import_consents

    done = import_consents(folder, file, source=source, namespace=namespace, identity=_identity(identity, by))
    value = {
        "recorded": len(done.receipts),
        "known": done.known,
        "about_care": done.care,
        "of_nobody_here": done.nobodys,
        "not_understood": [{"document": document, "place": place} for document, place in done.flagged],
        "identity_not_checked": done.unchecked,
        "receipts": msgspec.to_builtins(done.receipts),
    }
    printer.value(value, lambda: facts({name: one for name, one in value.items() if name != "receipts"}))
    if done.flagged or done.nobodys:
        raise typer.Exit(1)


@consent.command("unheard")
@ends
def unheard_verb(folder: Folder = Path("node")) -> None:
    """Objects that came in and could not be looked through for Consents: read them again once that is mended."""
    from xinglin.kernel.instants import to_text
    from xinglin.node.intake.wiring import unheard_consents

    rows = [msgspec.to_builtins(one) | {"at": to_text(one.at)} for one in unheard_consents(folder)]
    printer.value(rows, lambda: columns(rows, ("sequence", "digest", "code", "at")))
    if rows:
        raise typer.Exit(1)


@consent.command("preview")
@ends
@given("where", _where)
def preview_verb(
    decision: Annotated[str, typer.Argument(help="permit or deny.")],
    person: Person,
    where: Where,
    folder: Folder = Path("node"),
    guardian: Guardian = "",
    identity: Identity = "",
    by: By = "",
) -> None:
    """Which studies and running agreements a choice would touch, and from when; nothing is recorded."""
    from xinglin.kernel.instants import to_text
    from xinglin.node.consent_preview import preview
    from xinglin.node.settings import node_settings

    choice = _choice(decision, person, "preview", where, guardian, "", identity, by)
    rows = [
        msgspec.to_builtins(one) | {"changes": one.changes, "since": to_text(one.since) if one.since else ""}
        for one in preview(folder, node_settings(folder).settings, [choice])
    ]
    names = ("study", "purpose", "state", "before", "after", "since", "running", "words")
    printer.value(rows, lambda: columns(rows, names))


@consent.command("study")
@ends
def study_verb(
    name: Annotated[str, typer.Argument(help="The study's id, as its agreement names it.")] = "",
    folder: Folder = Path("node"),
    basis: Annotated[str, typer.Option(help="consent, ethics-waiver, statutory-duty or permit.")] = "",
    pack: Annotated[list[str] | None, typer.Option(help="A law pack; may be repeated.")] = None,
    institution: Annotated[
        list[str] | None, typer.Option("--institution", help="What choices call its institution; may be repeated.")
    ] = None,
    commercial: Annotated[bool | None, typer.Option(help="Whether its use is commercial.")] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="A sensitive category that it touches ('none' for none); may be repeated.")
    ] = None,
    frozen: Annotated[str, typer.Option(help="Since when its cohort is frozen: an instant with a zone.")] = "",
    by: By = "",
) -> None:
    """Say on which basis and under which law packs a study stands here, or list what was said."""
    from xinglin.kernel.instants import from_text, system_clock
    from xinglin.node.consent import say_of_study, study_words
    from xinglin.terms.consent_use import StudyWord

    if basis:
        categories = None if category is None else tuple(sorted(set(category) - {"none"}))
        word = StudyWord(
            name,
            basis,
            tuple(sorted(set(pack or ()))),
            by,
            system_clock(),
            tuple(institution or ()),
            commercial,
            categories,
            from_text(frozen) if frozen else None,
        )
        say_of_study(folder, word)
    rows = [msgspec.to_builtins(one) for one in study_words(folder) if not name or one.study == name]
    printer.value(
        rows, lambda: columns(rows, ("study", "basis", "packs", "commercial", "categories", "frozen_at", "by"))
    )


def _choice(
    decision: str, person: str, source: str, where: Where, guardian: str, at: str, identity: str, by: str
) -> Choice:
    from xinglin.kernel.instants import from_text, system_clock
    from xinglin.terms.consent import Choice, Rule

    if decision not in ("permit", "deny"):
        raise BadChoice(f"'{decision[:40]}' is no decision.", remedy="Write permit or deny.")
    said = from_text(at) if at else system_clock()
    return Choice(
        person,
        Rule(decision, where),  # type: ignore[arg-type]
        said,
        source,
        said_at=at,
        delegate=_delegate(guardian),
        identity=_identity(identity, by),
    )


def _identity(how: str, by: str) -> IdentityCheck | None:
    from xinglin.kernel.instants import system_clock
    from xinglin.terms.consent import IdentityCheck

    if not how.strip():
        return None
    if not by.strip():
        raise BadChoice("Somebody checked the identity.", remedy="Name them with --by.")
    return IdentityCheck(how, by, system_clock())


def _delegate(text: str) -> Delegate | None:
    from xinglin.terms.consent import Delegate
    from xinglin.terms.consent_provisions import spread

    if not text:
        return None
    relation, *days = (part.strip() for part in text.split(","))
    try:
        dates = [spread(day) for day in days]
    except ValueError as error:
        raise BadChoice(
            "A day of the guardian cannot be read.", remedy="Write parent,2015-03-01,2033-03-01."
        ) from error
    if not 1 <= len(dates) <= 2:
        raise BadChoice("A guardian has a first day.", remedy="Write parent,2015-03-01,2033-03-01.")
    return Delegate(relation, "", dates[0][1], dates[1][0] if len(dates) == 2 else None)


def _told(receipt: ChoiceReceipt) -> None:
    value: dict[str, Any] = msgspec.to_builtins(receipt)
    value["words"] = "It was recorded before." if receipt.known else "Recorded; it holds from the next run on."
    printer.value(value, lambda: facts(value))


def _row(one: Choice) -> dict[str, Any]:
    from xinglin.kernel.instants import to_text

    return {
        "id": one.id,
        "person": one.person,
        "kind": one.kind,
        "decision": "" if one.rule is None else one.rule.decision,
        "at": one.said_at or to_text(one.at),
        "source": one.source,
        "by": "the person" if one.delegate is None else one.delegate.relation,
        "flags": ", ".join(one.flags),
    }
