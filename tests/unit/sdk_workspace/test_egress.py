"""What leaves a workspace is judged beside everything that ever left it, exact, and without names of rare values."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.access.people import NORTH, keys

from xinglin.sdk.account import Account
from xinglin.sdk.errors import Refused
from xinglin.sdk.workspace import egress
from xinglin.sdk.workspace.egress import OTHER, release
from xinglin.sdk.workspace.keeper import Keeper
from xinglin.sdk.workspace.wiring import vault_of
from xinglin.wire.extracts import ColumnSaid, ExtractFile, ExtractManifest

WORKSPACE = keys("workspace")
RUN, SECOND = "run-" + "a" * 26, "run-" + "b" * 26
LEAST = 10
Rows = Mapping[str, Sequence[Any]]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """A workspace whose log takes everything in: only the rules are tried here."""
    found = Keeper.__new__(Keeper)
    found.account = cast(Account, SimpleNamespace(keys=WORKSPACE, did=WORKSPACE.did, folder=tmp_path))
    found._vault = vault_of(found.account)
    monkeypatch.setattr(egress, "_authorised", lambda *_: None)
    return found


def put(room: Keeper, rows: Rows, run: str = RUN) -> None:
    """Keep an extract of these rows, as fetching it would."""
    file = io.BytesIO()
    pq.write_table(pa.table(dict(rows)), file)
    data = file.getvalue()
    columns = tuple(
        ColumnSaid(name, "text", "quasi", "kept")
        if isinstance(values[0], str)
        else ColumnSaid(name, "number", "sensitive", "kept", 0.0, 500.0)
        for name, values in rows.items()
        if name != "person"
    )
    said = ExtractManifest(
        run_id=run, study="s", data_set="d", node=NORTH.did, recipient=WORKSPACE.did, agreement="a", as_of=1,
        profile="p", profile_digest="x", grade=3, rows=1, persons=1, left_out=0, k=10, l=0, t="", risks={},
        columns=columns, released=1, min_cell=LEAST,
        files=(ExtractFile("rows.parquet", "x", len(data), hashlib.sha256(data).hexdigest()),),
    )  # fmt: skip
    for name, content in (("files/rows.parquet", data), ("manifest", msgspec.json.encode(said)), ("at", b"1")):
        room._vault.keep(f"{run}/{name}", content)
    room._vault.keep(f"{run}/proof", b"{}")


def people(groups: Mapping[str, int], start: int = 0) -> dict[str, list[Any]]:
    """One row a person, ``g`` by group, ``chol`` spread over its range."""
    g = [name for name, count in groups.items() for _ in range(count)]
    chol = np.random.default_rng(7).uniform(150, 300, len(g)).tolist()
    return {"person": [f"p{start + k}" for k in range(len(g))], "g": g, "chol": chol}


def shown(payload: Mapping[str, Any]) -> list[str]:
    return [cell["group"] for cell in payload["cells"] if cell["mean"] is not None]


BY = {"columns": ["chol"], "by": ["g"]}
ALL = {"columns": ["chol"]}


@pytest.mark.parametrize("order", [(ALL, BY), (BY, ALL)])
def test_a_small_group_is_not_what_is_left_of_several_releases(room: Keeper, order: tuple[Any, Any]) -> None:
    put(room, people({"a": 100, "b": 100, "c": 3}))
    release(room, RUN, "describe", order[0])
    with pytest.raises(Refused) as refused:
        release(room, RUN, "describe", order[1])
    assert "privacy.linear_differencing" in refused.value.codes
    assert len(room.releases(RUN)) == 1, "what is refused does not count as released"


def test_hidden_cells_are_not_released_and_large_groups_leave_in_any_order(room: Keeper) -> None:
    put(room, people({"a": 100, "b": 100, "c": 3}))
    assert shown(release(room, RUN, "describe", BY).payload) == ["g=a", "g=b"]
    assert release(room, RUN, "describe", BY).payload, "the same again tells nothing new"
    put(room, people({"a": 100, "b": 100, "c": 30}, start=1000), SECOND)
    release(room, SECOND, "describe", ALL)
    assert shown(release(room, SECOND, "describe", BY).payload) == ["g=a", "g=b", "g=c"]


def test_two_extracts_of_the_same_persons_are_one_system(room: Keeper) -> None:
    rows = people({"a": 100, "b": 100, "c": 3})
    put(room, rows)
    put(room, rows, SECOND)
    release(room, RUN, "describe", ALL)
    with pytest.raises(Refused) as refused:
        release(room, SECOND, "describe", BY)
    assert "privacy.linear_differencing" in refused.value.codes


def test_rows_of_persons_who_stand_in_several_groups_are_subtracted_too(room: Keeper) -> None:
    """Persons alone do not show it: 20 of them stand in both large groups, and 3 have five rows in the small one."""
    one = people({"a": 100, "b": 100})
    more = people({"b": 20, "c": 15})
    more["person"] = [*(f"p{k}" for k in range(20)), *(f"p{k}" for k in (50, 60, 70) for _ in range(5))]
    put(room, {name: [*one[name], *more[name]] for name in one})
    release(room, RUN, "describe", ALL)
    with pytest.raises(Refused) as refused:
        release(room, RUN, "describe", BY)
    assert "privacy.linear_differencing" in refused.value.codes


def test_what_was_kept_by_another_version_stops_every_release(room: Keeper) -> None:
    put(room, people({"a": 100}))
    room.keep_release(RUN, "egress-old", msgspec.msgpack.encode({"id": "egress-old", "cells": {"all": [1, 2]}}))
    with pytest.raises(Refused) as refused:
        release(room, RUN, "describe", ALL)
    assert refused.value.codes == ("workspace.not_comparable",)


@pytest.mark.parametrize("name", ["dp_count", "dp_crosstab", "dp_describe", "dp_histogram", "dp_linear"])
def test_no_noised_answer_leaves_without_its_noise(room: Keeper, name: str) -> None:
    put(room, people({"a": 100}))
    with pytest.raises(Refused) as refused:
        release(room, RUN, name, {"noise": {"rho_units": 1000}, "columns": ["chol"]})
    assert refused.value.codes == ("workspace.no_noise_here",) and "hospitals" in refused.value.reasons[0].remedy
    assert room.releases(RUN) == []


def test_a_model_is_no_aggregate_and_the_reason_names_what_is(room: Keeper) -> None:
    with pytest.raises(Refused) as refused:
        release(room, RUN, "glm", {})
    assert refused.value.codes == ("workspace.not_an_aggregate",) and "dp_" not in refused.value.reasons[0].remedy


@pytest.mark.parametrize(("rare", "seen"), [({"zebra": 9, "yak": 9, "emu": 9, "gnu": 9}, True), ({"zebra": 9}, False)])
def test_names_of_rare_values_do_not_leave(room: Keeper, rare: dict[str, int], seen: bool) -> None:
    put(room, people({"a": 100, "b": 100, **rare}))
    left = release(room, RUN, "describe", BY)
    told = [cell["group"] for cell in left.payload["cells"]]
    assert told == [f"g={OTHER}", "g=a", "g=b"]
    assert (f"g={OTHER}" in shown(left.payload)) is seen, "hidden as any cell of too few"
    assert not any(name in str(left.payload) for name in rare)
    kept = room.releases(RUN)[0]
    assert not any(name.encode() in kept for name in rare)


def test_one_person_with_many_rows_does_not_make_a_value_common(room: Keeper) -> None:
    rows = people({"a": 100, "b": 100, "zebra": 40})
    rows["person"][200:] = ["p0"] * 40
    put(room, rows)
    assert "zebra" not in str(release(room, RUN, "describe", BY).payload)
