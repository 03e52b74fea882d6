"""A hospital that joins: by an invite, and by seven checks, each made anew from the node when it is looked at."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

import msgspec

from xinglin.console.calls.hospital_home import HomeCalls, node_did
from xinglin.console.calls.seat_calls import Item
from xinglin.console.doctor import key_findings
from xinglin.console.lines import SPACE_FILE, Lines
from xinglin.console.seats import Seat
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.catalogue import DataSetDescription
    from xinglin.catalogue.model import ColumnDescription

Look = Literal["good", "warn", "bad"]
_MEASURED = ("integer", "number", "real")
LABEL_CHARACTERS = Limit("public label of a hospital", 200, "characters")
SMOKE_PERSONS = 100
"""So many made-up persons the smoke test puts into every published table."""


class Check(msgspec.Struct, frozen=True):
    """One check: its name, what it is about and what was found (English, translated when shown), the command.

    ``told``: what a value is, as the node said it; ``path`` and ``label``: the page on which it is done.
    """

    name: str
    about: str
    look: Look
    found: str
    command: str
    values: dict[str, object] = {}
    told: str = ""
    path: str = ""
    label: str = ""


class Offer(msgspec.Struct, frozen=True):
    """What an invite says before anything is sent: the space, where its hub is, the descriptor's digest, its end."""

    space: str
    hub: str
    digest: str
    expires: Instant


class JoiningCalls:
    """Joining, and the checks of joining, over the folder, the desk and the lake of a node."""

    def __init__(self, seat: Seat, lines: Lines, home: HomeCalls) -> None:
        self._folder, self._lines, self._home = seat.folder, lines, home
        self._smoked: dict[str, tuple[int, list[str]]] = {}
        self._lock = threading.Lock()

    # --- joining ---------------------------------------------------------------------------------

    @property
    def joined(self) -> bool:
        """Whether the folder behind the seat holds a node that joined a space."""
        return (self._folder / SPACE_FILE).exists()

    def item(self) -> Item:
        """What the inbox says of a hospital that has not joined."""
        title = N_("This hospital has joined no space yet")
        words = N_("Join with the operator's invite; every other page comes after it.")
        return Item("join", "item.health", title, "/hospital/joining", words=words)

    def facts(self) -> tuple[str, str]:
        """DID and digest that hospital and operator compare by telephone; empty before joining."""
        if not self.joined:
            return "", ""
        return node_did(self._folder), canonical_digest(self._lines.card(self._folder))

    def offer(self, invite: str) -> Offer:
        """What an invite says; nothing is sent. Raises ``MalformedMessage`` or ``CannotJoin``."""
        from xinglin.node.joining import invite_for_hospital

        self._free()
        found = invite_for_hospital(invite)
        return Offer(found.space.name, found.space.hub_url, canonical_digest(found.space), found.expires)

    def join(self, invite: str, label: str) -> str:
        """Join, as ``xinglin node join`` does; the DID. Raises ``CannotJoin``, or ``Refused`` as the hub says."""
        from xinglin.node.intake.dropping import drop_folder
        from xinglin.node.joining import join_and_keep
        from xinglin.node.settings import node_settings

        LABEL_CHARACTERS.check(len(label))
        proxy, ca_file = self._lines.way
        with self._lock:
            self._free()
            done = join_and_keep(invite, self._folder, label, proxy=proxy, ca_file=ca_file)
            drop_folder(self._folder, node_settings(self._folder).settings)
        return done.did

    def _free(self) -> None:
        """Raise ``CannotJoin`` for a folder that holds more than a joining that was refused or broken off leaves."""
        from xinglin.node.intake.dropping import DROP_FOLDER
        from xinglin.node.joining import LEFT_BEHIND, CannotJoin

        if self.joined:
            raise CannotJoin("This hospital has joined already.", remedy="Go on with the next step.")
        if not self._folder.is_dir():
            return
        if {one.name for one in self._folder.iterdir()} - {*LEFT_BEHIND, DROP_FOLDER}:
            what = "The folder behind this seat is not empty, and holds no node that joined."
            raise CannotJoin(what, remedy="Whoever keeps the console gives the seat an empty folder.")

    # --- checks ----------------------------------------------------------------------------------

    def checks(self) -> tuple[Check, ...]:
        """All seven, in order."""
        return (
            self._identity(),
            self._keys(),
            self._network(),
            self._mapping(),
            self._smoke(),
            self._packs(),
            self._signed(),
        )

    def _identity(self) -> Check:
        did = node_did(self._folder)
        return Check(
            N_("Identity"),
            N_("The operator's invite makes the hospital a member; compare DID and digest by telephone."),
            "good" if did else "bad",
            N_("Enrolled.") if did else N_("Not enrolled yet."),
            'xinglin node join invite.txt --name "PUBLIC LABEL"',
            told=did,
        )

    def _keys(self) -> Check:
        found = key_findings(self._folder, "node")
        wrong = [one for one in found if not one.ok]
        return Check(
            N_("Keys"),
            N_("Made on this machine; they never leave it, and nobody else on it can read them."),
            "bad" if wrong else "good",
            N_("A key file is wrong.") if wrong else N_("Readable by the node alone."),
            "xinglin doctor",
            told=" ".join(f"{one.found} {one.remedy}".strip() for one in wrong),
        )

    def _network(self) -> Check:
        line = self._home.line()
        well = line.runs and line.connected
        about = N_(
            "The node dials out to the hub; no port of the hospital is open to the internet. "
            "The console starts no process: whoever keeps the machine does, and this page goes on by itself."
        )
        if not line.runs:
            return Check(N_("Network"), about, "bad", N_("The node's process is not running."), "xinglin node run")
        return Check(
            N_("Network"),
            about,
            "good" if well else "bad",
            N_("Connected; the log is verified up to entry %(n)s.") if well else N_("The line to the hub is down."),
            "xinglin node run",
            {"n": line.log_size} if well else {},
        )

    def _mapping(self) -> Check:
        intake = self._home.intake()
        rows = sum(one.accepted for one in intake.feeds)
        about = N_(
            "The hospital's records become the canonical tables; what cannot be read is held, and nothing is lost."
        )
        return Check(
            N_("Data mapping"),
            about,
            "good" if rows and not intake.quarantined else "warn",
            N_("Records accepted: %(rows)s; in quarantine: %(held)s.")
            if intake.there
            else N_("Nothing was connected yet."),
            "xinglin connect FILE, FOLDER or ADDRESS",
            {"rows": rows, "held": intake.quarantined} if intake.there else {},
            path="/hospital/connect" if self.joined else "",
            label=N_("Connect a source"),
        )

    def _smoke(self) -> Check:
        about = N_(
            "Made-up persons are drawn from what is published, and every value is held against its published range."
        )
        command = "xinglin catalogue grades DATA_SET --all --publish --by NAME"
        try:
            described = self._home.published()
        except (XinglinError, OSError):
            return Check(N_("Synthetic smoke test"), about, "bad", N_("The node's process is not running."), command)
        if not described:
            return Check(N_("Synthetic smoke test"), about, "warn", N_("Nothing is published yet."), command)
        tables = columns = 0
        wrong: list[str] = []
        for one in described:
            digest = one.digest()
            if digest not in self._smoked:
                self._smoked[digest] = smoke_test(one)
            count, bad = self._smoked[digest]
            tables, columns, wrong = tables + len(one.tables), columns + count, [*wrong, *bad]
        return Check(
            N_("Synthetic smoke test"),
            about,
            "bad" if wrong else "good",
            N_("Columns outside their range: %(n)s.")
            if wrong
            else N_("Tables: %(tables)s, columns: %(columns)s, all well."),
            command,
            {"n": len(wrong)} if wrong else {"tables": tables, "columns": columns},
            ", ".join(wrong[:8]),
        )

    def _packs(self) -> Check:
        from xinglin.node.law import read_node_law
        from xinglin.privacy.packs import SHIPPED

        about = N_("Rules of disclosure and of law for every answer; the strictest hospital's hold for all.")
        try:
            law = read_node_law(self._folder)
        except XinglinError as error:
            return Check(
                N_("Policy pack"),
                about,
                "bad",
                N_("The law file cannot be read."),
                "xinglin law packs",
                told=error.what,
            )
        return Check(
            N_("Policy pack"),
            about,
            "good",
            N_("Shipped disclosure packs: %(packs)s; packs of law: %(laws)s."),
            "xinglin law packs\nxinglin node policy propose policy.json --by NAME",
            {"packs": len(SHIPPED), "laws": len(law.packs) if law is not None else 0},
        )

    def _signed(self) -> Check:
        about = N_("What the node says is signed with its keys, and its leaf is in the log that others witness.")
        try:
            found = self._lines.desk(self._folder, "receipts", count="yes")
        except (XinglinError, OSError):
            return Check(N_("Sign"), about, "bad", N_("The node's process is not running."), "xinglin node receipts")
        kept, lost = int(found["kept"]), int(found["lost"])
        look: Look = "bad" if lost else "good" if kept else "warn"
        return Check(
            N_("Sign"),
            about,
            look,
            N_("Receipts in the log: %(kept)s; missing: %(lost)s.")
            if kept or lost
            else N_("No receipt yet: what was loaded and confirmed gets one when the log has taken it."),
            "xinglin node receipts",
            {"kept": kept, "lost": lost} if kept or lost else {},
            path="/publish",
            label=N_("Publish a data set"),
        )


def smoke_test(data_set: DataSetDescription) -> tuple[int, list[str]]:
    """Draw made-up persons for a description: how many columns were looked at, and those outside what is published."""
    from xinglin.sdk.twins import twins_of

    drawn = twins_of(data_set, SMOKE_PERSONS)
    wrong, count = [], 0
    for table in data_set.tables:
        for column in table.columns:
            if column.name not in drawn[table.name].column_names:
                continue  # an identifier: nobody is made up who has one
            count += 1
            values = [one for one in drawn[table.name].column(column.name).to_pylist() if one is not None]
            if (column.levels and not set(map(str, values)) <= set(map(str, column.levels))) or (
                column.kind in _MEASURED and not all(_inside(one, column) for one in values)
            ):
                wrong.append(f"{table.name}.{column.name}")
    return count, wrong


def _inside(value: object, column: ColumnDescription) -> bool:
    if column.low is None or column.high is None:
        return True
    return column.low <= float(str(value)) <= column.high
