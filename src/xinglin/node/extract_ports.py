"""The gate's ports where runs and extracts part: each use goes to who carries its kind."""

from __future__ import annotations

from xinglin.gate import Computed, Computer, Releaser, Stopped, Use
from xinglin.kernel.verdict import Denied, Verdict
from xinglin.node.extracts import NodeExtracts
from xinglin.node.synthetic import NodeSynthetic
from xinglin.terms.extracts import is_extract
from xinglin.terms.synthetic import is_handed_over, is_synthetic


class ComputerOfKind:
    """Port ``gate.Computer``."""

    def __init__(self, runs: Computer, extracts: NodeExtracts, synthetic: NodeSynthetic) -> None:
        self._runs, self._extracts, self._synthetic = runs, extracts, synthetic

    async def compute(self, use: Use) -> Computed | Stopped | Denied:
        """See the port."""
        if is_synthetic(use.plan):
            return await self._synthetic.compute(use)
        return await (self._extracts if is_extract(use.plan) else self._runs).compute(use)

    async def uploaded(self, run: str) -> bool:
        """See the port. Of an extract nothing leaves before it is authorised, but that it was refused is an answer."""
        return self._extracts.looked(run) or await self._runs.uploaded(run)


class ReleaserOfKind:
    """Port ``gate.Releaser``."""

    def __init__(self, runs: Releaser, extracts: NodeExtracts) -> None:
        self._runs, self._extracts = runs, extracts

    async def deliver(self, use: Use, result: bytes, commitment: str) -> Verdict:
        """See the port."""
        return await (self._extracts if is_handed_over(use.plan) else self._runs).deliver(use, result, commitment)
