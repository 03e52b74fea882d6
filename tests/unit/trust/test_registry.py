"""The key directory: who enters, who changes, who ends, and what was true at an index."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.trust.conftest import Space, fixed_entropy

from xinglin.kernel import Denied, MalformedMessage, canonical_bytes, decode_json
from xinglin.trust import (
    Attestation,
    KeyDirectory,
    KeyLeaf,
    PrivateKeys,
    RevokedParticipant,
    UnknownParticipant,
    admit,
    approve,
    change_keys,
    consent,
    leaf_body,
    leaf_from_body,
    leaf_kind,
    register,
    revoke,
    vouch,
)

replace = msgspec.structs.replace


def fresh(label: str) -> PrivateKeys:
    return PrivateKeys.generate(fixed_entropy(label))


def accepted(directory: KeyDirectory, index: int, leaf: KeyLeaf) -> KeyDirectory:
    following = directory.apply(index, leaf)
    assert isinstance(following, KeyDirectory), following
    return following


def codes(directory: KeyDirectory, leaf: KeyLeaf, index: int = 50) -> tuple[str, ...]:
    answer = directory.apply(index, leaf)
    assert isinstance(answer, Denied), "accepted what must be refused"
    return tuple(code.removeprefix("trust.registration.") for code in answer.codes)


def test_the_small_space_stands(space: Space) -> None:
    d = space.directory
    assert d.last == 4
    assert d.keys(space.hospital.did) == space.hospital.public
    assert d.roles(space.regulator.did) == {"regulator", "witness"}
    assert d.holders("provider") == tuple(sorted([space.hospital.did, space.other.did]))
    assert d.participant(space.researcher.did).institution == space.hospital.did
    assert d.participant(space.researcher.did).is_person
    assert d.status("did:xinglin:" + "a" * 26) == "unknown"


def test_every_leaf_survives_its_trip_through_canonical_json(space: Space) -> None:
    change, moved = change_keys(space.hospital, fresh("new"))
    for leaf in (
        admit(register(fresh("x"), "X", ("provider",)), space.operator),
        approve(change, space.regulator),
        revoke(moved.did, "superseded", moved),
    ):
        wire = canonical_bytes(leaf_body(leaf))
        assert len(wire) < 65_535
        assert leaf_from_body(leaf_kind(leaf), decode_json(wire, dict)) == leaf


def test_a_leaf_of_another_kind_shape_or_version_is_refused(space: Space) -> None:
    body = leaf_body(revoke(space.hospital.did, "left", space.hospital))
    for kind, wrong in (
        ("key-registration", body),
        ("agreement", body),
        ("key-revocation", {**body, "extra": 1}),
        ("key-revocation", {**body, "version": 2}),
        ("key-revocation", {**body, "did": 7}),
        ("key-revocation", {}),
    ):
        with pytest.raises(MalformedMessage):
            leaf_from_body(kind, wrong)


def test_nobody_enters_without_the_operator(space: Space) -> None:
    new = fresh("new")
    bare = register(new, "New", ("provider",))
    assert codes(space.directory, bare) == ("not_admitted",)
    assert codes(space.directory, admit(bare, space.other)) == ("not_admitted",)
    assert codes(space.directory, admit(bare, new)) == ("not_admitted",)
    forged = replace(bare, admission=Attestation(space.operator.did, space.other.sign("key-admission", bare.claim())))
    assert codes(space.directory, forged) == ("trust.bad_signature",)
    lent = admit(register(fresh("other"), "Other", ("provider",)), space.operator).admission
    assert codes(space.directory, replace(bare, admission=lent)) == ("trust.bad_signature",)
    wrong_context = space.operator.sign("key-voucher", bare.claim())
    forged = replace(bare, admission=Attestation(space.operator.did, wrong_context))
    assert codes(space.directory, forged) == ("trust.bad_signature",)


def test_the_operator_changes_nothing_in_what_a_participant_signed(space: Space) -> None:
    leaf = register(fresh("new"), "New", ("provider",))
    for change in ({"name": "Newer"}, {"roles": ("provider", "witness")}):
        assert codes(space.directory, admit(replace(leaf, **change), space.operator)) == ("trust.bad_signature",)
    swapped = replace(leaf, keys=fresh("evil").public)
    assert codes(space.directory, admit(swapped, space.operator)) == ("did",)
    own = replace(leaf, keys=replace(leaf.keys, x25519=fresh("evil").public.x25519))
    assert codes(space.directory, admit(own, space.operator)) == ("did",)


def test_no_registration_borrows_anothers_signing_key(space: Space) -> None:
    # A witness that exists twice would count twice in a quorum.
    for field in ("ed25519", "mldsa65", "mldsa44"):
        mine = fresh("thief")
        seeds = replace(mine.seeds, **{field: getattr(space.hospital.seeds, field)})
        assert codes(space.directory, admit(register(PrivateKeys(seeds), "T", ("witness",)), space.operator)) == (
            "key_in_use",
        )


def test_a_registration_needs_the_secret_of_each_signing_key(space: Space) -> None:
    mine, victim = fresh("mine"), fresh("not yet registered")
    seeds = replace(mine.seeds, mldsa44=victim.seeds.mldsa44)
    both = PrivateKeys(seeds)
    leaf = register(both, "Mine", ("witness",))
    unproved = replace(leaf, proof=replace(leaf.proof, mldsa44=mine.prove_possession("key-registration", b"").mldsa44))
    assert codes(space.directory, admit(unproved, space.operator)) == ("trust.bad_signature",)


def test_weak_keys_do_not_enter(space: Space) -> None:
    class Weak(PrivateKeys):
        @property
        def public(self):  # type: ignore[override]
            return replace(super().public, x25519=bytes(32))

    leaf = admit(register(Weak(fresh("weak").seeds), "Weak", ("provider",)), space.operator)
    assert codes(space.directory, leaf) == ("trust.weak_key",)


def test_founding_roles_are_pinned_by_did(space: Space) -> None:
    empty = KeyDirectory(space.operator.did, space.regulator.did)
    impostor = fresh("impostor")
    assert "not_admitted" in codes(empty, register(impostor, "Operator", ("operator",)))
    assert codes(empty, register(space.operator, "O", ("provider",))) == ("founding",)
    assert codes(empty, register(space.operator, "O", ("operator", "regulator"))) == ("founding",)
    assert codes(empty, register(space.regulator, "R", ("operator",))) == ("founding",)
    hospital = admit(register(space.hospital, "H", ("provider",)), space.operator)
    assert codes(empty, hospital) == ("not_admitted",)
    with pytest.raises(ValueError):
        KeyDirectory(space.operator.did, space.operator.did)
    with pytest.raises(MalformedMessage):
        KeyDirectory("operator", space.regulator.did)


@pytest.mark.parametrize("role", ["operator", "regulator"])
def test_the_operator_alone_makes_no_second_authority(space: Space, role: str) -> None:
    standby = fresh("standby")
    leaf = admit(register(standby, "Standby", (role,)), space.operator)
    assert codes(space.directory, leaf) == ("no_consent",)
    assert codes(space.directory, consent(leaf, space.operator)) == ("no_consent",)
    assert codes(space.directory, consent(leaf, space.hospital)) == ("no_consent",)
    forged = Attestation(space.regulator.did, space.operator.sign("key-consent", leaf.claim()))
    assert codes(space.directory, replace(leaf, consent=forged)) == ("trust.bad_signature",)
    assert accepted(space.directory, 9, consent(leaf, space.regulator)).roles(standby.did) == {role}


def test_a_person_enters_through_its_institution(space: Space) -> None:
    person = fresh("person")
    bare = admit(register(person, "P", ("consumer",), space.hospital.did), space.operator)
    assert codes(space.directory, bare) == ("not_vouched",)
    assert codes(space.directory, vouch(bare, space.other)) == ("not_vouched",)
    forged = replace(bare, voucher=Attestation(space.hospital.did, space.other.sign("key-voucher", bare.claim())))
    assert codes(space.directory, forged) == ("trust.bad_signature",)
    assert accepted(space.directory, 9, vouch(bare, space.hospital)).status(person.did) == "active"
    for roles in (("witness",), ("regulator",), ("service",)):
        leaf = vouch(admit(register(person, "P", roles, space.hospital.did), space.operator), space.hospital)
        assert "person_roles" in codes(space.directory, consent(leaf, space.regulator))
    nested = admit(register(person, "P", ("consumer",), space.researcher.did), space.operator)
    assert codes(space.directory, vouch(nested, space.researcher)) == ("no_institution",)


def test_misshapen_registrations_are_refused_for_every_reason(space: Space) -> None:
    person = fresh("person")
    good = register(person, "P", ("provider",))
    for change, code in (
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"roles": ("king",)}, "roles"),
        ({"roles": ()}, "roles"),
        ({"roles": ("witness", "provider")}, "roles"),
        ({"roles": ("provider", "provider")}, "roles"),
        ({"did": space.other.did}, "did"),
        ({"version": 2}, "version"),
    ):
        assert code in codes(space.directory, replace(good, **change))
    worst = replace(good, name="", roles=("king",), version=2)
    assert set(codes(space.directory, worst)) == {"name", "roles", "version", "not_admitted"}


def test_a_change_needs_old_key_new_keys_and_regulator(space: Space) -> None:
    new = fresh("new")
    change, moved = change_keys(space.hospital, new)
    assert moved.did == space.hospital.did != new.did
    assert codes(space.directory, change) == ("not_approved",)
    for nobody in (space.operator, space.other, space.hospital, moved):
        assert codes(space.directory, approve(change, nobody)) == ("not_approved",)
    approved = approve(change, space.regulator)
    for forged in (
        replace(approved, approval=Attestation(space.regulator.did, space.operator.sign("key-change-approval", b""))),
        replace(approved, old_signature=new.sign("key-change", change.claim())),
        replace(approved, proof=space.hospital.prove_possession("key-change", change.claim())),
        replace(approved, keys=replace(approved.keys, x25519=space.other.public.x25519)),
    ):
        assert codes(space.directory, forged) == ("trust.bad_signature",)
    after = accepted(space.directory, 7, approved)
    assert after.keys(space.hospital.did) == new.public
    assert after.keys(space.hospital.did, at=6) == space.hospital.public
    assert after.keys(space.hospital.did, at=7) == new.public
    assert space.directory.keys(space.hospital.did) == space.hospital.public


def test_the_holder_of_a_stolen_key_changes_nothing_alone(space: Space) -> None:
    theft, _ = change_keys(space.regulator, fresh("thief"))
    assert codes(space.directory, approve(theft, space.regulator)) == ("not_approved",)
    after = accepted(space.directory, 9, approve(theft, space.operator))
    assert after.keys(space.regulator.did) == fresh("thief").public


def test_a_change_is_neither_replayed_nor_turned_back(space: Space) -> None:
    change, moved = change_keys(space.hospital, fresh("new"))
    approved = approve(change, space.regulator)
    after = accepted(space.directory, 7, approved)
    assert codes(after, approved) == ("stale_change",)
    back, _ = change_keys(moved, space.hospital)
    assert codes(after, approve(back, space.regulator)) == ("key_in_use",)
    stranger, _ = change_keys(space.hospital, fresh("newer"))
    assert codes(after, approve(stranger, space.regulator)) == ("stale_change",)
    stolen, _ = change_keys(moved, PrivateKeys(replace(fresh("q").seeds, ed25519=space.other.seeds.ed25519)))
    assert codes(after, approve(stolen, space.regulator)) == ("key_in_use",)


def test_weak_keys_do_not_enter_by_a_change(space: Space) -> None:
    change, _ = change_keys(space.hospital, fresh("new"))
    weak = replace(change, keys=replace(change.keys, ed25519=bytes(32)))
    assert codes(space.directory, approve(weak, space.regulator)) == ("trust.weak_key",)


def test_who_revokes_and_from_when_on(space: Space) -> None:
    target = space.researcher.did
    for nobody in (space.operator, space.other):
        assert codes(space.directory, revoke(target, "frozen", nobody)) == ("not_entitled",)
    assert codes(space.directory, revoke(target, "dislike", space.hospital)) == ("reason",)
    forged = replace(
        revoke(target, "left", space.hospital),
        by=Attestation(space.hospital.did, space.other.sign("key-revocation", b"")),
    )
    assert codes(space.directory, forged) == ("trust.bad_signature",)
    for entitled in (space.researcher, space.hospital, space.regulator):
        after = accepted(space.directory, 9, revoke(target, "compromised", entitled))
        assert [after.status(target, at) for at in (None, 9, 8, 4, 3)] == [
            "revoked", "revoked", "active", "active", "unknown",
        ]  # fmt: skip
        with pytest.raises(RevokedParticipant):
            after.roles(target)
        assert codes(after, revoke(target, "compromised", entitled)) == ("trust.revoked",)
        again = vouch(admit(register(space.researcher, "R", ("consumer",), space.hospital.did), space.operator),
                      space.hospital)  # fmt: skip
        assert "taken" in codes(after, again)


def test_a_revocation_is_for_one_did_and_one_reason(space: Space) -> None:
    leaf = revoke(space.researcher.did, "left", space.regulator)
    assert codes(space.directory, replace(leaf, did=space.other.did)) == ("trust.bad_signature",)
    assert codes(space.directory, replace(leaf, reason="compromised")) == ("trust.bad_signature",)


def test_the_end_of_an_institution_is_the_end_of_its_people_and_its_word(space: Space) -> None:
    after = accepted(space.directory, 9, revoke(space.hospital.did, "frozen", space.regulator))
    assert after.status(space.researcher.did) == "revoked"
    assert after.status(space.researcher.did, at=8) == "active"
    assert after.holders("consumer") == ()
    late = admit(register(fresh("late"), "L", ("consumer",), space.hospital.did), space.operator)
    assert codes(after, vouch(late, space.hospital)) == ("no_institution",)


def test_a_revoked_authority_has_no_say(space: Space) -> None:
    no_operator = accepted(space.directory, 9, revoke(space.operator.did, "frozen", space.regulator))
    leaf = admit(register(fresh("late"), "L", ("provider",)), space.operator)
    assert codes(no_operator, leaf) == ("not_admitted",)
    no_regulator = accepted(space.directory, 9, revoke(space.regulator.did, "compromised", space.regulator))
    change, _ = change_keys(space.hospital, fresh("new"))
    assert codes(no_regulator, approve(change, space.regulator)) == ("not_approved",)
    assert codes(no_regulator, revoke(space.other.did, "frozen", space.regulator)) == ("not_entitled",)


def test_the_index_only_grows(space: Space) -> None:
    leaf = admit(register(fresh("late"), "L", ("provider",)), space.operator)
    for index in (4, 3, 0, -1):
        answer = space.directory.apply(index, leaf)
        assert isinstance(answer, Denied)
        assert answer.codes == ("trust.directory.order",)


def test_the_directory_at_an_index_is_the_fold_of_its_prefix(space: Space) -> None:
    change, _ = change_keys(space.hospital, fresh("new"))
    leaves: list[tuple[int, KeyLeaf]] = [
        (6, admit(register(fresh("late"), "L", ("provider",)), space.operator)),
        (7, approve(change, space.regulator)),
        (12, revoke(space.researcher.did, "left", space.researcher)),
    ]
    states = [space.directory]
    for index, leaf in leaves:
        states.append(accepted(states[-1], index, leaf))
    final = states[-1]
    assert final.at(12) == final
    assert final.at(7) == states[2]
    assert final.at(6) == states[1]
    assert final.at(4) == space.directory
    assert final.at(11) != states[2]
    assert final.at(11).participants == states[2].participants
    reopened = final.at(7)
    assert accepted(reopened, 12, leaves[2][1]) == final
    with pytest.raises(UnknownParticipant):
        final.at(2).keys(space.other.did)
    with pytest.raises(TypeError):
        final.participants[space.other.did] = None  # type: ignore[index]


def test_a_refused_leaf_leaves_no_trace(space: Space) -> None:
    before = space.directory.at(4)
    space.directory.apply(9, register(fresh("x"), "X", ("provider",)))
    assert space.directory == before
    # The key of a refused registration is not burnt: its owner registers it later.
    accepted(space.directory, 10, admit(register(fresh("x"), "X", ("provider",)), space.operator))
