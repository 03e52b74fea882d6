"""Verbs that check: settings, doctor, fsck, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.options import AskPassphrase, PassphraseFile, passphrase
from xinglin.cli.output import REFUSED, UNVERIFIED, columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.evidence.fsck import Report
    from xinglin.evidence.policy import Policy
    from xinglin.stores.settings_file import Setting

ROLES = ("hub", "node", "witness")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (settings, doctor, fsck, verify):
        app.command()(verb)


@ends
def settings(
    role: Annotated[str, typer.Argument(help="hub, node or witness.")],
    folder: Annotated[Path, typer.Option("--folder", "-f", help="The process's folder.", file_okay=False)] = Path(),
) -> None:
    """Every setting of a process, its value, and the place that it came from. Secrets are hidden."""
    if role not in ROLES:
        raise typer.BadParameter(f"The roles are {', '.join(ROLES)}.")
    rows = [msgspec.structs.asdict(one) for one in _settings_of(role, folder)]
    printer.value(rows, lambda: columns(rows, ("name", "value", "source")))


@ends
def doctor(
    folder: Annotated[Path, typer.Option("--folder", "-f", help="Folder of a process or an account.", file_okay=False)],
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Check keys, clock, disk, reachability, versions and the log, and say what to do. Ends with 1 on a problem."""
    from xinglin.console.doctor import examine

    found = examine(folder, passphrase(passphrase_file, ask_passphrase))
    rows = [msgspec.structs.asdict(one) for one in found]
    shown = [row | {"": "ok" if row["ok"] else "PROBLEM"} for row in rows]
    printer.value(rows, lambda: columns(shown, ("", "check", "found", "remedy")))
    if not all(one.ok for one in found):
        raise typer.Exit(REFUSED)


@ends
def fsck(
    folder: Annotated[
        Path | None, typer.Argument(help="The hub's folder; stop the hub first.", file_okay=False)
    ] = None,
    url: Annotated[str | None, typer.Option(help="PostgreSQL URL of the log, in place of the folder's own.")] = None,
    descriptor: Annotated[Path | None, typer.Option(help="The space's space.json, for the signatures.")] = None,
) -> None:
    """Rebuild the log's tree from its entries and compare all that was derived and signed. Ends with 4 on a finding."""
    from xinglin.cli.wiring import read_log

    if folder is None and url is None:
        raise typer.BadParameter("Name the hub's folder, or --url.")
    report = read_log(folder, url or "", descriptor)
    value = {
        "size": report.size,
        "root": report.root.hex(),
        "checkpoints": report.checkpoints,
        "clean": report.clean,
        "findings": [msgspec.structs.asdict(one) for one in report.findings],
    }
    printer.value(value, lambda: _report_text(report))
    if not report.clean:
        raise typer.Exit(UNVERIFIED)


@ends
def verify(
    receipt: Annotated[
        Path, typer.Argument(help="The receipt (.tlog-proof), an offline bundle, or a proof of looks.", dir_okay=False)
    ],
    policy: Annotated[
        Path | None, typer.Option(help="tlog-policy text; RECEIPT.policy, or the bundle's own, unless named.")
    ] = None,
    opening: Annotated[Path | None, typer.Option(help="What opens the commitment; RECEIPT.opening if there.")] = None,
    before: Annotated[
        Path | None, typer.Option(help="An earlier proof of the same person's looks: the new one has to go on from it.")
    ] = None,
) -> None:
    """Verify a receipt with no network: the entry, its place in the log, who vouches, and which result it is about.

    A bundle (zip), as the console's evidence pages give it, is verified whole: every entry by its receipt.
    A proof of looks (xinglin patients looks --proof) too: that no look was left out, changed or moved.
    """
    from xinglin.evidence.policy import parse_policy
    from xinglin.evidence.receipt import verify_receipt
    from xinglin.kernel.codec import decode_json
    from xinglin.kernel.instants import to_text
    from xinglin.sdk.results import OPENING_SUFFIX, POLICY_SUFFIX, Opening, proof_of
    from xinglin.stores.evidence_archive import is_archive

    if is_archive(receipt.read_bytes()):
        _verify_bundle(receipt, policy)
        return
    rules = parse_policy((policy or Path(f"{receipt}{POLICY_SUFFIX}")).read_bytes())
    if receipt.read_bytes().lstrip().startswith(b"{"):
        _verify_looks(receipt.read_bytes(), rules, before)
        return
    verified = verify_receipt(receipt.read_bytes(), rules)
    beside = opening or Path(f"{receipt}{OPENING_SUFFIX}")
    known = decode_json(beside.read_bytes(), Opening) if opening is not None or beside.exists() else None
    proof = proof_of(verified, known)
    entry, checkpoint = verified.entry, verified.checkpoint
    value: dict[str, Any] = {
        "index": proof.index,
        "kind": entry.kind,
        "at": to_text(entry.at),
        "subject": entry.subject,
        "submitter": entry.submitter,
        "log": checkpoint.checkpoint.origin,
        "log_size": checkpoint.checkpoint.size,
        "cosigned_by": sorted(checkpoint.cosigned_at_s),
        "fork_protection": proof.fork_protection,
        "result": msgspec.json.decode(known.outcome) if known is not None else None,
    }

    def text() -> str:
        shown = {name: found for name, found in value.items() if name != "result"}
        shown["fork_protection"] = "yes" if proof.fork_protection else "no fork protection"
        opened = "the commitment is that of the result at hand" if proof.opened else "not opened"
        return "verified\n" + facts(shown | {"result": opened})

    printer.value(value, text)


def _verify_bundle(bundle: Path, policy: Path | None) -> None:
    import hashlib

    from xinglin.evidence.policy import parse_policy
    from xinglin.kernel.instants import to_text
    from xinglin.stores.evidence_archive import verify_archive

    verified = verify_archive(bundle.read_bytes(), parse_policy(policy.read_bytes()) if policy is not None else None)
    checkpoint, names = verified.checkpoint, verified.manifest.names
    rows = [
        {
            "index": one.index,
            "kind": one.entry.kind,
            "at": to_text(one.entry.at),
            "submitter": one.entry.submitter,
            "label": names.get(one.entry.submitter, ""),
            "subject": one.entry.subject,
        }
        for one in verified.entries
    ]
    value: dict[str, Any] = {
        "subject": verified.manifest.subject,
        "log": checkpoint.checkpoint.origin,
        "log_size": checkpoint.checkpoint.size,
        "root": checkpoint.checkpoint.root.hex(),
        "cosigned_by": sorted(checkpoint.cosigned_at_s),
        "attested_at": to_text(checkpoint.attested_at_s * 1000),
        "fork_protection": checkpoint.fork_protection,
        "policy": str(policy) if policy is not None else "the bundle's own: compare its digest",
        "policy_sha256": hashlib.sha256(policy.read_bytes() if policy else verified.policy.encode()).hexdigest(),
        "entries": rows,
    }

    def text() -> str:
        head = {name: found for name, found in value.items() if name != "entries"}
        head["fork_protection"] = "yes" if checkpoint.fork_protection else "no fork protection"
        head["cosigned_by"] = ", ".join(f"{each} ({names.get(each, '')})" for each in value["cosigned_by"])
        shown = columns(rows, ("index", "at", "kind", "submitter", "label", "subject"))
        trusted = "" if policy is not None else " by the bundle's own policy, which proves nothing until you compare it"
        note = "Labels, and which entries are in it, are the word of who made the bundle."
        return f"verified{trusted}: {len(rows)} entries\n{facts(head)}\n\n{shown}\n\n{note}"

    printer.value(value, text)


def _verify_looks(data: bytes, rules: Policy, before: Path | None) -> None:
    from xinglin.cli.looks_verbs import text_of, told
    from xinglin.evidence.looks import parse_proof, verify_looks

    earlier = parse_proof(before.read_bytes()) if before is not None else None
    value = told(verify_looks(parse_proof(data), rules, earlier))
    printer.value(value, lambda: text_of(value))


def _settings_of(role: str, folder: Path) -> tuple[Setting, ...]:
    if role == "hub":
        from xinglin.hub.settings import hub_settings

        return hub_settings(folder).report()
    if role == "node":
        from xinglin.node.settings import node_settings

        return node_settings(folder).report()
    from xinglin.witness.settings import witness_settings

    return witness_settings(folder).report()


def _report_text(report: Report) -> str:
    head = f"{report.size} entries, root {report.root.hex()}, {report.checkpoints} checkpoints hold"
    if report.clean:
        return f"{head}: clean"
    rows = [msgspec.structs.asdict(one) for one in report.findings]
    return f"{head}: {len(rows)} findings\n{columns(rows, ('code', 'place', 'words'))}"
