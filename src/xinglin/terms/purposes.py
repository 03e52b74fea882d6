"""Purposes of use: a closed list with their codes in the Data Use Ontology (DUO), and bases in law.

Source: DUO release 2021-02-23 (https://github.com/EBISPOT/DUO); prohibited purposes after Regulation
(EU) 2025/327 (EHDS), Article 54.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from xinglin.kernel.verdict import Allowed, Verdict, deny

BASES = ("consent", "ethics-waiver", "statutory-duty", "permit")
"""On what ground in law a study stands."""

_DISEASE = re.compile(r"MONDO:\d{7}\Z")


class Purpose(msgspec.Struct, frozen=True):
    """A purpose: its code here, in DUO (empty when DUO has none), in words, and the wider one."""

    code: str
    duo: str
    words: str
    wider: str = ""
    prohibited: bool = False


_LIST = (
    Purpose("general-research", "DUO:0000042", "research of any kind"),
    Purpose("health-research", "DUO:0000006", "health, medical or biomedical research", "general-research"),
    Purpose("disease-research", "DUO:0000007", "research into one named disease", "health-research"),
    Purpose("ancestry-research", "DUO:0000011", "research into population origins or ancestry", "general-research"),
    Purpose("public-health", "", "surveillance and protection of public health"),
    Purpose("official-statistics", "", "statistics of an authority"),
    Purpose("care-quality", "", "management and improvement of care"),
    Purpose("education", "", "teaching in the health professions"),
    Purpose("clinical-care", "DUO:0000043", "treatment of the patient"),
    Purpose("insurance-pricing", "", "terms or exclusion in insurance or credit", prohibited=True),
    Purpose("advertising", "", "advertising or marketing", prohibited=True),
    Purpose("employment-decisions", "", "decisions about a person's employment", prohibited=True),
    Purpose("harmful-products", "", "products that harm individuals or public health", prohibited=True),
    Purpose("re-identification", "", "finding out who a person in the data is", prohibited=True),
)
PURPOSES = {purpose.code: purpose for purpose in _LIST}
"""Every purpose by its code; ``disease-research`` is written with its disease: ``disease-research/MONDO:0005010``."""


def check_purpose(text: str) -> Verdict:
    """Whether ``text`` is a purpose that may be named in an agreement or asked for.

    >>> bool(check_purpose("disease-research/MONDO:0005010"))
    True
    >>> check_purpose("advertising").codes
    ('terms.purpose_prohibited',)
    """
    code, _, disease = text.partition("/")
    known = PURPOSES.get(code)
    if known is None or bool(disease) != (code == "disease-research") or (disease and not _DISEASE.match(disease)):
        offered = ", ".join(p.code for p in _LIST if not p.prohibited)
        return deny("terms.purpose_unknown", f"'{text[:80]}' is not a known purpose.", f"Use one of: {offered}.")
    if known.prohibited:
        return deny("terms.purpose_prohibited", f"No data is used for {known.words}.", "Ask for another purpose.")
    return Allowed()


def covers(agreed: Iterable[str], asked: str) -> bool:
    """Whether an agreed purpose is the asked one or a wider one; an unknown purpose covers nothing.

    >>> covers(["health-research"], "disease-research/MONDO:0005010")
    True
    >>> covers(["disease-research/MONDO:0005010"], "health-research")
    False
    """
    if not check_purpose(asked):
        return False
    chain = {asked}
    wider = PURPOSES[asked.partition("/")[0]].wider
    while wider:
        chain.add(wider)
        wider = PURPOSES[wider].wider
    return any(purpose in chain for purpose in agreed)
