"""Whose a study is: an application may name any study, so that its applicants are looked at."""

from __future__ import annotations

from collections.abc import Iterable

from xinglin.access.application import Application
from xinglin.terms.request import study_id


def team_of(study: str, applications: Iterable[Application]) -> frozenset[str]:
    """Everybody who may ask for a study: whom its first applicant named, and whom one of those named since.

    ``applications``: all of every study's. Whoever the id follows from comes before somebody who was earlier.
    """

    def turn(one: Application) -> tuple[bool, int]:
        return one.form.study != study_id(one.titled, one.applicant), one.history[0].at

    team: set[str] = set()
    for one in sorted((one for one in applications if one.form.study == study), key=turn):
        if not team or one.applicant in team:
            team |= {one.applicant, *(member.did for member in one.form.people.members)}
    return frozenset(team)
