"""How slow this machine is: bounds of time are meant for an idle one of its usual speed, and are scaled by this.

A bound that tells a defect from its absence (it hangs, it copies everything each time) is scaled as it stands; a wait
for an event has no bound that matters; and what is promised (a revocation within a second) is held against the
instants that the processes themselves keep, scaled too, since a machine that does everything late does this late.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable

WORK_S = 0.058
"""What ``work`` takes where bounds are as they are written."""


def work(clock: Callable[[], float] = time.process_time) -> float:
    """Seconds by ``clock`` of a fixed piece of work, the middle one of five times."""
    found = []
    for _ in range(5):
        began = clock()
        for n in range(300):
            text = json.dumps({str(i): [i, str(i * n)] for i in range(200)})
            json.loads(text)
            hashlib.sha256(text.encode()).digest()
        found.append(clock() - began)
    return sorted(found)[2]


def slowness(clock: Callable[[], float] = time.process_time) -> float:
    """How many times longer than meant this machine takes, now; a fast one gets no less than was meant.

    ``process_time``: its processor alone, for bounds of processor time; ``perf_counter``: with what else it does.
    """
    return max(1.0, work(clock) / WORK_S)
