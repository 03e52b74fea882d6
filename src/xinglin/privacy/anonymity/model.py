"""Values of anonymity: which columns lead to a person, what must hold, what came out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from xinglin.kernel.limits import Limit
from xinglin.privacy.anonymity.errors import BadRules

if TYPE_CHECKING:
    from xinglin.privacy.anonymity.hierarchy import Hierarchy

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Array]
Recode = Literal["node", "interval"]
Form = Literal["number", "date"]
Diversity = Literal["distinct", "entropy", "recursive"]
Distance = Literal["equal", "ordered", "hierarchy"]

ROWS = Limit("rows of a table made anonymous at once", 2**28, "rows")
"""Beyond it a table is cut into parts; counts times weights stay inside 63 bits."""
QUASI_COLUMNS = Limit("quasi-identifying columns", 64, "columns")
SENSITIVE_COLUMNS = Limit("sensitive columns", 16, "columns")
LEVELS = Limit("distinct values of a column", 2**24, "values")
WEIGHT = Limit("weight of a column", 256, "times")
LARGEST_K = Limit("k", 2**20, "persons")


class Quasi(msgspec.Struct, frozen=True):
    """A column that leads to a person when it is joined with what others know.

    ``hierarchy``: its generalisations; without one a text column is kept or replaced by ``*`` and a
    number or date becomes an interval. ``recode``: a class shows its lowest common node, or the interval
    of values (for texts: of leaves in the order of the hierarchy). ``form``: how whole numbers are
    written: as they are, or as days since 1970-01-01. ``step``: bounds of intervals are rounded outward
    to multiples of it (years, days, units; 0 = the values themselves). ``weight``: 1 … 256, how much
    dearer a loss in this column is than in one of weight 1.
    """

    name: str
    hierarchy: Hierarchy | None = None
    recode: Recode = "node"
    form: Form = "number"
    step: int = 0
    weight: int = 1

    def __post_init__(self) -> None:
        WEIGHT.check(self.weight)
        if self.weight < 1 or self.step < 0 or not self.name:
            raise BadRules(
                "A quasi-identifying column needs a name, a weight of at least 1 and a step of at least 0.",
                remedy="Leave weight and step out to take 1 and 0.",
            )


class Sensitive(msgspec.Struct, frozen=True):
    """A column whose value must not follow from the class.

    ``l``: how many values a class must show, counted as ``diversity`` says (*distinct*; *entropy*: the
    entropy is at least log l; *recursive* (c, l): the commonest is less than c times the l-th commonest
    and rarer together). ``t``: 0 … 1, the largest earth mover's distance between a class and the whole
    table, by ``distance`` (*equal*, *ordered* by value, *hierarchy*). Values are counted in persons.

    Source: Machanavajjhala et al., l-Diversity (TKDD 2007), §4; Li et al., t-Closeness (ICDE 2007), §4.
    """

    name: str
    l: int | None = None  # noqa: E741 - the literature's name
    t: float | None = None
    diversity: Diversity = "distinct"
    c: Fraction = Fraction(3)
    distance: Distance = "equal"
    hierarchy: Hierarchy | None = None

    def __post_init__(self) -> None:
        if self.l is not None and self.l < 2:
            raise BadRules("l-diversity asks for at least two values.", remedy="Give l of 2 or more, or leave it out.")
        if self.t is not None and not (math.isfinite(self.t) and 0 <= self.t <= 1):
            raise BadRules("t is a distance between 0 and 1.", remedy="Give t between 0 and 1.")
        if not (0 < self.c <= 1_000_000 and self.c.denominator <= 1_000_000):
            raise BadRules("c of recursive diversity is a fraction above 0.", remedy="Give c between 0 and 1,000,000.")
        if self.t is not None and self.distance == "hierarchy" and self.hierarchy is None:
            raise BadRules(
                "A distance by hierarchy needs the hierarchy.", remedy="Give the column's hierarchy, or take 'equal'."
            )


class Rules(msgspec.Struct, frozen=True):
    """What each class must hold: ``k`` persons, and for each sensitive column l values or t closeness.

    ``l``, ``t``, ``diversity``, ``c``, ``distance`` are for the sensitive columns given by name alone.
    ``suppression``: 0 … below 1, the share of rows that may be left out as outliers.
    """

    k: int
    l: int | None = None  # noqa: E741
    t: float | None = None
    sensitive: tuple[Sensitive | str, ...] = ()
    diversity: Diversity = "distinct"
    c: Fraction = Fraction(3)
    distance: Distance = "equal"
    suppression: float = 0.0

    def __post_init__(self) -> None:
        LARGEST_K.check(self.k)
        SENSITIVE_COLUMNS.check(len(self.sensitive))
        if self.k < 1:
            raise BadRules("k counts persons and is at least 1.", remedy="Give k of 2 or more.")
        if not 0 <= self.suppression < 1:
            raise BadRules("Suppression is a share from 0 to below 1.", remedy="Give a share such as 0.05.")
        if (self.l is not None or self.t is not None) and not self.sensitive:
            raise BadRules("l and t need a sensitive column.", remedy="Name the sensitive columns.")
        if len({one.name for one in self.held()}) != len(self.sensitive):
            raise BadRules("A sensitive column is named twice.", remedy="Name each once.")
        if self.suppression and any(one.t is not None for one in self.held()):
            raise BadRules(
                "t-closeness and suppression together are not offered.",
                why="Leaving rows out moves the whole table that classes are compared with.",
                remedy="Set suppression to 0, or ask for l-diversity.",
            )

    def held(self) -> tuple[Sensitive, ...]:
        """The sensitive columns with their own rules, those given by name filled in."""
        return tuple(
            Sensitive(one, self.l, self.t, self.diversity, self.c, self.distance) if isinstance(one, str) else one
            for one in self.sensitive
        )


class Risks(msgspec.Struct, frozen=True):
    """How likely an attacker names the right person; each a share from 0 to 1.

    *Prosecutor* knows that the person is in the table: 1 / persons of the class. *Journalist* does not:
    1 / persons of the population who look like the class (the table's own where none were given).
    *Marketer* names everybody and counts the hits: the mean of the journalist's risks. ``at_risk`` is the
    share of rows whose prosecutor risk is above ``threshold``.

    Source: El Emam, Guide to the De-Identification of Personal Health Information (2013), ch. 16-19.
    """

    prosecutor: float
    prosecutor_mean: float
    journalist: float
    journalist_mean: float
    marketer: float
    at_risk: float
    threshold: float
    unique_share: float


class Loss(msgspec.Struct, frozen=True):
    """What generalising cost; 0 = nothing, 1 = everything, unless said otherwise.

    ``granularity``: ARX's granularity (Iyengar's loss, normalised, mean over columns); ``by_column`` the
    same for each; ``ncp``: normalised certainty penalty; ``average_class``: rows a class divided by k;
    ``discernibility``: sum of squares of class sizes, suppressed rows counted as often as the table is
    long; ``suppressed``: share of rows left out.

    Source: Iyengar (KDD 2002) §3; Xu et al., Utility-based anonymization (KDD 2006) §2; LeFevre et al.,
    Mondrian (ICDE 2006) §2; ARX ``QualityModelColumnOrientedLoss``.
    """

    granularity: float
    by_column: dict[str, float]
    ncp: float
    average_class: float
    discernibility: int
    suppressed: float


class Held(msgspec.Struct, frozen=True):
    """What the classes of a table hold for one sensitive column (the worst class each)."""

    distinct: int
    entropy: float
    recursive: float
    t: float
    t_ordered: float


class Report(msgspec.Struct, frozen=True):
    """What a table holds as it is: ``k`` in persons, for each sensitive column l and t, and the risks.

    ``linked_k``: the fewest persons who stand in the very same classes; that is k for a table that tells which
    rows are one person's. It equals ``k`` where each person stands in one class.
    """

    rows: int
    persons: int
    classes: int
    k: int
    linked_k: int
    sensitive: dict[str, Held]
    risks: Risks

    @property
    def l(self) -> int | None:  # noqa: E743
        """Distinct values of the poorest class over all sensitive columns; None without any."""
        return min((one.distinct for one in self.sensitive.values()), default=None)

    @property
    def t(self) -> float | None:
        """Largest equal distance of a class from the table over all sensitive columns; None without any."""
        return max((one.t for one in self.sensitive.values()), default=None)


class Anonymised(msgspec.Struct, frozen=True):
    """A table whose rows cannot be told apart inside their class.

    ``columns``: every column handed in, those that lead to a person recoded, without the suppressed rows.
    ``classes``: int32, a row of ``columns`` each, 0 … m-1. ``kept``: int64, which rows of the input those
    are, ascending. ``before`` and ``after``: the risks of the input and of ``columns``.
    """

    columns: dict[str, Array]
    classes: Array
    kept: Array
    loss: Loss
    before: Risks
    after: Risks
    k: int
