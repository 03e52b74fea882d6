"""``xinglin terms check | findings | simulate | odrl``: policies before they are in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.options import Folder
from xinglin.cli.output import REFUSED, columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.node.decisions import Kept
    from xinglin.terms.policy import Policy

app = typer.Typer()

PolicyFile = Annotated[
    Path, typer.Argument(help="A policy (JSON): this software's own, or ODRL.", exists=True, dir_okay=False)
]
Last = Annotated[int, typer.Option("--last", help="So many of the node's newest decisions.", min=1, max=20_000)]


@app.command()
@ends
def check(policy: PolicyFile) -> None:
    """Say whether every word of a policy is known, with the nearest known one; ends with 1 where it is not."""
    from xinglin.kernel.verdict import Denied
    from xinglin.terms.writing import check_policy

    read = read_policy(policy)
    verdict = check_policy(read)
    reasons = verdict.reasons if isinstance(verdict, Denied) else ()
    value = {
        "known": not reasons,
        "digest": read.digest() if not reasons else "",
        "permissions": len(read.permissions),
        "prohibitions": len(read.prohibitions),
        "duties": len(read.duties),
        "reasons": msgspec.to_builtins(reasons),
    }
    rows = [{"code": one.code, "what": one.words, "what would have to change": one.remedy} for one in reasons]
    printer.value(value, lambda: columns(rows, tuple(rows[0])) if rows else facts({**value, "reasons": ""}))
    if reasons:
        raise typer.Exit(REFUSED)


@app.command()
@ends
def findings(policy: PolicyFile, folder: Folder = Path("node"), last: Last = 1000) -> None:
    """List rules that are dead, superfluous or in conflict, and those that no decision of this node ever met."""
    from xinglin.terms.simulate import findings as found_in

    read = read_policy(policy)
    recorded = [one.recorded for one in _kept(folder, last)] if folder.exists() else []
    rows = [msgspec.to_builtins(one) for one in found_in(read, recorded)]
    value = {"decisions": len(recorded), "findings": rows}
    printer.value(value, lambda: columns(rows, ("rule", "finding", "other", "words")))


@app.command()
@ends
def simulate(policy: PolicyFile, folder: Folder = Path("node"), last: Last = 1000) -> None:
    """Run a changed policy over decisions that this node made: which would differ, and why. Nothing is decided anew."""
    from xinglin.node.decisions import run_over
    from xinglin.node.house_policy import shown_effects

    kept = _kept(folder, last)
    simulation, _ = run_over(checked(read_policy(policy)), kept)
    differing = shown_effects(simulation, kept)
    value = {
        "policy": simulation.policy,
        "decisions": simulation.decisions,
        "now_allowed": simulation.count("now-allowed"),
        "now_denied": simulation.count("now-denied"),
        "answers_that_change": sum(_answer_changes(one) for one in differing),
        "differing": differing,
    }
    printer.value(value, lambda: _simulation(value))


@app.command()
@ends
def odrl(
    policy: PolicyFile,
    kind: Annotated[str, typer.Option(help="Offer, Agreement or Set, where ODRL is written.")] = "Set",
    spelling: Annotated[str, typer.Option(help="short or absolute, where ODRL is written.")] = "short",
    id_: Annotated[str, typer.Option("--id", help="Its @id, where ODRL is written; else by its digest.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
) -> None:
    """Turn a policy into ODRL, or ODRL into a policy; nothing is lost, and what cannot be said is refused."""
    from typing import get_args

    from xinglin.terms.odrl import CONTEXTS, PolicyKind, Spelling, to_odrl

    if kind not in get_args(PolicyKind) or spelling not in get_args(Spelling):
        raise typer.BadParameter("--kind is Offer, Agreement or Set; --spelling is short or absolute.")
    read, was_odrl = _read(policy)
    made: Any = msgspec.to_builtins(read)
    if not was_odrl:
        name = id_ or "urn:xinglin:policy:" + checked(read).digest().removeprefix("sha256:")
        made = {"@context": list(CONTEXTS), **to_odrl(read, kind, name, spelling=spelling)}  # type: ignore[arg-type]
    text = msgspec.json.format(msgspec.json.encode(made), indent=2)
    if out is not None:
        out.write_bytes(text + b"\n")
    printer.value(made, text.decode())


def read_policy(path: Path) -> Policy:
    """The policy in a file, whichever of the two forms it has."""
    return _read(path)[0]


def checked(policy: Policy) -> Policy:
    """The policy, when every word of it is known; else ``Refused``."""
    from xinglin.kernel.verdict import Denied
    from xinglin.terms.writing import check_policy
    from xinglin.wire.errors import Refused

    verdict = check_policy(policy)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    return policy


def _read(path: Path) -> tuple[Policy, bool]:
    from xinglin.kernel.codec import decode_json
    from xinglin.kernel.errors import MalformedMessage
    from xinglin.kernel.limits import JSON_BYTES
    from xinglin.terms.odrl import from_odrl
    from xinglin.terms.policy import Policy

    data = path.read_bytes()
    JSON_BYTES.check(len(data))
    document = decode_json(data, dict)
    if _ODRL & set(document):
        return from_odrl(document), True
    if not set(document) & {"permissions", "prohibitions", "duties"}:
        raise MalformedMessage("That is no policy.", remedy="Give permissions, prohibitions and duties, or ODRL.")
    return decode_json(data, Policy), False


_ODRL = frozenset({"@context", "@type", "@graph", "permission", "prohibition", "obligation"})


def _kept(folder: Path, last: int) -> tuple[Kept, ...]:
    from xinglin.kernel.instants import system_clock
    from xinglin.node.decisions import NodeDecisions
    from xinglin.node.settings import node_settings
    from xinglin.node.wiring import open_node_terms

    store = open_node_terms(folder, node_settings(folder).settings)
    try:
        return NodeDecisions(store).last(last, system_clock())
    finally:
        store.close()


def differing_lines(differing: list[dict[str, Any]]) -> str:
    """Decisions that would differ, one line each."""
    from xinglin.kernel.instants import to_text

    rows = [
        {
            "decision": one["id"],
            "when": to_text(one["at"]),
            "action": one["action"],
            "study": one["study"],
            "change": one["change"] + (" (others still refuse)" if one["moot"] else ""),
            "why": _why(one),
        }
        for one in differing
    ]
    return columns(rows, ("decision", "when", "action", "study", "change", "why")) if rows else "nothing would differ"


def _why(one: dict[str, Any]) -> str:
    """The reasons after where it refuses, those before where it no longer does, else the conditions."""
    told = one["after"] if one["after"]["type"] == "denied" else one["before"]
    if told["type"] == "denied":
        return " ".join(dict.fromkeys(reason["words"] for reason in told["reasons"]))
    return ", ".join(one["after"]["conditions"]) or "no conditions"


def _answer_changes(one: dict[str, Any]) -> bool:
    return one["change"] in ("now-allowed", "now-denied") and not one["moot"]


def _simulation(value: dict[str, Any]) -> str:
    names = ("policy", "decisions", "now_allowed", "now_denied", "answers_that_change")
    head = {name.replace("_", " "): value[name] for name in names}
    return facts(head) + "\n\n" + differing_lines(value["differing"])
