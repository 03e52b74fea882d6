"""Answers of people to what is held: who, when, on what ground, and which facts the person vouches for.

A person agrees to what nobody could prove over the protocol; the terms are asked all the same, with the person's facts
beside the proven ones. The answer is kept with the move that it is the ground of, and noted for the log.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xinglin.connector.errors import NotPossible
from xinglin.connector.model import World
from xinglin.kernel.limits import Limit
from xinglin.terms.vocabulary import OPERANDS, nearest
from xinglin.wire.dsp.offered import policy_digest
from xinglin.wire.dsp.ports import AnswerRow, Caller, ConnectorStore, ContractRow, NoteRow, ProcessRow
from xinglin.wire.dsp.states import CONSUMER, PROVIDER

VOUCHED = "vouched."
"""Claims of this kind are a person's word at the side that decides, never the caller's."""
OWN_FACTS = frozenset(
    ("recipient", "dateTime", "openingHours", "elapsedTime", "count", "grade", "operation", "privacyBudget", "lawPack")
)
"""What a connector knows itself, or counts: nobody's word replaces it."""
GROUND_LENGTH = Limit("length of a ground, a name or a value", 500, "characters")
FACTS = Limit("facts of an answer", 32, "facts")
MOVES: Mapping[tuple[str, str], str] = {
    (PROVIDER, "REQUESTED"): "agree",
    (PROVIDER, "ACCEPTED"): "agree",
    (PROVIDER, "VERIFIED"): "finalize",
    (CONSUMER, "OFFERED"): "accept",
    (CONSUMER, "AGREED"): "verify",
}
"""(our side, state): what a person's yes to a held negotiation is."""


def make_answer(
    row: ProcessRow, accepted: bool, by: str, ground: str, facts: Mapping[str, tuple[str, ...]], at: int
) -> AnswerRow:
    """An answer to what lies on the table in ``row``; ``NotPossible`` for a yes without a name or a ground."""
    check_said(accepted, by, ground, facts)
    digest = policy_digest(msgspec.json.decode(row.offer or b"{}"))
    return AnswerRow(row.pid, accepted, by, ground, msgspec.json.encode(dict(facts)), digest, at)


def check_said(accepted: bool, by: str, ground: str, facts: Mapping[str, tuple[str, ...]]) -> None:
    """Whether an answer says what it has to: who, on what ground, and facts that a person may vouch for."""
    for text in (by, ground, *(one for said in facts.values() for one in said)):
        GROUND_LENGTH.check(len(text))
    FACTS.check(sum(len(said) for said in facts.values()))
    if not by.strip():
        raise NotPossible("The answer names nobody.", remedy="Say who answers.")
    if not ground.strip():
        remedy = "Say what it rests on: a resolution, an approval, a decision." if accepted else "Say why."
        raise NotPossible("The answer has no ground.", remedy=remedy)
    for name in facts:
        if name not in OPERANDS:
            raise NotPossible(f"There is no fact {name[:40]!r}.", remedy=f"The nearest is {nearest(name)!r}.")
        if name in OWN_FACTS:
            raise NotPossible(f"'{name}' is known or counted here.", remedy="Leave it out.")


def is_held(row: ProcessRow) -> bool:
    """Whether a negotiation waits for a person of ours."""
    return row.kind == "negotiation" and (row.side, row.state) in MOVES and bool(row.trouble)


def answers(answer: AnswerRow, row: ProcessRow) -> bool:
    """Whether the answer is to the offer that is on the table."""
    return answer.pid == row.pid and answer.offer == policy_digest(msgspec.json.decode(row.offer or b"{}"))


def answer_to(store: ConnectorStore, row: ProcessRow) -> AnswerRow | None:
    """A person's yes to just this offer; None where there is none."""
    if row.kind != "negotiation":
        return None
    found = store.answer(row.pid)
    return found if found is not None and found.accepted and answers(found, row) else None


def vouched(answer: AnswerRow | None) -> tuple[tuple[str, str], ...]:
    """The facts of an answer as claims."""
    if answer is None:
        return ()
    facts = msgspec.json.decode(answer.facts, type=dict[str, tuple[str, ...]])
    return tuple((VOUCHED + name, one) for name, said in sorted(facts.items()) for one in said)


def known_of(world: World, contract: ContractRow, caller: Caller | None = None) -> Caller:
    """The party of an agreement, with what a person vouched for when it was made."""
    answer = world.store.answer(contract.negotiation) if contract.negotiation else None
    claims = caller.claims if caller is not None else ()
    return Caller(contract.participant, claims + vouched(answer if answer is not None and answer.accepted else None))


def note_of(answer: AnswerRow, row: ProcessRow) -> NoteRow:
    """The answer for the log, which commits to each part of it and shows none."""
    values = {
        "participant": row.participant,
        "data_set": row.data_set,
        "agreement": row.agreement,
        "by": answer.by,
        "ground": answer.ground,
        "facts": answer.facts.decode(),
        "offer": answer.offer,
    }
    kind = "negotiation-accepted" if answer.accepted else "negotiation-refused"
    return NoteRow(kind, row.pid, answer.at, msgspec.json.encode(values))
