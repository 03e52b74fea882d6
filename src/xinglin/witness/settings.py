"""Settings of a witness; the only place of this process that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.secure.blind.quota import CEILING, QuotaRule
from xinglin.stores.settings_file import Loaded, folder_settings

SETTINGS_FILE = "witness.toml"


class WitnessSettings(msgspec.Struct, frozen=True):
    """How the witness runs.

    ``address`` and ``port``: where it listens. ``hub_ca``: PEM file trusted for the hub beside the certificate of the
    space. ``proxy``: URL of a CONNECT proxy. ``plain_http``: serve, and reach the hub, without TLS; only on this
    machine's loopback. ``merge_delay_s``: how long an accepted submission may stay out of the log. ``match_studies``:
    studies for which the regulator's share of the pseudonym key answers (none: it answers no hospital).
    ``match_ceiling``: the most patients of a hospital that count for its quota, whatever it declares. Times in seconds.
    """

    address: str = "127.0.0.1"
    port: int = 8460
    hub_ca: str = ""
    proxy: str = ""
    plain_http: bool = False
    merge_delay_s: float = 60.0
    forward_s: float = 2.0
    fetch_s: float = 20.0
    match_studies: tuple[str, ...] = ()
    match_ceiling: int = CEILING

    @property
    def quota(self) -> QuotaRule:
        """How many evaluations of blind matching a hospital may have of the regulator."""
        return QuotaRule(ceiling=self.match_ceiling)


def witness_settings(
    folder: Path, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Loaded[WitnessSettings]:
    """Defaults, then ``witness.toml`` in the folder, then ``XINGLIN_WITNESS_…``, then flags."""
    words = os.environ if environ is None else environ
    return folder_settings(WitnessSettings, "witness", folder, environ=words, flags=flags)
