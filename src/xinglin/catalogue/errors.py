"""Errors of the catalogue; none of them holds a value of a row."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class CatalogueError(XinglinError):
    """Anything that goes wrong with descriptions, statements and exports."""

    code = "catalogue.error"


class HolderIncomplete(CatalogueError):
    """A fact that HealthDCAT-AP makes mandatory and that only the data holder knows, or a code that no list has."""

    code = "catalogue.holder_incomplete"


class BadNationalCode(CatalogueError):
    """A code or identifier that the national catalogue's tables do not have."""

    code = "catalogue.bad_national_code"
