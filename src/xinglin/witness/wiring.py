"""Builds the witness from its folder and settings: the only place that constructs its store."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import msgspec
from litestar import Litestar

from xinglin.evidence.notes import ED25519_COSIGNATURE, Signer, VerifierKey, parse_vkey
from xinglin.evidence.replica import FollowedLog
from xinglin.evidence.witnessing import Execution, Witness
from xinglin.kernel.instants import Clock, system_clock
from xinglin.stores.blind_ledger import BlindLedger
from xinglin.stores.log_fetch import BundleReader, check_url
from xinglin.stores.replica_sqlite import SqliteReplicaStore
from xinglin.stores.tls import client_context
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.policy import cosigner
from xinglin.wire.space import Space
from xinglin.witness.admission import Admission
from xinglin.witness.app import witness_app
from xinglin.witness.blind_routes import blind_handlers, witness_keeper
from xinglin.witness.founding import REPLICA_FILE, followed_space, open_witness_keys
from xinglin.witness.settings import WitnessSettings


class WitnessParts(msgspec.Struct, frozen=True):
    """What ``main`` starts and stops."""

    witness: Witness
    app: Litestar
    store: SqliteReplicaStore
    ledger: BlindLedger
    client: httpx.AsyncClient
    hub_url: str


def build_witness(
    folder: Path,
    settings: WitnessSettings,
    passphrase: str = "",
    clock: Clock = system_clock,
    execution: Execution | None = None,
) -> WitnessParts:
    """All parts, connected; nothing runs yet. Raises ``NotFollowing``, ``UnsafeUrl``, ``LogCorrupt``."""
    space = followed_space(folder)
    hub_url = check_url(space.hub_url, plain_loopback=settings.plain_http)
    store = SqliteReplicaStore(folder / REPLICA_FILE, space.origin)
    keys = open_witness_keys(folder, passphrase)
    admission = Admission(space, store)
    witness = Witness(
        FollowedLog(space.origin, (parse_vkey(space.log_vkey),)),
        witness_signers(keys),
        store,
        clock,
        merge_delay_ms=round(settings.merge_delay_s * 1000),
        execution=execution,
        admit=admission,
    )
    client = _client(space, hub_url, settings)
    ledger = BlindLedger.in_folder(folder)
    keeper = witness_keeper(keys, folder, admission, ledger, settings.match_studies, clock, os.urandom, settings.quota)
    calls = blind_handlers(keeper, witness, keys)
    app = witness_app(witness, BundleReader(hub_url, client).fetch, calls)
    return WitnessParts(witness, app, store, ledger, client, hub_url)


def witness_signers(keys: PrivateKeys) -> tuple[Signer, ...]:
    """The participant's cosigners under its DID: ML-DSA-44 first, then Ed25519 for tools that know no other."""
    plain = VerifierKey(keys.did, ED25519_COSIGNATURE, keys.public.ed25519)
    return cosigner(keys), Signer(plain, keys.sign_note_ed25519)


def _client(space: Space, hub_url: str, settings: WitnessSettings) -> httpx.AsyncClient:
    ca = Path(settings.hub_ca) if settings.hub_ca else None
    verify = client_context(space.certificate_pem, ca) if hub_url.startswith("https:") else True
    return httpx.AsyncClient(
        verify=verify, timeout=settings.fetch_s, proxy=settings.proxy or None, trust_env=False, follow_redirects=False
    )
