"""The mark of an extract: its recipient's code in the values, set by the privacy room's watermark."""

from __future__ import annotations

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.node.extract_columns import Columns
from xinglin.terms.extracts import ExtractAsk


class Marking(msgspec.Struct, frozen=True):
    """The marked columns, how the mark was set (JSON, for finding it again), and in words what it cost."""

    columns: Columns
    said: bytes
    words: str
    columns_said: dict[str, str]
    is_set: bool


class NoMark(XinglinError):
    """The mark cannot be set: nothing leaves without one."""

    code = "extract.no_mark"


def set_mark(columns: Columns, key: bytes, code: str, ask: ExtractAsk) -> Marking:
    """Set ``code`` into ``columns``; raises ``NoMark``."""
    raise NoMark("This version sets no marks.", remedy="Ask for statistics.")
