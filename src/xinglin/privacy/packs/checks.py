"""What a pack asks of anything that is no table: models, curves, percentiles, extremes, texts, categories, files.

Every refusal quotes the rule and the pack; none holds a count. Sources: Ritchie, "Output-based disclosure control for
regressions" (2012); O'Keefe, Sparks, McAullay, Loong, "Confidentialising survival analysis output in a remote data
access system" (2012); Bond, Brandt, de Wolf, Guidelines for output checking (2015); DataSHIELD ``dsBase``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec

from xinglin.kernel.verdict import Allowed, Verdict, deny, every
from xinglin.privacy.packs.errors import BadRelease
from xinglin.privacy.packs.model import NO_LIMIT, Pack
from xinglin.privacy.packs.rounding import shown_from


class ModelFacts(msgspec.Struct, frozen=True):
    """What is known of a fitted model before it is told.

    ``persons``: distinct persons. ``parameters``: fitted ones. ``dof``: residual degrees of freedom. ``leverage``:
    largest share of one fitted value that is that person's own, None where it was not computed. ``levels``: persons
    by level of each factor, ``term=level``. ``patterns``: persons by combination of levels, where the model has factors
    only.
    """

    persons: int
    parameters: int
    dof: int
    leverage: float | None = None
    levels: Mapping[str, int] = {}
    patterns: Mapping[str, int] = {}


def check_model(pack: Pack, facts: ModelFacts) -> Verdict:
    """Whether a model may be told: observations a parameter, degrees of freedom, leverage, levels, saturation.

    A model of factors with as many parameters as there are combinations is saturated: it tells their means, and each
    combination is a cell. A pack with a limit on leverage refuses a model whose leverage nobody computed.
    """
    s = pack.settings
    verdicts = [
        _rule(facts.dof >= s.min_dof, pack, "min_dof", "The model leaves too few degrees of freedom"),
        _rule(
            0 < facts.parameters <= s.max_params_share * facts.persons,
            pack,
            "max_params_share",
            "The model has too many parameters for the persons behind it",
        ),
    ]
    if s.max_leverage < 1:
        within = facts.leverage is not None and facts.leverage <= s.max_leverage
        verdicts.append(_rule(within, pack, "max_leverage", "One person may hold a fitted value in place"))
    small = sorted(level for level, count in facts.levels.items() if count < s.min_level)
    verdicts.append(_rule(not small, pack, "min_level", f"Too few persons have {_named(small)}"))
    if facts.patterns and facts.parameters >= len(facts.patterns):
        least = shown_from(s)
        cells = sorted(name for name, count in facts.patterns.items() if count < least)
        words = f"The model is saturated, and too few persons are {_named(cells)}"
        verdicts.append(_rule(not cells, pack, "min_cell", words))
    return every(verdicts)


class Curve(msgspec.Struct, frozen=True):
    """A survival curve as it may be told: ``survival`` just after each of ``times``, and the persons ``at_risk``."""

    times: tuple[float, ...]
    at_risk: tuple[int, ...]
    events: tuple[int, ...]
    survival: tuple[Fraction, ...]


def protect_curve(pack: Pack, times: Sequence[float], at_risk: Sequence[int], events: Sequence[int]) -> Curve:
    """A curve whose steps each hold ``min_step`` events and end where fewer than ``min_at_risk`` are at risk.

    ``times`` ascend; ``at_risk`` just before, ``events`` at each. Events of skipped times are told at the next step,
    whose time is theirs; a remainder at the end is not told. Survival is made of what is told (at risk where a step
    begins, events within it) and so says nothing else; whoever left in between counts as at risk, which puts the
    curve that little too high.
    """
    if not len(times) == len(at_risk) == len(events) or sorted(times) != list(times):
        raise BadRelease("A curve has persons at risk and events at each time, in order.")
    s = pack.settings
    kept: list[tuple[float, int, int, Fraction]] = []
    survival, gathered, start = Fraction(1), 0, 0
    for time, risk, count in zip(times, at_risk, events, strict=True):
        if risk < max(s.min_at_risk, 1):
            break
        if not 0 <= count <= risk:
            raise BadRelease("At no time are there more events than persons at risk.")
        start, gathered = start or risk, gathered + count
        if gathered >= s.min_step:
            survival *= 1 - Fraction(gathered, start)
            kept.append((float(time), start, gathered, survival))
            gathered, start = 0, 0
    return Curve(
        times=tuple(step[0] for step in kept),
        at_risk=tuple(step[1] for step in kept),
        events=tuple(step[2] for step in kept),
        survival=tuple(step[3] for step in kept),
    )


def check_quantile(pack: Pack, persons: int, probability: float) -> Verdict:
    """Whether ``min_tail`` persons lie on either side of a quantile of ``persons`` at ``probability`` (0 … 1)."""
    if not 0 <= probability <= 1:
        raise BadRelease("A probability lies from 0 to 1.")
    tail = min(int(persons * probability + 1e-9), int(persons * (1 - probability) + 1e-9))
    return _rule(tail >= pack.settings.min_tail, pack, "min_tail", "Too few persons lie beyond the quantile")


def told_extreme(pack: Pack, values: Sequence[float], *, largest: bool) -> float | None:
    """A minimum or maximum as the pack lets it out: as it is, as a mean of the outermost persons, or not.

    ``values``: one a person. The mean is of ``extremes_persons``; of fewer persons, or where a dominance rule holds
    of them, nothing is told.
    """
    s = pack.settings
    outermost = sorted(values, reverse=largest)[: s.extremes_persons]
    if s.extremes == "hide" or len(values) < max(s.extremes_persons, s.min_cell):
        return None
    if s.extremes == "show":
        return float(outermost[0])
    whole, sizes = sum(map(abs, outermost)), sorted(map(abs, outermost), reverse=True)
    for rule in s.dominance:
        held = sum(sizes[: rule.n])
        if whole and (held >= rule.share * whole if rule.inclusive else held > rule.share * whole):
            return None
    return float(sum(outermost) / len(outermost))


def check_text(pack: Pack, text: str, *, name: bool = False) -> Verdict:
    """Whether a text that a researcher sends, or a name of a column or level, is short enough to carry no data."""
    setting = "name_chars" if name else "text_chars"
    short = len(text) <= getattr(pack.settings, setting)
    return _rule(short, pack, setting, "A text is too long: it might carry data")


def check_levels(pack: Pack, levels: int, persons: int) -> Verdict:
    """Whether a category may be told level by level: their number, and how many there are for the persons."""
    s = pack.settings
    dense = levels <= s.max_level_density * persons
    return every(
        [
            _rule(levels <= s.max_levels, pack, "max_levels", "The category has too many levels"),
            _rule(dense, pack, "max_level_density", "The category has too many levels for the persons behind it"),
        ]
    )


def check_subset(pack: Pack, persons: int) -> Verdict:
    """Whether a cohort is large enough to be worked on at all."""
    return _rule(persons >= pack.settings.min_subset, pack, "min_subset", "The cohort is too small")


def check_neighbours(pack: Pack, neighbours: int) -> Verdict:
    """Whether a figure that averages the nearest persons averages enough of them."""
    enough = neighbours >= pack.settings.min_neighbours
    return _rule(enough, pack, "min_neighbours", "Too few neighbours are averaged")


def check_format(pack: Pack, file_name: str) -> Verdict:
    """Whether a file of this name may leave: formats that carry their data along are blocked."""
    ending = file_name.lower().rpartition(".")[2]
    return _rule(ending not in pack.settings.formats_blocked, pack, "formats_blocked", f"Files .{ending[:16]} stay")


def _rule(kept: bool, pack: Pack, setting: str, words: str) -> Verdict:
    value = getattr(pack.settings, setting)
    if kept:
        return Allowed((f"{setting}={value}",) if value != NO_LIMIT else ())
    told = ", ".join(value) if isinstance(value, tuple) else value
    return deny(
        f"privacy.{setting}",
        f"{words} (rule {setting} = {told} of pack {pack.names_of(setting)}).",
        "Ask for less detail, or widen the cohort.",
    )


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:5]) + (" and others" if len(names) > 5 else "")
