"""The conformance profile: what the official kit (and any test like it) finds when it knocks.

Seeded data sets and agreements with the kit's ids, the kit's literal header, and one file of auto-pilot rules. The
agreements are with ``TCK_PARTICIPANT`` and finalized; each has a small item of grade L1 to be fetched.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec

from xinglin.connector.app import Connector
from xinglin.connector.catalog import ListedOffers
from xinglin.connector.model import ConnectorSettings, World
from xinglin.connector.released_files import ReleasedFiles
from xinglin.connector.sending import HttpSender
from xinglin.connector.trusting import KeptNotes, LiteralHeader, LiteralHeaders, UnsafeAllowEverything
from xinglin.kernel.instants import to_text
from xinglin.wire.dsp.autopilot import Rule, read_rules
from xinglin.wire.dsp.messages import HERE
from xinglin.wire.dsp.policies import agreement_of
from xinglin.wire.dsp.ports import ConnectorStore, ContractRow, Entry
from xinglin.wire.dsp.states import CONSUMER, PROVIDER

PEER = "TCK_PARTICIPANT"
SELF = "CONNECTOR_UNDER_TEST"
_GROUPS = {"ACN": (4, 7, 4), "ACNC": (4, 6, 6), "ATP": (5, 5, 6), "ATPC": (5, 5, 6)}
CATALOG_IDS = ("CAT0101", "CAT0102")


def ids(group: str) -> tuple[str, ...]:
    """The kit's ids of a group.

    >>> ids("ACN")[:5]
    ('ACN0101', 'ACN0102', 'ACN0103', 'ACN0104', 'ACN0201')
    """
    return tuple(
        f"{group}{part:02}{number:02}"
        for part, most in enumerate(_GROUPS[group], start=1)
        for number in range(1, most + 1)
    )


def offer_id(data_set: str) -> str:
    """The kit's id of a data set's offer."""
    return f"CD123:{data_set}:456"


def tck_rules() -> tuple[Rule, ...]:
    """The packaged rule file."""
    return read_rules((files("xinglin.connector") / "tck_rules.toml").read_text(encoding="utf-8"))


def tck_settings(root: str, participant: str = SELF) -> ConnectorSettings:
    """Open to the kit: agreements between any names, any format, two triggers, and no context that it would fetch."""
    return ConnectorSettings(participant, root, strict_parties=False, any_format=True, triggers=True, contexts=HERE)


def tck_connector(
    settings: ConnectorSettings, store: ConnectorStore, folder: Path, authorization: str = ""
) -> Connector:
    """The connector of the profile; ``authorization`` is the kit's literal header ("": none is needed)."""
    released = ReleasedFiles(folder)
    seed(store, released, settings.participant)
    offered = (*CATALOG_IDS, *ids("ACN"), *ids("ACNC"), *ids("ATP"))
    world = World(
        settings,
        store,
        ListedOffers(_entry(data_set) for data_set in offered),
        released,
        UnsafeAllowEverything(),
        LiteralHeaders({authorization: PEER}),
        LiteralHeader(authorization),
        tck_rules(),
    )
    return Connector(world, HttpSender.fresh(plain_http=True, private=True), KeptNotes())


def seed(store: ConnectorStore, released: ReleasedFiles, participant: str) -> None:
    """The kit's agreements, finalized, and an item for each."""
    for group, side in (("ATP", PROVIDER), ("ATPC", CONSUMER)):
        for agreement in ids(group):
            offer = {"@type": "Offer", "@id": offer_id(agreement), "target": agreement, **_RULES}
            assigner, assignee = (participant, PEER) if side == PROVIDER else (PEER, participant)
            document = agreement_of(offer, id_=agreement, assigner=assigner, assignee=assignee, timestamp=to_text(0))
            encoded = msgspec.json.encode(document)
            store.put_contract(ContractRow(agreement, side, PEER, agreement, "FINALIZED", encoded))
            if side == PROVIDER:
                released.put(agreement, f"{agreement},1\n".encode() * 1_000, grade="L1", media_type="text/csv")


_RULES = {"permission": [{"action": "use"}]}


def _entry(data_set: str) -> Entry:
    offer = {"@type": "Offer", "@id": offer_id(data_set), **_RULES}
    return Entry(data_set, (offer,))
