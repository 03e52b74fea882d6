"""The demo's console: one process with a seat for every role, and sample users whose passwords are made anew."""

from __future__ import annotations

import secrets
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from xinglin.cli.console_verbs import found_console
from xinglin.cli.demo_people import MEMBERS, REVIEWERS, People
from xinglin.cli.local_space import LOOPBACK, LocalSpace, free_ports
from xinglin.cli.output import columns
from xinglin.console.seats import Seat, write_seats
from xinglin.console.settings import ConsoleSettings
from xinglin.stores.tls import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLES_FILE = "samples.json"
PATIENT_AT = "clinic"
"""The hospital whose patient can sign in."""
TOUR = "tour"
"""A user who may take every seat, to look around."""
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_OFFICERS = {
    "university": "王立 Wang Li (fictional)",
    "county": "刘芳 Liu Fang (fictional)",
    "heartcentre": "马骏 Ma Jun (fictional)",
    "clinic": "唐悦 Tang Yue (fictional)",
}
_HOSPITALS = {
    "university": "Apricot Grove University Hospital 杏林大学附属医院",
    "county": "Lushan County Hospital 庐山县医院",
    "heartcentre": "Red Plum Heart Centre 红梅心脏病中心",
    "clinic": "Clinic 诊所",
}


class Sample(msgspec.Struct, frozen=True):
    """A sample user, all fictional: the name that is typed, the role, who it is, and the password of this demo."""

    name: str
    role: str
    label: str
    password: str


class DemoConsole:
    """The console of a local space: ``found`` it, then start it; ``url`` is where browsers find it."""

    def __init__(self, local: LocalSpace) -> None:
        self.local = local
        self.settings = ConsoleSettings(
            address=LOOPBACK, port=free_ports(1)[0], institution="Xinglin demo 杏林演示", demo=True
        )
        self.samples: tuple[Sample, ...] = ()

    @property
    def url(self) -> str:
        """The console's address."""
        return self.settings.url

    def found(self, people: People | None = None, more: Sequence[Seat] = ()) -> None:
        """Settings, seats and accounts; without ``people`` there is no committee to sit in. ``more``: further seats.

        A patient's seat is one person's of the hospital's tables; a second one at the same hospital is another's.
        """
        folder, local = self.local.console_folder, self.local
        found_console(folder, self.settings)
        seats = [
            Seat("researcher", "researcher", "Institute of the demo 演示研究所", local.folder / "researcher"),
            Seat("operator", "operator", "Hub of the demo space 演示空间枢纽", local.hub_folder),
            Seat("regulator", "regulator", "Regulator of the demo space 演示空间监管方", local.witness_folder),
            *(Seat(one, "hospital", _HOSPITALS.get(one, one), local.node_folder(one)) for one in local.hospitals),
        ]
        if patients_of(local.node_folder(PATIENT_AT)):
            seats.append(Seat("patient", "patient", _HOSPITALS[PATIENT_AT], local.node_folder(PATIENT_AT)))
        if people is not None:
            for person in MEMBERS:
                label = f"Cardiology ethics committee 心血管伦理委员会 · {person.name.split()[0]}"
                seats.append(Seat(f"ethics-{person.key}", "ethics", label, local.folder / f"person-{person.key}"))
            for person in REVIEWERS:
                node, label = local.node_folder(person.hospital), _HOSPITALS.get(person.hospital, person.hospital)
                account = local.folder / f"person-{person.key}"
                seats.append(Seat(f"reviewer-{person.key}", "reviewer", label, account, node))
        seats += more
        write_seats(folder, tuple(seats))
        self.samples = _accounts(folder, seats)
        write_private(folder / SAMPLES_FILE, msgspec.json.format(msgspec.json.encode(self.samples)))

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self.local.start_console(self.url)

    def told(self) -> str:
        """Address and sample users, for a terminal."""
        rows = [msgspec.structs.asdict(one) for one in self.samples]
        return f"{self.url}\n\n{columns(rows, ('name', 'password', 'role', 'label'))}"


def patients_of(node_folder: Path) -> list[str]:
    """Persons of a hospital's canonical tables, as its index knows them; those of whom most was observed come first.

    None where there is no such table.
    """
    from xinglin.lake.delta import Lake

    lake = Lake(node_folder / "lake")
    if not {"patient", "observation"} <= set(lake.names()):
        return []
    tables = lake.datasets(lake.current(["patient", "observation"]))
    seen = Counter(map(str, tables["observation"].to_table(columns=["patient"]).column("patient").to_pylist()))
    persons = set(map(str, tables["patient"].to_table(columns=["patient"]).column("patient").to_pylist()))
    return sorted(persons, key=lambda one: (-seen[one], one))


def new_password() -> str:
    """Four groups of four letters and digits that are not mistaken for each other: 80 bits.

    >>> len(new_password())
    19
    """
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def _accounts(folder: Path, seats: Sequence[Seat]) -> tuple[Sample, ...]:
    from xinglin.console.people.model import Grant
    from xinglin.console.people.wiring import open_people

    samples: list[Sample] = []
    everywhere = tuple(Grant(seat.id, subject) for seat, subject in zip(seats, _subjects(seats), strict=True))
    keeper = open_people(folder)
    try:
        for seat, grant in zip(seats, everywhere, strict=True):
            sample = Sample(seat.id, seat.role, _label(seat), new_password())
            keeper.accounts.add(sample.name, sample.label, sample.password, (grant,))
            samples.append(sample)
        tour = Sample(TOUR, "every role", "访客 Visitor (every seat)", new_password())
        keeper.accounts.add(tour.name, tour.label, tour.password, everywhere)
    finally:
        keeper.close()
    return (*samples, tour)


def _subjects(seats: Sequence[Seat]) -> list[str]:
    """Whose records a patient's seat is about: each the next person of its hospital."""
    left: dict[Path, list[str]] = {}
    found = []
    for seat in seats:
        persons = left.setdefault(seat.folder, patients_of(seat.folder)) if seat.role == "patient" else [""]
        found.append(persons.pop(0))
    return found


def _label(seat: Seat) -> str:
    if seat.role in ("ethics", "reviewer"):
        persons = (*MEMBERS, *REVIEWERS)
        return next((one.name for one in persons if seat.id == f"{seat.role}-{one.key}"), seat.label)
    named = {
        "researcher": "林知远 Lin Zhiyuan (fictional)",
        "operator": "赵云帆 Zhao Yunfan (fictional)",
        "regulator": "孙若兰 Sun Ruolan (fictional)",
        "patient": "李梅 Li Mei (fictional)",
    }
    return named.get(seat.id) or _OFFICERS.get(seat.id, seat.label)


def sign_in_works(console: DemoConsole) -> bool:
    """Whether the console lets its researcher in by the real form, and shows a page."""
    import re

    import httpx

    sample = next(one for one in console.samples if one.role == "researcher")
    with httpx.Client(base_url=console.url, timeout=30, follow_redirects=True, trust_env=False) as client:
        form = re.search(r'name="csrf" value="([^"]+)"', client.get("/sign-in").text)
        if form is None:
            return False
        fields = {"csrf": form.group(1), "name": sample.name, "password": sample.password}
        page = client.post("/sign-in", data=fields)
        return page.status_code == 200 and "/sign-out" in page.text
