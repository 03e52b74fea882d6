"""Files made to cost more than they weigh: what they unpack to, how wide they are, what each step copies."""

from __future__ import annotations

import gzip
import io
import time
import zipfile

import pytest
from tests.slowness import slowness

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit
from xinglin.records.tabular import archive
from xinglin.records.tabular.csv_sheets import column_names
from xinglin.records.tabular.errors import BadArchive
from xinglin.records.tabular.model import COLUMNS


def zipped(**files: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, body in files.items():
            opened.writestr(name, body)
    return held.getvalue()


def test_what_archives_unpack_to_counts_through_every_level(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = zipped(a=b"x" * 600)
    monkeypatch.setattr(archive, "INNER_BYTES", Limit("bytes", 2 * (600 + len(inner)), "bytes"))
    assert len(list(archive.members(zipped(one=inner, two=inner)))) == 2
    with pytest.raises(LimitExceeded):
        list(archive.members(zipped(one=inner, two=inner, three=b"x")))


def test_a_gzip_of_many_small_members_is_read_in_one_go() -> None:
    began = time.process_time()
    body = gzip.compress(b"1,2\n") * 50_000
    ((_, data),) = archive.members(body)
    assert data == b"1,2\n" * 50_000
    assert time.process_time() - began < 10.0 * slowness(), "each member may not copy what follows it"


@pytest.mark.parametrize("cut", [1, 8, 40])
def test_a_gzip_that_ends_early_is_damaged(cut: int) -> None:
    with pytest.raises(BadArchive):
        list(archive.members((gzip.compress(b"1,2\n") + gzip.compress(b"3,4\n" * 100))[:-cut]))


def test_more_columns_than_a_sheet_has_are_refused_before_they_are_named() -> None:
    same = ["a"] * COLUMNS.value
    assert len(set(column_names(same, 0))) == COLUMNS.value
    for given, width in ((["a"] * (COLUMNS.value + 1), 0), ([], 10**9)):
        with pytest.raises(LimitExceeded):
            column_names(given, width)
