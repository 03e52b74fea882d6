"""Settings of the hub; the only place of this process that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.hub.runs import Patience
from xinglin.stores.settings_file import Loaded, folder_settings

SETTINGS_FILE = "hub.toml"


class HubSettings(msgspec.Struct, frozen=True):
    """How the hub runs.

    ``address`` and ``port``: where it listens. ``database_url`` and ``log_url``: PostgreSQL by URL, or SQLite in the
    folder (empty). ``witness_ca``: PEM file that admits to the regulator's witness over HTTPS. Times in seconds.
    """

    address: str = "127.0.0.1"
    port: int = 8443
    database_url: str = ""
    log_url: str = ""
    witness_ca: str = ""
    heartbeat_s: float = 10.0
    decide_s: float = 120.0
    away_s: float = 15.0
    return_s: float = 120.0
    step_s: float = 300.0
    drain_s: float = 10.0

    @property
    def patience(self) -> Patience:
        """How long a run waits for whom."""
        return Patience(self.decide_s, self.away_s, self.return_s, self.step_s)


def hub_settings(
    folder: Path, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Loaded[HubSettings]:
    """Defaults, then ``hub.toml`` in the folder, then ``XINGLIN_HUB_…``, then flags."""
    words = os.environ if environ is None else environ
    return folder_settings(HubSettings, "hub", folder, environ=words, flags=flags)
