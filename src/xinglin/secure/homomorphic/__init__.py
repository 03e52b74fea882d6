"""Encrypted sums and scores: what a hub may compute on ciphertext."""

from __future__ import annotations
