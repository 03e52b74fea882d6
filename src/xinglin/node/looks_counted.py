"""Who was counted by a use, as the codes that its child kept; and by which codes a person was ever counted."""

from __future__ import annotations

from pathlib import Path

from xinglin.kernel.errors import MalformedMessage
from xinglin.lake.persons import person_code
from xinglin.node.joining import SALT_FILE
from xinglin.node.settings import NodeSettings

CODE_BYTES = 8
COUNTED_FOLDER = "counted"


def cells_file(run: str) -> str:
    """Where the persons of a run's cells lie, relative to the node's folder."""
    return f"releases/{run}.cells"


def counted_file(run: str) -> str:
    """Where the persons of a use lie that keeps no cells (noised, extract, synthetic), in the node's folder."""
    return f"{COUNTED_FOLDER}/{run}.persons"


def place_for(folder: Path, run: str) -> str:
    """The absolute path of ``counted_file``, its folder made."""
    (folder / COUNTED_FOLDER).mkdir(exist_ok=True, mode=0o700)
    return str(folder / counted_file(run))


def counted(folder: Path, run: str) -> frozenset[bytes] | None:
    """Codes of the persons whose rows a use counted; ``None`` where nothing was kept, or cannot be read."""
    from xinglin.node.engine_sets import COUNTED, read_sets

    for name in (counted_file(run), cells_file(run)):
        path = folder / name
        if not path.is_file():
            continue
        try:
            sets = read_sets(str(path))
        except (OSError, MalformedMessage):
            return None
        if COUNTED in sets:
            found = [sets[COUNTED]]
        else:  # an older file: whoever stood in a cell
            found = [codes for cell, codes in sets.items() if not cell.startswith("~") and not {"#", "?"} & {*cell}]
        data = b"".join(codes.astype("<u8").tobytes() for codes in found)
        return frozenset(data[at : at + CODE_BYTES] for at in range(0, len(data), CODE_BYTES))
    return None


def codes_of(folder: Path, settings: NodeSettings, person: str) -> tuple[bytes, ...]:
    """Every code by which a person was counted: their own, and those of each record that is linked to them now."""
    salt = (folder / SALT_FILE).read_bytes()
    return tuple(code_of(key, salt) for key in sorted({person, *_linked(folder, settings, person)}))


def code_of(key: str, salt: bytes) -> bytes:
    """The code of a key, as the sets of a use hold it."""
    return person_code(key, salt).to_bytes(CODE_BYTES, "little", signed=True)


def _linked(folder: Path, settings: NodeSettings, person: str) -> set[str]:
    """Keys of records that are of the person by the links in force, and the person that their own record is of.

    A link that was taken back tells nobody anything: it was somebody else's record.
    """
    from xinglin.lake.current import PERSON_LINK
    from xinglin.lake.delta import Lake

    place = Path(settings.lake) if settings.lake else folder / "lake"
    lake = Lake(place)
    if not place.is_dir() or PERSON_LINK not in lake.names():
        return set()
    import pyarrow.compute as pc

    columns = ["patient", "person", "version_at", "recorded_at"]
    links = lake.open(PERSON_LINK).to_pyarrow_dataset()
    # A record that is the person's has a row that says so; all rows of those records tell whether it still holds.
    meant = links.to_table(columns=["patient"], filter=pc.field("person") == person).column("patient").to_pylist()
    asked = pc.field("patient").isin(sorted({person, *meant}))
    rows = links.to_table(columns=columns, filter=asked).to_pylist()
    rows.sort(key=lambda row: (row["version_at"], row["recorded_at"]))
    now = {row["patient"]: row["person"] for row in rows}
    records = {record for record, said in now.items() if said == person}
    return records | ({now[person]} if now.get(person) else set())
