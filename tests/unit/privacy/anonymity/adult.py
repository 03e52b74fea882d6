"""The census extract and its hierarchies, read in place."""

from __future__ import annotations

import csv
import io
import sys
import tarfile
from pathlib import Path

import numpy as np

from xinglin.privacy.anonymity import Hierarchy, Quasi, from_csv

QUASI = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation")


def adult(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Hierarchy]]:
    """Columns as they come from a dictionary-coded file: equal texts are one object."""
    with tarfile.open(folder / "adult" / "adult.tar.gz") as archive:
        texts = {name: archive.extractfile(name).read().decode() for name in archive.getnames()}  # type: ignore[union-attr]
    head, *lines = csv.reader(io.StringIO(texts["adult.csv"]), delimiter=";")
    columns = {name: np.array([sys.intern(line[at]) for line in lines], dtype=object) for at, name in enumerate(head)}
    return columns, {name: from_csv(texts[f"adult_hierarchy_{name}.csv"]) for name in head}


def quasi(hierarchies: dict[str, Hierarchy], **more: object) -> list[Quasi]:
    """The eight columns that lead to a person."""
    return [Quasi(name, hierarchies[name], **more) for name in QUASI]  # type: ignore[arg-type]
