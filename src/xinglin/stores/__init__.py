"""Stores: every port implemented, and nothing decided: databases, the log, key and settings files, desks, TLS.

Each implementation passes the abstract test suite of its port; only a process's ``wiring`` constructs one.
"""

from __future__ import annotations
