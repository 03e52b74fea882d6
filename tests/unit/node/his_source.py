"""A hospital's information system behind SQL: one table of stays, its mapping, its source, and an open intake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.settings import NodeSettings
from xinglin.trust.keys import PrivateKeys

KEYS = PrivateKeys.generate()
SOURCE = """
[[source]]
name = "his"
mapping = "his.toml"
media_type = "application/vnd.apache.parquet"
[source.sql]
url_file = "his.url"
table = "stay"
watermark = "changed"
strict = false
"""


def mapping(more: str = "", columns: str = "") -> str:
    """Stays become encounters; ``more``: lines of the table, ``columns``: lines of its columns."""
    return f"""version = 1
name = "his"
[[table]]
into = "encounter"
id = "Encounter/{{no}}"
patient = "Patient/{{mrn}}"
version_at = "changed"
{more}
[table.columns]
started = {{ column = "admitted" }}
{columns}
"""


@contextmanager
def intake_in(folder: Path) -> Iterator[OpenIntake]:
    """An open intake with a folder for its mappings."""
    opened = open_intake(folder, NodeSettings(), KEYS)
    (folder / "mappings").mkdir(exist_ok=True)
    yield opened
    opened.close()


def connect(opened: OpenIntake, path: Path, mapped: str, sources: str) -> None:
    """Write what connects the database at ``path``."""
    (opened.folder / "his.url").write_text(f"sqlite:///{path}\n")
    (opened.folder / "mappings" / "his.toml").write_text(mapped)
    (opened.folder / "sources.toml").write_text(sources)
