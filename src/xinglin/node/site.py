"""Where a node computes, as its settings say."""

from __future__ import annotations

import msgspec


class Site(msgspec.Struct, frozen=True):
    """Where this node computes, as its settings say; empty is unknown. Declared by the hospital, proved by nobody."""

    place: str = ""
    network: str = ""
    environment: str = "node"
