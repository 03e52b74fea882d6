"""Packs as plans carry them: what is said comes back, the agreed rules are never loosened, lies have no one form."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.privacy.packs import (
    SHIPPED,
    BadPack,
    agreed_pack,
    at_least,
    carried_pack,
    effective_pack,
    named_packs,
    pack_digest,
    read_pack,
    rules_of,
    shipped,
)
from xinglin.privacy.packs.carried import AGREED, DEFAULT, least_shown, plain_settings, read_settings, tightened
from xinglin.terms.pack_named import NamedPacks, check_named
from xinglin.terms.thresholds import DisclosureRules, at_least_as_strict

some = st.lists(st.sampled_from(SHIPPED), min_size=1, max_size=4)
rules = st.builds(
    DisclosureRules,
    min_cell=st.integers(1, 30),
    min_hospitals=st.integers(1, 6),
    min_dof=st.integers(1, 30),
    max_params_share=st.sampled_from([0.1, 1 / 3, 0.33, 1.0]),
    max_person_share=st.sampled_from([0.1, 0.5, 1.0]),
    publish_zeros=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(some)
def test_what_a_plan_carries_is_read_back_and_is_at_least_each_part(names: list[str]) -> None:
    packs = [shipped(name) for name in names]
    named = named_packs(packs)
    assert check_named(named) == [] and named == named_packs(packs[::-1] * 2)
    again = decode_json(canonical_bytes(named), NamedPacks)
    carried = carried_pack(again)
    assert again == named and all(at_least(carried, pack) for pack in packs)
    assert all(carried.names_of(setting) for setting in named.settings)
    assert {part.digest for part in named.parts} == {pack_digest(pack) for pack in packs}


@settings(max_examples=40, deadline=None)
@given(rules, some)
def test_packs_never_loosen_what_was_agreed(agreed: DisclosureRules, names: list[str]) -> None:
    named = named_packs([shipped(name) for name in names])
    tight = tightened(agreed, carried_pack(named))
    assert at_least_as_strict(tight, agreed) and tightened(tight, carried_pack(named)) == tight
    effective = effective_pack(tight, named)
    assert at_least(effective, carried_pack(named)) and at_least(effective, agreed_pack(agreed))
    assert least_shown(effective) >= least_shown(agreed_pack(agreed))
    assert effective.settings.class_disclosure != "review" or effective.settings.reviewers


@given(rules)
def test_the_rules_of_agreements_as_a_pack_are_the_inverse_of_its_rules(agreed: DisclosureRules) -> None:
    pack = agreed_pack(agreed)
    assert pack.name == (DEFAULT if agreed == DisclosureRules() else AGREED)
    stated = msgspec.structs.replace(agreed, exact_answers_cap=200)
    assert rules_of(pack) == stated
    assert at_least(shipped("xinglin"), agreed_pack(DisclosureRules())), "the shipped default says that and more"


@pytest.mark.parametrize(
    "lie",
    [
        {"min_cell": 10.0}, {"min_cell": "10"}, {"min_cell": 1}, {"min_cell": True}, {"small": "loose"}, {"unknown": 1},
        {"dominance": [{"n": "2", "share": "1/2", "inclusive": False}]}, {"dominance": [{"n": 2}]}, {"dominance": 3},
        {"rounding": {"kind": "nearest", "base": 10**9}}, {"rounding": {"kind": "nearest", "base": "5"}},
        {"p_ratio": "2/4"}, {"p_ratio": -1}, {"max_leverage": "0"}, {"reviewers": -1}, {"formats_blocked": [1]},
    ],
)  # fmt: skip
def test_settings_have_one_form_and_nothing_else_is_read(lie: dict[str, Any]) -> None:
    with pytest.raises(BadPack):
        read_settings(lie)


def test_a_pack_is_named_by_all_that_it_says() -> None:
    text = 'version = 1\nname = "own"\ntitle = "t"\n[setting.min_cell]\nvalue = 7\nsource = "minutes"\n'
    one, other = read_pack(text), read_pack(text.replace("minutes", "other minutes"))
    assert pack_digest(one) != pack_digest(other) and plain_settings(one.settings) == plain_settings(other.settings)
    # Two hospitals may call different packs alike: both hold.
    both = named_packs([one, read_pack(text.replace("7", "9"))])
    assert both.settings["min_cell"] == 9 and len(both.parts) == 2 and check_named(both) == []
