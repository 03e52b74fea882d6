"""Genomes: VCF 4.1 to 4.4 becomes ``variant`` rows, one alternate allele in one sample each.

``VcfReader`` reads text and gzip; ``WithVcf`` goes around the reader of archives and takes gzipped VCF out of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"VcfReader": "reader", "WithVcf": "reader", "VcfHeader": "header", "read_header": "header"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
