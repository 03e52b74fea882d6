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


def test_from_one_application_to_a_settled_breach_and_a_filed_contract(space: SampleSpace) -> None:
    account = str(space.folder / "researcher")
    node = str(space.node_folder("a"))
    applied = xinglin(
        "study", "apply", TITLE, "--account", account, "--template", "statistics", "--basis", "ethics-waiver",
        "--data-set", "cardiology", "--view", "cardiac=SELECT age FROM cardiac", "--variable", "cardiac.age",
    )  # fmt: skip
    assert len(applied["offers"]) == 3
    ids = {one["hospital"]: one["agreement"] for one in applied["offers"]}
    by_did = {held.agreement.provider: held.view.agreement_id for held in space.sdk.agreements()}
    mine = by_did[space.dids["a"]]
    assert set(ids.values()) == set(by_did.values())

    wait_until(
        lambda: any(one["id"] == mine for one in xinglin("node", "agreements", "-f", node)), "the offer is there"
    )
    shown = xinglin("node", "agreements", "show", mine, "-f", node)
    assert shown["application"]["digest"] == applied["application"]
    assert shown["application"]["study"]["title"] == TITLE
    assert xinglin("node", "approve", mine, "-f", node)["state"] == "active"

    hospital = space.dids["a"]
    given = xinglin("node", "breach", mine, "--what", "not-deleted", "--words", "Still there.", "--suspend", "-f", node)
    assert (given["state"], given["agreement_state"]) == ("noticed", "suspended")
    wait_until(lambda: xinglin("study", "breaches", TITLE, "--account", account), "the notice is with the researcher")
    (case,) = xinglin("study", "breaches", TITLE, "--account", account)
    assert (case["notice"], case["state"], case["against"]) == (given["notice"], "noticed", space.sdk.account.did)
    answer = (
        "study",
        "breach",
        TITLE,
        "--hospital",
        hospital,
        "--answer",
        case["notice"][7:19],
        "--words",
        "So it is.",
    )
    accepted = xinglin(*answer, "--as", "accepted", "--by", "2099-01-01T00:00:00Z", "--account", account)
    assert (accepted["state"], accepted["answers"][0]["remedy_by"]) == ("accepted", accepted["due"])
    again = xinglin(*answer, "--as", "contested", "--account", account, fails=True)
    assert "contract.not_now" in json.dumps(again)
    assert xinglin(*answer, "--as", "remedied", "--account", account)["state"] == "remedied"

    def settled() -> bool:
        return bool(xinglin("node", "breaches", mine, "-f", node)[0]["state"] == "remedied")

    wait_until(settled, "the answers are with the hospital")
    assert xinglin("node", "breach", mine, "--close", case["notice"], "-f", node)["state"] == "closed"
    assert xinglin("node", "resume", mine, "-f", node)["state"] == "active"
    theirs = xinglin(
        "study", "breach", TITLE, "--hospital", hospital, "--what", "not-delivered", "--words", "No answer.",
        "--account", account,
    )  # fmt: skip
    assert theirs["state"] == "noticed"
    wait_until(lambda: len(xinglin("node", "breaches", mine, "-f", node)) == 2, "the hospital has the notice")
    said = ("node", "breach", mine, "--answer", theirs["notice"], "--as", "contested", "--words", "It was.", "-f", node)
    assert xinglin(*said)["state"] == "contested"

    code = ("--subject", "91350100M000100Y43", "--area", "3101")
    opened = xinglin("contract", "open", mine, *code, "--node", node)
    name = opened["contractId"]
    assert (opened["status"], len(name)) == ("Signed", 47)
    regulator = space.sdk.account.space.regulator
    assert xinglin("contract", "file", name, "--authority", regulator, "--node", node)["filing"]["state"] == "submitted"
    witness = str(space.witness_folder)
    assert [one["contractId"] for one in xinglin("contract", "list", "--witness", witness)] == [name]
    filed = xinglin("contract", "file", name, "--accept", "备-2026-1", "--witness", witness)
    assert (filed["status"], filed["filing"]["number"]) == ("Filed", "备-2026-1")
    request = "sha256:" + "7" * 64
    assert xinglin("contract", "execute", name, "--request", request, "-a", account)["status"] == "Executing"
    xinglin("contract", "terminate", name, "-a", account, fails=True)
    xinglin("study", "end", TITLE, "--hospital", hospital, "--account", account)
    assert xinglin("contract", "terminate", name, "--reason", "Done.", "-a", account)["status"] == "Terminated"
    assert xinglin("contract", "templates", "-a", account)["templates"]
    late = (
        "study",
        "breach",
        TITLE,
        "--hospital",
        hospital,
        "--what",
        "other",
        "--words",
        "Late.",
        "--account",
        account,
    )
    assert xinglin(*late)["state"] == "noticed"  # what outlives the agreement
    assert xinglin("node", "agreements", "show", mine, "-f", node)["state"] == "terminated"
