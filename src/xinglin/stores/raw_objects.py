"""Large objects: one encrypted file each, on a folder or in a bucket, named by the number of its key.

On a folder they are written here and not through an object-store library, because what is acknowledged has to be
on the disk: a file is written beside its place, synced, renamed, and its folder synced.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from xinglin.stores.raw_errors import RawUnavailable
from xinglin.stores.raw_format import Description, ObjectOpener, damaged, seal_object
from xinglin.stores.raw_keys import KeyTable
from xinglin.stores.raw_model import CHUNK_BYTES, RawSettings, Step
from xinglin.stores.raw_segments import TEMPORARY, make_folder, opened, sync_folder, write_all

SUFFIX = ".obj"


class ObjectPlace(Protocol):
    """Where the files of large objects lie."""

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Durable and whole under ``name`` when it returns; else nothing is there."""
        ...

    def get(self, name: str) -> Iterator[bytes]:
        """The file's bytes in pieces; ``RawDamaged`` when it is not there."""
        ...

    def remove(self, name: str) -> None:
        """No longer there when it returns."""
        ...

    def names(self) -> Iterator[str]:
        """Every file's name."""
        ...

    def leftovers(self, remove: bool) -> list[str]:
        """Files that were never finished; removed if asked."""
        ...


class FolderObjects:
    """Files below a folder, 4,096 to a folder of their own."""

    def __init__(self, folder: Path, step: Step) -> None:
        self._folder, self._step = folder, step

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """See the port."""
        path = self._path(name)
        make_folder(path.parent)
        beside = path.with_suffix(TEMPORARY)
        try:
            with opened(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
                for piece in pieces:
                    write_all(descriptor, piece)
                self._step("object-written")
                os.fsync(descriptor)
            beside.rename(path)
            sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        self._step("object-published")

    def get(self, name: str) -> Iterator[bytes]:
        """See the port."""
        try:
            with opened(self._path(name), os.O_RDONLY) as descriptor:
                while piece := os.read(descriptor, CHUNK_BYTES):
                    yield piece
        except OSError as error:
            raise damaged(f"Object {name} cannot be read.") from error

    def remove(self, name: str) -> None:
        """See the port."""
        path = self._path(name)
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_folder(path.parent)

    def names(self) -> Iterator[str]:
        """See the port."""
        return (path.name for path in sorted(self._folder.glob(f"*/*{SUFFIX}")))

    def leftovers(self, remove: bool) -> list[str]:
        """See the port."""
        found = sorted(self._folder.glob(f"*/*{TEMPORARY}"))
        for path in found if remove else ():
            path.unlink(missing_ok=True)
        return [path.name for path in found]

    def _path(self, name: str) -> Path:
        return self._folder / name[:-7] / name


class BucketObjects:
    """Objects below a prefix of an S3-compatible or other store that ``obstore`` knows.

    A put is whole or absent by the store's own promise, and durable when it answers. Conditional puts are not
    needed, and not relied on: some servers ignore them, and no name is used twice.
    """

    def __init__(self, settings: RawSettings, store_id: bytes, step: Step) -> None:
        from obstore.store import from_url

        options: dict[str, Any] = {"config": settings.objects_options} if settings.objects_options else {}
        if settings.objects_http:
            options["client_options"] = {"allow_http": True}
        self._store: Any = from_url(settings.objects_url, **options)
        self._prefix = f"{store_id.hex()}/"
        self._step = step

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """See the port."""
        import obstore

        with _typed(name):
            obstore.put(self._store, self._prefix + name, iter(pieces))
        self._step("object-published")

    def get(self, name: str) -> Iterator[bytes]:
        """See the port."""
        import obstore

        with _typed(name):
            for piece in obstore.get(self._store, self._prefix + name).stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(piece)

    def remove(self, name: str) -> None:
        """See the port."""
        import obstore

        with _typed(name), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, self._prefix + name)

    def names(self) -> Iterator[str]:
        """See the port."""
        import obstore

        with _typed(""):
            for batch in obstore.list(self._store, prefix=self._prefix):
                yield from (each["path"].rsplit("/", 1)[1] for each in batch)

    def leftovers(self, remove: bool) -> list[str]:
        """See the port: unfinished uploads are the bucket's to expire (its lifecycle rule)."""
        return []


@contextlib.contextmanager
def _typed(name: str) -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise damaged(f"Object {name} is not in its bucket.") from error
    except (BaseError, OSError) as error:
        raise RawUnavailable(
            "The object store does not answer.", why=type(error).__name__, remedy="Try again."
        ) from error


class Source:
    """Pieces, and what their source raised; what takes them may raise an error of its own about that."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except Exception as error:
            self.failure = error
            raise


class LargeObjects:
    """Seals, opens and removes large objects at their place."""

    def __init__(self, place: ObjectPlace, keys: KeyTable) -> None:
        self.place, self._keys = place, keys
        self._lock = threading.Lock()
        self._pending: set[int] = set()

    def put(self, pieces: Iterable[bytes], describe: Callable[[bytes, int], Description]) -> tuple[int, Description]:
        """Seal and publish under a fresh key; the key's number, and what ``describe(digest, size)`` said."""
        with self._lock:
            key_id = self._keys.take()
            self._pending.add(key_id)
        said: list[Description] = []

        def telling(digest: bytes, size: int) -> Description:
            said.append(describe(digest, size))
            return said[0]

        sealed = Source(seal_object(pieces, self._keys.cipher(key_id), key_id, self._keys.store_id, telling))
        try:
            self.place.put(object_name(key_id), sealed)
        except BaseException:
            # Should a bucket have it after all, then nobody can open it, and the check removes it.
            with contextlib.suppress(RawUnavailable):
                self._keys.destroy([key_id])
            self.settled(key_id)
            if sealed.failure is not None:
                raise sealed.failure from None
            raise
        return key_id, said[0]

    def settled(self, key_id: int) -> None:
        """Its record is kept, or it is discarded."""
        with self._lock:
            self._pending.discard(key_id)

    def pending(self) -> set[int]:
        """Objects that are being written, or whose record is not kept yet."""
        with self._lock:
            return set(self._pending)

    def read(self, key_id: int, digest: bytes) -> Iterator[bytes]:
        """The body in authentic chunks; ``RawDamaged`` at its end where its SHA-256 is not ``digest``."""
        opener = ObjectOpener(self._keys.cipher(key_id), key_id, self._keys.store_id)
        yield from opener.chunks(self.place.get(object_name(key_id)))
        # The opener has computed it, and found that it is what the object says of itself.
        if opener.about is None or opener.about.digest != digest:
            raise damaged(f"Object {key_id} is not what was kept.")

    def describe(self, key_id: int) -> Description:
        """Read it all, and give what it says of itself."""
        opener = ObjectOpener(self._keys.cipher(key_id), key_id, self._keys.store_id)
        for _ in opener.chunks(self.place.get(object_name(key_id))):
            pass
        if opener.about is None:
            raise damaged(f"Object {key_id} does not say what it is.")
        return opener.about

    def discard(self, key_id: int) -> None:
        """Destroy the key, then remove the file."""
        self._keys.destroy([key_id])
        self.place.remove(object_name(key_id))


def object_name(key_id: int) -> str:
    """The file's name: 16 hexadecimal digits."""
    return f"{key_id:016x}{SUFFIX}"


def object_id(name: str) -> int | None:
    """The key's number of a file's name; None for a name that is none."""
    stem = name.removesuffix(SUFFIX)
    try:
        return int(stem, 16) if len(stem) == 16 and name.endswith(SUFFIX) else None
    except ValueError:
        return None
