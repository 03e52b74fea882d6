"""Templates: agreements per grade and purpose, as packaged TOML files (``load_template``, ``draft``, ``offers``)."""

from __future__ import annotations
