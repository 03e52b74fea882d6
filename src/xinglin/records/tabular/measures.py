"""Measurements and medicines that tables have as columns of their own, with their LOINC, UCUM and ATC codes."""

from __future__ import annotations

from functools import cache

import msgspec

LOINC, ATC = "http://loinc.org", "http://www.whocc.no/atc"
ICD9, ICD10 = "http://hl7.org/fhir/sid/icd-9-cm", "http://hl7.org/fhir/sid/icd-10"

_MEASURES = """
8480-6 | mm[Hg] | vital-signs | 收缩压 高压 | SSY | sbp systolic systolic_bp systolic_blood_pressure ap_hi trestbps
8462-4 | mm[Hg] | vital-signs | 舒张压 低压 | SZY | dbp diastolic diastolic_bp diastolic_blood_pressure ap_lo diabp
8867-4 | /min | vital-signs | 心率 脉搏 | XL MB | heart_rate pulse hr pulse_rate thalach
9279-1 | /min | vital-signs | 呼吸 呼吸频率 | HX HXPL | respiratory_rate resp_rate rr
8310-5 | Cel | vital-signs | 体温 | TW | temperature temp body_temperature temp_c
59408-5 | % | vital-signs | 血氧饱和度 血氧 | XYBHD | spo2 oxygen_saturation o2sat
8302-2 | cm | vital-signs | 身高 | SG | height height_cm body_height
29463-7 | kg | vital-signs | 体重 | TZ | weight_kg body_weight
39156-5 | kg/m2 | vital-signs | 体质指数 体重指数 | TZZS | bmi body_mass_index
4548-4 | % | laboratory | 糖化血红蛋白 | THXHDB | a1c hba1c a1cresult hemoglobin_a1c glycated_hemoglobin
2345-7 | mg/dL | laboratory | 血糖 葡萄糖 | XT PTT | glucose blood_glucose max_glu_serum serum_glucose glu
1558-6 | mg/dL | laboratory | 空腹血糖 | KFXT | fasting_glucose fbg fasting_blood_glucose fpg
2093-3 | mg/dL | laboratory | 总胆固醇 胆固醇 | ZDGC DGC | cholesterol total_cholesterol chol tc
2085-9 | mg/dL | laboratory | 高密度脂蛋白 | GMDZDB | hdl hdl_c hdl_cholesterol
13457-7 | mg/dL | laboratory | 低密度脂蛋白 | DMDZDB | ldl ldl_c ldl_cholesterol
2571-8 | mg/dL | laboratory | 甘油三酯 | GYSZ | triglycerides triglyceride tg
2160-0 | mg/dL | laboratory | 肌酐 | | creatinine serum_creatinine scr
3094-0 | mg/dL | laboratory | 尿素氮 | NSD | bun urea_nitrogen blood_urea_nitrogen
3084-1 | mg/dL | laboratory | 尿酸 | NS | uric_acid
718-7 | g/dL | laboratory | 血红蛋白 | XHDB | hemoglobin haemoglobin hgb hb
6690-2 | 10*3/uL | laboratory | 白细胞 白细胞计数 | BXB | wbc white_blood_cells leukocytes
777-3 | 10*3/uL | laboratory | 血小板 血小板计数 | XXB | platelets platelet_count plt
2823-3 | mmol/L | laboratory | 血钾 钾 | XJ | potassium serum_potassium
2951-2 | mmol/L | laboratory | 血钠 钠 | XN | sodium serum_sodium
1742-6 | U/L | laboratory | 谷丙转氨酶 丙氨酸氨基转移酶 | GBZAM | alt sgpt alanine_aminotransferase
1920-8 | U/L | laboratory | 谷草转氨酶 天门冬氨酸氨基转移酶 | GCZAM | ast sgot aspartate_aminotransferase
1751-7 | g/dL | laboratory | 白蛋白 | BDB | albumin serum_albumin alb
1988-5 | mg/L | laboratory | C反应蛋白 | CFYDB | crp c_reactive_protein
72166-2 | | social-history | 吸烟 吸烟史 吸烟状态 | XY XYS | smoking smoker smoking_status tobacco
"""

_MEDICINES = """
A10BA02 metformin 二甲双胍
A10BX02 repaglinide 瑞格列奈
A10BX03 nateglinide 那格列奈
A10BB02 chlorpropamide 氯磺丙脲
A10BB12 glimepiride 格列美脲
A10BB31 acetohexamide 醋酸己脲
A10BB07 glipizide 格列吡嗪
A10BB01 glyburide 格列本脲
A10BB01 glibenclamide
A10BB09 gliclazide 格列齐特
A10BB03 tolbutamide 甲苯磺丁脲
A10BG03 pioglitazone 吡格列酮
A10BG02 rosiglitazone 罗格列酮
A10BG01 troglitazone 曲格列酮
A10BF01 acarbose 阿卡波糖
A10BF02 miglitol 米格列醇
A10BB05 tolazamide 妥拉磺脲
A10BH01 sitagliptin 西格列汀
A10BK01 dapagliflozin 达格列净
A10BK03 empagliflozin 恩格列净
A10A insulin 胰岛素
A10BD02 glyburide-metformin
A10BD02 glipizide-metformin
A10BD06 glimepiride-pioglitazone
A10BD03 metformin-rosiglitazone
A10BD05 metformin-pioglitazone
B01AC06 aspirin 阿司匹林
B01AC04 clopidogrel 氯吡格雷
B01AA03 warfarin 华法林
C10AA05 atorvastatin 阿托伐他汀
C10AA07 rosuvastatin 瑞舒伐他汀
C10AA01 simvastatin 辛伐他汀
C08CA01 amlodipine 氨氯地平
C08CA05 nifedipine 硝苯地平
C09AA02 enalapril 依那普利
C09AA03 lisinopril
C09CA01 losartan 氯沙坦
C09CA03 valsartan 缬沙坦
C07AB02 metoprolol 美托洛尔
C07AB07 bisoprolol 比索洛尔
C03CA01 furosemide 呋塞米
C03DA01 spironolactone 螺内酯
A02BC01 omeprazole 奥美拉唑
H02AB07 prednisone 泼尼松
H03AA01 levothyroxine 左甲状腺素
"""

MEDICINE_WORDS = frozenset(
    {"no", "steady", "up", "down", "yes", "y", "n", "0", "1", "是", "否", "有", "无", "true", "false"}
)
NOT_TAKEN = ("No", "no", "NO", "N", "n", "0", "否", "无", "False", "false")


class Measure(msgspec.Struct, frozen=True):
    """A measurement: LOINC code, the UCUM unit it most often comes in, category, names."""

    code: str
    unit: str
    category: str
    names: tuple[str, ...]


@cache
def measures() -> dict[str, Measure]:
    """Measurements by normalised name."""
    from xinglin.records.tabular.guess import normalised

    found: dict[str, Measure] = {}
    for line in _MEASURES.strip().splitlines():
        code, unit, category, *names = (part.strip() for part in line.split("|"))
        words = tuple(word for part in names for word in part.split())
        measure = Measure(code, unit, category, words)
        found.update({normalised(word): measure for word in words})
    return found


@cache
def medicines() -> dict[str, str]:
    """ATC code by normalised name of the medicine."""
    from xinglin.records.tabular.guess import normalised

    lines = (line.split() for line in _MEDICINES.strip().splitlines())
    return {normalised(name): code for code, *names in lines for name in names}
