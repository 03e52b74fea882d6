"""The strictest of several packs: a join, setting by setting.

Each setting is ordered (a threshold upwards, a share downwards, a word by its place in ``WORDS``, rules and blocked
formats as growing sets, a rounding by its base), and the join takes the stricter. It does not matter in which order,
how often or in which groups packs are joined. A count that one of the named packs hides is hidden, and a count that
is shown reads like at least as many others as under each of them: thresholds are moved up to a step of
the joined rounding (``rounding.shown_from``). Two different roundings are not both applied: the coarser holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from xinglin.privacy.packs.errors import BadPack
from xinglin.privacy.packs.model import ROUNDINGS, WORDS, Dominance, Origin, Pack, Rounding, Settings, setting_fields
from xinglin.privacy.packs.rounding import merges
from xinglin.terms.thresholds import DisclosureRules

_LOWER = frozenset(
    {
        "max_person_share",
        "lock_repeats",
        "max_params_share",
        "max_leverage",
        "text_chars",
        "name_chars",
        "max_levels",
        "max_level_density",
        "exact_answers_cap",
    }
)
"""Settings that get stricter downwards."""
_SETS = ("dominance", "formats_blocked")


def strictest_pack(packs: Sequence[Pack]) -> Pack:
    """The pack that is at least as strict as each of ``packs`` in every setting; of an empty list ``BadPack``.

    Guarantee: order, repetition and grouping change nothing; see the module for what "strict" means.

    >>> from xinglin.privacy.packs.loading import shipped
    >>> strictest_pack([shipped("ehds"), shipped("sacro")]).settings.min_cell
    10
    """
    if not packs:
        raise BadPack("No pack was named.", remedy="Name those of every hospital that takes part.")
    names = sorted({part for pack in packs for part in pack.name.split("+")})
    if all(pack == packs[0] for pack in packs):
        return packs[0]
    values: dict[str, Any] = {}
    origins: set[Origin] = set()
    for field in setting_fields():
        key = field.name
        values[key] = _join(key, [getattr(pack.settings, key) for pack in packs])
        for pack in packs:
            if key in _SETS or getattr(pack.settings, key) == values[key]:
                origins.update(pack.of(key))
    titles = {pack.name: pack for pack in packs}
    ordered = [titles[name] for name in sorted(titles)]
    return Pack(
        name="+".join(names),
        title=f"The strictest of {', '.join(names)}",
        title_zh=f"{'、'.join(names)} 中最严格者",
        settings=Settings(**values),
        origins=tuple(sorted(origins)),
        note=" ".join(dict.fromkeys(pack.note for pack in ordered if pack.note)),
    )


def at_least(pack: Pack, demanded: Pack) -> bool:
    """Whether ``pack`` is at least as strict as ``demanded`` in every setting."""
    ours, theirs = pack.settings, demanded.settings
    for field in setting_fields():
        own = getattr(ours, field.name)
        if _join(field.name, [own, getattr(theirs, field.name)]) != _join(field.name, [own]):
            return False
    return True


def keeps(pack: Pack, demanded: Pack) -> bool:
    """Whether answers under ``pack`` tell nothing that answers under ``demanded`` would not.

    As strict in every setting (``at_least``), and its rounding merges whole steps of the other one: a greater base
    that cuts elsewhere would, asked beside it, give counts back.
    """
    return at_least(pack, demanded) and merges(pack.settings.rounding, demanded.settings.rounding)


def rules_of(pack: Pack) -> DisclosureRules:
    """The rules that the gate applies to every pooled total, as this pack states them.

    A pack that leaves hospitals, degrees of freedom, shares or the cap open gets the default of ``DisclosureRules``
    there: the gate is never loosened by a pack that is silent. ``min_cell`` is the pack's own.
    """
    s, default = pack.settings, DisclosureRules()

    def stated(setting: str, otherwise: Any) -> Any:
        value = getattr(s, setting)
        if not pack.states(setting):
            return otherwise
        return float(value) if isinstance(value, Fraction) else value

    return DisclosureRules(
        min_cell=stated("min_cell", default.min_cell),
        min_hospitals=stated("min_hospitals", default.min_hospitals),
        min_dof=stated("min_dof", default.min_dof),
        max_params_share=stated("max_params_share", default.max_params_share),
        max_person_share=stated("max_person_share", default.max_person_share),
        publish_zeros=pack.states("zeros") and s.zeros == "show",
        exact_answers_cap=stated("exact_answers_cap", default.exact_answers_cap),
    )


def _join(key: str, values: Sequence[Any]) -> Any:
    if key in WORDS:
        return max(values, key=WORDS[key].index)
    if key == "rounding":
        return max(values, key=_coarseness)
    if key == "round_instead":
        # Nought does not offer it, which is the strictest; of bases that are offered the greatest is.
        return 0 if 0 in values else max(values)
    if key == "dominance":
        return _every_rule([rule for rules in values for rule in rules])
    if key == "formats_blocked":
        return tuple(sorted({name for names in values for name in names}))
    choose: Callable[[Sequence[Any]], Any] = min if key in _LOWER else max
    return choose(values)


def _coarseness(rounding: Rounding) -> tuple[int, int]:
    return rounding.base, ROUNDINGS.index(rounding.kind)


def _every_rule(rules: Sequence[Dominance]) -> tuple[Dominance, ...]:
    """All rules, for each n the smallest share alone: whoever breaks a looser one breaks it too."""
    best: dict[int, Dominance] = {}
    for rule in sorted(rules, key=lambda rule: (rule.n, rule.share, not rule.inclusive)):
        best.setdefault(rule.n, rule)
    return tuple(sorted(best.values()))
