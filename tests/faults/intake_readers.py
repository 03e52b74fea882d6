"""Steps for a reading child that meets the worst: readers that never end, crash the interpreter or eat the memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

from xinglin.intake.preparing import Steps
from xinglin.intake.standard import standard_steps
from xinglin.records.model import Mapped, Read, ReadContext


class Odd:
    """Does what its bytes say; a number is that many parts with a patient each."""

    media_types = ("application/x-odd",)

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """As told."""
        word, _, rest = body.decode().partition(" ")
        if word == "spin":
            while True:
                pass
        if word == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        if word == "eat":
            eaten = []
            while True:
                eaten.append(bytes(100_000_000))
        if word == "raise":
            raise KeyError(rest)
        if word == "lie":
            yield Read(received=3, accepted=1)
        for number in range(int(word) if word.isdigit() else 0):
            yield _part(f"{rest}{number}", number)
            if rest == "breaks":
                raise ValueError(rest)


def _part(name: str, sex: Any) -> Read:
    columns = ("id", "patient", "sex", "place")
    return Read(
        1, mapped=(Mapped("patient", columns, [(f"Patient/{name}", f"Patient/{name}", "male", name)]),), accepted=1
    )


def odd_steps() -> Steps:
    """The standard ones, and the odd reader."""
    steps = standard_steps()
    return Steps({**steps.readers, "application/x-odd": Odd()}, steps.map_resources, steps.shape)
