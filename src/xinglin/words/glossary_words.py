"""The words of the glossary: label in both languages, and below it the meaning in both."""

from __future__ import annotations

WORDS = """
trusted data space | 可信数据空间
  rules, participants and software under which data are used without being handed over
  在不交出数据的前提下使用数据的规则、主体与软件
participant | 主体
  an institution or person with a DID and keys
  拥有 DID 与密钥的机构或个人
provider | 数据提供方
  hospital, clinic or centre that runs a node
  运行节点的医院、诊所或体检中心
consumer | 数据使用方
  who asks: researcher, clinician, authority, company
  提出使用申请的一方
service | 数据服务方
  who turns data into products
  将数据加工为产品的一方
operator | 数据运营方
  who runs the hub
  运行枢纽的一方
regulator | 数据监管方
  who runs a witness, approves, audits, freezes
  运行见证、审批、审计、冻结的一方
patient | 患者
  the person the data is about
  数据所涉及的个人
hub | 枢纽
  relays runs, keeps catalogue, agreements and log; sees no row
  中继运行，保存目录、协议与日志；看不到行数据
node | 节点
  a hospital's process: lake, gate, secure sum
  医院侧进程：数据湖、闸、安全求和
witness | 见证
  verifies the log and cosigns checkpoints
  核验日志并联署检查点
gate | 闸
  the one way out for anything derived from patient data
  患者数据衍生物的唯一出口
lake | 数据湖
  a hospital's Delta tables
  医院的 Delta 表
study | 研究
  who wants what for which purpose; never "project"
  谁、为何目的、要什么；不称“项目”
data set | 数据集
  what a provider publishes under one name; holds tables
  提供方以一个名称发布的内容，包含若干表
table | 表
  one kind of facts, one patient key
  一类事实，一个患者键
patient key | 患者键
  the column that says which person a row is about
  说明该行属于哪个人的列
cohort | 队列
  the persons that an agreement's SELECT names
  协议中的 SELECT 所指的人群
variable | 变量
  a column that an agreement exposes
  协议所开放的列
product | 数据产品
  a view, or a result that was released for everybody, with grade, terms and version
  带有等级、条款与版本的视图，或已面向所有人放行的结果
plan | 方案
  query, algorithm, roster and snapshot, by digest
  查询、算法、名册与快照及其摘要
run | 运行
  one execution of a plan
  方案的一次执行
roster | 名册
  the nodes of a run
  一次运行的参与节点
use request | 使用请求
  the signed sentence: who, what, purpose, operation, agreement
  签名的一句话：谁、什么、目的、操作、协议
agreement | 协议
  what a study and a hospital both signed
  研究与医院双方签署的约定
purpose | 目的
  a word of DUO that says what for
  以 DUO 词汇说明用途
operation | 操作
  read, statistics, training, extract
  读取、统计、训练、提取
grade | 等级
  L1, L2, L3: how much a use of the data requires
  使用数据所需的要求高低
allowance | 额度
  how many releases an agreement still has
  协议尚可放行的次数
privacy budget | 隐私预算
  how much proven noise may still give away, a data set and study
  每个数据集与研究尚可消耗的隐私额度
minimum cell | 单元格最小人数
  the fewest persons a released cell may be about
  放行单元所涉最少人数
complementary suppression | 补充抑制
  hiding further cells so that a hidden one cannot be computed
  再隐藏若干单元，使被隐藏者无法推算
differencing guard | 差分攻击防护
  compares the persons of a release with earlier ones
  将本次与先前放行所涉人群相比较
mergeable summary | 可合并摘要
  a vector that only ever gets added
  只做加法的向量
secure sum | 安全求和
  adding vectors that nobody but their owner can read
  相加各方向量而他人不可读
mask | 掩码
  what is added to a vector and cancels in the sum
  加在向量上、在总和中相消的量
roster key | 名册密钥
  known to the nodes of a run, not to the hub; covers the total
  运行各节点所知而枢纽不知，用以遮盖总和
survivors | 存续节点
  the nodes whose vectors are in the total
  其向量计入总和的节点
endorsement | 背书
  a node's signature over the survivors
  节点对存续名单的签名
evidence | 证据
  entries of the log
  日志中的条目
log | 日志
  the append-only Merkle tree of a space
  空间的只增默克尔树
leaf, entry | 叶, 条目
  one line of evidence
  一条证据
checkpoint | 检查点
  a signed note over the tree head
  对树头的签名
cosignature | 联署
  a witness's signature on a checkpoint
  见证对检查点的签名
quorum | 法定数
  how many witnesses have to cosign, and who must be among them
  须有多少见证联署以及其中必须有谁
receipt | 收据
  entry, inclusion proof, checkpoint and cosignatures in one file
  条目、包含证明、检查点与联署
salted commitment | 加盐承诺
  a digest that can be opened to an auditor and tells nobody else anything
  可向审计方开启、对他人不透露任何信息的摘要
suite | 密码套件
  the named set of signature, key exchange and cipher
  签名、密钥交换与加密算法的命名组合
credential | 凭证
  the operator's signed statement that a participant is admitted
  运营方签发的准入声明
door token | 门票
  opens an HTTP door for five minutes and nothing else
  仅在五分钟内打开一个 HTTP 入口
invite | 邀请
  single-use, short-lived: lets one node join
  一次性、短时有效，供一个节点加入
fence | 电子围栏
  where, when and in which environment a use may happen
  使用可发生的地点、时间与环境
law pack | 法规包
  rule files with article, check and remedy
  含条款、检查与补救的规则文件
break-glass | 紧急调阅
  attested, time-limited, reviewed access in an emergency
  紧急情况下有证明、限时、事后复核的访问
release | 放行
  a result leaving through the gate
  结果经由闸离开
refusal | 拒绝
  a "no" with reasons and what would have to change
  附理由及改变条件的“否”
three releases of value | 三次价值释放
  primary: care; secondary: research and management; tertiary: products
  一次：诊疗；二次：科研与管理；三次：产品
usable, not visible | 可用不可见
  computing on data that nobody is shown
  数据可计算而不可见
controllable and measurable | 可控可计量
  each use decided and metered
  每次使用皆经决定并计量
traceable and auditable | 可溯可审计
  each use leaves evidence
  每次使用皆留证据
policy | 策略
  permissions, prohibitions and duties that an agreement or offer holds
  协议或要约所含的许可、禁止与义务
constraint | 约束
  an operand, an operator and a value
  左操作数、运算符与取值
duty | 义务
  what is owed for a use: log, delete, return, publish
  使用所附的义务：记录、删除、返还、发表
choice | 选择
  what a person allows or forbids about their data
  个人对其数据使用的允许或反对
basis | 依据
  consent, ethics waiver, statutory duty or permit
  同意、免除知情同意、法定职责或许可
application | 申请
  who asks for what, for which study
  谁为哪项研究申请什么
approval | 批件
  a committee's signed document with scope and expiry
  委员会签署、载明范围与期限的文件
dossier | 材料
  forms filled from a study's machine terms
  由研究的机读条款填写的各类表单
digital contract | 数字合约
  the Chinese standard's face of an agreement
  协议在中国标准中的表达
permit | 数据许可
  the European face of an agreement
  协议在欧洲健康数据空间中的表达
auto-pilot | 自动答复
  rules that answer for a hospital inside an envelope
  在医院预先同意的范围内代为答复的规则
connector | 连接器
  speaks the Dataspace Protocol with other data spaces
  以数据空间协议与其他数据空间互通
offer | 要约
  a policy under which a data set may be asked for
  数据集可被申请的条件
transfer | 数据交付
  a release fetched under an agreement
  依协议取走的放行结果
pilot | 监管沙箱试点
  a supervised trial with its own limits and end
  有自身限度与期限、受监督的试点
profile | 去标识化配置
  an allow-list of fields and what becomes of each; what is not named is dropped
  字段白名单及其处理方式；未列出的字段一律删除
pseudonym | 假名
  stands for a person in one study and data set
  在一项研究与一个数据集内代表某个人
class | 等价类
  persons who look alike in the columns by which people could be found
  在可识别列上彼此相同的一组人
noise | 噪声
  random whole numbers added by a proven mechanism
  由经证明的机制加入的随机整数
disclosure pack | 披露规则包
  rules on small numbers, with their sources
  针对小数值的规则及其出处
extract | 数据提取
  de-identified rows for one workspace, reviewed and sealed
  面向一个受控环境、经审查并封装的去标识化行数据
workspace | 受控环境
  where extracts are opened, whose own way out is a gate
  打开数据提取的环境，其出口同样是闸
synthetic set | 合成数据集
  rows drawn from a noised model; nobody's record
  由加噪模型生成的行，不对应任何人
twin | 孪生样例
  rows made of published facts alone, for trying code
  仅由公开信息生成、用于试写代码的行
watermark | 水印
  a recipient's codeword in the values
  写入数值中的接收方编码
key holder | 密钥持有方
  hub or regulator with one share of the pseudonym key
  持有假名密钥一份的枢纽或监管方
evaluation | 盲计算
  a key holder's answer to a batch of blinded numbers, counted and logged
  密钥持有方对一批盲化号码的应答，计数并存证
console | 控制台
  the web face of a seat; every button is also a call
  一个席位的网页界面；每个按钮也都是一次调用
seat | 席位
  an account, node, hub or witness that a person works at
  一个人所操作的账户、节点、枢纽或见证
quarantine | 隔离区
  records that cannot be read or attributed, kept until they can
  无法读取或归属、待其可处理的记录
feed | 接入源
  what brings a source's records into the lake
  把来源的记录带入数据湖
breach | 违约
  a duty that a party has not carried out, with notice and answer
  一方未履行的义务，附通知与答复
motion | 议案
  an application put to a committee's vote, word for word
  逐字提交委员会表决的申请
charter | 章程
  a committee's members and rules, signed by the regulator
  委员会的成员与规则，由监管方签署
freeze | 冻结
  the regulator's order that nothing more is released
  监管方不再放行的命令
"""
