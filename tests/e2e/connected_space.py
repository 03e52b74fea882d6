"""A space of one hospital whose tables come from what it has: a zip of exports, a folder of FHIR bundles."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xinglin.sdk import Space as Sdk
from xinglin.sdk import Study, enrol
from xinglin.sdk.offers import Offer
from xinglin.testing.sample_space import SampleSpace, wait_until


class ConnectedSpace(SampleSpace):
    """Hospital ``a`` connects ``what`` and publishes it as ``data_set``; a researcher is enrolled."""

    def __init__(self, folder: Path, what: Path, data_set: str, **node: Any) -> None:
        super().__init__(folder, [])
        self.hospitals = ("a", "b", "c")  # a quorum of witnesses needs more than one
        self._what, self._name, self._settings = what, data_set, node
        self.told: dict[str, Any] = {}

    def open(self) -> None:
        """Join, connect before the node runs, start, enrol."""
        self.found()
        self.start_centre()
        self.join_all()
        folder = str(self.node_folder("a"))
        words = ["connect", str(self._what), "--folder", folder, "--yes", "--json", "--publish", self._name]
        command = [sys.executable, "-m", "xinglin", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        self.told = json.loads(done.stdout)
        self.configure("a", intake="off", **self._settings)
        self.start_nodes()
        self.adopt_policy()
        self._sdk = Sdk(enrol(self.invite("consumer"), self.folder / "researcher", "Institute"), quiet=True)
        wait_until(lambda: self._name in self.sdk.data_sets(), "the hospital has published", 90)

    def agreed(self, title: str, tables: dict[str, Sequence[str]], offer: Offer) -> Study:
        """A study of these columns, as they are, countersigned by the hospital."""
        cohort = {name: f"SELECT {', '.join(columns)} FROM {name}" for name, columns in tables.items()}
        named = [f"{name}.{column}" for name, columns in tables.items() for column in columns]
        study = self.sdk.propose(title, data_set=self._name, cohort=cohort, variables=named, offer=offer)
        (held,) = study.agreements.values()
        self._approve("a", held.view.agreement_id)
        return study.wait(60)
