"""``xinglin study …``: propose a study, see how its agreements stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli import breach_verbs, contract_verbs
from xinglin.cli.contract_verbs import cohort_view
from xinglin.cli.given import account_space, given
from xinglin.cli.options import DataSet, Purpose, Title, Variable, View
from xinglin.cli.output import columns, ends, printer

if TYPE_CHECKING:
    from xinglin.sdk.space import Space
    from xinglin.sdk.study import Study

app = typer.Typer(no_args_is_help=True, help="Studies: propose one to hospitals, see who agreed.")
app.add_typer(contract_verbs.app)
app.add_typer(breach_verbs.app)
Wait = Annotated[float, typer.Option(help="Wait this many seconds for the hospitals' answers.")]
_SHOWN = ("hospital", "state", "allowance", "min_cell", "until", "why")


@app.command()
@ends
@given("space", account_space)
def propose(
    title: Title,
    space: Space,
    data_set: DataSet,
    view: View,
    variable: Variable,
    purpose: Purpose = "health-research",
    days: Annotated[float, typer.Option(help="How long the agreements hold.")] = 365.0,
    allowance: Annotated[int, typer.Option(help="Exact answers a hospital.")] = 50,
    min_cell: Annotated[int, typer.Option(help="Persons a released cell has at least.")] = 10,
    hospital: Annotated[
        list[str] | None, typer.Option(help="Ask this hospital (DID). Repeatable; default all.")
    ] = None,
    wait: Wait = 0.0,
) -> None:
    """Offer an agreement to every hospital that publishes the data set; their officers decide."""
    from xinglin.sdk.offers import Offer
    from xinglin.terms.thresholds import DisclosureRules

    offer = Offer(days=days, allowance=allowance, rules=DisclosureRules(min_cell=min_cell))
    study = space.propose(
        title,
        data_set=data_set,
        cohort=dict(cohort_view(one) for one in view),
        variables=variable,
        purpose=purpose,
        offer=offer,
        hospitals=hospital,
    )
    _follow(study, wait)


@app.command(name="list")
@ends
@given("space", account_space)
def list_(space: Space) -> None:
    """Agreements of this account, by study."""
    names = space.names()
    rows = [
        {
            "study": held.agreement.study,
            "data_set": held.agreement.data_set,
            "hospital": names.get(held.agreement.provider, held.agreement.provider),
            "state": held.view.state,
            "agreement": held.view.agreement_id,
        }
        for held in space.agreements()
    ]
    printer.value(rows, lambda: columns(rows, ("study", "data_set", "hospital", "state", "agreement")))


@app.command()
@ends
@given("space", account_space)
def show(title: Title, space: Space, wait: Wait = 0.0) -> None:
    """How a study's agreements stand, hospital by hospital."""
    _follow(space.study(title), wait)


def _follow(study: Study, wait_s: float) -> None:
    """Show how the agreements stand, once all answered or the time is over."""
    if wait_s:
        study.wait(wait_s, tell=_waiting)
    _print(study)


def _waiting(study: Study) -> None:
    if study.waiting_for:
        printer.note(f"waiting for {', '.join(study.waiting_for)}")


def _print(study: Study) -> None:
    from xinglin.kernel.instants import to_text

    names = study.space.names()
    rows: list[dict[str, Any]] = []
    for did, held in sorted(study.agreements.items()):
        terms = held.agreement.terms
        why = [held.trouble] if held.trouble else [reason.words for reason in held.view.reasons]
        rows.append(
            {
                "hospital": names.get(did, did),
                "did": did,
                "state": study.state_of(held),
                "agreement": held.view.agreement_id,
                "variables": list(terms.variables),
                "allowance": terms.allowance,
                "min_cell": terms.rules.min_cell,
                "until": to_text(terms.expires),
                "why": why,
            }
        )
    views = study.views()
    value = {
        "study": study.id,
        "title": study.title,
        "data_set": study.data_set,
        "views": views,
        "agreements": rows,
    }
    listed = "".join(f"\nview {name}: {', '.join(found)}" for name, found in views.items())
    printer.value(value, lambda: f"{study.title} ({study.id})\n{columns(rows, _SHOWN)}{listed}")
