"""What is refused: mechanisms whose proof does not cover the program that would run them, with the reasons.

They are listed, not left out, so that whoever asks is told why and what there is instead.
"""

from __future__ import annotations

from typing import NoReturn

from xinglin.privacy.noise.errors import NoiseRefused

REASONS: dict[str, tuple[str, str]] = {
    "objective-perturbation": (
        "Its proof holds for the exact minimum of a perturbed objective; a solver stops near it, in floating-point "
        "numbers, and what it stops at tells of the data in its low bits. Neither error has a bound here.",
        "Noised sums of products (linear models), or noised tables and a model of them.",
    ),
    "output-perturbation": (
        "It needs the sensitivity of a fitted coefficient: a bound that holds for the exact minimum and a strongly "
        "convex loss, not for what a solver gives back.",
        "Noised sums of products (linear models), or noised tables and a model of them.",
    ),
    "noisy-gradient-descent": (
        "Its gradients are sums of floating-point numbers clipped in floating-point numbers; their sensitivity after "
        "rounding has no bound here, and each of its many steps would have to be paid.",
        "Noised sums of products (linear models), or noised tables and a model of them.",
    ),
    "logistic-sufficient-statistics": (
        "A logistic model has no sufficient statistics of fixed size. A quadratic stand-in for its loss makes sums of "
        "products do, but the answer is that of another model: its error has no bound outside a narrow range and "
        "grows where the outcome is rare, which in medicine is the rule.",
        "A linear model of the 0/1 outcome (risk differences) from noised sums; or a noised table and a model of it.",
    ),
    "floating-point-noise": (
        "The low bits of a floating-point Laplace or Gaussian tell the value they were added to (Mironov 2012).",
        "Whole numbers on a grid, and discrete noise.",
    ),
}


def refuse(mechanism: str) -> NoReturn:
    """Refuse one of ``REASONS``: ``NoiseRefused`` with why, and what there is instead.

    Source: Chaudhuri, Monteleoni, Sarwate (2011), theorem 9 assumes the exact minimum; Kifer, Smith, Thakurta (2012);
    Iyengar and others (2019), §4, cover a solver's error, but not rounding; Mironov (2012).
    """
    why, remedy = REASONS[mechanism]
    raise NoiseRefused(f"There is no {mechanism.replace('-', ' ')} here.", why=why, remedy=remedy)
