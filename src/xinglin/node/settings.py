"""Settings of a node; the only place of this process that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from xinglin.connector.model import BEGUN_PROCESSES, OPEN_PROCESSES, Reach
from xinglin.stores.settings_file import Loaded, folder_settings
from xinglin.terms.facts import RUN_TIME

SETTINGS_FILE = "node.toml"


class NodeSettings(msgspec.Struct, frozen=True):
    """How the node runs.

    ``proxy``: URL of a CONNECT proxy. ``ca_file``: PEM file of the site's own CA, where a proxy ends TLS.
    ``database_url``: PostgreSQL by URL, or SQLite in the folder (empty). ``lake``: folder of the tables (empty:
    ``lake`` in the node's). ``drop``: folder out of which a browser may connect files (empty: ``drop`` in the node's).
    ``intake``: ``auto`` runs the feeds of ``sources.toml`` as a child process, ``off`` leaves them to somebody else.
    ``answers_cap``: exact answers a data set gives over all studies. ``rho_study`` and ``rho_everybody``: what noised
    answers may spend of a data set towards one study, and towards all together, where the hospital set no cap by
    ``xinglin node budget`` (rho, exact text; 0.1 is ε 2.15, 0.5 is ε 5.23 at δ 1e-6). ``place`` (``CN-SH``),
    ``network`` (``10.1.0.0/16``) and ``environment`` in which this node computes, for policies that ask for them; an
    empty one is unknown, and such a policy denies. ``run_limit_s``: from a run's admission to its release, an hour at
    most: so long a run keeps what it read of persons' choices. ``extract_keep_days``: how long an extract that was
    released and that its workspace has not fetched may be handed over again. ``looks_page_s``: between regular pages of
    the book of looks, on which what patients say waits for the log; 0 (trials): a page for whatever waits, at once.
    ``spu`` and ``openfhe``: the interpreters of environments that have SPU (intersections) and OpenFHE (encrypted
    scores with two key holders). Memory in MB, times in seconds.
    """

    proxy: str = ""
    ca_file: str = ""
    database_url: str = ""
    lake: str = ""
    drop: str = ""
    intake: Literal["auto", "off"] = "auto"
    answers_cap: int = 200
    rho_study: str = "0.1"
    rho_everybody: str = "0.5"
    place: str = ""
    network: str = ""
    environment: Literal["node", "sandbox"] = "node"
    run_limit_s: float = RUN_TIME.value / 1000
    engine_memory_mb: int = 2048
    engine_request_s: float = 120.0
    engine_idle_s: float = 60.0
    query_memory_mb: int = 1024
    query_s: float = 60.0
    query_rows: int = 5_000_000
    spu: str = ""
    openfhe: str = ""
    log_wait_s: float = 20.0
    merge_delay_s: float = 60.0
    drain_s: float = 10.0
    extract_keep_days: float = 30.0
    looks_page_s: float = 6 * 3600.0
    dsp_address: str = ""
    dsp_listen: str = "127.0.0.1"
    dsp_port: int = 8444
    dsp_certificate: str = ""
    dsp_key: str = ""
    dsp_issuers: tuple[str, ...] = ()
    dsp_credentials: tuple[str, ...] = ("Membership",)
    dsp_rules: str = ""
    dsp_open_most: int = OPEN_PROCESSES.value
    dsp_begun_most: int = BEGUN_PROCESSES.value
    dsp_issues: tuple[str, ...] = ()
    dsp_ca: str = ""
    dsp_trial: bool = False

    @property
    def reach(self) -> Reach:
        """How the node is reached over the Dataspace Protocol."""
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


def node_settings(
    folder: Path, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Loaded[NodeSettings]:
    """Defaults, then ``node.toml`` in the folder, then ``XINGLIN_NODE_…``, then flags."""
    words = os.environ if environ is None else environ
    return folder_settings(NodeSettings, "node", folder, environ=words, flags=flags)
