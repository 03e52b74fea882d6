"""A study's standing towards persons' choices: its basis and law packs, and which withdrawals then bind.

Words on a study are the hospital's own; where nobody said one, every objection binds at once and everybody who did
not object is in: the agreement's policy may say more (``policy_words``), and then its basis and packs hold.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.consent import CATEGORIES, ConsentUse
from xinglin.terms.law import PACKS
from xinglin.terms.law.model import Withdrawal
from xinglin.terms.law.withdrawals import strictest_withdrawal
from xinglin.terms.policy import Constraint, Policy
from xinglin.terms.purposes import BASES
from xinglin.terms.request import is_name

COMMERCIAL_PURPOSES = ("product-development",)
"""Purposes that are taken for commercial where nobody said otherwise."""


class StudyWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the hospital says of a study. Version 1; append-only: the newest word holds.

    ``basis``: one of ``BASES``; ``packs``: law packs by name. ``names``: what the institution is called in choices.
    ``commercial`` and ``categories`` (sensitive ones that its views touch): ``None`` where nobody looked.
    ``frozen_at``: since when its cohort is frozen.
    """

    study: str
    basis: str
    packs: tuple[str, ...]
    by: str
    at: Instant
    names: tuple[str, ...] = ()
    commercial: bool | None = None
    categories: tuple[str, ...] | None = None
    frozen_at: Instant | None = None
    version: int = 1


def check_study_word(word: StudyWord) -> Verdict:
    """Whether a word on a study may be kept, with every reason why not."""
    reasons = list(_faults(word))
    return Denied(tuple(reasons)) if reasons else Allowed()


def _faults(word: StudyWord) -> Iterator[Reason]:
    if word.version != 1:
        yield _reason(f"Version {word.version} of a word on a study is not known here.", "Upgrade.")
    if not is_name(word.study):
        yield _reason("A study has a plain name.", "Use letters, digits, . _ : and -.")
    if word.basis not in BASES:
        yield _reason(f"'{word.basis[:40]}' is not a basis.", f"Use one of {', '.join(BASES)}.")
    for name in word.packs:
        if name not in PACKS:
            yield _reason(f"'{name[:40]}' is not a law pack.", f"Known: {', '.join(PACKS)}.")
    for category in word.categories or ():
        if category not in CATEGORIES:
            yield _reason(f"'{category[:40]}' is no sensitive category.", f"Use one of {', '.join(CATEGORIES)}.")
    if not word.by.strip() or not word.by.isprintable():
        yield _reason("A word has somebody who says it.", "Name them.")


def _reason(words: str, remedy: str) -> Reason:
    return Reason("consent.bad_study_word", words, remedy)


def policy_words(policy: Policy | msgspec.UnsetType) -> tuple[str, tuple[str, ...]]:
    """The basis and the law packs that every permission of a policy asks for; empty where they are not one."""
    if not isinstance(policy, Policy) or not policy.permissions:
        return "", ()
    bases, packs = set(), set()
    for permission in policy.permissions:
        basis, named = "", frozenset[str]()
        for one in permission.constraints:
            if isinstance(one, Constraint) and one.operand == "consentBasis" and one.operator == "eq":
                basis = _texts(one)[0]
            elif isinstance(one, Constraint) and one.operand == "lawPack":
                named |= frozenset(_texts(one))
        bases.add(basis)
        packs.add(named)
    (basis, *others), (named, *unlike) = sorted(bases), list(packs)
    return "" if others else basis, () if unlike else tuple(sorted(named & set(PACKS)))


def _texts(one: Constraint) -> tuple[str, ...]:
    return (one.value,) if isinstance(one.value, str) else one.value or ("",)


def cutoff_of(rule: Withdrawal, *, agreed_at: Instant, frozen_at: Instant | None) -> Instant | None:
    """From when on denials no longer bind a use; ``None``: every denial binds; ``-1``: none does.

    EHDS, Article 71: an objection reaches permits issued after it. A frozen cohort keeps who was in it where the
    pack says so.
    """
    if rule.effect == "not-binding":
        return -1
    stops = [frozen_at] if rule.frozen != "leaves" and frozen_at is not None else []
    if rule.reach != "at once":
        stops.append(agreed_at)
    return min(stops, default=None)


def use_of(
    word: StudyWord | None,
    policy: Policy | msgspec.UnsetType,
    *,
    study: str,
    purpose: str,
    consumer: str,
    classes: tuple[str, ...],
    agreed_at: Instant,
    at: Instant,
) -> ConsentUse:
    """The use of a study under an agreement, as choices see it. The hospital's own word goes before the policy's."""
    basis, packs = policy_words(policy)
    if word is not None:
        basis, packs = word.basis, word.packs
    rule = strictest_withdrawal(packs, basis)
    commercial = None if word is None else word.commercial
    if commercial is None and purpose in COMMERCIAL_PURPOSES:
        commercial = True
    # Whoever stands on consent needs it, whatever regime the packs know.
    regime = "opt-in" if basis == "consent" or rule.regime == "opt-in" else "opt-out"
    return ConsentUse(
        study=study,
        purpose=purpose,
        institutions=(consumer, *(word.names if word is not None else ())),
        at=at,
        commercial=commercial,
        categories=None if word is None else word.categories,
        classes=classes,
        regime=regime,  # type: ignore[arg-type]
        cutoff=cutoff_of(rule, agreed_at=agreed_at, frozen_at=word.frozen_at if word is not None else None),
        article=rule.article,
    )
