"""Rules of the budget: the chain, its replay, previews and forecasts, as values."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace
from tests.unit.stores.budget_memory import MemoryLedger

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.verdict import Denied
from xinglin.privacy.noise.accounting import LARGEST_RHO_UNITS
from xinglin.privacy.noise.budget import (
    EVERYBODY,
    Ask,
    Cached,
    Charged,
    Entry,
    Scope,
    following,
    forecast,
    preview,
    verify,
)
from xinglin.privacy.noise.errors import BadNoise, BrokenChain

DAY = 86_400_000
STEPS = st.lists(
    st.tuples(st.sampled_from("st"), st.integers(0, 12), st.sampled_from("abc"), st.integers(1, 40), st.booleans()),
    max_size=25,
)


def history(steps: list[tuple[str, int, str, int, bool]]) -> MemoryLedger:
    """A ledger after so many charges, some answered."""
    ledger = MemoryLedger()
    for name, cap in ((EVERYBODY, 150), ("s", 100), ("t", 100)):
        ledger.set_cap("d", name, cap, 0)
    for at, (study, run, query, units, keeps) in enumerate(steps):
        outcome = ledger.charge("d", study, f"r{run}", query, units, at)
        if keeps and isinstance(outcome, Charged):
            ledger.keep("d", f"r{run}", b"%d" % at, at)
    return ledger


@given(STEPS)
def test_whatever_is_asked_nothing_is_overspent_and_no_answer_is_free(
    steps: list[tuple[str, int, str, int, bool]],
) -> None:
    ledger = history(steps)
    entries = ledger.entries("d")
    for scope in ledger.caps("d"):
        assert 0 <= scope.spent <= scope.cap
        paid = [one for one in entries if one.kind in ("charge", "share")]
        mine = [one for one in paid if one.study == scope.study or (scope.study == EVERYBODY and one.kind == "charge")]
        assert scope.spent == sum(one.rho_units for one in mine)
    releases = [one for one in entries if one.kind == "release"]
    charged = {one.run for one in entries if one.kind == "charge"}
    assert {one.run for one in releases} <= charged and len({one.run for one in releases}) == len(releases)


@given(STEPS, st.data())
def test_no_entry_can_be_changed_dropped_or_moved(
    steps: list[tuple[str, int, str, int, bool]], data: st.DataObject
) -> None:
    ledger = history(steps)
    entries, scopes = list(ledger.entries("d")), ledger.caps("d")
    at = data.draw(st.integers(0, len(entries) - 1))
    name = data.draw(st.sampled_from(["at", "rho_units", "study", "run", "query", "kind", "told", "seq", "prev"]))
    value = getattr(entries[at], name)
    changed = replace(entries[at], **{name: value + 1 if isinstance(value, int) else value + "x"})
    # The newest entry, written anew with its hash, is whole where it spends the same: only the log's head tells.
    harmless = at == len(entries) - 1 and name in ("at", "run", "query", "told")
    for wrong in (changed,) if harmless else (changed, changed.sealed()):
        with pytest.raises(BrokenChain):
            verify([*entries[:at], wrong, *entries[at + 1 :]], scopes)
    if at < len(entries) - 1:
        with pytest.raises(BrokenChain):
            verify([*entries[:at], *entries[at + 1 :]], scopes)
    assert verify(entries, scopes) == entries[-1]


def test_the_hash_is_of_canonical_json() -> None:
    entry = following(None, data_set="数据/ü", at=1, kind="cap", study="*", rho_units=5)
    rest = [value for name, value in asdict(entry).items() if name != "hash"]
    assert entry.hash == canonical_digest(rest) and entry.is_whole
    assert not replace(entry, version=2).sealed().is_whole, "a newer version is refused, not guessed"
    assert not replace(entry, kind="refund").sealed().is_whole


def test_an_empty_chain() -> None:
    assert verify([]) is None
    with pytest.raises(BrokenChain):
        verify([], [Scope("d", "*", 10, 5)])


def test_a_chain_that_passed_a_cap_of_its_time_is_broken() -> None:
    """Whole and adding up, but written by somebody who did not ask: its spending passes the cap."""
    first = following(None, data_set="d", at=0, kind="cap", study=EVERYBODY, rho_units=10)
    second = following(first, data_set="d", at=0, kind="cap", study="s", rho_units=10)
    spent = {"study": "s", "run": "r", "query": "q", "rho_units": 11, "study_spent": 11, "all_spent": 11}
    third = following(second, data_set="d", at=1, kind="charge", **spent)
    with pytest.raises(BrokenChain, match="caps"):
        verify([first, second, third])
    assert verify([first, second]) == second


def test_a_preview_counts_both_scopes() -> None:
    delta = Fraction(1, 10**6)
    shown = preview(Scope("d", "s", 100, 40), Scope("d", "*", 1_000, 970), 20)
    assert shown.releases_left == 1 and shown.fits
    shown = preview(Scope("d", "s", 100, 40), Scope("d", "*", 1_000, 970), 70)
    assert [one.code for one in shown.reasons] == ["privacy.study_spent", "privacy.everybody_spent"]
    most = preview(Scope("d", "s", 5, 5), Scope("d", "*", 5, 5), LARGEST_RHO_UNITS)
    assert most.study_after.epsilon(delta) > 1000 and most.everybody.epsilon(delta) < 1e-4


def test_a_forecast_is_the_pace_of_the_window() -> None:
    ledger = history([("s", 1, "a", 40, True), ("t", 2, "a", 40, False), ("t", 3, "b", 10, False)])
    entries = ledger.entries("d")
    everybody, of_t = ledger.scope("d", EVERYBODY), ledger.scope("d", "t")
    assert everybody is not None and of_t is not None and (everybody.spent, of_t.spent) == (50, 50)
    assert forecast(everybody, entries, DAY, window_days=10).a_day == 5
    assert forecast(of_t, entries, DAY, window_days=10).days_left == 10
    assert forecast(of_t, entries, 100 * DAY, window_days=10).days_left == -1
    with pytest.raises(BadNoise):
        forecast(of_t, entries, DAY, window_days=0)


def test_what_is_cached_names_its_cost() -> None:
    ledger = history([("s", 1, "a", 40, True)])
    first = ledger.charge("d", "t", "r2", "a", 40, 5)
    assert isinstance(first, Cached) and first.entry is not None and first.entry.kind == "share"
    assert isinstance(ledger.charge("d", "t", "r9", "z", 200, 5), Denied)
    with pytest.raises(BadNoise):
        Ask("d", EVERYBODY, "r", "q", 1)


def test_an_entry_keeps_its_fields() -> None:
    """Append-only: a field may be added at the end with a new version, none renamed, moved or removed."""
    names = "data_set seq at kind study run query rho_units told study_spent all_spent prev hash version"
    assert " ".join(Entry.__struct_fields__) == names
