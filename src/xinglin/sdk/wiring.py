"""The engines that an account computes with; the only place of this room, beside a workspace's, that builds stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xinglin.secure.homomorphic.ports import Scheme, ThresholdScheme


def score_engines(openfhe: Path | None) -> tuple[Scheme, ThresholdScheme]:
    """For encrypted scores with one key holder, and with two; one whose library is absent raises ``NoScheme``."""
    from xinglin.secure.homomorphic.ckks import TensealScheme
    from xinglin.secure.homomorphic.model import PRODUCTS
    from xinglin.stores.openfhe_engine import THRESHOLD_SCORES, OpenfheScheme

    return TensealScheme(PRODUCTS), OpenfheScheme(openfhe or Path("openfhe"), THRESHOLD_SCORES)
