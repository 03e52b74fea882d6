"""A synthetic set as one archive: made alike from the same files, read only as far as its limits."""

from __future__ import annotations

import io
import zipfile

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.wire.synthetic import KIND, SyntheticManifest
from xinglin.wire.synthetic_products import MANIFEST_FILE, SET_BYTES, SET_FILES

_MOMENT = (1980, 1, 1, 0, 0, 0)


def packed(manifest: bytes, files: dict[str, bytes]) -> bytes:
    """A set as one archive; the same bytes for the same files."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted({**files, MANIFEST_FILE: manifest}.items()):
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), data)
    return sink.getvalue()


def unpacked(content: bytes) -> tuple[SyntheticManifest, dict[str, bytes]]:
    """The manifest and the files of ``packed``; raises ``MalformedMessage`` for anything else, ``LimitExceeded``."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            SET_FILES.check(len(listed))
            SET_BYTES.check(sum(one.file_size for one in listed))
            files = {one.filename: archive.read(one) for one in listed}
    except LimitExceeded:
        raise
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError) as error:
        raise MalformedMessage("That is no archive of a synthetic set.") from error
    manifest = decode_json(files.pop(MANIFEST_FILE, b""), SyntheticManifest)
    if manifest.kind != KIND or not manifest.fake or manifest.version != 1:
        raise MalformedMessage("The archive's manifest is not that of a synthetic set.")
    if {one.name for one in manifest.files} != files.keys():
        raise MalformedMessage("The archive holds other files than its manifest says.")
    return manifest, files
