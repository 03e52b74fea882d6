"""The scenarios by the official kit's ids."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.peer import Peer

Scenario = Callable[[Peer], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    """Keep a scenario under its id."""

    def keep(function: Scenario) -> Scenario:
        assert name not in SCENARIOS and function.__doc__, name
        SCENARIOS[name] = function
        return function

    return keep


def data_set(name: str) -> str:
    """The data set or agreement that a scenario is about.

    >>> data_set("CN_C:01-02"), data_set("TP:03-01")
    ('ACNC0102', 'ATP0301')
    """
    return "A" + name.replace("_", "").replace(":", "").replace("-", "")
