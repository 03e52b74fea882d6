"""Blind matching: oblivious pseudonyms, private intersection, linkage on keyed filters."""

from __future__ import annotations
