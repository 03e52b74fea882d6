"""What waits in the demo when it stays up: something to do for everybody who can sign in.

1. an application that the operator has not looked at; 2. one with a question to the researcher; 3. one that the
committee votes on, with one vote in; 4. one that is approved and offered: agreements wait for hospitals; 5. a result
that two persons of the university hospital look at before it leaves; 6. a draft. Beside these, what hospitals say of
their data: how good they are, and their terms.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from xinglin.access.form import Form, Member, SafeData, SafeOutputs, SafePeople, SafeProject, SafeSettings
from xinglin.catalogue.entry import Listing
from xinglin.cli.catalogue_verbs import statement_of
from xinglin.cli.demo_people import COMMITTEE, MEMBERS, REVIEWERS, People
from xinglin.kernel.instants import system_clock
from xinglin.sdk.access import Access
from xinglin.sdk.offers import Offer, Proposal
from xinglin.sdk.space import study_id
from xinglin.stores.desk import ask_desk
from xinglin.terms.agreed import CohortView
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.wire.desk import DeskCall

if TYPE_CHECKING:
    from xinglin.cli.demo_space import Demo
    from xinglin.sdk.run import Run
    from xinglin.sdk.space import Space

NEW, ASKED, VOTED, OFFERED, DRAFT, LOOKED_AT = (
    "运动负荷与血压 Strain and blood pressure in older adults",
    "Angina on exertion: women and men compared",
    "心率储备与冠心病 Heart rate reserve and coronary disease",
    "Blood pressure at four hospitals",
    "Rehabilitation after infarction",
    "经人工审查的结果 Results that people look at",
)
ASKED_OF_RESEARCHER = "Which follow-up do you compare with?"
WORDS_OF_DATA = "Findings of a work-up, coded in LOINC and SNOMED CT; diagnoses in ICD-10."
PACK_HOSPITAL = REVIEWERS[0].hospital
PACK = """version = 1
name = "looked-at"
title = "Persons look at every result"

[setting.min_cell]
value = 10
source = "the hospital's committee (fictional)"

[setting.reviewers]
value = 2
source = "the hospital's committee (fictional)"
"""
_RESEARCH = Constraint("purpose", "isA", "health-research")
_DAY_MS = 24 * 3600 * 1000


def give_pack(demo: Demo) -> None:
    """The university hospital's own disclosure pack; before it publishes."""
    folder = demo.local.node_folder(PACK_HOSPITAL) / "disclosure_packs"
    folder.mkdir(exist_ok=True)
    (folder / "looked-at.toml").write_text(PACK, encoding="utf-8")


def fill_inboxes(demo: Demo, people: People) -> None:
    """All six; what was asked for is signed and sent as each person's own tool does it."""
    say_of_data(demo)
    space = _space(demo)
    mine, desk = Access(space), demo.local.hub_folder
    mine.apply(form_of(demo, NEW))
    asked = mine.apply(form_of(demo, ASKED)).application.id
    ask_desk(desk, DeskCall("access-ask", {"id": asked, "text": ASKED_OF_RESEARCHER}))
    voted = _accepted(demo, mine, VOTED)
    chair, second, third = MEMBERS
    motion = people.access(chair).put(voted, COMMITTEE, conditions=("Publish within 18 months.",)).motion
    people.access(second).vote(motion, "approve", "Well founded; the columns are no more than needed.")
    offered = _accepted(demo, mine, OFFERED)
    motion = people.access(chair).put(offered, COMMITTEE).motion
    for person in (chair, second, third):
        people.access(person).vote(motion, "approve", "Sound.")
    people.access(chair).resolve(motion)
    mine.offer(offered)
    study = study_id(DRAFT, space.account.did)
    mine.save(msgspec.structs.replace(form_of(demo, DRAFT), study=study, committees=()))
    demo.step("inboxes filled: two applications, a vote, agreements to sign, a draft")
    held = hold_result(demo)
    demo.step(f"a result waits for two reviewers of {PACK_HOSPITAL}: {held.id}")


def say_of_data(demo: Demo) -> None:
    """Every hospital says how good its data are, and all but the last under which terms they may be asked for."""
    names = list(demo.local.dids)

    def say(name: str) -> None:
        folder = demo.local.node_folder(name)
        statement = statement_of(folder, demo.data_set, "", f"Cardiology work-up of {name}. 心血管检查数据。", "", "")
        listing = Listing(
            demo.data_set,
            words=WORDS_OF_DATA,
            region="CN-36",
            keywords=("cardiology", "心血管", "blood pressure", "血压"),
            policy=Policy((Permission("use", (_RESEARCH,)),)) if name != names[-1] else None,
            statement=statement,
        )
        ask_desk(folder, DeskCall("list", {"listing": msgspec.json.encode(listing).decode()}))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(say, names))
    demo.step("said of the data: distributions, coverage, quality, terms")


def form_of(demo: Demo, title: str, *, days: int = 365) -> Form:
    """A complete application for the columns of the story, at every hospital."""
    space, now = _space(demo), system_clock()
    did = space.account.did
    cohort = [CohortView(table, _select(table, columns)) for table, columns in demo.tables.items()]
    return Form(
        project=SafeProject(
            title=title,
            summary="A cross-sectional study of strain and coronary heart disease in routine records.",
            plain_summary="We count who has heart disease, and compare their pulse and blood pressure. "
            "我们统计谁患有心脏病，并比较其脉搏与血压。",
            benefit="People at risk are found earlier.",
            purpose="health-research",
            basis="permit",
            funding="none",
            begins=now,
            ends=now + days * _DAY_MS,
        ),
        people=SafePeople(did, (Member(did, "investigator", now + 300 * _DAY_MS),)),
        data=SafeData(
            data_set=demo.data_set,
            cohort=tuple(cohort),
            variables=tuple(sorted(f"{table}.{column}" for table, row in demo.tables.items() for column in row)),
            hospitals=tuple(sorted(demo.local.dids.values())),
            justification="These columns are in the model, and no other.",
        ),
        settings=SafeSettings(retention_days=365, security="Keys stay in the institute; results on its own disks."),
        outputs=SafeOutputs(types=("table", "statistic"), publication="An open journal."),
        committees=(COMMITTEE,),
    )


def hold_result(demo: Demo) -> Run:
    """A study under the university's pack: its answer waits for two persons there."""
    from xinglin.privacy.packs import pack_digest, read_pack

    space = _space(demo)
    constraint = Constraint("disclosurePack", "isAllOf", (pack_digest(read_pack(PACK)),))
    looked_at = Offer(policy=Policy((Permission("use", (constraint,)),)))
    cohort = {table: _select(table, columns) for table, columns in demo.tables.items()}
    variables = tuple(f"{table}.{column}" for table, columns in demo.tables.items() for column in columns)
    proposal = Proposal(study_id(LOOKED_AT, space.account.did), demo.data_set, cohort, variables, "health-research")
    views = proposal.send(space, Offer(), None, {demo.local.dids[PACK_HOSPITAL]: looked_at})
    study = demo.countersigned(LOOKED_AT, {one.provider: one.agreement_id for one in views})
    run = study.sql(demo.sql(["age", "sex"])).ask("describe", columns=["age"])
    folder = demo.local.node_folder(PACK_HOSPITAL)
    end = time.monotonic() + 60
    while not ask_desk(folder, DeskCall("review-held")).value and time.monotonic() < end:
        time.sleep(0.1)
    return run


def _accepted(demo: Demo, mine: Access, title: str) -> str:
    application = mine.apply(form_of(demo, title)).application.id
    ask_desk(demo.local.hub_folder, DeskCall("access-accept", {"id": application}))
    return application


def _select(table: str, columns: tuple[str, ...]) -> str:
    return f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - our own words


def _space(demo: Demo) -> Space:
    assert demo.space is not None
    return demo.space
