"""What ending an agreement touches at this hospital, from its own database, before anything is ended."""

from __future__ import annotations

from xinglin.contract.agreement import Agreement
from xinglin.contract.radius import BlastRadius, TouchedRun, sort_runs
from xinglin.kernel.codec import decode_json
from xinglin.node.agreements import NodeAgreements
from xinglin.node.chains import chain_of
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import AgreementRow
from xinglin.terms.request import Plan
from xinglin.trust.envelope import Signed


def blast_radius(database: NodeDatabase, agreements: NodeAgreements, node: str, agreement_id: str) -> BlastRadius:
    """Runs under the agreement and what becomes of each, results that are out, and who loses what."""
    row = agreements.row_of(agreement_id)
    agreement = decode_json(Signed.from_bytes(row.offered).payload, Agreement)
    stops, stands, released = sort_runs(_runs(database, node, agreement_id))
    terms = agreement.terms
    return BlastRadius(
        agreement=agreement_id,
        state=agreements.standing(row, agreement).state,
        study=agreement.study,
        data_set=agreement.data_set,
        consumer=agreement.consumer,
        answers_left=database.allowance(agreement.data_set).left_of(
            agreement_id, terms.allowance, chain_of(database, agreement_id)
        ),
        stops=stops,
        stands=stands,
        released=released,
        recipients=terms.recipients,
        peers=tuple(peer.did for peer in terms.peers),
        short=len(terms.peers) < terms.rules.min_hospitals,
        successors=_successors(database.agreements(), agreement_id),
    )


def _runs(database: NodeDatabase, node: str, agreement_id: str) -> tuple[TouchedRun, ...]:
    """Runs that were charged to the agreement, and open ones that name it."""
    named = set(database.runs_under(agreement_id))
    for row in database.open_runs():
        if decode_json(row.plan, Plan).agreements.get(node) == agreement_id:
            named.add(row.run)
    found = []
    for run in sorted(named):
        record = database.record(run)
        found.append(TouchedRun(run, record.state, record.index) if record is not None else TouchedRun(run, "asked"))
    return tuple(found)


def _successors(rows: tuple[AgreementRow, ...], agreement_id: str) -> tuple[str, ...]:
    """Offers and agreements that name this one as the one they replace."""
    naming = (row for row in rows if agreement_id.encode() in row.offered)
    found = ((row, decode_json(Signed.from_bytes(row.offered).payload, Agreement)) for row in naming)
    return tuple(row.agreement_id for row, agreement in found if agreement.replaces == agreement_id)
