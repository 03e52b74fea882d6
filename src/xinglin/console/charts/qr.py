"""A QR code: bytes or text as squares, drawn by segno."""

from __future__ import annotations

import hashlib

from xinglin.console.charts.drawing import Sheet, tag
from xinglin.console.charts.model import Chart, Say, english
from xinglin.kernel.limits import Limit

QR_BYTES = Limit("content of a QR code", 1_200, "bytes")
_QUIET = 4


def qr(title: str, content: str | bytes, *, description: str = "", say: Say = english) -> Chart:
    """The code of ``content`` at error correction M, dark on light in every theme. Raises ``LimitExceeded``."""
    import segno

    _ = say
    raw = content if isinstance(content, bytes) else content.encode()
    QR_BYTES.check(len(raw))
    made = segno.make(content or " ", error="m", micro=False, boost_error=False)
    side = made.symbol_size(border=_QUIET)[0]
    rows = ((_("bytes"), str(len(raw))), ("SHA-256", hashlib.sha256(raw).hexdigest()))
    told = description or _("A QR code of %(bytes)s bytes; the same text stands beside it.", bytes=len(raw))
    sheet = Sheet(title, told, (_("What"), _("Value")), rows, width=side, height=side)
    marks = "".join(
        f"M{x + _QUIET} {y + _QUIET}h{length}v1h-{length}z"
        for y, row in enumerate(made.matrix)
        for x, length in _runs(row)
    )
    sheet.add(tag("rect", width=side, height=side, class_="qr-light"))
    sheet.add(tag("path", d=marks, class_="qr-dark", shape_rendering="crispEdges"))
    return sheet.done(kind="qr")


def _runs(row: bytes | bytearray) -> list[tuple[int, int]]:
    """Dark runs of a row: where each starts and how long it is."""
    found: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if dark and found and sum(found[-1]) == x:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif dark:
            found.append((x, 1))
    return found
