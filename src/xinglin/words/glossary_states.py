"""Labels of states and moves: every word of the state tables (docs/reference/states.md), in both languages.

A line is ``key | English | Chinese``; without the English, it is the key with spaces.
"""

from __future__ import annotations

STATES = """
accepted | 已接受
active | in force | 生效中
admitted | 已准入
advertised | 已通告
advertising | 通告中
agreed | 已达成协议
agreeing | 商定名单
allowed | 已允许
amended | 已变更
answered | 已答复
answering | 答复中
approved | 已批准
asked | 已申请
authorised | 已授权放行
awaiting-additional-information | 等待补充信息
cancelled | 已取消
charged | 已扣额度
closed | 已结束
committed | 已提交
compared | 已比对
completed | 已完成
computed | 已计算
computing | 计算中
confirmed | 已确认
contested | 有异议
countersigned | 已副署
deciding | 判定中
decision-issued | 已作决定
deferred | 已暂缓
delivered | 已送达
done | 已完成
dropped | 已逾期移除
ended | 已结束
erased | 已删除
executing | 执行中
expired | 已到期
failed | 失败
filed | 已备案
finalized | 已最终确定
granted | 已许可
held | 待人处理
initiated | 已发起
kept | 已保存
lapsed | 已失效
logged | 已存证
missed | 已逾期
narrowed | 已收窄
negotiating | 协商中
new | 新建
no-quorum | 未达法定人数
no-result | 无结果
noticed | 已通知
offered | 已要约
open | 待处理
opening | 开票中
planned | 已计划
pre-screening | 预审中
preparing | 准备中
processing | 审理中
proposed | 已提出
protected | 已保护
quarantined | 隔离中
read | 已读取
ready | 就绪
recalled | 已召回
refused | 已拒绝
rejected | 已驳回
released | 已放行
releasing | 放行中
remedied | 已补救
renewed | 已续期
replaced | 已被取代
requested | 已请求
reserved | 已预留
returned | 已退回
revealed | 已揭示
revealing | 揭示中
revoked | 已撤销
settled | 已结清
shared | 已分享密份
sharing | 分享密份
signed | 已签署
spent | 已用
split | 意见不一
start | not begun | 未开始
started | 已开始
submitted | 已提交
supported | 一人支持
suspended | 已暂停
taken | 已取走
terminated | 已终止
too-few | too few hospitals | 医院过少
uploaded | 已上传
uploading | 上传中
verified | 已核验
voting | 表决中
waiting | 等待中
withdrawn | 已撤回
withheld | 已扣留
working | 进行中
written | 已写入
draft | 草稿
queued | 排队中
checking | 检查中
running | 运行中
finished | 已完成
live | 实时
connected | 已连接
lost | 已断开
late | 已迟
overdue | 已逾期
in-force | in force | 生效中
reviewing | 审查中
needs-votes | needs votes | 待表决
denied | 已拒绝
positive | 同意
negative | 不同意
unknown | not known | 未知
good | 良好
warn | needs attention | 需注意
bad | something is wrong | 有问题
"""

EVENTS = """
accept | 接受
admit | 准入
advertise | 通告
adverts | 通告齐全
again | 再次
agree | 同意
allow | 允许
amend | 变更
answer | 答复
approve | 批准
ask | 询问
authorise | 授权放行
begin | 开始
cancel | 取消
charge | 扣额度
close | 结束
commit | 提交
complete | 完成
compute | 计算
confirm | 确认
contest | 提出异议
countersign | 副署
decide | 决定
defer | 暂缓
deliver | 送达
differ | 意见不一
drop | 逾期移除
end | 结束
endorse | 背书
endorsements | 背书齐全
erase | 删除
everything-answered | 全部已答复
execute | 执行
expire | 到期
fail | 失败
file | 备案
finalize | 最终确定
give-back | 退还
hold | 交由人处理
lapse | 失效
lift | 解除一方暂停
log | 存证
lose | 医院退出
narrow | 收窄名单
negotiate | 协商
offer | 要约
open | 打开
own-points-sent | 己方点已发送
prepare | 准备就绪
propose | 提出
protect | 保护
quarantine | 隔离
question-asked | 已提问
read | 读取
recall | 召回
refuse | 拒绝
reject | 驳回
release | 放行
remedy | 补救
renew | 续期
reopen | 重新打开
replace | 取代
replay | 重放
request | 请求
resume | 恢复
return | 退回
reveal | 揭示
revoke | 撤销
screen | 预审
settle | 结清
share | 分享密份
shares | 密份齐全
sign | 签署
spend | 使用
start | 开始
submit | 提交
support | 支持
suspend | 暂停
take | 取走
terminate | 终止
total | 得出总和
upload | 上传
uploads | 上传齐全
verify | 核验
withdraw | 撤回
withhold | 扣留
work | 处理
write | 写入
"""

MACHINES = """
application | 申请
register | 登记册
review | 伦理审查
a-suggested-correction | a suggested correction | 建议的更正
数字合约 | digital contract | 数字合约
备案 | filing | 备案
permit | 数据许可
agreement | 协议
breach | 违约通知
case | 违约个案
overdue | 逾期事项
use | 使用
run | 运行
an-object-on-its-way-in | an object on its way in | 接入对象
a-batch | a batch | 批
a-pair-under-review | a pair under review | 待审配对
charge | 额度扣减
output-review | output review | 结果审查
a-local-code's-mapping | a local code's mapping | 本地代码的映射
learner-of-a-matching | learner of a matching | 匹配的得知方
helper-of-a-matching | helper of a matching | 匹配的协助方
secure-sum,-party | secure sum, party | 安全求和：节点
secure-sum,-relay | secure sum, relay | 安全求和：中继
negotiation | 协商
transfer | 数据交付
extract | 数据提取
"""
