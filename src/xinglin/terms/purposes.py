"""Purposes of use: a closed list with their codes in the Data Use Ontology (DUO), and bases in law.

Source: DUO release 2021-02-23 (https://github.com/EBISPOT/DUO); purposes and prohibited ones after Regulation
(EU) 2025/327 (EHDS), Articles 53(1) and 54.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from xinglin.kernel.verdict import Allowed, Verdict, deny

BASES = ("consent", "ethics-waiver", "statutory-duty", "permit")
"""On what ground in law a study stands."""

PURPOSE_IRI = "https://w3id.org/xinglin/terms/1/purpose/"
"""Before a purpose's code: its IRI."""

_DISEASE = re.compile(r"MONDO:\d{7}\Z")


class Purpose(msgspec.Struct, frozen=True):
    """A purpose: its code here, in DUO (empty when DUO has none), in words, the wider one, its place in the EHDS."""

    code: str
    duo: str
    words: str
    wider: str = ""
    prohibited: bool = False
    ehds: str = ""
    words_zh: str = ""


_LIST = (
    Purpose("any", "DUO:0000004", "any purpose that is not prohibited", words_zh="任何未被禁止的目的"),
    Purpose("general-research", "DUO:0000042", "research of any kind", "any", words_zh="一般研究"),
    Purpose(
        "health-research",
        "DUO:0000006",
        "health, medical or biomedical research",
        "general-research",
        ehds="53(1)(e)",
        words_zh="健康医学研究",
    ),
    Purpose(
        "disease-research",
        "DUO:0000007",
        "research into one named disease",
        "health-research",
        ehds="53(1)(e)",
        words_zh="特定疾病研究",
    ),
    Purpose(
        "product-development",
        "",
        "development and innovation of products or services in health",
        "health-research",
        ehds="53(1)(e)(i)",
        words_zh="健康产品与服务研发",
    ),
    Purpose(
        "algorithm-testing",
        "",
        "training, testing and evaluation of algorithms",
        "health-research",
        ehds="53(1)(e)(ii)",
        words_zh="算法训练、测试与评价",
    ),
    Purpose(
        "ancestry-research",
        "DUO:0000011",
        "research into population origins or ancestry",
        "general-research",
        words_zh="人群起源或祖源研究",
    ),
    Purpose(
        "public-health",
        "",
        "surveillance and protection of public or occupational health",
        "any",
        ehds="53(1)(a)",
        words_zh="公共卫生与职业健康",
    ),
    Purpose(
        "policy-making",
        "",
        "policy and regulation by public bodies in health or care",
        "any",
        ehds="53(1)(b)",
        words_zh="政策制定与监管",
    ),
    Purpose("official-statistics", "", "statistics of an authority", "any", ehds="53(1)(c)", words_zh="官方统计"),
    Purpose("education", "", "teaching in the health professions", "any", ehds="53(1)(d)", words_zh="医学教育"),
    Purpose("care-quality", "", "management and improvement of care", "any", ehds="53(1)(f)", words_zh="医疗质量改进"),
    Purpose("clinical-care", "DUO:0000043", "treatment of the patient", "any", words_zh="临床诊疗"),
    Purpose(
        "detrimental-decisions",
        "",
        "decisions to a person's detriment",
        prohibited=True,
        ehds="54(a)",
        words_zh="对个人不利的决定",
    ),
    Purpose(
        "insurance-pricing",
        "",
        "terms or exclusion in insurance or credit",
        prohibited=True,
        ehds="54(b)",
        words_zh="保险与信贷定价",
    ),
    Purpose(
        "employment-decisions",
        "",
        "decisions about a person's employment",
        prohibited=True,
        ehds="54(b)",
        words_zh="雇佣决定",
    ),
    Purpose("advertising", "", "advertising or marketing", prohibited=True, ehds="54(c)", words_zh="广告营销"),
    Purpose(
        "harmful-products",
        "",
        "products that harm individuals or public health",
        prohibited=True,
        ehds="54(d)",
        words_zh="危害健康的产品",
    ),
    Purpose(
        "unethical-activities",
        "",
        "what national ethics law forbids",
        prohibited=True,
        ehds="54(e)",
        words_zh="违反伦理规定的活动",
    ),
    Purpose(
        "re-identification", "", "finding out who a person in the data is", prohibited=True, words_zh="重新识别个人"
    ),
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


class Diseases:
    """A disease hierarchy that is handed in: for each term of MONDO, all of its ancestors.

    >>> table = Diseases({"MONDO:0007254": ["MONDO:0004992"], "MONDO:0004992": []})
    >>> table.within("MONDO:0007254", "MONDO:0004992"), table.within("MONDO:0004992", "MONDO:0007254")
    (True, None)
    """

    def __init__(self, ancestors: Mapping[str, Iterable[str]] | None = None) -> None:
        self._ancestors = {term: frozenset(wider) for term, wider in (ancestors or {}).items()}
        self._near: dict[str, frozenset[str]] = {}

    def within(self, asked: str, agreed: str) -> bool | None:
        """Whether every case of ``asked`` is one of ``agreed``; ``None`` where only some are, or nobody can tell."""
        if asked == agreed or agreed in self._ancestors.get(asked, ()):
            return True
        if asked not in self._ancestors or agreed not in self._ancestors or asked in self._nearby(agreed):
            return None
        return False

    def _nearby(self, term: str) -> frozenset[str]:
        """Every term that shares a kind with ``term``: the ancestors of it and of whatever is a kind of it."""
        if term not in self._near:
            kinds = [one for one, wider in self._ancestors.items() if one == term or term in wider]
            self._near[term] = frozenset(kinds).union(*(self._ancestors[kind] for kind in kinds))
        return self._near[term]


NO_DISEASES = Diseases()
"""No hierarchy: a disease is known by its own code alone."""


def within(asked: str, agreed: str, diseases: Diseases = NO_DISEASES) -> bool | None:
    """Whether ``asked`` is ``agreed`` or narrower; ``None`` where it is wider, unknown, or a disease nobody can place.

    >>> within("disease-research/MONDO:0005010", "health-research"), within("any", "education")
    (True, None)
    """
    if not check_purpose(asked) or not check_purpose(agreed):
        return None
    mine, theirs = _wider(asked), _wider(agreed)
    if agreed in mine:
        return True
    if asked in theirs:
        return None
    (code, _, disease), (other, _, placed) = asked.partition("/"), agreed.partition("/")
    if code == other and disease:
        return diseases.within(disease, placed)
    return False


@lru_cache(maxsize=1024)
def _wider(purpose: str) -> frozenset[str]:
    """The purpose and all wider ones."""
    chain = {purpose}
    wider = PURPOSES[purpose.partition("/")[0]].wider
    while wider:
        chain.add(wider)
        wider = PURPOSES[wider].wider
    return frozenset(chain)


def covers(agreed: Iterable[str], asked: str, diseases: Diseases = NO_DISEASES) -> bool:
    """Whether an agreed purpose is the asked one or a wider one; an unknown purpose covers nothing.

    >>> covers(["health-research"], "disease-research/MONDO:0005010")
    True
    >>> covers(["disease-research/MONDO:0005010"], "health-research")
    False
    """
    return any(within(asked, one, diseases) is True for one in agreed)


@lru_cache(maxsize=4096)
def read_purpose(text: str) -> str | None:
    """The purpose that a code here, a DUO term, an EHDS article or a MONDO term names, as text, CURIE or IRI.

    >>> read_purpose("http://purl.obolibrary.org/obo/DUO_0000006"), read_purpose("EHDS:53(1)(d)")
    ('health-research', 'education')
    """
    text = text.removeprefix(PURPOSE_IRI).removeprefix("xinglin:purpose/")
    if bool(check_purpose(text)):
        return text
    text = text.removeprefix("http://purl.obolibrary.org/obo/").removeprefix("obo:").replace("_", ":", 1)
    if _DISEASE.match(text):
        return f"disease-research/{text}"
    return _SPELLED.get(text)


_SPELLED = {
    spelled: one.code
    for one in reversed(_LIST)
    if not one.prohibited and one.code != "disease-research"
    for spelled in (one.duo, f"EHDS:{one.ehds}" if one.ehds else "")
    if spelled
}
