"""``xinglin node autopilot …``: rules that answer offers for the hospital, checked and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.agreement_verbs import AgreementId, asked, whole
from xinglin.cli.options import Folder
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="Rules in autopilot.toml that answer offers for the hospital.")


@app.command()
@ends
def check(
    file: Annotated[
        Path | None, typer.Argument(help="The rule file; by default the node's own.", dir_okay=False)
    ] = None,
    folder: Folder = Path("node"),
) -> None:
    """Whether a rule file can be meant, what each rule does, and which can never hold. Nothing is asked of the node."""
    from xinglin.contract.autopilot import dead_rules, read_autopilot
    from xinglin.contract.errors import BadRules
    from xinglin.node.autopilot import AUTOPILOT_FILE

    place = file or folder / AUTOPILOT_FILE
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRules(f"{place} cannot be read.", why=type(error).__name__) from error
    pilot = read_autopilot(text)
    dead = dead_rules(pilot)
    rows = [
        {
            "rule": number,
            "on": rule.on,
            "do": rule.do,
            "data sets": ", ".join(rule.data_sets),
            "participants": ", ".join(rule.participants),
            "envelope": rule.envelope,
            "note": "never holds: an earlier rule comes first" if number in dead else "",
        }
        for number, rule in enumerate(pilot.rule, 1)
    ]
    printer.value(
        {"file": str(place), "rules": rows, "dead": list(dead)},
        lambda: columns(rows, tuple(rows[0])) if rows else "no rules: a person decides",
    )


@app.command()
@ends
def explain(agreement: AgreementId, folder: Folder = Path("node")) -> None:
    """What the rules do with an offer, rule by rule, and why; nothing is done."""
    value = asked(folder, "explain", id=whole(folder, agreement))
    printer.value(value, lambda: _explained(value))


def _explained(value: dict[str, Any]) -> str:
    rows = [
        {
            "rule": one["rule"],
            "do": one["do"],
            "holds": "yes" if one["holds"] else "no",
            "why": " ".join(reason["words"] for reason in one.get("reasons", ())),
        }
        for one in value["tried"]
    ]
    head = facts({"answer": value["do"], "rule": value["rule"] or "none", "reason": value["reason"]})
    return head + ("\n\n" + columns(rows, ("rule", "do", "holds", "why")) if rows else "")
