"""The rules of survivors: pure functions that say yes, or no with every reason."""

from __future__ import annotations

from collections.abc import Iterable

from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.secure.session import Session

ALLOWED = Allowed()


def check_set(session: Session, chosen: Iterable[int], within: tuple[int, ...], opened: bool) -> Verdict:
    """Whether ``chosen`` may be summed when ``within`` took part so far and a total was ``opened`` or not.

    It is nested in ``within``, sorted, large enough for a majority of signatures and for the minimum, the
    honest survivors' masks stay connected, and after the first opened total it is never smaller.
    """
    members = tuple(chosen)
    reasons: list[Reason] = []
    if members != tuple(sorted(set(members))) or not set(members) <= set(within):
        reasons.append(
            Reason("secure.not_nested", "The named survivors are not among those who took part.", "Name a subset.")
        )
    needed = max(session.fewest, session.threshold)
    if len(members) < needed:
        reasons.append(
            Reason(
                "secure.too_few",
                f"{len(members)} hospitals are left; at least {needed} of {len(session.members)} are needed.",
                "Wait for the others to come back, or start a new run.",
            )
        )
    if len(session.members) - len(members) + session.colluders >= session.degree:
        reasons.append(
            Reason(
                "secure.graph_cut",
                "So many hospitals vanished that the masks of the others may no longer hold together.",
                "Start a new run with those who are there.",
            )
        )
    if opened and members != within:
        reasons.append(
            Reason(
                "secure.never_fewer",
                "A total of this run was opened; the run never goes on with fewer hospitals.",
                "Wait for the missing hospital, or end the run and start a new one.",
            )
        )
    return Denied(tuple(reasons)) if reasons else Allowed()


def check_own(session: Session, chosen: tuple[int, ...], me: int, pinned: tuple[int, ...]) -> Verdict:
    """Whether ``chosen`` suits this node: it is among them, with enough hospitals that its agreement pins."""
    reasons: list[Reason] = []
    if me not in chosen:
        reasons.append(Reason("secure.not_me", "The named survivors leave out this hospital.", "Name it too."))
    counted = len((set(chosen) & set(pinned)) | {me})
    if counted < session.fewest:
        reasons.append(
            Reason(
                "secure.not_pinned",
                f"This hospital's agreement pins only {counted} of the hospitals; {session.fewest} are needed.",
                "Amend the agreement, or wait for the hospitals that it names.",
            )
        )
    return Denied(tuple(reasons)) if reasons else Allowed()


def another_set() -> Denied:
    """The refusal of anything said about a set this node does not stand for."""
    return Denied(
        (
            Reason(
                "secure.another_set",
                "The message speaks of survivors that this node did not endorse.",
                "Send what belongs to the set that it endorsed.",
            ),
        )
    )
