"""The demo's space: processes, published tables, a researcher and agreements on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from xinglin.cli.local_space import LocalSpace
from xinglin.lake.delta import Lake
from xinglin.sample import (
    data_set,
    descriptions,
    generate_space,
    heart_descriptions,
    read_heart_disease,
    write_hospital,
)
from xinglin.sample.hospital import SampleHospital
from xinglin.sdk.enrolment import enrol
from xinglin.sdk.offers import Offer
from xinglin.sdk.space import Space
from xinglin.sdk.study import Study
from xinglin.stores.desk import ask_desk
from xinglin.wire.desk import DeskCall

DATA_SET = "cardiology"
TITLE = "Strain, age and coronary heart disease"
NAMES = ("university", "county", "heartcentre", "clinic")
SAMPLE_COLUMNS = ("age", "sex", "trestbps", "thalach", "exang", "restecg", "disease")
REAL_COLUMNS = ("age", "sex", "trestbps", "thalach", "exang", "disease")
FORMULA = "disease ~ age + C(sex) + trestbps + thalach + exang"

Say = Callable[[str], None]


class Demo:
    """One demo: the local space, the researcher's account, the study."""

    def __init__(self, folder: Path, say: Say, real: Path | None) -> None:
        self.folder, self.say, self.real = folder, say, real
        self.local = LocalSpace(folder, NAMES)
        self.space: Space | None = None
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the demo began."""
        return round(time.monotonic() - self._began, 2)

    def step(self, text: str) -> None:
        """Print one line of the story with the seconds so far."""
        self.say(f"[{self.seconds:5.1f} s] {text}")

    def hospitals(self) -> tuple[SampleHospital, ...]:
        """The four hospitals' data: generated, or the real ones of a folder."""
        return read_heart_disease(self.real) if self.real else generate_space()

    # --- 1. processes ------------------------------------------------------------------------

    def start(self) -> None:
        """Found the space and start every process."""
        with ThreadPoolExecutor(1) as pool:
            generated = pool.submit(self.hospitals)
            self.local.found()
            self.local.start_centre()
            self.step("hub and the regulator's witness run")
            self.local.join_all()
            for name, hospital in zip(NAMES, generated.result(), strict=True):
                write_hospital(hospital, Lake(self.local.node_folder(name) / "lake"))
            self.local.start_nodes()
        self.step("four hospitals joined: each a node that dials out, keeps its tables, and witnesses the log")
        self.local.adopt_policy()
        self.step(
            "the regulator signed the quorum policy: regulator and enough hospitals must cosign (fork protection)"
        )

    # --- 2. tables and agreements --------------------------------------------------------------

    def publish(self) -> None:
        """Every hospital publishes its tables: descriptions, never rows."""
        tables = heart_descriptions() if self.real else descriptions()
        for name, hospital in zip(NAMES, self.hospitals(), strict=True):
            described = data_set(hospital.profile, self.local.dids[name], tables)
            text = msgspec.json.encode(described).decode()
            ask_desk(self.local.node_folder(name), DeskCall("publish", {"description": text}))
        self.step(f"published: '{DATA_SET}' with ranges and levels, no row")

    def enrol(self) -> Space:
        """A researcher joins with a single-use invite."""
        account = enrol(self.local.invite("consumer"), self.folder / "researcher", "Institute of the demo (fictional)")
        self.space = Space(account, quiet=True)
        while len(self.space.data_sets().get(DATA_SET, {})) < len(NAMES):
            time.sleep(0.02)
        return self.space

    def agree(self, title: str, offer: Offer, cohort: str, variables: tuple[str, ...], table: str) -> Study:
        """Propose a study and let every hospital's officer countersign."""
        space = self.space
        assert space is not None
        study = space.propose(
            title,
            data_set=DATA_SET,
            cohort={table: cohort},
            variables=[f"{table}.{column}" for column in variables],
            offer=offer,
        )
        wanted = {held.agreement.provider: held.view.agreement_id for held in study.agreements.values()}
        with ThreadPoolExecutor(len(NAMES)) as pool:
            list(pool.map(lambda name: self._approve(name, wanted[self.local.dids[name]]), NAMES))
        return study.wait(30)

    def _approve(self, name: str, agreement_id: str) -> None:
        folder = self.local.node_folder(name)
        while not any(one["id"] == agreement_id for one in ask_desk(folder, DeskCall("agreements")).value):
            time.sleep(0.02)
        ask_desk(folder, DeskCall("approve", {"id": agreement_id}))

    def main_study(self) -> Study:
        """The study of the story."""
        columns = REAL_COLUMNS if self.real else SAMPLE_COLUMNS
        select = f"SELECT {', '.join(columns)} FROM cardiac"  # noqa: S608 - our own words
        study = self.agree(TITLE, Offer(), select, columns, "cardiac")
        logged = [held.view.agreement_id[7:15] for held in study.agreements.values()]
        self.step(f"agreements signed by both sides and in the log: {', '.join(logged)}")
        return study

    # --- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """End every process."""
        if self.space is not None:
            self.space.close()
        self.local.close()
