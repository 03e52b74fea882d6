"""A whole space behind a console, as the demo builds it: real processes, people, and something in every inbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.cli.demo_console import PATIENT_AT, DemoConsole, Sample
from xinglin.cli.demo_people import REVIEWERS, People
from xinglin.cli.demo_space import COMPLETE, FORMULA, Demo
from xinglin.cli.demo_waiting import fill_inboxes, form_of, give_pack
from xinglin.cli.local_space import LocalSpace
from xinglin.console.seats import Seat
from xinglin.sdk.enrolment import enrol
from xinglin.sdk.run import Run
from xinglin.sdk.space import Space
from xinglin.sdk.study import Study

STRANGER, OUTSIDER, NEIGHBOUR = "stranger", "outsider", "neighbour"
"""Sample users who share a role with others and nothing else."""
INSTITUTE = "institute"
"""A sample user in the researcher's own account, with the folder of a workspace beside it."""
SEAT_LABELS = (
    "Another institute (fictional)", "Another institute", "Of no committee", "Another patient", "With a workspace",
)  # fmt: skip
SOURCES = ("his", "pacs", "fhir", "persons", "results", "diagnoses", "Cardiac work-up", "looked-at")
METHODS = ("describe", "glm", "binomial", "logit", "Intercept", "all")
"""Names that are the same in every language here: of sources, of methods, of terms of a model."""
MARK = "pwned"
HOSTILE = f"""'"><img src=x onerror={MARK}()><svg onload={MARK}()><script>{MARK}()</script>{{{{7*7}}}}${{7*7}}"""
"""Words that want to be markup, as titles and descriptions."""
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class ConsoleSpace:
    """Hub, witness, four generated hospitals, a researcher, a committee, reviewers, a patient, and their console.

    ``run``: a finished run of the researcher's ``study``.
    """

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.demo = Demo(folder, self.said.append, None)
        self.people = People(self.demo.local)
        self.console = DemoConsole(self.demo.local)
        self._study: Study | None = None
        self._run: Run | None = None

    def open(self) -> None:
        """Start everything, and fill the inboxes."""
        demo = self.demo
        demo.start()
        demo.connect()
        give_pack(demo)
        demo.publish()
        demo.enrol()
        self._study = demo.main_study()
        data = self._study.sql(demo.sql(where=COMPLETE))
        self._run = data.ask("glm", formula=FORMULA, family="binomial")
        self._run.wait()
        self.people.found_committee()
        self.people.appoint()
        fill_inboxes(demo, self.people)
        self.console.found(self.people, self._strangers())
        self.console.start()

    def _strangers(self) -> list[Seat]:
        """Seats of people who have no part in anything: what others may see is not theirs; and one with a workspace."""
        local = self.demo.local
        enrol(local.invite("consumer"), local.folder / STRANGER, "Another institute (fictional)")
        outsider = REVIEWERS[0]
        return [
            Seat(STRANGER, "researcher", "Another institute", local.folder / STRANGER),
            Seat(INSTITUTE, "researcher", "With a workspace", local.folder / "researcher", local.folder / "workspace"),
            Seat(OUTSIDER, "ethics", "Of no committee", local.folder / f"person-{outsider.key}"),
            Seat(NEIGHBOUR, "patient", "Another patient", local.node_folder(PATIENT_AT)),
        ]

    def own_words(self) -> tuple[str, ...]:
        """Texts that people wrote here, and what their tables call things."""
        found = {one.label for one in self.console.samples} | set(self.sdk.names().values()) | set(SEAT_LABELS)
        for data_set in self.sdk.data_sets().values():
            for one in data_set.values():
                found |= {one.title, one.name}
                for table in one.tables:
                    found.add(table.name)
                    found |= {column.name for column in table.columns}
                    found |= {level for column in table.columns for level in map(str, column.levels or ())}
        for kind in CANONICAL_TABLES:
            found |= {kind.words, *(column.words for column in kind.columns)}
        found |= {self.local.name, *SOURCES, *METHODS}
        form = form_of(self.demo, "")
        for part in (form.project, form.people, form.data, form.settings, form.outputs):
            found |= {value for value in msgspec.structs.asdict(part).values() if isinstance(value, str)}
        return tuple(one for one in found if len(one) > 1)

    def close(self) -> None:
        """End every process."""
        self.people.close()
        self.demo.close()

    @property
    def local(self) -> LocalSpace:
        """Folders and processes."""
        return self.demo.local

    @property
    def sdk(self) -> Space:
        """The researcher's own session, beside the console."""
        assert self.demo.space is not None
        return self.demo.space

    @property
    def study(self) -> Study:
        """The study of the story, in force at every hospital."""
        assert self._study is not None
        return self._study

    @property
    def run(self) -> Run:
        """A finished regression of the study."""
        assert self._run is not None
        return self._run

    @property
    def url(self) -> str:
        """Where the console answers."""
        return self.console.url

    def sample(self, who: str) -> Sample:
        """A sample user by name (``county``) or, the first one, by role (``hospital``)."""
        named = [one for one in self.console.samples if who in (one.name, one.role)]
        return next((one for one in named if one.name == who), named[0])

    @contextmanager
    def client(self, who: str = "", **options: object) -> Iterator[httpx.Client]:
        """A browser without a face, signed in as ``who`` by the real form; as nobody without one."""
        headers = {"accept": "text/html"} | dict(options.pop("headers", {}))  # type: ignore[call-overload]
        base = {"base_url": self.url, "timeout": 60, "trust_env": False, "headers": headers}
        with httpx.Client(**base, **options) as client:  # type: ignore[arg-type]
            if who:
                sign_in(client, self.sample(who))
            yield client

    def records(self) -> str:
        """What the console wrote last, for a failure's message."""
        return self.local.log_of("console")[-3000:]


def token_of(text: str) -> str:
    """The forms' token of a page."""
    found = CSRF.search(text)
    assert found, f"no form on the page: {text[:500]}"
    return found.group(1)


def sign_in(client: httpx.Client, sample: Sample) -> httpx.Response:
    """Sign in by the form, as a browser without scripts does."""
    token = token_of(client.get("/sign-in").text)
    fields = {"csrf": token, "name": sample.name, "password": sample.password}
    answer = client.post("/sign-in", data=fields)
    assert answer.status_code == 303, (answer.status_code, answer.text[:2000])
    return answer


class Found(msgspec.Struct, frozen=True):
    """A screen that a seat can reach: its path, and the template of its route."""

    path: str
    template: str
