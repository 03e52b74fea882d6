"""The demo's people beside the researcher: an ethics committee, and two who look at a hospital's results.

All of them are fictional. Each step is done as that person's own tool does it, with keys of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from xinglin.access.committee import Charter, sign_charter
from xinglin.cli.local_space import DidNotStart, LocalSpace
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.kernel.instants import system_clock
from xinglin.node.joining import open_node_keys
from xinglin.sdk.access import Access
from xinglin.sdk.enrolment import enrol, registration_of_person, vouched
from xinglin.sdk.space import Space
from xinglin.stores.desk import ask_desk
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.approvals import approval_leaf
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused
from xinglin.witness.founding import open_witness_keys

COMMITTEE = "committee-cardiology"
COMMITTEE_NAME = "心血管伦理委员会 Cardiology ethics committee (fictional)"
_WAIT_S = 30.0


class Person(msgspec.Struct, frozen=True):
    """A fictional person: a short key, a name, and the hospital that vouches for them."""

    key: str
    name: str
    hospital: str


MEMBERS = (
    Person("chen", "陈慧 Chen Hui (fictional)", "university"),
    Person("zhou", "周明 Zhou Ming (fictional)", "county"),
    Person("he", "何静 He Jing (fictional)", "heartcentre"),
)
"""The committee; the first one is its chair."""
REVIEWERS = (
    Person("wu", "吴桐 Wu Tong (fictional)", "university"),
    Person("song", "宋岚 Song Lan (fictional)", "university"),
)
"""Two of one hospital who look at results before they leave."""


class People:
    """Persons of a local space, each with an account of their own under its folder."""

    def __init__(self, local: LocalSpace) -> None:
        self.local = local
        self.spaces: dict[str, Space] = {}

    def join(self, person: Person) -> Space:
        """A person enrols, vouched for by their hospital."""
        keys = open_node_keys(self.local.node_folder(person.hospital))
        folder = self.local.folder / f"person-{person.key}"
        registration = vouched(registration_of_person(folder, person.name, keys.did), keys)
        account = enrol(self.local.invite("person"), folder, person.name, registration=registration)
        self.spaces[person.key] = Space(account, quiet=True)
        return self.spaces[person.key]

    def access(self, person: Person) -> Access:
        """The access process as this person sees it."""
        return Access(self.spaces[person.key])

    def found_committee(self, members: Sequence[Person] = MEMBERS) -> Charter:
        """The members join, and the regulator charters them; the first one chairs."""
        for person in members:
            self.join(person)
        dids = [self.spaces[person.key].account.did for person in members]
        made = system_clock()
        charter = Charter(COMMITTEE, COMMITTEE_NAME, tuple(sorted(dids)), (dids[0],), len(dids), "half", made)
        regulator = open_witness_keys(self.local.witness_folder)
        self.submit(regulator, "approval", approval_leaf("committee", sign_charter(regulator, charter)))
        access = self.access(members[0])
        _until(lambda: bool(access.committee_list()), "the committee was not listed")
        return charter

    def appoint(self, reviewers: Sequence[Person] = REVIEWERS) -> None:
        """Each reviewer joins and is appointed by their hospital, once its own log knows them."""
        for person in reviewers:
            did = self.join(person).account.did
            folder = self.local.node_folder(person.hospital)
            _until(partial(_appointed, folder, did), "a reviewer was not appointed")

    def submit(self, keys: PrivateKeys, kind: str, body: dict[str, object]) -> None:
        """Put a leaf into the log under somebody's own signature."""
        space = self.local.founded()
        entry = Entry(kind=kind, at=system_clock(), submitter=keys.did, body=body)
        batch = sign_batch([entry], space.origin, keys.did, keys.sign)
        with self.local.http() as client:
            client.post("/submit", content=batch.to_bytes()).raise_for_status()

    def close(self) -> None:
        """Close every person's session."""
        for one in self.spaces.values():
            one.close()


def _appointed(folder: Path, did: str) -> bool:
    try:
        return bool(ask_desk(folder, DeskCall("extract-reviewers", {"appoint": did})).value)
    except Refused as refused:
        if refused.codes != ("access.not_of_the_hospital",):
            raise
        return False


def _until(holds: Callable[[], bool], words: str) -> None:
    end = time.monotonic() + _WAIT_S
    while not holds():
        if time.monotonic() > end:
            raise DidNotStart(f"Within {_WAIT_S:g} s {words}.")
        time.sleep(0.02)
