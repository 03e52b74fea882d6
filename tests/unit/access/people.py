"""Persons of several institutions in one key directory, a committee of them, and a study that is put to it."""

from __future__ import annotations

import hashlib
from functools import cache

from msgspec.structs import replace

from xinglin.access.application import Act, Actor, Application, Deed, apply_act
from xinglin.access.approval import Resolution, sign_resolution
from xinglin.access.committee import Charter
from xinglin.access.form import (
    Form,
    Member,
    SafeData,
    SafeOutputs,
    SafePeople,
    SafeProject,
    SafeSettings,
    agreed_terms,
)
from xinglin.access.review import Ballot, Motion, ballot_of, cast_vote, scope_of, unseal_opening
from xinglin.kernel.verdict import Denied
from xinglin.terms.agreed import CohortView
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import admit, consent, register, vouch
from xinglin.trust.registry import KeyDirectory

NOW = 1_800_000_000_000
DAY_MS = 24 * 3600 * 1000


@cache
def keys(name: str) -> PrivateKeys:
    """The same keys for the same name."""
    return PrivateKeys.generate(lambda size: hashlib.shake_256(name.encode()).digest(size))


OPERATOR, REGULATOR = keys("operator"), keys("regulator")
INSTITUTE, NORTH, SOUTH, EAST = keys("institute"), keys("north"), keys("south"), keys("east")
PEOPLE = {
    "chair": NORTH,
    "deputy": SOUTH,
    "third": EAST,
    "fourth": NORTH,
    "colleague": INSTITUTE,
    "researcher": INSTITUTE,
}


@cache
def directory() -> KeyDirectory:
    """Everybody above, folded from their leaves."""
    found = KeyDirectory(OPERATOR.did, REGULATOR.did)
    leaves = [register(OPERATOR, "operator", ("operator",)), register(REGULATOR, "regulator", ("regulator",))]
    for name in ("institute", "north", "south", "east"):
        role = "consumer" if name == "institute" else "provider"
        leaves.append(admit(register(keys(name), name, (role,)), OPERATOR))
    for name, home in PEOPLE.items():
        roles = ("consumer",) if name == "researcher" else ()
        leaves.append(vouch(admit(register(keys(name), name, roles, home.did), OPERATOR), home))
    for index, leaf in enumerate(leaves):
        following = found.apply(index, leaf)
        assert not isinstance(following, Denied), following
        found = following
    return found


def second_regulator() -> KeyDirectory:
    other = consent(admit(register(keys("other regulator"), "other", ("regulator",)), OPERATOR), REGULATOR)
    following = directory().apply(directory().last + 1, other)
    assert not isinstance(following, Denied)
    return following


CHARTER = Charter(
    id="committee-heart",
    name="Heart committee",
    members=tuple(sorted(keys(name).did for name in ("chair", "deputy", "third", "fourth", "colleague"))),
    chairs=tuple(sorted(keys(name).did for name in ("chair", "deputy"))),
    quorum=3,
    majority="half",
    made=NOW,
)
RESEARCHER = keys("researcher")
FORM = Form(
    study="study-heart",
    project=SafeProject(
        title="Strain and heart disease",
        summary="A cross-sectional study.",
        plain_summary="We count who has heart disease.",
        benefit="Better care.",
        purpose="health-research",
        basis="ethics-waiver",
        funding="none",
        begins=NOW,
        ends=NOW + 365 * DAY_MS,
    ),
    people=SafePeople(INSTITUTE.did, (Member(RESEARCHER.did, "investigator", NOW + 30 * DAY_MS),)),
    data=SafeData(
        data_set="cardiology",
        cohort=(CohortView("cardiac", "SELECT age, sex FROM cardiac"),),
        variables=("cardiac.age", "cardiac.sex"),
        hospitals=tuple(sorted((NORTH.did, SOUTH.did, EAST.did))),
        justification="Both are in the model.",
    ),
    settings=SafeSettings(retention_days=365, security="keys stay here"),
    outputs=SafeOutputs(types=("statistic",), publication="an open journal"),
    committees=("committee-heart",),
)
TERMS = agreed_terms(FORM, (RESEARCHER.did,), NOW)
MOTION = Motion(
    committee=CHARTER.digest(),
    application="application-1",
    form=FORM.digest(),
    applicant=RESEARCHER.did,
    institution=INSTITUTE.did,
    named=(RESEARCHER.did,),
    scope=scope_of(FORM, TERMS),
    expires=NOW + 365 * DAY_MS,
    closes=NOW + 10 * DAY_MS,
    conditions=("Publish within 18 months.",),
    made=NOW,
)
MAY_VOTE = ("chair", "deputy", "fourth", "third")


def ballot(name: str, choice: str = "approve", motion: Motion = MOTION) -> Ballot:
    """A member's opened vote, by way of the seal to the chair."""
    cast = cast_vote(keys(name), motion, choice, "a reason", {keys("chair").did: keys("chair").public})
    return ballot_of(cast.vote, unseal_opening(keys("chair"), cast.sealed[keys("chair").did]))


def ballots(*choices: str, motion: Motion = MOTION) -> tuple[Ballot, ...]:
    """Votes of the members who may, in order."""
    return tuple(ballot(name, choice, motion) for name, choice in zip(MAY_VOTE, choices, strict=False))


def resolution(motion: Motion = MOTION, *choices: str) -> tuple[Resolution, Signed]:
    """A resolution of these votes, signed by the chair once the vote has closed."""
    made = Resolution(motion, ballots(*(choices or ("approve",) * 4), motion=motion), (), motion.closes)
    return made, sign_resolution(keys("chair"), made)


PARTS = {
    "applicant": RESEARCHER,
    "operator": OPERATOR,
    "hospital": NORTH,
    "committee": keys("third"),
    "chair": keys("chair"),
}


def after(present: Application | None, deed: Deed, part: str = "applicant", at: int = NOW) -> Application | Denied:
    """The application after a deed of somebody with this part."""
    number = 1 if present is None else present.number + 1
    actor = Actor(PARTS[part].did, frozenset({part, *({"committee"} if part == "chair" else ())}))
    return apply_act(present, Act("application-1", number, at, deed), actor, at)


def without_committee(form: Form = FORM) -> Form:
    """A form that the operator decides alone."""
    return replace(form, committees=(), project=replace(form.project, basis="permit"))
