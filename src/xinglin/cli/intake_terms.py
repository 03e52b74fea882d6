"""A hint beside what came in: the terminology has changed since, and rows know it after they are read again."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.cli.output import printer
from xinglin.kernel.errors import XinglinError

if TYPE_CHECKING:
    from xinglin.stores.terms_store import TermsStore


def hint_at_terms(folder: Path, held: Collection[str] = ()) -> None:
    """Note the sources whose objects were read before a vocabulary was loaded or a local code decided.

    ``held``: sources with records in quarantine. Says nothing where nothing is to be done, or cannot be told.
    """
    if printer.as_json:
        return
    try:
        found = read_before_terms(folder)
    except XinglinError:
        return  # a remark: the verb has answered, and its own errors are told elsewhere
    for source, objects in found.items():
        again = f"xinglin intake remap {source}"
        if source in held:
            again += f"; what is held alone: xinglin intake replay --source {source}"
        printer.note(
            f"The terminology has changed since {objects} objects of '{source}' were read. To map them: {again}"
        )


def read_before_terms(folder: Path) -> dict[str, int]:
    """Objects by source that were last read before the terminology of ``folder`` was last changed."""
    from xinglin.node.intake.wiring import open_reading
    from xinglin.node.settings import node_settings
    from xinglin.stores.terms_store import TERMS_FILE, TermsStore

    if not (folder / TERMS_FILE).exists():
        return {}
    reading = open_reading(folder, node_settings(folder).settings)
    store = TermsStore.in_folder(folder, read_only=True)
    try:
        return reading.accounts.read_before(_changed_at(store)) if reading.accounts is not None else {}
    finally:
        store.close()
        reading.close()


def _changed_at(store: TermsStore) -> int:
    loaded = [*(one.provenance for one in store.maps()), *(one.provenance for one in store.systems())]
    decided = (one.at for one in store.local() if one.state != "proposed")
    return max((*(one.loaded_at for one in loaded), *decided), default=0)
