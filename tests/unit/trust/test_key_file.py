"""Key files: what opens, what does not, and what an altered one says."""

from __future__ import annotations

import json
import os

import pytest
from tests.unit.trust.conftest import Space, fixed_entropy

from xinglin.trust import BadKeyFile, SuiteUnavailable, WrongPassphrase, key_file_bytes, read_key_file


def test_a_plain_file_gives_the_same_keys(space: Space) -> None:
    read = read_key_file(key_file_bytes(space.hospital))
    assert read.public == space.hospital.public
    assert read.did == space.hospital.did


def test_keys_after_a_change_keep_their_did(space: Space) -> None:
    moved = space.other.for_did(space.hospital.did)
    assert read_key_file(key_file_bytes(moved)).did == space.hospital.did


def test_a_passphrase_opens_and_nothing_else_does(space: Space) -> None:
    shut = key_file_bytes(space.hospital, "杏林 open", fixed_entropy("salt"))
    assert read_key_file(shut, "杏林 open").public == space.hospital.public
    for wrong in ("", "杏林 Open", "\ud800"):
        with pytest.raises(WrongPassphrase):
            read_key_file(shut, wrong)
    for seed in (space.hospital.seeds.ed25519, space.hospital.seeds.mlkem768):
        assert seed not in shut
        assert json.dumps(seed.hex())[1:20].encode() not in shut


def test_two_files_of_one_key_share_no_salt(space: Space) -> None:
    one, two = (json.loads(key_file_bytes(space.hospital, "p", os.urandom)) for _ in range(2))
    assert one["lock"]["salt"] != two["lock"]["salt"]
    assert one["sealed"] != two["sealed"]


def test_the_readable_part_is_bound_to_the_cipher_text(space: Space) -> None:
    shut = json.loads(key_file_bytes(space.hospital, "p"))
    shut["did"] = space.other.did
    with pytest.raises(WrongPassphrase):
        read_key_file(json.dumps(shut).encode(), "p")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": 0},
        {"did": "did:xinglin:x"},
        {"did": ""},
        {"seeds": None},
        {"seeds": {"ed25519": "AA=="}},
        {"extra": 1},
    ],
)
def test_an_altered_plain_file_is_refused(space: Space, change: dict[str, object]) -> None:
    body = json.loads(key_file_bytes(space.hospital))
    with pytest.raises(BadKeyFile):
        read_key_file(json.dumps({**body, **change}).encode())


@pytest.mark.parametrize(
    "change", [{"n": 3}, {"n": 0}, {"n": 2**30}, {"r": 0}, {"r": 2**20}, {"p": 5}, {"p": 0}, {"nonce": "AA=="}]
)
def test_absurd_scrypt_parameters_are_refused_before_they_run(space: Space, change: dict[str, object]) -> None:
    body = json.loads(key_file_bytes(space.hospital, "p"))
    body["lock"].update(change)
    with pytest.raises(BadKeyFile):
        read_key_file(json.dumps(body).encode(), "p")


def test_another_suite_is_refused_by_name(space: Space) -> None:
    body = json.loads(key_file_bytes(space.hospital))
    with pytest.raises(SuiteUnavailable):
        read_key_file(json.dumps({**body, "suite": "cn-1"}).encode())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"version":1}', b" " * 16 * 1024 + b"{}"])
def test_what_is_no_key_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadKeyFile):
        read_key_file(data)
