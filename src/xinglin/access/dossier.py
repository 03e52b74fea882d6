"""One dossier: four papers filled from the application and its machine terms, and what is left for a person.

Headings are Chinese and English. A field is *filled* only from what a machine knows; a judgement is never pretended.
Sources: Measures for Ethical Review of Life Science and Medical Research Involving Humans (2023), Articles 17 to 19;
Personal Information Protection Law (PIPL), Articles 55 and 56; Regulation on Human Genetic Resources (2019) with its
implementing rules (2023); Regulation (EU) 2025/327 (EHDS), Article 67. Read second-hand: compare with the forms in use.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xinglin.access.clocks import DAY_MS
from xinglin.access.form import Form, agreed_terms
from xinglin.kernel.instants import to_text
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.grades import REQUIREMENTS, required
from xinglin.terms.purposes import PURPOSES

KINDS = ("ethics", "impact-assessment", "genetic-resources", "ehds")


class Field(msgspec.Struct, frozen=True):
    """One line of a paper; ``filled`` is False where a person has to write or judge, and ``value`` then says what."""

    heading: str
    heading_zh: str
    value: str
    filled: bool = True


class Paper(msgspec.Struct, frozen=True):
    """One of ``KINDS``: its title, the law it answers to, whether it is needed here, and its fields."""

    kind: str
    title: str
    title_zh: str
    law: str
    needed: bool
    fields: tuple[Field, ...]

    @property
    def left(self) -> tuple[Field, ...]:
        """What a person has to write."""
        return tuple(field for field in self.fields if not field.filled)


class Dossier(msgspec.Struct, frozen=True):
    """The four papers of one application, by the form's digest."""

    study: str
    form: str
    papers: tuple[Paper, ...]

    @property
    def left(self) -> tuple[tuple[str, Field], ...]:
        """(kind of paper, field) of everything left for a person in the papers that are needed."""
        return tuple((paper.kind, field) for paper in self.papers if paper.needed for field in paper.left)


def dossier(form: Form, names: Mapping[str, str], outside_china: bool = False) -> Dossier:
    """The papers of an application. ``names``: DID to label. ``outside_china``: whether the EHDS paper is needed."""
    recipients = tuple(member.did for member in form.people.members)
    facts = _Facts(form, agreed_terms(form, recipients, form.project.begins), names)
    papers = (_ethics(facts), _impact(facts), _genetic(facts), _ehds(facts, outside_china))
    return Dossier(form.study, form.digest(), papers)


def to_markdown(found: Dossier) -> str:
    """The dossier as a document to print, with both headings and a list of what is left."""
    lines = [f"# {found.study}", ""]
    for paper in found.papers:
        if not paper.needed:
            lines += [f"## {paper.title} · {paper.title_zh}", "", "Not needed for this study. 本研究无需此件。", ""]
            continue
        lines += [f"## {paper.title} · {paper.title_zh}", "", paper.law, "", "| | |", "|---|---|"]
        for field in paper.fields:
            value = field.value if field.filled else f"**to be written 待填写**: {field.value}"
            lines.append(f"| {field.heading} {field.heading_zh} | {_cell(value)} |")
        lines.append("")
    lines += ["## Left for a person · 待人工完成", ""]
    lines += [f"* {kind}: {field.heading} {field.heading_zh}" for kind, field in found.left] or ["* nothing 无"]
    return "\n".join(lines) + "\n"


class _Facts(msgspec.Struct, frozen=True):
    """The form with what follows from it, as texts."""

    form: Form
    terms: AgreedTerms
    names: Mapping[str, str]

    def name(self, did: str) -> str:
        return self.names.get(did, did)

    @property
    def members(self) -> str:
        return "; ".join(f"{self.name(one.did)} ({one.role})" for one in self.form.people.members)

    @property
    def hospitals(self) -> str:
        return "; ".join(map(self.name, self.form.data.hospitals))

    @property
    def term(self) -> str:
        return f"{to_text(self.form.project.begins)[:10]} – {to_text(self.form.project.ends)[:10]}"

    @property
    def variables(self) -> str:
        return f"{len(self.terms.variables)}: {', '.join(self.terms.variables)} ({self.terms.variables_digest})"

    @property
    def cohort(self) -> str:
        views = "; ".join(f"{view.name}: {view.select}" for view in self.terms.cohort)
        return f"{views} ({self.terms.cohort_digest})"

    @property
    def safeguards(self) -> str:
        needs = required(self.form.data.grade, self.form.settings.operation)
        told = [REQUIREMENTS[name] for name in needs] if isinstance(needs, tuple) else []
        told.append(f"no cell of fewer than {self.form.outputs.min_cell} persons leaves")
        return "; ".join(told)

    @property
    def purpose(self) -> str:
        found = PURPOSES.get(self.form.project.purpose)
        if found is None:
            return self.form.project.purpose
        article = f", EHDS Article {found.ehds}" if found.ehds else ""
        return f"{found.words} {found.words_zh} ({found.code}{article})"


def _common(facts: _Facts) -> tuple[Field, ...]:
    form = facts.form
    return (
        Field("Study", "研究名称", f"{form.project.title} ({form.study})"),
        Field("Responsible institution", "责任单位", facts.name(form.people.institution)),
        Field("Members", "研究成员", facts.members),
        Field("Participating hospitals", "参与医院", facts.hospitals),
        Field("Purpose", "研究目的", facts.purpose),
        Field("Term", "研究期限", facts.term),
    )


def _ethics(facts: _Facts) -> Paper:
    project = facts.form.project
    waiver = project.basis == "ethics-waiver"
    consent = "waiver of consent is asked for 申请免除知情同意" if waiver else f"basis: {project.basis}"
    fields = (
        *_common(facts),
        Field("Funding", "经费来源", project.funding),
        Field("Research plan", "研究方案", project.summary),
        Field("Data used", "使用数据", facts.variables),
        Field("Cohort", "研究人群", facts.cohort),
        Field("Necessity", "数据必要性", facts.form.data.justification),
        Field("Basis and consent", "合法性基础与知情同意", consent),
        Field("Protection of persons", "受试者保护", facts.safeguards),
        Field("Benefit", "研究受益", project.benefit),
        Field("Publication", "结果发布", facts.form.outputs.publication),
        Field("Risk judged by the investigator", "研究者风险评估", "Risks to persons, and how they are met.", False),
        Field("Conflicts of interest", "利益冲突声明", "Declared and signed by each member.", False),
        *(
            (Field("Reason for the waiver", "免除知情同意理由", "Why consent cannot be asked.", False),)
            if waiver
            else ()
        ),
        Field("Investigator's signature", "研究者签字", "Sign.", False),
    )
    law = "Measures for Ethical Review 2023 (涉及人的生命科学和医学研究伦理审查办法)"
    return Paper("ethics", "Ethics review form", "伦理审查申请表", law, bool(facts.form.committees), fields)


def _impact(facts: _Facts) -> Paper:
    form = facts.form
    abroad = "recipients abroad 有境外接收方" if form.data.abroad else "none 无"
    fields = (
        *_common(facts),
        Field("Kinds of personal information", "个人信息种类", facts.variables),
        Field("Sensitive", "敏感个人信息", "yes: medical and health data, PIPL Article 28 是：医疗健康信息"),
        Field("Level", "数据分级", f"{form.data.grade}; genetic 遗传: {'yes 是' if form.data.genetic else 'no 否'}"),
        Field("Means of processing", "处理方式", f"{form.settings.operation}, {form.settings.environment}"),
        Field("Minimisation", "最小必要", form.data.justification),
        Field("Measures", "保护措施", facts.safeguards),
        Field("Security of keys and results", "安全措施", form.settings.security),
        Field("Retention of outputs", "保存期限", f"{form.settings.retention_days} days 天"),
        Field("Provision abroad", "出境情况", abroad),
        Field(
            "Lawful, legitimate, necessary", "合法、正当、必要性判断", "Judged by the handler, Article 56(1).", False
        ),
        Field("Impact on persons", "对个人权益的影响及风险", "Judged by the handler, Article 56(2).", False),
        Field("Measures fit the risk", "措施与风险相适应", "Judged by the handler, Article 56(3).", False),
        Field("Report kept for", "报告保存", "at least three years, Article 56 至少三年"),
    )
    title, law = "Personal information impact assessment", "PIPL Articles 55 and 56 (个人信息保护法)"
    return Paper("impact-assessment", title, "个人信息保护影响评估", law, True, fields)


def _genetic(facts: _Facts) -> Paper:
    form = facts.form
    fields = (
        *_common(facts),
        Field("Kind of resource", "资源类型", "information, not material 人类遗传资源信息"),
        Field("Information", "信息内容", facts.variables),
        Field("Way of use", "利用方式", f"{form.settings.operation}; {facts.safeguards}"),
        Field("Results", "成果", f"{', '.join(form.outputs.types)}; {form.outputs.publication}"),
        Field("Number of persons", "样本量", "As the hospitals count them; no count leaves before approval.", False),
        Field("Foreign parties", "外方单位", "Every foreign party, or the statement that there is none.", False),
        Field("Ethics approval", "伦理批件", "Attach it once it is given.", False),
        Field("Sharing of results", "成果分享", "Rights in results and patents.", False),
        Field("Seal of the institution", "单位盖章", "Seal.", False),
    )
    law = "Regulation on Human Genetic Resources 2019, implementing rules 2023 (人类遗传资源管理条例及实施细则)"
    title = "Human genetic resources filing"
    return Paper("genetic-resources", title, "人类遗传资源备案", law, form.data.genetic, fields)


def _ehds(facts: _Facts, needed: bool) -> Paper:
    form = facts.form
    days = max(0, form.project.ends - form.project.begins) // DAY_MS
    fields = (
        *_common(facts),
        Field("Summary in plain language", "通俗摘要", form.project.plain_summary),
        Field("Data requested", "申请数据", f"{form.data.data_set}: {facts.variables}"),
        Field("Population", "人群", facts.cohort),
        Field("Form of the data", "数据形式", "used where they are; anonymised results leave 数据不出域，结果匿名"),
        Field("Why pseudonymised data are needed", "使用假名化数据的理由", form.data.justification),
        Field("Safeguards", "保障措施", f"{facts.safeguards}; {form.settings.security}"),
        Field("Environment", "处理环境", form.settings.environment),
        Field("Duration", "持续时间", f"{days} days 天"),
        Field("Legal basis under GDPR", "GDPR合法性基础", "Article 6 and Article 9, named by the applicant.", False),
        Field("Qualifications", "资质证明", "Proof of each member's qualification.", False),
        Field("Fees", "费用", "Accepted with the notice of fees.", False),
    )
    title = "EHDS data access application"
    return Paper("ehds", title, "欧洲健康数据空间数据访问申请", "EHDS Article 67", needed, fields)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
