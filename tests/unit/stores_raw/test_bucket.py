"""Large objects in an S3-compatible bucket, at a real server on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.stores_raw.kit import noise, open_store

from xinglin.intake.errors import NotKept, RawDamaged, RawErased
from xinglin.intake.ports import RawStore
from xinglin.stores.raw_model import CHUNK_BYTES, RawSettings
from xinglin.stores.raw_store import RawFolder
from xinglin.testing.raw_contract import RawStoreContract, digest_of, received

REGION = "cn-north-1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The endpoint of a server with nothing in it."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        endpoint = f"http://127.0.0.1:{port}"
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"{endpoint}/moto-api/data.json", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield endpoint
        finally:
            server.terminate()


@pytest.fixture
def bucket(s3: str, request: pytest.FixtureRequest) -> RawSettings:
    """Settings with an empty bucket of its own."""
    name = f"raw-{abs(hash(request.node.nodeid))}"
    urllib.request.urlopen(urllib.request.Request(f"{s3}/{name}", method="PUT"), timeout=5).close()
    options = {
        "endpoint": s3,
        "region": REGION,
        "access_key_id": "test",
        "secret_access_key": "test",
        "virtual_hosted_style_request": "false",
    }
    return RawSettings(
        inline_bytes=4_096, objects_url=f"s3://{name}/hospital", objects_options=options, objects_http=True
    )


def names(settings: RawSettings, store: RawFolder) -> list[str]:
    return sorted(store._parts.large.place.names())


class TestS3(RawStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, bucket: RawSettings) -> Iterator[RawStore]:
        opened = open_store(tmp_path, settings=bucket)
        yield opened
        assert opened.fsck(repair=True).clean
        assert opened.fsck().findings == ()
        opened.close()


def test_a_long_stream_goes_up_in_parts_and_comes_back(tmp_path: Path, bucket: RawSettings) -> None:
    store = open_store(tmp_path, settings=bucket)
    pieces = [noise(CHUNK_BYTES) for _ in range(23)]
    kept = store.keep_stream(iter(pieces), received(b""))
    assert kept.digest == digest_of(b"".join(pieces))
    assert b"".join(store.read_stream(kept.digest)) == b"".join(pieces)
    data = b"".join(store._parts.large.place.get(names(bucket, store)[0]))
    assert not any(piece[:32] in data for piece in pieces)
    assert not list(tmp_path.rglob("*.obj"))
    store.close()


def test_erased_in_the_bucket(tmp_path: Path, bucket: RawSettings) -> None:
    store = open_store(tmp_path, settings=bucket)
    kept, other = store.keep_all([received(noise(9_000)), received(noise(9_001))])
    assert len(names(bucket, store)) == 2
    store.erase([kept.digest])
    assert len(names(bucket, store)) == 1
    with pytest.raises(RawErased):
        store.read(kept.digest)
    assert len(store.read(other.digest)) == 9_001
    assert store.fsck().findings == ()
    store.close()


def test_what_somebody_did_to_the_bucket_is_found(tmp_path: Path, bucket: RawSettings) -> None:
    import obstore

    store = open_store(tmp_path, settings=bucket)
    kept = store.keep_all([received(noise(9_000 + n)) for n in range(3)])
    place = store._parts.large.place
    one, two, _ = names(bucket, store)
    obstore.delete(place._store, place._prefix + one)  # type: ignore[attr-defined]
    obstore.put(place._store, place._prefix + two, b"other bytes")  # type: ignore[attr-defined]
    codes = sorted(finding.code for finding in store.fsck().findings)
    assert codes == ["raw.object_damaged", "raw.object_missing"]
    for each in kept[:2]:
        with pytest.raises(RawDamaged):
            store.read(each.digest)
    assert store.read(kept[2].digest)
    store.close()


def test_two_stores_in_one_bucket_do_not_meet(tmp_path: Path, bucket: RawSettings) -> None:
    first = open_store(tmp_path / "a", settings=bucket)
    second = open_store(tmp_path / "b", settings=bucket)
    body = noise(9_000)
    kept = [store.keep_all([received(body)])[0] for store in (first, second)]
    first.erase([kept[0].digest])
    assert second.read(kept[1].digest) == body
    assert names(bucket, first) == []
    first.close()
    second.close()


def test_a_bucket_that_does_not_answer(tmp_path: Path) -> None:
    options = {"endpoint": f"http://127.0.0.1:{free_port()}", "region": REGION, "skip_signature": "true"}
    settings = RawSettings(inline_bytes=4_096, objects_url="s3://none", objects_options=options, objects_http=True)
    store = open_store(tmp_path, settings=settings)
    with pytest.raises(NotKept):
        store.keep_all([received(noise(9_000))])
    assert store.keep_all([received(b"small")])[0].sequence == 1
    store.close()
