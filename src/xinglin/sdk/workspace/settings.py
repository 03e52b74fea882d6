"""Settings of a workspace; the only place of this process that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.stores.settings_file import Loaded, folder_settings

SETTINGS_FILE = "workspace.toml"


class WorkspaceSettings(msgspec.Struct, frozen=True):
    """How a workspace runs.

    ``address`` and ``port``: where its clients reach it, inside the workspace. ``host``: the name they use (empty: the
    address). ``plain_http``: without TLS, on this machine's loopback alone. ``fetch_s``: how often it looks for
    extracts. ``proxy``: URL of a CONNECT proxy on the way to the hub.
    """

    address: str = "127.0.0.1"
    port: int = 8470
    host: str = ""
    plain_http: bool = False
    fetch_s: float = 5.0
    proxy: str = ""

    @property
    def url(self) -> str:
        """The address that clients are told."""
        return f"{'http' if self.plain_http else 'https'}://{self.host or self.address}:{self.port}"


def workspace_settings(
    folder: Path, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Loaded[WorkspaceSettings]:
    """Defaults, then ``workspace.toml`` in the folder, then ``XINGLIN_WORKSPACE_…``, then flags."""
    words = os.environ if environ is None else environ
    return folder_settings(WorkspaceSettings, "workspace", folder, environ=words, flags=flags)
