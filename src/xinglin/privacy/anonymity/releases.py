"""Releases of the same table one after the other: what they give away together.

Whoever holds two releases and knows a person's values knows the class of that person in both, and looks
among the persons who stand in both classes (Ganta, Kasiviswanathan, Smith, Composition Attacks and Auxiliary
Information in Data Privacy, KDD 2008); a person who is new, or gone, is looked for among those who came or
went with the same class; and only sensitive values that both classes show remain (Xiao, Tao, m-Invariance,
SIGMOD 2007). The index of a release holds keyed pseudonyms; the key stays where the persons are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, every
from xinglin.privacy.anonymity.anonymising import recoded
from xinglin.privacy.anonymity.coding import code_column, column_of, layout_of, matrix_of, rows_of
from xinglin.privacy.anonymity.errors import BadColumns, BadIndex, TooFewPersons
from xinglin.privacy.anonymity.measures import equal_rows, risks_of
from xinglin.privacy.anonymity.model import ROWS, Anonymised, Array, Columns, Quasi, Rules
from xinglin.privacy.anonymity.mondrian import classes_of, cut_into_classes
from xinglin.privacy.anonymity.reference import Table, holds
from xinglin.privacy.anonymity.rulebook import Shown, book_of, code_sensitive, persons_showing

INDEX_VERSION = 1
"""Of ``ReleaseIndex`` in bytes. Fields are added with a new version; a newer one is refused."""
KEY_BYTES = 32
INDEX_BYTES = Limit("index of a release", 2**31, "bytes")
RELEASES = Limit("earlier releases compared at once", 256, "releases")
_PSEUDONYM_BYTES = 16
_VALUE_BYTES = 8
_NOBODY = -1


class ReleaseIndex(msgspec.Struct, frozen=True):
    """Which class each person of a release stands in, in pseudonyms.

    ``persons``: 16 bytes a pseudonym, ascending; ``classes``: int32 of the class of each; ``values``: for each
    sensitive column pairs (class, keyed value) as int64 pairs. A person with rows in several classes has an
    entry for each. ``key_check`` tells whether two indexes were made with one key, without telling the key.
    """

    release: str
    k: int
    l: int  # noqa: E741
    key_check: bytes
    persons: bytes
    classes: bytes
    values: dict[str, bytes]
    version: int = INDEX_VERSION

    def to_bytes(self) -> bytes:
        """The index as bytes, to be kept where the persons are."""
        return msgspec.msgpack.encode(self)

    def pseudonyms(self) -> list[bytes]:
        """The pseudonym of each entry, in the order of ``classes``."""
        return [self.persons[at : at + _PSEUDONYM_BYTES] for at in range(0, len(self.persons), _PSEUDONYM_BYTES)]

    def check_key(self, key: bytes) -> None:
        """Raises ``BadIndex`` where the index was made with another key."""
        if _keyed(key, b"check", "", _PSEUDONYM_BYTES) != self.key_check:
            raise BadIndex("An index that was made with another key.", remedy="Take the table's one key.")

    @classmethod
    def from_bytes(cls, document: bytes) -> ReleaseIndex:
        """Read it back. Raises ``BadIndex`` for other bytes and for a newer version."""
        INDEX_BYTES.check(len(document))
        try:
            index = msgspec.msgpack.decode(document, type=cls)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise BadIndex("Bytes that are no index of a release.", remedy="Hand in what to_bytes gave.") from error
        if index.version != INDEX_VERSION:
            raise BadIndex("An index of another version.", remedy="Update this installation.")
        if len(index.persons) % _PSEUDONYM_BYTES or len(index.persons) // _PSEUDONYM_BYTES * 4 != len(index.classes):
            raise BadIndex("An index whose persons and classes do not match.", remedy="Hand in what to_bytes gave.")
        return index


def index_release(
    release: str,
    columns: Columns,
    classes: Array,
    persons: Array,
    key: bytes,
    k: int,
    sensitive: Sequence[str] = (),
    l: int = 1,  # noqa: E741
) -> ReleaseIndex:
    """The index of a release, to compare later releases with.

    ``columns``, ``classes``: as ``anonymise`` gave them; ``persons``: the person of each of those rows;
    ``key``: 32 bytes, the same for all releases of a table; ``k`` and ``l``: what two releases together must
    still hold. Raises ``BadColumns``, ``BadIndex``.

    Guarantee: without ``key`` the index tells how large classes are and who it is that two indexes share,
    not who anybody is nor which values they have.
    """
    if len(key) != KEY_BYTES:
        raise BadIndex(f"A key of other than {KEY_BYTES} bytes.", remedy=f"Draw {KEY_BYTES} bytes and keep them.")
    rows = len(classes)
    who = column_of({"persons": persons}, "persons", rows).tolist()
    if any(one is None or one != one for one in who):
        raise BadColumns("A row without a person.", remedy="Give every row its person.")
    names = {one: keyed_person(key, one) for one in set(who)}
    pairs = sorted({(names[one], number) for one, number in zip(who, classes.tolist(), strict=True)})
    values = {}
    for name in sensitive:
        column = column_of(columns, name, rows).tolist()
        digests = {one: _keyed(key, name.encode(), one, _VALUE_BYTES) for one in set(column)}
        shown = {(number, digests[one]) for one, number in zip(column, classes.tolist(), strict=True)}
        table = np.array(
            sorted((number, int.from_bytes(digest, "big", signed=True)) for number, digest in shown), dtype="<i8"
        )
        values[name] = table.tobytes()
    return ReleaseIndex(
        release,
        k,
        l,
        _keyed(key, b"check", "", _PSEUDONYM_BYTES),
        b"".join(name for name, _ in pairs),
        np.array([number for _, number in pairs], dtype="<i4").tobytes(),
        values,
    )


def keyed_person(key: bytes, person: Any) -> bytes:
    """The pseudonym of a person in indexes made with ``key``."""
    return _keyed(key, b"person", person, _PSEUDONYM_BYTES)


def _keyed(key: bytes, what: bytes, value: Any, size: int) -> bytes:
    person = hashlib.blake2b(what, digest_size=16).digest()
    # A column with a gap holds 5.0 where one without holds 5: the same value.
    same = int(value) if isinstance(value, float) and value.is_integer() else value
    return hashlib.blake2b(repr(same).encode(), key=key, person=person, digest_size=size).digest()


def compare_releases(earlier: ReleaseIndex | Sequence[ReleaseIndex], now: ReleaseIndex) -> Verdict:
    """Whether ``now`` may be released beside the earlier ones.

    Denied where, against any of them, persons of two classes at once (or who came to or went from a class)
    are fewer than the larger k and not a whole earlier class (which its own release told already), or where the
    classes of a person show fewer than the larger l of one sensitive column's values in common:
    ``privacy.releases.persons``, ``privacy.releases.values``.

    Guarantee: an attacker with the new release and any one of the earlier ones, who knows who is in both,
    cannot narrow a person down below k or the person's sensitive values below l by intersecting or
    subtracting classes. Three and more releases are held in pairs. Raises ``BadIndex``.
    """
    before = [earlier] if isinstance(earlier, ReleaseIndex) else list(earlier)
    RELEASES.check(len(before))
    return every([_pair(one, now) for one in before]) if before else Allowed()


def _pair(earlier: ReleaseIndex, now: ReleaseIndex) -> Verdict:
    if earlier.key_check != now.key_check:
        raise BadIndex(
            "Two indexes of releases that were made with different keys.",
            why="Their persons cannot be told apart or together.",
            remedy="Make both with the table's one key.",
        )
    old, new, counts = _cells(earlier, now)
    reasons = []
    sizes = np.maximum(np.bincount(entries_of(earlier)[1], minlength=1), earlier.k)
    least = np.minimum(sizes[np.maximum(old, 0)], max(earlier.k, now.k))  # a whole class of before tells nothing new
    if (counts < np.where(old >= 0, least, now.k)).any():
        reasons.append(
            Reason(
                "privacy.releases.persons",
                f"Beside release '{earlier.release}' some persons could be told from all but fewer than k others.",
                "Keep the classes of those who were released before (anonymise_beside), and hold new persons back "
                "until they are enough.",
            )
        )
    both = (old >= 0) & (new >= 0)
    if _poor(earlier, now, old[both], new[both]):
        reasons.append(
            Reason(
                "privacy.releases.values",
                f"Beside release '{earlier.release}' some classes of one person show too few values in common.",
                "Keep the classes of those who were released before (anonymise_beside).",
            )
        )
    return Denied(tuple(reasons)) if reasons else Allowed()


def entries_of(index: ReleaseIndex) -> tuple[Array, Array]:
    """Pseudonyms as pairs of whole numbers, and their classes."""
    pairs = np.frombuffer(index.persons, dtype=">u8").reshape(-1, 2).astype(np.uint64)
    return pairs, np.frombuffer(index.classes, dtype="<i4").astype(np.int64)


def _cells(earlier: ReleaseIndex, now: ReleaseIndex) -> tuple[Array, Array, Array]:
    """Each pair of classes (earlier, new) that a person stands in at once, and how many persons do.

    -1 stands for not being in a release at all.
    """
    (old, old_classes), (new, new_classes) = entries_of(earlier), entries_of(now)
    together = np.concatenate([old, new])
    order = np.lexsort((together[:, 1], together[:, 0]))
    person = np.empty(len(order), dtype=np.int64)
    changes = (np.diff(together[order], axis=0) != 0).any(axis=1)
    person[order] = np.cumsum(np.concatenate([[False], changes])) if len(order) else 0
    before, after = person[: len(old)], person[len(old) :]
    before, old_classes = _without_class(before, old_classes, after)
    after, new_classes = _without_class(after, new_classes, before)
    # Every earlier class of a person beside every new one.
    by_person = np.argsort(after, kind="stable")
    first = np.searchsorted(after[by_person], before, side="left")
    many = np.searchsorted(after[by_person], before, side="right") - first
    left = np.repeat(np.arange(len(before)), many)
    right = by_person[np.repeat(first - np.cumsum(many) + many, many) + np.arange(int(many.sum()))]
    cells, counts = np.unique(np.column_stack([old_classes[left], new_classes[right]]), axis=0, return_counts=True)
    return cells[:, 0], cells[:, 1], counts


def _without_class(person: Array, classes: Array, others: Array) -> tuple[Array, Array]:
    """The entries, and one with class -1 for each of the other release's persons who is not among them."""
    missing = np.setdiff1d(others, person)
    return np.concatenate([person, missing]), np.concatenate([classes, np.full(len(missing), _NOBODY)])


def _poor(earlier: ReleaseIndex, now: ReleaseIndex, old: Array, new: Array) -> bool:
    """Whether two classes with a person in common show fewer than l values of a column in common."""
    least = max(earlier.l, now.l)
    for name in sorted(set(earlier.values) & set(now.values)) if least > 1 else ():
        shown, again = (np.frombuffer(index.values[name], dtype="<i8").reshape(-1, 2) for index in (earlier, now))
        names = np.unique(np.concatenate([shown[:, 1], again[:, 1]]))
        known = again[:, 0] * len(names) + np.searchsorted(names, again[:, 1])
        first = np.searchsorted(shown[:, 0], old, side="left")
        many = np.searchsorted(shown[:, 0], old, side="right") - first
        pair = np.repeat(np.arange(len(old)), many)
        at = np.repeat(first - np.cumsum(many) + many, many) + np.arange(int(many.sum()))
        asked = new[pair] * len(names) + np.searchsorted(names, shown[at, 1])
        common = np.bincount(pair[np.isin(asked, known)], minlength=len(old))
        if (common < least).any():
            return True
    return False


def anonymise_beside(
    columns: Columns, quasi: Sequence[Quasi], rules: Rules, persons: Array, earlier: ReleaseIndex, key: bytes
) -> Anonymised:
    """The table anonymised so that it may be released beside an ``earlier`` release of it; a row a person.

    Who was in a class stays in it; those who are new make classes among themselves, and are left out while
    they are too few for the rules. A class that some, but fewer than k, have left is left out whole, and so is
    one that no longer holds the rules. Arguments and errors else as ``anonymise``; raises ``BadColumns`` for
    a person with several rows or in several classes.

    Guarantee: as ``anonymise``; and ``compare_releases`` allows the result's k against ``earlier``. It does
    not promise l values in common where values changed: compare before releasing.
    """
    rows = rows_of(columns)
    ROWS.check(rows)
    before = _classes_before(persons, rows, earlier, key)
    coded = [code_column(columns, one) for one in quasi]
    shown = code_sensitive(columns, rules.held())
    matrix = matrix_of(coded, rows)
    whole = persons_showing(shown, None)
    table = Table(matrix, None, shown.codes, layout_of(coded), book_of(rules, shown, whole))
    had = np.bincount(entries_of(earlier)[1])
    groups = []
    for number in np.unique(before[before >= 0]).tolist():
        members = np.flatnonzero(before == number)
        left = int(had[number]) - len(members)
        if (left == 0 or left >= rules.k) and holds(table, members):
            groups.append(members)
    new = np.flatnonzero(before < 0)
    if len(new) >= rules.k and holds(table, new):
        part = Shown(shown.names, shown.codes[new], shown.sizes, shown.trees)
        found = cut_into_classes(coded, rules, part, whole=whole, matrix=matrix[new])
        groups += np.split(new[found.order], found.starts[1:])
    if not groups:
        raise TooFewPersons(rules.k)
    classes = classes_of(groups, matrix)
    same, many = equal_rows(matrix)
    return recoded(columns, coded, classes, rules, None, risks_of(same, many))


def _classes_before(persons: Array, rows: int, earlier: ReleaseIndex, key: bytes) -> Array:
    """The earlier class of each row, -1 for a person who is new."""
    earlier.check_key(key)
    who = column_of({"persons": persons}, "persons", rows).tolist()
    names = earlier.pseudonyms()
    home = dict(zip(names, entries_of(earlier)[1].tolist(), strict=True))
    if len(set(who)) != rows or len(home) != len(names):
        raise BadColumns(
            "A person with several rows or in several classes.",
            why="Which of the rows stood in which class is not kept.",
            remedy="Release one row a person, or release the table anew and compare.",
        )
    return np.array([home.get(keyed_person(key, one), _NOBODY) for one in who], dtype=np.int64)
