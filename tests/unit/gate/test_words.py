"""Every word of the five rooms of rules is where its room says."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize("room", ["terms", "catalogue", "privacy", "contract", "gate"])
def test_every_word_has_its_home(room: str) -> None:
    module = import_module(f"xinglin.{room}")
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError):
        module.no_such_word  # noqa: B018
