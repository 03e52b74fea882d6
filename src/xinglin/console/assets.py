"""Assets: what browsers load, from memory, under addresses that change with the content, with integrity digests."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path

import msgspec

from xinglin.console.errors import NotThere

FOLDER = Path(__file__).parent / "assets"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}


class Asset(msgspec.Struct, frozen=True):
    """One file, as it is and compressed; ``digest`` is in its address."""

    data: bytes
    packed: bytes
    media_type: str
    digest: str
    integrity: str


class Assets:
    """Every asset of the folder, read once; nothing else can be asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._found = {
            path.relative_to(folder).as_posix(): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in MEDIA_TYPES
        }

    def url(self, name: str) -> str:
        """The address of an asset; raises ``NotThere`` for a name that is none."""
        return f"/assets/{self._of(name).digest}/{name}"

    def integrity(self, name: str) -> str:
        """The digest that the browser holds the file to (Subresource Integrity)."""
        return self._of(name).integrity

    def find(self, path: str) -> Asset:
        """The asset at ``digest/name``; raises ``NotThere`` for any other path."""
        digest, _, name = path.strip("/").partition("/")
        found = self._found.get(name)
        if found is None or found.digest != digest:
            raise NotThere("There is no such file.")
        return found

    def _of(self, name: str) -> Asset:
        if name not in self._found:
            raise NotThere(f"There is no asset {name!r}.")
        return self._found[name]


def _asset(path: Path) -> Asset:
    data = path.read_bytes()
    integrity = "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()
    packed = gzip.compress(data, 9, mtime=0)
    return Asset(data, packed, MEDIA_TYPES[path.suffix], hashlib.sha256(data).hexdigest()[:12], integrity)
