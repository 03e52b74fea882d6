"""States of a run as its followers see them, and the words for each end."""

from __future__ import annotations

from xinglin.kernel.states import StateTable

RUN_STATES = StateTable(
    "run",
    "deciding",
    (
        ("deciding", "admit", "preparing"),
        ("deciding", "refuse", "refused"),
        ("deciding", "lose", "too_few"),
        ("deciding", "fail", "failed"),
        ("deciding", "withhold", "withheld"),
        ("deciding", "cancel", "cancelled"),
        ("preparing", "prepare", "computing"),
        ("preparing", "lose", "too_few"),
        ("preparing", "fail", "failed"),
        ("preparing", "withhold", "withheld"),
        ("preparing", "cancel", "cancelled"),
        ("computing", "release", "releasing"),
        ("computing", "lose", "too_few"),
        ("computing", "fail", "failed"),
        ("computing", "withhold", "withheld"),
        ("computing", "cancel", "cancelled"),
        ("releasing", "deliver", "done"),
        ("releasing", "withhold", "withheld"),
        ("releasing", "end", "no_result"),
        ("releasing", "lose", "too_few"),
        ("releasing", "fail", "failed"),
        ("releasing", "cancel", "cancelled"),
    ),
)
"""*refuse*: a hospital never said yes. *withhold*: one that did said no later, or the pooled result may not leave.

*fail* is a breakage: a check that failed, a message that cannot be used; never what a hospital's rules decided.
"""

WORDS = {
    "refused": "A hospital's own rules said no.",
    "too_few": "Too few hospitals stayed: a run never goes on with fewer once a total was opened.",
    "failed": "The run was stopped because a check failed.",
    "cancelled": "The asker cancelled the run.",
    "withheld": "The pooled result does not meet the disclosure rules.",
    "no_result": "The statistic does not exist for the pooled data.",
    "done": "The result was released.",
}
"""What each final state means, for people."""
HALTED = "A hospital's own rules stopped the run after it had begun: nothing of it is released."
"""What *withheld* means where no pooled result was judged."""
