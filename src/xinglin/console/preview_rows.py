"""What would leave where rows leave: of an extract and of a synthetic set, before anybody is asked. Pure.

Shown by ``templates/parts/leaves.html`` as any other question is. Nothing here reads a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.console.preview import (
    Change,
    Fact,
    FieldLine,
    Leaves,
    RuleLine,
    differences,
    domain_words,
    kind_words,
    told_plan,
)
from xinglin.console.preview_sample import Sample
from xinglin.words import N_, Words

if TYPE_CHECKING:
    from xinglin.analysis.admit_model import OutputColumn
    from xinglin.sdk.extracts import ExtractPreview
    from xinglin.sdk.rows import Rows
    from xinglin.sdk.synthetic import SyntheticPreview
    from xinglin.terms.extracts import ExtractAsk
    from xinglin.terms.request import Plan

RIGHTS = {
    "quasi": N_("groups: as many persons as k share it"),
    "sensitive": N_("told as the profile leaves it; l and t guard it"),
    "no": N_("not asked for"),
}
"""What becomes of a column of an extract, in words."""
_TWIN_ROWS = 8


def leaves_of_extract(
    words: Words,
    data: Rows,
    preview: ExtractPreview,
    changes: tuple[Change, ...] | None = None,
    compared: str = "",
) -> Leaves:
    """Of an extract. ``changes``: against ``compared``, the last one of this study that was handed over."""
    _, ask = words.text, preview.ask
    where = ", ".join(preview.hospitals)
    return Leaves(
        said=_(
            "%(study)s asks %(who)s for rows of %(n)s columns, de-identified, each hospital for its own.",
            study=preview.study, who=where, n=words.number(len(preview.columns)),
        ),
        stays=(
            Fact(_("Who is who"), _("names, numbers of records and keys of persons"), _("no query can spell them")),
            Fact(_("Every other row"), _("what the SELECT does not choose"), ", ".join(_tables(data))),
            Fact(_("Every other column"), _("what the profile does not name is dropped"), ask.profile),
        ),
        computed=(
            Fact(_("At each of"), where, _("in a separate process that can be stopped")),
            Fact(_("De-identified"), ask.profile, _("then grouped, marked and compared with earlier extracts")),
            Fact(_("Looked at"), _("by two persons of the hospital"), _("blind to each other, before anything leaves")),
        ),
        leaves=(
            Fact(_("Rows of persons"), _("de-identified rows of the cohort"), ", ".join(ask.formats)),
            Fact(_("Columns"), ", ".join(one[0] for one in preview.columns)),
            Fact(_("Mark"), _("a code of recipient, agreement and time in the values"), _("a leaked copy names it")),
            Fact(_("From the workspace on"), _("totals alone, by the disclosure rules; never a row")),
        ),
        fields=_fields(words, [one for one in data.scope.columns if one.name in {name[0] for name in preview.columns}]),
        rules=_extract_rules(words, ask),
        cost=(
            Fact(_("Budget of privacy"), _("no ε"), _("groups, marks and persons protect it, not noise")),
            Fact(_("Grade at most"), preview.grade, words.term(f"purpose.{preview.purpose}")),
            Fact(_("Agreements hold until"), words.date(preview.expires)),
        ),
        recipients=(preview.recipient,),
        changes=changes,
        compared=compared,
    )  # fmt: skip


def leaves_of_synthetic(words: Words, data: Rows, preview: SyntheticPreview) -> Leaves:
    """Of a synthetic set; the sample is its free twin, drawn from what is published."""
    _, ask = words.text, preview.ask
    rows = words.number(ask.rows)
    errors = tuple(
        Fact(
            _("Noise in a cell of one column"),
            _("± %(n)s rows", n=words.number(round(1.96 * one.alone, 1))),
            _("± %(n)s rows or less in a cell of several", n=words.number(round(1.96 * one.together, 1))),
        )
        for one in preview.expected
    )
    return Leaves(
        said=_(
            "%(study)s asks %(who)s for %(n)s rows that nobody lived, each hospital for its own set.",
            study=preview.study, who=", ".join(preview.hospitals), n=rows,
        ),
        stays=(
            Fact(_("Rows of data"), _("every row, in the hospital's own tables"), ", ".join(_tables(data))),
            Fact(_("The model"), _("what was measured, and its digest in the set")),
            Fact(_("The report on the data"), _("how close the set is to real rows, and what attacks find")),
        ),
        computed=(
            Fact(_("Paid"), _("before a row is read"), _("by the study, and of what everybody together may spend")),
            Fact(_("Measured"), ask.method, _("counts of columns and of pairs, each with exact noise")),
            Fact(_("Left out"), _("one person in ten"), _("to judge the set inside the hospital")),
        ),
        leaves=(
            Fact(_("Made-up rows"), rows, _("Parquet; no row is a person's")),
            Fact(_("Columns"), ", ".join(name for name, _kind in preview.columns)),
            Fact(_("A report"), _("what the noise did, from the model alone"), _("the guarantee covers every figure")),
            Fact(_("Mark"), _("a code of recipient, agreement and time in the values"), _("a leaked copy names it")),
        ),
        fields=_fields(words, data.scope.columns),
        rules=(
            RuleLine("epsilon", _("(%(e)s, %(d)s)-differential privacy of a person", e=preview.epsilon, d=ask.delta),
                     _("the cost stated here")),
            *(RuleLine("licence", said, name) for name, said in preview.licence),
        ),
        cost=(
            Fact(_("Budget of privacy"), f"ε = {preview.epsilon}", f"ρ = {preview.rho}, δ = {ask.delta}"),
            *errors,
            Fact(_("Agreements hold until"), words.date(preview.expires)),
        ),
        recipients=(preview.recipient,),
        sample=_twin(data),
    )  # fmt: skip


def changed(words: Words, before: Plan, now: Plan, names: Mapping[str, str]) -> tuple[Change, ...]:
    """What one request asks otherwise than an earlier one; each is a part of it, at one hospital."""
    same = [msgspec.structs.replace(one, roster=()) for one in (before, now)]
    return differences(*(told_plan(words, one, names) for one in same))


def _extract_rules(words: Words, ask: ExtractAsk) -> tuple[RuleLine, ...]:
    _, mine, law = words.text, words.text("this request"), words.text("every extract")
    found = [
        RuleLine("k", _("at least %(n)s persons share each combination of the grouping columns", n=ask.k), mine),
        RuleLine("suppressed", _("at most %(n)s of the rows are left out for that", n=ask.suppressed), mine),
    ]
    if ask.l:
        found.append(RuleLine("l", _("each group has at least %(n)s distinct sensitive values", n=ask.l), mine))
    if ask.t:
        found.append(RuleLine("t", _("no group is further than %(n)s from the whole", n=ask.t), mine))
    found += [
        RuleLine("review", _("two persons of the hospital release it, blind to each other; one vote stops it"), law),
        RuleLine("earlier", _("beside earlier extracts of the same persons it may not single anybody out"), law),
        RuleLine("workspace", _("it is sealed to an enrolled workspace that the agreements name"), law),
    ]
    return tuple(found)


def _fields(words: Words, columns: Sequence[OutputColumn]) -> tuple[FieldLine, ...]:
    return tuple(
        FieldLine(one.name, kind_words(words, one.kind), domain_words(words, one), one.grade, ", ".join(one.sources))
        for one in columns
    )


def _tables(data: Rows) -> list[str]:
    return sorted({source.partition(".")[0] for one in data.scope.columns for source in one.sources})


def _twin(data: Rows) -> Sample:
    from xinglin.sdk.twins import twin_of_query

    made = twin_of_query(data.scope.columns, _TWIN_ROWS)
    rows = tuple(tuple("–" if value is None else str(value) for value in row.values()) for row in made.to_pylist())
    return Sample(tuple(made.column_names), rows, len(rows), 0, made.nbytes, _TWIN_ROWS)
