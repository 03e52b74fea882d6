"""Files of a folder that others write as well."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit
from xinglin.stores.exchange import NotAFile, read_exchanged

FOUR = Limit("file", 4, "bytes")


def test_a_file_nothing_and_one_byte_too_many(tmp_path: Path) -> None:
    path = tmp_path / "one"
    assert read_exchanged(path, FOUR) is None
    path.write_bytes(b"four")
    assert read_exchanged(path, FOUR) == b"four"
    path.write_bytes(b"fives")
    with pytest.raises(LimitExceeded):
        read_exchanged(path, FOUR)


def test_a_file_of_no_size_that_gives_bytes_without_end_is_read_to_the_limit(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded):
        read_exchanged(Path("/proc/self/status"), FOUR)  # its size is said to be 0


@pytest.mark.parametrize("what", ["link", "dangling", "pipe", "folder", "socket", "shut"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one"
    if what in ("link", "dangling"):
        path.symlink_to("/dev/zero" if what == "link" else tmp_path / "away")
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "socket":
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    else:
        path.mkdir()
        path = path / ("n" * 300)  # a name that the disk does not take
    with pytest.raises(NotAFile):
        read_exchanged(path, FOUR)
