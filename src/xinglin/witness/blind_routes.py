"""The regulator as a key holder of pseudonyms: it counts and decides for itself, whatever the hub said.

A study is keyed only while the regulator has opened it (``match_studies`` in witness.toml) and has not frozen it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from xinglin.evidence.submission import sign_batch
from xinglin.evidence.witnessing import Witness
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.secure.blind.keeping import QUESTION_BYTES, Keeper
from xinglin.secure.blind.quota import QuotaRule
from xinglin.secure.errors import Refused as NotAllowed
from xinglin.stores.blind_ledger import BlindLedger, private_seed
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.blind import EVALUATE_PATH, SHARES_PATH, study_name
from xinglin.wire.errors import Problem
from xinglin.wire.errors import Refused as SaidNo
from xinglin.witness.admission import Admission

SEED_FILE = "blind.seed"
MSGPACK = "application/msgpack"


class WitnessPermits:
    """The studies that the regulator opened for matching, less those that a freeze in the log ended.

    Asked by nodes that the witness's own view of the log knows as hospitals, and that no freeze ended.
    """

    def __init__(self, studies: tuple[str, ...], admission: Admission) -> None:
        self._studies, self._admission = frozenset(studies), admission

    def __call__(self, node: str, study: str) -> Verdict:
        """See the port ``Permits``."""
        record = self._admission.record()
        if study in record.revoked:
            return deny("secure.study_frozen", "The regulator has frozen the study.")
        if node in record.revoked:
            return deny("secure.hospital_frozen", "The regulator has frozen the hospital.")
        if record.directory.status(node) != "active" or "provider" not in record.directory.roles(node):
            words = "The witness's view of the log knows no such hospital."
            return deny("secure.not_a_hospital", words, "Join the space as a hospital; wait for the witness to follow.")
        if study not in self._studies:
            words = "The regulator has not opened this study for matching."
            return deny("secure.study_not_opened", words, "Ask the regulator: match_studies in witness.toml.")
        return Allowed()


def witness_keeper(
    keys: PrivateKeys,
    folder: Path,
    admission: Admission,
    ledger: BlindLedger,
    studies: tuple[str, ...],
    clock: Clock,
    entropy: Callable[[int], bytes],
    rule: QuotaRule,
) -> Keeper:
    """The regulator's holder: its seed is made in ``folder`` at the first start."""
    return Keeper(
        keys,
        private_seed(folder / SEED_FILE, entropy),
        lambda: admission.record().directory,
        ledger,
        WitnessPermits(studies, admission),
        rule,
        clock,
        entropy,
    )


def blind_handlers(keeper: Keeper, witness: Witness, keys: PrivateKeys) -> list[HTTPRouteHandler]:
    """The two calls; an evaluation is handed to the log, with its deadline, before it is answered."""

    @get(SHARES_PATH + "/{study:str}")
    async def shares(study: str) -> Response[bytes]:
        try:
            share = await asyncio.to_thread(keeper.share, study_name(study))
        except XinglinError as error:
            return _refuse(error)
        return Response(share.to_bytes(), media_type=MSGPACK)

    @post(EVALUATE_PATH, status_code=200, request_max_body_size=QUESTION_BYTES.value)
    async def evaluate(request: Request[Any, Any, Any]) -> Response[bytes]:
        try:
            answer = await asyncio.to_thread(_evaluate, keeper, witness, keys, await request.body())
        except XinglinError as error:
            return _refuse(error)
        return Response(answer.to_bytes(), media_type=MSGPACK)

    return [shares, evaluate]


def _evaluate(keeper: Keeper, witness: Witness, keys: PrivateKeys, body: bytes) -> Signed:
    question, spending, entry = keeper.admit(Signed.from_bytes(body, QUESTION_BYTES))
    batch = sign_batch([entry], witness.log.origin, keys.did, keys.sign)
    accepted = witness.submit(batch.to_bytes())
    if isinstance(accepted, Denied):
        raise NotAllowed(accepted)
    return keeper.answer(question, spending)


def _refuse(error: XinglinError) -> Response[bytes]:
    said = SaidNo(error.denied.reasons) if isinstance(error, NotAllowed) else error
    problem = Problem.of_error(said, 403)
    return Response(msgspec.json.encode(problem), media_type="application/json", status_code=403)
