"""The vocabulary of policies: a closed, versioned set of operands, actions and duties, in English and Chinese.

An *operand* has a kind, which says how its values are read and compared, and the operators that it takes; what is
*held* (approvals, assessments, rule packs, an algorithm's names) is asked for by having one, what is *used*
(recipients, variables, outputs) must be allowed one by one. *Actions* form a tree. Whatever is not here is unknown:
refused when it is written, offered and decided, with the nearest known word.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

import msgspec

from xinglin.terms.grades import GRADES, OPERATIONS
from xinglin.terms.purposes import BASES

VERSION = 1
"""Of the whole vocabulary; a new word takes a new version."""

ODRL = "http://www.w3.org/ns/odrl/2/"
TERMS = "https://w3id.org/xinglin/terms/1/"
"""Namespace of the words that ODRL does not have."""

Kind = Literal["number", "instant", "duration", "text", "set", "place", "network", "window", "flag", "purpose", "grade"]

ORDER = ("eq", "neq", "lt", "lteq", "gt", "gteq")
ONE = ("eq", "neq", "isAnyOf", "isNoneOf")
MANY = ("eq", "neq", "isAnyOf", "isNoneOf", "isPartOf", "isAllOf", "hasPart")
INSIDE = ("eq", "neq", "isAnyOf", "isNoneOf", "isPartOf", "isA")
HELD = ("eq", "neq", "isAnyOf", "isNoneOf", "isAllOf", "hasPart")

OPERATORS = {
    "eq": ("is", "等于"),
    "neq": ("is not", "不等于"),
    "lt": ("is less than", "小于"),
    "lteq": ("is at most", "不大于"),
    "gt": ("is more than", "大于"),
    "gteq": ("is at least", "不小于"),
    "isAnyOf": ("is any of", "属于其中之一"),
    "isNoneOf": ("is none of", "不属于任何一个"),
    "isAllOf": ("holds all of", "包含全部"),
    "hasPart": ("contains", "包含"),
    "isPartOf": ("lies within", "在范围内"),
    "isA": ("is a kind of", "是其一种"),
}
"""Every operator with its words in English and Chinese."""

SET_OPERATORS = frozenset({"isAnyOf", "isNoneOf", "isAllOf", "hasPart", "isPartOf"})
"""Operators whose value is a set; the others take one text."""

LOGIC = {"all": "and", "any": "or", "one": "xone", "sequence": "andSequence"}
"""Operators of nested constraints, and how ODRL spells them."""


class Operand(msgspec.Struct, frozen=True):
    """A word that constraints are about. ``local``: its last part in ``iri``, and its short spelling in ODRL.

    ``values``: the closed list of its values (empty: any that ``form`` allows). ``units``: the first is meant where
    none is named. ``held``: having one is enough. ``least``: the smallest number.
    """

    name: str
    iri: str
    kind: Kind
    operators: tuple[str, ...]
    words: str
    words_zh: str
    remedy: str
    values: tuple[str, ...] = ()
    form: str = ""
    units: tuple[str, ...] = ()
    held: bool = False
    least: str = "0"

    @property
    def local(self) -> str:
        """The last part of the IRI."""
        return self.iri.rpartition("/")[2]

    @property
    def unit(self) -> str:
        """The unit that is meant where none is named."""
        return self.units[0] if self.units else ""


class Action(msgspec.Struct, frozen=True):
    """Something that is done with data, or owed for it (a duty); ``wider``: the action that includes it."""

    name: str
    iri: str
    words: str
    words_zh: str
    wider: str = ""

    @property
    def local(self) -> str:
        """The last part of the IRI."""
        return self.iri.rpartition("/")[2]


RECIPIENT_CLASSES = {
    "hospital": "医院",
    "clinic": "诊所",
    "research-institute": "科研机构",
    "university": "高校",
    "authority": "政府主管部门",
    "non-profit": "非营利组织",
    "insurer": "保险机构",
    "company": "企业",
    "patient": "患者本人",
}
ENVIRONMENTS = {
    "node": "医院节点",
    "workspace": "受控工作区",
    "attested-enclave": "可证明的机密计算环境",
    "sandbox": "监管沙盒",
    "own-system": "使用方自有系统",
}
OUTPUT_TYPES = {
    "count": "计数",
    "statistic": "统计量",
    "table": "汇总表",
    "figure": "图",
    "model": "模型",
    "synthetic-data": "合成数据",
    "records": "记录",
    "image": "影像",
}
POPULATIONS = {
    "adults": "成人",
    "minors": "未成年人",
    "newborns": "新生儿",
    "pregnant-women": "孕产妇",
    "older-adults": "老年人",
    "without-capacity": "无民事行为能力人",
    "deceased": "逝者",
}
CLASSES = {
    "recipientClass": RECIPIENT_CLASSES,
    "environment": ENVIRONMENTS,
    "outputType": OUTPUT_TYPES,
    "population": POPULATIONS,
}
"""By operand: its closed values with their Chinese words."""


def _odrl(name: str) -> str:
    return ODRL + name


def _own(name: str) -> str:
    return TERMS + name


_AGREED = "Ask for an agreed one, or have this one agreed."
_OPERANDS = (
    Operand("purpose", _odrl("purpose"), "purpose", INSIDE, "the purpose", "使用目的", _AGREED),
    Operand("recipient", _odrl("recipient"), "set", MANY, "the recipient", "接收方", _AGREED, form="party"),
    Operand(
        "recipientClass",
        _own("recipientClass"),
        "set",
        MANY,
        "the recipient's class",
        "接收方类别",
        "Have the recipient's class confirmed, or agreed.",
        values=tuple(RECIPIENT_CLASSES),
    ),
    Operand("place", _odrl("spatial"), "place", INSIDE, "the place", "地点", "Use it at an agreed place."),
    Operand("network", _own("network"), "network", INSIDE, "the network", "网络", "Use it from an agreed network."),
    Operand("dateTime", _odrl("dateTime"), "instant", ORDER, "the time", "时间", "Use it at an agreed time."),
    Operand(
        "openingHours",
        _own("openingHours"),
        "window",
        ("eq", "isAnyOf", "isPartOf", "neq", "isNoneOf"),
        "the hour",
        "开放时段",
        "Use it within the agreed hours.",
    ),
    Operand(
        "elapsedTime",
        _odrl("elapsedTime"),
        "duration",
        ORDER,
        "the time since the agreement",
        "协议生效后经过的时间",
        "Renew the agreement, or wait as long as it says.",
    ),
    Operand(
        "count",
        _odrl("count"),
        "number",
        ORDER,
        "the number of uses, this one included",
        "使用次数",
        "Have more uses agreed.",
        units=("uses",),
    ),
    Operand("study", _own("study"), "text", ONE, "the study", "研究", _AGREED, form="name"),
    Operand(
        "population",
        _own("population"),
        "set",
        MANY,
        "the population",
        "人群",
        "Restrict the cohort to an agreed population.",
        values=tuple(POPULATIONS),
    ),
    Operand(
        "variable",
        _own("variable"),
        "set",
        MANY,
        "the variable",
        "变量",
        "Leave out what is not agreed, or have it agreed.",
        form="variable",
    ),
    Operand("operation", _own("operation"), "text", ONE, "the operation", "操作", _AGREED, values=OPERATIONS),
    Operand(
        "outputType",
        _own("outputType"),
        "set",
        MANY,
        "the kind of output",
        "输出类型",
        "Ask for an agreed kind of output.",
        values=tuple(OUTPUT_TYPES),
    ),
    Operand(
        "kAnonymity",
        _own("kAnonymity"),
        "number",
        ORDER,
        "k of k-anonymity",
        "k-匿名的 k 值",
        "Generalise or suppress until k is reached.",
        units=("persons",),
        least="1",
    ),
    Operand(
        "minimumCell",
        _own("minimumCell"),
        "number",
        ORDER,
        "the minimum cell",
        "最小单元人数",
        "Raise the plan's minimum cell.",
        units=("persons",),
        least="1",
    ),
    Operand(
        "privacyBudget",
        _own("privacyBudget"),
        "number",
        ORDER,
        "the privacy budget spent, this use included",
        "隐私预算",
        "Spend less, or have a larger budget agreed.",
        units=("epsilon",),
    ),
    Operand(
        "algorithm",
        _own("algorithm"),
        "set",
        HELD,
        "the algorithm",
        "算法",
        "Use an agreed algorithm, by its name or digest.",
        form="algorithm",
        held=True,
    ),
    Operand(
        "environment",
        _own("environment"),
        "text",
        ONE,
        "the environment",
        "运行环境",
        "Run it in an agreed environment.",
        values=tuple(ENVIRONMENTS),
    ),
    Operand(
        "ethicsApproval",
        _own("ethicsApproval"),
        "set",
        HELD,
        "the ethics approval that stands",
        "有效的伦理批件",
        "Obtain the approval, or have it renewed.",
        form="name",
        held=True,
    ),
    Operand(
        "consentBasis",
        _own("consentBasis"),
        "text",
        ONE,
        "the basis in law",
        "合法性基础",
        "Have the study's basis recorded and agreed.",
        values=BASES,
    ),
    Operand(
        "securityAssessment",
        _own("securityAssessment"),
        "set",
        HELD,
        "the third-party assessment that stands",
        "有效的第三方安全测评",
        "Have the environment assessed by a third party.",
        form="name",
        held=True,
    ),
    Operand(
        "onwardTransfer",
        _own("onwardTransfer"),
        "flag",
        ("eq", "neq"),
        "the passing on to others",
        "再转移",
        "Keep the result with its recipients, or have passing on agreed.",
    ),
    Operand(
        "grade", _own("grade"), "grade", ORDER, "the grade", "数据级别", "Leave out columns of a higher grade.", GRADES
    ),
    Operand(
        "lawPack",
        _own("lawPack"),
        "set",
        HELD,
        "the law pack that is satisfied",
        "已满足的法规包",
        "Satisfy every article of the pack.",
        form="name",
        held=True,
    ),
    Operand(
        "disclosurePack",
        _own("disclosurePack"),
        "set",
        HELD,
        "the disclosure pack that is kept",
        "所遵守的披露控制规则包",
        "Carry the strictest of the hospitals' packs in the plan.",
        form="pack",
        held=True,
    ),
    Operand(
        "payAmount",
        _odrl("payAmount"),
        "number",
        ORDER,
        "the amount paid",
        "支付金额",
        "Pay the agreed amount.",
        units=("credits", "CNY", "EUR", "USD"),
    ),
)
OPERANDS = {operand.name: operand for operand in _OPERANDS}
"""Every operand by its short name."""

_ACTIONS = (
    Action("use", _odrl("use"), "use in any of these ways", "使用"),
    Action("read", _odrl("read"), "read a released aggregate", "读取", "use"),
    Action("display", _odrl("display"), "show on a screen", "展示", "use"),
    Action("statistics", _own("statistics"), "compute statistics", "统计计算", "use"),
    Action("training", _own("training"), "train a model", "模型训练", "use"),
    Action("extract", _odrl("extract"), "take out records, reviewed", "提取", "use"),
    Action("synthesise", _own("synthesise"), "make a synthetic set", "合成数据", "use"),
    Action("transfer", _own("transfer"), "transfer a released product", "传输", "use"),
    Action("lookup", _own("lookup"), "look a patient up in care", "诊疗调阅", "use"),
    Action("methodsDevelopment", _own("methodsDevelopment"), "develop methods or software", "方法与软件开发"),
    Action("commercialise", _odrl("commercialize"), "use commercially", "商业使用"),
    Action("redistribute", _odrl("distribute"), "pass on to others", "再分发"),
    Action("reidentify", _own("reidentify"), "find out who a person is", "重新识别"),
)
ACTIONS = {action.name: action for action in _ACTIONS}
"""Every action by its short name."""

_DUTIES = (
    Action("log", _own("log"), "log the use", "记录日志"),
    Action("delete", _odrl("delete"), "delete after use", "使用后删除"),
    Action("return", _own("return"), "return the results", "返还结果"),
    Action("publish", _own("publish"), "publish the results", "公开发表"),
    Action("acknowledge", _odrl("attribute"), "acknowledge the source", "致谢来源"),
    Action("pay", _odrl("compensate"), "pay", "支付费用"),
    Action("anonymise", _odrl("anonymize"), "anonymise", "匿名化"),
    Action("notify", _odrl("inform"), "notify the provider", "通知提供方"),
    Action("collaborate", _own("collaborate"), "collaborate with the provider", "与提供方合作"),
    Action("obtainEthicsApproval", _own("obtainEthicsApproval"), "obtain an ethics approval", "取得伦理批件"),
)
DUTIES = {duty.name: duty for duty in _DUTIES}
"""Every duty by its short name."""


_BY_LOCAL = {one.local.lower(): one.name for one in (*_ACTIONS, *_DUTIES)}
_BY_LOCAL |= {one.local.lower(): one.name for one in _OPERANDS}


def nearest(word: str, known: Iterable[str] | None = None) -> str:
    """The known word most like ``word`` (of operands, actions and duties unless ``known`` are given); else ``""``.

    >>> nearest("purpos"), nearest("spatial"), nearest("zzz")
    ('purpose', 'place', '')
    """
    names = [*OPERANDS, *ACTIONS, *DUTIES] if known is None else list(known)
    last = word.rpartition("/")[2].rpartition("#")[2].rpartition(":")[2][:80]
    alias = _BY_LOCAL.get(last.lower())
    if alias is not None and alias in names:
        return alias
    folded = {name.lower(): name for name in names}
    found = difflib.get_close_matches(last.lower(), list(folded), 1, 0.6)
    return folded[found[0]] if found else ""


def includes(wider: str, action: str) -> bool:
    """Whether an action is another or a part of it; unknown actions are part of nothing.

    >>> includes("use", "statistics"), includes("statistics", "use"), includes("use", "reidentify")
    (True, False, False)
    """
    while action in ACTIONS:
        if action == wider:
            return True
        action = ACTIONS[action].wider
    return False
