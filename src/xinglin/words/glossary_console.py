"""Labels of what the console shows: objects, and what waits in an inbox. A line is ``key | English | Chinese``."""

from __future__ import annotations

OBJECTS = """
pair-of-records | pair of records | 成对记录
policy-proposal | proposal for the policy | 策略提案
study | 研究
application | 申请
agreement | 协议
motion | 表决事项
approval | 伦理批件
permit | 数据许可
data-set | data set | 数据集
product | 数据产品
run | 运行
result | 结果
extract | 数据提取
synthetic | synthetic set | 合成数据集
entry | log entry | 日志条目
checkpoint | 检查点
participant | 主体
person | 个人
page | 页面
policy | 策略
look | a look at data | 数据查看记录
"""

ITEMS = """
vote | a motion to vote on | 待表决
count | votes to count | 待计票
put | an application to put to the vote | 待提交表决
agreement | an agreement is offered | 待副署的协议
output | a result to look at before it leaves | 待审查的输出
question | a question to answer | 待答复的问题
offer | a decided application to offer | 待发出要约
draft | a draft to finish | 待完成的草稿
in-force | a study in force: ask it something | 研究已生效，可以提问
admission | an application to accept | 待受理的申请
incident | an incident | 待处理事件
complaint | a patient's word | 患者意见
mapping | codes to map | 待映射的编码
link | persons to link | 待确认的关联
quarantine | records in quarantine | 隔离中的记录
policy | a policy to confirm | 待确认的策略
health | something to mend | 待修复项
choice | something to know | 须知
"""

STANDINGS = """
counted | 计入
left-out | left out | 不计入
"""

STUDY_STATES = """
applied | handed in | 已提交
asked | a question is open | 待答复
approved | approved, to be offered | 已批准，待发出要约
refused | not approved | 未获批准
offered | with the hospitals | 待医院签署
in-force | in force | 生效中
withdrawn | 已撤回
ended | over | 已结束
"""

CONSOLE_GROUPS = {"study-state": STUDY_STATES, "standing": STANDINGS, "object": OBJECTS, "item": ITEMS}
