"""Settings of the hub; the only place of this process that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.connector.model import BEGUN_PROCESSES, OPEN_PROCESSES, Reach
from xinglin.hub.extract_desk import WAIT_DAYS
from xinglin.hub.runs import Patience
from xinglin.secure.blind.quota import CEILING, QuotaRule
from xinglin.stores.settings_file import Loaded, folder_settings

SETTINGS_FILE = "hub.toml"


class HubSettings(msgspec.Struct, frozen=True):
    """How the hub runs.

    ``address`` and ``port``: where it listens. ``database_url`` and ``log_url``: PostgreSQL by URL, or SQLite in the
    folder (empty). ``witness_ca``: PEM file that admits to the regulator's witness over HTTPS. Times in seconds.

    ``dsp_address``: public URL under which the hub speaks the Dataspace Protocol (empty: it does not).
    ``dsp_issuers``: DIDs whose credentials strangers may show (empty: members alone are let in); ``dsp_credentials``:
    types of which each has to be shown. ``dsp_rules``: file of auto-pilot rules that come before the hub's own.
    ``dsp_open_most``: open processes of one participant; ``dsp_begun_most``: those
    it begins within an hour. ``dsp_issues``: types of credentials that the operator issues to others (none: no issuer
    is served). ``dsp_ca``: PEM file for calls to other connectors.
    ``dsp_trial``: plain http and local addresses are called; for a trial on one machine alone. ``match_ceiling``: the
    most patients of a hospital that count for its quota of blind matching, whatever it declares.
    ``openfhe``: the interpreter of an environment that has OpenFHE, for encrypted scores with two key holders.
    ``extract_wait_days``: how long the sealed parts of an extract wait for their workspace before they are deleted.
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
    dsp_address: str = ""
    dsp_issuers: tuple[str, ...] = ()
    dsp_credentials: tuple[str, ...] = ("Membership",)
    dsp_rules: str = ""
    dsp_open_most: int = OPEN_PROCESSES.value
    dsp_begun_most: int = BEGUN_PROCESSES.value
    dsp_issues: tuple[str, ...] = ()
    dsp_ca: str = ""
    dsp_trial: bool = False
    match_ceiling: int = CEILING
    openfhe: str = ""
    extract_wait_days: float = WAIT_DAYS

    @property
    def quota(self) -> QuotaRule:
        """How many evaluations of blind matching a hospital may have of the hub."""
        return QuotaRule(ceiling=self.match_ceiling)

    @property
    def reach(self) -> Reach:
        """How the hub is reached over the Dataspace Protocol."""
        return Reach(
            self.dsp_address,
            self.dsp_issuers,
            self.dsp_credentials,
            self.dsp_rules,
            self.dsp_open_most,
            self.dsp_begun_most,
            self.dsp_trial,
            self.dsp_issues,
        )

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
