"""``xinglin study apply | amend | renew | end | suspend | resume``: what a consumer does about agreements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.options import DataSet, Purpose, Title, Variable, View, select_text
from xinglin.cli.output import columns, ends, printer

if TYPE_CHECKING:
    from xinglin.sdk.session import Held
    from xinglin.sdk.space import Space

app = typer.Typer()

Hospital = Annotated[
    list[str] | None, typer.Option(help="Only at this hospital (DID or label). Repeatable; default all.")
]


@app.command()
@ends
@given("space", account_space)
def apply(
    title: Title,
    space: Space,
    template: Annotated[str, typer.Option(help="Template: statistics, training, extract, public-health, genomes …")],
    basis: Annotated[str, typer.Option(help="Basis in law: consent, ethics-waiver, statutory-duty or permit.")],
    data_set: DataSet,
    view: View,
    variable: Variable,
    purpose: Purpose = "health-research",
    days: Annotated[int, typer.Option(help="How long; 0: as the template says.")] = 0,
    allowance: Annotated[int, typer.Option(help="Exact answers a hospital; 0: as the template says.")] = 0,
    hospital: Hospital = None,
    out: Annotated[Path | None, typer.Option(help="Write the signed application here.", dir_okay=False)] = None,
) -> None:
    """Apply once, by a template; every hospital is offered what follows from the application."""
    from xinglin.contract.study import Study
    from xinglin.sdk.contracts import apply_for
    from xinglin.sdk.space import study_id

    did = space.account.did
    institution = _institution(space)
    study = Study(study_id(title, did), title, did, institution, purpose, basis)
    applied = apply_for(
        space,
        study,
        template=template,
        data_set=data_set,
        cohort=dict(cohort_view(one) for one in view),
        variables=variable,
        days=days,
        allowance=allowance,
        hospitals=_dids(space, hospital),
    )
    if out is not None:
        out.write_bytes(applied.signed.to_bytes())
    rows = [
        {"hospital": space.names().get(one.provider, one.provider), "state": one.state, "agreement": one.agreement_id}
        for one in applied.views
    ]
    value = {"study": study.id, "application": applied.application.digest(), "offers": rows}
    printer.value(value, lambda: columns(rows, ("hospital", "state", "agreement")))


@app.command()
@ends
@given("space", account_space)
def amend(
    title: Title,
    space: Space,
    allowance: Annotated[int, typer.Option(help="Exact answers a hospital.")],
    hospital: Hospital = None,
) -> None:
    """Offer other terms for agreements in force: the allowance, and the keys of peers as the log has them now."""
    from xinglin.sdk.contracts import replace_agreement

    _each(space, title, hospital, lambda held: replace_agreement(space, held, allowance=allowance).agreement_id)


@app.command()
@ends
@given("space", account_space)
def renew(
    title: Title,
    space: Space,
    days: Annotated[float, typer.Option(help="How many days longer.")] = 365.0,
    hospital: Hospital = None,
) -> None:
    """Ask for agreements in force to last longer; each hospital grants it once."""
    from xinglin.sdk.contracts import replace_agreement

    _each(space, title, hospital, lambda held: replace_agreement(space, held, days=days).agreement_id)


@app.command()
@ends
@given("space", account_space)
def suspend(title: Title, space: Space, hospital: Hospital = None) -> None:
    """Suspend agreements: they allow no use until you resume them."""
    _change(space, title, hospital, "suspend")


@app.command()
@ends
@given("space", account_space)
def resume(title: Title, space: Space, hospital: Hospital = None) -> None:
    """Lift your own suspension of agreements."""
    _change(space, title, hospital, "resume")


@app.command()
@ends
@given("space", account_space)
def end(title: Title, space: Space, hospital: Hospital = None) -> None:
    """End agreements in force."""
    _change(space, title, hospital, "terminate")


def _change(space: Space, title: str, hospitals: list[str] | None, event: str) -> None:
    from xinglin.sdk.contracts import change_agreement

    _each(space, title, hospitals, lambda held: change_agreement(space, held, event))


def _each(space: Space, title: str, hospitals: list[str] | None, act: Any) -> None:
    """Do it at each of the study's hospitals that are named; what each came to."""
    names, wanted = space.names(), _dids(space, hospitals)
    held: dict[str, Held] = space.study(title).agreements
    rows = [
        {"hospital": names.get(did, did), "done": act(one)}
        for did, one in sorted(held.items())
        if wanted is None or did in wanted
    ]
    printer.value(rows, lambda: columns(rows, ("hospital", "done")))


def _dids(space: Space, hospitals: list[str] | None) -> list[str] | None:
    if hospitals is None:
        return None
    labels = {label: did for did, label in space.names().items()}
    return [labels.get(one, one) for one in hospitals]


def _institution(space: Space) -> str:
    known = space.log.record.directory.participants.get(space.account.did)
    return known.institution if known is not None and known.institution else space.account.did


def cohort_view(text: str) -> tuple[str, str]:
    """A view as it is typed: ``NAME=SELECT …``, or ``NAME=@FILE``."""
    name, _, select = text.partition("=")
    if not select:
        raise typer.BadParameter("A view is written NAME=SELECT … or NAME=@FILE.")
    return name.strip(), select_text(select)
