"""A sample space with an ethics committee: persons of several institutions, a charter in the log, one application.

Each method is one human step of the path from application to approval, done as that person's own tool does it.
"""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.access.committee import Charter, sign_charter
from xinglin.access.form import (
    Form,
    Member,
    SafeData,
    SafeOutputs,
    SafePeople,
    SafeProject,
    SafeSettings,
)
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.kernel.instants import system_clock
from xinglin.node.joining import open_node_keys
from xinglin.sdk import Space, enrol
from xinglin.sdk.access import Access
from xinglin.sdk.enrolment import registration_of_person, vouched
from xinglin.stores.desk import ask_desk
from xinglin.terms.agreed import CohortView
from xinglin.testing.sample_space import DATA_SET, TABLE, SampleSpace, wait_until
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.access import ApplicationView
from xinglin.wire.approvals import approval_leaf
from xinglin.wire.desk import DeskCall
from xinglin.witness.founding import open_witness_keys

COMMITTEE = "committee-heart"
DAY_MS = 24 * 3600 * 1000


class ReviewSpace:
    """Persons of ``space``: ``person(name, hospital)`` joins one, ``found_committee`` seats some of them."""

    def __init__(self, space: SampleSpace) -> None:
        self.space = space
        self.people: dict[str, Space] = {}

    def person(self, name: str, hospital: str = "") -> Space:
        """A person whom a hospital vouches for; without one, of the researcher's institution."""
        keys = open_node_keys(self.space.node_folder(hospital)) if hospital else self.space.sdk.account.keys
        folder = self.space.folder / f"person-{name}"
        role = "person" if hospital else "consumer"
        registration = registration_of_person(folder, name, keys.did, role)
        account = enrol(self.space.invite(role), folder, name, registration=vouched(registration, keys))
        self.people[name] = Space(account, quiet=True)
        return self.people[name]

    def access(self, name: str = "") -> Access:
        """A person's calls, or the researcher's."""
        return Access(self.people[name] if name else self.space.sdk)

    def found_committee(
        self, members: Sequence[str], chair: str, *, quorum: int = 3, majority: str = "half"
    ) -> Charter:
        """The regulator charters a committee of these persons."""
        dids = tuple(sorted(self.people[name].account.did for name in members))
        chairs = (self.people[chair].account.did,)
        charter = Charter(COMMITTEE, "Heart committee", dids, chairs, quorum, majority, system_clock())
        regulator = open_witness_keys(self.space.witness_folder)
        self.submit(regulator, "approval", approval_leaf("committee", sign_charter(regulator, charter)))
        wait_until(lambda: self.access().committee_list(), "the committee is listed")
        return charter

    def submit(self, keys: PrivateKeys, kind: str, body: dict[str, object]) -> None:
        """Put a leaf into the log under somebody's own signature."""
        origin = self.space.sdk.account.space.origin
        entry = Entry(kind=kind, at=system_clock(), submitter=keys.did, body=body)
        with self.space.http() as client:
            data = sign_batch([entry], origin, keys.did, keys.sign).to_bytes()
            client.post("/submit", content=data).raise_for_status()

    def form(self, title: str, columns: Sequence[str], *, days: float = 365) -> Form:
        """A complete application for these columns at every hospital."""
        now = system_clock()
        did = self.space.sdk.account.did
        return Form(
            project=SafeProject(
                title=title,
                summary="A cross-sectional study of strain and heart disease.",
                plain_summary="We count who has heart disease.",
                benefit="Better care of the heart.",
                purpose="health-research",
                basis="permit",
                funding="none",
                begins=now,
                ends=now + round(days * DAY_MS),
            ),
            people=SafePeople(did, (Member(did, "investigator", now + 30 * DAY_MS),)),
            data=SafeData(
                data_set=DATA_SET,
                cohort=(CohortView(TABLE, f"SELECT {', '.join(columns)} FROM {TABLE}"),),  # noqa: S608 - our own words
                variables=tuple(sorted(f"{TABLE}.{column}" for column in columns)),
                hospitals=tuple(sorted(self.space.dids.values())),
                justification="These columns are in the model, and no other.",
            ),
            settings=SafeSettings(retention_days=365, security="keys stay in the institute"),
            outputs=SafeOutputs(types=("statistic",), publication="an open journal"),
            committees=(COMMITTEE,),
        )

    def accept(self, application: str) -> ApplicationView:
        """The operator accepts an application."""
        import msgspec

        answer = ask_desk(self.space.hub_folder, DeskCall("access-accept", {"id": application}))
        return msgspec.convert(answer.value, ApplicationView)

    def close(self) -> None:
        """Close every person's session."""
        for one in self.people.values():
            one.close()
