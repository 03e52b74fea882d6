"""Connecting a FHIR server or a database: what it can do, a first page or first rows, and the source to write down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.node.intake.connecting import Proposal, Sample, try_body
from xinglin.node.intake.looking import Looking
from xinglin.node.intake.pullers import SEARCHED, fhir_client
from xinglin.node.intake.recognise import Found, NotRecognised
from xinglin.node.intake.smart import client_key, smart_access
from xinglin.node.intake.sources import FhirServer, Smart, SourceFile, Sql
from xinglin.records.sniffing import FHIR, PARQUET
from xinglin.stores.tls import write_private

if TYPE_CHECKING:
    from xinglin.feeds.fhir_session import FhirSession

SAMPLE_ROWS, SAMPLE_PAGE = 200, 20
_SAMPLED = ("Patient", "Encounter", "Observation")


class Asked(msgspec.Struct, frozen=True):
    """What a person gave beside the address. ``secret``: a database's URL, or a bearer token.

    ``smart``: how this node asks a FHIR server for tokens instead.
    """

    secret: str = ""
    table: str = ""
    query: str = ""
    watermark: str = ""
    schedule: str = "0 2 * * *"
    how: str = ""
    zone: str = "+08:00"
    charset: str = "utf-8"
    namespace: str = ""
    smart: Smart | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Asked(table={self.table!r}, how={self.how!r})"


class Met(msgspec.Struct, frozen=True):
    """A server that answered: the source to write down, what it said of itself, and the rows of a sample."""

    proposal: Proposal
    words: tuple[str, ...]
    sample: Sample
    secret: str = ""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Met({self.proposal.source.name!r})"


class _Operation(msgspec.Struct):
    name: str = ""


class _Kind(msgspec.Struct):
    type: str


class _Rest(msgspec.Struct):
    operation: list[_Operation] = []
    resource: list[_Kind] = []


class _Software(msgspec.Struct):
    name: str = ""


class _Capability(msgspec.Struct, rename="camel"):
    fhir_version: str = ""
    software: _Software | None = None
    rest: list[_Rest] = []


# --- databases -----------------------------------------------------------------------------------


def meet_database(found: Found, asked: Asked, clock: Clock = system_clock) -> Met:
    """Open a database read-only, read first rows, propose a mapping. Raises ``SqlError`` or ``NotRecognised``."""
    from xinglin.feeds.sql_model import SqlSource
    from xinglin.feeds.sql_puller import SqlPuller

    if bool(asked.table) == bool(asked.query):
        raise NotRecognised("A database needs a table or a query.", remedy="Say --table NAME, or --query 'SELECT …'.")
    url = asked.secret or found.url
    puller = SqlPuller(
        SqlSource(found.name, url, asked.table, asked.query, asked.watermark, rows=SAMPLE_ROWS, nulls=False), clock
    )
    try:
        report = puller.report()
        first = next(iter(puller.pull()), None)
    finally:
        puller.close()
    if first is None:
        raise NotRecognised("The table has no row to learn from.", remedy="Connect it once it has.")
    with Looking() as looking:
        suggestion = looking.proposed_bytes(first.received.body, f"{_plain(asked.table, found.name)}.parquet")
    way = Sql(f"{found.name}.url", asked.table, asked.query, asked.watermark, schedule=asked.schedule)
    source = _common(SourceFile(found.name, sql=way, media_type=PARQUET, mapping=f"{found.name}.toml"), asked)
    proposal = Proposal(source, (), suggestion.toml, suggestion)
    words = (
        f"{report.dialect}, {len(report.columns)} columns, read-only",
        *report.warnings,
        *(() if asked.watermark else ("without --watermark the whole table is read each time",)),
    )
    return Met(proposal, words, _tried(proposal, first.received.body, PARQUET, clock()), url)


def _plain(table: str, otherwise: str) -> str:
    """What the proposal is named after: the table, or the source where the table's name has no plain letters."""
    name = table.rpartition(".")[2]
    return name if name and name.isascii() else otherwise


# --- FHIR servers --------------------------------------------------------------------------------


def key_to_register(found: Found, asked: Asked, folder: Path) -> dict[str, Any] | None:
    """The public key that a server has to know before it gives tokens, drawn where there is none; else None."""
    if asked.smart is None:
        return None
    return client_key(folder, SourceFile(found.name, fhir=FhirServer(found.url, smart=asked.smart)))


async def meet_fhir(
    found: Found, asked: Asked, ca_file: Path | None, clock: Clock = system_clock, folder: Path | None = None
) -> Met:
    """Ask a FHIR server what it is, and for a first page; ``folder``: where the key lies by which tokens are asked for.

    Raises ``FhirFeedError``, ``BadClientKey`` or ``NotRecognised``.
    """
    from xinglin.feeds.fhir_session import Bearer, FhirSession
    from xinglin.feeds.fhir_session import FhirServer as Server

    if asked.smart is not None and (asked.secret or folder is None):
        raise NotRecognised("A server takes a bearer token or a key of this node.", remedy="Give one of them.")
    bearer = Bearer(asked.secret) if asked.secret else None
    access = smart_access(asked.smart, folder) if asked.smart is not None and folder is not None else bearer
    async with fhir_client(ca_file) as client:
        session = FhirSession(Server(found.url, access, plain_loopback=True), client, clock)
        capability = await _capability(session)
        offered = {kind.type for rest in capability.rest for kind in rest.resource}
        exports = any(one.name.lower().endswith("export") for rest in capability.rest for one in rest.operation)
        how = asked.how or ("export" if exports else "search")
        types = tuple(kind for kind in SEARCHED if not offered or kind in offered)
        page = await _page(session, types)
    token_file = f"{found.name}.token" if asked.secret else ""
    way = FhirServer(found.url, how, types, token_file, schedule=asked.schedule, smart=asked.smart)
    release = "R5" if capability.fhir_version.startswith("5") else "R4B" if capability.fhir_version == "4.3.0" else "R4"
    source = _common(SourceFile(found.name, fhir=way, release=release), asked)
    proposal = Proposal(source, ())
    software = capability.software.name if capability.software else "a FHIR server"
    words = (
        f"{software[:80]}, FHIR {capability.fhir_version[:20]}, {len(types)} kinds of record",
        "it exports in bulk" if exports else "it has no bulk export: it is searched, kind by kind",
    )
    return Met(proposal, words, _tried(proposal, page, FHIR, clock()), asked.secret)


async def _capability(session: FhirSession) -> _Capability:
    answer = await session.call("GET", "metadata", headers={"Accept": "application/fhir+json"})
    try:
        return msgspec.json.decode(answer.content, type=_Capability)
    except msgspec.DecodeError as error:
        raise NotRecognised(
            "What answers there is no FHIR server.", remedy="Name its base address, as in https://host/fhir."
        ) from error


async def _page(session: FhirSession, types: tuple[str, ...]) -> bytes:
    """One bundle with some records of each sampled kind."""
    entries: list[Any] = []
    for kind in _SAMPLED:
        if kind in types:
            path = f"{kind}?_count={SAMPLE_PAGE}"
            answer = await session.call("GET", path, headers={"Accept": "application/fhir+json"})
            entries += msgspec.json.decode(answer.content).get("entry", [])
    return msgspec.json.encode({"resourceType": "Bundle", "type": "searchset", "entry": entries})


# --- both ----------------------------------------------------------------------------------------


def write_secret(folder: Path, met: Met) -> str:
    """Write the address or token into the file that the source names (mode 600); its name, empty for none."""
    source = met.proposal.source
    name = source.sql.url_file if source.sql is not None else source.fhir.token_file if source.fhir is not None else ""
    if name and met.secret:
        write_private(folder / name, (met.secret + "\n").encode())
    return name


def _common(source: SourceFile, asked: Asked) -> SourceFile:
    return msgspec.structs.replace(source, zone=asked.zone, charset=asked.charset, namespace=asked.namespace)


def _tried(proposal: Proposal, body: bytes, media_type: str, at: Instant) -> Sample:
    found = try_body(proposal, body, media_type, at)
    if found is None:
        raise XinglinError("The sample has nothing that can be read.", remedy="Connect it once it has records.")
    return found
