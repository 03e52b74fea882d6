"""Units as laboratories and wards write them, in English and Chinese, and what UCUM calls them."""

from __future__ import annotations

from types import MappingProxyType

_WHOLE = """
mm[Hg] : mmHg mmhg MMHG mm_Hg 毫米汞柱 毫米水银柱 torr
cm[H2O] : cmH2O cmh2o 厘米水柱
Cel : C °C ℃ 摄氏度 degC deg.C Celsius oC 度
[degF] : F °F ℉ 华氏度 degF Fahrenheit
[pH] : pH PH Ph ph
% : ％ percent pct 百分比 百分数 百分率 %(v/v) vol%
[ppth] : ‰
/min : bpm BPM beats/min beat/min 次/分 次/分钟 次/min 次/m breaths/min breath/min 1/min /分 /分钟 跳/分 rpm 次／分
/[HPF] : /HP /HPF /hpf /hp 个/HP 个/HPF 个/高倍视野 /高倍视野 /高倍 个/高倍 cells/hpf
/[LPF] : /LP /LPF /lpf 个/LP 个/LPF 个/低倍视野 /低倍视野 /低倍
/uL : 个/uL 个/μL 个/ul cells/uL cells/ul /mm3 cells/mm3 /cumm 1/uL
/mL : 个/mL 个/ml 1/mL cells/mL cells/ml
/L : 个/L 1/L
10*9/L : G/L Gpt/L 10G/L giga/L bil/L K/uL K/ul k/uL K/mm3 K/cumm Thou/uL thou/uL Thousand/uL Th/uL x1000/uL
10*9/L : 9/L 9/l
10*12/L : 12/L 12/l
10*6/L : 6/L 6/l
10*3/uL : 3/uL 3/ul
10*6/uL : 6/uL 6/ul
10*12/L : T/L Tpt/L 10T/L tera/L M/uL M/ul Mill/uL mill/uL Million/uL M/mm3 M/cumm
g/dL : g% gm% gm/dL gm/dl g/100mL g/100ml gr/dL
mg/dL : mg% mg/100mL mg/100ml
mm/h : mm/1h mm/hr mm/H mm/小时 毫米/小时 毫米/时 mm/Hr
[lb_av] : lb lbs pound pounds 磅 LB LBS
[oz_av] : oz OZ ounce ounces
[in_i] : in inch inches IN 英寸
[ft_i] : ft foot feet 英尺
kg/m2 : 公斤/平方米 千克/平方米 kg/m*2 kg/m^2
mL/min/{1.73_m2} : mL/min/1.73m2 ml/min/1.73m2 mL/min/1.73m^2 ml/min/1.73m^2 mL/min/1.73m*2 mL/min/(1.73m2)
mL/min/{1.73_m2} : ml/(min.1.73m2) ml/(min*1.73m2) mL/(min*1.73m2) ml/min*1.73m2 ml/min.1.73m2 mL/min*1.73m2
{ratio} : ratio Ratio RATIO 比值 比率
{INR} : INR inr
{s_co} : S/CO s/co S/Co S/C.O. S/CO值 s/co值
{COI} : COI coi C.O.I
{index} : index Index 指数
{titer} : titer Titer titre 滴度
{score} : score 分值 points
{copies}/mL : copies/mL copies/ml copy/mL copy/ml cp/mL cps/mL 拷贝/mL 拷贝/ml 拷贝/毫升
{copies} : copies 拷贝
[CFU]/mL : CFU/mL CFU/ml cfu/mL cfu/ml
[arb'U]/mL : AU/mL AU/ml au/mL
[arb'U]/L : AU/L
{RU}/mL : RU/mL RU/ml ru/ml
ng/mL{FEU} : ngFEU/mL ng/mLFEU ng/mlFEU ng/mL(FEU) ng/ml(FEU)
ug/mL{FEU} : ugFEU/mL ug/mLFEU ug/mlFEU mg/LFEU mg/L(FEU) mgFEU/L
{PEI_U}/mL : PEIU/mL PEIU/ml PEI-U/mL
U : u unit units Unit Units 单位 Ut
[IU] : IU iu 国际单位 I.U. i.u.
{tablet} : 片 tablet tablets tab tabs
{capsule} : 粒 capsule capsules cap caps
{ampule} : 支 安瓿 ampule ampules amp
{vial} : 瓶 vial vials
{bag} : 袋 bag bags
{puff} : 喷 揿 puff puffs
[drp] : 滴 drop drops gtt
{dose} : 剂 dose doses
{pack} : 盒 pack
d : day days Day Days 天 日
h : hr hrs hour hours 小时 时 H
min : minute minutes mins 分钟 分
s : sec secs second seconds 秒 秒钟 S Sec SEC
wk : week weeks 周 星期
mo : month months 月 个月
a : year years yr yrs 岁 年 y
mol/L : M mol/l 摩尔/升
mmol/L : mM mmol/l 毫摩尔/升 毫摩/升
umol/L : uM umol/l 微摩尔/升 微摩/升
meq/L : mEq/L mEq/l meq/l 毫当量/升
mosm/kg : mOsm/kg mosmol/kg mOsmol/kg mOsm/kgH2O mosm/kgH2O mOsm/(kg.H2O) mOsm/kg.H2O mosmol/kgH2O
mosm/L : mOsm/L mosmol/L mOsmol/L
kU/L : KU/L kU/l KU/l
[IU]/mL : IU/mL IU/ml iu/ml KIU/L
k[IU]/mL : KIU/mL KIU/ml kIU/mL
mg/g : mg/gCr mg/gcr mg/gCRE mg/g.Cr mg/g(Cr) mg/g肌酐
mmol/(24.h) : mmol/24h mmol/24hr mmol/24H mmol/日
umol/(24.h) : umol/24h umol/24hr
mg/(24.h) : mg/24h mg/24hr mg/24H
g/(24.h) : g/24h g/24hr
ug/(24.h) : ug/24h ug/24hr
mL/(24.h) : mL/24h ml/24h ml/24H ml/24hr
g/{total} : g/T
ug/kg/min : mcg/kg/min ug/(kg.min) ug/kg.min ug/kg/m
mg/kg/h : mg/(kg.h) mg/kg.h
mL/h : mL/hr ml/hr ml/h cc/h cc/hr
1 : 个 数 number
"""
"""UCUM : the ways in which the whole unit is written, spaces taken out.

``9/L`` is what is left of ``10^9/L`` where a message forgot to escape its own separator.
"""

_PARTS = """
L : l lt ltr liter litre 升
dL : dl DL 分升
cL : cl
mL : ml ML cc CC 毫升
uL : ul UL mcL mcl 微升 mm3 mm^3
fL : fl FL 飞升
pL : pl
g : gm gr gms G gram grams 克
kg : Kg KG kgs kilogram 公斤 千克
mg : MG Mg mgs milligram 毫克
ug : mcg MCG UG γ microgram 微克
ng : NG 纳克 毫微克
pg : PG 皮克
mol : MOL Mol 摩尔
mmol : MMOL Mmol mMol mmoL 毫摩尔 毫摩
umol : UMOL uMol mcmol 微摩尔 微摩
nmol : NMOL nMol 纳摩尔
pmol : PMOL pMol 皮摩尔
U : u 单位 Unit
mU : mu MU
kU : KU
[IU] : IU iu I.U. 国际单位
m[IU] : mIU miu MIU mIu
u[IU] : uIU uiu UIU mcIU
k[IU] : kIU KIU
meq : mEq MEQ mEQ 毫当量
mosm : mOsm mosmol mOsmol MOSM
m : M 米
cm : CM 厘米
mm : MM 毫米
um : UM 微米
m2 : m^2 M2 m*2 平方米
cm2 : cm^2 平方厘米
mm2 : mm^2 平方毫米
m3 : m^3 立方米
cm3 : cm^3 立方厘米
h : hr hrs H 小时 时
min : MIN Min 分钟 分
s : sec Sec SEC S 秒
d : day 天 日
wk : week 周
mo : 月
a : yr year 年
mm[Hg] : mmHg MMHG mmhg
cm[H2O] : cmH2O
ng : Ng
kPa : KPA Kpa
kcal : Kcal KCAL kCal 千卡
cal : Cal
Hz : HZ hz
dyn : dyne
mV : MV
uV : UV
"""
"""UCUM : the ways in which one factor of a unit is written."""

_COMMON = """
mmol/L umol/L nmol/L pmol/L mol/L mmol/mol umol/mol g/L mg/L ug/L ng/L pg/L g/dL mg/dL ug/dL ng/dL mg/mL ug/mL ng/mL
pg/mL fg/mL g/mL U/L U/mL mU/L mU/mL kU/L [IU]/L [IU]/mL m[IU]/L m[IU]/mL u[IU]/mL k[IU]/L ukat/L nkat/L meq/L mosm/kg
10*9/L 10*12/L 10*6/L 10*3/uL 10*6/uL 10*3/mL 10*6/mL fL pg g mg ug ng kg L mL dL uL mm cm m um nm mm[Hg] kPa cm[H2O]
Cel % /min /h mL/min mL/h L/min L/d mL/kg mg/kg ug/kg mg/kg/d mg/m2 g/kg kg/m2 mm/h ug/kg/min mg/h ug/h ug/min
mg/g mg/mmol g/mol kcal kJ s min h d wk mo a ms mV bpm meq mmol umol mol mosm g/(24.h) ug/g ng/g U/g mm2 cm2 m2
mL/s cm/s m/s mmol/d mg/d g/d mL/d mm[Hg]/s L/min/m2 dyn.s/cm5 mL/min/{1.73_m2} U kU mU [IU] m[IU] ng/mL/h mg/min
"""


def _spellings(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.strip().splitlines():
        unit, _, words = line.partition(" : ")
        for word in words.split():
            found.setdefault(word, unit)
    return found


WHOLE = MappingProxyType(_spellings(_WHOLE))
PARTS = MappingProxyType(_spellings(_PARTS))
COMMON = frozenset(_COMMON.split()) - {"bpm"}
FOLDED = MappingProxyType({unit.casefold(): unit for unit in sorted(COMMON, reverse=True)})
"""Common units by their letters alone: feeds in capitals say ``MG/DL``."""
