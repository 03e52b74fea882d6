"""kill -9 around the recording of Consents that come in: each choice is there once, before the rows of its batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.node.test_consent_intake import Node, bundle, consent, patient

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = """
import os, signal, sys
from pathlib import Path
from tests.unit.node.test_consent_intake import Node, bundle, consent, patient
from xinglin.stores.consent_arrivals import ConsentArrivals
from xinglin.stores.consent_register import ConsentRegister

folder, step = Path(sys.argv[1]), sys.argv[2]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Killed(Node):
    def _step(self, name):
        if name == step:
            die()

if step == "before-choice":
    ConsentRegister.keep = die
if step == "before-place":
    ConsentArrivals.follow = die
Killed(folder).fhir(bundle(patient(), consent(), consent("2", "c2")))
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", ["planned", "before-choice", "before-place", "heard", "appended", "committed"])
def test_kill_9_between_a_batch_and_its_choices(tmp_path: Path, step: str) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-c", WORKER, str(tmp_path), step]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    node = Node(tmp_path)
    said, rows = len(node.choices()), len(node.rows("patient"))
    assert said == (0 if step in ("planned", "before-choice") else 2) and (said or not rows)
    node.intake.drain()
    assert [one.person for one in node.choices()] == ["Patient/1", "Patient/2"]
    assert len(node.rows("patient")) == 1 and node.arrivals.place() == 1
    told = [entry.subject for entry in node.ledger.outbox() if entry.kind == "change"]
    assert all(told.count(one.digest()) == 1 for one in node.choices())
    node.fhir(bundle(patient(), consent(), consent("2", "c2")) + " ")
    assert len(node.choices()) == 2
    node.close()
