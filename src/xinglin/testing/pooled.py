"""What a run has to find: the same model, fitted by statsmodels on the rows of the named hospitals together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xinglin.sample.hospital import SampleHospital


def pooled_fit(samples: Iterable[SampleHospital], formula: str, columns: Sequence[str], table: str = "cardiac") -> Any:
    """The statsmodels fit (binomial, tolerance 1e-14) on the pooled complete cases; terms named alike."""
    import pandas as pd
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    frames = [sample.tables[table].to_arrow().select(list(columns)).to_pandas() for sample in samples]
    rows = pd.concat(frames).dropna().astype({"disease": float})
    rows = rows.astype({name: float for name in columns if rows[name].dtype in (bool, object) and name != "sex"})
    return smf.glm(formula, rows, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)
