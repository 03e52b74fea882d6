"""Builds a console from its folder and settings: the only place that constructs its stores."""

from __future__ import annotations

from pathlib import Path

from xinglin.console.app import discovered
from xinglin.console.assets import Assets
from xinglin.console.lines import Lines
from xinglin.console.people.wiring import open_people
from xinglin.console.render import Renderer
from xinglin.console.seats import read_seats
from xinglin.console.serving import Console
from xinglin.console.settings import ConsoleSettings
from xinglin.console.streams import Streams
from xinglin.kernel.instants import Clock, system_clock


def build_console(folder: Path, settings: ConsoleSettings, clock: Clock = system_clock) -> Console:
    """All parts; nothing runs yet. Raises ``SettingsError`` for seats that cannot be read."""
    seats = read_seats(folder)
    people = open_people(folder, settings=settings, clock=clock)
    lines = Lines(folder, proxy=settings.proxy, ca_file=settings.ca_file, clock=clock)
    assets = Assets()
    renderer = Renderer(assets, discovered()[0], settings.zone)
    return Console(settings, seats, people, lines, assets, renderer, clock, {}, Streams())
