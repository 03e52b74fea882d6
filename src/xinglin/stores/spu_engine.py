"""SPU's RR22 as an engine for private intersections, in an environment of its own (it pins another numpy).

Two institutions whose children reach each other by TCP intersect a million items in seconds instead of minutes. The
child is handed a folder that only this user reads, no environment of ours and no terminal, and is ended at its time
limit. Guarantee and price: RR22 (Raghuraman, Rindal 2022; semi-honest) rests on pseudorandom correlation from LPN with
SPU's parameters; items are hashed under the matching's domain before the child sees them, so no identity number is in
its files, but who has child and domain can run a dictionary. Without an SPU that runs, ``NoEngine``: never another
engine in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from xinglin.kernel.limits import Limit
from xinglin.secure.blind.errors import NoEngine, OutOfTurn, WrongAnswer
from xinglin.secure.blind.matching_terms import ITEMS, Matching

CHILD = Path(__file__).with_name("spu_child.py")
LOOK_S = 60.0
WAIT_S = 900.0
SAID_BYTES = Limit("answer of the intersection's child", 65_536, "bytes")


class SpuEngine:
    """Intersections by the SPU in the environment of ``python`` (the path of its interpreter)."""

    def __init__(self, python: Path) -> None:
        self._python = python

    def version(self) -> str:
        """SPU's version; ``NoEngine`` where it does not run."""
        return str(self._ask({"look": True}, LOOK_S).get("version", ""))

    def intersect(
        self,
        matching: Matching,
        items: Sequence[bytes],
        me: str,
        addresses: tuple[str, str],
        wait_s: float = WAIT_S,
    ) -> list[int]:
        """Positions, ascending, of the learner's own items that the helper has too; empty at the helper.

        ``items``: distinct normalised identifiers. ``addresses``: ``host:port`` of learner and helper, which have to
        reach each other; put a private line or a tunnel in between, for the child itself speaks no TLS here.
        """
        if matching.shows != "intersection":
            raise OutOfTurn("This engine shows an intersection, and no count alone.")
        if len(items) != matching.items_of(me) or len(set(items)) != len(items):
            raise WrongAnswer("The set is not the one that the matching names.")
        ITEMS.check(len(items))
        domain = matching.domain()
        hashed = [hashlib.blake2b(item, key=domain, digest_size=24).hexdigest() for item in items]
        with tempfile.TemporaryDirectory(prefix="xinglin-matching-") as folder:  # mode 700
            own, found = Path(folder) / "items.csv", Path(folder) / "matches.csv"
            own.write_text("id\n" + "\n".join(hashed) + "\n")
            learns = me == matching.learner
            self._ask(
                {
                    "items": str(own),
                    "matches": str(found),
                    "learns": learns,
                    "addresses": list(addresses),
                    "wait_ms": round(wait_s * 1000),
                },
                wait_s,
            )
            if not learns:
                return []
            where = {text: at for at, text in enumerate(hashed)}
            lines = found.read_text().split()[1:]
        try:
            return sorted(where[line.strip('"')] for line in lines)
        except KeyError as error:
            raise WrongAnswer("The engine's outcome holds items that are not this side's.") from error

    def _ask(self, given: dict[str, object], wait_s: float) -> dict[str, object]:
        remedy = (
            "Install it: python -m venv spu && spu/bin/pip install 'spu==0.9.5' 'numpy<2'; or use the built-in one."
        )
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
        try:
            done = subprocess.run(
                [str(self._python), "-I", str(CHILD)],
                input=json.dumps(given).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                timeout=wait_s,
                check=False,
            )
        except OSError as error:
            raise NoEngine("There is no interpreter at the path of SPU's environment.", remedy=remedy) from error
        except subprocess.TimeoutExpired as error:
            raise NoEngine(
                f"SPU did not end within {wait_s:.0f} s.", remedy="Can both sides reach each other?"
            ) from error
        SAID_BYTES.check(len(done.stdout))
        try:
            said = json.loads(done.stdout.splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise NoEngine(f"SPU ended without an answer (status {done.returncode}).", remedy=remedy) from error
        if not isinstance(said, dict) or "missing" in said:
            raise NoEngine("SPU is not installed in this environment.", remedy=remedy)
        return said
