"""A provider may tighten what is offered, never loosen it: policies joined so that both must allow, and compared."""

from __future__ import annotations

from xinglin.terms.errors import TermsError
from xinglin.terms.implied import excludes, follows, same_or_more
from xinglin.terms.policy import CONSTRAINTS, RULES, Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.purposes import NO_DISEASES, Diseases
from xinglin.terms.vocabulary import includes
from xinglin.terms.writing import check_policy


def tighten(own: Policy, offered: Policy) -> Policy:
    """The policy that allows what both allow, at the price of both's duties.

    Guarantee: it allows a use exactly where ``own`` and ``offered`` do. Raises ``TermsError`` where one of them has an
    unknown word, or the joined one grows beyond the limits.
    """
    for policy in (own, offered):
        if not check_policy(policy):
            raise TermsError("A policy with unknown words is not tightened.", remedy="Check it first.")
    joined = Policy(
        permissions=_less(_pairs(own, offered)),
        prohibitions=tuple(dict.fromkeys((*own.prohibitions, *offered.prohibitions))),
        duties=_merged(own.duties, offered.duties),
    )
    rules = len(joined.permissions) + len(joined.prohibitions) + len(joined.duties)
    if rules > RULES.value or any(len(one.constraints) > CONSTRAINTS.value for one in joined.permissions):
        raise TermsError("The joined policy has too many rules.", remedy="Join permissions of one of the two first.")
    return joined


def at_least_as_strict(policy: Policy, demanded: Policy, diseases: Diseases = NO_DISEASES) -> bool:
    """Whether ``policy`` surely allows nothing that ``demanded`` denies, and owes no less.

    Sound and not complete: ``False`` also where it cannot be told from the words alone. ``tighten(own, demanded)`` is
    always at least as strict as both.
    """
    if not check_policy(policy) or not check_policy(demanded):
        return False
    owed = same_or_more(policy.duties, demanded.duties)
    kept = all(_kept(one, policy, diseases) for one in demanded.prohibitions)
    return owed and kept and all(_within(one, policy, demanded, diseases) for one in policy.permissions)


def _pairs(own: Policy, offered: Policy) -> list[Permission]:
    """Every permission of one with every one of the other, on the narrower of their actions."""
    found = []
    for mine in own.permissions:
        for theirs in offered.permissions:
            action = mine.action if includes(theirs.action, mine.action) else theirs.action
            if not includes(mine.action, action) or excludes(mine.constraints, theirs.constraints):
                continue
            found.append(
                Permission(action, _joined(mine.constraints, theirs.constraints), _merged(mine.duties, theirs.duties))
            )
    return list(dict.fromkeys(found))


def _joined(
    mine: tuple[Constraint | Logical, ...], theirs: tuple[Constraint | Logical, ...]
) -> tuple[Constraint | Logical, ...]:
    return tuple(dict.fromkeys((*mine, *theirs)))


def _merged(mine: tuple[Duty, ...], theirs: tuple[Duty, ...]) -> tuple[Duty, ...]:
    return tuple(dict.fromkeys((*mine, *theirs)))


def _less(permissions: list[Permission]) -> tuple[Permission, ...]:
    """Without permissions that another one with the same duties makes superfluous."""
    kept: list[Permission] = []
    for one in permissions:
        if any(_narrower(one, other) for other in kept):
            continue
        kept = [other for other in kept if not _narrower(other, one)]
        kept.append(one)
    return tuple(kept)


def _narrower(one: Permission, other: Permission) -> bool:
    """Whether ``other`` allows all that ``one`` allows, for the same duties, by plainly fewer constraints."""
    return (
        includes(other.action, one.action)
        and set(other.constraints) <= set(one.constraints)
        and set(one.duties) == set(other.duties)
    )


def _within(one: Permission, policy: Policy, demanded: Policy, diseases: Diseases) -> bool:
    """Whether a permission allows only what some demanded permission allows, or nothing at all."""
    if excludes(one.constraints, (), diseases) or _always_cut(one, policy, diseases):
        return True
    return any(
        includes(other.action, one.action)
        and follows(one.constraints, other.constraints, diseases)
        and same_or_more((*one.duties, *policy.duties), other.duties)
        for other in demanded.permissions
    )


def _always_cut(one: Permission, policy: Policy, diseases: Diseases) -> bool:
    return any(
        includes(cut.action, one.action) and follows(one.constraints, cut.constraints, diseases)
        for cut in policy.prohibitions
    )


def _kept(demanded: Prohibition, policy: Policy, diseases: Diseases) -> bool:
    """Whether a demanded prohibition is there, as wide or wider, or concerns nothing that is permitted."""
    wider = any(
        includes(own.action, demanded.action) and follows(demanded.constraints, own.constraints, diseases)
        for own in policy.prohibitions
    )
    related = [
        one
        for one in policy.permissions
        if includes(demanded.action, one.action) or includes(one.action, demanded.action)
    ]
    return wider or not related
