"""What a connector is made of: its settings, and the ports that it is handed."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable

import msgspec

from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.wire.dsp.autopilot import Rule
from xinglin.wire.dsp.offered import POLICY_CONTEXTS
from xinglin.wire.dsp.ports import Authenticate, ConnectorStore, Decide, Offers, Present, Released

BASE = "/dsp/2025-1"
OPEN_PROCESSES = Limit("open processes of a participant", 1_000, "processes")
BEGUN_PROCESSES = Limit("processes that a participant begins within an hour", 5_000, "processes")
BEGUN_WITHIN_MS = 3_600_000


class Reach(msgspec.Struct, frozen=True):
    """How a process of the space is reached over the protocol: the settings ``dsp_…`` of a hub and of a node.

    ``address``: its public URL (empty: it is not reached). ``issuers``: DIDs whose credentials strangers may show
    (empty: members alone are let in); ``credentials``: types of which each has to be shown. ``rules``: file of
    auto-pilot rules. ``open_most``: open processes of one participant; ``begun_most``: those it begins within an hour.
    ``trial``: plain http and local addresses are called. ``issues``: types of credentials that are issued here.
    """

    address: str
    issuers: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ("Membership",)
    rules: str = ""
    open_most: int = OPEN_PROCESSES.value
    begun_most: int = BEGUN_PROCESSES.value
    trial: bool = False
    issues: tuple[str, ...] = ()


class Patience(msgspec.Struct, frozen=True):
    """How long and how often a message is sent again; back-off doubles from ``first_ms`` to ``most_ms``.

    A counterparty that says "unknown" (404) is given ``unknown_ms``, for it may answer before it has written down;
    everything else that may pass is tried for ``give_up_ms``. ``settle_ms``: how long a question about a process waits
    for a message that is under way; ``courtesy_ms``: before a first message, so that an answer arrives before it.
    """

    first_ms: int = 50
    most_ms: int = 30_000
    unknown_ms: int = 60_000
    give_up_ms: int = 24 * 3_600_000
    settle_ms: int = 2_000
    courtesy_ms: int = 10


class ConnectorSettings(msgspec.Struct, frozen=True):
    """``root``: the public URL without a path. ``strict_parties``: an agreement names its two parties exactly.

    ``any_format``: a transfer's format is not looked at (all are pulled). ``triggers``: the conformance kit's two URLs.
    ``open_most``: processes of one participant that have not ended; ``begun_most``: those that it began within an hour,
    ended or not. ``token_life_ms``: how long a token fetches data.
    ``contexts``: of messages that carry a policy.
    """

    participant: str
    root: str
    base: str = BASE
    title: str = "Xinglin"
    patience: Patience = Patience()
    strict_parties: bool = True
    any_format: bool = False
    triggers: bool = False
    token_life_ms: int = 3_600_000
    page_size: int = 100
    open_most: int = OPEN_PROCESSES.value
    begun_most: int = BEGUN_PROCESSES.value
    contexts: tuple[str, ...] = POLICY_CONTEXTS
    auth: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @property
    def provider_url(self) -> str:
        """Where the provider's endpoints lie."""
        return self.root.rstrip("/") + self.base

    @property
    def callback_url(self) -> str:
        """Where the consumer's endpoints lie."""
        return f"{self.provider_url}/callback"


class World(msgspec.Struct, frozen=True):
    """The ports of one connector, and the rules of its auto-pilot."""

    settings: ConnectorSettings
    store: ConnectorStore
    offers: Offers
    released: Released
    decide: Decide
    authenticate: Authenticate
    present: Present
    rules: tuple[Rule, ...] = ()
    clock: Clock = system_clock
    new_id: Callable[[], str] = lambda: f"urn:uuid:{uuid.uuid4()}"
    new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32)
