"""Where a node's book of looks lies."""

from __future__ import annotations

from pathlib import Path

from xinglin.node.settings import NodeSettings
from xinglin.stores.look_book import BOOK_FILE, LookBook


def open_look_book(folder: Path, settings: NodeSettings) -> LookBook:
    """Who looked at whose data, wherever the node's settings put its database."""
    return LookBook.opened(folder, settings.database_url)


def has_look_book(folder: Path, settings: NodeSettings) -> bool:
    """Whether a book was ever begun, as far as the folder tells."""
    return bool(settings.database_url) or (folder / BOOK_FILE).exists()
