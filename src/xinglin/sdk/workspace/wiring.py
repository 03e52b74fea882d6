"""Builds a workspace's parts from its folder: the only place that constructs its stores."""

from __future__ import annotations

from pathlib import Path

from xinglin.sdk.account import Account
from xinglin.stores.extract_vault import ExtractVault


def vault_of(account: Account) -> ExtractVault:
    """Extracts that the workspace keeps, encrypted under its own keys."""
    return ExtractVault(account.keys, Path(account.folder) / "extracts")
