"""What leaves a workspace: aggregates of a kept extract by the disclosure rules, with evidence first; never a row.

1. compute. 2. the disclosure rules, with the extract's own minimum cell. 3. compare with everything that left before of
the same extract. 4. `release-authorised` in the log, proved by its receipt. 5. hand out. There is no other verb.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xinglin.evidence.commitments import commit, new_salt
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny, every
from xinglin.sdk.errors import NotVerified, Refused
from xinglin.sdk.results import COMMITMENT, RECEIPT_KIND, Receipt
from xinglin.terms.open_release import L1_ALGORITHMS
from xinglin.terms.thresholds import DisclosureRules

if TYPE_CHECKING:
    from xinglin.analysis.algorithm import Algorithm, Guard, Result
    from xinglin.analysis.table import Column, Table
    from xinglin.sdk.workspace.keeper import Keeper
    from xinglin.wire.extracts import ExtractManifest

RELEASES = Limit("releases of an extract out of its workspace", 200, "releases")
PERSON = "person"
_LOG_S, _AGAIN_S = 30.0, 0.5
_MAX_ROWS = 5_000_000


class Left(msgspec.Struct, frozen=True):
    """What left: its id, the numbers, and the log's proof that the workspace authorised them."""

    id: str
    kind: str
    payload: dict[str, Any]
    receipt: Receipt


class _Cells(msgspec.Struct, frozen=True):
    """Persons behind the cells of one release, kept encrypted for later comparisons."""

    id: str
    cells: dict[str, tuple[int, ...]]


def release(keeper: Keeper, run_id: str, algorithm: str, params: Mapping[str, Any]) -> Left:
    """Release one aggregate of a kept extract; ``Refused`` with every reason, and then nothing leaves.

    ``algorithm``: one of ``terms.open_release.L1_ALGORITHMS``. Guarantee: what is handed out commits to a leaf of this
    workspace that lies in the log under the space's quorum; the reasons of a refusal hold no count.
    """
    if algorithm not in L1_ALGORITHMS:
        words = f"Only tables of statistics leave a workspace, no {algorithm[:40]!r}."
        raise Refused(deny("workspace.not_an_aggregate", words, f"One of {', '.join(L1_ALGORITHMS)}.").reasons)
    manifest = keeper.kept_one(run_id).manifest
    rules = DisclosureRules(min_cell=manifest.min_cell, min_hospitals=1)
    table, domain = _table(keeper, manifest)
    built, result, guard = _computed(table, domain, rules, algorithm, dict(params))  # 1
    cells = _cells(built, table, result)
    earlier = _earlier(keeper, run_id)
    verdict = every([_disclosed(built, rules, guard, cells), _compared(rules, cells, earlier)])  # 2, 3
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    RELEASES.check(len(earlier) + 1)
    outcome = canonical_bytes({"kind": result.kind, "payload": result.payload})
    name = "egress-" + base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()
    kept = _Cells(name, {cell: tuple(sorted(persons)) for cell, persons in cells.items()})
    keeper.keep_release(run_id, name, msgspec.msgpack.encode(kept))  # before the leaf: it stays comparable
    receipt = _authorised(keeper, name, manifest, outcome)  # 4
    return Left(name, result.kind, result.payload, receipt)  # 5


def _table(keeper: Keeper, manifest: ExtractManifest) -> tuple[Table, tuple[Column, ...]]:
    """The rows of an extract; numbers in their published range, texts as categories of what is there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from xinglin.analysis.table import Column, Table

    if not any(one.name == "rows.parquet" for one in manifest.files):
        words = "The extract has no table: it came as FHIR alone."
        raise Refused(deny("workspace.no_table", words, "Ask for it as Parquet too.").reasons)
    rows = pq.read_table(pa.BufferReader(keeper.file(manifest.run_id, "rows.parquet")))
    domain, columns = [], {}
    for said in manifest.columns:
        if said.name not in rows.column_names:
            continue
        values = rows.column(said.name)
        if said.kind == "number":
            domain.append(Column(said.name, "number", said.low, said.high))
            columns[said.name] = np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)
        else:
            texts = values.cast(pa.string()).to_pylist()
            levels = tuple(sorted({text for text in texts if text is not None}))
            index = {level: code for code, level in enumerate(levels)}
            domain.append(Column(said.name, "category", levels=levels))
            columns[said.name] = np.array([index.get(text, -1) for text in texts], dtype=np.int64)
    codes: dict[str, int] = {}
    persons = np.array([codes.setdefault(one, len(codes)) for one in rows.column(PERSON).to_pylist()], dtype=np.int64)
    return Table.of(tuple(domain), columns, persons), tuple(domain)


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


def _cells(algorithm: Algorithm, table: Table, result: Result) -> dict[str, frozenset[int]]:
    released = set(algorithm.released_cells(result))
    found = {one.name: frozenset(table.persons[one.mask].tolist()) for one in algorithm.cells(table)}
    return {name: persons for name, persons in found.items() if name in released}


def _disclosed(
    algorithm: Algorithm, rules: DisclosureRules, guard: Guard, cells: Mapping[str, frozenset[int]]
) -> Verdict:
    from xinglin.privacy.disclosure import check_total

    counted = {name: len(persons) for name, persons in cells.items()}
    return every([check_total(rules, persons=counted, hospitals=1), algorithm.release_rules(guard, 1)])


def _compared(rules: DisclosureRules, cells: Mapping[str, frozenset[int]], earlier: tuple[_Cells, ...]) -> Verdict:
    """Two cells that differ by few persons on both sides tell about these few: refused, of whichever release."""
    least = rules.min_cell
    before = [frozenset(persons) for one in earlier for persons in one.cells.values()]
    for now in cells.values():
        for then in before:
            ours, theirs = len(now - then), len(then - now)
            if (ours or theirs) and ours < least and theirs < least:
                words = "It differs by too few persons from what left this workspace before."
                return deny("workspace.difference", words, "Use the earlier release, or widen the question.")
    return Allowed()


def _earlier(keeper: Keeper, run_id: str) -> tuple[_Cells, ...]:
    return tuple(msgspec.msgpack.decode(one, type=_Cells) for one in keeper.releases(run_id))


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
