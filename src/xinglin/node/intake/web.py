"""The secret of an HTTP listener, which whoever posts notifications or images shows; the Subscription that has it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import msgspec

from xinglin.feeds.fhir_subscribing import subscription_resource
from xinglin.kernel.errors import XinglinError
from xinglin.node.intake.sources import SourceFile, Web
from xinglin.stores.tls import write_private

SECRET_BYTES = 32


def make_secret(folder: Path, way: Web) -> bool:
    """Draw the secret of a listener into its file (mode 600), unless there is one; whether it was drawn."""
    path = folder / way.secret_file
    if path.exists():
        return False
    write_private(path, (secrets.token_urlsafe(SECRET_BYTES) + "\n").encode())
    return True


class NoSubscription(XinglinError):
    """A source that asks no server to notify it."""

    code = "node.no_subscription"


def write_subscription(folder: Path, source: SourceFile) -> tuple[Path, dict[str, Any]]:
    """The Subscription for the server to register, in a file (mode 600) since it holds the secret; and without it.

    Raises ``NoSubscription``.
    """
    way = source.web
    if way is None or way.subscription is None:
        words = f"'{source.name}' asks for no notifications."
        raise NoSubscription(words, remedy="Write [source.web.subscription]; see docs/connect.md.")
    make_secret(folder, way)
    secret = (folder / way.secret_file).read_text(encoding="utf-8").split("\n", 1)[0].strip()
    asked = way.subscription
    told = [
        subscription_resource(
            asked.topic, asked.endpoint, asked.filters, release=source.release, content=asked.content, secret=shown
        )
        for shown in (secret, "***")
    ]
    path = folder / f"{source.name}.subscription.json"
    write_private(path, msgspec.json.format(msgspec.json.encode(told[0]), indent=2) + b"\n")
    return path, told[1]
