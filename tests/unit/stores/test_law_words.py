"""Answers, checks and pilots' uses are kept for ever; the log's outbox has their digests alone."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sqlalchemy import select

from xinglin.kernel.canonical import canonical_digest
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_tables import outbox
from xinglin.stores.law_words import LawWords
from xinglin.terms.law.answers import Answer, record_answer
from xinglin.terms.law.engine import check_articles
from xinglin.terms.law.loading import load_pack
from xinglin.terms.law.subject import LawSubject
from xinglin.terms.law_kept import AgreementCheck, PilotDecision


def opened(folder: Path) -> LawWords:
    return LawWords(IntakeLedger.in_folder(folder))


def answer(matter: str, yes: bool, at: int) -> Answer:
    rule = next(one for one in load_pack("pipl").rules if one.question)
    return record_answer(rule, matter=matter, yes=yes, by="officer", at=at, note="a secret of the house")


def test_answers_stay_and_the_outbox_has_digests(tmp_path: Path) -> None:
    given = [answer("study-1", True, 1), answer("study-1", False, 2), answer("study-2", True, 3)]
    with contextlib.closing(opened(tmp_path)) as words:
        digests = [words.keep(one) for one in given]
    assert digests == [canonical_digest(one) for one in given]
    with contextlib.closing(opened(tmp_path)) as words:
        assert list(words.answers()) == given
        assert list(words.answers("study-1")) == given[:2]
        told = words._database.rows(select(outbox.c.subject, outbox.c["values"]).order_by(outbox.c.number))
    assert [row["subject"] for row in told] == digests
    assert all(b"secret" not in bytes(row["values"]) and b"officer" not in bytes(row["values"]) for row in told)


def test_a_check_is_kept_as_it_was(tmp_path: Path) -> None:
    check = AgreementCheck(check_articles(LawSubject(matter="study-1", at=5), ["pipl"]), "", ("terms.fence_hours",))
    with contextlib.closing(opened(tmp_path)) as words:
        assert words.check_of("sha256:a") is None
        words.keep_check("sha256:a", check)
        assert words.check_of("sha256:a") == check


def test_the_same_outcome_of_a_run_is_one_use(tmp_path: Path) -> None:
    with contextlib.closing(opened(tmp_path)) as words:
        for at in (1, 2):
            words.keep_use(PilotDecision("p", "run-1", "did:x", at, (), ("terms.fence_hours",)))
        words.keep_use(PilotDecision("p", "run-1", "did:x", 3, ("terms.pilot_ended",)))
        assert [one.at for one in words.uses("p")] == [1, 3]
        assert words.uses("q") == ()
