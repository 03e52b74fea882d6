"""Between real processes, by each side's verbs: one application, a breach, the Chinese contract and its filing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from xinglin.sample import generate_space
from xinglin.testing import SampleSpace
from xinglin.testing.sample_space import wait_until

pytestmark = pytest.mark.slow

TITLE = "Papers 文书"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleSpace]:
    """Three hospitals with generated tables, their hub, its regulator, a researcher."""
    made = SampleSpace(tmp_path_factory.mktemp("papers"), generate_space()[:3])
    try:
        made.open()
        yield made
    finally:
        made.close()


def xinglin(*words: str, fails: bool = False) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "xinglin", *words, "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else done.stderr


class Papers:
    """The verbs of a researcher, of hospital a and of the regulator about one agreement."""

    def __init__(self, space: SampleSpace) -> None:
        self.space, self.hospital = space, space.dids["a"]
        self.account, self.node = str(space.folder / "researcher"), str(space.node_folder("a"))
        self.witness = str(space.witness_folder)
        self.mine = ""

    def study(self, verb: str, *words: str, fails: bool = False) -> Any:
        return xinglin("study", verb, TITLE, *words, "--account", self.account, fails=fails)

    def at_node(self, *words: str) -> Any:
        return xinglin("node", *words, "-f", self.node)

    def apply(self) -> None:
        """One application to three hospitals; hospital a sees it and countersigns."""
        what = ("--template", "statistics", "--basis", "ethics-waiver", "--data-set", "cardiology")
        applied = self.study("apply", *what, "--view", "cardiac=SELECT age FROM cardiac", "--variable", "cardiac.age")
        by_did = {held.agreement.provider: held.view.agreement_id for held in self.space.sdk.agreements()}
        assert {one["agreement"] for one in applied["offers"]} == set(by_did.values())
        assert len(by_did) == 3
        self.mine = by_did[self.hospital]
        wait_until(lambda: any(one["id"] == self.mine for one in self.at_node("agreements")), "the offer is there")
        shown = self.at_node("agreements", "show", self.mine)
        assert shown["application"]["digest"] == applied["application"]
        assert shown["application"]["study"]["title"] == TITLE
        assert self.at_node("approve", self.mine)["state"] == "active"

    def breach_by_hospital(self) -> None:
        """A notice with a suspension, accepted, remedied, closed; then the agreement goes on."""
        what = ("--what", "not-deleted", "--words", "Still there.", "--suspend")
        given = self.at_node("breach", self.mine, *what)
        assert (given["state"], given["agreement_state"]) == ("noticed", "suspended")
        wait_until(lambda: self.study("breaches"), "the notice is with the researcher")
        (case,) = self.study("breaches")
        assert (case["notice"], case["state"], case["against"]) == (
            given["notice"], "noticed", self.space.sdk.account.did,
        )  # fmt: skip
        answer = ("--hospital", self.hospital, "--answer", case["notice"][7:19], "--words", "So it is.")
        accepted = self.study("breach", *answer, "--as", "accepted", "--by", "2099-01-01T00:00:00Z")
        assert (accepted["state"], accepted["answers"][0]["remedy_by"]) == ("accepted", accepted["due"])
        again = self.study("breach", *answer, "--as", "contested", fails=True)
        assert "contract.not_now" in json.dumps(again)
        assert self.study("breach", *answer, "--as", "remedied")["state"] == "remedied"
        wait_until(
            lambda: self.at_node("breaches", self.mine)[0]["state"] == "remedied", "the hospital has the answers"
        )
        assert self.at_node("breach", self.mine, "--close", case["notice"])["state"] == "closed"
        assert self.at_node("resume", self.mine)["state"] == "active"

    def breach_by_researcher(self) -> None:
        """A notice the other way, contested."""
        what = ("--hospital", self.hospital, "--what", "not-delivered", "--words", "No answer.")
        theirs = self.study("breach", *what)
        assert theirs["state"] == "noticed"
        wait_until(lambda: len(self.at_node("breaches", self.mine)) == 2, "the hospital has the notice")
        said = ("--answer", theirs["notice"], "--as", "contested", "--words", "It was.")
        assert self.at_node("breach", self.mine, *said)["state"] == "contested"

    def contract(self) -> None:
        """The agreement's contract: opened and filed by the hospital, accepted by the regulator, named as executed."""
        opened = xinglin(
            "contract", "open", self.mine, "--subject", "91350100M000100Y43", "--area", "3101", "--node", self.node
        )
        name = opened["contractId"]
        assert (opened["status"], len(name)) == ("Signed", 47)
        regulator = self.space.sdk.account.space.regulator
        filed = xinglin("contract", "file", name, "--authority", regulator, "--node", self.node)
        assert filed["filing"]["state"] == "submitted"
        assert [one["contractId"] for one in xinglin("contract", "list", "--witness", self.witness)] == [name]
        filed = xinglin("contract", "file", name, "--accept", "备-2026-1", "--witness", self.witness)
        assert (filed["status"], filed["filing"]["number"]) == ("Filed", "备-2026-1")
        by_account = ("-a", self.account)
        request = "sha256:" + "7" * 64
        assert xinglin("contract", "execute", name, "--request", request, *by_account)["status"] == "Executing"
        xinglin("contract", "terminate", name, *by_account, fails=True)
        self.study("end", "--hospital", self.hospital)
        ended = xinglin("contract", "terminate", name, "--reason", "Done.", *by_account)
        assert ended["status"] == "Terminated"


def test_from_one_application_to_a_settled_breach_and_a_filed_contract(space: SampleSpace) -> None:
    papers = Papers(space)
    papers.apply()
    papers.breach_by_hospital()
    papers.breach_by_researcher()
    papers.contract()
    late = papers.study("breach", "--hospital", papers.hospital, "--what", "other", "--words", "Late.")
    assert late["state"] == "noticed"  # what outlives the agreement
    assert papers.at_node("agreements", "show", papers.mine)["state"] == "terminated"
