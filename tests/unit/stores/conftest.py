"""Databases to hold the stores to: SQLite in a folder, and a schema of its own in PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from xinglin.kernel import new_id
from xinglin.stores.database import sqlite_url

FreshUrl = Callable[[], URL]


@pytest.fixture
def sqlite_urls(tmp_path: Path) -> FreshUrl:
    """A new SQLite file at each call."""
    numbers = itertools.count()
    return lambda: sqlite_url(tmp_path / f"{next(numbers)}.db")


@pytest.fixture
def postgres_urls(postgres_url: str) -> Iterator[FreshUrl]:
    """A new, empty schema at each call: the URL's search path."""
    import psycopg

    made: list[str] = []
    plain = make_url(postgres_url).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as connection:

        def fresh() -> URL:
            made.append("t_" + new_id("t")[2:])
            connection.execute(f"CREATE SCHEMA {made[-1]}")
            return plain.update_query_dict({"options": f"-csearch_path={made[-1]}"})

        yield fresh
        for schema in made:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest) -> FreshUrl:
    """``urls()``: an empty database, of either kind."""
    found: FreshUrl = request.getfixturevalue(f"{request.param}_urls")
    return found
