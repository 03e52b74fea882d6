"""Xinglin 杏林: a health trusted data space in which approved uses come to the data.

An analyst needs one name from here::

    import xinglin
    space = xinglin.connect("~/heart-study")      # the folder that ``xinglin join INVITE`` made

Rooms and floors are described in ``docs/architecture.md``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    if name == "connect":
        return import_module("xinglin.sdk").connect
    raise AttributeError(f"module 'xinglin' has no attribute {name!r}")
