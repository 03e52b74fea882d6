"""A workspace enters the log as a workspace of an institution that asks for data, and as nothing else."""

from __future__ import annotations

import pytest
from tests.unit.access.people import INSTITUTE, NORTH, OPERATOR, directory, keys

from xinglin.kernel.verdict import Denied
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import admit, register, vouch
from xinglin.trust.registry import KeyDirectory


def entered(roles: tuple[str, ...], home: PrivateKeys | None) -> KeyDirectory | Denied:
    leaf = admit(register(keys("workspace"), "workspace", roles, home.did if home else ""), OPERATOR)
    return directory().apply(directory().last + 1, vouch(leaf, home) if home else leaf)


def test_a_workspace_of_an_asking_institution_is_enrolled() -> None:
    found = entered(("workspace",), INSTITUTE)
    assert not isinstance(found, Denied)
    assert found.roles(keys("workspace").did) == {"workspace"}
    assert found.participant(keys("workspace").did).institution == INSTITUTE.did


@pytest.mark.parametrize(
    ("roles", "home"),
    [(("workspace",), None), (("consumer", "workspace"), INSTITUTE), (("workspace",), NORTH)],
    ids=["of nobody", "and more", "of a hospital that asks for nothing"],
)
def test_no_other_way_in(roles: tuple[str, ...], home: PrivateKeys | None) -> None:
    found = entered(roles, home)
    assert isinstance(found, Denied) and "trust.registration.workspace" in found.codes
