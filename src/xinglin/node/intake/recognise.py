"""What the hospital named: a file, a folder, a listener to open, a server to ask; found out, not asked.

``mllp://:2575`` and ``dicom://TITLE@:11112`` and ``web://:8080`` are listeners of this node; ``https://…/fhir`` is
a FHIR server; ``postgresql://…`` and its like are databases; anything else is a path.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.node.intake.looking import Looking
from xinglin.node.intake.sources import Dicom, Files, Folder, Mllp, SourceFile, Web
from xinglin.node.intake.unread import Aside, UnreadFile, files_below
from xinglin.records.sniffing import UNKNOWN
from xinglin.stores.looking import printable

DATABASES = ("postgresql", "mysql", "mariadb", "mssql", "oracle", "sqlite")


class NotRecognised(XinglinError):
    """Nothing that can be connected."""

    code = "node.not_recognised"


class Found(msgspec.Struct, frozen=True):
    """What was named. ``way``: one of ``sources.WAYS``; ``media_type``: of its objects, empty where they say;
    ``files``: those that lie there now, and ``kinds`` the media type of each; ``unread``: those beside them that
    could not be read; ``url``: of a server, and ``why`` it is taken for what it is.
    """

    way: str
    name: str
    media_type: str
    why: str
    files: tuple[Path, ...] = ()
    url: str = ""
    kinds: tuple[str, ...] = ()
    unread: tuple[UnreadFile, ...] = ()


def recognise(what: str, name: str = "", looking: Looking | None = None) -> Found:
    """Find out what ``what`` is; ``name`` overrides the name of the source. Raises ``NotRecognised``.

    Files are opened by ``looking``, or by one for this call alone; raises what it raises.
    """
    scheme = what.partition("://")[0].lower() if "://" in what else ""
    if scheme in ("mllp", "dicom", "web"):
        return Found(scheme, name or scheme, "", f"a listener of this node ({what})", url=what)
    if scheme in ("http", "https"):
        return Found(
            "fhir", name or _slug(urlsplit(what).hostname or "fhir"), "", "the address of a FHIR server", url=what
        )
    if scheme.partition("+")[0] in DATABASES:
        return Found("sql", name or scheme.partition("+")[0], "", "the address of a database", url=what)
    if scheme:
        raise NotRecognised(
            f"'{scheme}://' is no way in.", remedy="Name a file, a folder or one of the known addresses."
        )
    path = Path(what)
    if not what or not (path.is_dir() or path.is_file()):
        raise NotRecognised(f"There is no file or folder '{what[:200]}'.", remedy="Check the path.")
    if looking is None:
        with Looking() as own:
            return _on_disk(path, name, own)
    return _on_disk(path, name, looking)


def _on_disk(path: Path, name: str, looking: Looking) -> Found:
    if path.is_dir():
        return _folder(path, name, looking)
    found = looking.sniffed(path)
    if found.media_type == UNKNOWN:
        words = f"'{printable(path.name)}' is nothing that can be read: {found.why}."
        raise NotRecognised(words, remedy="See docs/connect.md.")
    return Found("files", name or _slug(path.stem), found.media_type, found.why, (path,), "", (found.media_type,))


def listener(found: Found) -> SourceFile:
    """The source of a listener, from its address; raises ``NotRecognised`` where the port is missing."""
    parts = urlsplit(found.url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if not port:
        raise NotRecognised(f"{found.url} names no port.", remedy=f"Write {found.way}://:PORT.")
    host = parts.hostname or "127.0.0.1"
    if found.way == "mllp":
        return SourceFile(found.name, mllp=Mllp(port, host))
    if found.way == "web":
        return SourceFile(found.name, web=Web(port, f"{found.name}.secret", host))
    return SourceFile(found.name, dicom=Dicom(port, host, parts.username or "XINGLIN"))


def of_files(found: Found, *, watch: bool) -> SourceFile:
    """The source of files, or of a folder that is watched."""
    if watch and found.way == "folder":
        return SourceFile(found.name, folder=Folder(found.url), media_type=found.media_type)
    # No file's name is written down: it may name a person, and an erasure does not look there.
    return SourceFile(found.name, files=Files(), media_type=found.media_type)


def _folder(path: Path, name: str, looking: Looking) -> Found:
    """Every file of it says what it is; what does not is told, and ends nothing unless there is nothing else."""
    root = path.resolve()
    aside = Aside(str(root))
    kinds: dict[Path, str] = {}
    for one in files_below(root, aside):
        with aside.if_bad(one):
            sniffed = looking.sniffed(one)
            if sniffed.media_type == UNKNOWN:
                aside.unknown(one, sniffed.why)
            else:
                kinds[one] = sniffed.media_type
    if aside.told and not kinds:
        raise aside.nothing()
    known = Counter(kinds.values())
    # Files of several kinds each say their own; one kind is said for all.
    media_type = next(iter(known)) if len(known) == 1 else ""
    why = f"a folder of {len(kinds)} files ({', '.join(sorted(known)) or 'empty'})"
    found = Found("folder", name or _slug(path.name), media_type, why, tuple(kinds), str(root))
    return msgspec.structs.replace(found, kinds=tuple(kinds.values()), unread=aside.told)


def _slug(text: str) -> str:
    """A source's name: lower-case letters, digits and '-'.

    >>> _slug("Dataset_Diabetes 2")
    'dataset-diabetes-2'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (plain if plain[:1].isalpha() else f"source-{plain}".rstrip("-"))[:63]
