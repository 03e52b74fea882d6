"""``xinglin node policy …``: the hospital's own policy, proposed by one person and confirmed by another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from xinglin.cli.agreement_verbs import AgreementId, asked, whole
from xinglin.cli.options import Folder
from xinglin.cli.output import columns, ends, facts, printer
from xinglin.cli.policy_verbs import PolicyFile, checked, differing_lines, read_policy

app = typer.Typer(no_args_is_help=True, help="The hospital's own policy for every offer, changed by four eyes.")

By = Annotated[str, typer.Option("--by", help="Who acts: a name or a DID; it stays in the history.")]
Words = Annotated[str, typer.Option(help="Why; kept with it.")]
Proposal = Annotated[str, typer.Argument(help="The proposal (sha256:…), or enough of its beginning.")]


@app.command()
@ends
def show(folder: Folder = Path("node")) -> None:
    """Show the policy in force, and proposals that wait for a second person."""
    _say(asked(folder, "policy", step="show"))


@app.command()
@ends
def history(folder: Folder = Path("node")) -> None:
    """Show every act on the policy, oldest first; nothing of it is ever changed or deleted."""
    value = asked(folder, "policy", step="history")
    rows = [{**one, "at": _when(one["at"]), "digest": one["digest"][:19]} for one in value]
    printer.value(value, lambda: columns(rows, ("at", "kind", "by", "digest", "proposal", "words")))


@app.command()
@ends
def propose(policy: PolicyFile, *, by: By, folder: Folder = Path("node"), words: Words = "") -> None:
    """Propose a policy; it changes nothing before another person confirms it."""
    given = msgspec.json.encode(checked(read_policy(policy))).decode()
    _proposed(asked(folder, "policy", step="propose", by=by, words=words, policy=given))


@app.command()
@ends
def lift(*, by: By, folder: Folder = Path("node"), words: Words = "") -> None:
    """Propose that the hospital have no policy of its own any more."""
    _proposed(asked(folder, "policy", step="lift", by=by, words=words))


@app.command()
@ends
def simulate(
    proposal: Proposal,
    *,
    by: By,
    folder: Folder = Path("node"),
    last: Annotated[int, typer.Option(help="So many of the newest decisions.", min=1, max=5000)] = 1000,
) -> None:
    """Show what a proposal would change, and keep that you saw it: the digest shown is needed to confirm."""
    given = _proposal(folder, proposal)
    value = asked(folder, "policy", step="simulate", proposal=given, by=by, last=str(last))
    printer.value(value, lambda: _seen(value))


@app.command()
@ends
def confirm(
    proposal: Proposal,
    simulation: Annotated[str, typer.Argument(help="The digest of the simulation that you saw.")],
    *,
    by: By,
    folder: Folder = Path("node"),
) -> None:
    """Put a proposal in force: another person than who proposed it, within a day of having seen its simulation."""
    given = {"proposal": _proposal(folder, proposal), "simulation": simulation}
    _say(asked(folder, "policy", step="confirm", by=by, **given))


@app.command()
@ends
def refuse(proposal: Proposal, *, by: By, folder: Folder = Path("node"), words: Words = "") -> None:
    """Refuse a proposal, or take back your own."""
    _say(asked(folder, "policy", step="refuse", proposal=_proposal(folder, proposal), by=by, words=words))


@app.command()
@ends
def tightened(
    agreement: AgreementId,
    folder: Folder = Path("node"),
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
) -> None:
    """Show the policy under which the hospital would accept an offer: hand it to the asker, who offers it anew."""
    value = asked(folder, "policy", step="tightened", id=whole(folder, agreement))
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    if out is not None:
        out.write_bytes(text + b"\n")
    printer.value(value, text.decode())


def _proposal(folder: Path, given: str) -> str:
    start = "sha256:" + given.removeprefix("sha256:")
    found = [one["digest"] for one in asked(folder, "policy", step="show")["open"]]
    meant = [one for one in found if one.startswith(start)]
    return meant[0] if len(meant) == 1 else given


def _proposed(value: dict[str, Any]) -> None:
    printer.value(value, lambda: facts({"proposal": value["digest"], "by": value["by"]}))
    printer.note("In force once another person has run 'xinglin node policy simulate' and 'confirm'.")


def _say(value: dict[str, Any]) -> None:
    printer.value(value, lambda: _house(value))


def _house(value: dict[str, Any]) -> str:
    head = {
        "in force": value["in_force"] or "no policy of the hospital's own",
        "since": _when(value["since"]) if value["in_force"] else "",
        "confirmed by": value["confirmed_by"],
    }
    rows = [{**one, "at": _when(one["at"])} for one in value["open"]]
    return facts(head) + ("\n\n" + columns(rows, ("digest", "by", "at", "words")) if rows else "")


def _seen(value: dict[str, Any]) -> str:
    head = facts(
        {
            "simulation": value["simulation"],
            "decisions": value["decisions"],
            "that would differ": len(value["differing"]),
            "agreements in force that it would not accept": value["agreements"] or "none",
        }
    )
    rows = value["findings"]
    about = "\n\n" + columns(rows, ("rule", "finding", "other", "words")) if rows else ""
    return head + about + "\n\n" + differing_lines(value["differing"])


def _when(at: int) -> str:
    from xinglin.kernel.instants import to_text

    return to_text(at)
