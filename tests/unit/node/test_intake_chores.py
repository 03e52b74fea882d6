"""Times of schedules and chores, and what a folder's files are taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.intake.ports import Kept, Received
from xinglin.node.intake.folders import SniffingKeeper
from xinglin.node.intake.pullers import CannotPull, first_line
from xinglin.node.intake.schedules import cron_zone
from xinglin.records.sniffing import HL7V2, UNKNOWN

MESSAGE = b"MSH|^~\\&|HIS|A|B|C|20240301||ADT^A01|1|P|2.5\r"


@pytest.mark.parametrize(
    ("zone", "name"),
    [("+08:00", "Etc/GMT-8"), ("-05:00", "Etc/GMT+5"), ("+05:30", "Asia/Kolkata"), ("Z", "UTC"), ("+08:20", "UTC")],
)
def test_an_offset_has_an_iana_name(zone: str, name: str) -> None:
    assert cron_zone(zone) == name


def test_a_secret_is_the_first_line_and_its_words_are_in_no_error(tmp_path: Path) -> None:
    path = tmp_path / "his.url"
    with pytest.raises(CannotPull, match="his.url"):
        first_line(path)
    path.write_text("\n")
    with pytest.raises(CannotPull, match="empty"):
        first_line(path)
    path.write_text("postgresql://ro:secret@host/his\nnotes\n")
    assert first_line(path) == "postgresql://ro:secret@host/his"
    path.write_bytes(b"\xff\xfe secret")
    with pytest.raises(CannotPull) as error:
        first_line(path)
    assert "secret" not in str(error.value)


def test_what_no_declaration_says_the_first_bytes_do() -> None:
    seen: list[tuple[str, bytes]] = []

    class Raw:
        def keep_all(self, received: list[Received]) -> list[Kept]:
            seen.extend((one.media_type, one.body) for one in received)
            return []

        def keep_stream(self, chunks: object, described: Received) -> Kept:
            seen.append((described.media_type, b"".join(chunks)))  # type: ignore[call-overload]
            return Kept("", 1, 0, False, "s", "", 0, "inpatient")

    woken: list[int] = []
    keeper = SniffingKeeper(Raw(), lambda: woken.append(1))  # type: ignore[arg-type]
    about = Received(MESSAGE, "s", UNKNOWN, 0, "inpatient", "x")
    keeper.keep_all([about, Received(b"x", "s", "text/csv", 0, "inpatient", "y.csv")])
    keeper.keep_stream(iter([MESSAGE[:3], MESSAGE[3:]]), Received(b"", "s", UNKNOWN, 0, "inpatient", "x"))
    assert seen == [(HL7V2, MESSAGE), ("text/csv", b"x"), (HL7V2, MESSAGE)]
    assert len(woken) == 2
