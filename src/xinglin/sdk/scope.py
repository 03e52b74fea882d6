"""What a study's SQL may read at each hospital, found here from published facts: no row, nothing sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from xinglin.catalogue.model import DataSetDescription
from xinglin.catalogue.views import study_view
from xinglin.kernel.verdict import Denied, Reason
from xinglin.sdk.errors import NoAgreement, Refused
from xinglin.sdk.packs import asked_by, named_of, packs_of
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.open_release import open_rules
from xinglin.terms.pack_named import NamedPacks
from xinglin.terms.thresholds import DisclosureRules, strictest
from xinglin.wire.calls import PacksSaid

if TYPE_CHECKING:
    from xinglin.analysis.admit import Admitted, OutputColumn
    from xinglin.analysis.study_views import StudyViews
    from xinglin.analysis.table import Domain
    from xinglin.privacy.packs import Pack
    from xinglin.sdk.session import Held


class Scope(msgspec.Struct, frozen=True):
    """The admitted query: its columns and domain (the same at every hospital), and the agreements it runs under.

    ``variables``: published columns that the agreements expose. ``rules``: the strictest of all agreements.
    ``opened``: its releases shall pass the L1 pack, so that anyone may read them. ``packs``: the disclosure packs that
    its hospitals ask for, by label; ``disclosure``: the strictest of them, as a plan carries it.
    """

    held: dict[str, Held]
    columns: tuple[OutputColumn, ...]
    domain: Domain
    grade: str
    variables: tuple[str, ...]
    rules: DisclosureRules
    opened: bool = False
    disclosure: NamedPacks | None = None
    packs: tuple[Pack, ...] = ()
    asked: dict[str, tuple[str, ...]] = {}

    @property
    def roster(self) -> tuple[str, ...]:
        """DIDs of the hospitals, sorted."""
        return tuple(sorted(self.held))

    def for_everyone(self) -> Scope:
        """The same scope under the L1 pack: stricter rules, tables of statistics alone."""
        return msgspec.structs.replace(self, rules=open_rules(self.rules), opened=True)

    def under(self, *packs: Pack) -> Scope:
        """The same scope under further disclosure packs: stricter, never looser."""
        together = tuple(dict.fromkeys((*self.packs, *packs)))
        disclosure, rules = named_of(together, self.rules)
        return msgspec.structs.replace(self, packs=together, disclosure=disclosure, rules=rules)

    @property
    def allowance(self) -> int:
        """Exact answers that every agreement allows in all."""
        return min(one.agreement.terms.allowance for one in self.held.values())

    @property
    def purpose(self) -> str:
        """A purpose that every agreement names; raises ``NoAgreement`` when there is none."""
        shared = set.intersection(*(set(one.agreement.terms.purposes) for one in self.held.values()))
        if not shared:
            raise NoAgreement("The agreements share no purpose.", remedy="Propose the study anew, with one purpose.")
        return min(shared)


def scope_of(
    sql: str,
    held: Mapping[str, Held],
    described: Mapping[str, DataSetDescription],
    names: Mapping[str, str],
    said: Mapping[str, PacksSaid] | None = None,
) -> Scope:
    """Admit ``sql`` as each hospital of ``held`` will, over what it publishes (``described``, by DID).

    ``said``: the disclosure packs that hospitals name beside what they publish; their agreements name others.

    Raises ``Refused`` with every reason: the SQL is not admitted, a variable is not published any more, or the
    hospitals publish different ranges or levels for a column, so that their sums would not fit.
    """
    admitted: dict[str, Admitted] = {}
    reasons: dict[Reason, None] = {}
    for did, one in held.items():
        found = _admitted(sql, one.agreement.terms, described.get(did))
        if isinstance(found, Denied):
            reasons.update(dict.fromkeys(found.reasons))
        else:
            admitted[did] = found
    if not reasons:
        reasons.update(dict.fromkeys(_differences(admitted, names)))
    if reasons:
        raise Refused(tuple(reasons))
    return _scope(held, next(iter(admitted.values())), names, said or {})


def views_of(terms: AgreedTerms, data_set: DataSetDescription) -> dict[str, tuple[str, ...]]:
    """The agreement's views over what its hospital publishes, with their columns; raises ``Refused``."""
    found = _views(terms, data_set)
    if isinstance(found, Denied):
        raise Refused(found.reasons)
    return {name: tuple(column.name for column in schema.columns) for name, schema in found.schemas.items()}


def _scope(held: Mapping[str, Held], first: Admitted, names: Mapping[str, str], said: Mapping[str, PacksSaid]) -> Scope:
    from xinglin.analysis.domain import domain_of

    variables = sorted({name for one in held.values() for name in one.agreement.terms.variables})
    rules = strictest([one.agreement.terms.rules for one in held.values()])
    terms = {did: one.agreement.terms for did, one in held.items()}
    asked = {names.get(did, did): asked_by(one, said.get(did, PacksSaid())) for did, one in terms.items()}
    found = Scope(dict(held), first.columns, domain_of(first.columns), first.grade, tuple(variables), rules)
    found = msgspec.structs.replace(found, asked={label: one for label, one in asked.items() if one})
    return found.under(*packs_of(terms, said))


def _admitted(sql: str, terms: AgreedTerms, data_set: DataSetDescription | None) -> Admitted | Denied:
    if data_set is None:
        words = "A hospital of the study no longer publishes the data set."
        return Denied((Reason("sdk.not_published", words, "See what is published: space.data_sets()."),))
    views = _views(terms, data_set)
    return views if isinstance(views, Denied) else views.admit(sql)


def _views(terms: AgreedTerms, data_set: DataSetDescription) -> StudyViews | Denied:
    from xinglin.analysis.study_views import study_views

    exposed = study_view(data_set, terms)
    return exposed if isinstance(exposed, Denied) else study_views(exposed.tables, terms.cohort)


def _differences(admitted: Mapping[str, Admitted], names: Mapping[str, str]) -> list[Reason]:
    """Columns whose domain differs between hospitals."""
    dids = list(admitted)
    first = {column.name: column for column in admitted[dids[0]].columns}
    reasons = []
    for did in dids[1:]:
        other = {column.name: column for column in admitted[did].columns}
        for name in first | other:
            if _domain(first.get(name)) != _domain(other.get(name)):
                pair = f"{names.get(dids[0], dids[0])} and {names.get(did, did)}"
                words = f"{pair} publish different ranges or levels for {name!r}."
                remedy = f"Bound it in the query, the same for all: LEAST(GREATEST({name}, low), high) AS {name}."
                reasons.append(Reason("sdk.domain_differs", words, remedy))
    return reasons


def _domain(column: OutputColumn | None) -> object:
    return column and (column.kind, column.low, column.high, column.levels, column.integer)
