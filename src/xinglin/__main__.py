"""``python -m xinglin`` is the console script."""

from __future__ import annotations

from xinglin.cli import main

if __name__ == "__main__":
    main()
