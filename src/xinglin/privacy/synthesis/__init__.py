"""Synthetic data under differential privacy: marginals measured with exact noise, a model, rows drawn from it."""

from __future__ import annotations
