"""Console: server time of every page over 1,000 studies, 10,000 data sets and 1,000,000 log entries; its memory."""

from __future__ import annotations

import asyncio
import gc
import gzip
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import msgspec
from argon2 import PasswordHasher
from bench import _console_node as node
from bench._console_space import STEPS, Country, Sizes
from bench._report import quantile, quick, row, say

from xinglin.console.app import console_app, discovered
from xinglin.console.book import Book
from xinglin.console.lines import Lines
from xinglin.console.people.cookies import cookie_name
from xinglin.console.people.model import Grant
from xinglin.console.people.passwords import Passwords
from xinglin.console.people.wiring import open_people
from xinglin.console.seats import Seat, write_seats
from xinglin.console.settings import ConsoleSettings
from xinglin.console.wiring import build_console
from xinglin.hub.main import keep_what_was_read
from xinglin.sdk.space import Space
from xinglin.stores.console_book import PARTY, SUBJECT, BookStore, Line, Wanted
from xinglin.testing.hub_line import HubLine

WHOLE, SMALL = Sizes(1_000, 10_000, 1_000_000), Sizes(20, 80, 5_000)
TIMES, QUICK_TIMES = 12, 3
OF_A_ROUTE = 2
"""Pages of one route that are measured."""
PROMISE_MS = 150
FIRST_LOAD_BYTES = 250_000
PASSWORD = "correct horse battery staple apricot"
ROLES = ("researcher", "ethics", "operator", "regulator", "hospital", "reviewer", "patient", "")
_LINK = re.compile(r'(?:href|data-live)="(/[^"#]*)"')
_ASSET = re.compile(r'(?:href|src)="(/assets/[^"]+)"')


class Bridge(httpx.BaseTransport):
    """An account's line to the hub of this process, without a socket."""

    def __init__(self, line: HubLine) -> None:
        self._line = line
        self._inner = httpx.ASGITransport(app=line.open_hub.parts.app, raise_app_exceptions=False)  # type: ignore[arg-type]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See ``httpx.BaseTransport``."""
        data = request.read()

        async def asked() -> httpx.Response:
            sent = httpx.Request(request.method, request.url, headers=request.headers, content=data)
            answer = await self._inner.handle_async_request(sent)
            body = await answer.aread()
            return httpx.Response(answer.status_code, headers=answer.headers, content=body)

        return self._line.do(asked())


class BenchLines(Lines):
    """The console's lines, to the hub of this process."""

    line: HubLine

    def open(self, folder: Path) -> Any:
        """The hub's open calls."""
        return self.line

    def _opened(self, folder: Path) -> Space:
        space = super()._opened(folder)
        space.client._http = httpx.Client(transport=Bridge(self.line), base_url=self.line.space.hub_url)
        return space


class Bench:
    """A console over a country's first year, and one signed-in person a role; ``more``: seats at a node."""

    def __init__(self, folder: Path, line: HubLine, country: Country, more: tuple[Seat, ...]) -> None:
        write_seats(
            folder,
            (
                Seat("researcher", "researcher", "Institute", country.account("researcher", country.researcher)),
                Seat("ethics", "ethics", "Board", country.account("ethics", country.committee[0])),
                Seat("operator", "operator", "Hub", line.folder / "hub"),
                Seat("regulator", "regulator", "Regulator", line.folder / "witness"),
                *more,
            ),
        )
        made = build_console(folder, ConsoleSettings(public_url="http://127.0.0.1:8480"))
        made.people.close()
        people = open_people(folder, passwords=Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)))
        lines = BenchLines(folder)
        lines.line = line
        self.console, self.line = msgspec.structs.replace(made, people=people, lines=lines), line
        self.routes = discovered()[1]
        self.app = console_app(self.console, self.routes)
        self.tokens = {"": ""}
        for seat in self.console.seats.values():
            grant = Grant(seat.id, node.PATIENT) if seat.role == "patient" else Grant(seat.id)
            people.accounts.add(seat.id, seat.label, PASSWORD, (grant,))
            self.tokens[seat.id] = people.sign_in(people.begin(), seat.id, PASSWORD, from_="127.0.0.1").token
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://127.0.0.1:8480")  # type: ignore[arg-type]
        self._loop = asyncio.new_event_loop()

    def get(self, who: str, path: str) -> httpx.Response:
        """One page as that person."""
        cookie = {"cookie": f"{cookie_name(self.console.settings)}={self.tokens[who]}"} if who else {}
        return self._loop.run_until_complete(self.http.get(path, headers=cookie, follow_redirects=False))

    def book(self) -> Book:
        """The console's copy of the log."""
        return self.console.lines.book(self.console.seats["regulator"].folder)

    def template_of(self, path: str) -> str:
        """Which route a path belongs to."""
        bare = path.partition("?")[0]
        for route in sorted(self.routes, key=lambda one: one.path.count("{")):
            if route.kind == "screen" and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", route.path), bare):
                return route.path
        return ""

    def screens(self, who: str) -> Iterator[str]:
        """Pages that this person reaches by links from the first one, at most two of a route."""
        waiting, seen, counted = ["/inbox" if who else "/public"], set(), dict[str, int]()
        while waiting:
            path = waiting.pop(0)
            route = self.template_of(path)
            skipped = path.startswith("/language") or "as=" in path or path == "/"  # an export is a file, not a page
            if path in seen or skipped or not route or counted.get(route, 0) >= OF_A_ROUTE:
                continue
            seen.add(path)
            answer = self.get(who, path)
            if answer.status_code != 200:
                row(name=f"left out: {who or 'public'} {path}", why=f"status {answer.status_code}")
                continue
            counted[route] = counted.get(route, 0) + 1
            yield path
            if answer.headers.get("content-type", "").startswith("text/html"):
                waiting += [unescape(found) for found in _LINK.findall(answer.text)]

    def close(self) -> None:
        """End it."""
        self.console.lines.close()
        self.console.people.close()


def measure(bench: Bench, times: int, roles: tuple[str, ...] = ROLES) -> None:
    """Every page of every role, several times; the slowest page decides."""
    worst, worst_page, pages, worst_busy = 0.0, "", 0, 0.0
    for who in roles:
        for path in list(bench.screens(who)):
            spent, busy = [], []
            for _ in range(times):
                wall, used = time.perf_counter(), time.process_time()
                bench.get(who, path)
                spent.append(1e3 * (time.perf_counter() - wall))
                busy.append(1e3 * (time.process_time() - used))
            pages += 1
            p95 = quantile(spent, 0.95)
            shown = re.sub(r"[A-Za-z0-9%:.-]{24,}", "…", path)
            row(
                name=f"page {pages}",
                role=who or "public",
                page=shown,
                p50_ms=quantile(spent, 0.5),
                p95_ms=p95,
                processor_ms=quantile(busy, 0.5),
            )
            worst_busy = max(worst_busy, quantile(busy, 0.95))
            if p95 > worst:
                worst, worst_page = p95, f"{who or 'public'} {shown}"
    say("console.pages", "pages measured, of all roles and of nobody who signed in", pages, "pages")
    what = "server time of the slowest page, p95"
    say(
        "console.page_p95", what, worst, "ms", f"<= {PROMISE_MS}", f"{worst_page}; hub, node and console in one process"
    )
    what = "processor time of the slowest page, p95, the hub's and the node's with it"
    say("console.page_processor_p95", what, worst_busy, "ms", f"<= {PROMISE_MS}")


def first_load(bench: Bench) -> None:
    """What a browser fetches for the first page, packed as it is sent."""
    worst, at = 0, ""
    for who, path in (("", "/sign-in"), ("", "/public"), ("researcher", "/inbox"), ("regulator", "/oversight")):
        page = bench.get(who, path)
        total = len(gzip.compress(page.content))
        for asset in dict.fromkeys(_ASSET.findall(page.text)):
            total += len(gzip.compress(bench.get(who, asset).content))
        if total > worst:
            worst, at = total, path
    say("console.first_load", "bytes of a first load, packed", worst, "bytes", f"<= {FIRST_LOAD_BYTES}", at)


def searches(folder: Path, count: int) -> None:
    """The index of ``count`` entries by itself: how long it takes to write, and the slowest of nine kinds of search."""
    store, body = BookStore(folder / "index.db", "bench"), b"x" * 350
    began = time.process_time()
    for first in range(0, count, 8192):
        places = range(first, min(first + 8192, count))
        store.stage([body + str(place).encode() for place in places], [_line(place) for place in places])
    store.confirm("")
    say("console.index", "entries written to the index", count / (time.process_time() - began), "/s of processor")
    hospital, since = f"did:{3:030d}", 31 * (count // 3)
    asked = (
        Wanted(),
        Wanted(kind="delivered"),
        Wanted(kind="policy"),
        Wanted(party="did:researcher"),
        Wanted(party="did:researcher", after=count // 2),
        Wanted(party=hospital, kind="delivered"),
        Wanted(since=since, until=since + 5_000),
        Wanted(subject=f"run-{7:026d}", party="did:researcher"),
        Wanted(words=tuple(store.words_like("run-00000000000000000000000"))),
    )
    slowest = 0.0
    for wanted in asked:
        spent = []
        for _ in range(9):
            began = time.process_time()
            store.found(wanted)
            spent.append(1e3 * (time.process_time() - began))
        slowest = max(slowest, quantile(spent, 0.95))
    say(
        "console.search", f"slowest of {len(asked)} kinds of search over {count:,} entries, p95", slowest, "ms", "<= 20"
    )
    store.close()


def _line(place: int) -> Line:
    run = place // 12
    words = (
        (SUBJECT, f"run-{run:026d}", False),
        (PARTY, f"did:{(run * 7 + place % 4) % 40:030d}", False),
        (PARTY, "did:researcher", False),
    )
    return Line(place, STEPS[place % 12 // 4], 31 * place, words)


def memory_mb() -> float:
    """Resident memory of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0


@contextmanager
def opened(folder: Path, sizes: Sizes, hospital_sizes: node.Sizes) -> Iterator[Bench]:
    """The space written, a hospital's node in it, the console over both."""
    with HubLine(folder / "space") as line:
        country = Country(line, folder, sizes)
        hospital = node.BigHospital(line, country, folder, hospital_sizes)
        country.write()
        country.append(list(hospital.people()))
        line.do(_published(line, line.open_hub.hub.log.store.size()))
        hospital.write()
        (folder / "console").mkdir()
        bench = Bench(folder / "console", line, country, hospital.seats())
        try:
            yield bench
        finally:
            bench.close()
            hospital.close()


async def _published(line: HubLine, size: int) -> None:
    """Wait until the regulator's witness cosigned all of it."""
    log = line.open_hub.hub.log
    log.set_policy(log.policy)
    for _ in range(6000):
        text = log.latest_with_quorum()
        if text and int(text.split("\n")[1]) >= size:
            return
        await asyncio.sleep(0.1)
    raise SystemExit("the witness did not cosign the log in time")


def main(arguments: list[str]) -> None:
    """Run it."""
    small = quick(arguments)
    sizes = SMALL if small else WHOLE
    hospital = node.SMALL if small else node.WHOLE
    only, fewer = _given(arguments, "--only="), _given(arguments, "--entries=")
    if fewer:  # for a machine that is shared: figures are then of a shorter log
        sizes = msgspec.structs.replace(sizes, entries=int(fewer))
    if _given(arguments, "--pages="):
        hospital = msgspec.structs.replace(hospital, pages=int(_given(arguments, "--pages=")))
    row(name="hospital", **msgspec.structs.asdict(hospital))
    row(name="size", studies=sizes.studies, data_sets=sizes.data_sets, log_entries=sizes.entries)
    with tempfile.TemporaryDirectory() as name:
        searches(Path(name), sizes.entries)
    with tempfile.TemporaryDirectory() as name, opened(Path(name), sizes, hospital) as bench:
        gc.collect()
        before = memory_mb()
        began = time.perf_counter()
        book = bench.book()
        while book.size < sizes.entries:
            time.sleep(0.05)
            if book.trouble:
                raise SystemExit(book.trouble)
        took = time.perf_counter() - began
        say("console.follow", "entries read, verified and indexed at the first start", sizes.entries / took, "/s")
        size_mb = sum(one.stat().st_size for one in (Path(name) / "console" / "books").iterdir()) / 1e6
        say("console.book_disk", "the console's copy of the log with its index", size_mb, "MB")
        began = time.perf_counter()
        again = Book(
            bench.console.lines.line.space,
            bench.console.lines.line,
            next((Path(name) / "console" / "books").glob("*.db")),
        )  # type: ignore[attr-defined]
        say("console.reopen", "opening the verified copy again", time.perf_counter() - began, "s")
        again.store.close()
        bench.line.open_hub.hub.access.every()
        keep_what_was_read()  # as a hub does that has started
        measure(bench, QUICK_TIMES if small else TIMES, tuple(only.split(",")) if only else ROLES)
        node.first_look(lambda: bench.get("patient", "/my/looks"), hospital.pages)
        first_load(bench)
        gc.collect()
        what = "memory of the console over that log, the hub's in the same process taken off"
        say("console.memory", what, memory_mb() - before, "MB", "<= 400", f"threads: {threading.active_count()}")


def _given(arguments: list[str], flag: str) -> str:
    return next((one.removeprefix(flag) for one in arguments if one.startswith(flag)), "")


if __name__ == "__main__":
    main(sys.argv[1:])
