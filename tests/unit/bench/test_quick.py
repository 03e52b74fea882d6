"""Every benchmark runs in its small variant; what it measures there means nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from bench.__main__ import FIGURE, ROOT, benchmarks


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(benchmarks()))
def test_the_small_variant_runs_and_says_only_objects_with_names_of_their_own(name: str) -> None:
    words = [sys.executable, "-m", f"bench.{name}", "--quick"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    names = [one["name"] for one in objects]
    assert names and len(set(names)) == len(names)
    assert all(set(one) == set(FIGURE) for one in objects if "value" in one)
    assert all(one["value"] >= 0 for one in objects if "value" in one)
