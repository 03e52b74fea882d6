"""Packs as plans carry them: what one says as plain values, its digest, and the strictest of several with its parts.

``agreed_pack`` is the inverse of ``rules_of``: the rules of the agreements as a pack of their own, named ``agreement``
(``xinglin`` where they are the default). Whatever a plan names is joined with it, so that no pack loosens what was
agreed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.privacy.packs.errors import BadPack
from xinglin.privacy.packs.loading import SHIPPED, setting_value, shipped
from xinglin.privacy.packs.model import NO_LIMIT, Dominance, Origin, Pack, Rounding, Settings, setting_fields
from xinglin.privacy.packs.rounding import shown_from
from xinglin.privacy.packs.strictest import strictest_pack
from xinglin.terms.pack_named import NamedPacks, PackPart
from xinglin.terms.thresholds import DisclosureRules, strictest

AGREED, DEFAULT = "agreement", "xinglin"
"""Names of the rules of the agreements as a pack: any, and the default ones."""

_STATED_BY_RULES = (
    "min_cell", "small", "zeros", "min_hospitals", "min_dof", "max_params_share", "max_person_share",
)  # fmt: skip
_DENOMINATOR = 10_000


def plain_settings(settings: Settings) -> dict[str, Any]:
    """Every setting that is not the loosest, as plain JSON values that ``read_settings`` takes back.

    >>> plain_settings(Settings(min_cell=8, rounding=Rounding("nearest", 5)))
    {'min_cell': 8, 'rounding': {'kind': 'nearest', 'base': 5}}
    """
    loosest, found = Settings(), {}
    for field in setting_fields():
        value = getattr(settings, field.name)
        if value != getattr(loosest, field.name):
            found[field.name] = _plain(value)
    return found


def read_settings(plain: Mapping[str, Any]) -> Settings:
    """The settings of ``plain_settings``; ``BadPack`` for anything else, another spelling of the same among it."""
    try:
        settings = Settings(**{name: setting_value(name, value) for name, value in plain.items()})
    except TypeError as error:
        raise BadPack("A setting is of another kind.") from error
    if plain_settings(settings) != dict(plain):
        raise BadPack("The settings are not written in their one form.", remedy="Make the strictest pack again.")
    return settings


@lru_cache(maxsize=256)
def pack_digest(pack: Pack) -> str:
    """``sha256:…`` of all that a pack says: its settings, their sources, its words."""
    said = {
        "name": pack.name,
        "title": pack.title,
        "title_zh": pack.title_zh,
        "note": pack.note,
        "settings": plain_settings(pack.settings),
        "origins": [[one.setting, one.pack, one.source] for one in pack.origins],
        "version": pack.version,
    }
    return canonical_digest(said)


def part_of(pack: Pack) -> PackPart:
    """A pack by its name and digest."""
    return PackPart(pack.name, pack_digest(pack))


def named_packs(packs: Sequence[Pack]) -> NamedPacks:
    """The strictest of ``packs`` as a plan carries it; order and repetition change nothing. Raises ``BadPack``.

    >>> named_packs([shipped("ehds"), shipped("sacro")]).stated["min_cell"]
    ('sacro',)
    """
    joined = strictest_pack(packs)
    stated: dict[str, set[str]] = {}
    for origin in joined.origins:
        stated.setdefault(origin.setting, set()).add(origin.pack)
    return NamedPacks(
        parts=tuple(sorted({part_of(pack) for pack in packs})),
        settings=plain_settings(joined.settings),
        stated={setting: tuple(sorted(names)) for setting, names in sorted(stated.items())},
    )


def carried_pack(named: NamedPacks) -> Pack:
    """The pack that a plan carries; sources are quoted of shipped parts. Raises ``BadPack``."""
    settings = read_settings(named.settings)
    quoted = _sources(named)
    origins = [
        Origin(setting, name, source)
        for setting, names in named.stated.items()
        for name in names
        for source in quoted.get((setting, name), ("",))
    ]
    title, title_zh = f"The strictest of {named.name}", f"{named.name} 中最严格者"
    return Pack(named.name, title, title_zh, settings, tuple(sorted(origins)))


def agreed_pack(rules: DisclosureRules) -> Pack:
    """The rules of the agreements as a pack: each setting that they have, and none besides."""
    name = DEFAULT if rules == DisclosureRules(exact_answers_cap=rules.exact_answers_cap) else AGREED
    settings = Settings(
        min_cell=rules.min_cell,
        small="hide" if rules.min_cell > 1 else "label",
        zeros="show" if rules.publish_zeros else "hide",
        min_hospitals=rules.min_hospitals,
        min_dof=rules.min_dof,
        max_params_share=_share(rules.max_params_share),
        max_person_share=_share(rules.max_person_share),
        exact_answers_cap=min(rules.exact_answers_cap, NO_LIMIT),
    )
    origins = tuple(Origin(setting, name, "the rules of the agreements") for setting in sorted(_STATED_BY_RULES))
    return Pack(name, "The rules of the agreements", "协议中的披露规则", settings, origins)


def effective_pack(rules: DisclosureRules, named: NamedPacks) -> Pack:
    """What holds in a run: the packs that its plan carries and the rules of its agreements, the stricter of each."""
    carried, agreed = carried_pack(named), agreed_pack(rules)
    ours, theirs = agreed.settings, carried.settings
    # The rules of a plan were tightened by its packs: what a pack states so already is the pack's.
    own = tuple(
        one
        for one in agreed.origins
        if not carried.states(one.setting) or getattr(ours, one.setting) != getattr(theirs, one.setting)
    )
    joined = strictest_pack([msgspec.structs.replace(agreed, origins=own), carried])
    s = joined.settings
    if s.class_disclosure == "review" and not s.reviewers:  # nobody would look
        joined = msgspec.structs.replace(joined, settings=msgspec.structs.replace(s, class_disclosure="hide"))
    return joined


def tightened(rules: DisclosureRules, pack: Pack) -> DisclosureRules:
    """The rules of the agreements, tightened by what a pack states of the same; what it leaves open is as agreed."""
    s = pack.settings
    hides = s.small == "hide"
    return strictest(
        [
            rules,
            msgspec.structs.replace(
                rules,
                min_cell=s.min_cell if hides else 1,
                min_hospitals=s.min_hospitals,
                min_dof=max(s.min_dof, 1),
                max_params_share=float(s.max_params_share),
                max_person_share=float(s.max_person_share),
                publish_zeros=rules.publish_zeros and s.zeros == "show",
            ),
        ]
    )


def least_shown(pack: Pack) -> int:
    """The fewest persons of a count that is told; 1 where small counts are labels."""
    return shown_from(pack.settings) if pack.settings.small == "hide" else 1


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Rounding):
        return {"kind": value.kind, "base": value.base}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Dominance):
        return {"n": value.n, "share": str(value.share), "inclusive": value.inclusive}
    return value


def _share(value: float) -> Fraction:
    """A share as it was meant: 1/3 is a third, and never more than the float says."""
    near = Fraction(value).limit_denominator(_DENOMINATOR)
    return near if near <= Fraction(value) or float(near) == value else Fraction(value)


def _sources(named: NamedPacks) -> dict[tuple[str, str], tuple[str, ...]]:
    """What shipped parts quote, where the plan names them as they are shipped here."""
    known = {part.name: shipped(part.name) for part in named.parts if part.name in SHIPPED}
    parts = set(named.parts)
    same = {name: pack for name, pack in known.items() if part_of(pack) in parts}
    return {
        (setting, name): tuple(origin.source for origin in pack.of(setting))
        for name, pack in same.items()
        for setting in named.stated
        if pack.of(setting)
    }
