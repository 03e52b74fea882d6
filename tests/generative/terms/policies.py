"""Policies and facts from small pools, so that rules meet, overlap, imply and contradict one another."""

from __future__ import annotations

from itertools import combinations

from hypothesis import strategies as st

from xinglin.terms.constraints import Value
from xinglin.terms.evaluate import Asked
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.vocabulary import ACTIONS, DUTIES, LOGIC, OPERANDS, SET_OPERATORS
from xinglin.terms.writing import canonical_constraint

POOLS = {
    "purpose": (
        "any",
        "general-research",
        "health-research",
        "disease-research/MONDO:0004992",
        "disease-research/MONDO:0007254",
        "education",
    ),
    "recipient": ("did:web:a.example", "did:web:b.example", "https://c.example/"),
    "recipientClass": ("hospital", "university", "company"),
    "place": ("CN", "CN-SH", "CN-310104", "CN-BJ", "DE", "EU", "EEA"),
    "network": ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.168.0.0/16", "2001:db8::/32", "0.0.0.0/0"),
    "dateTime": ("2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00", "2026-06-01T12:30:00.5+02:00"),
    "openingHours": (
        "Mo-Fr 08:00-18:00 Asia/Shanghai",
        "Mo-Su 00:00-24:00 Asia/Shanghai",
        "Mo-Su 22:00-06:00 Z",
        "Sa,Su 10:00-12:00 Asia/Shanghai",
    ),
    "elapsedTime": ("P0D", "P1D", "P90D", "P1DT12H"),
    "count": ("0", "1", "5", "10"),
    "study": ("study-a", "study-b"),
    "variable": ("heart.age", "heart.sex", "heart.*", "lab.value", "lab.*"),
    "operation": ("statistics", "training"),
    "outputType": ("table", "model", "records"),
    "kAnonymity": ("1", "5", "10"),
    "privacyBudget": ("0.1", "0.100000000001", "1", "3"),
    "ethicsApproval": ("approval-1", "approval-2", "approval-3"),
    "environment": ("node", "workspace"),
    "onwardTransfer": ("true", "false"),
    "grade": ("L1", "L2", "L3"),
}
HOURS = ("2026-01-05T09:00:00+08:00", "2026-01-05T23:00:00+08:00", "2026-01-10T11:00:00+08:00")
ANCESTORS = {"MONDO:0007254": ("MONDO:0004992",), "MONDO:0004992": ()}
ALL = tuple(POOLS)
CHOSEN = (
    "purpose",
    "recipient",
    "place",
    "network",
    "dateTime",
    "openingHours",
    "count",
    "variable",
    "ethicsApproval",
    "onwardTransfer",
    "grade",
)
"""One of each kind: what policies and facts of whole uses are made of."""


@st.composite
def constraints(draw: st.DrawFn, names: tuple[str, ...] = CHOSEN) -> Constraint:
    """A constraint that may be written, in its canonical spelling."""
    name = draw(st.sampled_from(names))
    operator = draw(st.sampled_from(OPERANDS[name].operators))
    pool = st.sampled_from(POOLS[name])
    value = tuple(draw(st.lists(pool, min_size=1, max_size=3))) if operator in SET_OPERATORS else draw(pool)
    if name == "kAnonymity" and value == "0":
        value = "1"
    return canonical_constraint(Constraint(name, operator, value))


def parts(depth: int = 2) -> st.SearchStrategy[Constraint | Logical]:
    """Constraints, nested at times."""
    plain = constraints()
    if depth == 0:
        return plain
    inner = st.lists(parts(depth - 1), min_size=1, max_size=3).map(tuple)
    return st.one_of(plain, plain, plain, st.builds(Logical, st.sampled_from(tuple(LOGIC)), inner))


def duties() -> st.SearchStrategy[tuple[Duty, ...]]:
    """Few duties, some with a limit in time."""
    limits = st.lists(constraints(("elapsedTime",)), max_size=1).map(tuple)
    return st.lists(st.builds(Duty, st.sampled_from(tuple(DUTIES)), limits), max_size=2).map(tuple)


_ACTIONS = st.sampled_from(("use", "statistics", "training", "reidentify"))
_SOME = st.lists(parts(), max_size=3).map(tuple)
permissions = st.builds(Permission, _ACTIONS, _SOME, duties())
prohibitions = st.builds(Prohibition, _ACTIONS, st.lists(parts(), min_size=1, max_size=3).map(tuple))
policies = st.builds(
    Policy,
    st.lists(permissions, min_size=1, max_size=3).map(tuple),
    st.lists(prohibitions, max_size=2).map(tuple),
    duties(),
)


def _known(name: str) -> st.SearchStrategy[Value]:
    """One thing mostly, several at times, nothing, something unreadable, or not known at all."""
    pool = HOURS if name in ("dateTime", "openingHours") else POOLS[name]
    return st.sampled_from((*pool, *pool, *pool, *combinations(pool, 2), (), "?", None))


def facts(names: tuple[str, ...] = CHOSEN) -> st.SearchStrategy[dict[str, Value]]:
    """Facts from the same pools."""
    return st.fixed_dictionaries({name: _known(name) for name in names})


asked = st.builds(Asked, st.sampled_from((*("statistics", "training", "use"), *ACTIONS)), facts())
