"""Fences: one bit outside a network, the minute after closing, a clock change, another province, a proxy's word."""

from __future__ import annotations

from typing import Any

import pytest

from xinglin.kernel.instants import from_text
from xinglin.kernel.verdict import Allowed
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.fences import (
    ENTRIES,
    PROOFS,
    Circumstances,
    Fence,
    Passage,
    check_fence,
    crossing,
    fence_constraints,
    inside,
    tighten,
)
from xinglin.terms.policy import Permission, Policy

MONDAY_NOON = from_text("2026-11-23T12:00:00+08:00")


def at(**known: Any) -> Circumstances:
    return Circumstances(**{"at": MONDAY_NOON, **known})


def codes(fence: Fence, circumstances: Circumstances) -> tuple[str, ...]:
    found = inside(fence, circumstances)
    return () if isinstance(found, Allowed) else found.codes


@pytest.mark.parametrize(
    ("address", "is_inside"),
    [
        ("10.1.0.0", True),
        ("10.1.127.255", True),
        ("10.1.128.0", False),
        ("10.0.255.255", False),
        ("::ffff:10.1.0.1", True),
        ("2001:db8::1", False),
        ("10.1.0.1%eth0", False),
        ("", False),
        ("010.1.0.1", False),
    ],
)
def test_one_bit_outside_a_network_is_outside(address: str, is_inside: bool) -> None:
    fence = Fence("ward", networks=("10.1.0.0/17",))
    assert bool(inside(fence, at(address=address))) is is_inside
    if not is_inside:
        assert codes(fence, at(address=address)) == ("terms.fence_network",)


def test_a_proxys_word_counts_only_from_a_proxy_that_is_named() -> None:
    fence = Fence("ward", networks=("10.1.0.0/16",), proxies=("192.0.2.7",))
    assert inside(fence, at(address="192.0.2.7", forwarded="10.1.0.9")) == Allowed(("fence:network-by-proxy",))
    assert inside(fence, at(address="10.1.0.9")) == Allowed(("fence:network",))
    assert codes(fence, at(address="192.0.2.8", forwarded="10.1.0.9")) == ("terms.fence_network",)
    assert codes(fence, at(address="192.0.2.7")) == ("terms.fence_network",)
    assert codes(fence, at(address="192.0.2.7", forwarded="10.2.0.9")) == ("terms.fence_network",)
    inner = Fence("ward", networks=("10.1.0.0/16",), proxies=("10.1.0.7",))
    assert not inside(inner, at(address="10.1.0.7")), "a proxy's own address is nobody's"


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("2026-11-23T07:59:59.999+08:00", False),
        ("2026-11-23T08:00:00+08:00", True),
        ("2026-11-23T17:59:59.999+08:00", True),
        ("2026-11-23T18:00:00+08:00", False),
        ("2026-11-21T12:00:00+08:00", False),
        ("2026-11-23T00:00:00Z", True),
    ],
)
def test_hours_to_the_millisecond(text: str, is_open: bool) -> None:
    fence = Fence("day", hours=("Mo-Fr 08:00-18:00 Asia/Shanghai",))
    assert bool(inside(fence, at(at=from_text(text)))) is is_open


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("2026-03-29T00:59:59.999Z", False),  # 01:59 in winter time
        ("2026-03-29T01:00:00Z", False),  # 03:00 in summer time: from 02:00 to 03:00 never was
        ("2026-03-29T01:59:59Z", False),
        ("2026-03-30T00:30:00Z", True),  # 02:30 in summer time
        ("2026-03-30T01:30:00Z", False),  # would be 02:30 in winter time
        ("2026-10-25T00:30:00Z", True),  # 02:30 for the first time
        ("2026-10-25T01:30:00Z", True),  # 02:30 for the second time
        ("2026-10-25T02:00:00Z", False),  # 03:00
    ],
)
def test_clock_changes(text: str, is_open: bool) -> None:
    fence = Fence("night", hours=("02:00-03:00 Europe/Berlin",))
    assert bool(inside(fence, at(at=from_text(text)))) is is_open


def test_a_place_is_as_good_as_who_says_it() -> None:
    fence = Fence("delta", places=("CN-SH", "CN-ZJ"))
    assert inside(fence, at(place="CN-310104")) == Allowed(("fence:place-declared",))
    assert inside(fence, at(place="CN-33", place_by="credential")) == Allowed(("fence:place-by-credential",))
    for known in ({"place": "CN-JS"}, {"place": "CN"}, {}, {"place": "Shanghai"}, {"place": "CN-SH", "place_by": "ip"}):
        assert codes(fence, at(**known)) == ("terms.fence_place",)


def test_an_attested_enclave_is_never_taken_for_one() -> None:
    fence = Fence("closed", environments=("attested-enclave", "workspace"))
    assert codes(fence, at(environment="attested-enclave")) == ("terms.fence_not_attested",)
    assert inside(fence, at(environment="workspace")) == Allowed(("fence:environment",))
    assert codes(fence, at(environment="own-system")) == ("terms.fence_environment",)
    assert codes(fence, at(environment="enclave")) == ("terms.fence_environment",)
    assert codes(fence, at()) == ("terms.fence_environment",)


LIST = (
    Passage("health-status", "CN-SH", "CN-ZJ"),
    Passage("public-health", "CN", "CN"),
    Passage("public-health", "CN", "CN-HK"),
    Passage("*", "EU", "CH"),
)


@pytest.mark.parametrize(
    ("categories", "origin", "place", "is_inside"),
    [
        ({"genetic"}, "CN-SH", "CN-310104", True),
        ({"health-status"}, "CN-SH", "CN-ZJ", True),
        ({"health-status"}, "CN-ZJ", "CN-SH", False),
        ({"health-status", "genetic"}, "CN-SH", "CN-ZJ", False),
        ({"public-health"}, "CN-SH", "CN-XJ", True),
        ({"public-health"}, "CN-SH", "CN-HK", True),
        ({"public-health"}, "CN-SH", "HK", False),
        ({"public-health"}, "CN-SH", "CN-MO", False),
        ({"public-health"}, "CN-HK", "CN-SH", False),
        ({"genetic"}, "FR", "CH", True),
        ({"genetic"}, "CH", "FR", False),
        ({"genetic"}, "DE", "DE-BY", True),
        (set(), "CN-SH", "CN-ZJ", False),
        (None, "CN-SH", "CN-ZJ", False),
        ({"public-health"}, "CN", "CN-SH", False),
        ({"public-health"}, "", "CN-SH", False),
    ],
)
def test_cross_region_lists(categories: set[str] | None, origin: str, place: str, is_inside: bool) -> None:
    known = at(categories=None if categories is None else frozenset(categories), origin=origin, place=place)
    assert bool(inside(Fence("lists", passages=LIST), known)) is is_inside
    assert inside(Fence("free"), known) == Allowed()


def test_an_empty_list_lets_nothing_out() -> None:
    known = at(categories=frozenset({"health-status"}), origin="CN-SH", place="CN-ZJ")
    assert codes(Fence("shut", passages=()), known) == ("terms.fence_passages",)


def test_regions() -> None:
    assert crossing("CN-HK", "CN-MO") == "country"
    assert crossing("HK", "CN-HK") == "none"
    assert crossing("FR-75", "FR-69") == "none"
    assert crossing("EU", "FR") == "unknown"


@pytest.mark.parametrize(
    ("fence", "nearest"),
    [
        (Fence("f", networks=("10.1.0.1/16",)), "no bit set beyond"),
        (Fence("f", proxies=("10.1.0.0/33",)), "no bit set beyond"),
        (Fence("f", places=("CN-ZZ",)), "CN-SH"),
        (Fence("f", hours=("Mo-Fr 08:00-18:00",)), "Asia/Shanghai"),
        (Fence("f", environments=("worksapce",)), "Did you mean 'workspace'?"),
        (Fence("f", passages=(Passage("genetics", "CN", "CN"),)), "Did you mean 'genetic'?"),
        (Fence("f", passages=(Passage("genetic", "China", "CN"),)), "CN-SH"),
        (Fence("not plain"), "letters"),
        (Fence("f", networks=("10.0.0.0/8",) * (ENTRIES.value + 1)), "Join"),
    ],
)
def test_unknown_words_hold_nobody_inside(fence: Fence, nearest: str) -> None:
    checked = check_fence(fence)
    assert not isinstance(checked, Allowed)
    assert checked.codes[0] == "terms.fence_malformed"
    assert nearest in checked.reasons[0].remedy
    assert inside(fence, at(address="10.1.0.1", place="CN-SH", environment="workspace")) == checked


def test_a_fence_beside_another_only_takes_away() -> None:
    wide = Fence("wide", networks=("10.0.0.0/8",), hours=("Mo-Su 00:00-24:00 Asia/Shanghai",))
    narrow = tighten(wide, Fence("narrow", networks=("10.1.0.0/16",), places=("CN-SH",)))
    assert inside(narrow, at(address="10.1.2.3", place="CN-SH"))
    assert codes(narrow, at(address="10.2.2.3", place="CN-ZJ")) == ("terms.fence_network", "terms.fence_place")
    assert codes(narrow, at(address="11.2.2.3")) == ("terms.fence_network", "terms.fence_place")
    assert tighten(narrow, Fence("narrow", networks=("10.1.0.0/16",), places=("CN-SH",))) == narrow


def test_the_one_evaluator_judges_a_fence_alike() -> None:
    fence = tighten(
        Fence("a", networks=("10.1.0.0/16",), hours=("Mo-Fr 08:00-18:00 Asia/Shanghai",)),
        Fence("b", places=("CN-SH",), environments=("workspace",)),
    )
    policy = compile_policy(Policy(permissions=(Permission("use", fence_constraints(fence)),)))
    for address in ("10.1.0.1", "10.2.0.1"):
        for place in ("CN-SH", "CN-ZJ", None):
            for when in ("2026-11-23T12:00:00+08:00", "2026-11-22T12:00:00+08:00"):
                known = at(address=address, place=place or "", environment="workspace", at=from_text(when))
                values = {"network": address, "place": place, "dateTime": when, "environment": "workspace"}
                judged = policy.judge(Asked("statistics", values))
                assert bool(judged) is bool(inside(fence, known)), (address, place, when)


def test_each_kind_says_what_it_proves_and_what_not() -> None:
    assert set(PROOFS) == {"network", "place", "hours", "environment", "passages"}
    assert all(one.proves and one.does_not and one.proves_zh and one.does_not_zh for one in PROOFS.values())
    assert "proxy" in PROOFS["network"].does_not
    assert "attest" in PROOFS["environment"].does_not
