"""``xinglin access …`` for committees, the operator, the regulator, and persons whom an institution vouches for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.access_verbs import Application, Approval, Motion, Text, access_of, app, show_application
from xinglin.cli.given import account_space, given
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import ends, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.space import Space
    from xinglin.trust.keys import PrivateKeys
    from xinglin.wire.access import MotionView

__all__ = ["app"]


@app.command()
@ends
@given("space", account_space)
def ask(application: Application, text: Text, space: Space) -> None:
    """Ask the applicant something, as a hospital or a committee's member; the clock stands until the answer."""
    show_application(access_of(space).ask(application, text))


@app.command()
@ends
@given("space", account_space)
def put(
    application: Application,
    space: Space,
    committee: Annotated[str, typer.Option(help="Id of the committee.")],
    condition: Annotated[list[str] | None, typer.Option(help="A condition of the approval. Repeatable.")] = None,
    days: Annotated[float, typer.Option(help="How long the vote stays open.")] = 10.0,
) -> None:
    """As a chair: put an application to the vote, word for word as the approval will say."""
    view = access_of(space).put(application, committee, conditions=condition or [], vote_days=days)
    _motion(view)


@app.command()
@ends
@given("space", account_space)
def vote(
    motion: Motion,
    choice: Annotated[str, typer.Argument(help="approve, reject or abstain.")],
    space: Space,
    reason: Annotated[str, typer.Option(help="Why; for the committee's eyes.")] = "",
) -> None:
    """Vote, blind and once: votes are opened when all are in, or when the vote closes."""
    _motion(access_of(space).vote(motion, choice, reason))


@app.command()
@ends
@given("space", account_space)
def recuse(motion: Motion, space: Space) -> None:
    """Say that an interest keeps you from voting."""
    _motion(access_of(space).recuse(motion))


@app.command()
@ends
@given("space", account_space)
def motion(motion: Motion, space: Space) -> None:
    """How a motion stands; votes are shown once it is over, to members without an interest."""
    _motion(access_of(space).motion(motion))


@app.command()
@ends
@given("space", account_space)
def approve(
    motion: Motion,
    space: Space,
    words: Annotated[str, typer.Option(help="The decision in words; the count by default.")] = "",
) -> None:
    """As a chair: open the votes, count them, and sign what they come to: an approval, or a rejection."""
    done = access_of(space).resolve(motion, words)
    value = {
        "resolution": done.digest,
        "verdict": done.outcome.verdict,
        "words": done.outcome.words,
        "index": done.index,
    }
    printer.value(done, lambda: facts(value))


@app.command()
@ends
@given("space", account_space)
def approval(approval: Approval, space: Space) -> None:
    """An approval as a document, its votes counted anew and its place in the log checked."""
    import msgspec

    found = access_of(space).approval(approval)
    printer.value(found, lambda: msgspec.json.format(msgspec.json.encode(found.motion), indent=2).decode())


@app.command()
@ends
@given("space", account_space)
def revoke(
    approval: Approval,
    space: Space,
    preview: Annotated[bool, typer.Option(help="Only show what would stop.")] = False,
) -> None:
    """As a chair: revoke an approval; whatever runs under it stops. It cannot be undone."""
    access = access_of(space)
    entry = next((one for one in access.register() if one.permit == approval), None)
    if preview or entry is None:
        value = {"approval": approval, "permit": entry, "stops": list(entry.hospitals) if entry else []}
        printer.value(value, lambda: facts({"title": entry.title, "at": entry.hospitals}) if entry else "nothing")
        return
    done = access.revoke(approval)
    printer.value(done, f"Revoked {approval}: log entry {done.index}.")


@app.command()
@ends
def charter(
    committee: Annotated[str, typer.Argument(help="Id of the committee; it stays over versions.")],
    name: Annotated[str, typer.Option(help="Its public name.")],
    member: Annotated[list[str], typer.Option(help="DID of a member. Repeatable.")],
    chair: Annotated[list[str], typer.Option(help="DID of a chair or deputy, one of the members. Repeatable.")],
    quorum: Annotated[int, typer.Option(help="Ballots that a resolution needs.")] = 3,
    majority: Annotated[str, typer.Option(help="half or two-thirds of the members who may vote.")] = "half",
    replaces: Annotated[str, typer.Option(help="Digest of the charter in force, when it is changed.")] = "",
    folder: Folder = Path("witness"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """As the regulator: charter an ethics committee; its leaf makes it known to every hospital."""
    from xinglin.access.committee import Charter, sign_charter
    from xinglin.cli.witness_verbs import submit_leaf
    from xinglin.kernel.instants import system_clock
    from xinglin.wire.approvals import approval_leaf

    made = Charter(
        committee, name, tuple(sorted(member)), tuple(sorted(chair)), quorum, majority, system_clock(), replaces
    )
    secret = passphrase(passphrase_file, ask_passphrase)
    index = submit_leaf(
        folder, secret, "approval", made.digest(), lambda keys: approval_leaf("committee", sign_charter(keys, made))
    )
    value = {"committee": committee, "digest": made.digest(), "index": index}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def accept(
    application: Application,
    folder: Folder = Path("hub"),
    fast: Annotated[bool, typer.Option(help="The accelerated procedure: 60 days, and once 30 more.")] = False,
) -> None:
    """As the operator: accept an application for decision; the clock of the decision runs."""
    _operator(folder, "access-accept", {"id": application, "fast": "yes" if fast else ""})


@app.command()
@ends
def inquire(application: Application, text: Text, folder: Folder = Path("hub")) -> None:
    """As the operator: ask the applicant something."""
    _operator(folder, "access-ask", {"id": application, "text": text})


@app.command()
@ends
def extend(application: Application, text: Text, folder: Folder = Path("hub")) -> None:
    """As the operator: extend the decision's term, once, with the reason."""
    _operator(folder, "access-extend", {"id": application, "text": text})


@app.command()
@ends
def decide(
    application: Application,
    outcome: Annotated[str, typer.Argument(help="positive or negative.")],
    text: Text,
    folder: Folder = Path("hub"),
) -> None:
    """As the operator: decide an application that needs no committee."""
    _operator(folder, "access-decide", {"id": application, "outcome": outcome, "text": text})


# --- persons of institutions -------------------------------------------------------------------------


@app.command()
@ends
def person(
    name: Annotated[str, typer.Option(help="The person's public label.")],
    institution: Annotated[str, typer.Option(help="DID of the institution that vouches.")],
    folder: Annotated[Path, typer.Option("--folder", "-f", help="Folder of the new account.", file_okay=False)],
    role: Annotated[str, typer.Option(help="person, or consumer for who asks for runs.")] = "person",
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Make a person's keys, and the registration that their institution is to vouch for (registration.json)."""
    from xinglin.sdk.enrolment import registration_of_person

    secret = passphrase(passphrase_file, ask_passphrase, new=True)
    file = folder / "registration.json"
    data = registration_of_person(folder, name, institution, role, secret)
    file.write_bytes(data)
    printer.value({"file": str(file)}, f"Have {institution} vouch for it: xinglin access vouch {file}")


@app.command()
@ends
def vouch(
    file: Annotated[Path, typer.Argument(help="The person's registration.json.", dir_okay=False)],
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """As an institution: vouch for a person of yours, with the keys of a node's or an account's folder."""
    from xinglin.sdk.enrolment import vouched

    keys = _keys_of(folder, passphrase(passphrase_file, ask_passphrase))
    file.write_bytes(vouched(file.read_bytes(), keys))
    printer.value({"file": str(file), "by": keys.did}, f"{keys.did} vouches: the person joins with --registration.")


def _keys_of(folder: Path, secret: str) -> PrivateKeys:
    """An institution's keys: of an account, or of a node."""
    from xinglin.node.joining import open_node_keys
    from xinglin.sdk.account import KEY_FILE, open_account

    if (folder / KEY_FILE).exists():
        return open_account(folder, secret).keys
    return open_node_keys(folder, secret)


def _operator(folder: Path, verb: str, arguments: dict[str, str]) -> None:
    import msgspec

    from xinglin.stores.desk import ask_desk
    from xinglin.wire.access import ApplicationView
    from xinglin.wire.desk import DeskCall

    answer = ask_desk(folder, DeskCall(verb, arguments))
    show_application(msgspec.convert(answer.value, ApplicationView))


def _motion(view: MotionView) -> None:
    value = {
        "motion": view.motion,
        "state": view.state,
        "title": view.form.project.title,
        "votes": f"{view.voted} of {len(view.may_vote)}",
        "over": view.over,
        "outcome": view.outcome.words if view.outcome is not None else "",
    }
    printer.value(view, lambda: facts(value))
