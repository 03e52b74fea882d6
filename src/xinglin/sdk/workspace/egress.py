"""What leaves a workspace: aggregates of a kept extract by the disclosure rules, with evidence first; never a row.

1. compute. 2. the disclosure rules, with the extract's own minimum cell. 3. compare with everything that ever left
this workspace, all together. 4. `release-authorised` in the log, proved by its receipt. 5. hand out. There is no other
verb, and no noise: proven noise is the hospitals' alone.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.evidence.commitments import commit, new_salt
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny, every
from xinglin.sdk.errors import NotVerified, Refused
from xinglin.sdk.results import COMMITMENT, RECEIPT_KIND, Receipt
from xinglin.terms.noise_asked import is_noisy
from xinglin.terms.open_release import L1_ALGORITHMS
from xinglin.terms.thresholds import DisclosureRules
from xinglin.wire.extracts import ROWS_FILE

if TYPE_CHECKING:
    from xinglin.analysis.algorithm import Algorithm, Guard, Result
    from xinglin.analysis.table import Column, Table
    from xinglin.sdk.workspace.keeper import Keeper
    from xinglin.wire.extracts import ExtractManifest

RELEASES = Limit("releases of an extract out of its workspace", 200, "releases")
EXACT_ALGORITHMS = tuple(name for name in L1_ALGORITHMS if not is_noisy(name))
"""What may leave: tables of exact statistics."""
PERSON = "person"
OTHER = "(other)"
"""The one level of all texts that fewer than the minimum of persons hold; which texts they are stays inside."""
_LOG_S, _AGAIN_S = 30.0, 0.5
_MAX_ROWS = 5_000_000
_VERSION = 2

Codes = NDArray[np.uint64]


class Left(msgspec.Struct, frozen=True):
    """What left: its id, the numbers, and the log's proof that the workspace authorised them."""

    id: str
    kind: str
    payload: dict[str, Any]
    receipt: Receipt


class _Cells(msgspec.Struct, frozen=True):
    """The cells that one release showed, kept encrypted for later comparisons: sorted little-endian 64-bit codes.

    ``persons``: codes that follow from the pseudonyms, the same in every extract that has the same ones. ``rows``: row
    numbers of the extract, for what adds up rows. Cells that a release hides are not in it.
    """

    id: str
    persons: dict[str, bytes] = {}
    rows: dict[str, bytes] = {}
    version: int = 1


class _Rows(msgspec.Struct, frozen=True, eq=False):
    """An extract's rows with their domain; ``codes``: the lasting code of each person of the table."""

    table: Table
    domain: tuple[Column, ...]
    codes: Codes


class _Shown(msgspec.Struct, frozen=True, eq=False):
    """What a release shows, by cell: persons by their lasting codes, and rows where it adds up rows."""

    persons: dict[str, Codes]
    rows: dict[str, Codes]


def release(keeper: Keeper, run_id: str, algorithm: str, params: Mapping[str, Any]) -> Left:
    """Release one aggregate of a kept extract; ``Refused`` with every reason, and then nothing leaves.

    ``algorithm``: one of ``EXACT_ALGORITHMS``. Guarantee: what is handed out commits to a leaf of this
    workspace that lies in the log under the space's quorum; the reasons of a refusal hold no count.
    """
    _check_algorithm(algorithm)
    manifest = keeper.kept_one(run_id).manifest
    rules = DisclosureRules(min_cell=manifest.min_cell, min_hospitals=1)
    rows = _table(keeper, manifest)
    built, result, guard = _computed(rows.table, rows.domain, rules, algorithm, dict(params))  # 1
    shown = _shown(built, rows, result)
    earlier = _earlier(keeper)
    mine = earlier.get(run_id, ())
    every_one = [one for of_run in earlier.values() for one in of_run]
    verdict = every(
        [
            _disclosed(built, rules, guard, rows.table, result),
            _compared(rules, shown, every_one),
            _together(rules, shown, every_one),
            _rows_together(rules, rows.table, shown, mine),
        ]
    )  # 2, 3
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    RELEASES.check(len(mine) + 1)
    outcome = canonical_bytes({"kind": result.kind, "payload": result.payload})
    name = "egress-" + base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()
    kept = _Cells(name, _packed(shown.persons), _packed(shown.rows), _VERSION)
    keeper.keep_release(run_id, name, msgspec.msgpack.encode(kept))  # before the leaf: it stays comparable
    receipt = _authorised(keeper, name, manifest, outcome)  # 4
    return Left(name, result.kind, result.payload, receipt)  # 5


def _check_algorithm(algorithm: str) -> None:
    """A table of exact statistics; raises ``Refused``."""
    if is_noisy(algorithm):
        words = "A workspace adds no noise, so an answer that promises it does not leave here."
        raise Refused(deny("workspace.no_noise_here", words, "Ask the hospitals for it, in a study of theirs.").reasons)
    if algorithm not in EXACT_ALGORITHMS:
        words = f"Only tables of statistics leave a workspace, no {algorithm[:40]!r}."
        raise Refused(deny("workspace.not_an_aggregate", words, f"One of {', '.join(EXACT_ALGORITHMS)}.").reasons)


def _table(keeper: Keeper, manifest: ExtractManifest) -> _Rows:
    """The rows of an extract; numbers in their published range, texts as categories of what many persons hold."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from xinglin.analysis.table import Column, Table

    if not any(one.name == ROWS_FILE for one in manifest.files):
        words = "The extract has no table: it came as FHIR alone."
        raise Refused(deny("workspace.no_table", words, "Ask for it as Parquet too.").reasons)
    rows = pq.read_table(pa.BufferReader(keeper.file(manifest.run_id, ROWS_FILE)))
    codes: dict[str, int] = {}
    persons = np.array([codes.setdefault(one, len(codes)) for one in rows.column(PERSON).to_pylist()], dtype=np.int64)
    domain: list[Column] = []
    columns: dict[str, NDArray[Any]] = {}
    for said in manifest.columns:
        if said.name not in rows.column_names:
            continue
        values = rows.column(said.name)
        if said.kind == "number":
            domain.append(Column(said.name, "number", said.low, said.high))
            columns[said.name] = np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)
        else:
            texts = values.cast(pa.string()).to_pylist()
            levels, columns[said.name] = _levels(texts, persons.tolist(), manifest.min_cell)
            domain.append(Column(said.name, "category", levels=levels))
    lasting = np.array([_code(one) for one in codes], dtype=np.uint64)
    return _Rows(Table.of(tuple(domain), columns, persons), tuple(domain), lasting)


def _levels(
    texts: Sequence[str | None], persons: Sequence[int], least: int
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The levels of a text column and each row's level; a manifest publishes none, so rare ones lose their name."""
    holders: dict[str, set[int]] = {}
    for text, person in zip(texts, persons, strict=True):
        if text is not None:
            holders.setdefault(text, set()).add(person)
    named = {text: text if len(held) >= least else OTHER for text, held in holders.items()}
    levels = tuple(sorted(set(named.values())))
    index = {level: code for code, level in enumerate(levels)}
    found = [-1 if text is None else index[named[text]] for text in texts]
    return levels, np.array(found, dtype=np.int64)


def _code(person: str) -> int:
    """64 bits that last: the same pseudonym has the same in every extract."""
    return int.from_bytes(hashlib.blake2b(str(person).encode(), digest_size=8).digest(), "little")


def _computed(
    table: Table, domain: tuple[Column, ...], rules: DisclosureRules, name: str, params: dict[str, Any]
) -> tuple[Algorithm, Result, Guard]:
    """The algorithm's rounds over this table alone: the same code that hospitals run together."""
    from xinglin.analysis.algorithm import AlgorithmSpec, NamedFailure, Result, build

    algorithm = build(AlgorithmSpec(name, params), domain, rules, _MAX_ROWS)
    state, guard = algorithm.initial_state(), None
    while True:
        vector = algorithm.local(table, state)
        guard = guard or algorithm.pooled_guard(state, vector.tolist())
        following = algorithm.update(state, vector.tolist(), 1)
        if isinstance(following, Denied):
            raise Refused(following.reasons)
        if isinstance(following, NamedFailure):
            raise Refused(deny(f"workspace.{following.code}", following.words, following.remedy).reasons)
        if not isinstance(following, Result):
            state = following
            continue
        return algorithm, following, guard


def _shown(algorithm: Algorithm, rows: _Rows, result: Result) -> _Shown:
    """The cells whose numbers are in the result; the whole of ``describe`` by groups is counted, but never told."""
    names, table = set(algorithm.released_cells(result)), rows.table
    if result.kind == "describe":
        names.discard("all")
    masks = {one.name: one.mask for one in algorithm.cells(table) if one.name in names}
    persons = {name: np.sort(rows.codes[np.unique(table.persons[mask])]) for name, mask in masks.items()}
    if result.payload.get("persons_missing") is not None:
        used = algorithm.used(table)
        masks["~missing"] = ~used
        persons["~missing"] = np.sort(np.delete(rows.codes, np.unique(table.persons[used])))
    numbered = {name: np.flatnonzero(mask).astype(np.uint64) for name, mask in masks.items()}
    return _Shown(persons, numbered if algorithm.about_rows else {})


def _disclosed(algorithm: Algorithm, rules: DisclosureRules, guard: Guard, table: Table, result: Result) -> Verdict:
    from xinglin.privacy.disclosure import check_total

    released = set(algorithm.released_cells(result))
    counted = {
        one.name: len(np.unique(table.persons[one.mask])) for one in algorithm.cells(table) if one.name in released
    }
    return every([check_total(rules, persons=counted, hospitals=1), algorithm.release_rules(guard, 1)])


def _compared(rules: DisclosureRules, shown: _Shown, earlier: Sequence[_Cells]) -> Verdict:
    """Two cells that differ by few persons on both sides tell about these few: refused, of whichever release."""
    least = rules.min_cell
    before = list(_unpacked(earlier, "persons").values())
    for now in shown.persons.values():
        for then in before:
            ours, theirs = (np.setdiff1d(a, b, assume_unique=True).size for a, b in ((now, then), (then, now)))
            if (ours or theirs) and ours < least and theirs < least:
                words = "It differs by too few persons from what left this workspace before."
                return deny("workspace.difference", words, "Use the earlier release, or widen the question.")
    return Allowed()


def _together(rules: DisclosureRules, shown: _Shown, earlier: Sequence[_Cells]) -> Verdict:
    """No combination of all cells that ever left and these ones is about too few persons."""
    from xinglin.privacy.packs.linear import check_system

    return check_system(rules.min_cell, _unpacked(earlier, "persons"), shown.persons, os.urandom)


def _rows_together(rules: DisclosureRules, table: Table, shown: _Shown, earlier: Sequence[_Cells]) -> Verdict:
    """The same over the rows of this extract, where a person has several: sums are of rows, and cells share persons.

    Rows of one person that stand in exactly the same cells are one, so that what is counted is persons.
    """
    from xinglin.privacy.packs.linear import check_system

    if table.n_rows == table.n_persons or not shown.rows:
        return Allowed()
    before = _unpacked(earlier, "rows")
    cells = [*before.values(), *shown.rows.values()]
    words = np.frombuffer(os.urandom(16 * len(cells)), dtype="<u8").reshape(-1, 2)
    marks = np.zeros((2, table.n_rows), dtype=np.uint64)
    for (first, second), rows in zip(words, cells, strict=True):
        marks[0, rows] ^= first
        marks[1, rows] ^= second
    order = np.lexsort((marks[1], marks[0], table.persons))
    keys = np.vstack([marks, table.persons.astype(np.uint64)])[:, order]
    first_of = np.sort(order[np.r_[True, np.any(keys[:, 1:] != keys[:, :-1], axis=0)]]).astype(np.uint64)
    thin = {name: np.intersect1d(rows, first_of, assume_unique=True) for name, rows in shown.rows.items()}
    thinner = {place: np.intersect1d(rows, first_of, assume_unique=True) for place, rows in before.items()}
    return check_system(rules.min_cell, thinner, thin, os.urandom)


def _earlier(keeper: Keeper) -> dict[str, tuple[_Cells, ...]]:
    """What left of every extract that this workspace ever kept; one that cannot be compared stops every release."""
    runs = [one.run_id for one in keeper.kept()]
    found = {run: tuple(msgspec.msgpack.decode(one, type=_Cells) for one in keeper.releases(run)) for run in runs}
    if any(one.version != _VERSION for of_run in found.values() for one in of_run):
        words = "An earlier release of this workspace was kept by another version and cannot be compared."
        raise Refused(deny("workspace.not_comparable", words, "Ask for a new extract in a new workspace.").reasons)
    return found


def _packed(cells: Mapping[str, Codes]) -> dict[str, bytes]:
    return {name: codes.astype("<u8").tobytes() for name, codes in cells.items()}


def _unpacked(earlier: Sequence[_Cells], what: str) -> dict[tuple[str, str], Codes]:
    kept = [(one.id, one.persons if what == "persons" else one.rows) for one in earlier]
    return {
        (release, cell): np.frombuffer(data, dtype="<u8").astype(np.uint64)
        for release, cells in kept
        for cell, data in cells.items()
    }


def _authorised(keeper: Keeper, name: str, manifest: ExtractManifest, outcome: bytes) -> Receipt:
    """The workspace's leaf, in the log under a quorum, and its receipt, verified."""
    session, keys, salt = keeper.session, keeper.account.keys, new_salt()
    parties = tuple(dict.fromkeys((keys.did, manifest.node)))
    extract = commit(hashlib.sha256(salt).digest(), manifest.run_id)
    marked = {COMMITMENT: commit(salt, outcome), "extract": extract}
    entry = Entry(
        kind=RECEIPT_KIND, at=session.clock(), submitter=keys.did, parties=parties, subject=name, commitments=marked
    )
    batch = sign_batch([entry], keeper.account.space.origin, keys.did, keys.sign)
    session.client.post_bytes("/submit", batch.to_bytes(), dict)
    end = time.monotonic() + _LOG_S
    while True:
        session.log.refresh()
        found = [one for one in session.log.about(name) if one.entry.submitter == keys.did]
        if found:
            break
        if time.monotonic() > end:
            words = "The log has not taken the workspace's authorisation in."
            raise NotVerified(words, why="Nothing is handed out without it.", remedy="Ask again when the log is back.")
        time.sleep(_AGAIN_S)
    text = session.client.get_open(f"/receipt/{found[0].index}").decode()
    receipt = Receipt(text, session.log.record.policy_text, name, salt, outcome)
    receipt.verify()
    return receipt
