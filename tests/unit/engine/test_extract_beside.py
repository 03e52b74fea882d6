"""Two extracts of one table for two workspaces: joined, they tell nobody from fewer than k; else the second is none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.engine.test_extract_guards import OWN, QUASI, Home

from xinglin.node import engine_messages as em
from xinglin.node.extract_beside import BESIDE
from xinglin.node.extract_releases import EARLIER_BYTES, EarlierExtracts
from xinglin.privacy.anonymity import ReleaseIndex, compare_releases
from xinglin.stores.extract_vault import ExtractVault
from xinglin.trust.keys import PrivateKeys

FEWER = "SELECT sex, site, score FROM work WHERE score > 120"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("lake"))


def made(home: Home, **changes: Any) -> em.Extracted:
    found = home.made(**changes)
    assert isinstance(found, em.Extracted), found
    return found


def joined(*extracts: em.Extracted) -> int:
    """The fewest persons of the last extract whom somebody with all of them finds in the same classes."""
    where: dict[bytes, tuple[int, ...]] = {}
    for number, one in enumerate(extracts):
        index = ReleaseIndex.from_bytes(one.index)
        for person, cell in zip(index.pseudonyms(), np.frombuffer(index.classes, dtype="<i4").tolist(), strict=True):
            where[person] = (*where.get(person, (-1,) * number), cell)
        where = {person: (*held, *(-1,) * (number + 1 - len(held))) for person, held in where.items()}
    return min(many for cell, many in Counter(where.values()).items() if cell[-1] >= 0)


def test_the_same_rows_again_and_other_columns_of_them(home: Home) -> None:
    first = made(home, run="first")
    again = made(home, run="again", study="other", earlier=(first.index,))
    assert again.guard.compared == 1 and joined(first, again) >= 10
    coarse = made(home, run="coarse", k=200, earlier=(first.index, again.index))
    assert coarse.guard.k >= 200 and coarse.guard.compared == 2, "made of whole classes"
    assert joined(first, again, coarse) == joined(first, again)


def test_a_cohort_that_differs_by_few_persons_is_refused_with_the_next_step(home: Home) -> None:
    first = made(home, run="first")
    few = "SELECT sex, site, score FROM work WHERE score > 121.3"
    second = home.made(FEWER, run="second", profile=OWN)
    assert isinstance(second, em.Extracted) and second.guard.compared == 0
    third = home.made(few, run="third", earlier=(first.index, second.index))
    if isinstance(third, em.Extracted):
        assert joined(first, second, third) >= 10
    assert home.highest > 150
    one_less = home.made(
        f"SELECT sex, site, score FROM work WHERE score < {home.highest}",
        run="less",
        earlier=(first.index,),
        suppressed="0.01",
    )
    assert isinstance(one_less, em.Refusal), "all but the one with the highest score"
    (reason,) = one_less.reasons
    assert reason.code == BESIDE and "whole groups" in reason.remedy and not any(map(str.isdigit, reason.words))


def test_what_the_comparison_would_find_is_what_it_refuses(home: Home) -> None:
    first, other = made(home, run="first", quasi=QUASI), made(home, sql=FEWER, run="half")
    verdict = compare_releases(ReleaseIndex.from_bytes(first.index), ReleaseIndex.from_bytes(other.index))
    beside = home.made(FEWER, run="half", earlier=(first.index,))
    assert not verdict or isinstance(beside, em.Refusal) or joined(first, beside) >= 10


def test_indexes_are_kept_by_run_and_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from msgspec.structs import replace

    from xinglin.kernel.errors import LimitExceeded
    from xinglin.node import extract_releases

    vault = ExtractVault(PrivateKeys.generate(), tmp_path)
    kept = EarlierExtracts(vault)
    kept.keep("run-a", b"a" * 10)
    kept.keep("run-b", b"b" * 10)
    vault.keep("run-c.package", b"no index")
    assert kept.besides("run-a") == (b"b" * 10,) and set(kept.besides("run-z")) == {b"a" * 10, b"b" * 10}
    assert b"b" * 10 not in b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    monkeypatch.setattr(extract_releases, "EARLIER_BYTES", replace(EARLIER_BYTES, value=19))
    with pytest.raises(LimitExceeded):
        kept.besides("run-z")
    kept.forget("run-b")
    assert kept.besides("run-z") == (b"a" * 10,)
