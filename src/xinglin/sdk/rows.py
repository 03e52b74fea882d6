"""Rows of a study as those see them who ask for rows of their own: an extract, a synthetic set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from xinglin.sdk.scope import Scope


class Rows(Protocol):
    """Data of a study, as ``Study.sql`` gives them; of the same kind are made with ``like``."""

    study: Any
    sql: str
    scope: Scope

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the query's columns."""
        ...

    def like(self, sql: str) -> Rows:
        """What another SELECT gives, at the same hospitals."""
        ...
