"""A sample space for extracts: the researcher's workspace, reviewers of a hospital and its own profile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xinglin.access.output_review import cast_output_vote
from xinglin.kernel.codec import decode_json
from xinglin.sdk import Space, enrol
from xinglin.sdk.enrolment import registration_of_person, vouched
from xinglin.sdk.extracts import Extract
from xinglin.sdk.offers import Offer
from xinglin.sdk.study import Study
from xinglin.sdk.workspace.keeper import Keeper, open_workspace
from xinglin.stores.desk import ask_desk
from xinglin.testing.review_space import ReviewSpace
from xinglin.testing.sample_space import DATA_SET, TABLE, SampleSpace, wait_until
from xinglin.wire.desk import DeskCall

PROFILE = "cardiac-research"
PROFILE_TEXT = """format = 1
name = "cardiac-research"
title = "The cardiac work-up for research: ages in fives, the rest as measured"
source = "the hospital's own, after GB/T 37964-2019 5.3"

[readers]
lanes = ["research"]

[actions]
aged = { do = "generalise", bin = 5, high = 90 }
told = "keep"
sensitive = "keep"

[own.cardiac]
aged = ["age"]
told = ["sex"]
sensitive = ["chol", "trestbps", "exang", "disease"]
"""
COLUMNS = ("age", "sex", "chol", "trestbps", "disease")
REVIEWERS = ("first reviewer", "second reviewer")


@contextmanager
def opened(space: SampleSpace, at: tuple[str, ...] = ("a",)) -> Iterator[ExtractSpace]:
    """Open ``space`` and all that extracts need there; closed again at the end."""
    home = ExtractSpace(space, at)
    try:
        space.open()
        home.open()
        yield home
    finally:
        home.close()
        space.close()


class ExtractSpace:
    """``space`` with a workspace, and at each hospital of ``at`` two reviewers and the profile."""

    def __init__(self, space: SampleSpace, at: tuple[str, ...] = ("a",)) -> None:
        self.space, self.at = space, at
        self.persons = ReviewSpace(space)
        self.workspace_folder = space.folder / "workspace"

    def open(self) -> None:
        """Enrol the workspace and the reviewers; appoint them; write the hospital's profile."""
        keys = self.space.sdk.account.keys
        registration = registration_of_person(self.workspace_folder, "Institute workspace", keys.did, "workspace")
        invite = self.space.invite("workspace")
        enrol(invite, self.workspace_folder, "Institute workspace", registration=vouched(registration, keys))
        for hospital in self.at:
            folder = self.space.node_folder(hospital)
            (folder / "profiles").mkdir(exist_ok=True)
            (folder / "profiles" / f"{PROFILE}.toml").write_text(PROFILE_TEXT, encoding="utf-8")
            for name in REVIEWERS:
                self.appoint(hospital, self.persons.person(f"{name} of {hospital}", hospital).account.did)

    def close(self) -> None:
        """Close every person's session."""
        self.persons.close()

    @property
    def workspace(self) -> str:
        """The workspace's DID."""
        with self.keeper() as keeper:
            return keeper.account.did

    def keeper(self) -> Keeper:
        """The workspace's own hands."""
        return open_workspace(self.workspace_folder)

    def appoint(self, hospital: str, did: str) -> None:
        """A hospital appoints a reviewer, once its own log knows the person."""
        folder = self.space.node_folder(hospital)

        def appointed() -> bool:
            try:
                return bool(ask_desk(folder, DeskCall("extract-reviewers", {"appoint": did})).value)
            except Exception as error:
                if getattr(error, "codes", ()) == ("access.not_of_the_hospital",):
                    return False
                raise

        wait_until(appointed, "the hospital knows its reviewer")

    def study(self, title: str, offer: Offer | None = None, columns: tuple[str, ...] = COLUMNS) -> Study:
        """A study whose agreements allow extracts into the workspace."""
        chosen = offer or Offer(operations=("extract", "statistics"), recipients=(self.workspace,))
        return self.space.study(title, columns, chosen)

    def page(self, hospital: str, extract: Extract) -> dict[str, object]:
        """What the hospital's reviewers look at, once it is held."""
        wait_until(lambda: extract.state in ("held", "withheld", "refused", "ended"), "the extract is held", 90)
        found = ask_desk(self.space.node_folder(hospital), DeskCall("extract-page", {"run": extract.id})).value
        return dict(found)

    def vote(self, hospital: str, extract: Extract, who: Space, choice: str, reason: str = "looked at it") -> object:
        """A person votes by their own keys, at the hospital's desk."""
        page = self.page(hospital, extract)
        directory = self.space.sdk.log.record.directory
        node = self.space.dids[hospital]
        keys = who.account.keys
        cast = cast_output_vote(keys, node, directory.keys(node), extract.id, str(page["shown"]), choice, reason)
        call = DeskCall("extract-vote", {"run": extract.id, "vote": _text(cast)})
        return ask_desk(self.space.node_folder(hospital), call).value

    def both_vote(self, hospital: str, extract: Extract, choice: str = "release") -> None:
        """Both reviewers vote alike."""
        for name in REVIEWERS:
            self.vote(hospital, extract, self.persons.people[f"{name} of {hospital}"], choice)


def _text(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()


__all__ = ["COLUMNS", "DATA_SET", "PROFILE", "TABLE", "ExtractSpace", "Path", "decode_json"]
