"""The planted truth: the models that the generated outcomes are drawn from."""

from __future__ import annotations

import msgspec


class PlantedModel(msgspec.Struct, frozen=True):
    """A generalised linear model with known coefficients on the scale of its link.

    ``formula`` is what an analyst writes to find it again; ``terms`` holds (term, coefficient), the
    intercept first. ``shape`` is the Gamma shape, ``sigma`` the standard deviation of a linear error.
    """

    outcome: str
    family: str
    formula: str
    terms: tuple[tuple[str, float], ...]
    shape: float = 0.0
    sigma: float = 0.0

    def coefficient(self, term: str) -> float:
        """The planted coefficient of ``term``."""
        return dict(self.terms)[term]


PLANTED: dict[str, PlantedModel] = {
    "disease": PlantedModel(
        outcome="disease",
        family="binomial",
        formula="disease ~ age + C(sex) + trestbps + thalach + exang",
        terms=(
            ("Intercept", -2.2),
            ("age", 0.045),
            ("sex[male]", 0.9),
            ("trestbps", 0.012),
            ("thalach", -0.022),
            ("exang", 1.1),
        ),
    ),
    "los_days": PlantedModel(
        outcome="los_days",
        family="poisson",
        formula="los_days ~ age + smoker + disease",
        terms=(("Intercept", 0.2), ("age", 0.012), ("smoker", 0.15), ("disease", 0.4)),
    ),
    "cost": PlantedModel(
        outcome="cost",
        family="gamma",
        formula="cost ~ los_days + exang + disease",
        terms=(("Intercept", 8.0), ("los_days", 0.06), ("exang", 0.2), ("disease", 0.35)),
        shape=4.0,
    ),
    "ldl": PlantedModel(
        outcome="ldl",
        family="gaussian",
        formula="ldl ~ chol + age + C(sex)",
        terms=(("Intercept", -20.0), ("chol", 0.64), ("age", 0.1), ("sex[male]", 4.0)),
        sigma=11.0,
    ),
}
