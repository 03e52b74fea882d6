"""Pilots: their limits to the last use, who signs, what nobody relaxes, and the report from evidence."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.kernel.instants import from_text
from xinglin.kernel.verdict import Allowed, Reason
from xinglin.terms.grades import REQUIREMENTS
from xinglin.terms.law.loading import PACKS, load_pack
from xinglin.terms.sandbox import (
    PILOT,
    PILOT_DAYS,
    Pilot,
    PilotError,
    PilotEvent,
    PilotUse,
    Relaxation,
    check_pilot,
    open_pilot,
    pilot_reasons,
    pilot_report,
    relax,
    relaxable,
    sign_pilot,
)
from xinglin.trust.envelope import sign
from xinglin.trust.errors import BadSignature
from xinglin.trust.keys import PrivateKeys, PublicKeys

BEGINS, ENDS, DAY = from_text("2026-12-01T00:00:00+08:00"), from_text("2027-06-01T00:00:00+08:00"), 86_400_000
LEVEL = "terms.law.dengbao_miping.level-filed"


@cache
def keys(name: str) -> PrivateKeys:
    return PrivateKeys.generate(lambda size: hashlib.shake_256(name.encode()).digest(size))


class Directory:
    """The regulator, and somebody who is none."""

    def keys(self, did: str, at: int | None = None) -> PublicKeys:
        return next(one.public for one in (REGULATOR, UNIVERSITY) if one.did == did)

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        return frozenset({"regulator"} if did == REGULATOR.did else {"consumer"})


REGULATOR, UNIVERSITY, HOSPITAL = keys("regulator"), keys("university"), keys("hospital")
PILOTED = Pilot(
    name="night-stroke",
    title="Night-time stroke prediction in one ward",
    participants=tuple(sorted((UNIVERSITY.did, HOSPITAL.did))),
    supervisor=REGULATOR.did,
    purposes=("algorithm-testing",),
    operations=("statistics", "training"),
    data_sets=("stroke",),
    uses=10,
    persons=500,
    begins=BEGINS,
    ends=ENDS,
    relaxations=(Relaxation(LEVEL, "The level is being filed.", "Only one ward's network.", ENDS - DAY),),
)
USE = PilotUse(
    at=BEGINS,
    participant=UNIVERSITY.did,
    purposes=("algorithm-testing",),
    operation="training",
    data_set="stroke",
    uses=10,
    persons=500,
)


def use(**changed: Any) -> tuple[str, ...]:
    return tuple(one.code for one in pilot_reasons(PILOTED, replace(USE, **changed)))


def test_a_use_to_the_very_limits() -> None:
    assert use() == ()
    assert use(at=ENDS - 1) == ()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"at": BEGINS - 1}, "not_begun"),
        ({"at": ENDS}, "ended"),
        ({"participant": REGULATOR.did}, "participant"),
        ({"purposes": ("health-research",)}, "purpose"),
        ({"purposes": ()}, "purpose"),
        ({"purposes": ("algorithm-testing", "education")}, "purpose"),
        ({"operation": "extract"}, "operation"),
        ({"data_set": "stroke-2"}, "data_set"),
        ({"uses": 11}, "uses"),
        ({"persons": 501}, "persons"),
        ({"uses": -1}, "uses"),
        ({"persons": -1}, "persons"),
    ],
)
def test_one_beyond_a_limit(changed: dict[str, Any], code: str) -> None:
    assert use(**changed) == (f"terms.pilot_{code}",)


def test_every_reason_is_told() -> None:
    assert len(use(at=ENDS, participant="x", purposes=(), operation="", data_set="", uses=11, persons=-1)) == 7


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"version": 2}, "Version 2"),
        ({"name": "not plain"}, "plain name"),
        ({"participants": ()}, "participants"),
        ({"participants": (UNIVERSITY.did, UNIVERSITY.did)}, "participants"),
        ({"supervisor": UNIVERSITY.did}, "takes no part"),
        ({"purposes": ("advertising",)}, "none prohibited"),
        ({"operations": ("copy",)}, "operations"),
        ({"data_sets": ()}, "data sets"),
        ({"uses": 0}, "uses"),
        ({"persons": 0}, "persons"),
        ({"ends": BEGINS}, "ends after"),
        ({"ends": BEGINS + PILOT_DAYS.value * DAY + 1}, "ends after"),
    ],
)
def test_pilots_that_may_not_be(changed: dict[str, Any], words: str) -> None:
    pilot = replace(PILOTED, relaxations=(), **changed)
    checked = check_pilot(pilot)
    assert not isinstance(checked, Allowed)
    assert words in checked.reasons[0].words
    assert "terms.pilot_malformed" in [one.code for one in pilot_reasons(pilot, USE)]
    with pytest.raises(PilotError):
        sign_pilot(REGULATOR, pilot)


@pytest.mark.parametrize("word", REQUIREMENTS)
def test_no_requirement_of_the_constitution_is_relaxed(word: str) -> None:
    one = Relaxation(f"terms.{word}", "It is in the way.", "Trust.", ENDS)
    checked = check_pilot(replace(PILOTED, relaxations=(one,)))
    assert not isinstance(checked, Allowed)
    assert checked.codes == ("terms.pilot_constitution",)
    assert not [code for code in relaxable() if code.rpartition(".")[2] in REQUIREMENTS]


def test_only_points_of_control_lists_and_drafts_are_relaxed() -> None:
    rules = [rule for name in PACKS for rule in load_pack(name).rules if rule.relaxable]
    assert {rule.pack for rule in rules if not rule.draft} == {"dengbao_miping", "iso27799"}
    assert {rule.key for rule in rules if rule.draft} == {"ehds.incident-notice"}


def test_what_cannot_be_relaxed_is_named_with_the_nearest() -> None:
    for code in ("terms.law.ehds.opt-out", "terms.fence_passages", "decide.no_approval"):
        found = check_pilot(replace(PILOTED, relaxations=(Relaxation(code, "Why.", "What.", ENDS),)))
        assert not isinstance(found, Allowed)
        assert found.codes == ("terms.pilot_not_relaxable",)
    near = check_pilot(replace(PILOTED, relaxations=(Relaxation(LEVEL + "s", "Why.", "What.", ENDS),)))
    assert not isinstance(near, Allowed)
    assert "level-filed" in near.reasons[0].remedy


def test_a_relaxation_ends_and_a_use_outside_the_pilot_has_none() -> None:
    level, other = Reason(LEVEL, "x"), Reason("terms.law.ehds.opt-out", "y")
    assert relax(PILOTED, USE, [level, other]) == ((other,), (LEVEL,))
    late = replace(USE, at=ENDS - DAY)
    assert relax(PILOTED, replace(late, at=late.at - 1), [level]) == ((), (LEVEL,))
    assert relax(PILOTED, late, [level]) == ((level,), ())
    kept, relaxed = relax(PILOTED, replace(USE, uses=11), [level])
    assert [one.code for one in kept] == [LEVEL, "terms.pilot_uses"]
    assert relaxed == ()
    ended = Relaxation(LEVEL, "Why.", "What.", ENDS + 1)
    assert not check_pilot(replace(PILOTED, relaxations=(ended,)))


def test_a_pilot_is_its_supervisors_and_a_regulators() -> None:
    signed = sign_pilot(REGULATOR, PILOTED)
    assert open_pilot(signed, Directory()) == PILOTED
    with pytest.raises(PilotError, match="signed by its supervisor"):
        sign_pilot(UNIVERSITY, PILOTED)
    with pytest.raises(PilotError, match="not the pilot's supervisor"):
        open_pilot(sign(UNIVERSITY, PILOT, PILOTED, pq=True), Directory())
    own = replace(PILOTED, supervisor=UNIVERSITY.did, participants=(HOSPITAL.did,))
    with pytest.raises(PilotError, match="no regulator"):
        open_pilot(sign_pilot(UNIVERSITY, own), Directory())
    with pytest.raises(BadSignature):
        open_pilot(sign(REGULATOR, PILOT, PILOTED), Directory())
    loose = replace(PILOTED, uses=10**9)
    with pytest.raises(PilotError, match="uses"):
        open_pilot(sign(REGULATOR, PILOT, loose, pq=True), Directory())


def test_the_report_counts_each_entry_once_and_only_the_pilots() -> None:
    def event(index: int, kind: str, **more: Any) -> PilotEvent:
        return PilotEvent(**{"index": index, "kind": kind, "at": BEGINS, "participant": UNIVERSITY.did, **more})

    events = [
        event(7, "release-authorised", relaxed=(LEVEL,)),
        event(3, "decision"),
        event(5, "refused", codes=("terms.pilot_uses",)),
        event(7, "release-authorised", relaxed=(LEVEL,)),
        event(8, "release-authorised", at=ENDS),
        event(9, "release-authorised", participant=REGULATOR.did),
    ]
    report = pilot_report(PILOTED, events, persons=501, at=ENDS)
    assert report == pilot_report(PILOTED, reversed(events), persons=501, at=ENDS)
    assert report.final
    assert report.entries == {"decision": 1, "refused": 1, "release-authorised": 1}
    assert report.refusals == {"terms.pilot_uses": 1}
    assert report.relaxed == {LEVEL: 1}
    assert report.by_participant == {UNIVERSITY.did: 1}
    assert (report.first, report.last, report.outside) == (3, 7, 2)
    assert report.beyond == ("501 persons of 500",)
    assert report.unused == ()
    assert not pilot_report(PILOTED, (), persons=0, at=ENDS - 1).final
    assert pilot_report(PILOTED, (), persons=0, at=ENDS).unused == (LEVEL,)
