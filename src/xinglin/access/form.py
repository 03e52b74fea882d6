"""The application's form under the five safes, what it lacks, and how it is copied.

A draft may lack anything; ``gaps`` names everything at once, so that nobody waits weeks for the next question.
Source: Five Safes framework (Desai, Ritchie & Welpton 2016); Regulation (EU) 2025/327 (EHDS), Articles 67 and 68.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.terms.agreed import AgreedTerms, CohortView, check_agreed
from xinglin.terms.grades import GRADES, OPERATIONS
from xinglin.terms.purposes import BASES, check_purpose
from xinglin.terms.request import is_did, is_digest, is_name
from xinglin.terms.thresholds import DisclosureRules

TEXT_CHARACTERS = Limit("text of a form's field", 8_000, "characters")
MEMBERS = Limit("members of a study", 64, "persons")
HOSPITALS = Limit("hospitals an application asks", 256, "hospitals")
COMMITTEES = Limit("committees an application is put to", 8, "committees")
RETENTION_DAYS = Limit("retention of outputs", 3_650, "days")
RELATIONS = ("", "amendment", "renewal")
"""How an application relates to the approval it ``replaces``."""
ENVIRONMENTS = ("hospital-node", "enrolled-workspace", "attested-enclave")
OUTPUT_TYPES = ("table", "statistic", "model", "figure")


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person of the study: DID, what they do in it, and until when their training stands."""

    did: str = ""
    role: str = ""
    trained_until: Instant = 0


class SafeProject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why: title, plan, a summary in plain language for the public register, purpose, basis and term."""

    title: str = ""
    summary: str = ""
    plain_summary: str = ""
    benefit: str = ""
    purpose: str = ""
    basis: str = ""
    funding: str = ""
    begins: Instant = 0
    ends: Instant = 0


class SafePeople(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who: the responsible institution (DID) and every member with access to results."""

    institution: str = ""
    members: tuple[Member, ...] = ()


class SafeData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What: views and columns, no more than needed (``justification``), asked of these hospitals (DIDs)."""

    data_set: str = ""
    cohort: tuple[CohortView, ...] = ()
    variables: tuple[str, ...] = ()
    hospitals: tuple[str, ...] = ()
    grade: str = "L2"
    justification: str = ""
    genetic: bool = False
    abroad: bool = False


class SafeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where and how: operation, class of environment, exact answers, how long outputs are kept (days)."""

    operation: str = "statistics"
    environment: str = "hospital-node"
    answers: int = 50
    retention_days: int = 0
    security: str = ""


class SafeOutputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What leaves: types, the minimum cell in persons, and where it is published."""

    types: tuple[str, ...] = ()
    min_cell: int = 10
    publication: str = ""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One application for any number of hospitals. ``committees``: ids of the ethics committees it goes to.

    ``replaces``: digest of the approval that this amends or renews (``relation``), or empty. Version 1, append-only.
    """

    study: str = ""
    project: SafeProject = SafeProject()
    people: SafePeople = SafePeople()
    data: SafeData = SafeData()
    settings: SafeSettings = SafeSettings()
    outputs: SafeOutputs = SafeOutputs()
    committees: tuple[str, ...] = ()
    replaces: str = ""
    relation: str = ""
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


class Gap(msgspec.Struct, frozen=True):
    """Something that a form lacks: section (one of the five safes) and field, in words, and what to write."""

    section: str
    field: str
    words: str
    words_zh: str
    remedy: str = ""


_TEXTS = (
    ("project", "title", "The study has no title.", "缺少研究名称。"),
    ("project", "summary", "The research plan is not described.", "缺少研究方案摘要。"),
    ("project", "plain_summary", "A summary in plain language is missing.", "缺少通俗摘要。"),
    ("project", "benefit", "Who benefits is not said.", "未说明研究受益。"),
    ("project", "funding", "Who pays is not said; 'none' is an answer.", "未说明经费来源（可填“无”）。"),
    ("data", "justification", "Why these data, and no less, is not said.", "未说明数据最小必要性。"),
    ("settings", "security", "How keys and results are protected is not said.", "未说明安全措施。"),
    ("outputs", "publication", "Where results are published is not said.", "未说明结果发布方式。"),
)


def gaps(form: Form, now: Instant) -> tuple[Gap, ...]:
    """Everything that keeps ``form`` from being complete, at once; empty when it is."""
    return (*_texts(form), *_head(form), *_project(form, now), *_people(form, now), *_data(form), *_settings(form))


def agreed_terms(form: Form, recipients: tuple[str, ...], not_before: Instant) -> AgreedTerms:
    """The terms that the form asks each hospital for, peers apart: what an agreement is written from."""
    return AgreedTerms(
        grade=form.data.grade,
        cohort=tuple(sorted(form.data.cohort, key=lambda view: view.name)),
        variables=tuple(sorted(form.data.variables)),
        purposes=(form.project.purpose,),
        operations=(form.settings.operation,),
        not_before=not_before,
        expires=form.project.ends,
        allowance=form.settings.answers,
        recipients=tuple(sorted(recipients)),
        peers=(),
        rules=DisclosureRules(min_cell=form.outputs.min_cell),
    )


def copy_as_new(form: Form, study: str = "", *, replaces: str = "", relation: str = "") -> Form:
    """The answers of ``form`` for another application; its term and its chain are left to be written.

    An amendment or renewal keeps the study and names the approval that it replaces.
    """
    kept = form.study if relation else study
    project = msgspec.structs.replace(form.project, begins=0, ends=0)
    return msgspec.structs.replace(form, study=kept, project=project, replaces=replaces, relation=relation)


def _texts(form: Form) -> Iterator[Gap]:
    for section, field, words, words_zh in _TEXTS:
        text = getattr(getattr(form, section), field)
        if not text.strip():
            yield Gap(section, field, words, words_zh, "Write it.")
        elif len(text) > TEXT_CHARACTERS.value:
            yield Gap(section, field, f"More than {TEXT_CHARACTERS.value} characters.", "内容过长。", "Shorten it.")


def _head(form: Form) -> Iterator[Gap]:
    if form.version != 1:
        yield Gap("form", "version", "This version of the form is not known here.", "表单版本未知。", "Upgrade.")
    if not is_name(form.study):
        yield Gap("form", "study", "The study has no valid id.", "缺少研究编号。", "Use letters, digits, . _ : and -.")
    named = list(form.committees)
    if len(named) > COMMITTEES.value or len(set(named)) != len(named) or not all(map(is_name, named)):
        yield Gap(
            "form", "committees", "Committees are named by id, each once.", "伦理委员会编号有误。", "See the list."
        )
    if not named and (form.data.grade == "L3" or form.project.basis == "ethics-waiver" or form.data.genetic):
        words = "These data, or this basis, need an ethics committee."
        yield Gap("form", "committees", words, "该申请须经伦理审查。", "Name a committee of the space.")
    chained = form.relation in RELATIONS[1:]
    if chained != bool(form.replaces) or (form.replaces and not is_digest(form.replaces)):
        words = "An amendment or renewal names the approval it replaces, by digest; a new study names none."
        yield Gap("form", "replaces", words, "变更或延续须注明原批件。", "Name both, or neither.")


def _project(form: Form, now: Instant) -> Iterator[Gap]:
    project = form.project
    purpose = check_purpose(project.purpose)
    if isinstance(purpose, Denied):
        for reason in purpose.reasons:
            yield Gap("project", "purpose", reason.words, "研究目的不可接受。", reason.remedy)
    if project.basis not in BASES:
        words = "The basis in law is not named."
        yield Gap("project", "basis", words, "缺少合法性基础。", f"Use one of {', '.join(BASES)}.")
    if not 0 < project.begins < project.ends or project.ends <= now:
        yield Gap("project", "ends", "The term does not lie ahead.", "研究期限有误。", "State when it begins and ends.")


def _people(form: Form, now: Instant) -> Iterator[Gap]:
    people, dids = form.people, [member.did for member in form.people.members]
    if not is_did(people.institution):
        yield Gap(
            "people", "institution", "The responsible institution is not named.", "缺少责任单位。", "Give its DID."
        )
    if not 1 <= len(dids) <= MEMBERS.value or len(set(dids)) != len(dids) or not all(map(is_did, dids)):
        words = f"A study has 1 to {MEMBERS.value} members, each named once by DID."
        yield Gap("people", "members", words, "研究成员有误。", "Invite them, and name them.")
    if any(not member.role.strip() for member in people.members):
        yield Gap("people", "members", "What a member does is not said.", "未说明成员职责。", "Give each a role.")
    if any(member.trained_until <= now for member in people.members):
        yield Gap(
            "people", "trained_until", "A member's training has expired.", "成员培训已过期。", "Renew the training."
        )


def _data(form: Form) -> Iterator[Gap]:
    data = form.data
    if not is_name(data.data_set):
        yield Gap("data", "data_set", "No data set is chosen.", "未选择数据集。", "Choose one of the catalogue.")
    hospitals = data.hospitals
    if not 1 <= len(hospitals) <= HOSPITALS.value or tuple(sorted(set(hospitals))) != hospitals:
        yield Gap("data", "hospitals", "Hospitals are DIDs, sorted, each once.", "医院列表有误。", "Choose hospitals.")
    elif not all(map(is_did, hospitals)):
        yield Gap("data", "hospitals", "A hospital is not a DID of this space.", "医院标识有误。", "Look it up.")
    if data.grade not in GRADES:
        yield Gap("data", "grade", "The grade is not known.", "数据等级未知。", f"Use one of {', '.join(GRADES)}.")
    if data.genetic and data.grade != "L3":
        yield Gap("data", "grade", "Genetic data are of grade L3.", "遗传数据属于L3级。", "Ask for grade L3.")
    known = form.settings.operation in OPERATIONS and data.grade in GRADES
    if not known or isinstance(check_purpose(form.project.purpose), Denied):
        return  # said already, where it was written
    recipient = next((member.did for member in form.people.members if is_did(member.did)), "")
    verdict = check_agreed(agreed_terms(form, (recipient,), 0)) if recipient else None
    if isinstance(verdict, Denied):
        for reason in verdict.reasons:
            yield Gap("data", "terms", reason.words, "数据使用条款有误。", reason.remedy)


def _settings(form: Form) -> Iterator[Gap]:
    settings, outputs = form.settings, form.outputs
    if settings.operation not in OPERATIONS:
        words = f"Use one of {', '.join(OPERATIONS)}."
        yield Gap("settings", "operation", "The operation is not known.", "操作类型未知。", words)
    if settings.environment not in ENVIRONMENTS:
        words = f"Use one of {', '.join(ENVIRONMENTS)}."
        yield Gap("settings", "environment", "The environment is not known.", "环境类型未知。", words)
    if not 1 <= settings.retention_days <= RETENTION_DAYS.value:
        words = f"Outputs are kept 1 to {RETENTION_DAYS.value} days."
        yield Gap("settings", "retention_days", words, "未说明保存期限。", "State the days.")
    if not outputs.types or not set(outputs.types) <= set(OUTPUT_TYPES):
        words = f"Use some of {', '.join(OUTPUT_TYPES)}."
        yield Gap("outputs", "types", "What leaves is not said.", "未说明输出类型。", words)
