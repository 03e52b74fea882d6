"""Persons' choices at the node: recorded with a receipt at once, read for each run before a row is, kept for ever.

Nothing personal leaves: the log gets the digest of a choice, which holds a random id that only node and person know.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from xinglin.contract import Agreement
from xinglin.gate import Use
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.consent_held import HeldChoices
from xinglin.node.intake.wiring import known_consent_register, open_consent_register
from xinglin.stores.consent_register import ChoiceReceipt, ConsentRegister
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.consent import (
    EVERYTHING,
    Choice,
    ConsentUse,
    Delegate,
    IdentityCheck,
    PersonFilter,
    Rule,
    Where,
    check_choice,
    person_filter,
)
from xinglin.terms.consent_since import leaves
from xinglin.terms.consent_use import StudyWord, check_study_word, use_of
from xinglin.wire.errors import Refused

ID_BYTES = 16
Entropy = Callable[[int], bytes]


# --- what persons say ----------------------------------------------------------------------------


def record(
    folder: Path,
    choices: Iterable[Choice],
    clock: Clock = system_clock,
    entropy: Entropy = os.urandom,
    *,
    imported: bool = False,
) -> tuple[ChoiceReceipt, ...]:
    """Record choices, all or none, and confirm each at once. Raises ``Refused`` with every reason why not.

    ``imported``: they come as documents; permissions whose giver nobody checked are then kept, and do not count.
    """
    named = [msgspec.structs.replace(choice, id=entropy(ID_BYTES).hex()) for choice in choices]
    verdicts = [check_choice(one, imported=imported) for one in named]
    reasons = [reason for verdict in verdicts if isinstance(verdict, Denied) for reason in verdict.reasons]
    if reasons:
        raise Refused(tuple(dict.fromkeys(reasons)))
    register = open_consent_register(folder)
    try:
        return register.keep(named, clock())
    finally:
        register.close()


def withdraw(
    folder: Path,
    person: str,
    source: str,
    where: Where = EVERYTHING,
    *,
    delegate: Delegate | None = None,
    clock: Clock = system_clock,
) -> ChoiceReceipt:
    """A person withdraws consent, or objects, from now on: nobody asks who it is, since it only ever takes away."""
    rule = Rule("deny", where)
    (receipt,) = record(folder, [Choice(person, rule, clock(), source, "withdrawal", delegate=delegate)], clock)
    return receipt


def reverse(
    folder: Path,
    ids: tuple[str, ...],
    source: str,
    identity: IdentityCheck,
    *,
    delegate: Delegate | None = None,
    clock: Clock = system_clock,
) -> ChoiceReceipt:
    """Take back choices by their ids, once the identity of their person was checked."""
    register = open_consent_register(folder)
    try:
        found = [register.choice(one) for one in ids]
    finally:
        register.close()
    persons = {one.person for one in found if one is not None}
    if None in found or len(persons) != 1:
        raise Refused(deny("consent.unknown", "These are not choices of one person here.", "See: list.").reasons)
    taken = Choice(
        persons.pop(), None, clock(), source, "reversal", delegate=delegate, identity=identity, undoes=tuple(ids)
    )
    (receipt,) = record(folder, [taken], clock)
    return receipt


def history(folder: Path, person: str) -> tuple[tuple[Instant, Choice, int], ...]:
    """Everything that was recorded of a person: when, what, and the leaf in the log (-1 while it is on its way)."""
    register = known_consent_register(folder)
    if register is None:
        return ()
    try:
        return tuple((at, one, register.leaf(one.digest())) for at, one in register.history(person))
    finally:
        register.close()


def recorded(folder: Path) -> tuple[Choice, ...]:
    """Every choice, oldest first. For the hospital's own eyes."""
    register = known_consent_register(folder)
    if register is None:
        return ()
    try:
        return tuple(register.choices())
    finally:
        register.close()


def say_of_study(folder: Path, word: StudyWord) -> None:
    """Keep the hospital's word on a study. Raises ``Refused`` with every reason why not."""
    verdict = check_study_word(word)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    register = open_consent_register(folder)
    try:
        register.say(word)
    finally:
        register.close()


def study_words(folder: Path) -> tuple[StudyWord, ...]:
    """Every word on every study, oldest first."""
    register = known_consent_register(folder)
    if register is None:
        return ()
    try:
        return register.words()
    finally:
        register.close()


# --- what follows for a use ----------------------------------------------------------------------


def consent_use(word: StudyWord | None, agreement: Agreement, purpose: str, since: Instant, at: Instant) -> ConsentUse:
    """A use under an agreement as choices see it; ``since``: when the agreement came into force here."""
    return use_of(
        word,
        agreement.terms.policy,
        study=agreement.study,
        purpose=purpose,
        consumer=agreement.consumer,
        classes=tables_of(agreement.terms),
        agreed_at=max(agreement.made, since),
        at=at,
    )


def tables_of(terms: AgreedTerms) -> tuple[str, ...]:
    """The tables that an agreement's variables lie in, sorted."""
    return tuple(sorted({variable.partition(".")[0] for variable in terms.variables}))


def published_persons(folder: Path, at: Instant) -> PersonFilter:
    """Whose rows a description that every member reads is counted over: nobody's who objected to research.

    No study is known yet, nor whether it is commercial, whose, or which sensitive categories it touches: whoever denies
    any of these is left out. The regime asks for consent only once there is a study.
    """
    register = known_consent_register(folder)
    if register is None:
        return PersonFilter()
    use = ConsentUse(study="", purpose="health-research", institutions=(), at=at, regime="opt-out")
    try:
        return person_filter(register.choices(), use)
    finally:
        register.close()


class NodeConsent:
    """Whose rows a run may see. Once admitted, a run that is taken up again after a stop reads what it read then."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._held: HeldChoices | None = None
        self._left: dict[str, tuple[int, StudyWord | None, bool]] = {}

    def persons(self, use: Use, agreement: Agreement, since: Instant) -> PersonFilter:
        """The filter of a run; a register that cannot be read raises, and nothing is computed."""
        held = self._reader()
        if held is None:
            return person_filter((), consent_use(None, agreement, use.request.purpose, since, self._clock()))
        reading = held.register.reading(use.run, agreement.study, self._clock())
        asked = consent_use(reading.word, agreement, use.request.purpose, since, reading.at)
        return held.persons(reading.number, asked)

    def read_anew(self, use: Use) -> bool:
        """For a run that is not admitted: whether somebody chose since it read, so that its next reading is a new one.

        Else whoever opens a run and holds it back would keep rows whose persons withdraw meanwhile.
        """
        register = self._known()
        return register is not None and register.read_anew(use.run, use.plan.study)

    def said_since(self, use: Use) -> bool:
        """Whether anything at all was said since a run read: a choice, or a word on its study. Looks at no choice."""
        register = self._known()
        if register is None:
            return False
        read, now = register.read_by(use.run), (register.last(), register.word(use.plan.study))
        return now != ((read.number, read.word) if read is not None else (0, None))

    def left_since(self, use: Use, agreement: Agreement, since: Instant) -> bool:
        """Whether somebody whose rows a run may see has left it since it read, by a choice or word that binds it.

        Choices that came since are what is looked for; a permission that only lapses holds to the end of the run.
        """
        held = self._reader()
        if held is None:
            return False
        register = held.register
        read, last, word = register.read_by(use.run), register.last(), register.word(use.plan.study)
        found = self._left.get(use.run)
        if found is None or found[:2] != (last, word):
            purpose, at = use.request.purpose, self._clock()
            first, number, said = (read.at, read.number, read.word) if read is not None else (at, 0, None)
            # Where the word is the same, whoever said nothing since stands as they did: few are read, not all.
            few = register.chose_since(number) if said == word else None
            uses = (
                consent_use(said, agreement, purpose, since, first),
                consent_use(word, agreement, purpose, since, at),
            )
            before, after = (
                held.persons(most, asked) if few is None else person_filter(register.choices_of(few, most), asked)
                for most, asked in zip((number, last), uses, strict=True)
            )
            found = self._left[use.run] = (last, word, leaves(before, after))
        return found[2]

    def forget(self, run: str) -> None:
        """The run is over."""
        self._left.pop(run, None)

    def word(self, study: str) -> StudyWord | None:
        """The hospital's newest word on a study."""
        register = self._known()
        return None if register is None else register.word(study)

    def close(self) -> None:
        """Close the register, where one was read."""
        if self._held is not None:
            self._held.register.close()
            self._held = None

    def _known(self) -> ConsentRegister | None:
        held = self._reader()
        return None if held is None else held.register

    def _reader(self) -> HeldChoices | None:
        if self._held is None:
            register = known_consent_register(self._folder)
            self._held = HeldChoices(register) if register is not None else None
        return self._held
