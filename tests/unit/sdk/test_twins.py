"""A twin is saved under the names that a hospital publishes: none of them may lead into another folder."""

from __future__ import annotations

import pytest

from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.sdk.errors import Refused
from xinglin.sdk.twins import published, twins_of

DID = "did:xinglin:" + "a" * 52


def described(*names: str) -> DataSetDescription:
    columns = (ColumnDescription("person", "text", "person"), ColumnDescription("age", "integer", low=0, high=120))
    return DataSetDescription(
        "d", DID, "A data set", tuple(TableDescription(name, columns, "person") for name in names)
    )


def test_published_tables_have_twins() -> None:
    found = published({"d": {DID: described("visits", "labs_2")}}, "d", "", {})
    assert {name: table.num_rows >= 5 for name, table in twins_of(found, 5).items()} == {"visits": True, "labs_2": True}


@pytest.mark.parametrize(
    "name", ["../visits", "/tmp/visits", "a/b", "..", "", "visits.x", "visits\n", ".visits", "a\\b"]
)
def test_a_table_that_names_a_file_elsewhere_has_no_twin(name: str) -> None:
    with pytest.raises(Refused, match="name that no table may have"):
        published({"d": {DID: described("visits", name)}}, "d", "", {})
