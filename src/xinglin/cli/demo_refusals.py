"""What must not work: each is really tried, by a researcher who goes round the SDK's own checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.errors import XinglinError
from xinglin.sample.facts import HIGHEST_OF_OTHERS
from xinglin.sdk.asked import Asked, keep
from xinglin.sdk.errors import Refused
from xinglin.sdk.offers import Offer
from xinglin.sdk.plans import request_for, send, snapshot_instant
from xinglin.sdk.run import Run
from xinglin.sdk.study import Study
from xinglin.terms.request import USE_REQUEST, Plan
from xinglin.trust.doors import request_door_token
from xinglin.trust.dpop import DoorKey, prove
from xinglin.trust.envelope import sign
from xinglin.wire.calls import RunCall, RunView
from xinglin.wire.runs import run_id_of

if TYPE_CHECKING:
    from xinglin.cli.demo_space import Demo

PURPOSE = "health-research"
OLDEST, OLDEST_REAL = 88, 76
"""Fewer than ten persons of all hospitals are older."""


class NotRefused(XinglinError):
    """Something that must not work worked."""

    code = "cli.not_refused"


def show_refusals(demo: Demo, study: Study) -> list[dict[str, Any]]:
    """Try all of them; each as what was tried and the reasons it was refused for. Raises ``NotRefused``."""
    shown = []
    for name, attempt in _attempts(demo, study):
        demo.step(f"tried: {name}")
        try:
            attempt()
        except Refused as refused:
            for reason in refused.reasons[:2]:
                demo.say(f"          refused: {reason.words} [{reason.code}]")
            shown.append({"tried": name, "codes": list(refused.codes)})
        except XinglinError as error:
            demo.say(f"          refused: {error.what} [{error.code}]")
            shown.append({"tried": name, "codes": [error.code]})
        else:
            raise NotRefused(f"This worked and must not: {name}.")
    return shown


def _attempts(demo: Demo, study: Study) -> list[tuple[str, Callable[[], object]]]:
    describe = {"columns": ["age"]}
    glm = {"formula": "disease ~ __import__('os').system('id')", "family": "binomial"}
    outside = "SELECT chol AS age FROM cardiac" if demo.real else "SELECT status AS age FROM observation"
    named = "cholesterol" if demo.real else "the status of a result"
    oldest = demo.sql(["age"], f"age > {OLDEST_REAL if demo.real else OLDEST}")
    attempts: list[tuple[str, Callable[[], object]]] = [
        (f"a column outside the agreement ({named})", lambda: ask(study, outside, "describe", describe)),
        ("a formula that runs Python", lambda: ask(study, demo.sql(), "glm", glm)),
        ("a cell of a few persons (the oldest)", lambda: ask(study, oldest, "describe", describe)),
    ]
    if demo.real is None:
        attempts.append(("forty readings of one person", lambda: _one_person(study)))
    return [
        *attempts,
        ("two cohorts a few persons apart", lambda: _apart(demo, study)),
        ("an expired agreement", lambda: _expired(demo)),
        ("a copied token", lambda: _copied_token(study)),
        ("a replayed request", lambda: _replayed(demo, study)),
    ]


def ask(study: Study, sql: str, algorithm: str, params: dict[str, Any]) -> object:
    """Ask without the SDK's own admission, as a program of somebody else's would; the hospitals decide."""
    return send(study.space, plan_of(study, sql, algorithm, params), PURPOSE).result()


def plan_of(study: Study, sql: str, algorithm: str, params: dict[str, Any]) -> Plan:
    """A plan that nobody checked, under the study's agreements whatever their state."""
    held = study.agreements
    roster = tuple(sorted(held))
    return Plan(
        study=study.id,
        data_set=study.data_set,
        sql=sql,
        algorithm=algorithm,
        params=params,
        roster=roster,
        as_of=snapshot_instant(study.space, roster),
        agreements={did: one.agreement.digest() for did, one in sorted(held.items())},
        rules=next(iter(held.values())).agreement.terms.rules,
    )


def _one_person(study: Study) -> object:
    """Rows enough, all of one person: persons are counted, not rows."""
    high = f"code = '2093-3' AND value_number > {HIGHEST_OF_OTHERS}"
    sql = f"SELECT LEAST(GREATEST(value_number, 0), 500) AS cholesterol FROM observation WHERE {high}"  # noqa: S608
    return ask(study, sql, "describe", {"columns": ["cholesterol"]})


def _apart(demo: Demo, study: Study) -> object:
    few = f"age <= {OLDEST_REAL - 1 if demo.real else OLDEST}"
    params = {"columns": ["age"]}
    ask(study, demo.sql(["age"]), "describe", params)
    return ask(study, demo.sql(["age"], few), "describe", params)


def _expired(demo: Demo) -> object:
    wanted = {"cardiac": ("age", "disease")} if demo.real else {"patient": ("birth_year", "sex")}
    age = "age" if demo.real else "LEAST(GREATEST(2025 - birth_year, 0), 120) AS age"
    sql = f"SELECT {age} FROM {next(iter(wanted))}"  # noqa: S608 - our own words
    study = demo.agree("A study of three seconds", Offer(days=3 / 86_400), wanted)
    expires = max(one.agreement.terms.expires for one in study.agreements.values())
    time.sleep(max(0.0, (expires - study.space.clock()) / 1000 + 0.05))
    return ask(study, sql, "describe", {"columns": ["age"]})


def _copied_token(study: Study) -> object:
    """A thief has the researcher's token, and not the key that it is bound to."""
    space = study.space
    account, key, now = space.account, DoorKey.generate(), space.clock()
    operator = account.space.operator
    wish = request_door_token(
        account.keys, key, issuer=operator, audience=(operator,), scope=frozenset({"agreements"}), now=now
    )
    with _plain_http(study) as http:
        token = http.post("/v1/door", content=msgspec.json.encode(wish)).json()["access_token"]
        path = "/v1/agreements"
        proof = prove(DoorKey.generate(), "GET", account.space.hub_url + path, token, now=now)
        answer = http.get(path, headers={"authorization": f"DPoP {token}", "dpop": proof})
    return _raise_refusal(answer)


def _replayed(demo: Demo, study: Study) -> object:
    """An old nonce in a fresh request: whoever re-sends what was signed once gets nothing new."""
    space = study.space
    sql, params = demo.sql(["age"]), {"columns": ["age"]}
    nonce = f"demo-{space.clock()}-used-twice"
    for _ in range(2):
        plan = plan_of(study, sql, "describe", params)
        request = request_for(space.account.did, plan, PURPOSE, space.clock(), nonce)
        signed = sign(space.account.keys, USE_REQUEST, request)
        asked = Asked(signed, canonical_bytes(plan))
        keep(space.account, run_id_of(signed), asked)
        view = space.client.post("/v1/runs", RunCall(asked.request, asked.plan), RunView)
        last = Run(space, view.run_id).result()
        time.sleep(0.002)
    return last


def _plain_http(study: Study) -> httpx.Client:
    from xinglin.stores.tls import client_context

    space = study.space.account.space
    context = client_context(space.certificate_pem)
    return httpx.Client(base_url=space.hub_url, verify=context, timeout=10, trust_env=False)


def _raise_refusal(answer: httpx.Response) -> object:
    from xinglin.wire.errors import Problem

    if answer.status_code == 200:
        return answer.content
    raise Refused(msgspec.json.decode(answer.content, type=Problem).reasons, status=answer.status_code)
