"""Hospitals and a connector from outside: one is reached at its own node, another through the hub that asks it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.e2e.foreign_connector import Foreign, free_port

from xinglin.catalogue import ColumnDescription, DataSetDescription, TableDescription
from xinglin.catalogue.entry import Listing
from xinglin.connector.asking import catalog, data_set
from xinglin.connector.opening import negotiate
from xinglin.connector.released_files import ReleasedFiles
from xinglin.evidence.entry import Entry as Leaf
from xinglin.evidence.entry import decode_entry
from xinglin.node.joining import joined_space
from xinglin.sample import generate_space
from xinglin.stores.desk import ask_desk
from xinglin.stores.log_sqlite import SqliteLogStore
from xinglin.terms.policy import Constraint, Duty, Permission, Policy
from xinglin.testing import SampleSpace
from xinglin.testing.sample_space import wait_until
from xinglin.trust.dcp_documents import did_web
from xinglin.wire.desk import DeskCall
from xinglin.wire.dsp.ports import Entry
from xinglin.wire.errors import Refused

pytestmark = pytest.mark.slow
PURPOSE = Constraint("purpose", "isA", "health-research")
ASKS = Policy((Permission("read", (PURPOSE,), (Duty("obtainEthicsApproval"),)),))
COUNTRY = Policy((Permission("read", (PURPOSE, Constraint("place", "isPartOf", ("CN",)))),))
LISTINGS = {"open": Policy((Permission("read", (PURPOSE,)),)), "ethics": ASKS, "country": COUNTRY, "records": ASKS}
CONTENT = b"year,cases\n2020,7\n"
PRODUCT = Entry("urn:foreign:x", ({"@type": "Offer", "@id": "urn:foreign:o", "permission": [{"action": "use"}]},))


class Reached:
    """The space, its two doors, and who stands outside."""

    def __init__(self, folder: Path) -> None:
        self.space = SampleSpace(folder, generate_space()[:3])
        self.folder = folder
        self.node_port, self.hub_port = free_port(), 0

    def open(self) -> None:
        """Everything runs; nobody speaks the protocol yet."""
        self.space.open()
        self.certificate = (self.space.hub_folder / "tls.crt").read_text()
        self.hub_port = int(httpx.URL(joined_space(self.space.node_folder("a")).hub_url).port or 0)
        for hospital in self.space.hospitals:
            for name, policy in LISTINGS.items():
                grade = "L2" if name == "records" else "L1"
                columns = (ColumnDescription("region", "text", "person"),)
                table = TableDescription("incidence", columns, "region", grade=grade)
                one = DataSetDescription(name, self.space.dids[hospital], f"Data set {name}", (table,), grade=grade)
                self.desk(hospital, "publish", description=msgspec.json.encode(one).decode())
                self.desk(hospital, "list", listing=msgspec.json.encode(Listing(name, policy=policy)).decode())

    def speak(self, issuer: str) -> None:
        """The hub and the first hospital's node speak the protocol from now on; the second's does not."""
        spoken = {"dsp_issuers": [issuer], "dsp_trial": True}
        hub = self.space.hub_folder
        self.space.configure("hub", dsp_address=f"https://127.0.0.1:{self.hub_port}", **spoken)
        self.space.configure(
            "a",
            dsp_address=f"https://127.0.0.1:{self.node_port}",
            dsp_port=self.node_port,
            dsp_certificate=str(hub / "tls.crt"),
            dsp_key=str(hub / "tls.key"),
            **spoken,
        )
        for who in ("hub", "a"):
            self.space.stop(who)
            self.space.start_again(who)
        wait_until(self.space.all_present, "all are back", 60)

    def desk(self, hospital: str, verb: str, **given: str) -> Any:
        folder = self.space.hub_folder if hospital == "hub" else self.space.node_folder(hospital)
        return ask_desk(folder, DeskCall(verb, given)).value

    async def cli(self, who: str, *words: str, status: int = 0) -> Any:
        folder = self.space.hub_folder if who == "hub" else self.space.node_folder(who)
        command = [sys.executable, "-m", "xinglin", "--json", "dsp", *words, "--folder", str(folder)]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said, trouble = await process.communicate()
        assert process.returncode == status, (words, said, trouble)
        return msgspec.json.decode(said) if status == 0 else (said + trouble).decode()

    def leaves(self) -> list[Leaf]:
        store = SqliteLogStore(self.space.hub_folder / "log.db")
        try:
            return [decode_entry(one) for one in store.entries(0, store.size())]
        finally:
            store.close()


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    made = Reached(tmp_path_factory.mktemp("reached"))
    try:
        made.open()
        yield made
    finally:
        made.space.close()


async def test_a_node_is_reached_and_a_hub_asks_the_hospital(reached: Reached, tmp_path: Path) -> None:
    released = ReleasedFiles(tmp_path / "foreign")
    released.put(PRODUCT.data_set, CONTENT, grade="L1", media_type="text/csv")
    async with Foreign(reached.certificate, released, (PRODUCT,), purpose="health-research") as foreign:
        await asyncio.to_thread(reached.speak, foreign.issuer.did)
        await _at_its_own_node(reached, foreign)
        await _as_consumer(reached, foreign, tmp_path / "product.csv")
        await _through_the_hub(reached, foreign)
    decided = [one for one in reached.leaves() if one.kind == "decision"]
    own = [one for one in decided if one.submitter == reached.space.dids["a"]]
    assert len(own) >= 5 and all(foreign.did not in repr(one) and "Lindqvist" not in repr(one) for one in decided)
    assert any("ground" in one.commitments for one in own)
    # The other hospital's own word about what the hub held for it: a leaf of its own for each answer.
    assert len([one for one in decided if one.submitter == reached.space.dids["b"]]) == 2


async def _at_its_own_node(reached: Reached, foreign: Foreign) -> None:
    """The first hospital as provider at its own door: agreed by itself, held, accepted, refused."""
    port, did = reached.node_port, did_web(f"127.0.0.1:{reached.node_port}")
    address = f"https://127.0.0.1:{port}/dsp/2025-1"
    listed = [one["@id"].rpartition("#")[2] async for one in catalog(foreign.sender, foreign.present, did, address)]
    assert sorted(listed) == sorted(LISTINGS)
    assert not await _asked(foreign, did, address, f"{reached.space.dids['b']}#open")
    pid = await _asked(foreign, did, address, f"{reached.space.dids['a']}#open")
    await foreign.until(pid, lambda one: one.state == "FINALIZED")
    # Held for a person; the ground is what the duty asks for.
    pid = await _asked(foreign, did, address, f"{reached.space.dids['a']}#ethics")
    held = await _held(reached, "a", "ethics")
    assert "obtainEthicsApproval" in held["trouble"]
    await reached.cli("a", "accept", held["pid"], "--by", "Dr Lindqvist", "--ground", "", status=1)
    told = await reached.cli("a", "accept", held["pid"], "--by", "Dr Lindqvist", "--ground", "Resolution 2026-14")
    assert told["agreement"]
    await foreign.until(pid, lambda one: one.state == "FINALIZED")
    shown = await reached.cli("a", "show", held["pid"])
    assert shown["answer"]["by"] == "Dr Lindqvist" and shown["answer"]["ground"] == "Resolution 2026-14"
    await reached.cli("a", "accept", held["pid"], "--by", "Dr Lindqvist", "--ground", "again", status=1)
    # A fact that nobody proved: without a person's word, or with a wrong one, the terms still deny.
    pid = await _asked(foreign, did, address, f"{reached.space.dids['a']}#country")
    held = await _held(reached, "a", "country")
    for fact in ((), ("--fact", "place=DE"), ("--fact", "dateTime=2020-01-01T00:00:00Z"), ("--fact", "plaice=CN")):
        said = await reached.cli("a", "accept", held["pid"], "--by", "Lindqvist", "--ground", "seen", *fact, status=1)
        assert (await reached.cli("a", "show", held["pid"]))["state"] == "REQUESTED", said
    await reached.cli("a", "accept", held["pid"], "--by", "Lindqvist", "--ground", "seen", "--fact", "place=CN-SH")
    await foreign.until(pid, lambda one: one.state == "FINALIZED")
    # Records of grade L2 are nobody's to hand out, whoever agrees; a refusal ends it.
    pid = await _asked(foreign, did, address, f"{reached.space.dids['a']}#records")
    held = await _held(reached, "a", "records")
    said = await reached.cli("a", "accept", held["pid"], "--by", "Lindqvist", "--ground", "seen", status=1)
    assert "L2" in said
    await reached.cli("a", "refuse", held["pid"], "--reason", "These are used where they lie.")
    await foreign.until(pid, lambda one: one.state == "TERMINATED")


async def _as_consumer(reached: Reached, foreign: Foreign, file: Path) -> None:
    """The first hospital as consumer: it negotiates with, and fetches from, the connector outside."""
    address = f"http://127.0.0.1:{foreign.port}/dsp/2025-1"
    row = await reached.cli("a", "negotiate", foreign.did, address, PRODUCT.data_set)
    end = time.monotonic() + 60
    while (found := await reached.cli("a", "show", row["pid"]))["state"] != "FINALIZED":
        assert time.monotonic() < end, found
    told = await reached.cli("a", "fetch", found["agreement"], str(file), "--trial")
    assert told["bytes"] == len(CONTENT) and file.read_bytes() == CONTENT


async def _through_the_hub(reached: Reached, foreign: Foreign) -> None:
    """The second hospital does not speak the protocol: what the hub holds for it it is asked, and answered there."""
    did = did_web(f"127.0.0.1:{reached.hub_port}")
    address, hospital = f"https://127.0.0.1:{reached.hub_port}/dsp/2025-1", reached.space.dids["b"]
    pid = await _asked(foreign, did, address, f"{hospital}#ethics")
    held = await _held(reached, "b", "ethics", "HELD")
    at_hub = await _held(reached, "hub", "ethics")
    assert at_hub["pid"] == held["pid"]
    for verb in ("dsp-accept", "dsp-refuse"):
        with pytest.raises(Refused) as refused:  # the hub answers in nobody's name
            reached.desk("hub", verb, pid=held["pid"], by="operator", ground="because")
        assert refused.value.reasons[0].code == "dsp.not_yours"
    with pytest.raises(Refused):  # what is proven to the hub counts for nothing at the hospital
        reached.desk("b", "dsp-accept", pid=held["pid"], by="Lindqvist", ground="Resolution 3")
    with pytest.raises(Refused):  # another hospital's question
        reached.desk("a", "dsp-accept", pid=held["pid"], by="Lindqvist", ground="Resolution 3")
    reached.space.stop("b")  # a node that was away hears it again
    reached.space.start_again("b")
    held = await _held(reached, "b", "ethics", "HELD")
    shown = await reached.cli("b", "show", held["pid"])
    assert shown["offer"]["target"] == f"{hospital}#ethics" and any(
        "purpose=" in one for one in shown["proven_to_the_hub"]
    )
    fact = ("--fact", "purpose=health-research")
    await reached.cli("b", "accept", held["pid"], "--by", "Lindqvist", "--ground", "Resolution 3", *fact)
    await foreign.until(pid, lambda one: one.state == "FINALIZED")
    wait_until(lambda: not reached.desk("b", "dsp-list"), "the question is over")
    answered = await reached.cli("hub", "show", held["pid"])
    assert answered["answer"]["ground"] == "Resolution 3"
    pid = await _asked(foreign, did, address, f"{hospital}#records")
    held = await _held(reached, "b", "records", "HELD")
    await reached.cli("b", "refuse", held["pid"], "--reason", "These are used where they lie.")
    await foreign.until(pid, lambda one: one.state == "TERMINATED")


async def _asked(foreign: Foreign, did: str, address: str, name: str) -> str:
    """A negotiation for the published offer of a data set; "" where the catalog does not show it."""
    listed = {one["@id"] async for one in catalog(foreign.sender, foreign.present, did, address)}
    if name not in listed:
        return ""
    found = await data_set(foreign.sender, foreign.present, did, address, name)
    offer = found["hasPolicy"][0]
    rules = {key: value for key, value in offer.items() if key not in ("@id", "@type")}
    return (await negotiate(foreign.connector.desk, did, address, name, offer["@id"], rules)).pid


async def _held(reached: Reached, who: str, name: str, state: str = "REQUESTED") -> Any:
    """What waits for a person there, as soon as it does."""
    end = time.monotonic() + 60
    while True:
        rows = await asyncio.to_thread(reached.desk, who, "dsp-list")
        found = [one for one in rows if one["data_set"].endswith(f"#{name}") and one["state"] == state]
        if found:
            return found[-1]
        assert time.monotonic() < end, rows
        await asyncio.sleep(0.05)
