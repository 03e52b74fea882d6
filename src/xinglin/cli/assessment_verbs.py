"""``xinglin node assessment …``: third-party security assessments that a hospital registers at its node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.trust.envelope import Signed

app = typer.Typer(no_args_is_help=True, help="Third-party security assessments, which grade L3 and policies ask for.")

StatementFile = Annotated[
    Path, typer.Argument(help="What the report says (TOML): name, assessor, scheme, made, expires.", dir_okay=False)
]
ReportFile = Annotated[Path, typer.Argument(help="The assessor's report; its digest alone is kept.", dir_okay=False)]


@app.command()
@ends
def add(
    statement: StatementFile,
    report: ReportFile,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Register a report: signed with the node's keys, its digest in the log. A later one of its name replaces it."""
    from xinglin.node.assessments import add as register
    from xinglin.node.joining import open_node_keys

    keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
    one, digest = register(folder, keys, statement.read_text(encoding="utf-8"), report.read_bytes())
    value = {"name": one.name, "digest": digest, "document": one.document, "expires": one.expires}
    printer.value(value, lambda: facts(value))


@app.command(name="list")
@ends
def list_(folder: Folder = Path("node")) -> None:
    """Everything that was registered here and ended, oldest first."""
    from xinglin.node.assessments import registered

    rows = [_row(name, signed) for name, signed in registered(folder)]
    printer.value(rows, lambda: columns(rows, ("name", "state", "assessor", "scheme", "expires", "signed by")))


@app.command()
@ends
def end(name: Annotated[str, typer.Argument(help="The assessment's name.")], folder: Folder = Path("node")) -> None:
    """An assessment stands no longer: runs that need it end."""
    from xinglin.node.assessments import end as ended

    value = {"name": name, "digest": ended(folder, name)}
    printer.value(value, lambda: facts(value))


def _row(name: str, signed: Signed | None) -> dict[str, Any]:
    from xinglin.kernel.codec import decode_json
    from xinglin.kernel.instants import to_text
    from xinglin.terms.assessment import Assessment

    if signed is None:
        return {"name": name, "state": "ended", "assessor": "", "scheme": "", "expires": "", "signed by": ""}
    one = decode_json(signed.payload, Assessment)
    found = {"name": name, "state": "registered", "assessor": one.assessor, "scheme": one.scheme}
    return {**found, "expires": to_text(one.expires), "signed by": signed.signer, "document": one.document}
