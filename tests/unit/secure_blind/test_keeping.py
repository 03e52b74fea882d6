"""A key holder at work: who may ask, for what, how often; what it notes and what it logs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xinglin.evidence.commitments import commit
from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.secure.blind import keeping
from xinglin.secure.blind.errors import BadProof, NotAnElement, WrongAnswer
from xinglin.secure.blind.keeping import Keeper, Question, Spending, ask, open_answer, open_share
from xinglin.secure.blind.quota import DAY_MS, QuotaRule
from xinglin.secure.blind.split import Asker
from xinglin.secure.errors import Refused
from xinglin.stores.blind_ledger import BlindLedger, SeedDamaged, private_seed
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.errors import TrustError
from xinglin.trust.keys import PrivateKeys

HUB, REGULATOR, NODE, OTHER = (PrivateKeys.generate() for _ in range(4))
NOW = 1_800_000_000_000
RULE = QuotaRule(margin_least=0, margin_permille=0)


class People:
    """A directory (``trust.ports.Directory``) of four participants."""

    def __init__(self) -> None:
        self.known = {one.did: one.public for one in (HUB, REGULATOR, NODE, OTHER)}

    def keys(self, did: str, at: int | None = None) -> Any:
        return self.known[did]

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        return frozenset({"provider"}) if did == NODE.did else frozenset({"researcher"})


def permits(node: str, study: str) -> Verdict:
    return Allowed() if study.startswith("study") else deny("secure.study_not_opened", "No.")


@pytest.fixture
def ledger(tmp_path: Path) -> BlindLedger:
    return BlindLedger.in_folder(tmp_path)


def keeper(ledger: BlindLedger, keys: PrivateKeys = HUB, now: Callable[[], int] = lambda: NOW) -> Keeper:
    return Keeper(keys, keys.did.encode()[-32:], People, ledger, permits, RULE, now, os.urandom)


def question(count: int = 3, study: str = "study-1", patients: int = 5, at: int = NOW) -> Signed:
    shares = [sign_share(HUB, study), sign_share(REGULATOR, study)]
    asked = Asker(study, shares, os.urandom).ask([b"%d" % one for one in range(count)])
    return ask(NODE, study, patients, asked.blinded, at)


def sign_share(keys: PrivateKeys, study: str) -> Any:
    from xinglin.secure.blind.split import Holder

    return Holder(keys.did, keys.did.encode()[-32:], os.urandom).announce(study)


def test_two_keepers_make_the_pseudonyms_of_their_shares(tmp_path: Path) -> None:
    folders = [tmp_path / "hub", tmp_path / "regulator"]
    for folder in folders:
        folder.mkdir()
    both = [keeper(BlindLedger.in_folder(f), keys) for f, keys in zip(folders, (HUB, REGULATOR), strict=True)]
    people = People()
    shares = [
        open_share(k.share("study-1"), d.did, "study-1", people) for k, d in zip(both, (HUB, REGULATOR), strict=True)
    ]
    found = []
    for _ in range(2):
        asker = Asker("study-1", shares, os.urandom)
        asked = asker.ask([b"a", b"b"])
        signed = ask(NODE, "study-1", 9, asked.blinded, NOW)
        answers = {}
        for one, keys in zip(both, (HUB, REGULATOR), strict=True):
            read, spending, _ = one.admit(signed)
            said = one.answer(read, spending)
            answers[keys.did] = open_answer(said, keys.did, "study-1", asked.blinded, people)
        found.append(asker.finish(asked, answers))
    assert found[0] == found[1] and len(set(found[0])) == 2


def test_quota_and_one_more(ledger: BlindLedger) -> None:
    holder = keeper(ledger)
    holder.admit(question(3))
    holder.admit(question(2))
    with pytest.raises(Refused) as refused:
        holder.admit(question(1))
    assert refused.value.codes == ("secure.quota_spent",)
    with pytest.raises(Refused) as refused:
        holder.admit(question(1, patients=500))
    assert refused.value.codes == ("secure.quota_declared",)
    holder.admit(question(5, "study-2"))  # a study has a quota of its own
    later = keeper(ledger, now=lambda: NOW + 90 * DAY_MS)
    later.admit(question(5, patients=6, at=NOW + 90 * DAY_MS))  # and so has a period


def test_the_same_batch_is_charged_once_and_logged_alike(ledger: BlindLedger) -> None:
    holder, signed = keeper(ledger), question(5)
    first, again = holder.admit(signed), holder.admit(signed)
    assert first[1] == again[1] and first[2].to_bytes() == again[2].to_bytes()
    assert len(ledger.spendings()) == 1


def test_the_leaf_says_nothing_but_a_commitment_that_opens(ledger: BlindLedger) -> None:
    _, spending, entry = keeper(ledger).admit(question(3))
    assert entry.kind == "evaluation" and not entry.body
    assert b"study-1" not in entry.to_bytes()
    kept = ledger.spendings()[0]
    said = {"spent": [NODE.did, "study-1", spending.period, 5, 3], "batch": spending.batch.hex()}
    assert entry.commitments == {"spent": commit(kept.salt, said)} == {"spent": kept.commitment()}


@pytest.mark.parametrize(
    ("signed", "codes"),
    [
        (lambda: question(study="closed"), ("secure.study_not_opened",)),
        (lambda: question(at=NOW - 120_001), ("secure.question_clock",)),
        (lambda: question(at=NOW + 120_001), ("secure.question_clock",)),
        (lambda: question(0), ("secure.quota_empty",)),
        (lambda: question(patients=-1), ("secure.quota_patients",)),
        (lambda: ask(OTHER, "study-1", 5, (), NOW), ("secure.not_a_hospital",)),
    ],
    ids=["study", "old", "early", "empty", "patients", "no hospital"],
)
def test_refusals_charge_nothing(ledger: BlindLedger, signed: Callable[[], Signed], codes: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        keeper(ledger).admit(signed())
    assert refused.value.codes == codes
    assert ledger.spendings() == ()


def form(**changes: Any) -> Signed:
    plain = Question(NODE.did, "study-1", NOW, 5, b"")
    return sign(NODE, keeping.QUESTION_CONTEXT, encode_msgpack(msgspec.structs.replace(plain, **changes)))


@pytest.mark.parametrize(
    ("signed", "error"),
    [
        (lambda: form(version=2), MalformedMessage),
        (lambda: form(node=OTHER.did), WrongAnswer),
        (lambda: form(elements=bytes(32)), NotAnElement),
        (lambda: form(elements=b"\xff" * 32), NotAnElement),
        (lambda: form(elements=b"short"), NotAnElement),
        (lambda: form(elements=bytes(keeping.QUESTION_BYTES.value)), LimitExceeded),
        (lambda: msgspec.structs.replace(question(), context="other"), TrustError),
        (lambda: msgspec.structs.replace(question(), signature=bytes(64)), TrustError),
        (lambda: msgspec.structs.replace(question(), signer=OTHER.did), TrustError),
    ],
    ids=["version", "name", "identity", "element", "short", "size", "context", "signature", "signer"],
)
def test_malformed_questions_charge_nothing(
    ledger: BlindLedger, signed: Callable[[], Signed], error: type[Exception]
) -> None:
    with pytest.raises(error):
        keeper(ledger).admit(signed())
    assert ledger.spendings() == ()


def test_answers_and_shares_of_others_are_refused(ledger: BlindLedger) -> None:
    people, holder = People(), keeper(ledger)
    read, spending, _ = holder.admit(question(2))
    said = holder.answer(read, spending)
    elements = tuple(read.elements[at : at + 32] for at in (0, 32))
    open_answer(said, HUB.did, "study-1", elements, people)
    for who, study, batch in (
        (REGULATOR.did, "study-1", elements),
        (HUB.did, "study-2", elements),
        (HUB.did, "study-1", elements[::-1]),
    ):
        with pytest.raises(WrongAnswer):
            open_answer(said, who, study, batch, people)
    share = holder.share("study-1")
    for who, study in ((REGULATOR.did, "study-1"), (HUB.did, "study-2")):
        with pytest.raises(WrongAnswer):
            open_share(share, who, study, people)
    stolen = open_share(share, HUB.did, "study-1", people)
    forged = sign(
        REGULATOR, keeping.SHARE_CONTEXT, encode_msgpack(msgspec.structs.replace(stolen, holder=REGULATOR.did))
    )
    with pytest.raises(BadProof):
        open_share(forged, REGULATOR.did, "study-1", people)


def test_eight_threads_never_overspend(ledger: BlindLedger) -> None:
    spendings = [Spending(b"%032d" % at, NODE.did, "study-1", 1, 20, 3, NOW, bytes(32)) for at in range(16)]
    outcomes: list[Any] = []

    def work(mine: list[Spending]) -> None:
        outcomes.extend(ledger.spend(one, RULE) for one in mine)

    threads = [threading.Thread(target=work, args=(spendings[at::8],)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(not isinstance(one, Denied) for one in outcomes) == 6
    assert sum(one.elements for one in ledger.spendings()) == 18


def test_the_ledger_and_the_seed_survive_a_restart(tmp_path: Path) -> None:
    first = BlindLedger.in_folder(tmp_path)
    keeper(first).admit(question(5))
    first.close()
    with pytest.raises(Refused):
        keeper(BlindLedger.in_folder(tmp_path)).admit(question(1))
    seed = private_seed(tmp_path / "seed", os.urandom)
    assert private_seed(tmp_path / "seed", os.urandom) == seed and (tmp_path / "seed").stat().st_mode & 0o77 == 0
    (tmp_path / "seed").write_bytes(b"cut")
    with pytest.raises(SeedDamaged):
        private_seed(tmp_path / "seed", os.urandom)
