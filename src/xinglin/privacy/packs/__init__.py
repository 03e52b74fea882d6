"""Disclosure rules as packs: thresholds, dominance, rounding, suppression, and the rule that hid each cell."""

from __future__ import annotations
