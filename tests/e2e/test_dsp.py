"""A hub in its own process, and a connector from outside that finds, negotiates, and is answered as the terms say."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.e2e.foreign_connector import Foreign, free_port

from xinglin.catalogue import ColumnDescription, DataSetDescription, TableDescription
from xinglin.catalogue.entry import Listing
from xinglin.connector.asking import catalog, data_set
from xinglin.connector.opening import negotiate, transfer
from xinglin.connector.released_files import ReleasedFiles
from xinglin.evidence.entry import decode_entry
from xinglin.kernel.instants import system_clock
from xinglin.stores.desk import ask_desk
from xinglin.stores.log_sqlite import SqliteLogStore
from xinglin.stores.tls import client_context
from xinglin.terms.policy import Constraint, Duty, Permission, Policy
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.dcp_documents import did_web
from xinglin.trust.dcp_tokens import Signer, issue_id_token
from xinglin.wire.desk import DeskCall
from xinglin.wire.dsp.ports import Entry


def research(*more: Constraint, duties: tuple[Duty, ...] = ()) -> Policy:
    return Policy(permissions=(Permission("read", (Constraint("purpose", "isA", "health-research"), *more), duties),))


LISTINGS = (
    Listing("open", policy=research()),
    Listing("ethics", policy=research(duties=(Duty("obtainEthicsApproval"),))),
    Listing("over", policy=research(Constraint("dateTime", "lt", "2020-01-01T00:00:00Z"))),
    Listing("records", policy=research()),
    Listing("secret", policy=research(), restricted=True, audience=()),
    Listing("bare"),
)


CONTENT = b"".join(b"%d,%d\n" % (year, year * 7) for year in range(1900, 3000))
PRODUCT = Entry(
    "urn:foreign:incidence", ({"@type": "Offer", "@id": "urn:foreign:offer", "permission": [{"action": "use"}]},)
)


def described(name: str, node: str) -> DataSetDescription:
    grade = "L2" if name == "records" else "L1"
    columns = (ColumnDescription("region", "text", "person"), ColumnDescription("cases", "number"))
    table = TableDescription("incidence", columns, "region", grade=grade)
    return DataSetDescription(name, node, f"Data set {name}", (table,), grade=grade)


class HubProcess:
    """``xinglin hub run`` with its connector switched on."""

    def __init__(self, folder: Path, issuer: str) -> None:
        self.folder, self.port = folder, free_port()
        self.root = f"https://127.0.0.1:{self.port}"
        self.did, self.address = did_web(f"127.0.0.1:{self.port}"), f"{self.root}/dsp/2025-1"
        told = {"DSP_ADDRESS": self.root, "DSP_ISSUERS": issuer, "DSP_TRIAL": "true", "DSP_OPEN_MOST": "4"}
        command = [sys.executable, "-m", "xinglin", "hub", "run", "--folder", str(folder), "--port", str(self.port)]
        environ = os.environ | {f"XINGLIN_HUB_{name}": value for name, value in told.items()}
        self._process = subprocess.Popen(command, env=environ)

    async def ready(self, client: httpx.AsyncClient) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                found = await client.get(f"{self.root}/.well-known/dspace-version")
                assert found.json()["protocolVersions"][0]["path"] == "/dsp/2025-1"
                return
            except httpx.TransportError:
                assert self._process.poll() is None and time.monotonic() < end
                time.sleep(0.1)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0


async def test_a_foreign_connector_is_answered_as_the_terms_say(tmp_path: Path) -> None:
    async with OpenHub(tmp_path) as founded:
        node, member = (await founded.member("provider")).did, await founded.member()
        data_sets = tuple(described(one.data_set, node) for one in LISTINGS)
        await founded.hub.publish(node, msgspec.json.encode(data_sets), msgspec.json.encode(LISTINGS))
        certificate = founded.space.certificate_pem
    released = ReleasedFiles(tmp_path / "foreign")
    released.put(PRODUCT.data_set, CONTENT, grade="L1", media_type="text/csv")
    async with Foreign(certificate, released, (PRODUCT,), purpose="health-research") as foreign:
        hub = HubProcess(tmp_path / "hub", foreign.issuer.did)
        try:
            async with httpx.AsyncClient(verify=client_context(certificate), trust_env=False) as client:
                await hub.ready(client)
                await _strangers_and_members(client, hub, foreign, Signer.of(member))
                await _unknown_and_restricted_are_one(client, hub, foreign, node)
                await _negotiations(client, hub, foreign, node)
                await _fetched(hub, foreign, tmp_path / "product.csv")
                await _limit(client, hub, foreign, node)
        finally:
            hub.stop()
    store = SqliteLogStore(tmp_path / "hub" / "log.db")
    leaves = [decode_entry(one) for one in store.entries(0, store.size())]
    store.close()
    concluded = [one for one in leaves if one.kind == "decision"]
    assert len(concluded) == 3 and all(set(one.commitments) >= {"what", "state", "participant"} for one in concluded)
    assert foreign.did not in repr(concluded) and node not in repr(concluded)


async def _strangers_and_members(client: httpx.AsyncClient, hub: HubProcess, foreign: Foreign, member: Signer) -> None:
    """Nobody hears nothing; a member is known by the key in the log; one key opens no door twice."""
    url, body = f"{hub.address}/catalog/request", {"@context": [], "@type": "CatalogRequestMessage"}
    body["@context"] = ["https://w3id.org/dspace/2025/1/context.jsonld"]
    assert (await client.post(url, json=body)).status_code == 401
    header = {"authorization": f"Bearer {issue_id_token(member, hub.did, system_clock())}"}
    found = await client.post(url, json=body, headers=header)
    assert found.status_code == 200 and len(found.json()["dataset"]) == 4, found.text
    assert (await client.post(url, json=body, headers=header)).status_code == 401
    listed = [one["@id"] async for one in catalog(foreign.sender, foreign.present, hub.did, hub.address)]
    assert [one.rpartition("#")[2] for one in listed] == ["ethics", "open", "over", "records"]


async def _unknown_and_restricted_are_one(
    client: httpx.AsyncClient, hub: HubProcess, foreign: Foreign, node: str
) -> None:
    found = []
    for name in ("secret", "nothing", "bare"):
        url = f"{hub.address}/catalog/datasets/{node}%23{name}"
        answer = await client.get(url, headers={"authorization": await foreign.present(hub.did, url)})
        found.append((answer.status_code, answer.json()))
    assert found[0] == found[1] == found[2] and found[0][0] == 404, found


async def _ask(hub: HubProcess, foreign: Foreign, data_set_id: str) -> str:
    found = await data_set(foreign.sender, foreign.present, hub.did, hub.address, data_set_id)
    offer = found["hasPolicy"][0]
    rules = {name: value for name, value in offer.items() if name not in ("@id", "@type")}
    row = await negotiate(foreign.connector.desk, hub.did, hub.address, data_set_id, offer["@id"], rules)
    return row.pid


async def _negotiations(client: httpx.AsyncClient, hub: HubProcess, foreign: Foreign, node: str) -> None:
    pid = await _ask(hub, foreign, f"{node}#open")
    row = await foreign.until(pid, lambda one: one.state == "FINALIZED")
    asked = await transfer(foreign.connector.desk, hub.did, hub.address, row.agreement, "HttpData-PULL")
    ended = await foreign.until(asked.pid, lambda one: one.state == "TERMINATED")
    assert "403" in ended.trouble
    ended = await foreign.until(await _ask(hub, foreign, f"{node}#over"), lambda one: one.state == "TERMINATED")
    assert "403" in ended.trouble
    held = []
    for name in ("ethics", "records"):
        held.append(await _ask(hub, foreign, f"{node}#{name}"))
        await foreign.until(held[-1], lambda one: one.state == "REQUESTED")
    rows = ask_desk(hub.folder, DeskCall("dsp-list", {"kind": "negotiation"})).value
    troubles = {one["data_set"].rpartition("#")[2]: one["trouble"] for one in rows if one["state"] == "REQUESTED"}
    assert "obtainEthicsApproval" in troubles["ethics"] and "grade L2" in troubles["records"], troubles
    shown = next(one for one in rows if one["data_set"].endswith("#ethics"))
    ask_desk(hub.folder, DeskCall("dsp-terminate", {"pid": shown["pid"], "reason": "The committee said no."}))
    await foreign.until(held[0], lambda one: one.state == "TERMINATED")


async def _fetched(hub: HubProcess, foreign: Foreign, file: Path) -> None:
    """The hub as consumer, by its operator's verbs."""
    address = f"http://127.0.0.1:{foreign.port}/dsp/2025-1"
    row = await _verb(hub, "negotiate", foreign.did, address, PRODUCT.data_set)
    end = time.monotonic() + 60
    while (found := await _verb(hub, "show", row["pid"]))["state"] != "FINALIZED":
        assert time.monotonic() < end, found
    told = await _verb(hub, "fetch", found["agreement"], str(file), "--trial")
    assert told["bytes"] == len(CONTENT) and file.read_bytes() == CONTENT


async def _verb(hub: HubProcess, *words: str) -> Any:
    command = [sys.executable, "-m", "xinglin", "--json", "dsp", *words, "--folder", str(hub.folder)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0, (words, said)
    return msgspec.json.decode(said)


async def _limit(client: httpx.AsyncClient, hub: HubProcess, foreign: Foreign, node: str) -> None:
    """One more than the operator's limit of open processes (four; one is held already) is refused."""
    found = await data_set(foreign.sender, foreign.present, hub.did, hub.address, f"{node}#records")
    offer = found["hasPolicy"][0] | {"target": f"{node}#records"}
    url, statuses = f"{hub.address}/negotiations/request", []
    for number in range(4):
        message = {
            "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
            "@type": "ContractRequestMessage",
            "consumerPid": f"urn:uuid:many-{number}",
            "offer": offer,
            "callbackAddress": f"http://127.0.0.1:{foreign.port}/dsp/2025-1/callback",
        }
        header = {"authorization": await foreign.present(hub.did, url)}
        answer = await client.post(url, json=message, headers=header)
        statuses.append(answer.status_code)
    assert statuses == [201, 201, 201, 429] and answer.json()["code"] == "dsp.too_many_open", statuses
