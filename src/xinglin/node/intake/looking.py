"""Files are looked at in a killable child with limited memory and time; what comes back are plain values.

A hostile or broken file (an archive that never ends, a workbook with a billion empty cells, a Parquet file whose
pages lie) costs its own look: an error that names the file, and never a value of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from xinglin.intake.model import Source
from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.node.intake.looks import Count, Follow, Images, Omop, Propose, Sample, Sniff, Try, packed_path
from xinglin.node.intake.marks import Marks
from xinglin.node.intake.unread import open_file
from xinglin.records.sniffing import Sniffed
from xinglin.stores.looking import LookDied, LookLimits, open_looker, printable

if TYPE_CHECKING:
    from xinglin.records.tabular.suggestion import Suggestion
    from xinglin.records.tabular.trial import Trial

_TASKS = "xinglin.node.intake.looks"
NOBODY_SAID: Mapping[str, str] = MappingProxyType({})
T = TypeVar("T")


class Looking:
    """One child for one command; it is started by the first look and ended with the ``with``.

    Every method raises ``FileNotOpened`` where the file cannot be opened at all, and else an error of
    ``stores.looking`` that names the file: ``LookTooLong``, ``LookTooLarge``, ``LookDied``, or ``LookRefused`` with
    the reader's code.
    """

    def __init__(self, limits: LookLimits | None = None, *, marks: Marks | None = None) -> None:
        """``marks``: the files that alone are opened, each as it was; any other raises ``OutsideDrop``."""
        self._looker, self._marks = open_looker(limits), marks

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        return self._looker.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._looker.close()

    def sniffed(self, path: Path) -> Sniffed:
        """What the file is, by its first bytes."""
        return self._look("sniffed", Sniff(*self._at(path)), Sniffed, path)

    def proposed(
        self, path: Path, name: str = "", sheet: str = "", *, omop: bool = True
    ) -> tuple[Omop, Suggestion | None]:
        """What the file is of OMOP CDM, and a proposed mapping where it is one table.

        ``name``: what the proposal is called after; by default the file's. ``sheet``: pattern of the sheet to look
        at. ``omop``: whether OMOP's columns are looked for before anything is guessed.
        """
        from xinglin.records.tabular.suggestion import Suggestion

        place, mark = self._at(path)
        asked = Propose(place, name or path.name, sheet, omop, mark=mark)
        return self._look("proposed", asked, tuple[Omop, Suggestion | None], path)  # type: ignore[arg-type]

    def suggested(self, path: Path, sheet: str = "") -> tuple[Omop, Suggestion]:
        """A mapping of one table of the file in any case: the shipped one of a table of OMOP CDM, else a proposal.

        The first value says what the whole file is of OMOP.
        """
        kind, found = self.proposed(path, sheet=sheet)
        if found is None:
            _, found = self.proposed(path, sheet=sheet, omop=False)
        if found is None:
            raise LookDied("Nothing was proposed.", remedy="Name a sheet.")
        return kind, found

    def suggested_bytes(
        self, body: bytes, name: str, sheet: str = "", said: Mapping[str, str] = NOBODY_SAID
    ) -> tuple[Omop, Suggestion]:
        """The same of an object's bytes; errors say ``name``. ``said``: column to what a person says it is about.

        Where somebody said so, a mapping is made of the columns' meanings, of OMOP or not.
        """
        from xinglin.records.tabular.suggestion import Suggestion

        first: Omop = ""
        for omop in (False,) if said else (True, False):
            asked = encode_msgpack(Propose(b"", name, sheet, omop, dict(said)))
            packed = self._looker.look(f"{_TASKS}:proposed", asked, body, name=name)
            kind, found = _unpacked(packed, tuple[Omop, Suggestion | None], name)  # type: ignore[arg-type,misc]
            first = first or kind  # type: ignore[has-type]
            if found is not None:  # type: ignore[has-type]
                return first, found  # type: ignore[has-type]
        raise LookDied(f"'{printable(name)}': nothing was proposed.", remedy="Name another table.")

    def proposed_bytes(self, body: bytes, name: str) -> Suggestion:
        """The mapping of rows that a database gave, as Parquet: OMOP's own, else proposed; errors say ``name``."""
        return self.suggested_bytes(body, name)[1]

    def tried(self, path: Path, source: Source, media_type: str, at: Instant) -> Sample | None:
        """The rows that the file's first part makes; None where it has no reader or no record."""
        place, mark = self._at(path)
        asked = Try(place, source, media_type, at, mark)
        return self._look("tried", asked, Sample | None, path)  # type: ignore[arg-type]

    def tried_bytes(self, body: bytes, source: Source, media_type: str, at: Instant) -> Sample | None:
        """The same of bytes that a server sent; errors name the source."""
        asked = Try(b"", source, media_type, at)
        packed = self._looker.look(f"{_TASKS}:tried", encode_msgpack(asked), body, name=source.name)
        return _unpacked(packed, Sample | None, source.name)  # type: ignore[arg-type]

    def images(self, path: Path) -> Images:
        """Which DICOM instances the file holds, whether it is one or an archive of them."""
        return self._look("counted", Count(*self._at(path)), Images, path)

    def followed(self, path: Path, mapping: str, zone: str, rows: int) -> Trial:
        """What a mapping makes of the whole file; ``rows``: as many of each table are shown."""
        from xinglin.records.tabular.trial import Trial

        return self._look("followed", Follow(packed_path(path), mapping, zone, rows), Trial, path)

    def followed_bytes(self, body: bytes, name: str, mapping: str, zone: str, rows: int) -> Trial:
        """The same of an object's bytes; errors say ``name``."""
        from xinglin.records.tabular.trial import Trial

        asked = encode_msgpack(Follow(b"", mapping, zone, rows))
        return _unpacked(self._looker.look(f"{_TASKS}:followed", asked, body, name=name), Trial, name)

    def _at(self, path: Path) -> tuple[bytes, str]:
        """A path for a question, and the mark of the file that alone may lie there."""
        if self._marks is None:
            return packed_path(path), ""
        if path not in self._marks:
            from xinglin.node.intake.dropping import OutsideDrop

            raise OutsideDrop("What is looked at leads out of the drop folder.", remedy="Look at it again.")
        return os.fsencode(path), self._marks[path]

    def _look(self, task: str, asked: msgspec.Struct, kind: type[T], path: Path) -> T:
        with open_file(path, self._at(path)[1]):
            pass  # a file that is not there, or not for us, is told as such
        packed = self._looker.look(f"{_TASKS}:{task}", encode_msgpack(asked), name=path.name)
        return _unpacked(packed, kind, path.name)


def _unpacked(packed: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.msgpack.decode(packed, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LookDied(f"'{printable(name)}': what looked at it gave no answer.", remedy="Leave it out.") from error
