"""Progress of a run in a terminal: a line a hospital, states only; elsewhere quiet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xinglin.wire.calls import RunView

if TYPE_CHECKING:
    from rich.table import Table

Tell = Callable[[RunView], None]


@contextmanager
def following(quiet: bool | None = None) -> Iterator[Tell | None]:
    """What ``Run.wait`` should tell: live lines on the error stream of a terminal, None where nobody looks.

    ``quiet``: True never shows, False always shows, None shows in a terminal.
    """
    if quiet or (quiet is None and not sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
        yield lambda view: live.update(progress_table(view), refresh=True)


def progress_table(view: RunView) -> Table:
    """The run and its hospitals as a table for a terminal."""
    from rich.table import Table

    table = Table(title=f"{view.run_id}  {view.state}  round {view.round}", title_justify="left", box=None)
    table.add_column("hospital")
    table.add_column("state")
    for line in progress_lines(view):
        table.add_row(*line)
    return table


def progress_lines(view: RunView) -> list[tuple[str, str]]:
    """(label, state) of each hospital; nothing in it depends on rows."""
    return [(node.name, node.state if node.connected else f"{node.state} (away)") for node in view.nodes]
