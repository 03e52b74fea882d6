"""Disclosure packs from the asker's side: what each hospital asks for, and the strictest of it for a plan.

Names and digests stand in the agreements, which both sides signed, and beside what hospitals publish; the text of a
hospital's own pack is whatever has that digest, so that nobody on the way has to be trusted with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.verdict import Reason
from xinglin.sdk.errors import Refused
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.pack_named import NamedPacks, packs_asked
from xinglin.terms.policy import Policy
from xinglin.terms.thresholds import DisclosureRules
from xinglin.wire.calls import PacksSaid

if TYPE_CHECKING:
    from xinglin.privacy.packs import Pack

OPERATION = "statistics"


class PackLine(msgspec.Struct, frozen=True):
    """A pack of a plan: its name, its digest, and the labels of the hospitals that ask for it."""

    name: str
    digest: str
    hospitals: tuple[str, ...] = ()


def packs_of(terms: Mapping[str, AgreedTerms], said: Mapping[str, PacksSaid]) -> tuple[Pack, ...]:
    """Every pack that the hospitals (by DID) ask for, in their agreements or beside what they publish.

    Raises ``Refused`` for one whose text nobody publishes.
    """
    from xinglin.privacy.packs import SHIPPED, BadPack, pack_digest, read_pack, shipped

    found: dict[str, Pack] = {}
    known = {pack_digest(shipped(name)): shipped(name) for name in SHIPPED} if _any_asked(terms, said) else {}
    for did, one in terms.items():
        mine = said.get(did, PacksSaid())
        asked = asked_by(one, mine)
        own: dict[str, Pack] = {}
        for text in mine.texts if asked else ():
            try:
                pack = read_pack(text)
            except BadPack:
                continue  # what nobody asks for need not be a pack
            own |= {pack_digest(pack): pack, pack.name: pack}
        for name in asked:
            pack_ = shipped(name) if name in SHIPPED else own.get(name, known.get(name))
            if pack_ is None:
                words = f"A hospital asks for the disclosure pack '{name[:80]}', and publishes no text of it."
                raise Refused((Reason("sdk.pack_unknown", words, "Ask the hospital for it, and add it: data.under."),))
            found[pack_digest(pack_)] = pack_
    return tuple(found[digest] for digest in sorted(found))


def asked_by(terms: AgreedTerms, said: PacksSaid) -> tuple[str, ...]:
    """Names and digests of the packs that one hospital asks for."""
    agreed = packs_asked(terms.policy, OPERATION) if isinstance(terms.policy, Policy) else ()
    return tuple(sorted({*agreed, *said.asked}))


def named_of(packs: tuple[Pack, ...], rules: DisclosureRules) -> tuple[NamedPacks | None, DisclosureRules]:
    """What a plan carries of these packs, and its rules tightened by them; nothing where there are none."""
    from xinglin.privacy.packs import carried_pack, named_packs
    from xinglin.privacy.packs.carried import tightened

    if not packs:
        return None, rules
    named = named_packs(packs)
    return named, tightened(rules, carried_pack(named))


def pack_given(given: str | Path) -> Pack:
    """A shipped pack by its name, or one of a TOML file. Raises ``BadPack``."""
    from xinglin.privacy.packs import SHIPPED, read_pack, shipped

    if str(given) in SHIPPED:
        return shipped(str(given))
    return read_pack(Path(given).read_text(encoding="utf-8"))


def pack_lines(named: NamedPacks, asked: Mapping[str, tuple[str, ...]]) -> tuple[PackLine, ...]:
    """The parts of a plan's packs; ``asked``: by label of a hospital, what it asks for."""
    return tuple(
        PackLine(
            part.name,
            part.digest,
            tuple(label for label, names in sorted(asked.items()) if {part.name, part.digest} & set(names)),
        )
        for part in named.parts
    )


def told_rules(named: NamedPacks, rules: DisclosureRules) -> list[str]:
    """What holds in a run under these packs, in words, each with the packs that say so."""
    from xinglin.privacy.packs import effective_pack
    from xinglin.privacy.packs.carried import least_shown

    pack = effective_pack(rules, named)
    s, found = pack.settings, []

    def say(setting: str, words: str) -> None:
        found.append(f"{words} ({pack.names_of(setting)})")

    if s.small == "hide":
        say("min_cell", f"counts from {least_shown(pack)} persons on")
    else:
        say("small", f"small counts told as {'zero' if s.small == 'zero' else 'a label'}")
    say("zeros", "empty entries hidden" if s.zeros == "hide" else "empty entries told")
    plain: dict[str, Any] = {
        "rounding": f"counts rounded ({s.rounding.kind} {s.rounding.base})" if s.rounding.base > 1 else "",
        "totals": "totals of what is told" if s.totals == "recomputed" else "",
        "max_leverage": f"no person holds {float(s.max_leverage):g} of a fit" if s.max_leverage < 1 else "",
        "min_tail": f"{s.min_tail} persons beyond a quantile" if s.min_tail > 1 else "",
        "class_disclosure": "whole groups in one entry hidden" if s.class_disclosure == "hide" else "",
        "reviewers": f"{s.reviewers} persons look at the result before it leaves" if s.reviewers else "",
        "lock_repeats": f"one question {s.lock_repeats} times in {s.lock_days} days" if s.lock_days else "",
    }
    for setting, words in plain.items():
        if words:
            say(setting, words)
    return found


def _any_asked(terms: Mapping[str, AgreedTerms], said: Mapping[str, PacksSaid]) -> bool:
    return any(asked_by(one, said.get(did, PacksSaid())) for did, one in terms.items())
