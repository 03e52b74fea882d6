"""A hospital that makes one synthetic set and says what it came to: ``python synthetic_maker.py FOLDER RUN STOP``.

``STOP``: the step before which the process kills itself (``kill -9``); ``-`` for none. Everything durable is real: the
ledger, the database, the vault and the marks; the rows that are measured are made here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from xinglin.analysis.admit_model import OutputColumn
from xinglin.analysis.synthetic import shape_of
from xinglin.gate import Computed, Use
from xinglin.kernel.codec import decode_msgpack
from xinglin.node import engine_synthetic
from xinglin.node.budgets import Caps, NodeBudgets
from xinglin.node.engine_messages import Draw, Fit
from xinglin.node.synthetic import NodeSynthetic
from xinglin.privacy.synthesis import Schema, fit
from xinglin.stores.extract_node import NodeExtractStore
from xinglin.stores.extract_vault import ExtractVault
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import RunRow
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.terms.request import Plan, UseRequest
from xinglin.terms.synthetic import SYNTHESISE, SYNTHETIC, SyntheticAsk
from xinglin.terms.thresholds import DisclosureRules
from xinglin.testing.decision_table import named_did
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.extracts import ExtractPackage

HERE, USER, D = (named_did("hospital"), named_did("asker"), "sha256:" + "0" * 64)
RHO = 10**10
COLUMNS = (
    OutputColumn("age", "number", 18, 90, (), True, "L2", ()),
    OutputColumn("sex", "category", None, None, ("f", "m"), False, "L2", ()),
)


class Child:
    """The computing child's answers, made in this process; it dies where it is told to."""

    def __init__(self, stop: str) -> None:
        self._stop = stop

    def reached(self, step: str) -> None:
        if step == self._stop:
            os.kill(os.getpid(), signal.SIGKILL)

    async def fit(self, request: Fit) -> bytes:
        self.reached("measure")
        random = np.random.default_rng(7)
        rows = {"age": random.integers(18, 91, 900), "sex": np.array(random.choice(["f", "m"], 900), dtype=object)}
        schema = shape_of(request.ask, COLUMNS)
        assert isinstance(schema, Schema)
        model = fit(rows, schema, request.ask.rho_units, os.urandom).to_bytes()
        self.reached("keep")
        return model

    async def draw(self, request: Draw) -> Any:
        self.reached("draw")
        return engine_synthetic.drawn(request)

    async def judge(self, _request: object) -> bytes:
        self.reached("judge")
        return b"{}"


def use_of(run: str, rows: int = 400, method: str = "aim", recipient: str = USER) -> Use:
    params = SyntheticAsk(recipient, RHO, rows, method).to_params()
    plan = Plan("study", "registry", "SELECT age, sex FROM v", SYNTHETIC, params, (HERE,), 5, {HERE: D},
                DisclosureRules())  # fmt: skip
    request = UseRequest(plan.digest(), USER, "study", "health-research", SYNTHESISE, "n" * 16, 1, 2, (USER,), (HERE,))
    return Use(run, Signed("c", USER, b"", b""), request, plan)


def opened(folder: Path, child: Child, runs: tuple[str, ...], now: Callable[[], int] = lambda: 1_000) -> NodeSynthetic:
    """A hospital's maker of synthetic sets, over what lies in the folder."""
    keys = PrivateKeys.generate(lambda size: hashlib.shake_256(b"fixed").digest(size))
    database = NodeDatabase.in_folder(folder, lambda: 1)
    ledger = BudgetLedger.in_folder(folder)
    for run in runs:
        if database.run(run) is not None:
            continue
        from xinglin.kernel.codec import encode_msgpack
        from xinglin.lake.model import PinnedTable, Snapshot

        pinned = encode_msgpack(Snapshot(5, (PinnedTable("v", 3, "sha256:" + "1" * 64),)))
        database.put_run(RunRow(run, "extract", b"", b"", pinned=pinned))
    budgets = NodeBudgets(ledger, database, Caps(5 * RHO, 5 * RHO), lambda: 1_000)
    ledger.begin("registry", "study", 5 * RHO, 5 * RHO, 0)

    async def prepared(_use: Use) -> object:
        return SimpleNamespace()

    preparations = SimpleNamespace(of=prepared, engine_of=lambda _use: child)
    view = SimpleNamespace(on_trusted=[])
    mine = SimpleNamespace(did=HERE)
    desk = SimpleNamespace(folder=folder, keys=mine, view=view, preparations=preparations, budgets=budgets)
    vault = ExtractVault(keys, folder / "extracts")
    return NodeSynthetic(cast(Any, desk), NodeExtractStore.in_folder(folder), vault, now)


async def made(folder: Path, run: str, stop: str) -> dict[str, object]:
    """What the set came to, and what is spent."""
    node, ledger = opened(folder, Child(stop), (run,)), BudgetLedger.in_folder(folder)
    outcome = await node.compute(use_of(run))
    assert isinstance(outcome, Computed), outcome
    package = decode_msgpack(node.vault.open(f"{run}.package"), ExtractPackage)
    rows = hashlib.sha256(package.files["rows.parquet"]).hexdigest()
    manifest = json.loads(package.manifest)
    return {"spent": ledger.spent("registry"), "model": manifest["model"], "rows": rows, "again": manifest["again"]}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(made(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))))
