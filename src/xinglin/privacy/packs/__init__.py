"""Disclosure rules as packs: thresholds, dominance, rounding, suppression, and the rule that hid each cell.

A *pack* is settings with their *origins*, read from TOML; the *strictest* of the hospitals' packs holds. It is
*applied* to a *release table* and gives a *protected* one, every hidden entry with *why*. *Checks* are about models,
curves, quantiles and texts; the *linear guard* looks at everything that was ever released together.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "BadPack": "errors",
    "BadRelease": "errors",
    "Dominance": "model",
    "Pack": "model",
    "Rounding": "model",
    "Settings": "model",
    "agreed_pack": "carried",
    "carried_pack": "carried",
    "effective_pack": "carried",
    "named_packs": "carried",
    "pack_digest": "carried",
    "part_of": "carried",
    "SHIPPED": "loading",
    "read_pack": "loading",
    "shipped": "loading",
    "at_least": "strictest",
    "rules_of": "strictest",
    "strictest_pack": "strictest",
    "Axis": "table",
    "ReleaseTable": "table",
    "count_table": "table",
    "sum_table": "table",
    "tally": "table",
    "Protected": "protecting",
    "apply": "protecting",
    "Why": "words",
    "Curve": "checks",
    "ModelFacts": "checks",
    "check_format": "checks",
    "check_levels": "checks",
    "check_model": "checks",
    "check_neighbours": "checks",
    "check_quantile": "checks",
    "check_subset": "checks",
    "check_text": "checks",
    "protect_curve": "checks",
    "told_extreme": "checks",
    "check_pooled": "linear",
    "check_system": "linear",
    "draw_prime": "linear",
    "span_share": "linear",
    "OUTPUT_REVIEW_STATES": "review",
    "OpenedVote": "review",
    "OutputReview": "review",
    "SealedVote": "review",
    "open_review": "review",
    "vote_commitment": "review",
    "check_repeats": "noise",
    "noise_of": "noise",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
