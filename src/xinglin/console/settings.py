"""Settings of the console; the only place of this process that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from xinglin.stores.settings_file import Loaded, SettingsError, folder_settings

SETTINGS_FILE = "console.toml"
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class ConsoleSettings(msgspec.Struct, frozen=True):
    """How the console runs.

    ``address`` and ``port``: where it listens. ``public_url``: how browsers reach it (empty: by address and port);
    anything but this machine's loopback has to be https, by ``tls_cert`` and ``tls_key`` (PEM files) or by a proxy in
    front. ``front``: addresses of that proxy, by commas; what it says of a browser's address (the last of
    ``X-Forwarded-For``) is believed, and wrong tries are counted by it. ``institution``: whose console it is, on the
    sign-in page. ``language``: of pages where nobody chose one. ``zone``: in which times are shown. ``proxy`` and
    ``ca_file``: how the hub is reached. ``demo``: the sign-in page lists the sample users of ``samples.json``; on
    loopback alone.

    ``oidc_issuer``, ``oidc_client_id``, ``oidc_client_secret_file``, ``oidc_label``: people sign in at their own
    institution too (OpenID Connect); ``oidc_claim``: the claim that names the account.
    """

    address: str = "127.0.0.1"
    port: int = 8480
    public_url: str = ""
    front: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    institution: str = ""
    language: str = "en"
    zone: str = "Asia/Shanghai"
    proxy: str = ""
    ca_file: str = ""
    demo: bool = False
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret_file: str = ""
    oidc_label: str = ""
    oidc_claim: str = "sub"

    @property
    def url(self) -> str:
        """Where browsers find it, without a slash at the end."""
        scheme = "https" if self.tls_cert else "http"
        host = f"[{self.address}]" if ":" in self.address else self.address
        return (self.public_url or f"{scheme}://{host}:{self.port}").rstrip("/")

    @property
    def https(self) -> bool:
        """Whether browsers reach it over TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def fronts(self) -> frozenset[str]:
        """Addresses of the proxy in front."""
        return frozenset(one.strip() for one in self.front.split(",") if one.strip())

    def check(self) -> None:
        """Raise ``SettingsError`` where a password would cross a network in the clear, or a demo be reachable."""
        local = urlsplit(self.url).hostname in _LOCAL and self.address in _LOCAL
        if not self.https and not local:
            raise SettingsError(
                f"The console would be served without TLS at {self.url}.",
                setting="public_url",
                remedy="Set tls_cert and tls_key, or public_url to the https address of the proxy in front.",
            )
        if self.demo and not local:
            raise SettingsError("Sample users are for this machine's loopback alone.", setting="demo")


def console_settings(
    folder: Path, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Loaded[ConsoleSettings]:
    """Defaults, then ``console.toml`` in the folder, then ``XINGLIN_CONSOLE_…``, then flags."""
    words = os.environ if environ is None else environ
    return folder_settings(ConsoleSettings, "console", folder, environ=words, flags=flags)
