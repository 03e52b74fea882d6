"""How many persons match: a rounded count over hospitals that agreed to such questions beforehand, within a minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.contract.agreement import Agreement, sign_agreement
from xinglin.sdk.asked import asked_runs, kept
from xinglin.sdk.errors import NoAgreement, Withheld
from xinglin.sdk.run import Run
from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.thresholds import DisclosureRules
from xinglin.wire.calls import AgreementCall, AgreementView, PacksSaid
from xinglin.wire.feasibility import ALGORITHM, DAY_MS, VIEW, question_policy, study_of

if TYPE_CHECKING:
    from xinglin.sdk.space import Space

TOO_FEW = frozenset({"privacy.small_cell"})


class HowMany(msgspec.Struct, frozen=True):
    """``persons`` rounded to ``round_to``; ``None``: fewer than ``minimum``, or too near another answer (``words``)."""

    persons: int | None
    minimum: int
    round_to: int
    hospitals: int
    run: str
    words: str

    def __str__(self) -> str:
        return f"about {self.persons}" if self.persons is not None else self.words


def how_many(
    space: Space,
    select: str,
    *,
    data_set: str,
    variables: Sequence[str],
    purpose: str = "health-research",
    hospitals: Sequence[str] | None = None,
    minimum: int = 10,
    round_to: int = 10,
    timeout_s: float = 60.0,
) -> HowMany:
    """Ask how many persons have a row in ``select`` (a SELECT over published tables).

    The same question gives the answer that was given; a hospital that does not answer such questions is an error with
    its words. Raises ``Refused``, ``NotAnswered``, ``NoAgreement``.
    """
    cohort = (CohortView(VIEW, select),)
    study = study_of(data_set, cohort, round_to)
    run = _asked(space, study)
    if run is None:
        publishing = space.data_sets(data_set).get(data_set, {})
        chosen = sorted(publishing if hospitals is None else hospitals)
        if not chosen or not set(chosen) <= set(publishing):
            raise NoAgreement(f"No chosen hospital publishes {data_set!r}.", remedy="Search the catalogue.")
        _offer(space, study, data_set, cohort, variables, purpose, chosen, minimum, round_to)
        held = space.agreements(study)
        from xinglin.sdk.study import Study

        asked = Study(space, "how many", study, held).wait(timeout_s)
        data = asked.sql(f"SELECT * FROM {VIEW}")  # noqa: S608 - a constant
        run = data.ask(ALGORITHM, round_to=round_to)
    return _answer(run, minimum, round_to)


def _answer(run: Run, minimum: int, round_to: int) -> HowMany:
    try:
        found = run.result()
    except Withheld as held:
        few = {one.code for one in held.reasons} & TOO_FEW
        words = f"<{minimum}" if few else "no answer: too near one that was given"
        return HowMany(None, minimum, round_to, 0, run.id, words)
    persons = int(found.payload["persons"])
    return HowMany(persons, minimum, round_to, len(run.view().nodes), run.id, f"about {persons}")


def _asked(space: Space, study: str) -> Run | None:
    """The run that asked this before, from this account's folder."""
    for run_id in asked_runs(space.account):
        found = kept(space.account, run_id)
        if found is not None and found.opened().study == study:
            return Run(space, run_id)
    return None


def _offer(
    space: Space, study: str, data_set: str, cohort: tuple[CohortView, ...], variables: Sequence[str], purpose: str,
    chosen: list[str], minimum: int, round_to: int,
) -> None:  # fmt: skip
    space.log.refresh()
    directory, now = space.log.record.directory, space.clock()
    keys = {did: directory.keys(did).digest() for did in chosen}
    said = space.packs_said.get(data_set, {})
    for provider in chosen:
        terms = AgreedTerms(
            grade="L2",
            cohort=cohort,
            variables=tuple(sorted(variables)),
            purposes=(purpose,),
            operations=("statistics",),
            not_before=now,
            expires=now + 7 * DAY_MS,
            allowance=1,
            recipients=(space.account.did,),
            peers=tuple(Peer(did, keys[did]) for did in chosen if did != provider),
            rules=DisclosureRules(min_cell=minimum),
            policy=question_policy(round_to, said.get(provider, PacksSaid()).asked),
        )
        mine = space.account.keys.public.digest()
        paper = Agreement(provider, keys[provider], space.account.did, mine, study, data_set, terms, now, version=2)
        signed = sign_agreement(space.account.keys, paper)
        space.client.post("/v1/agreements", AgreementCall(signed), AgreementView)
