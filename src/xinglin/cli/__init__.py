"""CLI: every verb that a person types. Each prints for people, or one JSON value with ``--json``.

Exit codes are stable: 0 done · 1 refused, with reasons · 2 wrong use · 3 nobody answers ·
4 verification failed · 5 ended without a result.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """The console script."""
    from xinglin.cli.app import run

    run()
