"""Keys from fixed entropy, and a small space: operator, regulator, two hospitals and a researcher."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import pytest

from xinglin.trust import (
    KeyDirectory,
    PrivateKeys,
    admit,
    register,
    vouch,
)


def fixed_entropy(label: str) -> Callable[[int], bytes]:
    counter = iter(range(1_000_000))
    return lambda size: hashlib.shake_256(f"{label} {next(counter)}".encode()).digest(size)


class Space(NamedTuple):
    operator: PrivateKeys
    regulator: PrivateKeys
    hospital: PrivateKeys
    other: PrivateKeys
    researcher: PrivateKeys
    directory: KeyDirectory


@pytest.fixture(scope="session")
def space() -> Space:
    operator, regulator, hospital, other, researcher = (
        PrivateKeys.generate(fixed_entropy(label)) for label in ("op", "reg", "a", "b", "r")
    )
    directory = KeyDirectory(operator.did, regulator.did)
    person = vouch(register(researcher, "R. Lin", ("consumer",), hospital.did), hospital)
    for index, leaf in enumerate(
        [
            register(operator, "Operator", ("operator",)),
            register(regulator, "Health commission", ("regulator", "witness")),
            admit(register(hospital, "Hospital A", ("consumer", "provider", "witness")), operator),
            admit(register(other, "Hospital B", ("provider",)), operator),
            admit(person, operator),
        ]
    ):
        following = directory.apply(index, leaf)
        assert isinstance(following, KeyDirectory), following
        directory = following
    return Space(operator, regulator, hospital, other, researcher, directory)
