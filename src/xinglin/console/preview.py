"""What would leave: one view of it for whoever asks and for the hospital that is asked. Pure: texts and facts in.

The researcher sees a question before it is sent (``leaves_of_question``), the hospital an agreement that is offered to
it (``leaves_of_offer``); both are shown by ``templates/parts/leaves.html``. Nothing here reads a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.console.preview_sample import Sample, sample_of
from xinglin.terms.thresholds import DisclosureRules
from xinglin.words import N_, Words

if TYPE_CHECKING:
    from xinglin.catalogue.model import DataSetDescription
    from xinglin.contract.agreement import Agreement
    from xinglin.kernel.instants import Instant
    from xinglin.privacy.packs import Pack
    from xinglin.sdk.data import Data
    from xinglin.sdk.preview import Preview
    from xinglin.terms.agreed import AgreedTerms
    from xinglin.terms.request import Plan

OPERATIONS = {
    "describe": N_("Mean, spread and number of rows"),
    "histogram": N_("Histogram of a number"),
    "crosstab": N_("Cross table of two columns"),
    "table1": N_("Baseline table by group"),
    "quantiles": N_("Quantiles of a number"),
    "ttest": N_("t-test between two groups"),
    "anova": N_("Analysis of variance between groups"),
    "glm": N_("Regression (generalised linear model)"),
    "correlation": N_("Correlations of numbers"),
    "flow": N_("Flow: how many persons each filter leaves"),
    "count": N_("Count of persons, with noise"),
    "linear": N_("Linear regression, with noise"),
    "feasibility": N_("Rounded count of a cohort"),
}
"""What can be asked, in words."""
_KINDS = {
    "number": N_("number"),
    "integer": N_("whole number"),
    "category": N_("category"),
    "boolean": N_("yes or no"),
    "date": N_("day"),
    "instant": N_("moment"),
    "text": N_("free text"),
    "key": N_("key"),
}
_ROWS_LEAVE = frozenset({"extract", "synthesise", "transfer", "lookup"})
_MADE_UP_PERSONS = 240
_BYTES_A_NUMBER = 8


class Fact(msgspec.Struct, frozen=True):
    """A line of a column: a label, what it says, and a word on it; all translated already."""

    label: str
    value: str
    note: str = ""


class FieldLine(msgspec.Struct, frozen=True):
    """A field that is read: its name, what it holds, published domain, grade, and where it comes from."""

    name: str
    kind: str
    domain: str
    grade: str
    sources: str = ""


class RuleLine(msgspec.Struct, frozen=True):
    """A rule that will judge the answer: its id, what it says, and who states it."""

    id: str
    words: str
    stated_by: str


class Change(msgspec.Struct, frozen=True):
    """What is another than the last time: of what, before, now."""

    what: str
    before: str
    now: str


class Similar(msgspec.Struct, frozen=True):
    """An earlier release that is like this one: its path, what it was, when; ``same``: the same question."""

    label: str
    path: str = ""
    at: Instant = 0
    same: bool = False


class Leaves(msgspec.Struct, frozen=True):
    """What stays, what is computed, what leaves, and everything that bears on saying yes.

    ``changes``: against ``compared``, the last one that was approved; None where there was none.
    """

    said: str
    stays: tuple[Fact, ...]
    computed: tuple[Fact, ...]
    leaves: tuple[Fact, ...]
    fields: tuple[FieldLine, ...]
    rules: tuple[RuleLine, ...]
    cost: tuple[Fact, ...]
    recipients: tuple[str, ...]
    sample: Sample | None = None
    similar: tuple[Similar, ...] = ()
    changes: tuple[Change, ...] | None = None
    compared: str = ""


# --- of a question ---------------------------------------------------------------------------------


def leaves_of_question(
    words: Words,
    data: Data,
    preview: Preview,
    *,
    names: Mapping[str, str],
    plan: Plan | None = None,
    before: Plan | None = None,
    compared: str = "",
    similar: Sequence[Similar] = (),
) -> Leaves:
    """Of a question before it is sent. ``before``: the plan of the last run whose release was authorised.

    ``names``: DID to label. The sample is the statistic computed on made-up rows, under the rules that hold.
    """
    from xinglin.sdk.plans import algorithm_of

    _ = words.text
    built = algorithm_of(data.scope, preview.algorithm, preview.params)
    pack = pack_of(data.scope.rules, data.scope.disclosure)
    made_up = sample_of(built, len(preview.hospitals), _MADE_UP_PERSONS)
    numbers = sum(length for _name, length in preview.masked)
    entries = len(preview.cells)
    computed = (
        Fact(_("Statistic"), operation_words(words, preview.algorithm), preview.algorithm),
        Fact(_("At each of"), ", ".join(preview.hospitals), _("in a separate process that can be stopped")),
        Fact(_("Put together"), _("secure sum"), _("nobody sees one hospital's part, the hub included")),
    )
    leaves = (
        Fact(_("Answer"), _("pooled numbers in %(n)s entries at most", n=words.number(entries))),
        Fact(_("Row range"), _rows_told(words, made_up)),
        Fact(_("Size"), _size_told(words, made_up), _("sealed to whoever receives it")),
        Fact(
            _("Masked on the way"),
            _("%(n)s numbers a hospital in the first round", n=words.number(numbers)),
            _("about %(size)s that look random to everybody", size=words.bytes(numbers * _BYTES_A_NUMBER)),
        ),
    )
    now = {} if plan is None else told_plan(words, plan, names)
    return Leaves(
        said=_(
            "%(study)s asks %(n)s hospitals together: %(what)s.",
            study=preview.study, n=len(preview.hospitals), what=operation_words(words, preview.algorithm),
        ),
        stays=_stays(words, preview.reads),
        computed=computed,
        leaves=leaves,
        fields=tuple(
            FieldLine(c.name, kind_words(words, c.kind), domain_words(words, c), c.grade, ", ".join(c.sources))
            for c in preview.columns
        ),
        rules=rule_lines(words, pack),
        cost=_cost(words, preview),
        recipients=tuple(names.get(did, did) for did in preview.recipients),
        sample=made_up,
        similar=tuple(similar),
        changes=None if before is None or plan is None else differences(told_plan(words, before, names), now),
        compared=compared,
    )  # fmt: skip


def _stays(words: Words, reads: Sequence[str]) -> tuple[Fact, ...]:
    _ = words.text
    tables = sorted({one.partition(".")[0] for one in reads})
    return (
        Fact(_("Rows of data"), _("every row, in the hospital's own tables"), ", ".join(tables)),
        Fact(_("Who is who"), _("names, numbers of records and keys of persons"), _("no query can spell them")),
        Fact(_("Own part"), _("each hospital's own sums"), _("only the total of all is ever opened")),
    )


def _cost(words: Words, preview: Preview) -> tuple[Fact, ...]:
    _ = words.text
    until = Fact(_("Agreements hold until"), words.date(preview.expires))
    noise = preview.noise
    if noise is None:
        one = _("1 of %(all)s exact answers at each hospital", all=words.number(preview.allowance))
        return (Fact(_("Price"), one, _("exact answers cost no ε")), until)
    left = ", ".join(f"{name} {units}" for name, units in noise.left) or _("not said")
    more = _("further questions like this one that fit: %(n)s", n=noise.questions) if noise.questions >= 0 else ""
    precision = ", ".join(f"{name} ±{words.number(round(1.96 * sd, 3))}" for name, sd in noise.sds)
    return (
        Fact(_("Price"), f"ε = {noise.epsilon}", f"ρ = {noise.rho}, δ = {noise.delta}"),
        Fact(_("Budget left, ρ"), left, more),
        Fact(_("Noise (95 of 100 times within)"), precision),
        until,
    )


def _rows_told(words: Words, made_up: Sample | None) -> str:
    _ = words.text
    if made_up is None or not made_up.all_rows:
        return _("no row of anybody; lines of the answer alone")
    return _("no row of anybody; the answer has 0 to %(n)s lines", n=words.number(made_up.all_rows))


def _size_told(words: Words, made_up: Sample | None) -> str:
    _ = words.text
    return _("a few kB") if made_up is None else _("about %(size)s", size=words.bytes(made_up.size_bytes))


# --- of an agreement that is offered ---------------------------------------------------------------


def leaves_of_offer(
    words: Words,
    agreement: Agreement,
    described: DataSetDescription | None,
    *,
    names: Mapping[str, str],
    before: AgreedTerms | None = None,
    compared: str = "",
    similar: Sequence[Similar] = (),
) -> Leaves:
    """Of an agreement that a hospital is offered. ``described``: what it publishes of the data set, if it still does.

    ``before``: terms of the last agreement with the same party that was countersigned. The sample is of a statistic
    that these terms allow, over made-up rows.
    """
    _ = words.text
    terms = agreement.terms
    others = sorted(names.get(peer.did, peer.did) for peer in terms.peers)
    views = ", ".join(view.name for view in terms.cohort) or _("the tables themselves")
    computed = (
        Fact(_("Over the views"), views, _("each SELECT is below, word for word")),
        Fact(_("Operations"), ", ".join(words.term(f"action.{one}") for one in terms.operations)),
        Fact(_("Together with"), ", ".join(others) or _("nobody"), _("by a secure sum; no part is ever seen alone")),
    )
    pooled = not _ROWS_LEAVE & set(terms.operations)
    leaves = (
        Fact(
            _("Pooled numbers"),
            _("of at least %(n)s persons an entry", n=terms.rules.min_cell),
            _("from at least %(n)s hospitals", n=terms.rules.min_hospitals),
        ),
        Fact(_("Rows of persons"), _("none") if pooled else _("only as an extract that two of your people approve")),
        Fact(_("Answers"), _("%(n)s at most", n=words.number(terms.allowance)), _("exact ones; each is logged")),
    )
    return Leaves(
        said=_(
            "%(who)s may ask about %(data)s for %(purpose)s until %(until)s.",
            who=names.get(agreement.consumer, agreement.consumer),
            data=agreement.data_set,
            purpose=", ".join(words.term(f"purpose.{one}") for one in terms.purposes),
            until=words.date(terms.expires),
        ),
        stays=_stays(words, terms.variables),
        computed=computed,
        leaves=leaves,
        fields=_offered_fields(words, terms, described),
        rules=rule_lines(words, pack_of(terms.rules, None)),
        cost=(
            Fact(_("Exact answers"), words.number(terms.allowance)),
            Fact(_("Holds until"), words.date(terms.expires)),
            Fact(_("Grade at most"), words.term(f"grade.{terms.grade}")),
        ),
        recipients=tuple(names.get(did, did) for did in terms.recipients),
        sample=_offered_sample(terms, described, len(terms.peers) + 1),
        similar=tuple(similar),
        changes=None if before is None else _terms_changed(words, before, terms, names),
        compared=compared,
    )


def _offered_fields(words: Words, terms: AgreedTerms, described: DataSetDescription | None) -> tuple[FieldLine, ...]:
    found = []
    for variable in terms.variables:
        table_name, _dot, name = variable.partition(".")
        table = None if described is None else described.table(table_name)
        column = None if table is None else table.column(name)
        if column is None:
            found.append(FieldLine(variable, "", words.text("not published any more"), ""))
            continue
        grade = "" if described is None else described.grade_of(table_name, name) or ""
        found.append(
            FieldLine(variable, kind_words(words, column.kind), domain_words(words, column), grade, table_name)
        )
    return tuple(found)


def _offered_sample(terms: AgreedTerms, described: DataSetDescription | None, hospitals: int) -> Sample | None:
    """A description of the first bounded number of the first view that has one."""
    from xinglin.analysis.algorithm import AlgorithmSpec, build
    from xinglin.analysis.domain import domain_of
    from xinglin.analysis.study_views import study_views
    from xinglin.catalogue.views import study_view
    from xinglin.kernel.verdict import Denied

    exposed = None if described is None else study_view(described, terms)
    if exposed is None or isinstance(exposed, Denied):
        return None
    views = study_views(exposed.tables, terms.cohort)
    if isinstance(views, Denied):
        return None
    for view, schema in sorted(views.schemas.items()):
        quoted = ", ".join(one.name for one in schema.columns)
        admitted = views.admit(f"SELECT {quoted} FROM {view}")  # noqa: S608 - names of an admitted view, admitted again
        if isinstance(admitted, Denied):
            continue
        numbers = [one.name for one in admitted.columns if one.kind == "number" and one.bounded]
        if numbers:
            spec = AlgorithmSpec("describe", {"columns": numbers[:3]})
            enough = max(hospitals, terms.rules.min_hospitals)
            return sample_of(build(spec, domain_of(admitted.columns), terms.rules), enough, _MADE_UP_PERSONS)
    return None


# --- rules -----------------------------------------------------------------------------------------


def pack_of(rules: DisclosureRules, named: object) -> Pack:
    """What holds in a run: the rules of the agreements, joined with the packs that the plan carries."""
    from xinglin.privacy.packs.carried import agreed_pack, effective_pack
    from xinglin.terms.pack_named import NamedPacks

    return effective_pack(rules, named) if isinstance(named, NamedPacks) else agreed_pack(rules)


def rule_lines(words: Words, pack: Pack) -> tuple[RuleLine, ...]:
    """The rules of a pack that are tighter than none, in words, each with who states it."""
    from xinglin.privacy.packs.model import NO_LIMIT, Settings

    _, s, loosest = words.text, pack.settings, Settings()
    told = {
        "min_cell": _("an entry of fewer than %(n)s persons is hidden, and as many others as guard it", n=s.min_cell),
        "zeros": _("empty entries are hidden like small ones"),
        "min_hospitals": _("at least %(n)s hospitals in the total", n=s.min_hospitals),
        "min_dof": _("a model has at least %(n)s residual degrees of freedom", n=s.min_dof),
        "max_params_share": _("a model has at most %(n)s parameters a person", n=f"{float(s.max_params_share):.2g}"),
        "max_person_share": _("nobody holds more than %(n)s of the rows", n=words.percent(float(s.max_person_share))),
        "rounding": _("counts are rounded to %(n)s", n=s.rounding.base),
        "totals": _("totals are made of what is told"),
        "max_leverage": _("nobody carries more than %(n)s of a fit", n=words.percent(float(s.max_leverage))),
        "min_tail": _("at least %(n)s persons beyond a quantile", n=s.min_tail),
        "class_disclosure": _("a group that stands in one entry as a whole is hidden"),
        "reviewers": _("%(n)s persons of the hospital look at the answer before it leaves", n=s.reviewers),
        "lock_repeats": _("one question %(n)s times within %(days)s days", n=s.lock_repeats, days=s.lock_days),
        "min_at_risk": _("a curve ends where fewer than %(n)s persons are left", n=s.min_at_risk),
        "exact_answers_cap": _("%(n)s exact answers on one data set, over all studies", n=s.exact_answers_cap),
    }
    return tuple(
        RuleLine(name, said, pack.names_of(name))
        for name, said in told.items()
        if getattr(s, name) != getattr(loosest, name) and getattr(s, name) != NO_LIMIT
    )


# --- in words --------------------------------------------------------------------------------------


def operation_words(words: Words, algorithm: str) -> str:
    """What is asked, in words; noise is said beside it."""
    plain = algorithm.removeprefix("dp_")
    plain = "correlation" if plain == "covariance" else plain
    said = words.text(OPERATIONS.get(plain, plain))
    noisy = algorithm.startswith("dp_") and plain not in ("count", "linear")
    return words.text("%(what)s, with noise", what=said) if noisy else said


def kind_words(words: Words, kind: str) -> str:
    """What a column holds, in words."""
    return words.text(_KINDS.get(kind, kind))


def domain_words(words: Words, column: object) -> str:
    """The published domain of a column: its range, its levels, or that there is none."""
    low, high, levels = (getattr(column, name, None) for name in ("low", "high", "levels"))
    if levels:
        shown = ", ".join(levels[:8])
        return shown if len(levels) <= 8 else f"{shown} … ({words.number(len(levels))})"
    if low is not None and high is not None:
        return words.text("%(low)s to %(high)s", low=f"{low:g}", high=f"{high:g}")
    return "" if getattr(column, "kind", "") == "boolean" else words.text("no published range")


def told_plan(words: Words, plan: Plan, names: Mapping[str, str]) -> dict[str, str]:
    """A plan as labelled texts, for comparing."""
    _ = words.text
    rules = msgspec.structs.asdict(plan.rules)
    return {
        "SQL": " ".join(plan.sql.split()),
        _("Statistic"): operation_words(words, plan.algorithm),
        **{name: _flat(value) for name, value in sorted(plan.params.items())},
        _("Hospitals"): ", ".join(sorted(names.get(did, did) for did in plan.roster)),
        **{name: _flat(value) for name, value in rules.items()},
    }


def told_terms(words: Words, terms: AgreedTerms, names: Mapping[str, str]) -> dict[str, str]:
    """An agreement's terms as labelled texts, for comparing."""
    _ = words.text
    return {
        **{_("view %(name)s", name=view.name): view.select for view in terms.cohort},
        _("Variables"): ", ".join(terms.variables),
        _("Purposes"): ", ".join(words.term(f"purpose.{one}") for one in terms.purposes),
        _("Operations"): ", ".join(words.term(f"action.{one}") for one in terms.operations),
        _("Exact answers"): words.number(terms.allowance),
        _("Holds for days"): words.number(round((terms.expires - terms.not_before) / 86_400_000)),
        _("Grade at most"): terms.grade,
        _("Recipients"): ", ".join(sorted(names.get(did, did) for did in terms.recipients)),
        _("Together with"): ", ".join(sorted(names.get(peer.did, peer.did) for peer in terms.peers)),
        **{name: _flat(value) for name, value in msgspec.structs.asdict(terms.rules).items()},
    }


def _terms_changed(words: Words, before: AgreedTerms, now: AgreedTerms, names: Mapping[str, str]) -> tuple[Change, ...]:
    return differences(told_terms(words, before, names), told_terms(words, now, names))


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Change, ...]:
    """What is another; a line that was not there before, or is not now, has an empty side.

    >>> differences({"a": "1", "b": "2"}, {"a": "1", "b": "3"})
    (Change(what='b', before='2', now='3'),)
    """
    keys = dict.fromkeys((*before, *now))
    return tuple(
        Change(key, before.get(key, ""), now.get(key, "")) for key in keys if before.get(key, "") != now.get(key, "")
    )


def _flat(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_flat(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(one)}" for name, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
