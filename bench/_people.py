"""Generated persons with Chinese names, and the same persons as a second hospital wrote them, with errors."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from xinglin.secure.blind.filters import Person
from xinglin.secure.blind.planted import Names, no_reading, other_digit, swapped_digits

_SURNAMES = (
    "王 wang 72|李 li 71|张 zhang 68|刘 liu 54|陈 chen 45|杨 yang 31|黄 huang 22|赵 zhao 20|吴 wu 20|"
    "周 zhou 19|徐 xu 14|孙 sun 13|马 ma 13|朱 zhu 12|胡 hu 12|郭 guo 11|何 he 11|林 lin 11|罗 luo 10|"
    "高 gao 10|郑 zheng 9|梁 liang 9|谢 xie 8|宋 song 8|唐 tang 7|许 xu 7|韩 han 7|冯 feng 6|"
    "邓 deng 6|曹 cao 6|彭 peng 6|曾 zeng 6|萧 xiao 6|田 tian 6|董 dong 5|袁 yuan 5|潘 pan 5|于 yu 5|"
    "蒋 jiang 5|蔡 cai 5|余 yu 5|杜 du 5|叶 ye 5|程 cheng 5|苏 su 5|魏 wei 5|吕 lv 4"
)
_GIVEN = (
    "伟 wei|玮 wei|薇 wei|芳 fang|方 fang|娜 na|敏 min|民 min|静 jing|晶 jing|京 jing|丽 li|莉 li|"
    "立 li|强 qiang|磊 lei|军 jun|君 jun|俊 jun|洋 yang|阳 yang|勇 yong|艳 yan|燕 yan|岩 yan|杰 jie|"
    "洁 jie|涛 tao|明 ming|铭 ming|超 chao|秀 xiu|英 ying|霞 xia|平 ping|萍 ping|刚 gang|桂 gui|"
    "华 hua|桦 hua|玉 yu|宇 yu|雨 yu|兰 lan|岚 lan|红 hong|宏 hong|鸿 hong|建 jian|健 jian|国 guo|"
    "文 wen|雯 wen|志 zhi|智 zhi|春 chun|梅 mei|美 mei|子 zi|紫 zi|梓 zi|欣 xin|新 xin|心 xin|鑫 xin|"
    "佳 jia|嘉 jia|家 jia|博 bo|浩 hao|昊 hao|然 ran|涵 han|晗 han|轩 xuan|萱 xuan|思 si|诗 shi|琪 qi|"
    "奇 qi|雪 xue|学 xue|飞 fei|菲 fei|云 yun|芸 yun|龙 long|凤 feng|峰 feng|锋 feng|海 hai|波 bo|"
    "辉 hui|慧 hui|惠 hui|婷 ting|庭 ting|倩 qian"
)
NAMES = Names(_SURNAMES, _GIVEN)


def _new_year(one: Person, rng: random.Random) -> Person:
    return msgspec.structs.replace(one, birth=one.birth[:4] + "0101")


def _misread(one: Person, rng: random.Random) -> Person:
    if not one.reading:
        return other_digit(one, rng)
    at = rng.randrange(len(one.reading))
    return msgspec.structs.replace(one, reading=one.reading[:at] + rng.choice("aeiounghz") + one.reading[at + 1 :])


def _other_sex(one: Person, rng: random.Random) -> Person:
    return msgspec.structs.replace(one, sex=rng.choice(("", "m", "f")))


_ERRORS: tuple[tuple[Callable[[Person, random.Random], Person], int], ...] = (
    (NAMES.homophone, 25),
    (NAMES.other_sign, 10),
    (other_digit, 20),
    (swapped_digits, 10),
    (_new_year, 5),
    (no_reading, 10),
    (_misread, 10),
    (_other_sex, 10),
)


def with_error(one: Person, rng: random.Random) -> Person:
    """The person as somebody wrote it who made one error."""
    return rng.choices([e for e, _ in _ERRORS], [weight for _, weight in _ERRORS])[0](one, rng)


def two_hospitals(size: int, shared: int, seed: int, second_error: float = 0.2) -> tuple[list[Person], list[Person]]:
    """Two lists of ``size`` persons; the first ``shared`` of each are the same persons, at the right with errors.

    Every shared record has one error at the right, a share ``second_error`` of them two.
    """
    rng = random.Random(seed)
    left = [NAMES.person(rng) for _ in range(size)]
    right = [with_error(one, rng) for one in left[:shared]]
    right = [with_error(one, rng) if rng.random() < second_error else one for one in right]
    return left, right + [NAMES.person(rng) for _ in range(size - shared)]
