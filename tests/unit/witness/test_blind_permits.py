"""Both holders of pseudonyms: for whom they key a study, and how often, whatever a hospital declares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xinglin.contract.agreement import Agreement
from xinglin.evidence.notes import ED25519, VerifierKey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.hub.blind_routes import hub_keeper
from xinglin.hub.settings import hub_settings
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.secure.blind.keeping import Keeper, ask, open_share
from xinglin.secure.blind.quota import CEILING, PATIENTS
from xinglin.secure.blind.split import Asker
from xinglin.secure.errors import Refused
from xinglin.stores.blind_ledger import BlindLedger
from xinglin.terms.agreed import AgreedTerms, CohortView
from xinglin.trust import KeyDirectory, PrivateKeys, admit, register
from xinglin.trust.envelope import sign
from xinglin.trust.errors import TrustError
from xinglin.wire.policy import cosigning_key
from xinglin.wire.record import SpaceRecord
from xinglin.wire.space import Space
from xinglin.witness.blind_routes import WitnessPermits, witness_keeper
from xinglin.witness.settings import witness_settings

OPERATOR, REGULATOR, HOSPITAL, RESEARCHER, STRANGER = (PrivateKeys.generate() for _ in range(5))
NOW, D = 1_800_000_000_000, "sha256:" + "0" * 64
CEILED = 20  # and the margin of ten


def record() -> SpaceRecord:
    """A space of operator, regulator, a hospital and a company that only asks; ``STRANGER`` is nobody in it."""
    key = VerifierKey("xinglin.space/blind", ED25519, OPERATOR.public.ed25519)
    cosigners = [Cosigner("regulator", (cosigning_key("r", REGULATOR.public),))]
    policy = default_policy(LogKey(key), cosigners, []).to_text()
    made = SpaceRecord(Space("b", "https://hub.example", "", key.to_text(), OPERATOR.did, REGULATOR.did, policy))
    for index, leaf in enumerate(
        [
            register(OPERATOR, "Operator", ("operator",)),
            register(REGULATOR, "Health commission", ("regulator", "witness")),
            admit(register(HOSPITAL, "Hospital", ("provider",)), OPERATOR),
            admit(register(RESEARCHER, "Company", ("consumer",)), OPERATOR),
        ]
    ):
        following = made.directory.apply(index, leaf)
        assert isinstance(following, KeyDirectory), following
        made.directory = following
    return made


def agreed(study: str) -> bytes:
    """An agreement of the hospital's for a study, as the hub keeps it."""
    terms = AgreedTerms(
        "L2", (CohortView("v", "SELECT age FROM t"),), ("t.age",), ("p",), ("statistics",), 0, 9, 5, (STRANGER.did,), ()
    )
    found = Agreement(HOSPITAL.did, D, RESEARCHER.did, D, study, "cardiology", terms, 10)
    return sign(HOSPITAL, "agreement/1", canonical_bytes(found)).to_bytes()


class Holders:
    """The two holders, each with its ledger and its own settings; both know ``record``."""

    def __init__(self, folder: Path) -> None:
        self.record = record()
        self.ledgers = []
        for name in ("hub", "witness"):
            (folder / name).mkdir()
            (folder / name / f"{name}.toml").write_text(f"match_ceiling = {CEILED}\n")
            self.ledgers.append(BlindLedger.in_folder(folder / name))
        members = SimpleNamespace(record=self.record, directory=self.record.directory)
        row = SimpleNamespace(provider=HOSPITAL.did, state="active", offered=agreed("heart"))
        store = SimpleNamespace(agreements=lambda: (row,))
        hub: Any = SimpleNamespace(keys=OPERATOR, members=members, store=store, clock=lambda: NOW)
        admission: Any = SimpleNamespace(record=lambda: self.record)
        rules = hub_settings(folder / "hub").settings.quota, witness_settings(folder / "witness").settings.quota
        self.both: dict[str, Keeper] = {
            "hub": hub_keeper(hub, folder / "hub", self.ledgers[0], os.urandom, rules[0]),
            "witness": witness_keeper(
                REGULATOR, folder / "witness", admission, self.ledgers[1], ("heart",), lambda: NOW, os.urandom, rules[1]
            ),
        }

    def asks(self, holder: str, by: PrivateKeys, study: str, count: int, patients: int = 5, base: int = 0) -> str:
        """The code with which a holder refuses so many evaluations; empty where it admits them."""
        shares = [one.share(study) for one in self.both.values()]
        people = self.record.directory
        opened = [
            open_share(one, who.did, study, people) for one, who in zip(shares, (OPERATOR, REGULATOR), strict=True)
        ]
        asked = Asker(study, opened, os.urandom).ask([b"%d" % one for one in range(base, base + count)])
        try:
            self.both[holder].admit(ask(by, study, patients, asked.blinded, NOW))
        except Refused as error:
            return ",".join(error.denied.codes)
        except TrustError as error:
            return error.code
        return ""


@pytest.fixture
def holders(tmp_path: Path) -> Iterator[Holders]:
    made = Holders(tmp_path)
    yield made
    for one in made.ledgers:
        one.close()


@pytest.mark.parametrize("holder", ["hub", "witness"])
def test_what_a_hospital_declares_counts_up_to_the_ceiling(holders: Holders, holder: str) -> None:
    assert holders.asks(holder, HOSPITAL, "heart", 31, PATIENTS.value) == "secure.quota_spent"
    assert holders.asks(holder, HOSPITAL, "heart", 30, PATIENTS.value) == ""
    assert holders.asks(holder, HOSPITAL, "heart", 1, PATIENTS.value, base=50) == "secure.quota_spent"


@pytest.mark.parametrize("holder", ["hub", "witness"])
def test_only_an_enrolled_hospital_in_a_study_that_is_open(holders: Holders, holder: str) -> None:
    assert holders.asks(holder, RESEARCHER, "heart", 1) == "secure.not_a_hospital"
    assert holders.asks(holder, STRANGER, "heart", 1).startswith("trust.")
    closed = {"hub": "secure.study_not_agreed", "witness": "secure.study_not_opened"}
    assert holders.asks(holder, HOSPITAL, "lungs", 1) == closed[holder]
    holders.record.revoked |= {HOSPITAL.did}
    assert holders.asks(holder, HOSPITAL, "heart", 1) == "secure.hospital_frozen"
    holders.record.revoked |= {"heart"}
    assert holders.asks(holder, HOSPITAL, "heart", 1) == "secure.study_frozen"


def test_the_witness_itself_permits_no_one_whom_its_log_does_not_know(holders: Holders) -> None:
    admission: Any = SimpleNamespace(record=lambda: holders.record)
    permits = WitnessPermits(("heart",), admission)
    assert permits(HOSPITAL.did, "heart") == Allowed()
    for one in (STRANGER, RESEARCHER):
        denied = permits(one.did, "heart")
        assert isinstance(denied, Denied) and denied.codes == ("secure.not_a_hospital",)


def test_the_ceiling_unless_settings_say_otherwise(tmp_path: Path) -> None:
    for found in (
        hub_settings(tmp_path, environ={}).settings.quota,
        witness_settings(tmp_path, environ={}).settings.quota,
    ):
        assert found.ceiling == CEILING == 2_000_000
        assert found.allowance("did:a", PATIENTS.value) == 2_040_000
