"""``xinglin demo``: a whole space on this machine, one study, its proof, and what must not work.

1. hub, regulator's witness and four hospitals start as real processes; every hospital witnesses too;
2. the hospitals publish tables and sign agreements with a study; 3. the study runs; 4. its receipt is
verified offline; 5. seven forbidden things are tried and each refusal is shown.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from xinglin.cli.local_space import LocalSpace
from xinglin.lake.delta import Lake
from xinglin.sample import data_set, descriptions, generate_space, heart_descriptions, read_heart_disease, write_hospital
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

    def step(self, text: str) -> None:
        """Print one line of the story with the seconds so far."""
        self.say(f"[{time.monotonic() - self._began:5.1f} s] {text}")

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
        self.step("the regulator signed the quorum policy: regulator and enough hospitals must cosign (fork protection)")

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
        assert space is not None  # noqa: S101 - enrol came before
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


def run_demo(
    *,
    exit_at_end: bool,
    json_file: Path | None = None,
    data: Path | None = None,
    folder: Path | None = None,
    keep: bool = False,
    say: Say = print,
) -> dict[str, Any]:
    """Run the demo; the study's result as plain values (also written to ``json_file``).

    ``data``: the folder of the four real hospitals' files. Without ``exit_at_end`` the space stays up until Ctrl-C.
    """
    from xinglin.cli.demo_refusals import show_refusals
    from xinglin.cli.demo_story import tell_story

    place = folder or Path(tempfile.mkdtemp(prefix="xinglin-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    demo = Demo(place, say, data)
    try:
        demo.start()
        demo.publish()
        demo.enrol()
        study = demo.main_study()
        outcome = tell_story(demo, study)
        outcome["refusals"] = show_refusals(demo, study)
        outcome["memory_bytes"] = demo.local.memory_bytes()
        outcome["seconds"] = round(time.monotonic() - demo._began, 2)
        demo.step(f"done; all processes together use {outcome['memory_bytes'] / 1e6:.0f} MB (PSS)")
        if json_file is not None:
            json_file.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=2))
        if not exit_at_end:
            _stay(demo)
        return outcome
    finally:
        demo.close()
        if folder is None and not keep:
            shutil.rmtree(place, ignore_errors=True)


def _stay(demo: Demo) -> None:
    account = demo.folder / "researcher"
    demo.say("")
    demo.say(f"The space stays up. Try it:  import xinglin; space = xinglin.connect({str(account)!r})")
    demo.say(f"                             study = space.study({TITLE!r})")
    demo.say("End it with Ctrl-C.")
    ended = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: ended.set())
    ended.wait()
