"""``xinglin contract …``: the calls about a 数字合约 (TC609-6-2025-14), by an account, a hospital or an authority."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.given import given
from xinglin.cli.options import AskPassphrase, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.contract.faces.national import DigitalContract
    from xinglin.sdk.national import ContractDesk

app = typer.Typer(
    no_args_is_help=True, help="Digital contracts 数字合约 of agreements: open, file 备案, name uses, end."
)

ContractId = Annotated[str, typer.Argument(help="The contract's id, or enough of its beginning.")]
AsAccount = Annotated[Path | None, typer.Option("--account", "-a", help="As the account in this folder.")]
AsNode = Annotated[Path | None, typer.Option("--node", help="As the hospital whose node has this folder.")]
AsWitness = Annotated[Path | None, typer.Option("--witness", help="As the regulator whose witness has this folder.")]
Reason = Annotated[str, typer.Option(help="Why.")]


@contextmanager
def contract_desk(
    account: AsAccount = None,
    node: AsNode = None,
    witness: AsWitness = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> Iterator[ContractDesk]:
    """The calls of one member, whose keys lie in one of the three folders."""
    from xinglin.sdk.account import Account, open_account
    from xinglin.sdk.national import ContractDesk

    if sum(one is not None for one in (account, node, witness)) != 1:
        raise typer.BadParameter("Give one of --account, --node and --witness.")
    secret = passphrase(passphrase_file, ask_passphrase)
    if account is not None:
        member = open_account(account, secret)
    elif node is not None:
        from xinglin.node.joining import joined_space, open_node_keys

        member = Account(joined_space(node), open_node_keys(node, secret), node)
    else:
        from xinglin.witness.founding import followed_space, open_witness_keys

        folder = witness or Path()
        member = Account(followed_space(folder), open_witness_keys(folder, secret), folder)
    desk = ContractDesk(member)
    try:
        yield desk
    finally:
        desk.close()


@app.command()
@ends
@given("desk", contract_desk)
def templates(
    desk: ContractDesk, template: Annotated[str, typer.Argument(help="One template; default all.")] = ""
) -> None:
    """Templates of the space in the standard's codes, and what the codes cannot say."""
    value = desk.templates(template)
    rows = [{"template": one["templateId"], "title": one["title"]} for one in value["templates"]]
    printer.value(value, lambda: columns(rows, ("template", "title")))


@app.command(name="list")
@ends
@given("desk", contract_desk)
def list_(desk: ContractDesk) -> None:
    """Contracts of this member; an authority's are those that were filed with it."""
    found = desk.contracts()
    rows = [{"contract": one.contract_id, "status": one.status, "filing": _filed(one)} for one in found]
    printer.value([_plain(one) for one in found], lambda: columns(rows, ("contract", "status", "filing")))


@app.command()
@ends
@given("desk", contract_desk)
def show(contract: ContractId, desk: ContractDesk) -> None:
    """One contract as it stands."""
    _say(desk.contract(contract))


@app.command(name="open")
@ends
@given("desk", contract_desk)
def open_(
    agreement: Annotated[str, typer.Argument(help="The agreement's id (sha256:…), or enough of its beginning.")],
    desk: ContractDesk,
    subject: Annotated[str, typer.Option(help="The provider's unified social credit code (18 characters).")],
    area: Annotated[str, typer.Option(help="Its area: the first four digits of GB/T 2260.")],
    node_type: Annotated[str, typer.Option(help="Type of the space's node: 1, 2 or 3.")] = "3",
    sign_mode: Annotated[str, typer.Option(help="01 peer to peer, 02 through the platform.")] = "02",
    template: Annotated[str, typer.Option(help="The template it was drafted by.")] = "",
) -> None:
    """Open the contract of an offered or agreed agreement (contractCreate); its id has 47 characters."""
    import msgspec

    from xinglin.contract.faces.national import Registration

    given = {"subject": subject, "area": area, "node_type": node_type, "sign_mode": sign_mode}
    try:
        registration = msgspec.convert(given, Registration)
    except msgspec.ValidationError as error:
        raise typer.BadParameter("--node-type is 1, 2 or 3; --sign-mode is 01 or 02.") from error
    _say(desk.open(agreement, registration, template))


@app.command()
@ends
@given("desk", contract_desk)
def negotiate(
    contract: ContractId,
    desk: ContractDesk,
    accept: Annotated[bool, typer.Option("--accept", help="Take it as it is; a word, no signature.")] = False,
    proposal: Annotated[Path | None, typer.Option(help="A contract (JSON) to propose in its place.")] = None,
) -> None:
    """Accept a contract or propose another (contractNegotiate); only the agreement's signatures bind."""
    from xinglin.contract.faces.national import read_contract

    if accept == (proposal is not None):
        raise typer.BadParameter("Give --accept or --proposal.")
    _say(desk.negotiate(contract, read_contract(proposal.read_bytes()) if proposal is not None else None))


@app.command()
@ends
@given("desk", contract_desk)
def file(
    contract: ContractId,
    desk: ContractDesk,
    authority: Annotated[str, typer.Option(help="As a party: file it with this regulator (DID).")] = "",
    accept: Annotated[str, typer.Option(help="As its authority: accept it under this number.")] = "",
    return_: Annotated[str, typer.Option("--return", help="As its authority: return it for this reason.")] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel an accepted filing.")] = False,
) -> None:
    """File a signed contract 备案 (contractRegistrate); its authority accepts or returns it."""
    if sum(map(bool, (authority, accept, return_, cancel))) > 1:
        raise typer.BadParameter("Give one of --authority, --accept, --return and --cancel.")
    state = "accepted" if accept else "returned" if return_ else "cancelled" if cancel else "submitted"
    _say(desk.file(contract, authority=authority, state=state, number=accept, reason=return_))


@app.command()
@ends
@given("desk", contract_desk)
def execute(
    contract: ContractId,
    desk: ContractDesk,
    request: Annotated[str, typer.Option(help="Digest of the signed use request (sha256:…).")],
    at: Annotated[list[str] | None, typer.Option(help="A hospital (DID). Repeatable; default all agreed.")] = None,
) -> None:
    """Name a use as an execution (contractExecution); the run itself is asked for with ``xinglin run``."""
    _say(desk.execute(contract, request, tuple(at or ())))


@app.command()
@ends
@given("desk", contract_desk)
def terminate(
    contract: ContractId,
    desk: ContractDesk,
    reason: Reason = "",
    change: Annotated[str, typer.Option(help="Digest of the leaf that ended the agreement.")] = "",
) -> None:
    """Say why a contract ended (contractTerminate); the agreement is ended first, by its leaf."""
    _say(desk.terminate(contract, reason, change))


def _say(contract: DigitalContract) -> None:
    value = _plain(contract)
    shown = {
        "contract": contract.contract_id,
        "status": contract.status,
        "agreement": contract.digest,
        "product": contract.product_id,
        "from": contract.effective,
        "until": contract.expires,
        "filing": _filed(contract),
        "not said in its codes": [loss.words for loss in contract.losses],
    }
    printer.value(value, lambda: facts(shown))


def _filed(contract: DigitalContract) -> str:
    filing = contract.filing
    return " ".join(filter(None, (filing.state, filing.number, filing.reason))) if filing is not None else ""


def _plain(contract: DigitalContract) -> dict[str, Any]:
    from xinglin.sdk.national import shown

    return shown(contract)
