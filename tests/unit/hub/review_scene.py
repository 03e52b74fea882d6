"""The real hub in this process, with hospitals, a committee of their people, and an applicant; nobody uses a socket."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Self

import httpx
import msgspec
from msgspec.structs import replace
from tests.unit.access.people import FORM

from xinglin.access.application import Act, Decide, Deed, Submit, sign_act
from xinglin.access.approval import Resolution, sign_end, sign_notice, sign_resolution
from xinglin.access.clocks import DAY_MS
from xinglin.access.committee import Charter, sign_charter
from xinglin.access.form import Form, Member, agreed_terms
from xinglin.access.review import Motion, ballot_of, cast_vote, scope_of, sign_motion, unseal_opening
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.hub.founding import founded_space
from xinglin.hub.settings import HubSettings
from xinglin.hub.wiring import build_hub
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register, vouch
from xinglin.wire.access import (
    ActCall,
    ApplicationView,
    EndingCall,
    EndingDone,
    MotionCall,
    MotionView,
    ResolutionCall,
    Resolved,
    VoteCall,
)
from xinglin.wire.approvals import approval_leaf
from xinglin.wire.calls import EnrolCall
from xinglin.witness.founding import open_witness_keys

VOTERS = ("chair", "deputy", "third")


class CopiedHub(OpenHub):
    """The hub of a folder that was founded before, in a folder of its own."""

    def __init__(self, template: Path, folder: Path) -> None:
        super().__init__(folder)
        shutil.copytree(template, folder, dirs_exist_ok=True)

    async def __aenter__(self) -> Self:
        self.space = founded_space(self._folder / "hub")
        self.parts = build_hub(self._folder / "hub", HubSettings(), clock=self.clock)
        self.hub = self.parts.hub
        await self.hub.log.start()
        self.hub.members.catch_up()
        transport = httpx.ASGITransport(self.parts.app, raise_app_exceptions=False)  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url=self.space.hub_url)
        return self


class Scene:
    """``people``: keys by name. Every method is one person's step, as their tool would do it."""

    def __init__(self, hub: OpenHub, before: Scene | None = None) -> None:
        self.open = hub
        self.hub, self.desk, self.reviews = hub.hub, hub.hub.access, hub.hub.reviews
        self.people: dict[str, PrivateKeys] = dict(before.people) if before else {}
        self.charter: Charter | None = before.charter if before else None

    async def fill(self) -> None:
        """Three hospitals, an institute, their people, and a chartered committee."""
        for name in ("north", "south", "east"):
            self.people[name] = await self.open.member("provider")
        self.people["institute"] = await self.open.member("consumer")
        for name, home in (("chair", "north"), ("deputy", "south"), ("third", "east"), ("colleague", "institute")):
            await self.person(name, home)
        await self.person("researcher", "institute", "consumer")
        members = tuple(sorted(self.people[name].did for name in (*VOTERS, "colleague")))
        chairs = tuple(sorted(self.people[name].did for name in ("chair", "deputy")))
        await self.chartered(Charter("committee-heart", "Heart committee", members, chairs, 3, "half", self.now))

    @property
    def now(self) -> int:
        return self.open.clock()

    @property
    def regulator(self) -> PrivateKeys:
        return open_witness_keys(self.open._folder / "witness")

    async def person(self, name: str, home: str, role: str = "person") -> None:
        """Somebody for whom an institution vouches."""
        keys = PrivateKeys.generate(os.urandom)
        roles = () if role == "person" else (role,)
        registration = vouch(register(keys, name, roles, self.people[home].did), self.people[home])
        secret = self.hub.members.invite(role).secret
        await self.hub.members.enrol(EnrolCall(secret, msgspec.json.encode(registration)))
        self.people[name] = keys

    async def chartered(self, charter: Charter) -> None:
        await self.leaf("approval", "committee", sign_charter(self.regulator, charter), self.regulator)
        self.charter = charter

    async def leaf(self, kind: str, what: str, signed: object, by: PrivateKeys) -> None:
        """A leaf that somebody submits past the desk."""
        body = approval_leaf(what, signed)  # type: ignore[arg-type]
        entry = Entry(kind=kind, at=self.now, submitter=by.did, body=body)
        await self.hub.append_batch(sign_batch([entry], self.open.space.origin, by.did, by.sign).to_bytes())

    # --- the application -------------------------------------------------------------------------

    def form(self, **change: object) -> Form:
        project = replace(FORM.project, begins=self.now, ends=self.now + 365 * DAY_MS)
        member = Member(self.people["researcher"].did, "investigator", self.now + 300 * DAY_MS)
        people = replace(FORM.people, institution=self.people["institute"].did, members=(member,))
        hospitals = tuple(sorted(self.people[name].did for name in ("north", "south", "east")))
        form = replace(FORM, project=project, people=people, data=replace(FORM.data, hospitals=hospitals))
        return replace(form, **change)

    async def act(self, application: str, number: int, deed: Deed, by: str = "researcher") -> ApplicationView:
        signed = sign_act(self.people[by], Act(application, number, self.now, deed))
        return await self.desk.act(self.people[by].did, ActCall(signed))

    async def next(self, application: str, deed: Deed, by: str = "researcher") -> ApplicationView:
        return await self.act(application, self.desk.application(application).number + 1, deed, by)

    async def accepted(self, application: str = "application-1", form: Form | None = None) -> str:
        from xinglin.access.application import Accept

        await self.act(application, 1, Submit(form or self.form()))
        await self.desk.act_as_operator(application, Accept())
        return application

    # --- the review ------------------------------------------------------------------------------

    def motion(self, application: str, **change: object) -> Motion:
        found = self.desk.application(application)
        form, charter = found.form, self.charter
        assert charter is not None
        terms = agreed_terms(form, (found.applicant,), self.now)
        motion = Motion(
            charter.digest(), application, form.digest(), found.applicant, form.people.institution,
            tuple(one.did for one in form.people.members), scope_of(form, terms), form.project.ends,
            self.now + 10 * DAY_MS, (), self.now, form.replaces, form.relation,
        )  # fmt: skip
        return replace(motion, **change)

    async def put(self, application: str, by: str = "chair", **change: object) -> MotionView:
        motion = self.motion(application, **change)
        return await self.reviews.put(self.people[by].did, MotionCall(sign_motion(self.people[by], motion)))

    async def vote(self, view: MotionView, by: str, choice: str = "approve") -> MotionView:
        directory = self.hub.members.directory
        readers = {did: directory.keys(did) for did in view.may_vote}
        cast = cast_vote(self.people[by], view.content, choice, "why", readers)
        return await self.reviews.vote(self.people[by].did, VoteCall(view.motion, cast.vote, cast.sealed))

    def resolution(self, view: MotionView, by: str = "chair") -> Resolution:
        """What the votes handed out to a chair make."""
        seen, keys = self.reviews.view(view.motion, self.people[by].did), self.people[by]
        ballots = tuple(ballot_of(one.vote, unseal_opening(keys, one.sealed)) for one in seen.votes)
        return Resolution(view.content, ballots, seen.recusals, self.now)

    async def resolve(self, made: Resolution, outcome: str, by: str = "chair", **change: object) -> Resolved:
        keys, application = self.people[by], made.motion.application
        number = self.desk.application(application).number + 1
        deed = Decide(outcome, "as voted", made.digest())
        decision = sign_act(keys, Act(application, number, self.now, deed))
        notice = sign_notice(keys, made) if outcome == "positive" else None
        call = ResolutionCall(sign_resolution(keys, made), decision, notice)
        return await self.reviews.resolve(keys.did, msgspec.structs.replace(call, **change))

    async def approved(self, application: str = "application-1", form: Form | None = None) -> str:
        """The digest of an approval that everybody voted for."""
        await self.accepted(application, form)
        view = await self.put(application)
        for name in VOTERS:
            await self.vote(view, name)
        return (await self.resolve(self.resolution(view), "positive")).digest

    async def ended(self, approval: str, by: str, why: str = "revoked") -> EndingDone:
        keys = self.regulator if by == "regulator" else self.people[by]
        return await self.reviews.end(EndingCall(sign_end(keys, approval, why)))
