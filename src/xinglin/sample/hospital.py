"""Values of the room: a table of named columns with missing values, and a hospital that holds some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xinglin.sample.profiles import Profile

if TYPE_CHECKING:
    import pyarrow as pa


class SampleTable(msgspec.Struct, frozen=True):
    """Columns of one length: ``columns`` holds numpy arrays, ``missing`` the mask of a column that has one."""

    name: str
    columns: dict[str, np.ndarray[Any, Any]]
    missing: dict[str, np.ndarray[Any, Any]] = {}

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table; missing values are nulls."""
        import pyarrow as pa

        return pa.table({name: pa.array(values, mask=self.missing.get(name)) for name, values in self.columns.items()})


class SampleHospital(msgspec.Struct, frozen=True):
    """One hospital: who it is, and its tables by name."""

    profile: Profile
    tables: dict[str, SampleTable]
