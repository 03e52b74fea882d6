"""What a pack is: settings with their sources, under a name.

Every setting has a loosest value (its default) and a direction in which it gets stricter; ``strictest`` has
the order. A pack says only what its publisher says: what it leaves open stays at the loosest value.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import msgspec
from msgspec.structs import FieldInfo

from xinglin.privacy.packs.errors import BadPack

PACK_VERSION = 1

NO_LIMIT = 1_000_000_000
"""Larger than anything that is counted here: a limit that is not set."""

LARGEST_BASE = 10_000
"""To so many persons at most counts are rounded."""

ROUNDINGS = ("none", "nearest", "midpoint", "up")
"""How counts are rounded, at one base from the loosest to the strictest."""

SMALL = ("label", "zero", "hide")
ZEROS = ("show", "hide")
TOTALS = ("exact", "recomputed")
EXTREMES = ("show", "average", "hide")
CLASSES = ("show", "review", "hide")
WORDS = {"small": SMALL, "zeros": ZEROS, "totals": TOTALS, "extremes": EXTREMES, "class_disclosure": CLASSES}
"""Settings that are a word, from the loosest to the strictest."""


class Dominance(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """The (n, k) rule: the ``n`` largest persons hold more than ``share`` of a total (``inclusive``: or just that)."""

    n: int
    share: Fraction
    inclusive: bool = False


class Rounding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step function on counts, by ``kind`` of ``ROUNDINGS`` and ``base``.

    ``nearest``: the nearest multiple, half up. ``midpoint``: ceil(x / b) * b - floor(b / 2), nought stays nought.
    ``up``: x - x mod b + b, never nought.
    """

    kind: str = "none"
    base: int = 1

    def __post_init__(self) -> None:
        sized = type(self.base) is int and 1 <= self.base <= LARGEST_BASE
        if self.kind not in ROUNDINGS or not sized or (self.kind == "none") != (self.base == 1):
            raise BadPack(f"A rounding is none, nearest, midpoint or up, to a base above 1, {LARGEST_BASE} at most.")


@cache
def setting_fields() -> tuple[FieldInfo, ...]:
    """Name and type of each setting; asked of the type once, which takes longer than reading a pack."""
    return msgspec.structs.fields(Settings)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a pack can set; each default is the loosest value.

    Counts are of distinct persons. Cells: ``min_cell`` persons; ``small`` ones are hidden, told as zero, or only
    rounded; ``zeros``; ``dominance`` and ``p_ratio`` of sums; ``class_disclosure``: a group whose members all stand in
    one cell; ``rounding``, ``totals`` (of what is shown, or exact), ``round_instead``: base to which counts may be
    rounded in place of hiding (0: not offered),
    ``noise_sigma`` and ``noise_clamp`` in persons; ``lock_repeats`` of one question within ``lock_days``.
    Others: ``min_hospitals``; ``max_person_share`` of the rows; ``min_subset`` persons of a cohort; models
    (``min_dof``, ``max_params_share`` parameters an observation, ``max_leverage`` of one person, ``min_level``
    persons a level); survival (``min_at_risk``, ``min_step`` events a step); ``min_tail`` persons beyond a quantile;
    ``extremes`` and over how many persons they are averaged; ``text_chars`` and ``name_chars``; ``max_levels`` and
    ``max_level_density`` of a category (levels over persons); ``min_neighbours``; ``formats_blocked``;
    ``reviewers`` who look at each output; ``exact_answers_cap``.
    """

    min_cell: int = 1
    small: str = "label"
    zeros: str = "show"
    min_hospitals: int = 1
    min_subset: int = 1
    dominance: tuple[Dominance, ...] = ()
    p_ratio: Fraction = Fraction(0)
    max_person_share: Fraction = Fraction(1)
    class_disclosure: str = "show"
    rounding: Rounding = Rounding()
    round_instead: int = 0
    totals: str = "exact"
    noise_sigma: Fraction = Fraction(0)
    noise_clamp: int = 0
    lock_repeats: int = NO_LIMIT
    lock_days: int = 0
    min_dof: int = 1
    max_params_share: Fraction = Fraction(1)
    max_leverage: Fraction = Fraction(1)
    min_level: int = 1
    min_at_risk: int = 1
    min_step: int = 1
    min_tail: int = 1
    extremes: str = "show"
    extremes_persons: int = 1
    text_chars: int = NO_LIMIT
    name_chars: int = NO_LIMIT
    max_levels: int = NO_LIMIT
    max_level_density: Fraction = Fraction(1)
    min_neighbours: int = 1
    formats_blocked: tuple[str, ...] = ()
    reviewers: int = 0
    exact_answers_cap: int = NO_LIMIT

    def __post_init__(self) -> None:
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise BadPack(f"'{name}' is one of: {', '.join(words)}.")
        for field in setting_fields():
            value = getattr(self, field.name)
            whole = field.type is int
            if whole and not (isinstance(value, int) and 0 <= value <= NO_LIMIT):
                raise BadPack(f"'{field.name}' is a whole number from 0 to {NO_LIMIT}.")
            if field.type is Fraction and value < 0:
                raise BadPack(f"'{field.name}' is not negative.")
        shares = (self.max_person_share, self.max_params_share, self.max_leverage, self.max_level_density)
        if any(not 0 < share <= 1 for share in (*shares, *(rule.share for rule in self.dominance))):
            raise BadPack("A share lies above 0 and is at most 1.")
        if min(self.min_cell, self.min_hospitals, self.min_dof, self.lock_repeats) < 1:
            raise BadPack("A threshold is at least 1.")
        if any(type(rule.n) is not int or rule.n < 1 for rule in self.dominance):
            raise BadPack("Dominance is of one person at least.")


class Origin(msgspec.Struct, frozen=True, order=True):
    """Where a setting comes from: the ``pack`` that states it, and the ``source`` that the pack quotes."""

    setting: str
    pack: str
    source: str


class Pack(msgspec.Struct, frozen=True):
    """Settings under a name; ``origins`` has one entry at least for every setting that was stated."""

    name: str
    title: str
    title_zh: str
    settings: Settings
    origins: tuple[Origin, ...]
    note: str = ""
    version: int = PACK_VERSION

    def states(self, setting: str) -> bool:
        """Whether the pack itself, or a part of it, says anything of ``setting``."""
        return any(origin.setting == setting for origin in self.origins)

    def of(self, setting: str) -> tuple[Origin, ...]:
        """Who states ``setting`` as it is here; nobody where it was left open."""
        return tuple(origin for origin in self.origins if origin.setting == setting)

    def names_of(self, setting: str) -> str:
        """The packs that state ``setting``, for words."""
        return ", ".join(sorted({origin.pack for origin in self.of(setting)})) or self.name
