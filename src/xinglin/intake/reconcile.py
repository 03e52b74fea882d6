"""Daily reconciliation: what a source counts against what is here, and what became of the difference.

"HIS 1,203 admissions, here 1,201; these two are missing because …". A source's count comes from its own database
(``feeds`` count a day's rows), the trailer of a batch file, a folder's files, or a person who typed it in; what is
here comes from the lake, and the reasons from the ledger and the raw objects. Everything is for the hospital's own
eyes: keys are a source's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from xinglin.intake.errors import IntakeError
from xinglin.intake.model import HeldRow
from xinglin.intake.quality import Alarm
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit

Reason = Literal["quarantined", "rejected", "taken_back", "other_day", "no_row", "never_received"]

REASONS: dict[Reason, tuple[str, str]] = {
    "quarantined": ("it is in quarantine", "在隔离区"),
    "rejected": ("it was rejected", "已被拒收"),
    "taken_back": ("the source took it back", "来源已撤回"),
    "other_day": ("it is here under another day", "记在另一天"),
    "no_row": ("a message names it and no row came of it", "收到的消息提到它，但没有生成记录"),
    "never_received": ("no message that was received names it", "收到的消息中没有它"),
}
"""Why a record of the source is not here on that day, in the order in which they are looked for."""

TABLE_OF_KIND: dict[str, tuple[str, str]] = {
    "admission": ("encounter", "started"),
    "discharge": ("encounter", "ended"),
    "visit": ("encounter", "started"),
    "diagnosis": ("condition", "recorded"),
    "result": ("observation", "effective"),
    "report": ("report", "issued"),
    "order": ("medication", "authored"),
    "operation": ("procedure", "started"),
    "study": ("imaging", "started"),
    "patient": ("patient", ""),
}
"""What a source counts: the table that holds it, and the moment that it is counted by."""

WORDS_ZH = {
    "admission": "入院",
    "discharge": "出院",
    "visit": "就诊",
    "diagnosis": "诊断",
    "result": "检验结果",
    "report": "报告",
    "order": "医嘱",
    "operation": "手术",
    "study": "检查",
    "patient": "患者",
}

KEYS = Limit("keys of one count", 1_000_000, "keys")
SEARCHED_OBJECTS = Limit("raw objects searched for missing keys", 500, "objects")
_TOKEN = re.compile(rb"[0-9A-Za-z]+")
SHOWN = 20
"""Missing records that words name one by one."""


class UnknownCount(IntakeError):
    """A count of something that no table holds."""

    code = "intake.unknown_count"


class Objects(Protocol):
    """The raw store, as far as reasons are looked for in it."""

    def read(self, digest: str) -> bytes:
        """An object's bytes; raises ``IntakeError``."""
        ...


class Searched(Protocol):
    """Raw objects in which keys are looked for, wherever their bytes are opened."""

    def standing(self, digest: str, words: list[bytes]) -> list[bytes]:
        """Which of ``words`` stand in an object; raises ``IntakeError``."""
        ...


class SourceCount(msgspec.Struct, frozen=True):
    """What a source says of one day. ``kind``: of ``TABLE_OF_KIND``. ``keys``: the records' own keys, where it
    gives them; only with them is a difference explained record by record."""

    source: str
    day: str
    kind: str
    count: int
    keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without keys."""
        return f"SourceCount({self.source!r}, {self.day!r}, {self.kind!r}, {self.count})"


class HereCount(msgspec.Struct, frozen=True):
    """What the lake holds of a source's day. ``keys``: of facts that hold now, each under its id and, where it has
    one, under the source's own number (key to id); ``other_days``: keys of facts that hold on another day;
    ``taken_back``: of facts that do not hold any more."""

    source: str
    day: str
    kind: str
    count: int
    keys: dict[str, str] = {}
    other_days: frozenset[str] = frozenset()
    taken_back: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Without keys."""
        return f"HereCount({self.source!r}, {self.day!r}, {self.kind!r}, {self.count})"


class Missing(msgspec.Struct, frozen=True):
    """A record that the source has and the lake has not, with the reason and, where a message names it, where."""

    key: str
    reason: Reason
    code: str = ""
    digest: str = ""
    place: str = ""
    words: str = ""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Missing({self.reason!r}, {self.code!r})"


class Reconciled(msgspec.Struct, frozen=True):
    """One count, reconciled. ``surplus``: keys that are here and that the source did not name."""

    theirs: SourceCount
    here: HereCount
    missing: tuple[Missing, ...] = ()
    surplus: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """The counts are equal, and where keys were given, no key is missing or too many."""
        return self.theirs.count == self.here.count and not self.missing and not self.surplus

    @property
    def explained(self) -> bool:
        """What is missing is what the source itself took back, and nothing else differs."""
        gone = sum(one.reason == "taken_back" for one in self.missing)
        return gone == len(self.missing) == self.theirs.count - self.here.count and not self.surplus

    def words(self, *, named: bool = True) -> str:
        """The sentence of it in English; not ``named``: how many for which reason, and no record's key."""
        kind = self.theirs.kind + ("" if self.theirs.count == 1 else "s")
        head = f"{self.theirs.source} {self.theirs.count:,} {kind} on {self.theirs.day}, here {self.here.count:,}"
        if self.agrees:
            return head + "."
        told = _named(self.missing) if named else _counted(self.missing)
        return head + _because(self.missing, told, self.surplus, self.theirs) + "."

    def words_zh(self) -> str:
        """The same in Chinese."""
        kind = WORDS_ZH.get(self.theirs.kind, self.theirs.kind)
        head = f"{self.theirs.day} {self.theirs.source} {kind} {self.theirs.count:,} 条，本地 {self.here.count:,} 条"
        counted = Counter(one.reason for one in self.missing)
        parts = [f"{count} 条{REASONS[reason][1]}" for reason, count in counted.items()]
        if self.surplus:
            parts.append(f"{len(self.surplus)} 条来源未列出")
        return head + ("；" + "，".join(parts) if parts else "") + "。"

    def __repr__(self) -> str:
        """Without keys."""
        return f"Reconciled({self.theirs!r}, {self.here!r}, {len(self.missing)} missing, {len(self.surplus)} more)"


def table_of(kind: str) -> tuple[str, str]:
    """Table and moment of what is counted. Raises ``UnknownCount``."""
    found = TABLE_OF_KIND.get(kind)
    if found is None:
        raise UnknownCount("Nothing is counted under this word.", remedy=f"Use one of {', '.join(TABLE_OF_KIND)}.")
    return found


def plain_key(key: str) -> str:
    """A key as a source would write it: without namespace, type and number of a component.

    >>> plain_key("east/Encounter/12#1"), plain_key("12")
    ('12', '12')
    """
    return key.rsplit("/", 1)[-1].partition("#")[0]


def reconcile(
    theirs: SourceCount,
    here: HereCount,
    mentions: Mapping[str, HeldRow] | None = None,
    named: Collection[str] = (),
) -> Reconciled:
    """What is missing here and why, and what is here that the source did not name.

    ``mentions``: missing keys whose raw object is held (``mentioned``). ``named``: missing keys that committed
    objects name. Raises ``LimitExceeded`` for more than ``KEYS``.
    """
    KEYS.check(len(theirs.keys))
    if not theirs.keys:
        return Reconciled(theirs, here)
    wanted = {plain_key(key): key for key in theirs.keys}
    own = {plain_key(key) for key in here.keys}
    held = {plain_key(key): row for key, row in (mentions or {}).items()}
    others = {plain_key(key) for key in here.other_days}
    gone = {plain_key(key) for key in here.taken_back}
    seen = {plain_key(key) for key in named}
    missing = []
    for plain in sorted(set(wanted) - own):
        if plain in gone:
            missing.append(Missing(wanted[plain], "taken_back"))
        elif plain in others:
            missing.append(Missing(wanted[plain], "other_day"))
        elif plain in held:
            missing.append(_held(wanted[plain], held[plain]))
        else:
            missing.append(Missing(wanted[plain], "no_row" if plain in seen else "never_received"))
    met = {fact for key, fact in here.keys.items() if plain_key(key) in wanted}
    surplus = tuple(sorted(set(here.keys.values()) - met))
    return Reconciled(theirs, here, tuple(missing), surplus)


def mentioned(raw: Searched, held: Sequence[HeldRow], keys: Iterable[str]) -> dict[str, HeldRow]:
    """Which of ``keys`` stand in the raw objects of held records; the first that names a key is taken.

    At most ``SEARCHED_OBJECTS`` objects are read, the newest first; objects that cannot be read are passed over.
    """
    rows: dict[str, HeldRow] = {}
    for row in sorted(held, key=lambda one: -one.id):
        rows.setdefault(row.digest, row)
    return {key: rows[digest] for key, digest in _searched(raw, list(rows), keys)}


def named_in(raw: Searched, digests: Sequence[str], keys: Iterable[str]) -> frozenset[str]:
    """Which of ``keys`` stand in these raw objects; read as ``mentioned`` does."""
    return frozenset(key for key, _ in _searched(raw, digests, keys))


def alarms_of(done: Iterable[Reconciled]) -> tuple[Alarm, ...]:
    """An alarm for each count that does not agree and is not ``explained``; no alarm names a record."""
    found = []
    for one in done:
        if one.agrees or one.explained:
            continue
        few = one.here.count < one.theirs.count or bool(one.missing)
        table, _ = table_of(one.theirs.kind)
        lost = abs(one.theirs.count - one.here.count) / max(one.theirs.count, 1)
        kind: Literal["missing", "surplus"] = "missing" if few else "surplus"
        words, words_zh = one.words(named=False), one.words_zh()
        found.append(Alarm(kind, one.theirs.source, one.theirs.day, table, words, words_zh, round(lost, 4)))
    return tuple(found)


def standing(words: Sequence[bytes], body: bytes) -> list[bytes]:
    """Which of ``words`` stand in ``body`` by themselves: the body is read once, however many there are."""
    needed = {token for word in words for token in _TOKEN.findall(word)}
    tokens = {found for one in _TOKEN.finditer(body) if (found := one[0]) in needed}
    return [
        word for word in words if tokens.issuperset(_TOKEN.findall(word)) and (word.isalnum() or _stands(word, body))
    ]


def _searched(raw: Searched, digests: Sequence[str], keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each key that stands in one of the objects, with the first that it stands in."""
    wanted: dict[bytes, list[str]] = {}
    for key in keys:
        wanted.setdefault(plain_key(key).encode(), []).append(key)
    for digest in digests[: SEARCHED_OBJECTS.value]:
        if not wanted:
            return
        for word in _standing(raw, digest, list(wanted)):
            for key in wanted.pop(word, ()):
                yield key, digest


def _standing(raw: Searched, digest: str, words: list[bytes]) -> list[bytes]:
    try:
        return raw.standing(digest, words)
    except (IntakeError, LimitExceeded):
        return []


def _stands(word: bytes, body: bytes) -> bool:
    """Whether ``word`` stands in ``body`` by itself: ``12`` does not stand in ``123``."""
    at = body.find(word) if word else -1
    while at >= 0:
        before, after = body[at - 1 : at] if at else b"", body[at + len(word) : at + len(word) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        at = body.find(word, at + 1)
    return False


def _held(key: str, row: HeldRow) -> Missing:
    reason: Reason = "rejected" if row.outcome == "rejected" else "quarantined"
    return Missing(key, reason, row.code, row.digest, row.place, row.words)


def _named(missing: Sequence[Missing]) -> str:
    told = "; ".join(f"{one.key}: {_reason(one)}" for one in missing[:SHOWN])
    return told + (f"; and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else "")


def _counted(missing: Sequence[Missing]) -> str:
    counted = Counter(one.reason for one in missing)
    return "; ".join(f"{count:,}: {REASONS[reason][0]}" for reason, count in counted.items())


def _because(missing: Sequence[Missing], told: str, surplus: Sequence[str], theirs: SourceCount) -> str:
    if not missing and not surplus:
        return "; the source gave no keys, so that the difference cannot be named" if not theirs.keys else ""
    parts = []
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        parts.append(f"{len(missing):,} {verb} missing ({told})")
    if surplus:
        parts.append(f"{len(surplus):,} here that the source did not name")
    return "; " + ", ".join(parts)


def _reason(one: Missing) -> str:
    words = REASONS[one.reason][0]
    if not one.code:
        return words
    return f"{words} ({one.code}{' at ' + one.place if one.place else ''})"
