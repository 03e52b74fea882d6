"""Participants as the pages of operator and regulator show them."""

from __future__ import annotations

from typing import Any

from xinglin.console.visit import Visit


def member_state(one: Any) -> str:
    """A participant's state, as a key of the glossary."""
    return "state.revoked" if one.revoked else "revocation.frozen" if one.frozen else "state.active"


def member_row(visit: Visit, one: Any) -> dict[str, Any]:
    """A participant as a row of a list."""
    line = "pulse.connected" if one.connected else "pulse.disconnected" if "provider" in one.roles else ""
    return {
        "name": one.name,
        "roles": [visit.words.term(f"role.{role}") for role in one.roles] or [visit.words.term("role.person")],
        "state": member_state(one),
        "connected": line,
        "in_force": one.in_force,
        "since": one.since,
        "did": one.did,
    }
