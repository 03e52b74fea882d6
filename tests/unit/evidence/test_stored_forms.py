"""Bytes that are stored or sent for ever: version 1 of each, pinned. A change here needs a new version."""

from __future__ import annotations

from tests.unit.evidence.space import DID, ORIGIN, OTHER_DID, RUN, entry

from xinglin.evidence import KINDS, commit, decode_entry, derive_salt, leaf_hash, sign_batch

PLAN = "salted-sha256:f9a62a3ae68568aaae66f63359a7be835edf4885e0ed6e71ab167874c6118ff4"
ENTRY = (
    f'{{"at":1800000000000,"body":{{}},"commitments":{{"plan":"{PLAN}"}},"kind":"admitted",'
    f'"parties":["{DID}","{OTHER_DID}"],"subject":"{RUN}","submitter":"{DID}","version":1}}'
).encode()
KINDS_OF_VERSION_1 = {
    True: "key-registration key-change key-revocation revocation policy agreement agreement-end publication approval "
    "freeze usage settlement state",
    False: "request decision refused admitted release-authorised delivered ended lookup break-glass consent review "
    "intake erasure change",
}


def test_an_entry_of_version_1() -> None:
    assert entry(0).to_bytes() == ENTRY and decode_entry(ENTRY) == entry(0)
    assert leaf_hash(ENTRY).hex() == "7424930e35ac95f4603c9eb546c65e2d6beb2ced1fc166e4f18f651e7daf88f1"


def test_kinds_are_only_ever_added_and_never_change_what_they_may_carry() -> None:
    for public, names in KINDS_OF_VERSION_1.items():
        assert all(KINDS[name].public == public for name in names.split())


def test_a_commitment_and_a_derived_salt_of_version_1() -> None:
    salt = bytes(range(32))
    assert commit(salt, {"b": 1.5, "a": ["杏"]}) == (
        "salted-sha256:773630f360cb53901a8a7d8a7c21bcedef056c6cf0ed98f65e5614870c8f5d8e"
    )
    assert commit(salt, b"raw") == "salted-sha256:3089a11bfbbe1f43988a3950c71fe9ae190b2e7f14e372c98ef90b8427ef0a72"
    assert derive_salt(salt, "result").hex() == "30caee52d26b23bc5ee5f3d037eea0f6d9f6e92c9267c92c61eff89a0e5a9ae1"


def test_a_submission_of_version_1() -> None:
    batch = sign_batch([entry(0), entry(1)], ORIGIN, DID, lambda context, payload: bytes(64))
    assert batch.payload() == (
        b'{"origin":"log.example/grove","root":"8f19fb26acb28036cdc3b0b93ca93a79df637f921bf3a2af683ad1a57e39e6d1",'
        b'"size":2,"submitter":"did:xinglin:aaaaaaaaaaaaaaaaaaaaaaaaaa","version":1}'
    )
    assert batch.key.hex() == "e19da06638cad7d1dfa1511f7236686bfd46c65fcf32cf042ef7111aba6cf0dd"
