"""A connector in its conformance profile that knows two participants by their literal headers; for attacks on it.

``python -m tests.conformance.two_participants PORT FOLDER``; serves until SIGTERM.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from xinglin.cli.wiring import connector_store
from xinglin.connector.app import Connector, serve
from xinglin.connector.profile import PEER, tck_connector, tck_settings
from xinglin.connector.sending import HttpSender
from xinglin.connector.trusting import KeptNotes, LiteralHeader, LiteralHeaders

MINE, THEIRS = "header-of-the-kit", "header-of-somebody-else"
OTHER = "ANOTHER_PARTICIPANT"


def main(port: int, folder: Path) -> None:
    """Serve on loopback."""
    plain = tck_connector(tck_settings(f"http://127.0.0.1:{port}"), connector_store(None), folder)
    world = msgspec.structs.replace(
        plain.world,
        authenticate=LiteralHeaders({MINE: PEER, THEIRS: OTHER}),
        present=LiteralHeader(MINE),
    )
    sender = HttpSender.fresh(plain_http=True, private=True)
    asyncio.run(serve(Connector(world, sender, KeptNotes()), "127.0.0.1", port))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
