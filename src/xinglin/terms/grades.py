"""Grades and what each demands: the table of the constitution, as data.

A provider may tighten what is demanded, never loosen it; a use takes the highest grade it touches.
"""

from __future__ import annotations

from collections.abc import Iterable

from xinglin.kernel.verdict import Denied, deny

GRADES = ("L1", "L2", "L3")
"""Anonymous aggregates; de-identified records; genomes and other precisely identifying data."""

OPERATIONS = ("read", "statistics", "training", "extract", "synthesise")
"""What may be done: read a released aggregate, compute statistics, train a model, extract for review, make a synthetic
set."""

REQUIREMENTS = {
    "evidence": "each step is logged before it takes effect",
    "authorised_institution": "the asking institution is admitted and its credential stands",
    "agreement": "an agreement in force, signed by both sides",
    "secure_sum": "only pooled totals of several hospitals are opened",
    "release_allowance": "an answer is left in the agreement's and the data set's allowance",
    "differencing_guard": "released cells are compared with earlier ones",
    "disclosure_pack": "the disclosure rules are applied to the pooled total",
    "output_review": "two persons of the hospital review each extract, blind to each other",
    "enrolled_workspace": "extracts stay in an enrolled workspace",
    "proven_noise": "only what was measured with proven noise leaves, paid from the budget of privacy",
    "watermark": "each copy carries the mark of its recipient",
    "named_study": "the use belongs to the one study that is named",
    "ethics_approval": "an ethics approval covers study, data and use, and who asks",
    "security_assessment": "a third party has assessed security",
    "protected_computation": "encrypted computation or an attested enclave",
}
"""Every requirement with its meaning in words; no other word is known."""

REMEDIES = {
    "ethics_approval": "Obtain an approval of these people, this use and these data, and agree on exactly that.",
    "security_assessment": "Have the hospital assessed by a third party and the report registered there.",
    "protected_computation": "Agree on data of grade L2: no node computes under encryption or in an attested enclave.",
    "output_review": "Have the hospital appoint at least two reviewers: xinglin extract reviewers.",
    "enrolled_workspace": "Enrol a workspace of the asking institution, and name it as the only recipient.",
}
"""What to do where one is missing that the asker cannot provide alone, or nobody yet."""

_L2 = (
    "evidence",
    "authorised_institution",
    "agreement",
    "secure_sum",
    "release_allowance",
    "differencing_guard",
    "disclosure_pack",
)
_L3 = (*_L2, "named_study", "ethics_approval", "security_assessment", "protected_computation")
_EXTRACT = (
    "evidence",
    "authorised_institution",
    "agreement",
    "release_allowance",
    "disclosure_pack",
    "output_review",
    "enrolled_workspace",
)

_SYNTHESISE = ("evidence", "authorised_institution", "agreement", "proven_noise", "watermark")

REQUIRED: dict[tuple[str, str], tuple[str, ...]] = {
    ("L1", "read"): ("evidence",),
    ("L2", "statistics"): _L2,
    ("L2", "training"): _L2,
    ("L2", "extract"): _EXTRACT,
    ("L2", "synthesise"): _SYNTHESISE,
    ("L3", "statistics"): _L3,
    ("L3", "training"): _L3,
}
"""What is required by (grade, operation); a pair that is not here is not offered."""


def required(grade: str, operation: str) -> tuple[str, ...] | Denied:
    """The requirements of ``operation`` on data of ``grade``, or why the pair is not offered.

    >>> required("L1", "read")
    ('evidence',)
    >>> required("L3", "extract").codes
    ('terms.not_offered',)
    """
    found = REQUIRED.get((grade, operation))
    if found is not None:
        return found
    offered = ", ".join(op for g, op in REQUIRED if g == grade) or "nothing"
    return deny(
        "terms.not_offered",
        f"'{operation}' is not offered on data of grade '{grade}'.",
        f"Offered on this grade: {offered}.",
    )


def highest(grades: Iterable[str]) -> str | None:
    """The highest of ``grades``; ``None`` when there is none or one is unknown (which no use passes).

    >>> highest(["L1", "L3", "L2"])
    'L3'
    """
    given = list(grades)
    if not given or any(grade not in GRADES for grade in given):
        return None
    return max(given, key=GRADES.index)
