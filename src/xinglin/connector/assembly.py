"""A connector of the space put together: a hub's and a node's differ by the ports that they are handed, by no more."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from litestar import Router

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.addresses import check_address
from xinglin.connector.app import Connector
from xinglin.connector.dcp_door import ClaimsPolicy, ClaimsPresent, TokenDoor
from xinglin.connector.dcp_issuing import Issuer
from xinglin.connector.dcp_routes import STATUS_PATH, credential_service_routes, issuer_routes, public_routes
from xinglin.connector.dcp_wallet import Wallet
from xinglin.connector.entry_terms import CatalogueTerms
from xinglin.connector.member_door import MemberDoor
from xinglin.connector.model import ConnectorSettings, Reach, World
from xinglin.connector.sending import HttpSender
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.trust.dcp import TYPE_SCOPE
from xinglin.trust.dcp_documents import did_web
from xinglin.trust.dcp_tokens import Signer
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import ReplayStore
from xinglin.trust.registry import KeyDirectory
from xinglin.wire.dsp.autopilot import Rule, read_rules
from xinglin.wire.dsp.ports import ConnectorStore, Evidence, Offers, Released
from xinglin.wire.dsp.states import CONSUMER, PROVIDER

log = logging.getLogger("xinglin.connector")
WALLET_FILE, ISSUER_FILE = "dsp-wallet.json", "dsp-issuer.json"
BY_A_PERSON = "Held: the offer is not the published one, or its terms ask for a person's decision."
RULES = (
    Rule("REQUESTED", "agree", side=PROVIDER),
    Rule("VERIFIED", "finalize", side=PROVIDER),
    Rule("AGREED", "verify", side=CONSUMER),
    Rule("REQUESTED", "start", process="transfer", side=PROVIDER),
    Rule("REQUESTED", "hold", side=PROVIDER, reason=BY_A_PERSON),
    Rule("OFFERED", "hold", side=CONSUMER, reason=BY_A_PERSON),
)
"""What a connector does by itself, after its people's own rules; the terms are asked before each of them."""


class BadSettings(XinglinError):
    """Settings with which nobody must speak the protocol."""

    code = "connector.dsp_settings"


class Ground(msgspec.Struct, frozen=True):
    """What a connector stands on: the ports that differ between a hub and a node.

    ``entry_of``: the entry behind a data set, as a participant sees it. ``verify``: how other connectors' certificates
    are checked.
    """

    keys: PrivateKeys
    title: str
    directory: Callable[[], KeyDirectory]
    replay: ReplayStore
    store: ConnectorStore
    offers: Offers
    entry_of: Callable[[str, str], CatalogueEntry | None]
    released: Released
    evidence: Evidence
    verify: ssl.SSLContext | bool
    clock: Clock


class Assembled(msgspec.Struct, frozen=True):
    """What a process mounts, starts and stops."""

    connector: Connector
    router: Router
    sender: HttpSender
    present: ClaimsPresent
    did: str
    wallet: Wallet
    door: MemberDoor
    issuer: Issuer | None = None

    async def close(self) -> None:
        """Stop sending; what is owed, to counterparties and to the log, stays in the store."""
        try:
            await self.connector.stop()
        except XinglinError as error:
            log.warning("evidence waits for the next start: %s", error.code)
        await self.sender.close()
        self.connector.world.store.close()


def assemble(folder: Path, reach: Reach, ground: Ground) -> Assembled:
    """The connector that the settings ask for; ``BadSettings`` where they are not to be trusted."""
    root = check_reach(reach)
    sender = HttpSender.fresh(plain_http=reach.trial, private=reach.trial, verify=ground.verify)
    signer = Signer.of(ground.keys, did_web(urlsplit(root).netloc))
    policy = ClaimsPolicy(reach.credentials, frozenset(reach.issuers))
    scheme = "http" if reach.trial else "https"
    door = MemberDoor(ground.directory, signer, sender, policy, ground.replay, scheme=scheme, clock=ground.clock)
    present = ClaimsPresent(signer, tuple(TYPE_SCOPE + kind for kind in reach.credentials), ground.clock)
    world = World(
        ConnectorSettings(signer.did, root, title=ground.title, open_most=reach.open_most, begun_most=reach.begun_most),
        ground.store,
        ground.offers,
        ground.released,
        CatalogueTerms(ground.entry_of, door.proven, ground.released, ground.clock),
        door,
        present,
        (*_rules(reach), *RULES),
        ground.clock,
    )
    connector = Connector(world, sender, ground.evidence)
    wallet = Wallet(folder / WALLET_FILE)
    issuer = _issuer(folder, reach, root, door.tokens, sender) if reach.issues else None
    if issuer is not None:
        connector.chores.append(issuer.deliver)
    router = connector.mounted(
        credential_service_routes(door.tokens, wallet, policy.issuers),
        *((issuer_routes(door.tokens, issuer),) if issuer is not None else ()),
        public_routes(signer, root, issuer, also=(ground.keys.did,)),
    )
    return Assembled(connector, router, sender, present, signer.did, wallet, door, issuer)


def _issuer(folder: Path, reach: Reach, root: str, tokens: TokenDoor, sender: HttpSender) -> Issuer:
    """Our own issuer; a credential's id in the metadata is its type."""
    supported = {kind: kind for kind in reach.issues}
    path = folder / ISSUER_FILE
    return Issuer(tokens.signer, tokens.resolver, sender, root + STATUS_PATH, supported, path=path, clock=tokens.clock)


def check_reach(reach: Reach) -> str:
    """The public URL without a slash at its end; ``BadSettings`` for settings that would let anybody in."""
    root = reach.address.rstrip("/")
    check_address(root)
    parts = urlsplit(root)
    if parts.path or (parts.scheme != "https" and not reach.trial):
        raise BadSettings(
            "'dsp_address' is not https, or has a path.", remedy="Write https://name or https://name:port."
        )
    if not reach.credentials:
        raise BadSettings("'dsp_credentials' is empty: everybody would be let in.", remedy="Name what callers present.")
    for name, most in (("dsp_open_most", reach.open_most), ("dsp_begun_most", reach.begun_most)):
        if most < 1:
            raise BadSettings(f"'{name}' is below 1: nobody could ask.", remedy="Leave it out, or write a number.")
    return root


def _rules(reach: Reach) -> tuple[Rule, ...]:
    return read_rules(Path(reach.rules).read_text(encoding="utf-8")) if reach.rules else ()
