"""Connecting a source, step by step: find out what it is, try a sample, propose a mapping, write it down, publish.

1. ``recognise`` says what was named. 2. ``plan`` proposes the source, with a mapping where tables need one.
3. ``try_out`` reads a sample and shows the rows that it would make. 4. ``write_source`` and ``load`` start the
feed. 5. ``describe`` makes the public description, which the desk publishes.

Steps 1 to 3 meet files that nobody trusts: their bytes are read in a child (``looking``), never here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from xinglin.catalogue.model import DataSetDescription, TableDescription
from xinglin.intake.model import Source
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.lake.delta import Lake
from xinglin.node.intake.looking import Looking
from xinglin.node.intake.looks import APART, DATABASE, TABLE, VOCABULARY, Images, Omop, Sample, images_of, joined
from xinglin.node.intake.recognise import Found, NotRecognised, of_files
from xinglin.node.intake.sources import MAPPINGS, SourceFile
from xinglin.node.intake.unread import Aside, UnreadFile
from xinglin.records.sniffing import ARCHIVES, CSV, DICOM, EXCEL, GZIP, JSON_LINES, OLD_EXCEL, PARQUET, ZIP
from xinglin.terms.consent import PersonFilter

if TYPE_CHECKING:
    from xinglin.records.tabular.suggestion import Suggestion

TABULAR = frozenset({CSV, EXCEL, OLD_EXCEL, PARQUET, JSON_LINES, ZIP, GZIP})
_IMAGED = ARCHIVES | {DICOM}
COUNTED_FILES = 200
"""In so many files of a source images are counted."""
_WHOLE_OMOP = "Tables of OMOP CDM 5.4, recognised by their columns: nothing was guessed, and no mapping is needed."
_LEFT_OUT = "Left out, since it makes no rows: {name}. Concepts become codes where tables and CONCEPT are in one zip."


class NothingToPublish(XinglinError):
    """No table has enough persons to be described."""

    code = "node.nothing_to_publish"


class Proposal(msgspec.Struct, frozen=True):
    """A source to be written down: its files, its mapping's text, and what the mapping was proposed from.

    ``kinds``: the media type of each file; ``notes``: what a person should know of it. ``held``: the source is written
    down already, and stays as it is. ``wanted``: the name that it would have had, and that is another's.
    """

    source: SourceFile
    files: tuple[Path, ...]
    mapping: str = ""
    suggestion: Suggestion | None = None
    notes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    held: bool = False
    wanted: str = ""


class _Proposed(msgspec.Struct, frozen=True):
    """A file of tables, and what was made of it."""

    path: Path
    omop: Omop
    suggestion: Suggestion | None

    @property
    def layout(self) -> tuple[str, ...]:
        """Files of one layout are one source."""
        return tuple(one.name for one in self.suggestion.columns) if self.suggestion is not None else (DATABASE,)


class Plan(msgspec.Struct, frozen=True):
    """The sources that are proposed, and the files that are in none of them because they could not be read."""

    proposals: tuple[Proposal, ...]
    unread: tuple[UnreadFile, ...] = ()


def plan(found: Found, looking: Looking, *, watch: bool = False) -> Plan:
    """The sources of files or a folder: one for everything that says what it is, one for each layout of table.

    Tables of OMOP CDM are known by their columns and have their mappings; for others one is proposed. A file that
    does harm, or has no row to learn from, is told beside the plan; raises its error where it is the only one, and
    ``NothingRead`` where nothing of a folder is left.
    """
    aside = Aside(found.url, found.unread)
    kinds = dict(zip(found.files, found.kinds, strict=True))
    tables, packed = _proposed(found, kinds, looking, aside)
    others = tuple(path for path in found.files if kinds[path] not in TABULAR or path in packed)
    proposed, notes = _without_idle(tables, looking, aside, alone=not others)
    groups: dict[tuple[str, ...], list[_Proposed]] = {}
    for one in proposed:
        groups.setdefault(one.layout, []).append(one)
    if aside.told and not others and not groups:
        raise aside.nothing()
    proposals = []
    if others or not groups:
        rest = msgspec.structs.replace(found, files=others)
        source = of_files(rest, watch=watch and not groups)
        proposals.append(Proposal(source, others, kinds=tuple(kinds[path] for path in others)))
    for number, group in enumerate(groups.values(), 1):
        name = found.name if len(groups) == 1 and not others else f"{found.name}-{number}"
        proposals.append(_of_group(msgspec.structs.replace(found, name=name), group, kinds, notes))
        notes = ()
    return Plan(tuple(proposals), aside.told)


def _proposed(
    found: Found, kinds: Mapping[Path, str], looking: Looking, aside: Aside
) -> tuple[list[_Proposed], set[Path]]:
    """What is made of each table; and the archives that hold images, and no table after all."""
    proposed, packed = [], set()
    for number, path in enumerate((path for path in found.files if kinds[path] in TABULAR), 1):
        # Named after the file, where that has letters for a table's name.
        named = path.name if path.stem.isascii() else f"{found.name}-{number}{path.suffix}"
        with aside.if_bad(path):
            if kinds[path] in ARCHIVES and (inside := looking.images(path)).instances and not inside.tables:
                packed.add(path)
            else:
                proposed.append(_Proposed(path, *looking.proposed(path, named)))
    return proposed, packed


def _without_idle(
    given: list[_Proposed], looking: Looking, aside: Aside, *, alone: bool
) -> tuple[list[_Proposed], tuple[str, ...]]:
    """Without OMOP's tables that make no rows, where the others are here; and a note about each.

    A vocabulary without them is set aside: it is the only file that a source could be of, or told beside others.
    """
    idle = [one for one in given if one.omop in (VOCABULARY, APART)]
    if not idle:
        return given, ()
    if any(one.omop in (TABLE, DATABASE) for one in given):
        return [one for one in given if one not in idle], tuple(_LEFT_OUT.format(name=one.path.name) for one in idle)
    words = NotRecognised(
        "It is a vocabulary of OMOP, and no record of a person.", remedy="Load it: xinglin terms load omop FILE."
    )
    if alone and len(idle) == len(given) and any(one.omop == VOCABULARY for one in idle):
        raise words
    kept = []
    for one in given:
        if one.omop == VOCABULARY:
            aside.refuse(one.path, words)
        elif one.omop == APART:
            with aside.if_bad(one.path):
                kept.append(_Proposed(one.path, *looking.proposed(one.path, omop=False)))
        else:
            kept.append(one)
    return kept, ()


def _of_group(found: Found, group: Sequence[_Proposed], kinds: Mapping[Path, str], notes: tuple[str, ...]) -> Proposal:
    paths, suggestion = tuple(one.path for one in group), group[0].suggestion
    own = tuple(kinds[path] for path in paths)
    source = of_files(msgspec.structs.replace(found, files=paths), watch=False)
    source = msgspec.structs.replace(source, media_type=own[0])
    if suggestion is None:
        return Proposal(source, paths, notes=(_WHOLE_OMOP, *notes), kinds=own)
    source = msgspec.structs.replace(source, mapping=f"{found.name}.toml")
    return Proposal(source, paths, suggestion.toml, suggestion, notes, own)


def mapped_by(proposal: Proposal, text: str) -> Proposal:
    """The proposal with another mapping, where it is one of tables."""
    if proposal.source.media_type not in TABULAR:
        return proposal
    source = msgspec.structs.replace(proposal.source, mapping=f"{proposal.source.name}.toml")
    return msgspec.structs.replace(proposal, source=source, mapping=text)


class Tried(msgspec.Struct, frozen=True):
    """Proposals without the files that the sample could not read, and a sample of each."""

    proposals: tuple[Proposal, ...]
    samples: tuple[Sample, ...]
    unread: tuple[UnreadFile, ...]


def try_out(found: Found, planned: Plan, at: Instant, looking: Looking) -> Tried:
    """Read the first part of the first readable file of each kind, count images, and commit nothing.

    A file that does harm is told, and is in no proposal any more; raises as ``plan`` where nothing is left.
    """
    aside = Aside(found.url, planned.unread)
    proposals, samples = [], []
    for proposal in planned.proposals:
        sample = _sampled(proposal, at, looking, aside)
        left = [(path, kind) for path, kind in zip(proposal.files, proposal.kinds, strict=True) if path not in aside]
        if left or not proposal.files:
            files, kinds = tuple(path for path, _ in left), tuple(kind for _, kind in left)
            proposals.append(msgspec.structs.replace(proposal, files=files, kinds=kinds))
            samples.append(sample)
    if not proposals:
        raise aside.nothing()
    return Tried(tuple(proposals), tuple(samples), aside.told)


def _sampled(proposal: Proposal, at: Instant, looking: Looking, aside: Aside) -> Sample:
    found = Sample(0, {}, {}, {}, {}, {})
    source = _as_source(proposal)
    images, counted, done = Images(), 0, set[str]()
    for path, kind in zip(proposal.files, proposal.kinds, strict=True):
        if kind in _IMAGED and counted < COUNTED_FILES:
            with aside.if_bad(path):
                images, counted = images_of(images, looking.images(path)), counted + 1
        if kind not in done and path not in aside:
            with aside.if_bad(path):
                one = looking.tried(path, source, proposal.source.media_type or kind, at)
                if one is not None:
                    found, done = joined(found, one), done | {kind}
    return msgspec.structs.replace(found, images=images, counted=counted)


def try_body(proposal: Proposal, body: bytes, media_type: str, at: Instant) -> Sample | None:
    """The same of one object's bytes, in a child of their own; None where it has no reader or no record."""
    with Looking() as looking:
        return looking.tried_bytes(body, _as_source(proposal), media_type, at)


def _as_source(proposal: Proposal) -> Source:
    """Before its mapping is written anywhere."""
    file = msgspec.structs.replace(proposal.source, mapping="")
    return msgspec.structs.replace(file.source(Path(MAPPINGS)), mapping=proposal.mapping)


def describe(
    lake: Lake,
    name: str,
    title: str,
    did: str,
    *,
    suggestions: Sequence[Suggestion] = (),
    min_persons: int = 10,
    persons: PersonFilter | None = None,
) -> DataSetDescription:
    """The public description of what lies in the lake: products by their mapping, canonical tables by their rows.

    Counted inside the hospital; what fewer than ``min_persons`` persons share is not in it. ``persons``: whose rows
    are counted. Raises ``NothingToPublish``.
    """
    tables = [*_products(lake, suggestions), *_canonical(lake, min_persons, persons or PersonFilter())]
    if not tables:
        raise NothingToPublish(
            f"No table has {min_persons} persons or more.", remedy="Load more, or publish a description by hand."
        )
    return DataSetDescription(name, did, title, tuple(tables))


def _products(lake: Lake, suggestions: Sequence[Suggestion]) -> list[TableDescription]:
    from xinglin.records.tabular.describe import product_description

    held = set(lake.names())
    products = [one.mapping.product for one in suggestions if one.mapping.product is not None]
    return [product_description(product) for product in products if product.name in held]


def _canonical(lake: Lake, min_persons: int, persons: PersonFilter) -> list[TableDescription]:
    from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
    from xinglin.catalogue.describe import describe_canonical, publishable
    from xinglin.lake.consenting import kept_where
    from xinglin.lake.current import PERSON_LINK
    from xinglin.lake.profiling import counted, profile_relation
    from xinglin.lake.reading import read_current

    held = set(lake.names())
    wanted = [table for table in CANONICAL_TABLES if table.of_person and table.name in held]
    if not wanted:
        return []
    found = []
    names = [table.name for table in wanted]
    if not persons.lets_everybody and PERSON_LINK in held:
        names.append(PERSON_LINK)
    snapshot = lake.pin_current(names, max(lake.versions(name)[-1][1] for name in names))
    with read_current(lake, snapshot, persons=persons) as session:
        for table in wanted:
            columns = publishable(table)
            held_columns = ", ".join(f'"{column.name}"' for column in columns)
            select = f'SELECT "patient", {held_columns} FROM "{table.name}"'  # noqa: S608 (canonical names)
            select += kept_where("patient", persons)
            with counted(session.batches(select), table.name) as ask:
                profile = profile_relation(ask, table.name, table.name, columns, "patient")
            described = describe_canonical(table, profile, min_persons=min_persons)
            if described is not None:
                found.append(described)
    return found
