"""A space at the size of a country's first year, written into a hub's own stores: studies, data sets, log entries."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from xinglin.access.application import Act, Submit, sign_act
from xinglin.access.approval import Resolution, notice_of, sign_notice, sign_resolution
from xinglin.access.committee import Charter, sign_charter
from xinglin.access.form import (
    Form,
    Member,
    SafeData,
    SafeOutputs,
    SafePeople,
    SafeProject,
    SafeSettings,
    agreed_terms,
)
from xinglin.access.ports import ActRow, MotionRow
from xinglin.access.review import Motion, ballot_of, cast_vote, scope_of, sign_motion, unseal_opening
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.contract.agreement import Agreement, sign_agreement
from xinglin.evidence.entry import Entry
from xinglin.sdk.space import study_id
from xinglin.stores.hub_rows import AgreementRow
from xinglin.terms.agreed import CohortView
from xinglin.testing.hub_line import HubLine
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import admit, leaf_body, leaf_kind, register
from xinglin.wire.approvals import approval_leaf

HOSPITALS = 40
DAY_MS = 86_400_000
STEPS = ("admitted", "release-authorised", "delivered")
BATCH = 49_152
WAITING_OF = 10
"""One application more in so many waits for its committee's votes."""
COLUMNS = tuple(f"c{number}" for number in range(8))


class Sizes(msgspec.Struct, frozen=True):
    """How much of everything: studies, data sets and log entries in all."""

    studies: int
    data_sets: int
    entries: int


class Country:
    """Writes a space of ``sizes`` into the stores of a hub that runs in this process; accounts are below ``folder``."""

    def __init__(self, line: HubLine, folder: Path, sizes: Sizes) -> None:
        self.line, self.folder, self.sizes = line, folder, sizes
        self.hub = line.open_hub.hub
        self.operator = self.hub.keys
        self.hospitals = [PrivateKeys.generate() for _ in range(HOSPITALS)]
        self.researcher = PrivateKeys.generate()
        self.committee = [PrivateKeys.generate() for _ in range(3)]
        self.now = int(time.time() * 1000)

    def account(self, name: str, keys: PrivateKeys) -> Path:
        """An account's folder."""
        place = self.folder / name
        place.mkdir()
        (place / "space.json").write_bytes(msgspec.json.encode(self.line.space))
        (place / "account.key").write_bytes(key_file_bytes(keys))
        return place

    def write(self) -> None:
        """Members, a committee, studies with approvals and agreements, runs until the log is long enough, data sets."""
        self.append(list(self._members()))
        self.append(list(self._studies()))
        left = self.sizes.entries - self.hub.log.store.size()
        batch: list[bytes] = []
        for entry in self._runs(left):
            batch.append(entry)
            if len(batch) == BATCH:
                self.append(batch)
                batch = []
        self.append(batch)
        self.hub.members.catch_up()
        self._publish()

    def append(self, entries: list[bytes]) -> None:
        """Put leaves into the hub's log."""
        if entries:
            self.hub.log.store.append_batch(entries)

    def _members(self) -> Iterator[bytes]:
        provides: tuple[str, ...] = ("provider", "witness")
        asks: tuple[str, ...] = ("consumer",)
        named = [(keys, f"Hospital {number} (made up)", provides) for number, keys in enumerate(self.hospitals)]
        named += [(keys, f"Institute {number} (made up)", asks) for number, keys in enumerate(self.committee)]
        named.append((self.researcher, "Institute of the benchmark", asks))
        for keys, name, roles in named:
            leaf = admit(register(keys, name, roles), self.operator)
            yield self._entry(leaf_kind(leaf), self.operator.did, leaf.did, body=leaf_body(leaf))
        members = tuple(sorted(keys.did for keys in self.committee))
        self.charter = Charter("board", "Board (made up)", members, members[:1], 3, "half", self.now - 400 * DAY_MS)
        signed = sign_charter(self.line.regulator, self.charter)
        body = approval_leaf("committee", signed)
        yield self._entry("approval", self.operator.did, self.charter.digest(), body=body)

    def _studies(self) -> Iterator[bytes]:
        chair = next(keys for keys in self.committee if keys.did == self.charter.chairs[0])
        for number in range(self.sizes.studies):
            hospital = self.hospitals[number % HOSPITALS]
            form = self._form(number, hospital)
            application = _id("application", number)
            act = sign_act(self.researcher, Act(application, 1, self.now, Submit(form)))
            access = self.line.open_hub.parts.access_database
            access.add_act(ActRow(application, 1, self.now, act.to_bytes()))
            motion, resolution = self._reviewed(application, form, chair)
            signed_motion = sign_motion(chair, motion).to_bytes()
            signed = sign_resolution(chair, resolution).to_bytes()
            access.put_motion(MotionRow(motion.digest(), application, form.study, "approved", signed_motion, signed))
            notice = sign_notice(chair, resolution)
            digest = notice_of(resolution).approval
            yield self._entry("approval", self.operator.did, digest, (chair.did,), approval_leaf("notice", notice))
            yield self._agreed(form, hospital)
        for number in range(self.sizes.studies, self.sizes.studies + max(1, self.sizes.studies // WAITING_OF)):
            self._waits(number, chair)

    def _waits(self, number: int, chair: PrivateKeys) -> None:
        """An application whose motion nobody voted on yet."""
        form, access = self._form(number, self.hospitals[number % HOSPITALS]), self.line.open_hub.parts.access_database
        application = _id("application", number)
        act = sign_act(self.researcher, Act(application, 1, self.now, Submit(form)))
        access.add_act(ActRow(application, 1, self.now, act.to_bytes()))
        motion = self._motion(application, form)
        signed = sign_motion(chair, motion).to_bytes()
        access.put_motion(MotionRow(motion.digest(), application, form.study, "voting", signed))

    def _reviewed(self, application: str, form: Form, chair: PrivateKeys) -> tuple[Motion, Resolution]:
        """A motion that every member voted for, and what the votes came to."""
        motion, ballots = self._motion(application, form), []
        for keys in self.committee:
            cast = cast_vote(keys, motion, "approve", "", {chair.did: chair.public})
            ballots.append(ballot_of(cast.vote, unseal_opening(chair, cast.sealed[chair.did])))
        return motion, Resolution(motion, tuple(ballots), (), self.now)

    def _motion(self, application: str, form: Form) -> Motion:
        terms = agreed_terms(form, (self.researcher.did,), self.now)
        return Motion(
            self.charter.digest(), application, form.digest(), self.researcher.did, self.researcher.did,
            (self.researcher.did,), scope_of(form, terms), self.now + 300 * DAY_MS, self.now + DAY_MS, (), self.now,
        )  # fmt: skip

    def _agreed(self, form: Form, hospital: PrivateKeys) -> bytes:
        terms = agreed_terms(form, (self.researcher.did,), self.now)
        agreement = Agreement(
            hospital.did, hospital.public.digest(), self.researcher.did, self.researcher.public.digest(),
            form.study, form.data.data_set, terms, self.now, version=terms.version,
        )  # fmt: skip
        offered, countersigned = sign_agreement(self.researcher, agreement), sign_agreement(hospital, agreement)
        digest = agreement.digest()
        self.hub.store.put_agreement(
            AgreementRow(
                digest, "active", hospital.did, self.researcher.did, offered.to_bytes(), countersigned.to_bytes()
            )
        )
        return self._entry("agreement", hospital.did, digest, (hospital.did, self.researcher.did))

    def _form(self, number: int, hospital: PrivateKeys) -> Form:
        did = self.researcher.did
        return Form(
            study=study_id(f"Study {number}", did),
            project=SafeProject(
                title=f"Study {number} 研究{number}",
                summary="Strain and coronary heart disease.",
                plain_summary="We count who has heart disease. 我们统计谁患有心脏病。",
                benefit="People at risk are found earlier.",
                purpose=("health-research", "public-health", "care-quality")[number % 3],
                basis="permit",
                funding="none",
                begins=self.now,
                ends=self.now + 365 * DAY_MS,
            ),
            people=SafePeople(did, (Member(did, "investigator", self.now + 300 * DAY_MS),)),
            data=SafeData(
                data_set=f"set-{number % (self.sizes.data_sets // HOSPITALS or 1)}",
                cohort=(CohortView("measured", f"SELECT {', '.join(COLUMNS)} FROM measured"),),
                variables=tuple(f"measured.{column}" for column in COLUMNS),
                hospitals=(hospital.did,),
                justification="These columns are in the model.",
            ),
            settings=SafeSettings(retention_days=365, security="Keys stay in the institute."),
            outputs=SafeOutputs(types=("table", "statistic"), publication="An open journal."),
            committees=("board",),
        )

    def _runs(self, count: int) -> Iterator[bytes]:
        """Leaves of runs, each admitted, authorised and delivered by four hospitals, over the last year."""
        texts = {}
        for number, keys in enumerate(self.hospitals):
            for kind in STEPS:
                entry = self._entry(kind, keys.did, _id("run", 0), (keys.did, self.researcher.did))
                texts[number, kind] = (
                    entry.decode().replace(f'"at":{self.now}', '"at":@AT').replace(_id("run", 0), "@RUN")
                )
        per = 4 * len(STEPS)
        for place in range(count):
            run, step = divmod(place, per)
            hospital, kind = (run * 7 + step % 4) % HOSPITALS, STEPS[step // 4]
            at = self.now - 365 * DAY_MS + int(365 * DAY_MS * place / max(count, 1))
            yield texts[hospital, kind].replace("@AT", str(at)).replace("@RUN", _id("run", run)).encode()

    def _publish(self) -> None:
        each = max(1, self.sizes.data_sets // HOSPITALS)
        columns = tuple(ColumnDescription(name, low=0.0, high=100.0) for name in COLUMNS)
        table = TableDescription("measured", (ColumnDescription("person", "text", "person"), *columns), "person")
        for keys in self.hospitals:
            described = [
                DataSetDescription(f"set-{number}", keys.did, f"Measurements {number} 测量{number}", (table,))
                for number in range(each)
            ]
            self.line.do(self.hub.publish(keys.did, msgspec.json.encode(described)))

    def _entry(
        self, kind: str, by: str, subject: str, parties: tuple[str, ...] = (), body: dict[str, object] | None = None
    ) -> bytes:
        return Entry(kind=kind, at=self.now, submitter=by, parties=parties, subject=subject, body=body or {}).to_bytes()


def _id(kind: str, number: int) -> str:
    digest = hashlib.sha256(f"{kind}{number}".encode()).digest()[:16]
    return f"{kind}-" + base64.b32encode(digest).decode().rstrip("=").lower()
