"""``xinglin node budget`` and ``xinglin budget``: what noised answers have spent of privacy, and what is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.agreement_verbs import asked
from xinglin.cli.given import account_space, given
from xinglin.cli.options import Folder, Study
from xinglin.cli.output import columns, ends, printer

if TYPE_CHECKING:
    from xinglin.sdk.space import Space

node_app = typer.Typer()
_SCOPE = ("study", "spent_rho", "reserved_rho", "left_rho", "cap_rho", "epsilon_spent", "epsilon_cap")


@node_app.command(name="budget")
@ends
def node_budget(
    data_set: Annotated[str, typer.Option(help="Of this data set; of every published one unless named.")] = "",
    cap: Annotated[str, typer.Option(help="Set what may be spent: rho, exact text such as 0.1.")] = "",
    study: Annotated[str, typer.Option(help="Whose cap: a study's id; everybody's together unless named.")] = "",
    inherit: Annotated[str, typer.Option(help="The data set goes on with this older version's budget.")] = "",
    entries: Annotated[bool, typer.Option(help="Show the history as well.")] = False,
    folder: Folder = Path("node"),
) -> None:
    """Budgets of privacy: caps, what is spent and left, the history's chain verified; set a cap."""
    step = "cap" if cap else "inherit" if inherit else "show"
    if step != "show" and not data_set:
        raise typer.BadParameter("Name the data set: --data-set.")
    words = {"step": step, "data_set": data_set, "rho": cap, "study": study, "of": inherit}
    value = asked(folder, "budget", **words, entries="yes" if entries else "")
    printer.value(value, lambda: "\n\n".join(_text(one) for one in value))


@ends
@given("space", account_space)
def budget(
    space: Space,
    study: Study,
    data_set: Annotated[str, typer.Option(help="Of this data set; the study's own unless named.")] = "",
) -> None:
    """What each hospital says is spent and left of its budget of privacy for a study, signed by it."""
    found = space.study(study)
    rows = [one.to_dict() for one in space.budget(data_set or found.data_set, found.id)]
    shown = ("hospital", "spent_rho", "reserved_rho", "left_rho", "epsilon_spent", "everybody_left_rho", "at")
    printer.value(rows, lambda: columns(rows, shown))


def _text(one: dict[str, Any]) -> str:
    chain = f"{one['entries']} entries, chain {'whole' if one['whole'] else 'BROKEN: ' + one['broken']}"
    last = f", {one['days_left']} days left at this pace" if one["days_left"] >= 0 else ""
    lines = [f"{one['data_set']}: {chain}{last}; a study that has asked for nothing yet may spend {one['a_new_study']}"]
    lines.append(columns(one["scopes"], _SCOPE))
    if one["history"]:
        lines.append(columns(one["history"], ("seq", "kind", "study", "rho_units", "run", "hash")))
    return "\n".join(lines)
