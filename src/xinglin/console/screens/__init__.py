"""Screens: each module's ``NAV`` and ``ROUTES`` are found by ``app.discovered``."""

from __future__ import annotations
