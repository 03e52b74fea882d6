"""Values of the raw store: settings, limits, findings; keys and key rings are the port's."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from xinglin.intake.ports import KEK_BYTES, Kek, KeyRing  # noqa: F401 - who opens a store finds them beside its settings
from xinglin.kernel.limits import Limit

SUITE = "aes-256-gcm/1"
"""AES-256-GCM with 96-bit nonces and 128-bit tags for bodies and for wrapped keys; HMAC-SHA-256 for marks."""

OBJECT_BYTES = Limit("size of a kept object", 4 * 1024**3, "bytes")
WHOLE_BYTES = Limit("size of an object read at once", 1024**3, "bytes")
LABEL_BYTES = Limit("label of a kept object", 4_096, "bytes")
WORD_BYTES = Limit("source or media type of a kept object", 512, "bytes")
WAITING_BYTES = Limit("bytes waiting to be kept", 256 * 1024**2, "bytes")
GROUP_ENTRIES = Limit("objects in one durable write", 4_096, "objects")
GROUP_BYTES = Limit("bytes in one durable write", 32 * 1024**2, "bytes")
AFTER_ENTRIES = Limit("objects listed at once", 100_000, "objects")
INLINE_BYTES = Limit("object that may lie in a segment", 4 * 1024**2, "bytes")
INLINE_ON_FOLDER_BYTES = 1024 * 1024
INLINE_BESIDE_BUCKET_BYTES = 64 * 1024
CHUNK_BYTES = 1024 * 1024

Step = Callable[[str], None]
"""Called with a step's name as it is reached; tests stop a process there."""


def no_step(name: str) -> None:
    """Goes on."""


class RawSettings(msgspec.Struct, frozen=True):
    """How a raw store works; every value may change between two openings, except ``tenant``.

    ``tenant``: whose folder it is, bound to its keys. ``inline_bytes``: larger bodies become objects of their own;
    by default ``INLINE_ON_FOLDER_BYTES``, or ``INLINE_BESIDE_BUCKET_BYTES`` where those go to a bucket.
    ``segment_bytes``, ``segment_age_s``: when the next segment begins. ``objects_url``: where large objects go
    (``s3://bucket/prefix``, ``gs://…``, ``az://…``); empty: beside the segments. ``objects_options``: the object
    store's own configuration (``endpoint``, ``region``, ``access_key_id``, …); ``objects_http``: allow plain HTTP.
    """

    tenant: str = ""
    inline_bytes: int | None = None
    segment_bytes: int = 64 * 1024**2
    segment_age_s: int = 24 * 3600
    objects_url: str = ""
    objects_options: dict[str, str] = {}
    objects_http: bool = False
    busy_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        """Refuse an ``inline_bytes`` that a group could not hold several of."""
        INLINE_BYTES.check(self.inline_bytes or 0)

    @property
    def inline_limit_bytes(self) -> int:
        """The largest body that lies in a segment."""
        if self.inline_bytes is not None:
            return self.inline_bytes
        return INLINE_BESIDE_BUCKET_BYTES if self.objects_url else INLINE_ON_FOLDER_BYTES

    def __repr__(self) -> str:
        """Without the options, which may hold credentials."""
        return f"RawSettings(tenant={self.tenant!r}, objects_url={self.objects_url!r})"


class RawFinding(msgspec.Struct, frozen=True):
    """What a check found. ``code``: stable. ``place``: a file, key or number. ``repaired``: it is well now."""

    code: str
    place: str
    words: str
    repaired: bool = False


class RawReport(msgspec.Struct, frozen=True):
    """What a check saw: how much it looked at, and what it found."""

    segments: int
    records: int
    objects: int
    keys: int
    findings: tuple[RawFinding, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is left to repair."""
        return all(finding.repaired for finding in self.findings)
