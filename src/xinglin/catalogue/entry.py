"""Entries of the catalogue: a description with what its hospital says beside it, as people search and compare it.

A *listing* is what a hospital adds to a description: words, region, custody, the terms that it offers, who may see
the entry at all, its disclosure-checked statement. Nothing of a row is in either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from xinglin.catalogue.dcat import Holder
from xinglin.catalogue.model import DataSetDescription
from xinglin.catalogue.statement import DataSetStatement
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.grades import highest
from xinglin.terms.policy import Policy
from xinglin.terms.writing import check_policy

CUSTODY = {
    "own": ("at the hospital's own node", "医院自有节点"),
    "hosted": ("processed by a centre under mandate", "受托中心处理"),
    "backup": ("kept as ciphertext only", "仅密文备份"),
}
"""Where the data lie during use, in English and Chinese."""

WORDS = Limit("words about a data set", 4_000, "characters")
AUDIENCE = Limit("parties that may see a restricted entry", 1_000, "parties")
KEYWORDS = Limit("keywords of a data set", 64, "keywords")
PACKS = Limit("disclosure packs of a data set", 32, "packs")
PACKS_TEXT = Limit("texts of disclosure packs", 256 * 1024, "characters")


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a hospital says of one published data set. Version 1; append-only.

    ``policy``: the terms of its offer; ``None`` where there is none yet. ``restricted``: only ``audience`` (DIDs) and
    the hospital itself may know that the data set exists. ``statement``: of ``catalogue.statement``. ``packs``: texts
    (TOML) of the hospital's own disclosure packs; ``packs_asked``: names and digests of those that it asks every plan
    of statistics to keep.
    """

    data_set: str
    words: str = ""
    region: str = ""
    custody: str = "own"
    keywords: tuple[str, ...] = ()
    policy: Policy | None = None
    restricted: bool = False
    audience: tuple[str, ...] = ()
    statement: DataSetStatement | None = None
    holder: Holder | None = None
    version: int = 1
    packs: tuple[str, ...] = ()
    packs_asked: tuple[str, ...] = ()


class EntryVariable(msgspec.Struct, frozen=True):
    """A variable as it is found and compared; ``filled_percent`` is -1 where nothing was stated."""

    table: str
    name: str
    kind: str = ""
    unit: str = ""
    grade: str = ""
    words: str = ""
    filled_percent: int = -1
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()


class CatalogueEntry(msgspec.Struct, frozen=True):
    """One data set in the catalogue.

    ``entry_id``: provider and name, or origin and id of a federated one. ``origin``: the participant whose catalogue it
    came from; empty for this hub's own. ``grade``: the highest of its tables. ``seen``: when it was last heard of.
    """

    entry_id: str
    name: str
    provider: str
    title: str
    institution: str = ""
    words: str = ""
    grade: str = ""
    region: str = ""
    custody: str = "own"
    keywords: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    variables: tuple[EntryVariable, ...] = ()
    first_month: str = ""
    last_month: str = ""
    persons: int = 0
    records: int = 0
    quality: dict[str, int] = {}
    population: dict[str, dict[str, int]] = {}
    policy: Policy | None = None
    restricted: bool = False
    audience: tuple[str, ...] = ()
    origin: str = ""
    offers: tuple[dict[str, Any], ...] = ()
    seen: Instant = 0
    version: int = 1
    packs: tuple[str, ...] = ()
    packs_asked: tuple[str, ...] = ()

    def visible_to(self, asker: str) -> bool:
        """Whether ``asker`` (a DID) may know that this data set exists."""
        return not self.restricted or asker == self.provider or asker in self.audience


def check_listing(listing: Listing, published: Collection[str]) -> Verdict:
    """Whether a listing can be shown: a published data set, known words, known terms, and nobody locked out by slip."""
    reasons: list[Reason] = []
    if listing.version != 1:
        reasons.append(_no(f"Version {listing.version} of a listing is not known here.", "Update the hub."))
    if listing.data_set not in published:
        reasons.append(_no(f"'{listing.data_set[:80]}' is not published.", "Publish its description first."))
    if listing.custody not in CUSTODY:
        reasons.append(_no(f"'{listing.custody[:40]}' is no custody.", f"Use one of {', '.join(CUSTODY)}."))
    sizes = (
        (len(listing.words), WORDS),
        (len(listing.audience), AUDIENCE),
        (len(listing.keywords), KEYWORDS),
        (len(listing.packs), PACKS),
        (len(listing.packs_asked), PACKS),
        (sum(map(len, listing.packs)), PACKS_TEXT),
    )
    for size, limit in sizes:
        if size > limit.value:
            reasons.append(_no(f"More than {limit.value} {limit.unit}: {limit.name}.", "Say it shorter."))
    if listing.audience and not listing.restricted:
        reasons.append(_no("An audience is named, and everybody may see the entry.", "Set restricted, or drop it."))
    if listing.policy is not None:
        checked = check_policy(listing.policy)
        reasons += checked.reasons if isinstance(checked, Denied) else ()
    if listing.statement is not None and listing.statement.name != listing.data_set:
        reasons.append(_no("The statement is about another data set.", "State this one."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def entry_of(
    description: DataSetDescription, listing: Listing | None, *, institution: str = "", seen: Instant = 0
) -> CatalogueEntry:
    """The entry of a published description; without a listing it has no terms, and everybody may see it."""
    said = listing or Listing(description.name)
    statement = said.statement
    stated = {(one.table, one.name): one for one in statement.variables} if statement else {}
    variables = []
    for table in description.tables:
        for column in table.columns:
            if column.role != "data":
                continue
            found = stated.get((table.name, column.name))
            variables.append(
                EntryVariable(
                    table.name,
                    column.name,
                    column.kind,
                    column.unit,
                    description.grade_of(table.name, column.name) or "",
                    column.words,
                    found.filled_percent if found else -1,
                    column.low,
                    column.high,
                    column.levels,
                )
            )
    grades = (description.grade, *(one.grade for one in description.tables), *(one.grade for one in variables))
    return CatalogueEntry(
        entry_id=entry_id(description.provider, description.name),
        name=description.name,
        provider=description.provider,
        title=description.title,
        institution=institution,
        words=said.words or (statement.words if statement else ""),
        grade=highest(grade for grade in grades if grade) or description.grade,
        region=said.region,
        custody=said.custody,
        keywords=said.keywords,
        tables=tuple(table.name for table in description.tables),
        variables=tuple(variables),
        policy=said.policy,
        restricted=said.restricted,
        audience=said.audience,
        seen=seen,
        packs=said.packs,
        packs_asked=said.packs_asked,
        **(_stated(statement) if statement else {}),
    )


def entry_id(provider: str, name: str) -> str:
    """How an entry of this hub is named: the provider's DID, ``#``, and the data set's name.

    >>> entry_id("did:web:a.example", "heart")
    'did:web:a.example#heart'
    """
    return f"{provider}#{name}"


def _stated(statement: DataSetStatement) -> Mapping[str, Any]:
    return {
        "first_month": statement.first_month,
        "last_month": statement.last_month,
        "persons": statement.persons,
        "records": statement.records,
        "quality": dict(statement.quality.scores) if statement.quality is not None else {},
        "population": {
            name: {one.value: one.percent for one in shares} for name, shares in statement.population.items()
        },
    }


def _no(words: str, remedy: str) -> Reason:
    return Reason("catalogue.listing", words, remedy)
