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
```

A consumer does the same from its account: `xinglin study amend | renew | suspend | resume | end`.

A node that stops between its signature and the leaf asks house policy and law packs again before it completes. What
they refuse by then is *withdrawn*: the other party never had the signature, and where the leaf had reached the log it
is ended there too. Rules that cannot be read refuse nothing and allow nothing: the agreement waits.

### Breaches

A notice of breach and its answers are papers, signed by the party that gives them (Ed25519 and ML-DSA-65). The hub
carries them, both parties verify and keep them, the log holds their digests. A paper that the log does not bear out is
shown as *unlogged* and counts for nothing. A notice asks for its answer by a date, 30 days after it was made where it
names none; who accepts says until when it is put right. A date that passes is *overdue*: the hospital's node notes it
once, under `overdue` in `xinglin node status` (and its `--json`), until the case goes on, whatever the clock says
later. Without a rule that is all; a rule on `breach-overdue` suspends the agreement ([auto-pilot](#auto-pilot)).

A breach moves no agreement. Whoever gives the notice may suspend the agreement in the same call, where its state takes
that. A notice about an agreement that has ended is heard, since deletion and publication are owed after the end, and
revives nothing; before an agreement was in force nothing of it can be broken.

```sh
xinglin node breach sha256:92cf --what not-deleted --words "Still there in May." --by 2027-01-31T00:00:00Z --suspend
xinglin node breach sha256:92cf --answer 5d01 --as contested --words "It was delivered on the 3rd."
xinglin node breach sha256:92cf --close 5d01
xinglin node breaches
xinglin study breach "Heart study" --hospital a --answer 77ab --as accepted --by 2027-02-28T00:00:00Z
xinglin study breaches "Heart study"
```

As the parties read it, and below as the leaves have it:

{case}

{breach}

{breaches}

{answers}

## One application, many hospitals

`xinglin study apply` signs one application of a study by a template. The offer of each hospital follows from the
application and the template (`contract.offers`), names the application by its digest, and travels with it. An
application may ask for less than its template gives, never for more.

Each node verifies for itself: both signatures of the requester; that the offer names this very application; that the
application names this hospital, by its keys, and the data set; that it is at most {application_days} days old, when it
comes and when the officer approves; that the template is known here word for word; that the offer follows from it to
the letter. An application that is not the one which the consumer's signature names is the carrier's doing: that order
is dropped, and a true one can follow. What the consumer itself signed at odds with its application is refused, with
every reason. The agreement's leaf names the application by its digest. `xinglin node agreements show` tells what was
applied for, by whom, and to how many hospitals. An offer without an application (versions 1 and 2) still opens, and is
shown as such; what amends or renews an agreement departs from the application, and names none.

{templates}

## Auto-pilot

A node answers offers, and missed dates, by the rules in its `autopilot.toml`. The first rule that holds is done; where
none does, a person decides. `accept` names an envelope, the most that the hospital agreed to beforehand, and holds only
for terms that are at least as strict in every point. Data of grade L3 is never accepted by a rule; a file that cannot
be meant accepts nothing.

```toml
{rules}
```

On `breach-overdue`, a date of a notice of breach that the other party let pass, a rule does `hold` or `suspend` (with
its reason): the same signed and logged suspension as by hand, which holds what runs, and which a person lifts. Each
date is acted on once: whoever resumes the agreement is not overruled, and a rule that is written later does nothing
about a date that was held before. The node acts on a fresh checkpoint only, never on a date of its own hospital's, and
not while the log names an answer that was not carried to it; rules that cannot be read wait, and are seen.

```toml
[[rule]]
on = "breach-overdue"
do = "suspend"
data_sets = ["heart*"]
reason = "What is not answered in time is stopped first."
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

The six calls are served at the hub, which has the standard's place of a service platform, as `POST /v1/national` with
the text's own paths, behind the same door as every call of a member (a door token bound to the caller's key). `GET
/v1/national/contracts` lists what the caller may see. A contract is the face of an agreement, and its status follows
from that agreement's standing in the log: **no call signs, runs or ends anything**.

{calls}

```sh
xinglin contract open sha256:92cf --subject 91350100M000100Y43 --area 3101 --node NODE_FOLDER
xinglin contract file C391350100M --authority did:xinglin:regulator --node NODE_FOLDER
xinglin contract file C391350100M --accept 2026-17 --witness WITNESS_FOLDER
xinglin contract list --account ACCOUNT_FOLDER
```

What we know only second-hand, or the text leaves open as far as it is quoted: the members of every message but its
path; the form of answers and errors (ours are a contract, or a problem with reasons); who calls on behalf of whom; how
the platform knows a caller (ours is the space's door, the text's is the identity of NDI-TR-2025-03); what an acceptance
binds; who the authority of a filing is and which states it has (ours is a regulator of the space, by the table below);
whether a contract may be executed before it is filed (ours may, since a space need not file); signatures of the calls
in the SM2 style, and the encrypted archive, which are not here. The provider's credit code in the id is the provider's
word; nothing proves it. An execution names a use request by a digest that the hub cannot compare with a run.

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

CALLS = (
    ("`contractTemplate`", "a member", "the templates of the space in the codes; nobody adds one"),
    (
        "`contractCreate`",
        "a party",
        "opens the contract of an agreement; the provider's own code goes before another's",
    ),
    ("`contractNegotiate`", "a party", "a counter-proposal or an acceptance, kept as words; the signatures alone bind"),
    ("`contractRegistrate`", "a party; its authority", "files a signed contract; accepts it by number or returns it"),
    ("`contractExecution`", "the consumer", "names a use, at hospitals that the agreement names, while it is in force"),
    ("`contractTerminate`", "a party", "says why it ended, and by which leaf, once the agreement has ended"),
)
"""The calls of TC609-6-2025-14 as they are served, in words."""

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
        "names the digest of a notice or an answer, which the hub carries outside the log",
    ),
)
"""Kinds of leaves (``contract.changes.EVENTS``), in words."""


def page() -> str:
    """The whole page."""
    from xinglin.contract.autopilot import __doc__ as rules
    from xinglin.contract.breach import ANSWERS, BREACHES
    from xinglin.contract.faces.clocks import STEPS
    from xinglin.contract.faces.national import FILING_STATES, NATIONAL_STATES
    from xinglin.contract.faces.national_words import ACTIONS_ZH, OPERATORS
    from xinglin.contract.faces.permit import PERMIT_STATES
    from xinglin.contract.negotiation import AGREEMENT_STATES, BREACH_STATES, CASE_STATES
    from xinglin.contract.templates.drafting import APPLICATION_DAYS, NAMES, load_template

    templates = [load_template(name) for name in NAMES]
    return LIFE.format(
        agreement=_diagram(AGREEMENT_STATES),
        leaves=_table(("leaf", "event", "by", "what it does"), LEAVES),
        breach=_diagram(BREACH_STATES),
        case=_diagram(CASE_STATES),
        answers=_table(("answer", "meaning", "中文"), ((f"`{word}`", *words[1:]) for word, words in ANSWERS.items())),
        application_days=APPLICATION_DAYS.value,
        calls=_table(("call", "by", "what it does"), CALLS),
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
