"""Decisions: a policy of 30 constraints judged, allowed and denied; policies as ODRL; a whole use decided."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from bench._report import quick, say

from xinglin.terms.decide import decide
from xinglin.terms.evaluate import Asked, CompiledPolicy, compile_policy
from xinglin.terms.odrl import from_odrl, to_odrl
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.writing import check_policy
from xinglin.testing.decision_table import allowed_use

RECIPIENTS = tuple(f"did:web:hospital-{n:02}.example" for n in range(20))
VARIABLES = tuple(sorted(f"heart.c{n:03}" for n in range(100)))


def policy_of_thirty() -> Policy:
    """Thirty constraints of every kind in one permission and two prohibitions."""
    held = (
        Constraint("purpose", "isAnyOf", ("education", "health-research")),
        Constraint("recipient", "isAnyOf", RECIPIENTS),
        Constraint("recipientClass", "isAnyOf", ("hospital", "university")),
        Constraint("place", "isPartOf", ("CN-BJ", "CN-SH", "EU")),
        Constraint("network", "isPartOf", ("10.0.0.0/8", "192.168.0.0/16")),
        Constraint("dateTime", "gteq", "2026-01-01T00:00:00+08:00"),
        Constraint("dateTime", "lt", "2028-01-01T00:00:00+08:00"),
        Constraint("openingHours", "isAnyOf", ("Mo-Su 00:00-24:00 Asia/Shanghai",)),
        Constraint("elapsedTime", "lteq", "P365D"),
        Constraint("count", "lteq", "50"),
        Constraint("study", "eq", "heart-study"),
        Constraint("population", "isNoneOf", ("minors", "newborns")),
        Constraint("variable", "isPartOf", VARIABLES),
        Constraint("operation", "isAnyOf", ("statistics", "training")),
        Constraint("outputType", "isNoneOf", ("image", "records")),
        Constraint("kAnonymity", "gteq", "10"),
        Constraint("minimumCell", "gteq", "10"),
        Constraint("privacyBudget", "lteq", "1.5"),
        Constraint("algorithm", "isAnyOf", ("glm",)),
        Constraint("environment", "isAnyOf", ("attested-enclave", "node")),
        Constraint("ethicsApproval", "isAnyOf", ("approval-2026-1",)),
        Constraint("consentBasis", "isAnyOf", ("consent", "ethics-waiver")),
        Constraint("securityAssessment", "isAllOf", ("iso-27001", "mlps-3")),
        Constraint("onwardTransfer", "eq", "false"),
        Constraint("grade", "lteq", "L2"),
        Constraint("lawPack", "isAllOf", ("dsl", "pipl")),
        Logical("any", (Constraint("study", "eq", "other"), Constraint("count", "lteq", "100"))),
    )
    return Policy(
        (Permission("statistics", held, (Duty("log"), Duty("delete", (Constraint("elapsedTime", "lteq", "P180D"),)))),),
        (Prohibition("use", (Constraint("purpose", "isAnyOf", ("ancestry-research",)),)), Prohibition("reidentify")),
        (Duty("acknowledge"),),
    )


ASKED = Asked(
    "statistics",
    {
        "purpose": "disease-research/MONDO:0005010",
        "recipient": RECIPIENTS[:2],
        "recipientClass": ("university",),
        "place": "CN-310104",
        "network": "10.1.2.3",
        "dateTime": "2026-11-20T02:00:00.000Z",
        "elapsedTime": "P30DT5H",
        "count": "7",
        "study": "heart-study",
        "population": ("adults",),
        "variable": VARIABLES[:10],
        "operation": "statistics",
        "outputType": ("statistic",),
        "kAnonymity": "12",
        "minimumCell": "10",
        "privacyBudget": "0.75",
        "algorithm": ("glm",),
        "environment": "node",
        "ethicsApproval": ("approval-2026-1",),
        "consentBasis": "consent",
        "securityAssessment": ("iso-27001", "mlps-3"),
        "onwardTransfer": "false",
        "grade": "L2",
        "lawPack": ("dsl", "gdpr", "pipl"),
    },
)


def rate(work: Callable[[int], object], seconds: float) -> tuple[float, float]:
    """Calls a second of the processor's time, and of the clock's; each call gets its number."""
    count, began, wall = 0, time.process_time(), time.perf_counter()
    while time.process_time() - began < seconds:
        for _ in range(64):
            work(count)
            count += 1
    return count / (time.process_time() - began), count / (time.perf_counter() - wall)


def report(name: str, what: str, work: Callable[[int], object], seconds: float, promise: str = "") -> None:
    """One figure: per core, with the wall's beside it."""
    core, wall = rate(work, seconds)
    say(name, what, core, "/s", promise, f"by the clock {wall:,.0f}/s")


def main(arguments: list[str]) -> None:
    """Print the figures."""
    seconds = 0.2 if quick(arguments) else 3.0
    policy = policy_of_thirty()
    compiled = compile_policy(policy)
    if not compiled.judge(ASKED):
        raise SystemExit(f"the policy denies what it should allow: {compiled.judge(ASKED)}")
    denied = Asked("statistics", {**ASKED.values, "count": "51", "place": "US", "privacyBudget": "1.500000000001"})
    # What changes from one decision to the next is the time and the count: nothing is answered from memory alone.
    fresh = [
        Asked("statistics", {**ASKED.values, "count": str(n % 50), "dateTime": f"2026-11-20T02:00:{n % 60:02}.{n:06}Z"})
        for n in range(50_000)
    ]
    what = "decisions on a policy of 30 constraints, a core"
    report("terms.judge.allowed", f"{what}, allowed", lambda _: compiled.judge(ASKED), seconds, ">= 20000")
    report(
        "terms.judge.fresh", f"{what}, new facts each", lambda n: compiled.judge(fresh[n % 50_000]), seconds, ">= 20000"
    )
    report("terms.judge.denied", f"{what}, denied for 3 reasons", lambda _: compiled.judge(denied), seconds, ">= 20000")
    request, plan, facts = allowed_use("L2", "statistics")
    if not decide(request, plan, facts):
        raise SystemExit("the use that should be allowed is denied")
    report(
        "terms.decide",
        "uses decided whole: request, plan, facts, policy",
        lambda _: decide(request, plan, facts),
        seconds,
    )
    report("terms.compile", "policies of 30 constraints compiled", lambda _: CompiledPolicy(policy), seconds)
    report("terms.check", "policies of 30 constraints checked", lambda _: check_policy(policy), seconds)
    document = json.loads(json.dumps(to_odrl(policy, "Offer", "urn:uuid:1")))
    report("terms.odrl.read", "policies of 30 constraints read from ODRL", lambda _: from_odrl(document), seconds)
    report(
        "terms.odrl.write", "policies of 30 constraints written", lambda _: to_odrl(policy, "Offer", "urn:1"), seconds
    )


if __name__ == "__main__":
    main(sys.argv[1:])
