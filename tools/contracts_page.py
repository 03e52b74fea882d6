"""Writes ``docs/contracts.md``: the life of an agreement, its faces, templates and auto-pilot, from the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LIFE = """# Contracts

An agreement is what one study and one hospital signed, both with Ed25519 and ML-DSA-65; the digest of its canonical
bytes is its name. Diagrams and tables are printed from the code by `make docs`.

## The life of an agreement

An agreement is offered by its consumer, countersigned at the hospital's node, and *active* once its leaf lies in the
log under a quorum. Only an active agreement allows a use.

{agreement}

What happens later is a leaf of its own kind, with digests, DIDs and instants alone, signed by the party that may do it:

{leaves}

Where every agreement stands is a pure function of the leaves (`contract.replay`): nodes, the hub and analysts fold the
same log and find the same. A leaf that is badly signed, by a stranger, copied from an earlier one or impossible in the
present state has no effect. A use is judged by the leaves below its own `release-authorised` leaf, so that an earlier
authorisation stands.

Before it ends an agreement, a hospital sees what rests on it: runs that stop, runs that were authorised and stand,
results that are out, who can ask no more, and whether the study has too few hospitals left.

```sh
xinglin node end sha256:92cf --preview
xinglin node suspend sha256:92cf
xinglin node resume sha256:92cf
xinglin node breach sha256:92cf --what not-deleted --words "Still there in May." --out notice.json
```

A consumer does the same from its account: `xinglin study amend | renew | suspend | resume | end`.

### Breaches

{breach}

{breaches}

## One application, many hospitals

`xinglin study apply` signs one application of a study by a template. The offer of each hospital follows from the
application and the template (`contract.offers`): every hospital can check that it was asked the same as the others. An
application may ask for less than its template gives, never for more.

{templates}

## Auto-pilot

A node answers offers by the rules in its `autopilot.toml`. The first rule that holds is done; where none does, a
person decides. `accept` names an envelope, the most that the hospital agreed to beforehand, and holds only for terms
that are at least as strict in every point. Data of grade L3 is never accepted by a rule; a file that cannot be meant
accepts nothing.

```toml
{rules}
```

```sh
xinglin node autopilot check
xinglin node autopilot explain sha256:92cf
```

## Three faces

Each face names the agreement's digest, carries the agreement, and is refused when it says anything else than what
follows from it. What a vocabulary cannot say is a named loss.

**Dataspace Protocol.** An ODRL *Agreement* with assigner, assignee, target and timestamp: one permission for each
agreed operation under every limit of the terms, and the policy's own rules ([terms](terms.md)).

**数字合约** (TC609-6-2025-14, -15). The texts were not to be had: codes, lengths and paths are as implementations quote
them. An id has 47 characters: `C`, node type (1, 2, 3), subject (18, a unified social credit code), area (4), time
(14), random (8, taken from the digest), check (1). **The check is our reading**: ISO/IEC 7064 MOD 37,36 (GB/T 17710).
It catches every single changed character, and all but two in a thousand swaps of unlike neighbours.

{national}

{filing}

{operators}

04 and 09, 08 and 12 stand for the same operator in the implementations seen; 09 and 12 are written, and reading 04 or
08 names the doubt. (The twelve operators of ODRL in alphabetical order would make 04 *hasPart* and 08 *isNoneOf*.) A
permission that is not understood whole is no permission; a prohibition that is not understood whole prohibits more.

{actions}

**EHDS data permit** (Regulation (EU) 2025/327). An amended or renewed permit has a new id and names the earlier ones; a
renewed permit is not renewed again, and an extension is asked for at least a month before the end.

{permit}

{clocks}

A date is void while somebody waits for information, and later by as long as the wait was.
"""

LEAVES = (
    (
        "`agreement-amendment`",
        "amend",
        "the provider, who signs last",
        "another agreement that both signed replaces this one, in one leaf for both; it lasts no longer",
    ),
    (
        "`agreement-renewal`",
        "renew",
        "the provider",
        "the same, and it lasts longer; nothing else changes but allowance and peers' keys; **once**",
    ),
    ("`agreement-suspension`", "suspend", "either party, a regulator", "no use until it is lifted"),
    (
        "`agreement-resumption`",
        "lift, resume",
        "each for its own suspension",
        "the last one to lift makes it active again",
    ),
    ("`agreement-end`", "terminate", "either party, a regulator", "over"),
    (
        "`agreement-breach`",
        "(none)",
        "a party; answered by the other; closed by who gave it, or a regulator",
        "names the digest of a notice, which is handed over outside the log",
    ),
)
"""Kinds of leaves (``contract.changes.EVENTS``), in words."""


def page() -> str:
    """The whole page."""
    from xinglin.contract.autopilot import __doc__ as rules
    from xinglin.contract.breach import BREACHES
    from xinglin.contract.faces.clocks import STEPS
    from xinglin.contract.faces.national import FILING_STATES, NATIONAL_STATES
    from xinglin.contract.faces.national_words import ACTIONS_ZH, OPERATORS
    from xinglin.contract.faces.permit import PERMIT_STATES
    from xinglin.contract.negotiation import AGREEMENT_STATES, BREACH_STATES
    from xinglin.contract.templates.drafting import NAMES, load_template

    templates = [load_template(name) for name in NAMES]
    return LIFE.format(
        agreement=_diagram(AGREEMENT_STATES),
        leaves=_table(("leaf", "event", "by", "what it does"), LEAVES),
        breach=_diagram(BREACH_STATES),
        national=_diagram(NATIONAL_STATES),
        filing=_diagram(FILING_STATES),
        permit=_diagram(PERMIT_STATES),
        breaches=_table(("word", "meaning", "中文"), ((f"`{word}`", *words) for word, words in BREACHES.items())),
        templates=_table(
            ("template", "for", "中文", "grade", "purposes", "operations", "days", "answers"),
            (
                (
                    f"`{t.name}`",
                    t.words,
                    t.words_zh,
                    t.grade,
                    ", ".join(t.purposes),
                    ", ".join(t.operations),
                    str(t.days),
                    str(t.allowance),
                )
                for t in templates
            ),
        ),
        rules=_indented(rules or ""),
        operators=_table(("code", "operator"), ((f"`{code}`", operator) for code, operator in OPERATORS.items())),
        actions=_table(("action", "ODRL"), ACTIONS_ZH.items()),
        clocks=_table(
            ("step", "meaning", "中文", "from", "time", "extension"),
            (
                (
                    f"`{one.name}`",
                    one.words,
                    one.words_zh,
                    one.since,
                    f"{one.months} months" if one.months else f"{one.weeks} weeks",
                    f"+ {one.more} months, once" if one.more else "",
                )
                for one in STEPS.values()
            ),
        ),
    )


def _diagram(table: object) -> str:
    return f"```mermaid\n{table.diagram()}\n```"  # type: ignore[attr-defined]


def _indented(text: str) -> str:
    """The example of a docstring: its indented lines."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("    "))
    return "\n".join(line.removeprefix("    ") for line in lines[first:]).strip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
