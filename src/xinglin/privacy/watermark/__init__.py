"""Watermarks: a code of the recipient in the values, its error budget, and its detection from a leaked part."""

from __future__ import annotations
