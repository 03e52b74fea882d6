"""``xinglin study breach | breaches``: notices of breach and answers by a consumer; and what a node's verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.options import Title
from xinglin.cli.output import ends, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.session import Held
    from xinglin.sdk.space import Space

app = typer.Typer()

What = Annotated[str, typer.Option(help="What was broken: a word of the list.")]
BreachWords = Annotated[str, typer.Option("--words", help="What happened, for the other party.")]
By = Annotated[str, typer.Option("--by", help="Until when an answer is asked for, or a remedy promised (RFC 3339).")]
Answer = Annotated[str, typer.Option(help="Answer the notice whose digest begins so.")]
As = Annotated[str, typer.Option("--as", help="The answer: accepted, contested or remedied.")]
Close = Annotated[str, typer.Option(help="Close your notice whose digest begins so.")]
Suspend = Annotated[bool, typer.Option("--suspend", help="Suspend the agreement with the notice.")]
OneHospital = Annotated[str, typer.Option(help="The hospital (DID or label).")]


@app.command()
@ends
@given("space", account_space)
def breach(
    title: Title,
    space: Space,
    hospital: OneHospital,
    what: What = "",
    words: BreachWords = "",
    by: By = "",
    answer: Answer = "",
    as_: As = "",
    close: Close = "",
    also_suspend: Suspend = False,
) -> None:
    """Give a hospital a notice of breach, answer its notice, or close yours; the log holds its digest."""
    from xinglin.kernel.instants import from_text
    from xinglin.sdk.breaches import answer_notice, close_notice, give_notice

    step = breach_step(what, words, by, answer, as_, close, also_suspend)
    held, until = _held(space, title, hospital), from_text(by) if by else 0
    if step["step"] == "close":
        case = close_notice(space, held, close)
    elif step["step"] == "answer":
        case = answer_notice(space, held, answer, as_, words, remedy_by=until)
    else:
        case = give_notice(space, held, what, words, answer_by=until, suspend=also_suspend)
    value = _plain(case)
    printer.value(value, lambda: case_lines([value]).strip())


@app.command()
@ends
@given("space", account_space)
def breaches(title: Title, space: Space) -> None:
    """Notices of breach about a study's agreements, given and received: how each stands, and what is due when."""
    from xinglin.sdk.breaches import notices

    value = [_plain(case) for held in space.study(title).agreements.values() for case in notices(space, held)]
    printer.value(value, lambda: case_lines(value).strip() or "nothing")


def breach_step(
    what: str, words: str, by: str, answer: str, as_: str, close: str, suspend: bool
) -> dict[str, str]:  # fmt: skip
    """The one step that the options mean; ``BadParameter`` for two at once or none."""
    if sum(map(bool, (what, answer, close))) != 1:
        raise typer.BadParameter("Give --what for a notice, --answer with --as for an answer, or --close.")
    if bool(answer) != bool(as_) or (suspend and not what):
        raise typer.BadParameter("--as goes with --answer, and --suspend with a notice.")
    step = "answer" if answer else "close" if close else "notice"
    given = {"step": step, "about": answer or close, "what": what, "words": words, "by": by, "answer": as_}
    return {**given, "suspend": "yes" if suspend else ""}


def case_lines(cases: list[dict[str, Any]]) -> str:
    """Cases for people, each on its own lines."""
    from xinglin.contract.breach import ANSWERS, BREACHES
    from xinglin.kernel.instants import to_text

    text = ""
    for one in cases:
        shown = {
            "notice": one["notice"],
            "agreement": one["agreement"],
            "state": one["state"] + (", overdue" if one["overdue"] else ""),
            "by": one["by"],
            "against": one["against"],
            "what": f"{BREACHES[one['what']][0]} {BREACHES[one['what']][1]}",
            "words": one["words"],
            "due": to_text(one["due"]) if one["due"] else "",
        }
        for answer in one["answers"]:
            shown[f"{answer['answer']} {to_text(answer['made'])}"] = (
                f"{ANSWERS[answer['answer']][1]}: {answer['words']}"
            )
        text += "\n\n" + facts(shown)
    return text


def _held(space: Space, title: str, hospital: str) -> Held:
    agreements, labels = space.study(title).agreements, {name: did for did, name in space.names().items()}
    did = labels.get(hospital, hospital)
    if did not in agreements:
        raise typer.BadParameter("The study has no agreement with that hospital.")
    return agreements[did]


def _plain(case: Any) -> dict[str, Any]:
    import msgspec

    value: dict[str, Any] = msgspec.to_builtins(case)
    return value
