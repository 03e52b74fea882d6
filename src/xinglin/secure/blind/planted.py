"""Planted pairs: made-up persons that both hospitals of a linkage mix among their own, to measure what it finds.

Both draw the same pairs from the key that they share and the linkage unit lacks; each pair is one person as two
hospitals wrote it down, with one error, in a fifth two. The unit cannot tell them from patients. Afterwards each
hospital knows which of its planted records met their pair (recall) and which met somebody else (certainly wrong).

What it measures: persons like the generated ones (frequent Chinese surnames, one or two given signs, birth dates evenly
from 1930 to 2023). Where the hospitals' own patients are more alike or written worse, precision and recall are lower.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.secure.blind.filters import Person

PLANTED = Limit("planted pairs of a linkage", 5_000, "pairs")
_SURNAMES = (
    "王 wang 72|李 li 71|张 zhang 68|刘 liu 54|陈 chen 45|杨 yang 31|黄 huang 22|赵 zhao 20|吴 wu 20|周 zhou 19|"
    "徐 xu 14|孙 sun 13|马 ma 13|朱 zhu 12|胡 hu 12|郭 guo 11|何 he 11|林 lin 11|罗 luo 10|高 gao 10|郑 zheng 9|"
    "梁 liang 9|谢 xie 8"
)
_GIVEN = (
    "伟 wei|玮 wei|薇 wei|芳 fang|方 fang|娜 na|敏 min|民 min|静 jing|晶 jing|京 jing|丽 li|莉 li|立 li|强 qiang|"
    "磊 lei|军 jun|君 jun|俊 jun|洋 yang|阳 yang|勇 yong|艳 yan|燕 yan|岩 yan|杰 jie|洁 jie|涛 tao|明 ming|铭 ming|"
    "超 chao|秀 xiu|英 ying|霞 xia|平 ping|萍 ping|刚 gang|桂 gui|华 hua|桦 hua|玉 yu|宇 yu|雨 yu|兰 lan|岚 lan|"
    "红 hong|宏 hong"
)


class Names:
    """Made-up persons from lists of signs, and the same persons with an error of a name.

    ``surnames``: ``sign pinyin weight`` with bars between; ``given``: ``sign pinyin``.
    """

    def __init__(self, surnames: str, given: str) -> None:
        family = [one.split() for one in surnames.split("|")]
        self._family, self._weights = [one[0] for one in family], [int(one[2]) for one in family]
        self._given = [(sign, reads) for sign, reads in (one.split() for one in given.split("|"))]
        self._reads = {one[0]: one[1] for one in family} | dict(self._given)

    def person(self, rng: random.Random) -> Person:
        """One person, surname by its frequency, one or two given signs, born from 1930 to 2023."""
        family = rng.choices(self._family, self._weights)[0]
        name = family + "".join(rng.choice(self._given)[0] for _ in range(rng.choices((1, 2), (3, 7))[0]))
        birth = f"{rng.randint(1930, 2023)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
        return Person(name, self.reading(name), birth, rng.choice("fm"))

    def reading(self, name: str) -> str:
        """The name's pinyin without tones."""
        return "".join(self._reads[sign] for sign in name)

    def homophone(self, one: Person, rng: random.Random) -> Person:
        """A given sign that sounds the same; where there is none, another sign."""
        at = rng.randrange(1, len(one.name))
        sound = self._reads[one.name[at]]
        alike = [sign for sign, reads in self._given if reads == sound and sign != one.name[at]]
        if not alike:
            return self.other_sign(one, rng)
        return msgspec.structs.replace(one, name=_put(one.name, at, rng.choice(alike)))

    def other_sign(self, one: Person, rng: random.Random) -> Person:
        """Another given sign, with its reading."""
        name = _put(one.name, rng.randrange(1, len(one.name)), rng.choice(self._given)[0])
        return msgspec.structs.replace(one, name=name, reading=self.reading(name))


_NAMES = Names(_SURNAMES, _GIVEN)


class Measured(msgspec.Struct, frozen=True):
    """What one threshold found of the planted pairs: how many met, how many met somebody else, out of how many."""

    threshold: float
    met: int
    wrong: int
    planted: int

    @property
    def recall(self) -> float:
        """Planted pairs that were found."""
        return self.met / self.planted if self.planted else 0.0

    @property
    def precision(self) -> float:
        """Links of planted records that were their pair."""
        return self.met / (self.met + self.wrong) if self.met + self.wrong else 0.0


def pairs(key: bytes, count: int) -> tuple[list[Person], list[Person]]:
    """``count`` persons as the first and as the second hospital wrote them, the same for all who have ``key``."""
    PLANTED.check(count)
    rng = random.Random(hashlib.sha256(b"xinglin planted/1" + key).digest())  # noqa: S311 (made-up persons, no secret)
    first = [_NAMES.person(rng) for _ in range(count)]
    return first, [_miswritten(one, rng) for one in first]


def measure(met: Sequence[tuple[float, bool]], threshold: float, planted: int) -> Measured:
    """``met``: for each planted record that was linked its score, and whether it was with its pair."""
    right = [is_pair for score, is_pair in met if score >= threshold]
    return Measured(threshold, sum(right), len(right) - sum(right), planted)


def _miswritten(one: Person, rng: random.Random) -> Person:
    for _ in range(2 if rng.random() < 0.2 else 1):
        one = rng.choice((_NAMES.homophone, _NAMES.other_sign, other_digit, swapped_digits, no_reading))(one, rng)
    return one


def other_digit(one: Person, rng: random.Random) -> Person:
    """Another digit in the birth date."""
    return msgspec.structs.replace(one, birth=_put(one.birth, rng.randrange(2, 8), rng.choice("0123456789")))


def swapped_digits(one: Person, rng: random.Random) -> Person:
    """Two neighbouring digits of the birth date swapped."""
    at = rng.randrange(2, 7)
    return msgspec.structs.replace(one, birth=one.birth[:at] + one.birth[at + 1] + one.birth[at] + one.birth[at + 2 :])


def no_reading(one: Person, _rng: random.Random) -> Person:
    """No pinyin was written down."""
    return msgspec.structs.replace(one, reading="")


def _put(text: str, at: int, sign: str) -> str:
    return text[:at] + sign + text[at + 1 :]
