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
    from xinglin.analysis.bounding import Fit
    from xinglin.analysis.study_views import StudyViews
    from xinglin.analysis.table import Domain
    from xinglin.privacy.packs import Pack
    from xinglin.sdk.session import Held


_SHOWN = 300
"""A remedy shows an expression of so many characters at most."""


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
    admitted = _admitted_by_all(sql, held, described)
    if differing := _differing(admitted):
        raise Refused(tuple(_difference(name, columns, names) for name, columns in differing.items()))
    return _scope(held, next(iter(admitted.values())), names, said or {})


def differing_in(
    sql: str, held: Mapping[str, Held], described: Mapping[str, DataSetDescription]
) -> dict[str, Fit | None]:
    """Columns of a query that hospitals publish differently, and the domain of all of them together; ``Refused``."""
    from xinglin.analysis.bounding import fit_of

    differing = _differing(_admitted_by_all(sql, held, described))
    return {name: fit_of(tuple(columns.values())) for name, columns in differing.items()}


def fitted_sql(sql: str, held: Mapping[str, Held], described: Mapping[str, DataSetDescription]) -> str:
    """The query with the same domain at every hospital, by what they publish together; raises ``Refused``.

    A column of which that cannot be said stays as it is, and ``scope_of`` names it.
    """
    from xinglin.analysis.bounding import fit_of, fitted

    admitted = _admitted_by_all(sql, held, described)
    names = [tuple(one.name for one in found.columns) for found in admitted.values()]
    if len(set(names)) > 1:
        return sql
    fits = {name: fit for name, columns in _differing(admitted).items() if (fit := fit_of(tuple(columns.values())))}
    return fitted(sql, names[0], fits)


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


def _admitted_by_all(
    sql: str, held: Mapping[str, Held], described: Mapping[str, DataSetDescription]
) -> dict[str, Admitted]:
    """The query as each hospital admits it, by DID; raises ``Refused`` with every reason of each that does not."""
    admitted: dict[str, Admitted] = {}
    reasons: dict[Reason, None] = {}
    for did, one in held.items():
        found = _admitted(sql, one.agreement.terms, described.get(did))
        if isinstance(found, Denied):
            reasons.update(dict.fromkeys(found.reasons))
        else:
            admitted[did] = found
    if reasons:
        raise Refused(tuple(reasons))
    return admitted


def _differing(admitted: Mapping[str, Admitted]) -> dict[str, dict[str, OutputColumn | None]]:
    """Columns whose domain differs between hospitals, each as every hospital derives it."""
    columns = {did: {one.name: one for one in found.columns} for did, found in admitted.items()}
    names = dict.fromkeys(name for found in columns.values() for name in found)
    by_name = {name: {did: found.get(name) for did, found in columns.items()} for name in names}
    return {name: each for name, each in by_name.items() if len({_domain(one) for one in each.values()}) > 1}


def _difference(name: str, columns: Mapping[str, OutputColumn | None], names: Mapping[str, str]) -> Reason:
    """That hospitals publish a column differently, and the expression that makes it the same."""
    from xinglin.analysis.bounding import fit_of

    (first, own), *others = columns.items()
    unlike = [names.get(did, did) for did, one in others if _domain(one) != _domain(own)]
    words = f"{names.get(first, first)} publishes another range or other levels for {name!r} than {', '.join(unlike)}."
    fit = fit_of(tuple(columns.values()))
    if fit is None:
        return Reason("sdk.domain_differs", words, f"Leave {name!r} out, or turn it into one kind of value.")
    text = f"{fit.text(name)} AS {name}"
    shown = f"Bound it in the query: {text}. " if len(text) <= _SHOWN else "Bound it in the query. "
    return Reason("sdk.domain_differs", words, f"{shown}study.fitted(sql) writes it.")


def _domain(column: OutputColumn | None) -> object:
    """What has to be the same at every hospital: the scale of sums, the cells of tables, what a release counts."""
    if column is None:
        return None
    counted = (column.chosen, column.stepped, column.values) if column.kind == "number" else ()
    return column.kind, column.low, column.high, column.levels, column.integer, counted
