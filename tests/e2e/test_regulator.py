"""The regulator's word at the hospitals: what it freezes or revokes gives nothing any more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from xinglin.cli.demo_refusals import ask
from xinglin.cli.demo_space import Demo
from xinglin.sdk.errors import Refused
from xinglin.sdk.study import Study

pytestmark = pytest.mark.slow

AGE = "SELECT LEAST(GREATEST(2025 - birth_year, 0), 120) AS age FROM patient"


def witness(demo: Demo, *words: str) -> None:
    command = [sys.executable, "-m", "xinglin", "witness", *words, "--folder", str(demo.local.witness_folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def refused_codes(study: Study) -> set[str]:
    with pytest.raises(Refused) as refused:
        ask(study, AGE, "describe", {"columns": ["age"]})
    return set(refused.value.codes)


def test_a_frozen_study_and_a_revoked_researcher_get_nothing(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "space", lambda _: None, None)
    demo.folder.mkdir()
    try:
        demo.start()
        demo.connect()
        demo.publish()
        space = demo.enrol()
        study = demo.main_study()
        ask(study, AGE, "describe", {"columns": ["age"]})
        witness(demo, "freeze", study.id)
        assert "terms.revoked" in refused_codes(study)
        witness(demo, "revoke", space.account.did, "--reason", "left")
        assert "trust.revoked" in refused_codes(study)
    finally:
        demo.close()
