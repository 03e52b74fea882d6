"""Differential privacy by exact integer mechanisms: samplers, mechanisms, and the budget that they spend."""

from __future__ import annotations
