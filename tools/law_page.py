"""Writes ``docs/law.md``: law packs, fences and pilots, with every pack's articles from the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xinglin.terms.law.model import Pack

TEXT = """# Law packs, fences and pilots

A *law pack* is a TOML file: articles of one law, or points of one control list, each with when it applies, what is
checked, and the remedy. Tables are printed from the packs by `make docs`.

## What a check is, and is not

A check compares facts that somebody states with what an article asks. It is no legal advice and does not make a use
lawful: it finds what is missing, says how it looked, and stops a use while anything is open.

* **Second-hand.** The texts were read through others: reference pages, guidelines and common quotations. Every rule
  carries that mark in reports until somebody compares it with the official text (`second_hand = false`). Where an
  article's number was not certain, the law's chapter or section stands instead. What is a draft says so.
* **Five outcomes.** An article is *satisfied*, *violated* (with the remedy), *not applicable* (with the reason), *needs
  an answer*, or *not known* (with the facts that are missing). Only the first and the third let a use pass.
* **A person judges what no program can.** Such a rule has a question. The answer says who, when and on which matter,
  holds at most as long as the rule says, and is to the very wording that was asked. The newest answer counts: when it
  expires, or is a no, no older one comes back.
* **Three times.** The same pure function, `law_reasons(subject, packs, answers)`, is there for writing terms, for
  making an agreement and for deciding a use. A use that was agreed can so be refused later, when an approval, an answer
  or an assessment has run out.
* **More packs, never fewer reasons.** The order of packs, rules and answers does not matter. An unknown pack is a
  reason, and so is a value that no list knows.
* **Before its day** a pack is checked as well, and the report says so: to choose a pack is to follow it.

A hospital writes packs of its own in the same form; unknown words are refused with the nearest known one.

```toml
[[rule]]
id = "few-persons"
article = "Own rule 1"
words = "A pilot cohort is small."
words_zh = "试点队列规模小。"
applies_when = {{ fact = "sensitive", is = true }}
check = {{ any = [{{ fact = "persons", at_most = 500 }}, {{ fact = "documents", has = ["ethics-approval"] }}] }}
remedy = "Ask for fewer persons, or obtain an approval."
```

Terms state facts, packs and answers in one file; `xinglin law check` ends with 1 where an article is in the way,
`xinglin law packs` and `xinglin law show` tell what there is.

```toml
packs = ["pipl", "human_genetic_resources"]

[facts]
matter = "stroke-2026"
at = 2026-11-22T08:00:00+08:00
categories = ["health-status", "genetic"]
identifiability = "pseudonymised"
origin = "CN-SH"
destinations = ["CN-BJ"]

[[answers]]
rule = "pipl.purpose-and-minimum"
yes = true
by = "data protection officer"
at = 2026-11-01T09:00:00+08:00
days = 90
```

What is not stated is not known. Hong Kong, Macao and Taiwan lie outside the mainland, and outside `CN` in this sense.

### Operators

{operators}

### Facts

{facts}

## Withdrawals

Which withdrawals and objections bind is data of the packs, by the study's basis. *binding*: the person leaves before
the next computation. *outputs-withheld*: the person leaves new cohorts; outputs of a frozen one wait until the minimum
cell of persons changed. *not-binding*: the use goes on. Of several packs the strictest that names the basis counts;
where none does, the withdrawal binds.

{withdrawals}

## Clocks

Calendar months, in the office's zone; the time in which it waits for the applicant does not count where the clock says
so, and the due date is void meanwhile.

{clocks}

## Fences 电子围栏

A fence names networks, places, hours, environments and cross-region lists (a category of data, from where, to where).
Within one kind any entry suffices; every kind that is named must hold; what is not known is outside. A fence is
tightened by another beside it. A verdict names what it rests on (`fence:network-by-proxy`), and this is what that is
worth:

{proofs}

## Regulatory sandbox 监管沙盒

A pilot has participants, purposes, operations, data sets, numbers of uses and persons, and an end within {days} days.
Its supervisor, a regulator of the space who takes no part in it, signs it. A signature may set aside, until a date,
only what is on a closed list: points of control lists, guidelines that are drafts, and the hours, places and networks
of fences. The table of requirements ([terms](terms.md)), articles of laws, prohibited purposes, consent and approvals
are not on it. At the end a report counts evidence: uses, refusals by code, relaxations used and not used, limits
passed. How many persons were counted is the nodes' word.

Relaxable points: {relaxable}.

## Packs

{packs}
"""


def page() -> str:
    """The whole page."""
    from xinglin.terms.fences import PROOFS
    from xinglin.terms.law.conditions import OPERATORS
    from xinglin.terms.law.facts import FACTS
    from xinglin.terms.law.loading import PACKS, load_pack
    from xinglin.terms.sandbox import PILOT_DAYS, relaxable

    packs = [load_pack(name) for name in PACKS]
    operators = [
        (f"`{name}`", one.words.format("…"), ", ".join(one.kinds), one.takes) for name, one in OPERATORS.items()
    ]
    facts = [
        (f"`{one.name}`", one.kind, one.words, one.words_zh, ", ".join(one.values) or ", ".join(one.rests_on))
        for one in FACTS.values()
    ]
    withdrawals = [
        (pack.name, one.basis, one.effect, one.regime, one.frozen, one.reach, one.article)
        for pack in packs
        for one in pack.withdrawals
    ]
    clocks = [
        (
            f"`{one.id}`",
            one.words,
            _length(one.months, one.weeks),
            one.extension_months or "",
            one.accelerated_months or "",
        )
        for pack in packs
        for one in pack.clocks
    ]
    proofs = [(name, one.proves, one.does_not) for name, one in PROOFS.items()]
    codes = sorted(code for code in relaxable() if "law_unanswered" not in code)
    return TEXT.format(
        operators=_table(("operator", "words", "of facts of kind", "compared with"), operators),
        facts=_table(("fact", "kind", "words", "中文", "values, or what it is computed from"), facts),
        withdrawals=_table(("pack", "basis", "effect", "regime", "frozen cohort", "reaches", "article"), withdrawals),
        clocks=_table(("clock", "what", "time", "prolonged by, months", "accelerated, months"), clocks),
        proofs=_table(("kind", "proves", "does not prove"), proofs),
        days=PILOT_DAYS.value,
        relaxable=", ".join(f"`{code}`" for code in codes),
        packs="\n\n".join(_pack(pack) for pack in packs),
    )


def _pack(pack: Pack) -> str:
    from xinglin.terms.law.conditions import ALWAYS, condition_text

    rows = []
    for rule in pack.rules:
        checked = condition_text(rule.check) if rule.check != ALWAYS else ""
        asked = f"asks ({rule.valid_days} days): {rule.question}" if rule.question else ""
        marks = " (draft)" if rule.draft else ""
        applies = "always" if rule.applies == ALWAYS else condition_text(rule.applies)
        how = "; ".join(part for part in (checked, asked) if part)
        rows.append((f"`{rule.id}`", rule.article + marks, rule.words, applies, how))
    head = f"### {pack.title}\n\n{pack.title_zh} · `{pack.name}` · {pack.status}, since {pack.since}. {pack.source}."
    note = f" {pack.note}" if pack.note else ""
    return f"{head}{note}\n\n" + _table(("rule", "article", "asks", "applies when", "checked"), rows)


def _length(months: int, weeks: int) -> str:
    return f"{months} months" if months else f"{weeks} weeks"


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
