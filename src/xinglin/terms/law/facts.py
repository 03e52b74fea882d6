"""The facts that articles are about: a closed list, each with its kind, its values and its words.

Kinds: ``flag``; ``word`` (one of the values) and ``words`` (a set of them); ``number``; ``instant``; ``place`` and
``places`` as ``terms.places`` spells them; ``purposes`` as ``terms.purposes`` does. *Derived* facts are computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from xinglin.terms.grades import OPERATIONS
from xinglin.terms.purposes import BASES
from xinglin.terms.vocabulary import DUTIES, ENVIRONMENTS, RECIPIENT_CLASSES

Kind = Literal["flag", "word", "words", "number", "instant", "place", "places", "purposes"]

CATEGORIES = {
    "personal-attributes": "个人属性",
    "health-status": "健康状况",
    "medical-application": "医疗应用",
    "medical-payment": "医疗支付",
    "health-resources": "卫生资源",
    "public-health": "公共卫生",
    "genetic": "遗传信息",
    "biospecimens": "人类遗传资源材料",
    "biometric": "生物识别",
    "location": "行踪轨迹",
}
"""Data categories: the six of GB/T 39725-2020, and four that laws name by themselves."""

IDENTIFIABILITY = {"identified": "可识别", "pseudonymised": "去标识化", "anonymous": "匿名化"}
DATA_CLASSES = {"general": "一般数据", "important": "重要数据", "core": "核心数据"}
RELATIONS = {
    "own": "自行处理",
    "entrusted": "委托处理",
    "joint": "共同处理",
    "provided": "向其他处理者提供",
    "published": "公开",
}
CONSENTS = {
    "informed": "知情",
    "separate": "单独同意",
    "written": "书面同意",
    "explicit": "明示同意",
    "broad": "泛知情同意",
    "guardian": "监护人同意",
    "this-purpose": "同意包含本目的",
    "recipient": "同意包含接收方",
    "cross-border": "同意出境",
}
IDENTIFIERS = {
    "names": "姓名",
    "street-address": "街道地址",
    "small-area": "市县与完整邮编",
    "dates": "日期（年以下）",
    "ages-over-89": "89岁以上年龄",
    "phone": "电话",
    "fax": "传真",
    "email": "电子邮件",
    "social-security-number": "社会保障号",
    "medical-record-number": "病案号",
    "health-plan-number": "医保号",
    "account-number": "账号",
    "licence-number": "证照号",
    "vehicle-identifier": "车辆标识",
    "device-identifier": "设备标识",
    "url": "网址",
    "ip-address": "IP 地址",
    "biometric-identifier": "生物识别标识",
    "full-face-photo": "正面照片",
    "other-unique-code": "其他唯一编码",
}
"""The identifiers of HIPAA's Safe Harbor, its geographic ones in two and ages apart from dates."""

GROUNDS = {
    "consent": "同意",
    "contract": "合同",
    "legal-obligation": "法定义务",
    "vital-interests": "重大利益",
    "public-task": "公共任务",
    "legitimate-interests": "正当利益",
}
EXCEPTIONS = {
    "explicit-consent": "明示同意",
    "vital-interests": "重大利益",
    "legal-claims": "法律主张",
    "substantial-public-interest": "重大公共利益",
    "health-care": "医疗",
    "public-health": "公共卫生",
    "research": "科学研究",
}
HIPAA_FORMS = {
    "protected": "受保护健康信息",
    "limited-data-set": "有限数据集",
    "safe-harbor": "安全港去标识",
    "expert-determination": "专家判定去标识",
}
HIPAA_GROUNDS = {
    "authorization": "本人授权",
    "waiver": "IRB 豁免授权",
    "preparatory": "研究准备",
    "care-operations": "治疗、支付与运营",
    "public-health": "公共卫生活动",
    "none": "无许可依据",
}
PERMITS = {
    "granted": "已批准",
    "amended": "已变更",
    "renewed": "已延期",
    "revoked": "已撤销",
    "expired": "已到期",
}
DOCUMENTS = {
    "processing-rules": "处理规则与制度",
    "privacy-notice": "告知书",
    "impact-assessment": "个人信息保护影响评估",
    "impact-record-kept-3-years": "评估记录保存三年",
    "entrustment-contract": "委托处理协议",
    "joint-arrangement": "共同处理约定",
    "provision-contract": "提供数据协议",
    "transfer-records-kept-3-years": "提供记录保存三年",
    "export-security-assessment": "出境安全评估",
    "export-standard-contract": "出境标准合同",
    "export-certification": "个人信息保护认证",
    "authority-approval": "主管机关批准",
    "risk-report": "风险评估报告",
    "important-data-assessment": "重要数据提供前风险评估",
    "hgr-approval": "人类遗传资源行政许可",
    "hgr-cooperation-approval": "国际合作科研审批",
    "hgr-trial-filing": "国际合作临床试验备案",
    "hgr-export-approval": "材料出境证明",
    "hgr-information-report": "信息对外提供事先报告与备份",
    "hgr-security-review": "信息对外提供安全审查",
    "cooperation-agreement": "合作协议",
    "ethics-approval": "伦理批件",
    "consent-waiver": "免除知情同意批件",
    "study-registration": "研究登记备案",
    "adequacy-decision": "充分性认定",
    "transfer-safeguards": "适当保障措施",
    "transfer-derogation": "特定情形克减",
    "processing-record": "处理活动记录",
    "business-associate-contract": "商业伙伴合同",
    "data-use-agreement": "数据使用协议",
    "expert-report": "专家判定书",
    "re-review-exempt": "豁免复核",
    "waiver-documentation": "豁免授权文件",
    "pseudonymised-justification": "使用假名化数据的理由",
    "dengbao-filing": "等级保护备案",
    "sharing-agreement": "数据共享协议",
}
MEASURES = {
    "classification": "数据分类分级",
    "encryption": "加密",
    "de-identification": "去标识化",
    "access-control": "访问控制",
    "multi-factor": "多因素认证",
    "logging": "日志",
    "backup": "备份",
    "training": "安全培训",
    "incident-plan": "应急预案",
    "breach-notice": "泄露通知",
    "protection-officer": "保护负责人",
    "security-officer": "数据安全负责人与管理机构",
    "risk-monitoring": "风险监测",
    "withdrawal-way": "便捷的撤回途径",
    "rights-way": "个人权利受理",
    "deletion": "到期删除",
    "human-review": "自动化决策的人工复核",
    "local-storage": "境内存储",
    "domestic-partner": "中方合作单位",
    "partner-shares-records": "中方全程参与并共享数据",
    "no-sale": "禁止买卖",
    "privacy-protection": "隐私保护措施",
    "minimum-necessary": "最小必要",
    "data-minimisation": "数据最小化",
    "by-design": "设计即保护",
    "accounting-of-disclosures": "披露登记",
    "no-re-identification": "不得重新识别",
    "code-not-derived": "编码不可推导",
    "opt-out-filter": "退出过滤",
    "opt-out-confirmation": "退出即时确认",
    "public-register": "许可公开登记",
    "key-held-by-authority": "密钥由主管机构保管",
    "output-review": "输出审查",
    "publish-within-18-months": "十八个月内公开结果",
    "delete-within-6-months": "六个月内删除",
    "commercial-cryptography": "商用密码",
    "network-segregation": "网络分区",
    "asset-inventory": "资产清单",
    "supplier-control": "供应商管理",
    "continuity": "业务连续性",
    "care-access-log": "诊疗访问记录",
}


class Fact(msgspec.Struct, frozen=True):
    """A fact: its name, kind and words; ``values`` by word where the list is closed; ``rests_on`` where computed."""

    name: str
    kind: Kind
    words: str
    words_zh: str
    values: Mapping[str, str] = {}
    rests_on: tuple[str, ...] = ()

    @property
    def derived(self) -> bool:
        """Whether it is computed from others and cannot be stated."""
        return bool(self.rests_on)


_PLACES = ("destinations", "origin")
_FACTS = (
    Fact("at", "instant", "the time of the decision", "决定时间"),
    Fact("categories", "words", "the categories of data", "数据类别", CATEGORIES),
    Fact("identifiability", "word", "how far persons can be identified", "可识别程度", IDENTIFIABILITY),
    Fact("identifiers", "words", "identifiers in the data", "数据中的标识符", IDENTIFIERS),
    Fact("data_class", "word", "the class of data", "数据级别（一般/重要/核心）", DATA_CLASSES),
    Fact("persons", "number", "the number of persons", "人数"),
    Fact("genomes", "number", "persons with exomes or genomes", "外显子组或基因组测序人数"),
    Fact("held_persons", "number", "persons whose data the provider processes in all", "处理者处理的个人信息总人数"),
    Fact("minors_under_14", "flag", "children under 14 among the persons", "含不满十四周岁未成年人"),
    Fact("without_capacity", "flag", "persons without full capacity among them", "含无或限制民事行为能力人"),
    Fact("purposes", "purposes", "the purposes", "目的"),
    Fact("operations", "words", "the operations", "操作", dict.fromkeys(OPERATIONS, "")),
    Fact("outputs", "word", "how far persons can be identified in outputs", "输出的可识别程度", IDENTIFIABILITY),
    Fact("commercial", "flag", "use for profit", "营利性使用"),
    Fact("sold", "flag", "data or material given for money", "有偿转让"),
    Fact("automated_decisions", "flag", "automated decisions about persons", "自动化决策"),
    Fact("large_scale", "flag", "processing of special data at large scale", "大规模处理"),
    Fact("foreign_court", "flag", "a demand of a foreign court or law enforcement", "境外司法或执法机构要求"),
    Fact("relation", "word", "the relation to the recipient", "与接收方的关系", RELATIONS),
    Fact("recipient_class", "word", "the recipient's class", "接收方类别", RECIPIENT_CLASSES),
    Fact("recipient_foreign", "flag", "a recipient founded or controlled from abroad", "接收方为外方或外方实际控制"),
    Fact("collects", "flag", "material or information collected anew", "新采集"),
    Fact(
        "clinical_trial", "flag", "a clinical trial for marketing, no material leaving", "上市许可临床试验且材料不出境"
    ),
    Fact("origin", "place", "where the data is", "数据所在地"),
    Fact("destinations", "places", "where it is used or seen from", "使用或访问地"),
    Fact("environment", "word", "the environment", "运行环境", ENVIRONMENTS),
    Fact("basis", "word", "the basis in law", "合法性基础", dict.fromkeys(BASES, "")),
    Fact("consent", "words", "what the consent is and covers", "同意的性质与范围", CONSENTS),
    Fact("lawful_ground", "word", "the ground under GDPR Article 6(1)", "GDPR 第6条依据", GROUNDS),
    Fact("special_ground", "word", "the exception under GDPR Article 9(2)", "GDPR 第9条例外", EXCEPTIONS),
    Fact("hipaa_form", "word", "the form of the data under HIPAA", "HIPAA 数据形式", HIPAA_FORMS),
    Fact("hipaa_ground", "word", "the permission under HIPAA", "HIPAA 许可依据", HIPAA_GROUNDS),
    Fact("documents", "words", "documents that stand", "有效的文件", DOCUMENTS),
    Fact("measures", "words", "measures in place", "已采取的措施", MEASURES),
    Fact("duties", "words", "duties agreed", "已约定的义务", {name: one.words_zh for name, one in DUTIES.items()}),
    Fact("retention_ends", "instant", "the end of retention", "保存期限届满"),
    Fact("ethics_expires", "instant", "the end of the ethics approval", "伦理批件有效期"),
    Fact("ethics_reviewed", "instant", "the last review by the committee", "最近一次伦理审查（含跟踪审查）"),
    Fact("permit", "word", "the state of the data permit", "许可状态", PERMITS),
    Fact("permit_expires", "instant", "the end of the data permit", "许可到期"),
    Fact("permit_extensions", "number", "extensions of the permit", "许可延期次数"),
    Fact("log_days", "number", "days that logs are kept", "日志保存天数"),
    Fact("dengbao_level", "number", "the level of protection filed (1-5)", "等级保护级别"),
    Fact("dengbao_assessed", "instant", "the last assessment of that level", "最近等级测评"),
    Fact("miping_assessed", "instant", "the last assessment of cryptography", "最近密码应用安全性评估"),
    Fact("risk_assessed", "instant", "the last yearly risk assessment", "最近年度风险评估"),
    Fact("audited", "instant", "the last compliance audit", "最近合规审计"),
    Fact("personal", "flag", "personal data", "个人信息", rests_on=("identifiability",)),
    Fact(
        "sensitive",
        "flag",
        "sensitive or special personal data",
        "敏感个人信息",
        rests_on=("categories", "identifiability", "minors_under_14"),
    ),
    Fact("leaves_china", "flag", "use from outside the mainland of China", "出境（中国大陆）", rests_on=_PLACES),
    Fact("leaves_eea", "flag", "use from outside the EEA", "出境（欧洲经济区）", rests_on=_PLACES),
)
FACTS = {fact.name: fact for fact in _FACTS}
"""Every fact by its name."""
