"""TLS material: who reads the key, whom the certificate is for, and whom a context turns away."""

from __future__ import annotations

import datetime as dt
import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from xinglin.stores.tls import client_context, make_certificate, write_private

NOW = dt.datetime.now(dt.UTC)
HOSTS = ("hub.example.org", "localhost", "127.0.0.1", "::1")


def made(folder: Path, hosts: tuple[str, ...] = HOSTS, now: dt.datetime = NOW) -> str:
    folder.mkdir(exist_ok=True)
    return make_certificate(folder, hosts, now)


def shake_hands(server_folder: Path, client: ssl.SSLContext, host: str) -> str:
    """A whole TLS handshake in memory; the version that was agreed on."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(server_folder / "tls.crt", server_folder / "tls.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return str(ends[0].version())


def test_the_key_is_its_owners_alone_and_fits_the_certificate(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        pem = made(tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"tls.key": 0o600, "tls.crt": 0o644}
    assert (tmp_path / "tls.crt").read_text() == pem
    key = load_pem_private_key((tmp_path / "tls.key").read_bytes(), None)
    assert key.public_key() == x509.load_pem_x509_certificate(pem.encode()).public_key()


def test_the_certificate_names_its_hosts_and_lives_five_years(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(made(tmp_path).encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["hub.example.org", "localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert certificate.not_valid_before_utc < NOW
    assert dt.timedelta(days=5 * 365 - 1) < certificate.not_valid_after_utc - NOW < dt.timedelta(days=5 * 365 + 1)


def test_two_spaces_never_share_a_key(tmp_path: Path) -> None:
    assert made(tmp_path / "a") != made(tmp_path / "b")
    assert (tmp_path / "a" / "tls.key").read_bytes() != (tmp_path / "b" / "tls.key").read_bytes()


@pytest.mark.parametrize("host", HOSTS)
def test_the_hub_is_known_by_each_of_its_names(tmp_path: Path, host: str) -> None:
    context = client_context(made(tmp_path))
    assert shake_hands(tmp_path, context, host) == "TLSv1.3"


@pytest.mark.parametrize("host", ["other.example.org", "example.org", "a.hub.example.org", "127.0.0.2", "::2"])
def test_another_host_is_turned_away(tmp_path: Path, host: str) -> None:
    context = client_context(made(tmp_path))
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(tmp_path, context, host)


def test_another_certificate_of_the_same_name_is_turned_away(tmp_path: Path) -> None:
    context = client_context(made(tmp_path / "hub"))
    made(tmp_path / "imposter")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tmp_path / "imposter", context, "localhost")


def test_the_worlds_authorities_do_not_admit_a_hubs_own_certificate(tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tmp_path, client_context(""), "localhost")


def test_a_sites_authority_is_trusted_beside_the_hubs_certificate(tmp_path: Path) -> None:
    own = made(tmp_path / "hub")
    made(tmp_path / "proxy", ("proxy.example.org",))
    context = client_context(own, tmp_path / "proxy" / "tls.crt")
    assert shake_hands(tmp_path / "hub", context, "localhost")
    assert shake_hands(tmp_path / "proxy", context, "proxy.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tmp_path / "proxy", context, "localhost")


def test_a_certificate_out_of_its_time_is_turned_away(tmp_path: Path) -> None:
    old = made(tmp_path / "old", now=NOW - dt.timedelta(days=5 * 365 + 1))
    young = made(tmp_path / "young", now=NOW + dt.timedelta(days=3))
    for name, pem in (("old", old), ("young", young)):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(tmp_path / name, client_context(pem), "localhost")


def test_strict_verifiers_accept_it(tmp_path: Path) -> None:
    context = client_context(made(tmp_path))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert shake_hands(tmp_path, context, "localhost")


def test_old_protocols_are_not_spoken(tmp_path: Path) -> None:
    context = client_context(made(tmp_path))
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED


# --- write_private -------------------------------------------------------------------------------


def test_what_is_written_is_whole_or_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    write_private(path, b"first")

    def full(_descriptor: int) -> None:
        raise OSError("no room")

    monkeypatch.setattr("xinglin.stores.tls.os.fsync", full)
    with pytest.raises(OSError, match="no room"):
        write_private(path, b"second")
    assert path.read_bytes() == b"first"
    monkeypatch.undo()
    write_private(path, b"third")
    assert path.read_bytes() == b"third" and [p.name for p in tmp_path.iterdir()] == ["key"]


def test_a_readable_file_or_leftover_does_not_make_a_secret_readable(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for name in ("key", "key.new"):
        (tmp_path / name).write_bytes(b"old")
        (tmp_path / name).chmod(0o666)
    write_private(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_planted_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"untouched")
    for name in ("key", "key.new"):
        (tmp_path / name).symlink_to(target)
    write_private(tmp_path / "key", b"secret")
    assert target.read_bytes() == b"untouched" and not (tmp_path / "key").is_symlink()
    assert (tmp_path / "key").read_bytes() == b"secret"
