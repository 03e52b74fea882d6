"""Limits of the secure sum."""

from __future__ import annotations

from xinglin.kernel.limits import Limit

ROSTER = Limit("roster", 512, "hospitals")
ROUNDS = Limit("rounds of a run", 10_000, "rounds")
WORDS = Limit("vector", 8_000_000, "64-bit words")
PARTS = Limit("parts of a vector", 65_536, "parts")
