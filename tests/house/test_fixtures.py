"""The fixtures that tests lean on: a data folder, and a PostgreSQL that answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy


@pytest.mark.slow
def test_the_throw_away_postgres_answers_and_is_empty(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        tables = connection.execute(sqlalchemy.text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
        assert tables.scalar_one() == 0
    engine.dispose()


def test_the_data_folder_holds_the_four_hospitals(heart_disease: Path) -> None:
    names = sorted(
        found.group(1) for path in heart_disease.iterdir() if (found := re.match(r"processed\.(\w+)\.data", path.name))
    )
    assert names == ["cleveland", "hungarian", "switzerland", "va"]
