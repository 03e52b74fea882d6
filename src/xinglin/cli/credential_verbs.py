"""``xinglin dsp credential …``: credentials of the Decentralized Claims Protocol, held and issued by a connector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import Folder
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="Credentials that a running connector holds, asks for, and issues.")
Request = Annotated[str, typer.Argument(help="Id of a request, as 'requests' shows it.")]
Ids = Annotated[list[str], typer.Argument(help="Ids in the issuer's metadata.")]


@app.command("list")
@ends
def list_(folder: Folder = Path("node")) -> None:
    """List credentials in the wallet, requests that are open, and offers of issuers."""
    found = _asked(folder, "dsp-credentials")
    printer.value(found, lambda: columns(found["credentials"], ("credential_id", "types", "issuer", "valid_until")))


@app.command()
@ends
def metadata(issuer: Annotated[str, typer.Argument(help="DID of the issuer.")], folder: Folder = Path("node")) -> None:
    """Show what an issuer gives."""
    found = _asked(folder, "dsp-metadata", issuer=issuer)
    printer.value(found, lambda: columns(found, ("id", "type", "profile")))


@app.command()
@ends
def ask(
    issuer: Annotated[str, typer.Argument(help="DID of an issuer that is named in 'dsp_issuers'.")],
    ids: Ids,
    folder: Folder = Path("node"),
) -> None:
    """Ask an issuer for credentials about us; it delivers them once its people have decided."""
    found = _asked(folder, "dsp-ask", issuer=issuer, ids=" ".join(ids))
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def requests(folder: Folder = Path("hub")) -> None:
    """List requests to our own issuer."""
    found = _asked(folder, "dsp-requests")
    printer.value(found, lambda: columns(found, ("request_id", "holder", "wanted", "status", "delivered")))


@app.command()
@ends
def offer(
    holder: Annotated[str, typer.Argument(help="DID of who may ask.")], ids: Ids, folder: Folder = Path("hub")
) -> None:
    """Tell a holder which credentials it may ask for."""
    found = _asked(folder, "dsp-offer", holder=holder, ids=" ".join(ids))
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def grant(
    request: Request,
    claim: Annotated[list[str] | None, typer.Option(help="What the credential says, as name=text; again.")] = None,
    days: Annotated[int, typer.Option(help="How long it holds.")] = 90,
    folder: Folder = Path("hub"),
) -> None:
    """Issue what was asked for, and deliver it; what is not taken is tried again."""
    import msgspec

    claims = dict(_pair(one) for one in claim or [])
    given = {"request": request, "claims": msgspec.json.encode(claims).decode(), "days": str(days)}
    found = _asked(folder, "dsp-grant", **given)
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def deny(
    request: Request,
    reason: Annotated[str, typer.Option(help="What the holder is told.")],
    folder: Folder = Path("hub"),
) -> None:
    """Refuse a request."""
    found = _asked(folder, "dsp-deny", request=request, reason=reason)
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def revoke(
    credential: Annotated[str, typer.Argument(help="Id of a credential of ours.")], folder: Folder = Path("hub")
) -> None:
    """Revoke a credential in the status list, for good."""
    found = _asked(folder, "dsp-revoke", credential=credential)
    printer.value(found, lambda: facts(found))


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f"{word!r} is not name=text.")
    return name, value


def _asked(folder: Path, verb: str, **given: str) -> Any:
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    return ask_desk(folder, DeskCall(verb, given)).value
