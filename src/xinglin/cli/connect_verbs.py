"""``xinglin connect``: from what a hospital has to tables that studies can use, in one guided command."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.connect_shown import shown, summary, unread
from xinglin.cli.given import given
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import PARTLY, ends, printer

if TYPE_CHECKING:
    from xinglin.node.intake.connecting import Proposal
    from xinglin.node.intake.loading import Progress
    from xinglin.node.intake.looking import Looking
    from xinglin.node.intake.recognise import Found
    from xinglin.node.intake.servers import Asked
    from xinglin.node.intake.sources import Smart, SourceFile


def add_to(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command()(connect)


@contextmanager
def _smart(
    smart_client: Annotated[
        str, typer.Option(help="Of a FHIR server: the id under which it knows this node (SMART Backend Services).")
    ] = "",
    smart_token_url: Annotated[str, typer.Option(help="Where that server gives tokens.")] = "",
    smart_scope: Annotated[str, typer.Option(help="What is asked for there.")] = "system/*.rs",
    smart_algorithm: Annotated[str, typer.Option(help="Of the key: ES384 or RS384.")] = "ES384",
) -> Iterator[Smart | None]:
    """How tokens are asked for with a key of this node; None where nothing is said of it."""
    import msgspec

    from xinglin.cli.quality_verbs import BadChoice
    from xinglin.node.intake.sources import Smart

    if bool(smart_client) != bool(smart_token_url):
        raise BadChoice("Tokens are asked for by a client at a URL.", remedy="Give both --smart-client and its URL.")
    if not smart_client:
        yield None
        return
    given = {"client_id": smart_client, "token_url": smart_token_url, "key_file": ""}
    try:
        yield msgspec.convert({**given, "scope": smart_scope, "algorithm": smart_algorithm}, Smart)
    except msgspec.ValidationError:
        raise BadChoice("The key is of no algorithm that is known.", remedy="Write ES384 or RS384.") from None


@ends
@given("smart", _smart)
def connect(
    what: Annotated[
        str, typer.Argument(help="A file, a folder, mllp://:PORT, dicom://TITLE@:PORT, or a server's URL.")
    ],
    smart: Smart | None,
    folder: Folder = Path("node"),
    name: Annotated[str, typer.Option(help="Name of the source; by default from what is named.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take what is proposed without asking.")] = False,
    mapping: Annotated[Path | None, typer.Option(help="Mapping of tables (TOML) instead of the proposed one.")] = None,
    zone: Annotated[str, typer.Option(help="Zone of times that have none.")] = "+08:00",
    charset: Annotated[str, typer.Option(help="Character set of what names none.")] = "utf-8",
    namespace: Annotated[str, typer.Option(help="Put before every key, where two sources use the same keys.")] = "",
    watch: Annotated[bool, typer.Option(help="Keep watching a folder.")] = False,
    publish: Annotated[str, typer.Option(help="Publish everything loaded as a data set of this name.")] = "",
    title: Annotated[str, typer.Option(help="Title of the published data set.")] = "",
    try_only: Annotated[bool, typer.Option("--try", help="Show what it would make, and change nothing.")] = False,
    table: Annotated[str, typer.Option(help="Of a database: the table (SCHEMA.TABLE).")] = "",
    query: Annotated[str, typer.Option(help="Of a database: one SELECT instead of a table.")] = "",
    watermark: Annotated[str, typer.Option(help="Of a database: the column that grows with every change.")] = "",
    how: Annotated[str, typer.Option(help="Of a FHIR server: export or search; by default what it offers.")] = "",
    schedule: Annotated[str, typer.Option(help="When a server is asked (crontab).")] = "0 2 * * *",
    secret_file: Annotated[
        Path | None, typer.Option(help="First line: the database's whole URL, or the server's bearer token.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Find out what a source is, try a sample, show its rows, write the configuration, start the feed."""
    from xinglin.node.intake.looking import Looking

    with Looking() as looking:
        found, told = _recognised(what, name, looking)
        go = _Answers(yes, try_only)
        if found.way in ("files", "folder"):
            secret = passphrase(passphrase_file, ask_passphrase)
            proposals, tried = _tried(found, watch, mapping, (zone, charset, namespace), looking)
            told |= tried
    if found.way in ("files", "folder"):
        if go.on("Load it?"):
            told["loaded"] = _load(folder, proposals, secret)
            if publish:
                told["published"] = _publish(folder, publish, title or publish, proposals, secret)
    elif found.way in ("fhir", "sql"):
        from xinglin.node.intake.servers import Asked

        smart = smart and _keyed(smart, found.name)
        asked = Asked(_secret(secret_file), table, query, watermark, schedule, how, zone, charset, namespace, smart)
        told |= _connect_server(folder, found, asked, mapping, go)
    else:
        source = _listener(found, zone, charset, namespace)
        if go.on(f"Write it to {folder}/sources.toml?"):
            told |= _listen(folder, source)
    printer.value(told, lambda: summary(told) or "Nothing was changed.")
    if told.get("unread") or any(one.get("unread") for one in told.get("loaded", ())):
        raise typer.Exit(PARTLY)


def _recognised(what: str, name: str, looking: Looking) -> tuple[Found, dict[str, Any]]:
    from xinglin.node.intake.recognise import recognise

    found = recognise(what, name, looking)
    printer.note(f"{found.name}: {found.why}.")
    return found, {"source": found.name, "way": found.way, "why": found.why}


class _Answers:
    """What a person says to a question, or said beforehand."""

    def __init__(self, yes: bool, try_only: bool) -> None:
        self._yes, self._try_only = yes, try_only

    def on(self, question: str) -> bool:
        """Whether to go on."""
        return not self._try_only and _agreed(self._yes, question)


def _secret(file: Path | None) -> str:
    from xinglin.node.intake.pullers import first_line

    return first_line(file) if file is not None else ""


def _keyed(smart: Smart, name: str) -> Smart:
    """With the file of the source's own key."""
    import msgspec

    return msgspec.structs.replace(smart, key_file=f"{name}.key")


def _connect_server(folder: Path, found: Found, asked: Asked, mapping: Path | None, go: _Answers) -> dict[str, Any]:
    """Meet a server or database, show rows, write secret and source; ask it soon or at its time."""
    import asyncio

    import msgspec

    from xinglin.node.intake.servers import key_to_register, meet_database, meet_fhir, write_secret
    from xinglin.node.joining import joined_space
    from xinglin.node.settings import node_settings

    if found.way == "sql":
        if not asked.secret and ":" in found.url.partition("://")[2].rpartition("@")[0]:
            printer.note("The password stood on the command line, where histories keep it: --secret-file is better.")
        met = meet_database(found, asked)
    else:
        if asked.smart is not None and not (folder / asked.smart.key_file).exists():
            if not go.on(f"Draw a key for it in {folder}?"):
                return {}
            drawn = key_to_register(found, asked, folder)
            printer.note("A key was drawn. Have the server register its public half, then say the same again:")
            printer.note(f"  {msgspec.json.encode(drawn).decode()}")
            return {"register": drawn}
        ca_file = node_settings(folder).settings.ca_file
        met = asyncio.run(meet_fhir(found, asked, Path(ca_file) if ca_file else None, folder=folder))
    proposal = met.proposal
    if mapping is not None and proposal.mapping:
        proposal = msgspec.structs.replace(proposal, mapping=mapping.read_text(encoding="utf-8"))
    for words in met.words:
        printer.note(f"  {words}")
    if not printer.as_json:
        printer.note(shown(proposal, met.sample))
    told: dict[str, Any] = {"server": list(met.words), "sample": [msgspec.to_builtins(met.sample)]}
    if not go.on(f"Write it to {folder}/sources.toml?"):
        return told
    joined_space(folder)
    write_secret(folder, met)
    return told | _listen(folder, proposal.source, proposal.mapping, f"xinglin intake pull {proposal.source.name}")


def _tried(
    found: Found, watch: bool, mapping: Path | None, given: tuple[str, str, str], looking: Looking
) -> tuple[tuple[Proposal, ...], dict[str, Any]]:
    """The proposals, a sample of each, and what could not be read; raises where nothing could."""
    import msgspec

    from xinglin.node.intake.starting import tried_with

    zone, charset, namespace = given
    own = mapping.read_text(encoding="utf-8") if mapping is not None else None
    tried = tried_with(
        found, looking, watch=watch, mapping=own, zone=zone, charset=charset, namespace=namespace
    )  # fmt: skip
    samples = []
    for proposal, sample in zip(tried.proposals, tried.samples, strict=True):
        if not printer.as_json:
            printer.note(shown(proposal, sample))
        notes = {"notes": [*proposal.notes]} if proposal.notes else {}
        samples.append({"source": proposal.source.name, **msgspec.to_builtins(sample), **notes})
    if tried.unread:
        printer.note(unread(tried.unread))
    return tried.proposals, {"sample": samples, "unread": msgspec.to_builtins(tried.unread)}


def _agreed(yes: bool, question: str) -> bool:
    if yes:
        return True
    return sys.stdin.isatty() and typer.confirm(question, default=True, err=True)


def _load(folder: Path, proposals: tuple[Proposal, ...], secret: str) -> list[dict[str, Any]]:
    from xinglin.node.intake.starting import start_sources

    def tell(progress: Progress) -> None:
        if sys.stderr.isatty():
            printer.note(f"  {progress.kept} of {progress.files} files kept, {progress.records} records carried")

    return start_sources(folder, proposals, secret, tell=tell, problems=_note_problems)


def _note_problems(problems: Mapping[str, str]) -> None:
    for name, words in problems.items():
        printer.note(f"{name}: {words}")


def _publish(folder: Path, name: str, title: str, proposals: tuple[Proposal, ...], secret: str) -> dict[str, Any]:
    from xinglin.cli.catalogue_verbs import publish_description
    from xinglin.kernel.instants import system_clock
    from xinglin.node.consent import published_persons
    from xinglin.node.intake.connecting import describe
    from xinglin.node.intake.wiring import open_lake
    from xinglin.node.joining import open_node_keys
    from xinglin.node.settings import node_settings

    did = open_node_keys(folder, secret).did
    suggestions = [one.suggestion for one in proposals if one.suggestion is not None]
    lake, persons = open_lake(folder, node_settings(folder).settings), published_persons(folder, system_clock())
    described = describe(lake, name, title, did, suggestions=suggestions, persons=persons)
    found = publish_description(folder, did, described)
    return {**found, "tables": {table.name: len(table.columns) for table in described.tables}}


def _listener(found: Found, zone: str, charset: str, namespace: str) -> SourceFile:
    import msgspec

    from xinglin.node.intake.recognise import listener

    return msgspec.structs.replace(listener(found), zone=zone, charset=charset, namespace=namespace)


def _listen(folder: Path, source: SourceFile, mapping: str = "", now: str = "") -> dict[str, Any]:
    from xinglin.node.intake.sources import write_source
    from xinglin.node.intake.starting import intake_follows
    from xinglin.node.intake.web import make_secret
    from xinglin.node.joining import joined_space

    joined_space(folder)
    told: dict[str, Any] = {}
    if source.web is not None:
        make_secret(folder, source.web)
        told["secret_file"] = str(folder / source.web.secret_file)
    written = write_source(folder, source, mapping)
    problems = intake_follows(folder)
    running = problems is not None
    _note_problems(problems or {})
    here = f" --folder {folder}"
    then = "it listens now" if not now else f"it is asked at its time; now: {now}{here}"
    if not running:
        then = f"the running node starts it, or: xinglin intake run{here}"
    return {**told, "written": str(written), "listens": running, "next": then}
