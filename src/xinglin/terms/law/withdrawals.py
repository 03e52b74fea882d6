"""Which withdrawals and objections bind, by pack and basis.

``binding``: the person leaves before the next computation, frozen cohorts included. ``outputs-withheld``: the person
leaves new cohorts; a frozen one keeps the person, and its outputs wait until the minimum cell of persons changed.
``not-binding``: the use goes on with the person.
"""

from __future__ import annotations

from collections.abc import Iterable

from xinglin.terms.law.loading import load_pack
from xinglin.terms.law.model import Effect, Pack, Withdrawal

_ORDER: tuple[Effect, ...] = ("not-binding", "outputs-withheld", "binding")


def withdrawal(pack: str | Pack, basis: str) -> Withdrawal:
    """What a pack says of a withdrawal from a use on ``basis``.

    A basis that the pack does not name, and an unknown one, is taken for binding: the person's word counts.
    Raises ``LawError`` for an unknown pack.
    """
    chosen = load_pack(pack) if isinstance(pack, str) else pack
    found = next((one for one in chosen.withdrawals if one.basis == basis), None)
    if found is not None:
        return found
    return _silent(basis, f"{chosen.title} names no rule for this basis")


def withdrawal_rule(pack: str | Pack, basis: str) -> Effect:
    """``binding``, ``outputs-withheld`` or ``not-binding``.

    >>> withdrawal_rule("gdpr", "consent"), withdrawal_rule("gdpr", "statutory-duty")
    ('binding', 'not-binding')
    """
    return withdrawal(pack, basis).effect


def strictest_withdrawal(packs: Iterable[str | Pack], basis: str) -> Withdrawal:
    """Of the packs that name the basis, what is best for the person; where none does, the withdrawal binds.

    At equal effect the one wins in which the person leaves frozen cohorts, then the one that reaches at once.
    """
    chosen = [load_pack(pack) if isinstance(pack, str) else pack for pack in packs]
    named = [one for pack in chosen for one in pack.withdrawals if one.basis == basis]
    return max(named, key=_strictness) if named else _silent(basis, "No law pack here names a rule for this basis")


def _strictness(one: Withdrawal) -> tuple[int, bool, bool, str, str]:
    return _ORDER.index(one.effect), one.frozen == "leaves", one.reach == "at once", one.article, one.words


def _silent(basis: str, words: str) -> Withdrawal:
    return Withdrawal(
        basis=basis,
        effect="binding",
        regime="opt-out",
        frozen="leaves",
        reach="at once",
        article="",
        words=f"{words}: the person's word counts.",
        words_zh="法规包对该依据未作规定：以个人意愿为准。",
    )
