"""From a question to a signed request: the plan, the request that names it, and sending both."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied
from xinglin.sdk.asked import Asked, keep
from xinglin.sdk.errors import NotVerified, Refused, Unreachable
from xinglin.sdk.run import Run
from xinglin.terms.request import PLAN_PACKS, USE_REQUEST, Plan, UseRequest, check_plan, check_request
from xinglin.trust.envelope import sign
from xinglin.wire.calls import RunCall, RunView
from xinglin.wire.runs import run_id_of

if TYPE_CHECKING:
    from xinglin.analysis.algorithm import Algorithm
    from xinglin.sdk.scope import Scope
    from xinglin.sdk.session import Session

REQUEST_LIFE_MS = 10 * 60 * 1000
OPERATION = "statistics"
_TRIES, _AGAIN_S = 4, 0.5


def algorithm_of(scope: Scope, name: str, params: dict[str, Any]) -> Algorithm:
    """The algorithm as every hospital will build it; raises what ``analysis.build`` raises, before anything is sent."""
    from xinglin.analysis.algorithm import AlgorithmSpec, build

    return build(AlgorithmSpec(name, params), scope.domain, scope.rules, named=scope.disclosure)


def build_plan(
    study: str, data_set: str, sql: str, scope: Scope, name: str, params: dict[str, Any], as_of: Instant
) -> Plan:
    """The plan of one statistic: equal questions at one instant give equal plans. An open scope names the L1 pack.

    Raises the analysis room's errors (unknown column, formula refused …) and ``Refused`` for a plan not well formed.
    """
    params = msgspec.to_builtins(params)
    algorithm_of(scope, name, params)
    plan = Plan(
        study=study,
        data_set=data_set,
        sql=sql,
        algorithm=name,
        params=params,
        roster=scope.roster,
        as_of=as_of,
        agreements={did: one.agreement.digest() for did, one in sorted(scope.held.items())},
        rules=scope.rules,
        packs=PLAN_PACKS if scope.opened else PLAN_PACKS[:1],
        version=1 if scope.disclosure is None else 2,
        disclosure=msgspec.UNSET if scope.disclosure is None else scope.disclosure,
    )
    verdict = check_plan(plan)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    return plan


def request_for(requester: str, plan: Plan, purpose: str, now: Instant, nonce: str = "") -> UseRequest:
    """The request of ``requester`` that ``plan`` be run; good for ten minutes, with a fresh nonce."""
    request = UseRequest(
        plan=plan.digest(),
        requester=requester,
        study=plan.study,
        purpose=purpose,
        operation=OPERATION,
        nonce=nonce or secrets.token_urlsafe(24),
        issued=now,
        expires=now + REQUEST_LIFE_MS,
        recipients=(requester,),
        nodes=plan.roster,
    )
    verdict = check_request(request)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    return request


def snapshot_instant(space: Session, roster: tuple[str, ...]) -> Instant:
    """The newest instant in nobody's future: by this clock, the hub's, and the hospitals' as the hub sees them."""
    hub_now = space.hub_health().now
    offsets = [one.clock_off_ms for one in space.participants() if one.did in roster]
    return max(min(space.clock(), hub_now + min([0, *offsets])), 0)


def send(space: Session, plan: Plan, purpose: str) -> Run:
    """Sign a request for ``plan`` and hand it to the hub; the run. Raises ``Refused`` or ``Unreachable``.

    What was asked is kept in the account's folder before it is sent. The same request again is the same
    run, so an answer that was lost is asked for again.
    """
    request = request_for(space.account.did, plan, purpose, space.clock())
    asked = Asked(sign(space.account.keys, USE_REQUEST, request), canonical_bytes(plan))
    run_id = run_id_of(asked.request)
    keep(space.account, run_id, asked)
    for again in reversed(range(_TRIES)):
        try:
            view = space.client.post("/v1/runs", RunCall(asked.request, asked.plan), RunView)
            break
        except Unreachable:
            if not again:
                raise
            time.sleep(_AGAIN_S)
    if view.run_id != run_id:
        raise NotVerified("The hub names the run by another id than its request gives.", remedy="Tell the regulator.")
    return Run(space, run_id)
