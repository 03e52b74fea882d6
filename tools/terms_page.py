"""Writes ``docs/terms.md``: what policies may say, how they are decided, and the decision table, from the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

HEAD = """# Terms

What may be said in an agreement's policy, how a use is decided, and what happens when something is missing. The
tables are printed from the code by `make docs`; the tests hold the evaluator to them.

## How a use is decided

`terms.decide(request, plan, facts)` answers for one node, from what that node knows itself. It gives every reason,
each with what would change it, and never only the first. What is unknown is denied.

An agreement of version 2 carries a **policy**: permissions, prohibitions and duties, each within constraints. A use
needs one permission whose constraints all hold, and no prohibition that may apply; the order of rules never matters.
A constraint *holds*, *does not hold* or is *open*: its fact is unknown or unreadable, or only partly within (one of
three recipients, a wider purpose than the agreed one, half of a network). An open constraint fails a permission and
lets a prohibition apply. Duties become conditions of the verdict (`duty:log`).

Numbers compare as exact decimals, instants as points in time whatever their zone, durations in seconds (months and
years have no fixed length and are refused), networks by their addresses, opening hours in the zone that they name,
places, purposes and tables of variables by what lies in what. Of several things that are *used* (recipients,
variables, outputs) each one counts; what is *held* (approvals, assessments, law packs, an algorithm's names) is one
set. Diseases are placed by a MONDO table that is handed in; without one, a disease is known by its own code alone.

An unknown operand, operator, unit, action, duty or value is refused when a policy is written (`check_policy`), when
it is offered (an agreement with it cannot be signed) and when a use is decided, with the nearest known word.

A node says where it computes by `place`, `network` and `environment` in `node.toml`: that is the hospital's own word,
and proves nothing to anybody else. The [table below](#who-supplies-a-fact) says who supplies each fact; what nobody
supplies is unknown, and denied.

An agreement that amends or renews another one goes on counting: uses and exact answers of the whole chain count against
what the newest allows. A run has `run_limit_s` in `node.toml` from its admission to its release, an hour at most. A
third party's security assessment is registered with `xinglin node assessment add STATEMENT.toml REPORT.pdf`: the node
signs that such a report exists, its digest goes into the log, and it stands until its date, its end
(`xinglin node assessment end NAME`) or the regulator's freeze of its digest.

Data of grade L3 is refused at every node of this version: nothing here computes under encryption beyond the secure sum,
or in an attested enclave, and once all else is there `requires_protected_computation` is the one reason that remains.

Before a use, `CompiledPolicy.prospect` says what can still become of it: facts that are not known yet are conditions
(`open:place`), and a refusal means that no later fact can help.

A provider may tighten what is offered and never loosen it: `tighten(own, offered)` allows exactly what both allow, and
`at_least_as_strict(policy, demanded)` is true only where it is certain from the words. `simulate` runs a changed
policy over recorded decisions and lists which differ; `findings` names rules that are dead, superfluous,
contradictory or in conflict.

## As ODRL

Policies travel as ODRL 2.2 in the JSON of the Dataspace Protocol 2025-1 (`to_odrl`, `from_odrl`), which is JSON-LD
under two contexts: the protocol's, and `https://w3id.org/xinglin/terms/1/context.jsonld`, which defines the words that
the protocol's lacks. Short, `odrl:` and absolute spellings are all read, compacted or expanded; values are written
as `{"@value", "@type"}` where they are numbers, instants, durations or flags. What a policy here cannot hold (a
refinement, a remedy, a rule with parties of its own) is refused, never dropped. The `@id` of a rule is not kept.
"""


def page() -> str:
    """The whole page."""
    from xinglin.terms.vocabulary import ACTIONS, DUTIES

    return "\n".join(
        [
            HEAD,
            *_operands(),
            *_supplied(),
            *_actions("Actions", "`use` includes those below it; the others stand for themselves.", ACTIONS.values()),
            *_actions("Duties", "Owed for a permission, or whatever is used.", DUTIES.values()),
            *_purposes(),
            *_grades(),
            *_decisions(),
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [*lines, ""]


def _operands() -> list[str]:
    from xinglin.terms.reading import example
    from xinglin.terms.vocabulary import OPERANDS, VERSION

    rows = [
        (
            f"`{one.name}`",
            f"{one.words} · {one.words_zh}",
            one.kind + (", held" if one.held else ""),
            " ".join(f"`{name}`" for name in one.operators),
            example(one) + (f"; in {', '.join(one.units)}" if one.units else ""),
            f"<{one.iri}>",
        )
        for one in OPERANDS.values()
    ]
    title = ["## Operands", "", f"Version {VERSION} of the vocabulary; it is closed.", ""]
    return [*title, *_table(("operand", "meaning · 含义", "kind", "operators", "values", "IRI"), rows)]


def _supplied() -> list[str]:
    from xinglin.terms.supplied import AT_THE_CONNECTOR, AT_THE_NODE, NOBODY, PERSON
    from xinglin.terms.vocabulary import OPERANDS

    nobody = "nobody yet: denied"
    rows = [
        (f"`{name}`", AT_THE_CONNECTOR.get(name, nobody if name in NOBODY else PERSON), AT_THE_NODE.get(name, nobody))
        for name in OPERANDS
    ]
    words = (
        "In the catalogue a study states its facts itself, the time and the grade apart; what it does not state stays "
        "open. A released product of grade L1 is read with the connector's facts. What a hospital declares or vouches "
        "for is its word, and no more."
    )
    title = ["## Who supplies a fact", "", words, ""]
    return [*title, *_table(("operand", "at the connector", "at a run, its rounds and its release"), rows)]


def _actions(title: str, words: str, actions: Iterable[object]) -> list[str]:
    rows = [
        (f"`{one.name}`", f"{one.words} · {one.words_zh}", f"`{one.wider}`" if one.wider else "", f"<{one.iri}>")  # type: ignore[attr-defined]
        for one in actions
    ]
    return [f"## {title}", "", words, "", *_table(("word", "meaning · 含义", "part of", "IRI"), rows)]


def _purposes() -> list[str]:
    from xinglin.terms.purposes import PURPOSES

    rows = [
        (
            f"`{one.code}`",
            f"{one.words} · {one.words_zh}",
            "prohibited" if one.prohibited else f"`{one.wider}`" if one.wider else "",
            one.duo,
            f"Art. {one.ehds}" if one.ehds else "",
        )
        for one in PURPOSES.values()
    ]
    words = "A disease is written with its term: `disease-research/MONDO:0005010`."
    return ["## Purposes", "", words, "", *_table(("purpose", "meaning · 含义", "part of", "DUO", "EHDS"), rows)]


def _grades() -> list[str]:
    from xinglin.terms.grading import grade_table

    rows = [
        (
            row["grade"],
            f"{row['words']} · {row['words_zh']}",
            row["gbt_39725_level"],
            row["catalogue_level"],
            f"{row['level_words']} · {row['level_words_zh']}",
            row["operations"],
        )
        for row in grade_table()
    ]
    words = (
        "Neither GB/T 39725-2020 nor the national catalogue knows L1 to L3: this mapping is the space's own. Genomes "
        "and other most sensitive content are level 5 whatever their grade. A release has a grade of its own: what "
        "passes the L1 pack is L1."
    )
    head = ("grade", "data · 数据", "GB/T 39725", "catalogue", "level · 级别", "operations")
    return ["## Grades on other scales", "", words, "", *_table(head, rows)]


def _decisions() -> list[str]:
    from xinglin.testing.decision_table import codes, not_offered, offered, read_verdict, rows, verdict

    pairs = list(offered())
    body = [(row.missing, *(_cell(cell) for cell in row.cells)) for row in rows()]
    words = (
        "One use for each grade and operation with nothing missing, and the same use with one condition missing: "
        "allowed, or the codes of the reasons. Where a grade does not ask for a requirement, its absence is no matter."
    )
    refused = [
        (
            f"{grade} {op}",
            _cell(codes(read_verdict(grade) if op == "read" else verdict(grade, op, "nothing is missing"))),
        )
        for grade, op in not_offered()
    ]
    reading = "`L1 read` needs no agreement: released aggregates are read by anyone, and each reading is logged."
    return [
        "## Decision table",
        "",
        words,
        "",
        *_table(("missing", *(f"{grade} {operation}" for grade, operation in pairs)), body),
        reading,
        "",
        "Never offered, whatever is there:",
        "",
        *_table(("use", "refused"), refused),
    ]


def _cell(codes: tuple[str, ...]) -> str:
    return " ".join(f"`{code.removeprefix('terms.')}`" for code in codes) or "allowed"
