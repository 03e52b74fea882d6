"""Policies: the C2SP example, everything that is no policy, and the space's own quorum."""

from __future__ import annotations

from itertools import combinations

import pytest
from tests.unit.evidence.space import NOW_S, ORIGIN, Space, ed25519_signer, mldsa44_signer

from xinglin.evidence.checkpoint import Checkpoint, sign_checkpoint
from xinglin.evidence.cosignature import cosign
from xinglin.evidence.errors import BadSignature, MalformedKey, MalformedPolicy, QuorumMissed, UnknownLog
from xinglin.evidence.notes import NoteSignature
from xinglin.evidence.policy import (
    Cosigner,
    Group,
    LogKey,
    Policy,
    Witness,
    default_policy,
    parse_policy,
    verify_checkpoint,
)
from xinglin.kernel import LimitExceeded

LOG = ed25519_signer(ORIGIN, 0x01).key.to_text()
KEYS = {name: ed25519_signer(f"{name}.example", 0x04).key for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")}
W = {name: f"witness {name} {key.to_text()}\n" for name, key in KEYS.items()}
EXAMPLE = f"""\
# the example of tlog-policy
log {LOG} https://{ORIGIN}

{"".join(W[name] for name in ("X1", "X2", "X3"))}
group X-witnesses 2 X1 X2 X3

\t{W["Y1"]}{W["Y2"]}{W["Y3"]}  # indented comment
group  Y-witnesses any Y1\tY2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def cosigner(name: str) -> Cosigner:
    return Cosigner(name, (ed25519_signer(f"{name}.example", 0x04).key,))


def space_policy(institutions: int, regulators: int = 1) -> Policy:
    log = LogKey(ed25519_signer(ORIGIN, 0x01).key)
    return default_policy(
        log,
        [cosigner(f"regulator-{number}") for number in range(regulators)],
        [cosigner(f"hospital-{number}") for number in range(institutions)],
    )


def test_the_published_example_is_read_and_evaluated() -> None:
    policy = parse_policy(EXAMPLE)
    assert policy.logs[0].url == f"https://{ORIGIN}" and len(policy.witnesses) == 6
    for count in range(7):
        for names in combinations(KEYS, count):
            xs, ys = sum(n[0] == "X" for n in names), sum(n[0] == "Y" for n in names)
            assert policy.reaches_quorum(names) == (xs >= 2 and ys >= 1)


def test_a_policy_comes_back_from_its_text() -> None:
    policy = parse_policy(EXAMPLE)
    assert parse_policy(policy.to_text()) == policy
    assert parse_policy(policy.to_text().encode()) == policy
    assert parse_policy("quorum none") == Policy((), (), (), "none")


def test_names_are_opaque_octets() -> None:
    kelvin = f"witness \u212a {KEYS['X1'].to_text()}\nwitness K {KEYS['X2'].to_text()}\nquorum \u212a\n"
    assert parse_policy(kelvin).reaches_quorum(["\u212a"]) and not parse_policy(kelvin).reaches_quorum(["K"])
    odd = parse_policy(b"witness \xff " + KEYS["X1"].to_text().encode() + b"\nquorum \xff\n")
    assert parse_policy(odd.to_text().encode("utf-8", "surrogateescape")) == odd


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum",
        "quorum none none",
        "quorum none\nquorum none",
        "quorum X1",
        f"quorum X1\n{W['X1']}",
        f"{W['X1']}quorum X1\nquorum X1",
        f"{W['X1']}quorum X2",
        f"{W['X1']}{W['X1']}quorum X1",
        f"{W['X1']}{W['X1'].replace('X1 ', 'Z ')}quorum X1",
        f"witness none {KEYS['X1'].to_text()}\nquorum none",
        f"witness X1 {LOG}\nquorum X1",
        f"log {LOG}\nlog {LOG}\nquorum none",
        f"log {LOG} https://a https://b\nquorum none",
        "log\nquorum none",
        f"{W['X1']}group G 0 X1\nquorum G",
        f"{W['X1']}group G 2 X1\nquorum G",
        f"{W['X1']}group G 01 X1\nquorum G",
        f"{W['X1']}group G some X1\nquorum G",
        f"{W['X1']}group G any\nquorum G",
        f"{W['X1']}group G 2 X1 X1\nquorum G",
        f"{W['X1']}group G any none\nquorum G",
        f"{W['X1']}group G any G\nquorum G",
        f"group G any X1\n{W['X1']}quorum G",
        f"{W['X1']}group X1 any X1\nquorum X1",
        f"{W['X1']}{W['X2']}group G any X1\ngroup H any X1 X2\nquorum H",
        f"{W['X1']}group H any G\ngroup G any X1\nquorum H",
        "mirror X1\nquorum none",
        "quorum none\r\n",
        "quorum none\x00",
        "quorum none\x7f",
    ],
)
def test_a_text_that_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(MalformedPolicy):
        parse_policy(text)


def test_a_key_that_is_no_key_is_refused_in_a_policy() -> None:
    with pytest.raises(MalformedKey):
        parse_policy(f"witness X1 {KEYS['X1'].to_text()[:-4]}\nquorum X1")


def test_thirty_two_of_each_are_read_and_more_than_the_limit_are_refused() -> None:
    def text(count: int) -> str:
        keys = [ed25519_signer(f"w{number}", 0x04).key.to_text() for number in range(count)]
        lines = [f"witness w{number} {key}" for number, key in enumerate(keys)]
        lines += [f"group g{number} any w{number}" for number in range(count)]
        return "\n".join([*lines, f"group all all {' '.join(f'g{n}' for n in range(count))}", "quorum all"])

    assert parse_policy(text(32)).institutions == 32
    with pytest.raises(LimitExceeded):
        parse_policy(text(257))
    with pytest.raises(LimitExceeded):
        parse_policy("#" * (1024 * 1024 + 1))


@pytest.mark.parametrize(("institutions", "needed"), [(0, 1), (1, 2), (2, 2), (3, 3), (4, 4), (5, 4), (6, 5), (9, 7)])
def test_the_default_quorum_is_the_formula_with_the_regulator_among_them(institutions: int, needed: int) -> None:
    policy = space_policy(institutions)
    seats = 1 + institutions
    faulty = (seats - 1) // 3
    assert needed == -(-(seats + faulty + 1) // 2) and policy.institutions == seats
    hospitals = [f"hospital-{number}" for number in range(institutions)]
    assert policy.reaches_quorum(["regulator-0", *hospitals[: needed - 1]])
    assert not policy.reaches_quorum(["regulator-0", *hospitals[: needed - 2]][: needed - 1])
    assert not policy.reaches_quorum(hospitals)
    assert policy.fork_protection == (seats >= 4)
    assert parse_policy(policy.to_text()) == policy


@pytest.mark.parametrize("institutions", [3, 4, 5, 6, 7])
def test_any_two_quorums_share_more_institutions_than_may_be_faulty(institutions: int) -> None:
    policy = space_policy(institutions)
    names = [witness.name for witness in policy.witnesses]
    faulty = (len(names) - 1) // 3
    quorums = [
        set(each)
        for count in range(len(names) + 1)
        for each in combinations(names, count)
        if policy.reaches_quorum(each)
    ]
    assert min(len(one & two) for one in quorums for two in quorums) > faulty


def test_a_named_standby_can_take_the_regulators_seat() -> None:
    policy = space_policy(3, regulators=2)
    hospitals = ["hospital-0", "hospital-1"]
    assert policy.institutions == 4 and policy.fork_protection
    for regulator in ("regulator.regulator-0", "regulator.regulator-1"):
        assert policy.reaches_quorum([regulator, *hospitals])
    assert not policy.reaches_quorum(["regulator.regulator-0", "regulator.regulator-1", "hospital-0"])
    assert not policy.reaches_quorum([*hospitals, "hospital-2"])


def test_an_institution_of_two_keys_is_one_seat_and_both_must_sign() -> None:
    regulator = Cosigner("regulator", (ed25519_signer("r", 0x04).key, mldsa44_signer("r").key))
    log = LogKey(ed25519_signer(ORIGIN, 0x01).key)
    policy = default_policy(log, [regulator], [cosigner(f"hospital-{number}") for number in range(3)])
    hospitals = ["hospital-0", "hospital-1"]
    assert policy.institutions == 4 and policy.fork_protection
    assert policy.reaches_quorum(["regulator.1", "regulator.2", *hospitals])
    assert not policy.reaches_quorum(["regulator.1", *hospitals])
    assert not policy.reaches_quorum(["regulator.2", *hospitals])


def test_the_operator_nobody_and_a_name_twice_are_refused_as_witnesses() -> None:
    log = LogKey(ed25519_signer(ORIGIN, 0x01).key)
    operator = Cosigner("operator", (ed25519_signer(ORIGIN, 0x04).key,))
    with pytest.raises(MalformedPolicy, match="operator"):
        default_policy(log, [cosigner("regulator")], [operator])
    with pytest.raises(MalformedPolicy, match="mandatory"):
        default_policy(log, [], [cosigner("hospital")])
    with pytest.raises(MalformedPolicy):
        default_policy(log, [Cosigner("regulator", ())], [])
    with pytest.raises(MalformedPolicy):
        default_policy(log, [cosigner("regulator")], [cosigner("hospital"), cosigner("hospital")])


def test_few_witnesses_or_any_of_many_give_no_fork_protection() -> None:
    witnesses = tuple(Witness(name, key) for name, key in KEYS.items())
    for threshold, protected in ((1, False), (3, False), (4, True), (6, True)):
        policy = Policy((), witnesses, (Group("g", threshold, tuple(KEYS)),), "g")
        assert policy.fork_protection == protected
    assert not Policy((), witnesses, (), "none").fork_protection
    assert not Policy((), witnesses, (), "X1").fork_protection


def test_a_checkpoint_with_its_quorum_is_accepted(space: Space) -> None:
    verified = verify_checkpoint(space.policy, space.full.to_text())
    assert verified.checkpoint == space.checkpoint and verified.log == space.log.key and verified.fork_protection
    assert len(verified.cosigned_at_s) == 5 and verified.attested_at_s == NOW_S
    assert space.policy.satisfied(space.full)


def test_the_time_is_that_of_a_whole_quorum_and_not_of_the_newest_cosignature(space: Space) -> None:
    old = space.cosigned(space.regulator, space.regulator_pq, *space.hospitals, time_s=NOW_S)
    newer = old.with_signatures(cosign(old.text, each, NOW_S + 60) for each in space.hospitals)
    assert verify_checkpoint(space.policy, newer).attested_at_s == NOW_S
    whole = newer.with_signatures(cosign(old.text, each, NOW_S + 30) for each in (space.regulator, space.regulator_pq))
    assert verify_checkpoint(space.policy, whole).attested_at_s == NOW_S + 30


def test_one_witness_too_few_or_no_regulator_misses_the_quorum(space: Space) -> None:
    for signers in (
        [],
        [space.regulator, space.regulator_pq, space.hospitals[0]],
        [space.regulator, *space.hospitals],
        space.hospitals,
    ):
        note = space.cosigned(*signers)
        with pytest.raises(QuorumMissed):
            verify_checkpoint(space.policy, note)
        denied = space.policy.satisfied(note)
        assert not denied and denied.codes == ("evidence.quorum",)  # type: ignore[union-attr]


def test_one_bad_line_of_a_known_key_rejects_a_checkpoint_that_has_its_quorum(space: Space) -> None:
    bad = NoteSignature(space.hospitals[2].key.name, space.hospitals[2].key.key_id, bytes(72))
    note = space.cosigned(space.regulator, space.regulator_pq, *space.hospitals[:2])
    assert space.policy.satisfied(note)
    with pytest.raises(BadSignature):
        verify_checkpoint(space.policy, note.with_signatures([bad]))
    stranger = NoteSignature("stranger.example", 7, bytes(72))
    assert space.policy.satisfied(note.with_signatures([stranger]))


def test_a_checkpoint_of_another_log_or_without_the_logs_signature_is_refused(space: Space) -> None:
    other = ed25519_signer("other.example/log", 0x01)
    foreign = sign_checkpoint(Checkpoint(other.key.name, 5, bytes(32)), other)
    with pytest.raises(UnknownLog):
        verify_checkpoint(space.policy, foreign)
    lines = [cosign(foreign.text, each, NOW_S) for each in space.witnesses]
    with pytest.raises(UnknownLog):
        verify_checkpoint(space.policy, foreign.with_signatures(lines))
    unsigned = type(space.full)(space.full.text, space.full.signatures[1:])
    with pytest.raises(UnknownLog):
        verify_checkpoint(space.policy, unsigned)
    # Two logs in one policy: the one may not sign for the other.
    both = Policy((*space.policy.logs, LogKey(other.key)), space.policy.witnesses, space.policy.groups, "quorum")
    swapped = type(unsigned)(unsigned.text, (*foreign.signatures, *unsigned.signatures))
    with pytest.raises(UnknownLog):
        verify_checkpoint(both, swapped)


def test_a_log_may_sign_with_mldsa44(space: Space) -> None:
    log = mldsa44_signer(ORIGIN)
    policy = Policy((LogKey(log.key),), (), (), "none")
    line = cosign(space.signed.text, log, 0)
    verified = verify_checkpoint(policy, type(space.signed)(space.signed.text, (line,)))
    assert verified.log == log.key and verified.attested_at_s == 0 and not verified.fork_protection
