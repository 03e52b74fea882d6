"""The demo's space: processes, published tables, a researcher and agreements on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from xinglin.catalogue.model import DataSetDescription
from xinglin.cli.local_space import LocalSpace
from xinglin.lake.delta import Lake
from xinglin.sample import (
    data_set,
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
COLUMNS = ("age", "sex", "trestbps", "thalach", "exang", "disease")
COMPLETE = " AND ".join(f"{column} IS NOT NULL" for column in COLUMNS)
CANONICAL = {
    "patient": ("birth_year", "sex"),
    "observation": ("code", "value_number", "value"),
    "condition": ("code",),
}
"""What the study asks for of the canonical tables, which are the same whatever a hospital's records are kept in."""
PERSONS = """\
WITH findings AS (
  SELECT max(CASE WHEN code = '8480-6' THEN value_number END) AS trestbps,
         max(CASE WHEN code = '8867-4' THEN value_number END) AS thalach,
         max(CASE WHEN code = '300995000' THEN CASE WHEN value = '373066001' THEN 1 ELSE 0 END END) = 1 AS exang
  FROM observation
), diagnosis AS (
  SELECT count(*) > 0 AS disease FROM condition WHERE code = 'I25.1'
), persons AS (
  SELECT LEAST(GREATEST(2025 - p.birth_year, 0), 120) AS age,
         CASE WHEN p.sex = 'female' THEN 'female' WHEN p.sex = 'male' THEN 'male' END AS sex,
         LEAST(GREATEST(f.trestbps, 0), 300) AS trestbps, LEAST(GREATEST(f.thalach, 0), 260) AS thalach,
         f.exang AS exang, coalesce(d.disease, FALSE) AS disease
  FROM patient AS p LEFT JOIN findings AS f ON TRUE LEFT JOIN diagnosis AS d ON TRUE
)"""
"""One view for all hospitals: LOINC 8480-6 systolic pressure, 8867-4 heart rate; SNOMED CT 300995000 exercise-induced
angina, 373066001 yes; ICD-10 I25.1 coronary heart disease."""
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
    def data_set(self) -> str:
        """What every hospital publishes."""
        return DATA_SET

    @property
    def tables(self) -> Mapping[str, tuple[str, ...]]:
        """What the study may see: columns by table."""
        return {"cardiac": COLUMNS} if self.real else CANONICAL

    def sql(self, columns: Sequence[str] = COLUMNS, where: str = "") -> str:
        """One SELECT over one row a person, the same for every hospital."""
        source = "FROM cardiac" if self.real else "FROM persons"
        select = f"SELECT {', '.join(columns)} {source}"
        return f"{'' if self.real else PERSONS + chr(10)}{select}{' WHERE ' + where if where else ''}"

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
            if self.real:
                for name, hospital in zip(NAMES, generated.result(), strict=True):
                    write_hospital(hospital, Lake(self.local.node_folder(name) / "lake"))
            self.local.start_nodes()
        self.step("four hospitals joined: each a node that dials out, keeps its tables, and witnesses the log")
        self.local.adopt_policy()
        self.step(
            "the regulator signed the quorum policy: regulator and enough hospitals must cosign (fork protection)"
        )

    # --- 2. tables and agreements --------------------------------------------------------------

    def connect(self) -> None:
        """Every generated hospital brings its records in its own format; they become the same tables everywhere."""
        from xinglin.cli.demo_sources import bring

        if self.real:
            return
        with ThreadPoolExecutor(2) as pool:
            brought = pool.map(
                lambda pair: bring(pair[1], self.local.node_folder(pair[0]), self.folder / f"records-{pair[0]}"),
                zip(NAMES, self.hospitals(), strict=True),
            )
            for name, found in zip(NAMES, brought, strict=True):
                tally, facts = found.tally, sum(found.rows.values())
                self.step(f"{name} connected {', '.join(found.sources)}")
                self.say(
                    f"          {tally.received:,} records = {tally.accepted:,} accepted + {tally.quarantined}"
                    f" quarantined + {tally.rejected} rejected; {facts:,} rows in {len(found.rows)} canonical tables"
                )

    def publish(self) -> None:
        """Every hospital publishes its tables: descriptions, never rows."""
        for name, hospital in zip(NAMES, self.hospitals(), strict=True):
            text = msgspec.json.encode(self._described(name, hospital)).decode()
            ask_desk(self.local.node_folder(name), DeskCall("publish", {"description": text}))
        self.step(f"published: '{DATA_SET}' with ranges and levels, no row")

    def _described(self, name: str, hospital: SampleHospital) -> DataSetDescription:
        from xinglin.cli.demo_sources import described

        did = self.local.dids[name]
        if self.real:
            return data_set(hospital.profile, did, heart_descriptions())
        return described(hospital, self.local.node_folder(name), did, DATA_SET)

    def enrol(self) -> Space:
        """A researcher joins with a single-use invite."""
        account = enrol(self.local.invite("consumer"), self.folder / "researcher", "Institute of the demo (fictional)")
        self.space = Space(account, quiet=True)
        while len(self.space.data_sets().get(DATA_SET, {})) < len(NAMES):
            time.sleep(0.02)
        return self.space

    def agree(self, title: str, offer: Offer, wanted_of: Mapping[str, tuple[str, ...]]) -> Study:
        """Propose a study over columns of tables and let every hospital's officer countersign."""
        space = self.space
        assert space is not None
        study = space.propose(
            title,
            data_set=DATA_SET,
            cohort={
                table: f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - our own words
                for table, columns in wanted_of.items()
            },
            variables=[f"{table}.{column}" for table, columns in wanted_of.items() for column in columns],
            offer=offer,
        )
        return self.countersigned(
            title, {held.agreement.provider: held.view.agreement_id for held in study.agreements.values()}
        )

    def countersigned(self, title: str, wanted: Mapping[str, str]) -> Study:
        """Every hospital's officer countersigns the offer to it (``wanted``: ids by DID); the study, in force."""
        assert self.space is not None
        with ThreadPoolExecutor(len(NAMES)) as pool:
            list(pool.map(lambda name: self._approve(name, wanted[self.local.dids[name]]), NAMES))
        return self.space.study(title).wait(30)

    def _approve(self, name: str, agreement_id: str) -> None:
        folder = self.local.node_folder(name)
        while not any(one["id"] == agreement_id for one in ask_desk(folder, DeskCall("agreements")).value):
            time.sleep(0.02)
        ask_desk(folder, DeskCall("approve", {"id": agreement_id}))

    def main_study(self) -> Study:
        """The study of the story."""
        study = self.agree(TITLE, Offer(), self.tables)
        logged = [held.view.agreement_id[7:15] for held in study.agreements.values()]
        self.step(f"agreements signed by both sides and in the log: {', '.join(logged)}")
        return study

    # --- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """End every process."""
        if self.space is not None:
            self.space.close()
        self.local.close()
