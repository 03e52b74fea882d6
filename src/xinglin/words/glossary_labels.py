"""Labels of every other enumeration that the product shows, in both languages.

A line is ``key | English | Chinese``; without the English, it is the key with spaces.
"""

from __future__ import annotations

ROLES = """
provider | 数据提供方
consumer | 数据使用方
service | 数据服务方
operator | 数据运营方
regulator | 数据监管方
witness | 见证
workspace | 受控环境
hospital | 医院
researcher | 研究者
ethics | ethics committee | 伦理委员会
patient | 患者
public | 公众
person | 个人
institution | 机构
applicant | 申请人
chair | 主任委员
member | 成员
reviewer | 审查人
key-holder | 密钥持有方
"""

PURPOSES = """
any | any purpose that is not prohibited | 任何未被禁止的目的
general-research | research of any kind | 一般研究
health-research | health, medical or biomedical research | 健康医学研究
disease-research | research into one named disease | 特定疾病研究
product-development | development of health products or services | 健康产品与服务研发
algorithm-testing | training and testing of algorithms | 算法训练、测试与评价
ancestry-research | research into ancestry | 人群起源或祖源研究
public-health | public or occupational health | 公共卫生与职业健康
policy-making | policy and regulation | 政策制定与监管
official-statistics | 官方统计
education | teaching in the health professions | 医学教育
care-quality | management and improvement of care | 医疗质量改进
clinical-care | treatment of the patient | 临床诊疗
detrimental-decisions | decisions to a person's detriment | 对个人不利的决定
insurance-pricing | terms in insurance or credit | 保险与信贷定价
employment-decisions | decisions about employment | 雇佣决定
advertising | advertising or marketing | 广告营销
harmful-products | products that do harm | 危害健康的产品
unethical-activities | what ethics law forbids | 违反伦理规定的活动
re-identification | finding out who a person is | 重新识别个人
"""

ACTIONS = """
use | any use | 使用
read | read a released aggregate | 读取
display | show on a screen | 展示
statistics | compute statistics | 统计计算
training | train a model | 模型训练
extract | take out records, reviewed | 提取
synthesise | make a synthetic set | 合成数据
transfer | fetch a released product | 取用已放行产品
lookup | look a patient up in care | 诊疗调阅
methodsdevelopment | develop methods or software | 方法与软件开发
commercialise | use commercially | 商业使用
redistribute | pass on to others | 再分发
reidentify | find out who a person is | 重新识别
"""

OPERATIONS = """
read | 读取
statistics | 统计
training | 训练
extract | 提取
synthesise | 合成
lookup | look-up | 调阅
transfer | 数据交付
"""

DUTIES = """
log | log the use | 记录日志
delete | delete after use | 使用后删除
return | return the results | 返还结果
publish | publish the results | 公开发表
acknowledge | acknowledge the source | 致谢来源
pay | 支付费用
anonymise | 匿名化
notify | notify the provider | 通知提供方
collaborate | collaborate with the provider | 与提供方合作
obtainethicsapproval | obtain an ethics approval | 取得伦理批件
"""

OPERANDS = """
purpose | 目的
recipient | 接收方
recipientclass | class of recipient | 接收方类别
place | 地点
network | 网络
datetime | time | 时间
openinghours | hours of the day | 时段
elapsedtime | time since the agreement | 协议后经过时间
count | number of uses | 使用次数
study | 研究
population | 人群
variable | 变量
operation | 操作
outputtype | kind of output | 输出类型
kanonymity | k of k-anonymity | k-匿名的 k 值
minimumcell | minimum cell | 单元格最小人数
privacybudget | privacy budget | 隐私预算
algorithm | 算法
environment | 环境
ethicsapproval | ethics approval | 伦理批件
consentbasis | basis in law | 法律依据
securityassessment | third-party assessment | 第三方测评
onwardtransfer | passing on to others | 向他人转移
grade | 等级
lawpack | law pack | 法规包
disclosurepack | disclosure pack | 披露规则包
payamount | amount paid | 支付金额
"""

OPERATORS = """
eq | is | 等于
neq | is not | 不等于
lt | less than | 小于
lteq | at most | 不超过
gt | more than | 大于
gteq | at least | 不少于
isanyof | any of | 属于其一
isnoneof | none of | 不属于任一
isallof | all of | 包含全部
ispartof | inside | 在……之内
isa | a kind of | 属于
haspart | contains | 包含
"""

GRADES = """
l1 | L1: products for everybody | L1：面向所有人的产品
l2 | L2: statistics under an agreement | L2：协议项下的统计
l3 | L3: sensitive, with the most demands | L3：敏感数据，要求最高
care | care only | 仅限诊疗
"""

REQUIREMENTS = """
evidence | each step is logged first | 每一步生效前先存证
authorised-institution | the institution is admitted | 申请机构已准入
agreement | an agreement in force | 有效的协议
secure-sum | only pooled totals are opened | 只打开多家医院的汇总值
release-allowance | an answer is left in the allowance | 仍有放行额度
differencing-guard | compared with earlier releases | 与既往放行比对防差分
disclosure-pack | disclosure rules are applied | 执行披露控制规则
output-review | two persons review each extract | 每次提取由两人分别审查
enrolled-workspace | extracts stay in an enrolled workspace | 提取留在已登记的受控环境
proven-noise | only measured with proven noise | 只以可证明的噪声测量
watermark | each copy is marked | 每份副本带水印
named-study | belongs to the one named study | 属于指定的一项研究
ethics-approval | an ethics approval covers it | 有伦理批件覆盖
security-assessment | security was assessed | 有第三方安全测评
protected-computation | encrypted or attested computation | 密态计算或可证明环境
"""

KINDS = """
key-registration | keys registered | 密钥登记
key-change | keys changed | 密钥更换
key-revocation | keys revoked | 密钥撤销
revocation | 撤销
policy | quorum policy | 法定数策略
agreement | agreement in force | 协议生效
agreement-end | agreement ended | 协议终止
agreement-amendment | agreement amended | 协议变更
agreement-renewal | agreement renewed | 协议续期
agreement-suspension | agreement suspended | 协议暂停
agreement-resumption | agreement resumed | 协议恢复
agreement-breach | notice of breach | 违约通知
publication | data set published | 数据集发布
approval | 批件
freeze | 冻结
usage | 使用计量
settlement | 结算
state | state root | 状态根
request | use asked for | 使用申请
decision | decision on a use | 对使用的决定
refused | use refused | 使用被拒绝
admitted | run admitted | 运行准入
release-authorised | release authorised | 授权放行
delivered | result delivered | 结果送达
ended | ended without a release | 未放行而结束
lookup | record of looks | 调阅记录
break-glass | emergency look-up | 紧急调阅
consent | consent or objection | 同意或反对
review | 审查
intake | data came in | 数据接入
erasure | data erased | 数据删除
change | administrative change | 管理变更
evaluation | blinded evaluation | 盲计算
"""

BASES = """
consent | 同意
ethics-waiver | ethics waiver | 免除知情同意
statutory-duty | statutory duty | 法定职责
permit | data permit | 数据许可
"""

BREACHES = """
purpose | used for another purpose | 超出约定目的使用
recipient | passed on to somebody else | 提供给约定以外的接收方
re-identification | tried to find out who a person is | 尝试重新识别个人
not-deleted | not deleted in time | 未按期删除
not-published | results not published in time | 未按期公布结果
not-paid | not paid | 未付款
not-delivered | not provided as agreed | 未按约定提供
security-incident | security incident | 安全事件
other | another duty not carried out | 其他违约
"""

CATEGORIES = """
genetic | genetic and genomic data | 遗传与基因数据
mental-health | mental health | 精神健康
sexual-health | sexual and reproductive health | 性与生殖健康
hiv | HIV and AIDS | 艾滋病
substance-use | use of alcohol and drugs | 酒精与药物使用
violence | domestic and sexual violence | 家庭与性暴力
minors | data of minors | 未成年人数据
ethnicity | ethnic origin, race, belief | 民族、种族与信仰
biometric | faces, voices and other biometric data | 人脸、声音等生物识别数据
"""

RECIPIENT_CLASSES = """
hospital | 医院
clinic | 诊所
research-institute | 科研机构
university | 高校
authority | 政府主管部门
non-profit | non-profit | 非营利组织
insurer | 保险机构
company | 企业
patient | the patient | 患者本人
"""

ENVIRONMENTS = """
node | a hospital's node | 医院节点
hospital-node | a hospital's node | 医院节点
workspace | controlled workspace | 受控环境
attested-enclave | attested enclave | 可证明的机密计算环境
sandbox | regulatory sandbox | 监管沙箱
own-system | the recipient's own system | 使用方自有系统
"""

OUTPUT_TYPES = """
count | 计数
statistic | 统计量
table | 汇总表
figure | 图
model | 模型
synthetic-data | 合成数据
records | 记录
image | 影像
"""

POPULATIONS = """
adults | 成人
minors | 未成年人
newborns | 新生儿
pregnant-women | 孕产妇
older-adults | 老年人
without-capacity | persons without capacity | 无民事行为能力人
deceased | 逝者
"""

VERDICTS = """
yes | 是
no | 否
ask | a person decides | 由人判断
allowed | 允许
denied | 拒绝
permit | 允许
deny | 反对
silent | 未表态
approve | 赞成
reject | 反对
abstain | 弃权
release | 放行
withhold | 扣留
positive | 同意
negative | 不同意
satisfied | 已满足
violated | 不符合
not-applicable | not applicable | 不适用
needs-an-answer | needs an answer | 须由人回答
not-known | not known | 未知
"""

QUALITY = """
completeness | 完整性
validity | 规范性
plausibility | 合理性
uniqueness | 唯一性
integrity | 一致性
timeliness | 及时性
passed | 通过
failed | 未通过
not-applicable | not applicable | 不适用
"""

CONFIRMATIONS = """
open | nobody confirmed it | 未经确认
as-suggested | confirmed as suggested | 按建议确认
tightened | confirmed above the suggestion | 确认为更高等级
loosened | confirmed below the suggestion | 有理由地确认为较低等级
lapsed | a higher grade is suggested since | 此后建议更高等级
"""

NOISE = """
epsilon | epsilon | ε（隐私参数）
delta | delta | δ（失败概率）
rho | rho | ρ（零集中隐私参数）
cap | 上限
charge | 扣减
share | 分摊
release | 放行
inherit | carried over | 沿用
gaussian | discrete Gaussian | 离散高斯
laplace | discrete Laplace | 离散拉普拉斯
spent | 已用
left | 剩余
"""

ORDER_REASONS = """
reidentification | a person might be told from it | 可能识别出个人
unlawful | not allowed by law, permit or approval | 法律、许可或批件不允许
consent | a withdrawal or objection binds it | 受撤回或反对约束
erroneous | what it says is wrong | 内容有误
inquiry | it is being looked into | 正在调查
"""

REVOCATIONS = """
compromised | 已泄露
left | left the space | 已离开空间
superseded | 已被取代
frozen | 已冻结
"""

EQUIVALENCES = """
equivalent | 等价
wider | 更宽
narrower | 更窄
related | 相关
unmapped | 未映射
"""

PULSES = """
good | all is well | 一切正常
warning | needs attention | 需要注意
bad | something is wrong | 出现问题
away | cannot be reached | 无法连接
unknown | not known | 未知
ok | all is well | 一切正常
live | 实时
late | lagging behind | 滞后
lost | no connection | 连接中断
connected | 已连接
disconnected | not connected | 未连接
"""

REGIMES = """
opt-in | only with consent | 须经同意
opt-out | unless they object | 可予反对
none | no choice by law | 依法无须选择
"""

TEMPLATES = """
aggregates | aggregates for everybody | 面向所有人的汇总
statistics | statistics | 统计分析
training | training of a model | 模型训练
extract | extract into a workspace | 提取到受控环境
public-health | public health | 公共卫生
genomes | genomes | 基因组
"""

DOSSIERS = """
ethics | application for ethics review | 伦理审查申请
impact-assessment | impact assessment | 个人信息保护影响评估
genetic-resources | filing of human genetic resources | 人类遗传资源备案
ehds | EHDS application | EHDS 申请
"""

MISSING = """
quarantined | it is in quarantine | 在隔离区
rejected | it was rejected | 已被拒收
taken-back | the source took it back | 来源已撤回
other-day | it is here under another day | 记在另一天
no-row | no row came of it | 没有生成记录
never-received | no message names it | 收到的消息中没有它
"""

CUSTODY = """
own | at the hospital's own node | 医院自有节点
hosted | processed by a centre under mandate | 受托中心处理
backup | kept as ciphertext only | 仅密文备份
"""

RELATIONS = """
own | on its own account | 自行处理
entrusted | 委托处理
joint | 共同处理
provided | provided to another | 向其他处理者提供
published | 公开
"""

GROUPS = {
    "role": ROLES,
    "purpose": PURPOSES,
    "action": ACTIONS,
    "operation": OPERATIONS,
    "duty": DUTIES,
    "operand": OPERANDS,
    "operator": OPERATORS,
    "grade": GRADES,
    "requirement": REQUIREMENTS,
    "kind": KINDS,
    "basis": BASES,
    "breach": BREACHES,
    "category": CATEGORIES,
    "recipient-class": RECIPIENT_CLASSES,
    "environment": ENVIRONMENTS,
    "output-type": OUTPUT_TYPES,
    "population": POPULATIONS,
    "verdict": VERDICTS,
    "quality": QUALITY,
    "confirmation": CONFIRMATIONS,
    "noise": NOISE,
    "order": ORDER_REASONS,
    "revocation": REVOCATIONS,
    "equivalence": EQUIVALENCES,
    "pulse": PULSES,
    "regime": REGIMES,
    "template": TEMPLATES,
    "dossier": DOSSIERS,
    "missing": MISSING,
    "custody": CUSTODY,
    "relation": RELATIONS,
}
"""The lines of every group of labels, by the first part of their keys."""
