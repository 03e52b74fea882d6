"""``xinglin witness …``: the regulator's process, and the policy that the regulator signs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, Verbose, passphrase, set_up_log
from xinglin.cli.output import UNREACHABLE, ends, facts, printer

if TYPE_CHECKING:
    from collections.abc import Callable

    from xinglin.sdk.client import OpenClient
    from xinglin.trust.keys import PrivateKeys
    from xinglin.wire.space import Space

app = typer.Typer(no_args_is_help=True, help="The regulator's witness: follow the log, cosign, sign the policy.")


@app.command()
@ends
def init(
    name: Annotated[str, typer.Argument(help="The regulator's public label.")],
    folder: Folder = Path("witness"),
    host: Annotated[
        list[str] | None, typer.Option(help="Name or address of the witness, the public one first.")
    ] = None,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8460,
    plain_http: Annotated[bool, typer.Option(help="Without TLS, on loopback only.")] = False,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Make the witness's keys, and the card that the founder of the space needs."""
    from xinglin.witness.founding import CARD_FILE, found_witness, open_witness_keys
    from xinglin.witness.settings import WitnessSettings

    secret = passphrase(passphrase_file, ask_passphrase, new=True)
    settings = WitnessSettings(address=address, port=port, plain_http=plain_http)
    hosts = tuple(host or ("127.0.0.1", "localhost"))
    card = found_witness(folder, name, hosts=hosts, settings=settings, passphrase=secret)
    value = {
        "did": open_witness_keys(folder, secret).did,
        "url": card.url,
        "card": str(folder / CARD_FILE),
        "certificate": str(folder / "tls.crt"),
    }
    printer.value(value, lambda: facts(value))
    printer.note("Next: hand card and certificate to the operator ('hub init'), then 'witness follow'.")


@app.command()
@ends
def follow(
    descriptor: Annotated[Path, typer.Argument(help="The hub's space.json.", dir_okay=False)],
    folder: Folder = Path("witness"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Keep the descriptor of the space whose log this witness follows."""
    from xinglin.kernel.canonical import canonical_digest
    from xinglin.wire.space import parse_space
    from xinglin.witness.founding import follow_space

    space = parse_space(descriptor.read_bytes())
    follow_space(folder, space, passphrase(passphrase_file, ask_passphrase))
    value = {"space": space.name, "origin": space.origin, "digest": canonical_digest(space)}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def run(
    folder: Folder = Path("witness"),
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
    verbose: Verbose = False,
) -> None:
    """Run the witness until it is told to stop."""
    import asyncio

    from xinglin.witness.main import run_witness
    from xinglin.witness.settings import witness_settings

    set_up_log(verbose)
    settings = witness_settings(folder, {"address": address, "port": port}).settings
    asyncio.run(run_witness(folder, settings, passphrase(passphrase_file, ask_passphrase)))


@app.command()
@ends
def policy(
    folder: Folder = Path("witness"),
    sign: Annotated[bool, typer.Option(help="Sign the proposed policy and put it into the log.")] = False,
    file: Annotated[Path | None, typer.Option(help="Sign this tlog-policy text in place of the proposed one.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Show the quorum policy in force and the one that today's members would make; with --sign, sign it.

    Signing is the regulator's word: who must cosign before a checkpoint counts. It takes effect with its leaf.
    """
    from xinglin.evidence.policy import parse_policy

    current, members = _policies(folder)
    text = file.read_text(encoding="utf-8") if file is not None else members
    value: dict[str, Any] = {"in_force": current, "proposed": text, "same": current == text, "index": None}
    value["fork_protection"] = parse_policy(text).fork_protection
    if sign and not value["same"]:
        value["index"] = _submit_policy(folder, text, current, passphrase(passphrase_file, ask_passphrase))
    printer.value(value, lambda: _policy_text(value))
    if not sign and not value["same"]:
        printer.note("To sign it: xinglin witness policy --sign.")


@app.command()
@ends
def revoke(
    did: Annotated[str, typer.Argument(help="The DID whose keys end.")],
    reason: Annotated[str, typer.Option(help="compromised, left, superseded or frozen.")],
    folder: Folder = Path("witness"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """End the keys of a participant: from the leaf's index on nothing that they sign counts. It cannot be undone."""
    from xinglin.kernel.errors import MalformedMessage
    from xinglin.trust.keys import check_did
    from xinglin.trust.leaves import REASONS, leaf_body
    from xinglin.trust.leaves import revoke as revocation

    if reason not in REASONS:
        raise MalformedMessage(f"{reason!r} is no reason.", remedy=f"Choose one of {', '.join(sorted(REASONS))}.")
    secret = passphrase(passphrase_file, ask_passphrase)
    index = submit_leaf(
        folder, secret, "key-revocation", check_did(did), lambda keys: leaf_body(revocation(did, reason, keys))
    )
    printer.value({"revoked": did, "reason": reason, "index": index}, f"Revoked {did} ({reason}): log entry {index}.")


@app.command()
@ends
def freeze(
    subject: Annotated[str, typer.Argument(help="An agreement's digest, a study's id or a DID.")],
    folder: Folder = Path("witness"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Stop everything that rests on an agreement, a study or a party: no hospital releases for it any more."""
    from xinglin.wire.endings import sign_ending

    secret = passphrase(passphrase_file, ask_passphrase)
    index = submit_leaf(folder, secret, "freeze", subject, lambda keys: sign_ending("freeze", subject, keys))
    printer.value({"frozen": subject, "index": index}, f"Frozen {subject}: log entry {index}.")


@app.command()
@ends
def withdraw(
    product: Annotated[str, typer.Argument(help="The product's id, as the log's leaf of its deposit names it.")],
    reason: Annotated[str, typer.Option(help="reidentification, unlawful, consent, erroneous or inquiry.")],
    folder: Folder = Path("witness"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Order that a product goes: the hub hands it to nobody any more, and its hospitals see why. For good."""
    import msgspec

    from xinglin.sdk.regulating import Regulating
    from xinglin.witness.founding import open_witness_keys

    keys = open_witness_keys(folder, passphrase(passphrase_file, ask_passphrase))
    with _hub(folder) as client:
        found = Regulating(_space(folder), keys, client).withdraw(product, reason)
    value = msgspec.to_builtins(found) | {"catalog_id": found.catalog_id}
    printer.value(value, f"Withdrawn {product} ({reason}): log entry {found.order}.")


@app.command()
@ends
def status(folder: Folder = Path("witness")) -> None:
    """Whether the witness runs, cosigns, and has seen a fork."""
    import httpx

    from xinglin.stores.tls import client_context
    from xinglin.witness.settings import witness_settings

    settings = witness_settings(folder).settings
    scheme = "http" if settings.plain_http else "https"
    context = client_context((folder / "tls.crt").read_text(encoding="ascii"))
    context.check_hostname = False  # it is asked on this machine, whatever its public name; its certificate is pinned
    host = "127.0.0.1" if settings.address in ("0.0.0.0", "::") else settings.address  # noqa: S104 (compared, not bound)
    with httpx.Client(base_url=f"{scheme}://{host}:{settings.port}", verify=context, trust_env=False) as client:
        answer = client.get("/healthz")
    value = answer.json()
    printer.value(value, lambda: facts(value))
    if not answer.is_success:
        raise typer.Exit(UNREACHABLE)


def _space(folder: Path) -> Space:
    from xinglin.witness.founding import followed_space

    return followed_space(folder)


def _hub(folder: Path) -> OpenClient:
    """A line to the hub by the way that the witness itself takes."""
    from xinglin.sdk.client import OpenClient
    from xinglin.witness.settings import witness_settings

    settings = witness_settings(folder).settings
    return OpenClient(_space(folder), settings.proxy or None, Path(settings.hub_ca) if settings.hub_ca else None)


def _policies(folder: Path) -> tuple[str, str]:
    """The policy in force and the default one over today's members, both from the verified log, not the hub's word."""
    from xinglin.sdk.logbook import Logbook
    from xinglin.sdk.regulating import policies_of

    space = _space(folder)
    with _hub(folder) as client:
        book = Logbook(space, client)
        book.refresh()
    found = policies_of(space, book.record)
    return found.in_force, found.proposed


def _submit_policy(folder: Path, text: str, current: str, secret: str) -> int:
    from xinglin.wire.policy import sign_policy

    return submit_leaf(folder, secret, "policy", "", lambda keys: sign_policy(text, current, keys))


def submit_leaf(
    folder: Path, secret: str, kind: str, subject: str, body_of: Callable[[PrivateKeys], dict[str, Any]]
) -> int:
    """Put a leaf that the regulator signed into the log; its index."""
    from xinglin.sdk.regulating import Regulating
    from xinglin.witness.founding import open_witness_keys

    space, keys = _space(folder), open_witness_keys(folder, secret)
    with _hub(folder) as client:
        return Regulating(space, keys, client).submit(kind, subject, body_of(keys))


def _policy_text(value: dict[str, Any]) -> str:
    if value["same"]:
        return f"In force, and what today's members would make:\n\n{_shortened(value['in_force'])}"
    said = "" if value["index"] is None else f"\nSigned: log entry {value['index']}."
    protection = "yes" if value["fork_protection"] else "no"
    shown, proposed = _shortened(value["in_force"]), _shortened(value["proposed"])
    return f"In force:\n\n{shown}\nProposed:\n\n{proposed}\nFork protection: {protection}.{said}"


def _shortened(text: str) -> str:
    """A policy for people: keys by their name and number, without the key itself; ``--json`` has it whole."""
    return re.sub(r"(\+[0-9a-f]{8}\+)\S+", r"\1…", text)
