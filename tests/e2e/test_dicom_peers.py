"""DICOM with real peers: dcmtk and Orthanc send to the node, and it to them; DICOMweb both ways; damage, repeats."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import missing
from tests.unit.feeds.test_dicom_listener import store_bytes
from tests.unit.records.dicom.phantoms import cbct, encoded, intraoral, phantom

from xinglin.feeds.dicom_send import Destination, DicomSender
from xinglin.lake import LakeError, QueryLimits, QuerySession, rule_of
from xinglin.node.intake.loading import load
from xinglin.node.intake.main import IntakeProcess
from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.settings import NodeSettings
from xinglin.records.dicom.header import dataset_offset
from xinglin.sample import generate_space
from xinglin.sample.dicom import instances
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.desk import DeskCall

pytestmark = pytest.mark.slow
SECRET = "a-secret-of-the-hospital-0001"
PLUGINS = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
BASE = "2.25.1234567890"

SOURCES = """
[[source]]
name = "pacs"
dicom = {{ port = {pacs}, mirror = true, callers = ["STORESCU", "ORTHANC", "XINGLIN"] }}
[[source]]
name = "heads"
dicom = {{ port = {heads}, title = "HEADS" }}
[[source]]
name = "web"
web = {{ port = {web}, secret_file = "web.secret" }}
[[source]]
name = "files"
files = {{}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        missing("dicom", f"{name} is not installed (Debian: apt-get install dcmtk orthanc orthanc-dicomweb)")
    return str(path)


class Node:
    """The intake's process on loopback, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("pacs", "heads", "web")}
        (folder / "sources.toml").write_text(SOURCES.format(**self.ports))
        (folder / "web.secret").write_text(SECRET)
        self.opened: OpenIntake = open_intake(folder, NodeSettings(), PrivateKeys.generate())
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.process = IntakeProcess(self.opened)
        self.call(self.process.begin())

    def call(self, work: Any) -> Any:
        future: concurrent.futures.Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(60)

    def listener(self, name: str) -> dict[str, Any]:
        answer = self.call(self.process.answer(DeskCall("status")))
        return dict(answer.value["listeners"][name])

    def close(self) -> None:
        self.call(self.process.end())
        self.opened.close()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Over the current views of ``patient`` and ``imaging``."""
        session = QuerySession(QueryLimits(threads=1))
        try:
            lake = self.opened.lake
            for name in ("patient", "imaging"):
                data = lake.datasets(lake.current([name]))[name].to_table()
                rule = rule_of(name, data.schema.names)
                assert rule is not None
                session.table(f"all_{name}", data)
                session.view(name, session.current(f"all_{name}", rule))
            session.lock()
            return [tuple(row.values()) for row in session.run(sql).to_pylist()]
        finally:
            session.close()

    def waits_for(self, sql: str, expected: list[tuple[Any, ...]], timeout_s: float = 40.0) -> None:
        end, found = time.monotonic() + timeout_s, None
        while time.monotonic() < end:
            with contextlib.suppress(LakeError):  # a table that is not there yet
                found = self.rows(sql)
            if found == expected:
                return
            time.sleep(0.3)
        pytest.fail(f"{sql}: {found} is not {expected}")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    made = Node(tmp_path_factory.mktemp("dicom-node"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, node: Node) -> Iterator[tuple[httpx.Client, int]]:
    program = tool("Orthanc")
    if not PLUGINS.exists():
        missing("dicom", "Orthanc has no DICOMweb plug-in (Debian: apt-get install orthanc-dicomweb)")
    folder, http, dicom = tmp_path_factory.mktemp("orthanc"), free_port(), free_port()
    settings = {
        "Name": "PACS", "DicomAet": "ORTHANC", "DicomPort": dicom, "HttpPort": http, "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False, "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "DicomModalities": {"node": ["XINGLIN", "127.0.0.1", node.ports["pacs"]]}, "DicomCheckCalledAet": False,
        "DicomAlwaysAllowFind": True,
        "DefaultEncoding": "Utf8", "Plugins": [str(PLUGINS)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": {}},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    client = httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=30, trust_env=False)
    try:
        for _ in range(200):
            try:
                if client.get("/system").status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        else:
            pytest.fail((folder / "log").read_text()[-2000:])
        yield client, dicom
    finally:
        client.close()
        process.terminate()
        process.wait(20)


def storescu(port: int, *files: Path, title: str = "XINGLIN", calling: str = "STORESCU") -> int:
    words = [tool("storescu"), "-aec", title, "-aet", calling, "127.0.0.1", str(port)]
    return subprocess.run([*words, *map(str, files)], capture_output=True, timeout=60, check=False).returncode


def written(folder: Path, **files: bytes) -> list[Path]:
    paths = [folder / f"{name}.dcm" for name in files]
    for path, body in zip(paths, files.values(), strict=True):
        path.write_bytes(body)
    return paths


def test_echoscu_is_answered_and_other_titles_are_not(node: Node) -> None:
    def echo(*words: str) -> int:
        command = [tool("echoscu"), *words, "127.0.0.1", str(node.ports["pacs"])]
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode

    assert echo("-aet", "STORESCU", "-aec", "XINGLIN") == 0
    assert echo("-aet", "STORESCU", "-aec", "OTHER") != 0
    assert echo("-aet", "STRANGER", "-aec", "XINGLIN") != 0


def test_storescu_sends_a_series_and_repeats_change_nothing(node: Node, tmp_path: Path) -> None:
    slices = {f"s{n}": encoded(phantom(n, side=64, charset="GB18030")) for n in range(1, 6)}
    files = written(tmp_path, **slices)
    assert storescu(node.ports["pacs"], *files) == 0
    assert node.opened.raw.count() >= 5
    node.waits_for(
        f"SELECT patient, instances, where_kept, description FROM imaging WHERE series = '{BASE}.1'",
        [("Patient/TREE.P0017", 5, "object", "胸部平扫")],
    )
    assert node.rows("SELECT name, sex FROM patient WHERE id = 'Patient/TREE.P0017'") == [("张三", "female")]
    size = node.rows(f"SELECT size_bytes FROM imaging WHERE series = '{BASE}.1'")
    kept, rows = node.opened.raw.count(), node.opened.ledger.position()
    assert storescu(node.ports["pacs"], *files) == 0
    time.sleep(8)
    assert node.opened.raw.count() == kept
    assert node.opened.ledger.position() == rows
    assert node.rows(f"SELECT size_bytes FROM imaging WHERE series = '{BASE}.1'") == size
    assert node.listener("pacs")["known"] >= 5


def test_a_damaged_instance_is_kept_quarantined_and_not_acknowledged(node: Node, tmp_path: Path) -> None:
    body = encoded(phantom(1, series=4, side=64))
    at = body.index(b"Zhang^San")
    spoiled = body[: at - 4] + b"\xff\xff\xff\xff" + body[at:]
    before = node.listener("pacs")["damaged"]
    spoiled = spoiled[dataset_offset(spoiled) :]
    assert store_bytes(node.ports["pacs"], spoiled, f"{BASE}.4.1", "STORESCU") == 0xC000
    assert store_bytes(node.ports["pacs"], spoiled, f"{BASE}.4.1", "STORESCU") == 0xC000
    assert node.listener("pacs")["damaged"] == before + 2
    end = time.monotonic() + 30
    held: list[Any] = []
    while not held and time.monotonic() < end:
        held = [one for one in node.opened.accounts.held(0) if one.code.startswith("dicom.")]
        time.sleep(0.2)
    assert [one.code for one in held] == ["dicom.unreadable"]
    assert DicomSender(Destination("127.0.0.1", node.ports["pacs"], "XINGLIN")).echo()


def test_without_mirror_the_header_says_where_the_pixels_are(node: Node, tmp_path: Path) -> None:
    slices = {f"c{n}": encoded(cbct(n, series=5, side=64)) for n in (1, 2)}
    slices["io"] = encoded(intraoral(side=64))
    assert storescu(node.ports["heads"], *written(tmp_path, **slices), title="HEADS", calling="DENTAL") == 0
    node.waits_for(
        "SELECT voxel_mm, field_of_view_mm, kvp, instances, where_kept, size_bytes > 16000 FROM imaging "
        f"WHERE series = '{BASE}.5'",
        [("0.3 0.3 0.3", 80.0, 90.0, 2, "pacs", True)],
    )
    node.waits_for(f"SELECT tooth, where_kept FROM imaging WHERE series = '{BASE}.9'", [("16 46", "pacs")])
    answer = web(node).get(f"/studies/{BASE}.0/series/{BASE}.5/instances/{BASE}.5.1")
    assert (answer.status_code, "DENTAL" in answer.json()["words"]) == (404, True)
    metadata = web(node).get(f"/studies/{BASE}.0/series/{BASE}.5/instances/{BASE}.5.1/metadata").json()
    assert metadata[0]["00180060"]["Value"] == [90]


def web(node: Node) -> httpx.Client:
    headers = {"Authorization": f"Bearer {SECRET}"}
    return httpx.Client(
        base_url=f"http://127.0.0.1:{node.ports['web']}/dicom-web", headers=headers, timeout=30, trust_env=False
    )


def test_orthanc_sends_to_the_node_and_the_node_to_orthanc(
    node: Node, orthanc: tuple[httpx.Client, int], tmp_path: Path
) -> None:
    client, port = orthanc
    stored = [client.post("/instances", content=encoded(phantom(n, series=6, side=64))).json()["ID"] for n in (1, 2, 3)]
    assert client.post("/modalities/node/echo", json={}).status_code == 200
    done = client.post("/modalities/node/store", json={"Resources": stored, "Synchronous": True})
    assert done.json()["FailedInstancesCount"] == 0
    node.waits_for(f"SELECT instances FROM imaging WHERE series = '{BASE}.6'", [(3,)])
    back = [
        node.opened.raw.read(kept.digest)
        for kept in node.opened.raw.after(0, 1000)
        if kept.source == "pacs" and f"{BASE}.1." in kept.label
    ]
    sender = DicomSender(Destination("127.0.0.1", port, "ORTHANC"))
    assert sender.echo()
    sent = sender.send([*back, b"no DICOM"])
    assert (sent.taken, sent.unreadable, sent.statuses) == (len(back), 1, {})
    found = client.post("/tools/find", json={"Level": "Series", "Query": {"SeriesInstanceUID": f"{BASE}.1"}}).json()
    assert len(client.get(f"/series/{found[0]}").json()["Instances"]) == len(back)
    name = client.get(f"/series/{found[0]}/patient").json()["MainDicomTags"]["PatientName"]
    assert "张^三" in name
    keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={BASE}.0", "PatientID")
    command = [tool("findscu"), "-S", "-aec", "ORTHANC", *(word for key in keys for word in ("-k", key))]
    command += ["127.0.0.1", str(port)]
    said = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert b"P0017" in said.stdout + said.stderr


def test_dicomweb_client_stores_searches_and_retrieves(node: Node) -> None:
    import dicomweb_client as dicomweb

    url = f"http://127.0.0.1:{node.ports['web']}/dicom-web"
    client = dicomweb.DICOMwebClient(url, headers={"Authorization": f"Bearer {SECRET}"})
    made = [phantom(n, series=7, side=64, StudyInstanceUID=f"{BASE}.70", PatientID="W1") for n in (1, 2)]
    answer = client.store_instances(made)
    assert len(answer.ReferencedSOPSequence) == 2
    assert "FailedSOPSequence" not in answer
    studies = client.search_for_studies(search_filters={"PatientID": "W1"})
    assert studies[0]["00100010"]["Value"][0]["Ideographic"] == "张^三"
    assert studies[0]["00201208"]["Value"] == [2]
    by_date = {"StudyDate": "20240101-20241231", "PatientID": "W*"}
    for filters in ({"PatientName": "*张*", "PatientID": "W1"}, by_date, {"00100020": "W1"}):
        found = client.search_for_studies(search_filters=filters)
        assert [one["0020000D"]["Value"][0] for one in found] == [f"{BASE}.70"]
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    series = client.search_for_series(f"{BASE}.70")
    assert series[0]["00201209"]["Value"] == [2]
    assert len(client.search_for_instances(f"{BASE}.70", f"{BASE}.7")) == 2
    whole = client.retrieve_instance(f"{BASE}.70", f"{BASE}.7", f"{BASE}.7.1")
    assert hashlib.sha256(whole.PixelData).digest() == hashlib.sha256(made[0].PixelData).digest()
    assert str(whole.PatientName) == "Zhang^San=张^三"
    assert len(client.retrieve_study(f"{BASE}.70")) == 2
    metadata = client.retrieve_series_metadata(f"{BASE}.70", f"{BASE}.7")
    assert {one["00080018"]["Value"][0] for one in metadata} == {f"{BASE}.7.1", f"{BASE}.7.2"}
    frames = client.retrieve_instance_frames(f"{BASE}.70", f"{BASE}.7", f"{BASE}.7.1", [1])
    assert frames == [made[0].PixelData]
    again = client.store_instances(made)
    assert len(again.ReferencedSOPSequence) == 2
    assert client.search_for_studies(search_filters={"PatientID": "W1"})[0]["00201208"]["Value"] == [2]
    node.waits_for(f"SELECT instances FROM imaging WHERE series = '{BASE}.7'", [(2,)])


def test_the_web_door_refuses_what_it_should(node: Node) -> None:
    with web(node) as client:
        one = f"/studies/{BASE}.70/series/{BASE}.7/instances/{BASE}.7.1"
        assert client.get(one + "/rendered").status_code == 406
        assert client.get(one + "/frames/2").status_code == 404
        assert client.get("/studies/1.2.3/metadata").status_code == 404
        assert client.get("/studies", params={"Nonsense": "1"}).status_code == 400
        assert client.get("/patients").status_code == 404
        assert client.delete(one).status_code == 405
        assert client.get("/studies", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert client.post("/studies", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        damaged = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + encoded(phantom(3))[:500] + b"\r\n--b--\r\n"
        answer = client.post("/studies", content=damaged, headers={"Content-Type": kind})
        assert (answer.status_code, "00081198" in answer.json()) == (409, True)
        assert client.post("/studies", content=damaged[:-9], headers={"Content-Type": kind}).status_code == 400
        other = b"--b\r\n\r\n" + encoded(phantom(3, series=8)) + b"\r\n--b--\r\n"
        assert client.post("/studies/9.9", content=other, headers={"Content-Type": kind}).status_code == 409


def test_files_of_an_archive_are_loaded_and_counted(node: Node, tmp_path: Path) -> None:
    hospital = generate_space()[0]
    files = written(tmp_path, **{f"f{n}": body for n, body in enumerate(instances(hospital, count=3))})
    source = next(one.source for one in node.opened.ledger.sources() if one.source.name == "files")
    turn: Callable[[], Any] = lambda: load(node.opened, source, files)  # noqa: E731
    with node.process._carrier.turn:
        loaded = turn()
        assert (loaded.files, loaded.known, loaded.tally.accepted) == (6, 0, 9)  # and the counts of three series
        assert loaded.rows == {"imaging": 6, "patient": 3}
        again = turn()
    assert (again.known, again.rows) == (6, {})
    node.waits_for(
        "SELECT modality, instances, count(*) AS n FROM imaging WHERE performer IS NOT NULL GROUP BY 1, 2",
        [("CT", 2, 3)],
    )
