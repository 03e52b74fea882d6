"""A server is asked for what a notification only named; its tokens are asked for with a key that stays in its file."""

from __future__ import annotations

import base64
import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from tests.unit.feeds.bulk_server import Asked, Reply
from tests.unit.node.fhir_home import served

from xinglin.feeds.fhir_push import Changed
from xinglin.feeds.fhir_session import public_key_set
from xinglin.feeds.jobs import Done, Turn
from xinglin.node.intake import noticed as room
from xinglin.node.intake.noticed import Notice, Noticed, job_of, source_of
from xinglin.node.intake.pullers import Pullers
from xinglin.node.intake.smart import BadClientKey, client_key, smart_access
from xinglin.node.intake.sources import BadSources, FhirServer, Smart, SourceFile, parse_sources, write_source
from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.settings import NodeSettings
from xinglin.trust.keys import PrivateKeys

KEYS = PrivateKeys.generate()
NOW = Turn(1, 1, lambda: None)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenIntake]:
    found = open_intake(tmp_path, NodeSettings(), KEYS)
    yield found
    found.close()


class Ehr:
    """Patients by id, a subscription, searches that find what is newer."""

    def __init__(self) -> None:
        self.gone = {"p9"}
        self.away = 0

    def __call__(self, asked: Asked) -> Reply:
        kind, _, id_ = asked.path.removeprefix("/fhir/").partition("/")
        if self.away:
            self.away -= 1
            return Reply(401)
        if kind == "Subscription":
            return Reply(200, json.dumps({"resourceType": kind, "criteria": "Observation?code=8867-4"}).encode())
        if not id_:
            entry = [{"resource": {"resourceType": kind, "id": "o1", "status": "final", "meta": {"versionId": "1"}}}]
            return Reply(200, json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entry}).encode())
        if id_ in self.gone:
            return Reply(410)
        if id_ == "p404":
            return Reply(404)
        return Reply(200, json.dumps({"resourceType": kind, "id": id_, "birthDate": "1970-01-01"}).encode())


def connected(opened: OpenIntake, url: str, types: tuple[str, ...] = ("Patient", "Observation")) -> Pullers:
    write_source(opened.folder, SourceFile("ehr", fhir=FhirServer(f"{url}/fhir", "search", types)))
    return Pullers(opened, lambda: None)


def test_what_was_named_is_asked_for_and_reaches_the_tables(opened: OpenIntake) -> None:
    with served(Ehr()) as server:
        pullers = connected(opened, server.url)
        job = job_of("ehr")
        assert pullers.parts(job, 1) == (), "nothing waits"
        named = (("Patient", "p1"), ("Patient", "p9"), ("Patient", "p404"), ("Device", "d1"))
        pullers.noticed.add("ehr", Changed(named))
        pullers.noticed.add("ehr", Changed((), ("s1",)))
        assert pullers.parts(job, 1) == ("named",) and source_of(job) == "ehr" and not source_of("ehr")
        done = pullers.do(job, "named", NOW)
        assert not done.failed
        told = {name: done.counts[name] for name in ("fetched", "gone", "passed_over")}
        assert told == {"fetched": 1, "gone": 2, "passed_over": 1}
        paths = [one.path for one in server.asked]
        assert paths == ["/fhir/Patient/p1", "/fhir/Patient/p9", "/fhir/Patient/p404", "/fhir/Subscription/s1",
                         "/fhir/Observation"]  # fmt: skip
        assert pullers.parts(job, 1) == () and pullers.do(job, "named", NOW).counts["objects"] == 0
        pullers.noticed.add("ehr", Changed())
        pullers.do(job, "named", NOW)
        assert [one.path for one in server.asked[5:]] == ["/fhir/Patient", "/fhir/Observation"]
        opened.intake.drain()
    rows = opened.lake.open("patient").to_pyarrow_table().to_pylist()
    assert {row["id"] for row in rows} >= {"Patient/p1", "Patient/p9"}, "410 takes the record back"


def test_after_an_export_only_what_changed_since_is_searched(opened: OpenIntake) -> None:
    from xinglin.feeds.fhir_export import ExportState
    from xinglin.kernel.codec import encode_msgpack

    with served(Ehr()) as server:
        pullers = connected(opened, server.url, ("Observation",))
        state = ExportState(as_of="2024-03-01T08:00:00+08:00", phase="done")
        opened.marks.put("ehr", "export", encode_msgpack(state), 1)
        pullers.noticed.add("ehr", Changed())
        assert not pullers.do(job_of("ehr"), "named", NOW).failed
        assert server.asked[0].query["_lastUpdated"][0].startswith("gt2024-02-29T23:59:00")


def test_what_could_not_be_asked_for_waits(opened: OpenIntake) -> None:
    ehr = Ehr()
    with served(ehr) as server:
        pullers = connected(opened, server.url)
        pullers.noticed.add("ehr", Changed((("Patient", "p1"),)))
        ehr.away = 1
        assert pullers.do(job_of("ehr"), "named", NOW).failed == "feeds.fhir_refused"
        assert Noticed(opened.marks).waits("ehr"), "also for the next process"
        assert not pullers.do(job_of("ehr"), "named", NOW).failed and not pullers.noticed.waits("ehr")


def test_notices_are_kept_once_newest_number_first_come(opened: OpenIntake, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Noticed(opened.marks)
    one = ("Patient", "1")
    found.add("ehr", Changed((one, ("Patient", "2"))))
    taken = found.next("ehr")
    assert taken == (Notice(1, one), Notice(1, ("Patient", "2")))
    found.add("ehr", Changed((one,)))
    found.did("ehr", taken)
    assert found.next("ehr") == (Notice(2, one),), "it changed while it was asked for"
    assert found.next("lis") == ()
    monkeypatch.setattr(room, "NOTICED", type(room.NOTICED)("resources", 2, "resources"))
    found.add("ehr", Changed((("Patient", "3"),)))
    assert len(found.next("ehr")) == 2
    found.add("ehr", Changed((("Patient", "4"),)))
    assert found.next("ehr") == (Notice(4),), "beyond the limit everything is asked for"
    sealed = (opened.folder / "pulls.db").read_bytes()
    assert b"Patient" not in sealed


# --- SMART backend services --------------------------------------------------------------------------------------


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_file(folder: Path, body: bytes, mode: int = 0o600) -> Path:
    path = folder / "ehr.key"
    path.write_bytes(body)
    path.chmod(mode)
    return path


class Guarded(Ehr):
    """The same server behind tokens that last a minute, with the token endpoint beside it."""

    def __init__(self, keys: KeySet) -> None:
        super().__init__()
        self.keys, self.base, self.claims = keys, "", list[dict[str, object]]()

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/token":
            form = parse_qs(asked.body.decode())
            told = jwt.decode(form["client_assertion"][0], self.keys, algorithms=["ES384"])
            assert told.claims["aud"] == f"{self.base}/token" and form["grant_type"] == ["client_credentials"]
            self.claims.append({**told.claims, "scope": form["scope"][0]})
            return Reply(200, b'{"access_token":"t0ken-1","token_type":"bearer","expires_in":60}')
        return super().__call__(asked) if asked.headers.get("authorization") == "Bearer t0ken-1" else Reply(401)


def test_tokens_are_asked_for_with_a_key_from_a_file(opened: OpenIntake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = pem(ec.generate_private_key(ec.SECP384R1()))
    key_file(opened.folder, body)
    registered = public_key_set(body.decode(), "ES384")
    assert set(registered["keys"][0]) == {"kty", "crv", "x", "y", "kid", "use", "alg", "key_ops"}
    guarded = Guarded(KeySet([ECKey.import_key(registered["keys"][0])]))
    with served(guarded) as server:
        guarded.base = server.url
        smart = Smart("xinglin", f"{server.url}/token", "ehr.key", scope="system/Patient.rs")
        way = FhirServer(f"{server.url}/fhir", "search", ("Patient",), smart=smart)
        path = write_source(opened.folder, SourceFile("ehr", fhir=way))
        done = Pullers(opened, lambda: None).do("ehr", "Patient", NOW)
        assert not done.failed and done.counts["objects"] == 1
        assert [one.path for one in server.asked] == ["/token", "/fhir/Patient"]
    (claims,) = guarded.claims
    assert (claims["iss"], claims["sub"], claims["scope"]) == ("xinglin", "xinglin", "system/Patient.rs")
    secret = base64.b64encode(body).decode()[:40]
    words = body.decode().splitlines()[1]
    for text in (path.read_text(), caplog.text, repr(smart_access(smart, opened.folder))):
        assert words not in text and secret not in text and "t0ken-1" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_is_none_or_not_ones_own_is_refused(opened: OpenIntake) -> None:
    smart = Smart("xinglin", "https://ehr.example/token", "ehr.key")
    with pytest.raises(BadClientKey, match="cannot be read"):
        smart_access(smart, opened.folder)
    good = pem(ec.generate_private_key(ec.SECP384R1()))
    key_file(opened.folder, good, 0o640)
    with pytest.raises(BadClientKey, match="read by others"):
        smart_access(smart, opened.folder)
    short = pem(rsa.generate_private_key(65537, 1024))
    public = ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    other = pem(ec.generate_private_key(ec.SECP256R1()))
    for body, algorithm in ((b"\xff", "ES384"), (b"secret words", "ES384"), (public, "ES384"), (other, "ES384"),
                            (short, "RS384"), (good, "RS384")):  # fmt: skip
        key_file(opened.folder, body)
        with pytest.raises(BadClientKey) as refused:
            smart_access(Smart("x", "https://ehr.example/token", "ehr.key", algorithm=algorithm), opened.folder)  # type: ignore[arg-type]
        assert ("secret words" not in str(refused.value) and refused.value.__cause__ is None) or body == b"\xff"
    key_file(opened.folder, pem(rsa.generate_private_key(65537, 2048)))
    assert smart_access(Smart("x", "https://e.example/t", "ehr.key", "k1", "RS384"), opened.folder).key_id == "k1"
    write_source(opened.folder, SourceFile("ehr", fhir=FhirServer("https://ehr.example/fhir", smart=smart)))
    (opened.folder / "ehr.key").unlink()
    assert Pullers(opened, lambda: None).do("ehr", "export", NOW) == Done(
        "node.bad_client_key", False, {"objects": 0, "bytes": 0}
    )


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_a_key_is_drawn_once_and_only_its_public_half_is_shown(tmp_path: Path, algorithm: str) -> None:
    smart = Smart("xinglin", "https://ehr.example/token", "ehr.key", algorithm=algorithm)  # type: ignore[arg-type]
    source = SourceFile("ehr", fhir=FhirServer("https://ehr.example/fhir", smart=smart))
    shown = client_key(tmp_path, source)
    assert shown == client_key(tmp_path, source) and stat.S_IMODE((tmp_path / "ehr.key").stat().st_mode) == 0o600
    (key,) = shown["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key) and key["kid"] == smart_access(smart, tmp_path).key_id
    with pytest.raises(BadClientKey, match="asks for no tokens"):
        client_key(tmp_path, SourceFile("ehr", fhir=FhirServer("https://ehr.example/fhir")))


@pytest.mark.parametrize(
    "more",
    [
        'token_file = "t"\nsmart = { client_id = "x", token_url = "https://e/t", key_file = "k" }',
        'smart = { client_id = "x", token_url = "https://e/t", key_file = "-----BEGIN PRIVATE KEY-----" }',
        'smart = { client_id = "x", token_url = "https://e/t" }',
        'smart = { client_id = "x", token_url = "https://e/t", key_file = "k", algorithm = "none" }',
    ],
)
def test_sources_toml_holds_no_key_and_one_way_to_a_token(more: str) -> None:
    with pytest.raises(BadSources) as refused:
        parse_sources(f'[[source]]\nname = "ehr"\n[source.fhir]\nurl = "https://e/fhir"\n{more}\n')
    assert "-----BEGIN" not in str(refused.value)


def test_a_web_door_names_a_server_that_there_is() -> None:
    door = '[[source]]\nname = "push"\nweb = { port = 1, secret_file = "s", server = "ehr" }\n'
    with pytest.raises(BadSources, match="'ehr'"):
        parse_sources(door)
    assert len(parse_sources(door + '[[source]]\nname = "ehr"\nfhir = { url = "https://e/fhir" }\n')) == 2
