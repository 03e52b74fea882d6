"""Values of the patient index: records, what they say, links between them, reviews, persons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.patients.identity import IdNumber
from xinglin.patients.names import NOBODY, Name

FORMAT = 1
"""Version of what the index keeps; append-only: a later one adds fields at the end."""

SHARED = Limit("records under one number", 20, "records")
"""A number that more records have identifies nobody."""
COMPONENT = Limit("records looked at together", 500, "records")
"""Beyond it, only what a person or a source said links records."""
WORDS = Limit("words of a decision", 500, "characters")

Pair = tuple[str, str]
"""Two record keys, the lesser first."""


def pair_of(one: str, other: str) -> Pair:
    """The two keys in order."""
    return (one, other) if one < other else (other, one)


RULES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "clerk": (0, "a person of the hospital said so"),
        "merge": (1, "the source merged the records"),
        "crosswalk": (2, "one number of the hospital's master index"),
        "national_id": (3, "one checked identity number, nothing against it"),
        "document": (4, "one number of a permit or passport, one birth date, names that may be one"),
        "insurance": (5, "one insurance number, one name, one birth date"),
        "identifier": (6, "one hospital number of one issuer, nothing against it"),
        "probable": (9, "probable by all fields together; nobody confirmed it"),
    }
)
"""Rules by which records are linked: rank (0 counts most) and words. Append-only: names stand in tables."""

REVIEW_STATES = StateTable(
    "a pair under review",
    "open",
    (
        ("open", "support", "supported"),
        ("open", "confirm", "confirmed"),
        ("open", "reject", "rejected"),
        ("open", "defer", "deferred"),
        ("open", "withdraw", "withdrawn"),
        ("deferred", "support", "supported"),
        ("deferred", "confirm", "confirmed"),
        ("deferred", "reject", "rejected"),
        ("deferred", "reopen", "open"),
        ("deferred", "withdraw", "withdrawn"),
        ("supported", "confirm", "confirmed"),
        ("supported", "reject", "rejected"),
        ("supported", "defer", "deferred"),
        ("supported", "reopen", "open"),
        ("confirmed", "reopen", "open"),
        ("rejected", "reopen", "open"),
        ("withdrawn", "reopen", "open"),
    ),
)
"""``supported``: one of two clerks confirmed it, where four eyes are asked for. ``withdrawn``: the data changed."""

ReviewKind = Literal["conflict", "probable", "possible", "manual"]
Said = Literal["link", "apart", "nothing"]
Event = Literal[
    "linked", "unlinked", "reviewed", "support", "confirm", "reject", "defer", "reopen", "withdraw", "said", "crosswalk"
]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a hospital decided about its index.

    ``four_eyes``: a link that a clerk confirms needs a second clerk. ``upper``: probability from which a pair is
    proposed as probable; ``lower``: from which it is shown for review. ``research_uses_probable``: probable
    links that nobody confirmed enter ``person_link`` (their reason says ``probable``).
    """

    four_eyes: bool = False
    upper: float = 0.99
    lower: float = 0.5
    research_uses_probable: bool = False

    def __post_init__(self) -> None:
        """Refuse thresholds that are no probabilities in order."""
        if not 0 < self.lower <= self.upper <= 1:
            raise ValueError("thresholds are probabilities, lower and upper in order")


class Traits(msgspec.Struct, frozen=True):
    """What a record says of a person, normalised. Empty where it says nothing that counts.

    ``since``: when the hospital's node first had a row of it. ``held``: not taken back. ``number``: issuer and number.
    ``doubts``: fields that contradict the record's own identity number. ``merged``: the record that it went into,
    since when, and when the node heard it. ``masters``: its persons by master index.
    """

    key: str
    since: Instant = 0
    held: bool = True
    id: IdNumber | None = None
    insurance: str = ""
    number: str = ""
    name: Name = NOBODY
    birth: str = ""
    sex: str = ""
    phone: str = ""
    address: str = ""
    postal: str = ""
    multiple: int = 0
    doubts: tuple[str, ...] = ()
    merged: str = ""
    merged_at: Instant = 0
    merged_heard: Instant = 0
    masters: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """The key alone: what it says never reaches a log."""
        return f"Traits({self.key!r})"


class Statement(msgspec.Struct, frozen=True):
    """What somebody said of a pair at an instant: they are one, or they are not. The newest holds."""

    pair: Pair
    said: Said
    at: Instant
    by: str
    """``source``, ``clerk``"""
    heard: Instant = 0
    """When the node had it: of two at one instant the later heard holds."""


class Link(msgspec.Struct, frozen=True):
    """Two records of one person: by which rule, and which fields agreed."""

    pair: Pair
    rule: str
    fields: tuple[str, ...] = ()
    probability: float = 0.0

    @property
    def confirmed(self) -> bool:
        """Whether it may enter a clinical view: certain by rule, or a person said so."""
        return self.rule != "probable"

    def reason(self) -> str:
        """As ``person_link`` says it: no value of a record, and no other record's key.

        >>> Link(("a", "b"), "national_id", ("national_id", "sex")).reason()
        'national_id: national_id sex'
        """
        words = " ".join(self.fields)
        odds = f" {self.probability:.4f} unconfirmed" if self.rule == "probable" else ""
        return f"{self.rule}{odds}{': ' if words else ''}{words}"


class Doubtful(msgspec.Struct, frozen=True):
    """A pair for a person to look at: why it was found, what agrees and what does not (names of fields)."""

    pair: Pair
    kind: ReviewKind
    rule: str
    agree: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()
    probability: float = 0.0


class Review(msgspec.Struct, frozen=True):
    """A pair under review, as it stands. ``basis``: digest of what both said when it was opened."""

    number: int
    doubtful: Doubtful
    state: str
    basis: str
    opened_at: Instant
    decided_at: Instant = 0
    by: str = ""
    seconded_by: str = ""
    words: str = ""

    @property
    def waits(self) -> bool:
        """Whether a clerk has still to decide."""
        return self.state in ("open", "supported", "deferred")


class Happened(msgspec.Struct, frozen=True):
    """One line of the index's history."""

    at: Instant
    event: Event
    pair: Pair
    rule: str = ""
    fields: tuple[str, ...] = ()
    by: str = ""
    words: str = ""
    number: int = 0


class PersonOf(msgspec.Struct, frozen=True):
    """Whom a record is of; ``person`` is empty where it is of a person of its own."""

    patient: str
    person: str
    reason: str


class Publication(msgspec.Struct, frozen=True):
    """Rows of ``person_link`` that go to the lake together, under a number without gap."""

    number: int
    at: Instant
    rows: tuple[PersonOf, ...]


class Counts(msgspec.Struct, frozen=True):
    """How the index stands: numbers only."""

    records: int
    persons_linked: int
    records_linked: int
    links: dict[str, int]
    reviews: dict[str, int]
    crowded: int
    published: int
    waiting: int


def person_key(oldest: str) -> str:
    """The key of the person whose oldest record this is.

    >>> person_key("Patient/7"), person_key("his/Patient/7"), person_key("7")
    ('Person/7', 'his/Person/7', 'Person/~7')
    """
    space, kind, id_ = oldest.rpartition("Patient/")
    if kind and (not space or space.endswith("/")) and id_:
        return f"{space}Person/{id_}"
    return f"Person/~{oldest}"
