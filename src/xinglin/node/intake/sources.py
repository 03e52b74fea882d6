"""``sources.toml`` in the node's folder: every feed of this hospital, in words that its engineer edits.

Each ``[[source]]`` has a name, exactly one way in (``mllp``, ``dicom``, ``web``, ``folder``, ``fhir``, ``sql`` or
``files``), and what its objects need to be read. ``[nightly]`` says what runs by itself and when. Mappings lie beside
it, in ``mappings/``. Version 1; append-only.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from xinglin.feeds.fhir_subscribing import Content, Filter, filter_problems
from xinglin.intake.model import Source
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant, system_clock
from xinglin.kernel.limits import Limit
from xinglin.node.intake.keeping import changing, replace_mapping
from xinglin.records.moments import zone_of
from xinglin.stores.tls import write_private

SOURCES_FILE, MAPPINGS = "sources.toml", "mappings"
SOURCES_BYTES = Limit("sources.toml", 1024 * 1024, "bytes")
NAME_CHARACTERS = 63
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z")
WAYS = ("mllp", "dicom", "web", "folder", "fhir", "sql", "files")


class BadSources(XinglinError):
    """A sources file that cannot be read as one; nothing of it was taken."""

    code = "node.bad_sources"


class SourceTaken(XinglinError):
    """A new source would take the place of one that is written down."""

    code = "node.source_taken"
    status = 409


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key that is not known is refused."""


class Tls(_Strict, frozen=True):
    """PEM files of a listener; with ``clients`` only holders of a certificate of these authorities come in."""

    certificate: str
    key: str
    clients: str = ""


class Mllp(_Strict, frozen=True):
    """HL7 v2 over MLLP. ``peers``: networks that may connect (``10.1.0.0/16``); empty: the loopback alone."""

    port: int
    host: str = "127.0.0.1"
    peers: tuple[str, ...] = ()
    tls: Tls | None = None


class Dicom(_Strict, frozen=True):
    """A DICOM storage provider. ``mirror``: keep pixel data here; otherwise headers, and where the archive has them.

    ``callers``: application entities that may send; empty: any from ``peers``.
    """

    port: int
    host: str = "127.0.0.1"
    title: str = "XINGLIN"
    callers: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    mirror: bool = False
    tls: Tls | None = None


class Subscribed(_Strict, frozen=True):
    """What a FHIR server is asked to notify of. ``topic``: canonical URL of one of its topics; ``endpoint``: the
    address of this door as the server reaches it, up to ``/fhir``; ``filters``: what of each resource type.
    """

    endpoint: str
    topic: str = ""
    content: Content = "full-resource"
    filters: tuple[Filter, ...] = ()


class Web(_Strict, frozen=True):
    """An HTTP listener inside the hospital: FHIR notifications, STOW-RS, QIDO-RS and WADO-RS.

    ``secret_file``: file whose first line callers have to show as a bearer token. ``server``: the ``fhir`` source that
    is asked for what a notification only names; empty: the only one there is. ``subscription``: what that server is
    asked to notify of.
    """

    port: int
    secret_file: str
    host: str = "127.0.0.1"
    tls: Tls | None = None
    server: str = ""
    subscription: Subscribed | None = None


class Folder(_Strict, frozen=True):
    """A drop folder: files are taken when they no longer grow, and moved to ``taken`` or ``failed``."""

    path: str
    pattern: str = "*"
    every_s: float = 5.0


class Smart(_Strict, frozen=True):
    """SMART Backend Services: this node asks for tokens itself, with a key that the server knows.

    ``key_file``: private key, PEM, mode 600; never in this file. ``key_id``: the key's id at the server; empty: its
    thumbprint (RFC 7638). ``algorithm``: ``ES384`` or ``RS384``.
    """

    client_id: str
    token_url: str
    key_file: str
    key_id: str = ""
    algorithm: Literal["ES384", "RS384"] = "ES384"
    scope: str = "system/*.rs"


class FhirServer(_Strict, frozen=True):
    """A FHIR server. ``how``: ``export`` (Bulk Data) or ``search``. ``token_file``: bearer token, first line.

    ``smart``: how tokens are asked for instead. ``schedule``: five fields of a crontab line, in the source's zone;
    empty: only when asked. ``file_origins``: other servers on which exported files may lie.
    """

    url: str
    how: str = "export"
    types: tuple[str, ...] = ()
    token_file: str = ""
    schedule: str = "0 2 * * *"
    file_origins: tuple[str, ...] = ()
    smart: Smart | None = None


class Counted(_Strict, frozen=True):
    """What a database counts of a day: ``kind`` as ``xinglin intake reconcile`` has it, the column of the day, and the
    column of the records' own keys; without that, a difference is not explained record by record.
    """

    kind: str
    day: str
    key: str = ""


class Sql(_Strict, frozen=True):
    """A read-only database. ``url_file``: file with the SQLAlchemy URL, so that no password stands here.

    ``query``: a SELECT, or ``table``. ``watermark``: column that grows with every change; ``overlap_s`` is read again.
    ``order``: columns that order rows of one watermark. ``strict``: refuse a login that may write. ``schedule``: five
    fields of a crontab line, in the source's zone; empty: only when asked. ``rows``: of one object. ``counts``: what
    is reconciled each night; empty: what the mapping says by itself.
    """

    url_file: str
    table: str = ""
    query: str = ""
    watermark: str = ""
    overlap_s: float = 600.0
    schedule: str = "0 2 * * *"
    order: tuple[str, ...] = ()
    strict: bool = True
    rows: int = 50_000
    counts: tuple[Counted, ...] = ()


class Files(_Strict, frozen=True):
    """Files that were handed over by ``xinglin connect``; more come by calling it again."""

    last: str = ""


class SourceFile(_Strict, frozen=True):
    """One ``[[source]]``. ``mapping``: name of a file in ``mappings/``; the rest as ``intake.Source`` says."""

    name: str
    mllp: Mllp | None = None
    dicom: Dicom | None = None
    web: Web | None = None
    folder: Folder | None = None
    fhir: FhirServer | None = None
    sql: Sql | None = None
    files: Files | None = None
    media_type: str = ""
    zone: str = "+08:00"
    charset: str = "utf-8"
    release: str = "R4"
    mapping: str = ""
    namespace: str = ""
    retention: str = "inpatient"
    tables: tuple[str, ...] = ()
    takes_erased: bool = False
    enabled: bool = True

    @property
    def way(self) -> str:
        """How its objects come in."""
        return next(way for way in WAYS if getattr(self, way) is not None)

    def source(self, folder: Path) -> Source:
        """As the intake registers it, the mapping's text included; raises ``BadSources`` where that is missing."""
        return Source(
            self.name, self.media_type, self.zone, self.charset, self.release, self._mapping(folder), self.namespace,
            self.retention, self.tables, takes_erased=self.takes_erased,
        )  # fmt: skip

    def _mapping(self, folder: Path) -> str:
        if not self.mapping:
            return ""
        try:
            return (folder / MAPPINGS / self.mapping).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            remedy = f"Put it there, or change 'mapping' of '{self.name}' in {SOURCES_FILE}."
            raise BadSources(f"The mapping {MAPPINGS}/{self.mapping} cannot be read.", remedy=remedy) from error


class Nightly(_Strict, frozen=True):
    """``[nightly]``: what runs by itself every day, each at a time (``04:30``); ``""`` is off.

    ``zone``: of these times and days; empty: the first source's. ``match``: probable matches of the patient index,
    where the hospital decided about it (``patients.toml``).
    """

    match: str = "04:00"
    drift: str = "04:30"
    quality: str = "05:00"
    reconcile: str = "05:30"
    zone: str = ""


class _Document(_Strict, frozen=True):
    """The whole file."""

    version: int = 1
    source: tuple[SourceFile, ...] = ()
    nightly: Nightly = Nightly()


def read_sources(folder: Path) -> tuple[SourceFile, ...]:
    """The sources of the node's folder; none where there is no file. Raises ``BadSources``."""
    return _read(folder).source


def read_nightly(folder: Path) -> Nightly:
    """What runs by itself, its zone filled in; the defaults where there is no file. Raises ``BadSources``."""
    found = _read(folder)
    first = next((one.zone for one in found.source if one.enabled), SourceFile("x").zone)
    return found.nightly if found.nightly.zone else msgspec.structs.replace(found.nightly, zone=first)


def _read(folder: Path) -> _Document:
    try:
        text = (folder / SOURCES_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return _Document()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSources(f"{SOURCES_FILE} cannot be read.", remedy="It is a text file in UTF-8.") from error
    return _parsed(text)


def parse_sources(text: str) -> tuple[SourceFile, ...]:
    """The sources of a TOML text; raises ``BadSources``, which names the line or the nearest known key.

    >>> [source.way for source in parse_sources('[[source]]\\nname = "his"\\nmllp = { port = 2575 }')]
    ['mllp']
    """
    return _parsed(text).source


def _parsed(text: str) -> _Document:
    if len(text.encode()) > SOURCES_BYTES.value:
        raise BadSources(f"{SOURCES_FILE} has more than {SOURCES_BYTES.value} {SOURCES_BYTES.unit}.")
    try:
        found = msgspec.convert(tomllib.loads(text), _Document)
    except tomllib.TOMLDecodeError as error:
        raise BadSources(f"{SOURCES_FILE} is not TOML: {error}.") from error
    except msgspec.ValidationError as error:
        raise BadSources(f"{SOURCES_FILE}: {error}.", remedy=_nearest(str(error))) from error
    if found.version != 1:
        raise BadSources(f"{SOURCES_FILE} has version {found.version}; this program reads 1.")
    for problem in (*_problems(found.source), *_nightly_problems(found.nightly)):
        raise BadSources(problem)
    return found


def write_source(folder: Path, source: SourceFile, mapping: str = "") -> Path:
    """Add or replace one source, and its mapping's text; the file is written whole, and comments elsewhere go.

    The file that was there is kept as ``sources.toml.before``, and the mapping in ``mappings/earlier/``.
    """
    with changing(folder):
        return write_locked(folder, source, mapping, system_clock())


def add_source(folder: Path, source: SourceFile, mapping: str = "") -> Path:
    """The same of a source that is new; raises ``SourceTaken`` where its name or its mapping's is in use."""
    with changing(folder):
        if source.name in names_taken(folder):
            remedy = "Look at the files again: they get a name that is free."
            raise SourceTaken(f"A source has the name '{source.name}' by now.", remedy=remedy)
        return write_locked(folder, source, mapping, system_clock())


def names_taken(folder: Path) -> frozenset[str]:
    """Names that no new source may have: those of sources, and those of mappings that lie there or are in use."""
    held = read_sources(folder)
    lying = (folder / MAPPINGS).glob("*.toml")
    return frozenset({*(one.name for one in held), *(Path(one.mapping).stem for one in held if one.mapping)}) | {
        one.stem for one in lying
    }


def write_locked(folder: Path, source: SourceFile, mapping: str, at: Instant) -> Path:
    """``write_source`` for whoever holds the lock (``keeping.changing``)."""
    held = _read(folder)
    chosen = (*(one for one in held.source if one.name != source.name), source)
    for problem in _problems(chosen):
        raise BadSources(problem)
    if mapping:
        replace_mapping(folder / MAPPINGS / source.mapping, mapping.encode(), at)
    path = folder / SOURCES_FILE
    if path.exists():
        write_private(path.with_name(SOURCES_FILE + ".before"), path.read_bytes())
    write_private(path, _toml(chosen, held.nightly).encode())
    return path


def _problems(sources: tuple[SourceFile, ...]) -> Iterator[str]:
    seen: set[str] = set()
    for source in sources:
        ways = [way for way in WAYS if getattr(source, way) is not None]
        if not _NAME.match(source.name):
            yield f"'{source.name[:80]}' is not a source's name: lower-case letters, digits and '-', a letter first."
        if source.name in seen:
            yield f"Two sources have the name '{source.name}'."
        if len(ways) != 1:
            yield f"The source '{source.name}' needs one way in ({', '.join(WAYS)}); it has {len(ways)}."
        if Path(source.mapping).name != source.mapping:
            yield f"The mapping of '{source.name}' is the name of a file in {MAPPINGS}/, not a path."
        if source.sql is not None and bool(source.sql.table) == bool(source.sql.query):
            yield f"The source '{source.name}' needs a table or a query, one of them."
        if source.fhir is not None and source.fhir.how not in ("export", "search"):
            yield f"The source '{source.name}' asks its FHIR server by 'export' or 'search'."
        if source.fhir is not None and source.fhir.smart is not None and source.fhir.token_file:
            yield f"The source '{source.name}' has a token or asks for tokens, one of them."
        if source.fhir is not None and source.fhir.smart is not None and "-----BEGIN" in source.fhir.smart.key_file:
            yield f"The key of '{source.name}' stands in {SOURCES_FILE}: put it into a file, and its name here."
        seen.add(source.name)
    yield from _server_problems(sources)


def _server_problems(sources: tuple[SourceFile, ...]) -> Iterator[str]:
    servers = {one.name for one in sources if one.fhir is not None}
    for one in sources:
        if one.web is not None and one.web.server and one.web.server not in servers:
            yield f"'{one.web.server[:80]}', which '{one.name}' names as its server, is no source with 'fhir'."
        if one.web is not None and (way := one.web.subscription) is not None:
            for problem in filter_problems(way.topic, way.endpoint, way.filters, one.release, way.content):
                yield f"The subscription of '{one.name}': {problem}."


def _nightly_problems(nightly: Nightly) -> Iterator[str]:
    for name in ("match", "drift", "quality", "reconcile"):
        time = getattr(nightly, name)
        if time and not _TIME.match(time):
            yield f"[nightly] {name} = '{time[:20]}' is no time of a day: write '04:30', or '' for never."
    if nightly.zone and not _known_zone(nightly.zone):
        yield f"[nightly] zone = '{nightly.zone[:40]}' is no zone: write '+08:00' or 'Asia/Shanghai'."


def _known_zone(zone: str) -> bool:
    try:
        zone_of(zone)
    except (XinglinError, ValueError, KeyError):
        return False
    return True


def _nearest(words: str) -> str:
    named = re.search(r"unknown field `([^`]*)`", words)
    if named is None:
        return ""
    kinds = (
        SourceFile,
        Mllp,
        Dicom,
        Web,
        Subscribed,
        Filter,
        Folder,
        FhirServer,
        Smart,
        Sql,
        Counted,
        Files,
        Tls,
        Nightly,
        _Document,
    )
    known = sorted({field.name for kind in kinds for field in msgspec.structs.fields(kind)})
    close = difflib.get_close_matches(named[1], known, 1)
    return f"Did you mean '{close[0]}'?" if close else ""


_EVERY_NIGHT = Nightly()


def _toml(sources: tuple[SourceFile, ...], nightly: Nightly = _EVERY_NIGHT) -> str:
    lines = ["# Written by 'xinglin connect'; edit it, then: xinglin intake reload", "version = 1"]
    if nightly != _EVERY_NIGHT:
        lines += ["", *_section("nightly", msgspec.to_builtins(nightly))]
    for source in sources:
        plain: dict[str, Any] = msgspec.to_builtins(source)
        lines += ["", "[[source]]"]
        lines += [f"{key} = {_value(value)}" for key, value in plain.items() if not isinstance(value, dict)]
        for key, value in plain.items():
            if isinstance(value, dict):
                lines += _section(f"source.{key}", value)
    return "\n".join(lines) + "\n"


def _section(name: str, values: dict[str, Any]) -> list[str]:
    lines = [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items() if not isinstance(value, dict))]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += _section(f"{name}.{key}", value)
    return lines


def _value(value: Any) -> str:
    """A TOML value; JSON's texts, numbers, booleans and arrays are TOML's too (U+007F apart)."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(found)}" for key, found in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
