"""Who left between two readings of choices, against sets of persons."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xinglin.terms.consent import PersonFilter
from xinglin.terms.consent_since import leaves

ALL = ("p1", "p2", "p3", "stranger")
FILTERS = st.builds(
    PersonFilter,
    st.sets(st.sampled_from(ALL[:3])).map(lambda one: tuple(sorted(one))),
    st.none() | st.sets(st.sampled_from(ALL[:3])).map(lambda one: tuple(sorted(one))),
)


@given(FILTERS, FILTERS)
def test_who_left_is_who_was_let_in_and_is_not(before: PersonFilter, after: PersonFilter) -> None:
    """Of persons with and without choices: the register knows the first three alone."""

    def lets(one: PersonFilter) -> set[str]:
        return {who for who in ALL if who not in one.without and (one.only is None or who in one.only)}

    assert leaves(before, after) == bool(lets(before) - lets(after))
