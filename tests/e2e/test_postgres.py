"""A space whose hub, log and one hospital keep everything in PostgreSQL: agreed, run, killed, run again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from xinglin.kernel import new_id
from xinglin.sample import read_heart_disease
from xinglin.testing import SampleSpace

pytestmark = pytest.mark.slow
COLUMNS = ("age", "sex")


@pytest.fixture
def databases(postgres_url: str) -> Iterator[dict[str, str]]:
    """A database each for the hub, its log and hospital a, at a server that waits for its disk."""
    import psycopg

    plain = make_url(postgres_url).set(drivername="postgresql")
    made = {who: f"{who}_{new_id('t')[2:]}" for who in ("hub", "log", "a")}
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as connection:
        for name in made.values():
            connection.execute(f"CREATE DATABASE {name}")
        connection.execute("ALTER SYSTEM SET fsync = on")
        connection.execute("SELECT pg_reload_conf()")
        yield {who: plain.set(database=name).render_as_string(hide_password=False) for who, name in made.items()}
        connection.execute("ALTER SYSTEM RESET fsync")
        connection.execute("SELECT pg_reload_conf()")
        for name in made.values():
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class OnPostgres(SampleSpace):
    """Settings of each process, with its database."""

    def __init__(self, folder: Path, databases: dict[str, str], data: Path) -> None:
        super().__init__(folder, read_heart_disease(data / "heart-disease")[:3])
        self._own = {
            "hub": {"database_url": databases["hub"], "log_url": databases["log"]},
            "a": {"database_url": databases["a"]},
        }

    def configure(self, who: str, **values: Any) -> None:
        super().configure(who, **values, **self._own.get(who, {}))


def test_everything_is_kept_in_postgresql(databases: dict[str, str], tmp_path: Path, shared_data: Path) -> None:
    space = OnPostgres(tmp_path / "space", databases, shared_data)
    try:
        space.open()
        study = space.study("On another database", COLUMNS)
        first = space.data(study, COLUMNS).histogram("age", edges=(20, 50, 60, 90))
        assert first.receipt.verify().opened
        space.kill("hub")
        space.kill("a")
        space.start("hub")
        space.start("a")
        space.wait_for_node("a")
        second = space.data(space.sdk.study(study.title), COLUMNS).describe()
        assert second.receipt.verify().opened
        assert not list(space.hub_folder.glob("*.db"))
        # The copy of the log can be fetched anew.
        assert [path.name for path in space.node_folder("a").glob("*.db")] == ["log.db"]
    finally:
        space.close()
