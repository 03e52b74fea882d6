"""Keys are looked for in a raw object: what is packed is unpacked first, in the limited child (``stores.looking``).

A raw object is whatever a source sent: the process that holds the keys hands its bytes over, and parses nothing.
"""

from __future__ import annotations

import io
import zlib

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.limits import Limit
from xinglin.records.errors import Unreadable
from xinglin.stores.intake_child import FRAME_BYTES

OPENED_BYTES = Limit("opened object that is searched", 512 * 1024 * 1024, "bytes")
TASK = f"{__name__}:found"
_PARQUET, _GZIP = b"PAR1", b"\x1f\x8b"


def found(given: bytes, body: bytes) -> bytes:
    """Those of the given words that stand in the object, once it is opened; both are packed."""
    from xinglin.intake.reconcile import standing

    return encode_msgpack(standing(decode_msgpack(given, list[bytes], FRAME_BYTES), opened(body)))


def opened(body: bytes) -> bytes:
    """An object's bytes; the cells of a Parquet table, what a gzip file holds, up to ``OPENED_BYTES``."""
    if body[:2] == _GZIP:
        body = _inflated(body)
    return _cells(body) if body[:4] == _PARQUET else body


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, OPENED_BYTES.value)
    except zlib.error:
        return body


def _cells(body: bytes) -> bytes:
    """The distinct texts of every column, one a line."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    parts: list[str] = []
    size = 0
    try:
        for batch in pq.ParquetFile(io.BytesIO(body)).iter_batches():
            for column in batch.columns:
                texts = pc.unique(pc.cast(column, pa.string())) if not pa.types.is_nested(column.type) else column
                more = [str(one) for one in texts.to_pylist() if one is not None]
                size += sum(map(len, more))
                OPENED_BYTES.check(size)
                parts += more
    except (pa.ArrowException, OSError) as error:
        raise Unreadable("A table among the raw objects cannot be opened.") from error
    return "\n".join(parts).encode("utf-8", "surrogatepass")
