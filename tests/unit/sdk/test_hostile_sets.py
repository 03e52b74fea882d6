"""What a hospital signed and sealed as its own can still do harm: no name, size or footer of it is taken on trust."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from tests.unit.access.people import NORTH
from tests.unit.sdk.test_synthetic_set import ASKER, FILES, RUN, Hub, manifest, session
from tests.unit.stores.test_looking_tables import swollen

from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.sdk.account import Account
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.handed import as_said
from xinglin.sdk.synthetic_set import SyntheticSet, fetched, folder_of, set_from_bytes, set_from_folder
from xinglin.sdk.workspace import keeper as room
from xinglin.sdk.workspace.keeper import Keeper
from xinglin.stores.looking import LookError, LookRefused
from xinglin.wire.extracts import ExtractFile, ExtractManifest, is_file_name
from xinglin.wire.synthetic import REPORT_BYTES, REPORT_FILE, SyntheticColumn, SyntheticManifest, SyntheticTable

LEADING_AWAY = (
    "../victim", "../../../victim/account", "/tmp/victim", "a/b", "..", ".", "", ".hidden", "a\\b", "C:\\victim",
    "rows\0", "rows\n", "rows ", "rows.parquet", "x" * 65, "ро", "１rows", "~", "-rf", "CON:", "a:b", "*", "rows\u202e",
)  # fmt: skip
STRANGE_FILES = (
    "../victim", "/tmp/victim", "manifest.json", "proof.json", "Manifest.json", "MANIFEST.JSON", "account.key",
    "visits.parquet", "rows.parquet.new", "rows.Parquet", "ROWS.parquet", ".rows.parquet", "rows", "report.json/x",
    "rows.parquet\0", "published.json", "rows.parquet\n", "report.JSON",
)  # fmt: skip


def listed(files: dict[str, bytes]) -> tuple[ExtractFile, ...]:
    return tuple(ExtractFile(name, "m", len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items())


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def take(monkeypatch: pytest.MonkeyPatch, said: SyntheticManifest, files: dict[str, bytes]) -> SyntheticSet:
    """What the hospital signed, all of it consistent, fetched by its recipient."""
    return fetched(session(Hub(said, files), monkeypatch), RUN)


def with_files(files: dict[str, bytes], **changes: Any) -> tuple[SyntheticManifest, dict[str, bytes]]:
    return manifest(files=listed(files), **changes), files


@pytest.mark.parametrize("name", LEADING_AWAY)
def test_a_table_cannot_name_a_file_elsewhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = (SyntheticTable(name, 2, (SyntheticColumn("age", "integer"),)),)
    said, files = with_files({f"{name}.parquet": FILES["rows.parquet"], REPORT_FILE: FILES[REPORT_FILE]}, tables=tables)
    with pytest.raises(NotVerified):
        take(monkeypatch, said, files)


@pytest.mark.parametrize("name", STRANGE_FILES)
def test_a_set_holds_its_tables_and_its_report_and_no_other_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotVerified):
        take(monkeypatch, *with_files({**FILES, name: b"mine now"}))
    if name not in FILES:
        for left_out in FILES:
            changed = {one: data for one, data in FILES.items() if one != left_out} | {name: FILES[left_out]}
            with pytest.raises(NotVerified):
                take(monkeypatch, *with_files(changed))


def test_a_set_lacks_none_of_its_files_and_names_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    for left_out in FILES:
        with pytest.raises(NotVerified):
            take(monkeypatch, *with_files({one: data for one, data in FILES.items() if one != left_out}))
    said, files = with_files(FILES)
    twice = (replace(said.files[0], sha256="0" * 64), *said.files)
    with pytest.raises(NotVerified):
        take(monkeypatch, replace(said, files=twice), files)
    with pytest.raises(NotVerified):
        take(monkeypatch, replace(said, files=twice, tables=(*said.tables, *said.tables)), files)
    same = replace(said.tables[0], name="Rows")
    both = {**FILES, "Rows.parquet": FILES["rows.parquet"]}
    with pytest.raises(NotVerified):
        take(monkeypatch, *with_files(both, tables=(*said.tables, same)))


@pytest.mark.parametrize("how", ["over", "absolute", "manifest", "below"])
def test_saving_writes_into_its_folder_alone_whatever_was_handed_in(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, place = tmp_path / "account.key", tmp_path / "a" / "set"
    victim.write_bytes(b"the key")
    (place / "below").mkdir(parents=True)
    name = {"over": "../../account.key", "absolute": str(victim), "manifest": "manifest.json", "below": "below/x.y"}[
        how
    ]
    good = take(monkeypatch, *with_files(FILES))
    said, files = with_files({**FILES, name: b"mine now"})
    with pytest.raises(NotVerified):
        SyntheticSet(msgspec.json.encode(said), files, good.proof).save(place)
    assert victim.read_bytes() == b"the key" and [one.name for one in place.rglob("*")] == ["below"]


def test_a_saved_set_reads_no_file_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(monkeypatch, *with_files(FILES)).save(tmp_path / "set")
    said, _ = with_files({**FILES, "../secret.json": b"{}"})
    (tmp_path / "secret.json").write_bytes(b"{}")
    (tmp_path / "set" / "manifest.json").write_bytes(msgspec.json.encode(said))
    with pytest.raises(NotVerified):
        set_from_folder(tmp_path / "set")
    for run in ("../set", "run-x", "/tmp", RUN + "/..", RUN + "\n", ""):
        with pytest.raises(NotVerified):
            folder_of(tmp_path, run)


@pytest.mark.parametrize(
    "report",
    [b"", b"[]", b'{"tables": []}', b'{"format": "x", "tables": {}}', b'{"format": "x"', b"\xff" * 30, b"[" * 100_000,
     b'{"format": "x", "tables": [{"name": "rows", "total": "many"}]}',
     b'{"format": "x", "tables": [{"name": "rows", "alone": [{"columns": [1], "cells": 1, "sd": 1, "distance": 0}]}]}',
     b'{"format": "x", "tables": [{"name": "rows", "alone": [{"columns": [], "cells": 1, "sd": 1, "distance": 9}]}]}',
     b'{"format": "x", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
     b'{"format": "' + b"x" * REPORT_BYTES.value + b'"}'],
)  # fmt: skip
def test_a_report_that_cannot_be_shown_is_not_taken(report: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((NotVerified, LimitExceeded)):
        take(monkeypatch, *with_files({**FILES, REPORT_FILE: report}))


@pytest.mark.parametrize(
    "changes",
    [{"epsilon": "none"}, {"epsilon": "inf"}, {"epsilon": "1e999"}, {"as_of": 10**18}, {"as_of": -1},
     {"rho_units": 10**400}, {"rho_units": -1}],
)  # fmt: skip
def test_a_manifest_that_no_page_could_show_is_not_taken(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(XinglinError):
        take(monkeypatch, *with_files(FILES, **changes))


@pytest.mark.parametrize("rows", [-1, 0, 1, 3, 10**13, 2**70])
def test_rows_are_as_many_as_the_manifest_says(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(XinglinError):
        take(monkeypatch, *with_files(FILES, tables=(replace(manifest().tables[0], rows=rows),)))


@pytest.mark.parametrize(
    "data",
    [
        parquet(row=["a", "b"], age=pa.array([40, 50], pa.int32())),
        parquet(row=["a", "b"], years=[40, 50]),
        parquet(age=[40, 50], row=["a", "b"]),
        parquet(row=["a", "b"], age=[40, 50], name=["x", "y"]),
        parquet(row=["a", "b"]),
        b"PAR1" + b"\0" * 40 + b"PAR1",
        b"",
    ],
)
def test_columns_are_those_of_the_manifest(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotVerified):
        take(monkeypatch, *with_files({**FILES, "rows.parquet": data}))


def test_kilobytes_that_open_to_gigabytes_are_not_taken_nor_opened_later(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = (SyntheticTable("rows", 14_000, ()),)
    said, files = with_files({**FILES, "rows.parquet": swollen()}, tables=tables)
    with pytest.raises(LookRefused, match="opened table"):
        take(monkeypatch, said, files)
    good = take(monkeypatch, *with_files(FILES))
    kept = SyntheticSet(msgspec.json.encode(said), files, good.proof)  # as one that was taken before this was checked
    monkeypatch.setattr(pq, "ParquetFile", lambda *_, **__: pytest.fail("opened in this process"))
    with pytest.raises((NotVerified, LookError)):
        kept.pandas()
    assert [len(row[0]) for row in kept.rows(most=2)] == [100_000] * 2


def test_a_set_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = take(monkeypatch, *with_files(FILES))
    monkeypatch.setattr("xinglin.sdk.synthetic_set.look_through", lambda _: pytest.fail("again"))
    assert found.arrow().num_rows == 2 and found.rows() == [["a", 40], ["b", 50]]
    assert found.columns() == ("row", "age") and set_from_bytes(found.to_bytes()).digest() == found.digest()


# --- extracts in a workspace ---------------------------------------------------------------------


def extract(files: dict[str, bytes], rows: int = 2) -> ExtractManifest:
    return ExtractManifest(
        run_id=RUN, study="s", data_set="d", node=NORTH.did, recipient=ASKER.did, agreement="a", as_of=1, profile="p",
        profile_digest="d", grade=2, rows=rows, persons=2, left_out=0, k=2, l=0, t="", risks={}, columns=(),
        files=listed(files), released=1,
    )  # fmt: skip


def workspace(
    folder: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, rows: int = 2
) -> tuple[Keeper, list[str]]:
    hub, told = Hub(extract(files, rows), files), []
    fake = session(hub, monkeypatch)
    hub.post = lambda path, *_: told.append(path)  # type: ignore[attr-defined]
    fake.clock = lambda: 5
    monkeypatch.setattr(room, "Session", lambda *_, **__: fake)
    return Keeper(cast(Account, SimpleNamespace(folder=folder, keys=ASKER, did=ASKER.did))), told


EXTRACTED = {"rows.parquet": parquet(person=["a", "b"], age=[40.0, 50.0]), "Patient.ndjson": b"{}\n"}


def test_an_extract_is_kept_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, told = workspace(tmp_path, EXTRACTED, monkeypatch)
    assert keeper.fetch(RUN).files == tuple(EXTRACTED) and told == [f"/v1/extracts/{RUN}/taken"]
    assert keeper.file(RUN, "Patient.ndjson") == b"{}\n" and [one.run_id for one in keeper.kept()] == [RUN]
    assert keeper.verify(RUN).index == 7


@pytest.mark.parametrize("name", ["a/proof", "../manifest", "x/../../y.z", "n" * 300 + ".z", "rows.PARQUET", ".x.y"])
def test_an_extract_with_a_strange_name_leaves_nothing_behind(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, told = workspace(tmp_path, {**EXTRACTED, name: b"x"}, monkeypatch)
    with pytest.raises(NotVerified):
        keeper.fetch(RUN)
    assert not told and not [one for one in tmp_path.rglob("*") if one.is_file()] and keeper.kept() == []


def test_what_looks_like_a_proof_deeper_down_is_no_extract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, _ = workspace(tmp_path, EXTRACTED, monkeypatch)
    keeper._vault.keep(f"{RUN}/files/a/proof", b"x")  # as one that was refused half-way, before names were checked
    assert keeper.kept() == []


@pytest.mark.parametrize("rows", [1, 3, 14_000])
def test_an_extracts_rows_are_read_through_before_they_are_kept(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = swollen() if rows == 14_000 else EXTRACTED["rows.parquet"]
    keeper, told = workspace(tmp_path, {"rows.parquet": data}, monkeypatch, rows)
    with pytest.raises(LookRefused if rows == 14_000 else NotVerified):
        keeper.fetch(RUN)
    assert not told and keeper.kept() == []


def test_names_that_hospitals_give_are_plain() -> None:
    honest = (
        *FILES,
        "Patient.ndjson",
        "OperationOutcome.ndjson",
        "_x1.parquet",
        "published.json",
        "x" * 64 + ".parquet",
    )
    assert all(map(is_file_name, honest))


def test_a_limit_of_this_machine_is_told_as_one_and_accuses_nobody() -> None:
    with pytest.raises(LookRefused), as_said():
        raise LookRefused("kernel.limit", "It opens to more than this machine reads.")
    with pytest.raises(NotVerified), as_said():
        raise LookRefused("look.unfit", "It has other columns.")
