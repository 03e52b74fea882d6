"""Why an entry is hidden, in words that quote rule and pack, in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from xinglin.privacy.packs.model import Pack
from xinglin.privacy.packs.rounding import shown_from
from xinglin.privacy.packs.rules import ORDER, SETTING_OF


class Why(msgspec.Struct, frozen=True):
    """The ``rule`` and the ``pack`` that hid an entry, in words; ``source`` is what the pack quotes for it."""

    rule: str
    pack: str
    words: str
    words_zh: str
    source: str = ""


def why(pack: Pack, rule: str) -> Why:
    """Why ``rule`` of ``pack`` hides an entry; for the hospital and for reviewers, since the rule itself tells."""
    en, zh = _phrase(pack, rule)
    names = pack.names_of(SETTING_OF[rule])
    words = f"Hidden by the rule '{rule}' of pack {names}: {en}."
    return Why(rule, names, words, f"按规则包 {names} 的规则“{rule}”隐去：{zh}。", _sources(pack, rule))


def told_why(pack: Pack, rules: Sequence[str]) -> Why:
    """The same for whoever gets the table: the rules that hid anything in it, without saying which hid this entry.

    Guarantee: equal for every hidden entry of a table, so that it narrows none.
    """
    fired = [rule for rule in ORDER if rule in rules and rule != "complementary"]
    names = ", ".join(dict.fromkeys(pack.names_of(SETTING_OF[rule]) for rule in fired))
    phrases = [_phrase(pack, rule) for rule in fired]
    en, zh = "; or ".join(p[0] for p in phrases), "；或".join(p[1] for p in phrases)
    words = f"Hidden by pack {names}: {en}; or to protect an entry that is."
    words_zh = f"按规则包 {names} 隐去：{zh}；或为保护被隐去的格。"
    return Why(", ".join(fired), names, words, words_zh, "; ".join(filter(None, (_sources(pack, r) for r in fired))))


def _sources(pack: Pack, rule: str) -> str:
    return "; ".join(dict.fromkeys(origin.source for origin in pack.of(SETTING_OF[rule])))


def _phrase(pack: Pack, rule: str) -> tuple[str, str]:
    s = pack.settings
    if rule == "hospitals":
        return f"fewer than {s.min_hospitals} hospitals contribute", f"参与医院少于 {s.min_hospitals} 家"
    if rule == "threshold":
        least = shown_from(s)
        return f"fewer than {least} persons stand in the entry", f"该格少于 {least} 人"
    if rule == "zero":
        return "an empty entry tells of the whole group", "空格会透露整个群体的信息"
    if rule == "dominance":
        more = [("at least", "达到") if rule.inclusive else ("more than", "超过") for rule in s.dominance]
        named = list(zip(s.dominance, more, strict=True))
        tests = [f"{r.n} persons hold {m[0]} {_percent(r.share)} of the total" for r, m in named]
        return " or ".join(tests), "，或".join(f"前 {r.n} 人占比{m[1]} {_percent(r.share)}" for r, m in named)
    if rule == "p_ratio":
        share = _percent(s.p_ratio)
        return (
            f"without the two largest, less than {share} of the largest contribution is left",
            f"除去最大的两项后，余额不足最大项的 {share}",
        )
    if rule == "class":
        return "all of a group stand in one entry", "某一群体全部落在同一格"
    return "it protects an entry that is hidden", "用于保护另一被隐去的格"


def _percent(share: Fraction) -> str:
    return f"{float(share) * 100:.6g} %"
