"""Frequent measurements of laboratories and wards: LOINC codes with their Chinese and English names.

Written for this project from what is generally known; it proposes, a person confirms. LOINC codes are
© Regenstrief Institute, Inc. and available at no cost under the licence at loinc.org.
"""

from __future__ import annotations

from functools import cache

from xinglin.records.terminology.model import Concept
from xinglin.records.terminology.systems import LOINC

_BLOOD = """
6690-2 | 10*9/L 10*3/uL | 3.5-9.5 | WBC | Leukocytes in blood | 白细胞计数 白细胞 白血球
789-8 | 10*12/L 10*6/uL | 3.8-5.8 | RBC | Erythrocytes in blood | 红细胞计数 红细胞
718-7 | g/L g/dL | 115-175 | HGB Hb | Hemoglobin in blood | 血红蛋白 血色素
4544-3 | % L/L | 35-50 | HCT PCV | Hematocrit | 红细胞比容 红细胞压积
787-2 | fL | 82-100 | MCV | Mean corpuscular volume | 平均红细胞体积
785-6 | pg | 27-34 | MCH | Corpuscular hemoglobin | 平均红细胞血红蛋白含量 平均红细胞血红蛋白量
786-4 | g/L g/dL | 316-354 | MCHC | Corpuscular hemoglobin concentration | 平均红细胞血红蛋白浓度
788-0 | % | 11-15 | RDW RDW-CV | Erythrocyte width ratio | 红细胞分布宽度变异系数 红细胞分布宽度CV 红细胞体积分布宽度
21000-5 | fL | 37-54 | RDW-SD | Erythrocyte width volume | 红细胞分布宽度标准差 红细胞分布宽度SD
777-3 | 10*9/L 10*3/uL | 125-350 | PLT | Platelets in blood | 血小板计数 血小板
32623-1 | fL | 7-13 | MPV | Mean platelet volume | 平均血小板体积
32207-3 | fL | 9-17 | PDW | Platelet distribution width | 血小板分布宽度 血小板体积分布宽度
51637-7 | % | 0.1-0.4 | PCT-plt 血小板PCT | Plateletcrit | 血小板压积 血小板比容
71260-4 | % | 13-43 | P-LCR | Large platelet ratio | 大血小板比率 大型血小板比率
751-8 | 10*9/L 10*3/uL | 1.8-6.3 | NEUT# NEU# | Neutrophils count | 中性粒细胞绝对值 中性粒细胞计数 中性粒细胞数
770-8 | % | 40-75 | NEUT% NEU% | Neutrophils percent | 中性粒细胞百分比 中性粒细胞比率
731-0 | 10*9/L 10*3/uL | 1.1-3.2 | LYMPH# LYM# | Lymphocytes count | 淋巴细胞绝对值 淋巴细胞计数 淋巴细胞数
736-9 | % | 20-50 | LYMPH% LYM% | Lymphocytes percent | 淋巴细胞百分比 淋巴细胞比率
742-7 | 10*9/L 10*3/uL | 0.1-0.6 | MONO# MON# | Monocytes count | 单核细胞绝对值 单核细胞计数 单核细胞数
5905-5 | % | 3-10 | MONO% MON% | Monocytes percent | 单核细胞百分比 单核细胞比率
711-2 | 10*9/L 10*3/uL | 0.02-0.52 | EO# EOS# | Eosinophils count | 嗜酸性粒细胞绝对值 嗜酸性粒细胞计数 嗜酸性粒细胞数
713-8 | % | 0.4-8 | EO% EOS% | Eosinophils percent | 嗜酸性粒细胞百分比 嗜酸性粒细胞比率
704-7 | 10*9/L 10*3/uL | 0-0.06 | BASO# BAS# | Basophils count | 嗜碱性粒细胞绝对值 嗜碱性粒细胞计数 嗜碱性粒细胞数
706-2 | % | 0-1 | BASO% BAS% | Basophils percent | 嗜碱性粒细胞百分比 嗜碱性粒细胞比率
17849-1 | % | 0.5-1.5 | RET% | Reticulocytes percent | 网织红细胞百分比 网织红细胞比率
60474-4 | 10*9/L 10*12/L | 24-84 | RET# | Reticulocytes count in blood | 网织红细胞绝对值 网织红细胞计数
4537-7 | mm/h | 0-20 | ESR | Erythrocyte sedimentation rate | 红细胞沉降率 血沉
5902-2 | s | 9-14 | PT | Prothrombin time | 凝血酶原时间
5894-1 | % | 70-130 | PTA PT% | Prothrombin activity | 凝血酶原活动度 凝血酶原时间活动度
6301-6 | {INR} 1 | 0.8-1.2 | INR PT-INR | Normalized ratio | 国际标准化比值 凝血酶原国际标准化比值
14979-9 | s | 25-37 | APTT | Partial thromboplastin time | 活化部分凝血活酶时间 部分凝血活酶时间
3255-7 | g/L mg/dL | 2-4 | FIB FBG Fbg | Fibrinogen | 纤维蛋白原
3243-3 | s | 14-21 | TT | Thrombin time | 凝血酶时间
48065-7 | ng/mL{FEU} ug/mL{FEU} mg/L | 0-0.5 | D-D DD D-Dimer | Fibrin D-dimer FEU | D-二聚体 D二聚体
27811-9 | % | 80-120 | AT-III ATIII AT3 | Antithrombin activity | 抗凝血酶III 抗凝血酶Ⅲ活性 抗凝血酶
2465-3 | g/L mg/dL | 7-16 | IgG | Immunoglobulin G | 免疫球蛋白G
2458-8 | g/L mg/dL | 0.7-4 | IgA | Immunoglobulin A | 免疫球蛋白A
2472-9 | g/L mg/dL | 0.4-2.3 | IgM | Immunoglobulin M | 免疫球蛋白M
19113-0 | [IU]/mL k[IU]/L | 0-100 | IgE | Immunoglobulin E | 免疫球蛋白E
4485-9 | g/L mg/dL | 0.8-1.6 | C3 | Complement C3 | 补体C3
4498-2 | g/L mg/dL | 0.1-0.4 | C4 | Complement C4 | 补体C4
11572-5 | [IU]/mL | 0-20 | RF | Rheumatoid factor | 类风湿因子
5370-2 | [IU]/mL | 0-200 | ASO ASLO | Streptolysin O antibody | 抗链球菌溶血素O 抗O
8061-4 | | | ANA | Nuclear antibody | 抗核抗体
32218-0 | U/mL {RU}/mL | 0-20 | CCP 抗CCP | Citrullinated peptide antibody | 抗环瓜氨酸肽抗体
1988-5 | mg/L mg/dL | 0-8 | CRP | C reactive protein | C反应蛋白 C-反应蛋白
30522-7 | mg/L | 0-3 | hsCRP hs-CRP | C reactive protein high-sens | 超敏C反应蛋白 高敏C反应蛋白
33959-8 | ng/mL ug/L | 0-0.05 | PCT | Procalcitonin | 降钙素原
26881-3 | pg/mL ng/L | 0-7 | IL-6 IL6 | Interleukin 6 | 白介素6 白细胞介素6 白介素-6
"""

_CHEMISTRY = """
1742-6 | U/L | 7-50 | ALT GPT SGPT | Alanine aminotransferase | 丙氨酸氨基转移酶 谷丙转氨酶 丙氨酸转氨酶
1920-8 | U/L | 13-40 | AST GOT SGOT | Aspartate aminotransferase | 天门冬氨酸氨基转移酶 谷草转氨酶 天冬氨酸氨基转移酶
2324-2 | U/L | 7-60 | GGT γ-GT r-GT | Gamma glutamyl transferase | γ-谷氨酰转移酶 谷氨酰转肽酶 谷氨酰基转移酶
6768-6 | U/L | 35-135 | ALP AKP | Alkaline phosphatase | 碱性磷酸酶
14631-6 | umol/L | 3-21 | TBIL T-BIL TB | Bilirubin total moles | 总胆红素
1975-2 | mg/dL | 0.2-1.2 | | Bilirubin total mass | 总胆红素 总胆红素质量浓度
14629-0 | umol/L | 0-7 | DBIL D-BIL DB | Bilirubin direct moles | 直接胆红素 结合胆红素
1968-7 | mg/dL | 0-0.4 | | Bilirubin direct mass | 直接胆红素 直接胆红素质量浓度
14630-8 | umol/L | 2-17 | IBIL I-BIL IB | Bilirubin indirect moles | 间接胆红素 非结合胆红素
2885-2 | g/L g/dL | 65-85 | TP | Protein total in serum | 总蛋白
1751-7 | g/L g/dL | 40-55 | ALB | Albumin in serum | 白蛋白
10834-0 | g/L g/dL | 20-40 | GLO GLB | Globulin in serum | 球蛋白
1759-0 | 1 {ratio} | 1.2-2.4 | A/G | Albumin globulin ratio | 白蛋白球蛋白比值 白球比 白球比例
14338-8 | mg/L mg/dL g/L | 180-400 | PA PAB | Prealbumin | 前白蛋白
14628-2 | umol/L | 0-10 | TBA | Bile acids total | 总胆汁酸
2532-0 | U/L | 120-250 | LDH LD | Lactate dehydrogenase | 乳酸脱氢酶
2098-2 | U/L kU/L | 4500-13000 | CHE | Cholinesterase | 胆碱酯酶
14682-9 | umol/L | 41-111 | CREA Cr SCr CRE | Creatinine moles in serum | 肌酐 血肌酐
2160-0 | mg/dL | 0.5-1.3 | | Creatinine mass in serum | 肌酐 肌酐质量浓度
22664-7 | mmol/L | 2.6-9.5 | UREA Urea | Urea moles in serum | 尿素
14937-7 | mmol/L | 2.6-9.5 | BUN | Urea nitrogen moles in serum | 尿素氮
3094-0 | mg/dL | 7-20 | | Urea nitrogen mass in serum | 尿素氮 尿素氮质量浓度
14933-6 | umol/L | 155-430 | UA URIC | Urate moles in serum | 尿酸
3084-1 | mg/dL | 2.6-7.2 | | Urate mass in serum | 尿酸 尿酸质量浓度
33863-2 | mg/L | 0.5-1.1 | CYSC Cys-C CysC | Cystatin C | 胱抑素C 半胱氨酸蛋白酶抑制剂C
1952-1 | mg/L ug/mL | 1-3 | β2-MG B2-MG | Beta 2 microglobulin in serum | β2微球蛋白 β2-微球蛋白
62238-1 | mL/min/{1.73_m2} | 90-130 | eGFR GFR | Glomerular filtration rate | 估算肾小球滤过率 肾小球滤过率
2823-3 | mmol/L meq/L | 3.5-5.3 | K K+ | Potassium in serum | 钾 血钾 钾离子
2951-2 | mmol/L meq/L | 137-147 | Na Na+ | Sodium in serum | 钠 血钠 钠离子
2075-0 | mmol/L meq/L | 99-110 | Cl Cl- | Chloride in serum | 氯 血氯 氯离子 氯化物
2000-8 | mmol/L | 2.1-2.6 | Ca Ca2+ | Calcium moles in serum | 钙 血钙 总钙
17861-6 | mg/dL | 8.4-10.5 | | Calcium mass in serum | 钙 钙质量浓度
1995-0 | mmol/L | 1.1-1.35 | iCa Ca++ | Calcium ionized | 离子钙 游离钙
14879-1 | mmol/L | 0.85-1.51 | P IP PHOS | Phosphate moles in serum | 磷 血磷 无机磷
2601-3 | mmol/L | 0.75-1.02 | Mg Mg2+ | Magnesium moles in serum | 镁 血镁
2028-9 | mmol/L | 22-29 | CO2 TCO2 CO2CP | Carbon dioxide total | 二氧化碳 总二氧化碳 二氧化碳结合力
1963-8 | mmol/L | 22-27 | HCO3 HCO3- | Bicarbonate in serum | 碳酸氢根 碳酸氢盐
33037-3 | mmol/L | 8-16 | AG | Anion gap | 阴离子间隙
14798-3 | umol/L | 7-32 | Fe | Iron moles in serum | 铁 血清铁
2276-4 | ng/mL ug/L | 13-400 | FER SF Ferr | Ferritin | 铁蛋白 血清铁蛋白
14800-7 | umol/L | 45-75 | TIBC | Iron binding capacity moles | 总铁结合力
3034-6 | g/L mg/dL | 2-3.6 | TRF Tf | Transferrin | 转铁蛋白
2132-9 | pg/mL ng/L | 180-914 | VB12 B12 | Vitamin B12 | 维生素B12
2284-8 | ng/mL ug/L | 3-20 | FA FOL | Folate in serum | 叶酸
62292-8 | ng/mL nmol/L | 20-100 | 25-OH-VD 25OHD VD | Vitamin D 25 hydroxy | 25羟维生素D 25-羟基维生素D 维生素D
14749-6 | mmol/L | 3.9-6.1 | GLU | Glucose moles in serum | 葡萄糖 血糖
14771-0 | mmol/L | 3.9-6.1 | FBG FPG FBS | Glucose fasting moles | 空腹血糖 空腹葡萄糖
2345-7 | mg/dL | 70-110 | | Glucose mass in serum | 葡萄糖 葡萄糖质量浓度
1521-4 | mg/dL mmol/L | 4-8 | 2hPG PBG | Glucose after a meal | 餐后2小时血糖 餐后两小时血糖
4548-4 | % | 4-6 | HbA1c GHb A1c | Hemoglobin A1c percent | 糖化血红蛋白
59261-8 | mmol/mol | 20-42 | | Hemoglobin A1c IFCC | 糖化血红蛋白IFCC
20448-7 | u[IU]/mL m[IU]/L | 2-25 | INS | Insulin in serum | 胰岛素
1986-9 | ng/mL | 1-4 | CP C-P | C peptide | C肽 C-肽
14647-2 | mmol/L | 2.8-5.2 | TC CHOL TCHO | Cholesterol total moles | 总胆固醇 胆固醇
2093-3 | mg/dL | 110-200 | | Cholesterol total mass | 总胆固醇 总胆固醇质量浓度
14927-8 | mmol/L | 0.5-1.7 | TG TRIG | Triglyceride moles | 甘油三酯 三酰甘油
2571-8 | mg/dL | 40-150 | | Triglyceride mass | 甘油三酯 甘油三酯质量浓度
14646-4 | mmol/L | 1-2 | HDL HDL-C | Cholesterol HDL moles | 高密度脂蛋白胆固醇 高密度脂蛋白
2085-9 | mg/dL | 40-80 | | Cholesterol HDL mass | 高密度脂蛋白胆固醇 高密度脂蛋白胆固醇质量浓度
22748-8 | mmol/L | 1-3.4 | LDL LDL-C | Cholesterol LDL moles | 低密度脂蛋白胆固醇 低密度脂蛋白
13457-7 | mg/dL | 40-130 | | Cholesterol LDL calculated mass | 低密度脂蛋白胆固醇 低密度脂蛋白胆固醇质量浓度
1869-7 | g/L mg/dL | 1-1.6 | ApoA1 APOA1 | Apolipoprotein A1 | 载脂蛋白A1 载脂蛋白AI
1884-6 | g/L mg/dL | 0.6-1.1 | ApoB APOB | Apolipoprotein B | 载脂蛋白B
10835-7 | mg/L mg/dL | 0-300 | Lp(a) LPa | Lipoprotein a | 脂蛋白a 脂蛋白(a)
13965-9 | umol/L | 5-15 | HCY Hcy | Homocysteine | 同型半胱氨酸
2157-6 | U/L | 40-310 | CK CPK | Creatine kinase | 肌酸激酶 磷酸肌酸激酶
32673-6 | U/L | 0-25 | CK-MB CKMB | CK-MB activity | 肌酸激酶同工酶 肌酸激酶同工酶MB
13969-1 | ng/mL ug/L | 0-5 | CK-MBmass CK-MB质量 | Creatine kinase MB mass | 肌酸激酶同工酶质量
10839-9 | ng/mL ug/L | 0-0.04 | cTnI TnI | Troponin I cardiac | 肌钙蛋白I 心肌肌钙蛋白I
89579-7 | ng/L pg/mL | 0-26 | hs-cTnI hsTnI | Troponin I high-sens | 超敏肌钙蛋白I 高敏肌钙蛋白I 高敏心肌肌钙蛋白I
6598-7 | ng/mL ug/L | 0-0.1 | cTnT TnT | Troponin T cardiac | 肌钙蛋白T 心肌肌钙蛋白T
67151-1 | ng/L pg/mL | 0-14 | hs-cTnT hsTnT | Troponin T high sensitivity | 超敏肌钙蛋白T 高敏肌钙蛋白T
2639-3 | ng/mL ug/L | 0-72 | MYO Mb | Myoglobin | 肌红蛋白
30934-4 | pg/mL ng/L | 0-100 | BNP | Natriuretic peptide B | B型钠尿肽 脑钠肽 B型利钠肽
33762-6 | pg/mL ng/L | 0-300 | NT-proBNP proBNP | NT-proBNP peptide | N末端B型钠尿肽前体 N端脑钠肽前体
1798-8 | U/L | 35-135 | AMY AMS | Amylase in serum | 淀粉酶 血淀粉酶
3040-3 | U/L | 0-60 | LPS LIP | Lipase | 脂肪酶
16362-6 | umol/L | 10-47 | NH3 AMM | Ammonia in plasma | 血氨 氨
2524-7 | mmol/L | 0.5-2.2 | LAC Lac | Lactate in serum | 乳酸
2744-1 | [pH] 1 | 7.35-7.45 | pH(a) 血pH | pH of arterial blood | 动脉血酸碱度 动脉血pH 酸碱度
2019-8 | mm[Hg] kPa | 35-45 | PCO2 PaCO2 pCO2 | Carbon dioxide pressure arterial | 二氧化碳分压 动脉血二氧化碳分压
2703-7 | mm[Hg] kPa | 80-100 | PO2 PaO2 pO2 | Oxygen pressure arterial | 氧分压 动脉血氧分压
1925-7 | mmol/L | -3-3 | BE BEb | Base excess arterial | 碱剩余 剩余碱
2708-6 | % | 95-99 | SaO2 sO2 | Oxygen saturation arterial | 动脉血氧饱和度
"""

_HORMONES = """
3016-3 | u[IU]/mL m[IU]/L | 0.27-4.2 | TSH | Thyrotropin | 促甲状腺激素 促甲状腺素
14928-6 | pmol/L | 3.1-6.8 | FT3 | Free T3 moles | 游离三碘甲状腺原氨酸 游离T3
3051-0 | pg/mL | 2-4.4 | | Triiodothyronine free mass | 游离三碘甲状腺原氨酸 游离三碘甲状腺原氨酸质量浓度
14920-3 | pmol/L | 12-22 | FT4 | Thyroxine free moles | 游离甲状腺素 游离T4
3024-7 | ng/dL | 0.9-1.7 | | Thyroxine free mass | 游离甲状腺素 游离甲状腺素质量浓度
14930-2 | nmol/L | 1.3-3.1 | T3 TT3 | Triiodothyronine total moles | 三碘甲状腺原氨酸 总T3 总三碘甲状腺原氨酸
14921-1 | nmol/L | 66-181 | T4 TT4 | Thyroxine total moles | 甲状腺素 总T4 总甲状腺素
8099-4 | [IU]/mL k[IU]/L | 0-34 | TPOAb TPO-Ab | Thyroperoxidase antibody | 甲状腺过氧化物酶抗体
8098-6 | [IU]/mL k[IU]/L | 0-115 | TGAb TG-Ab | Thyroglobulin antibody | 甲状腺球蛋白抗体 抗甲状腺球蛋白抗体
3013-0 | ng/mL | 3-77 | Tg | Thyroglobulin | 甲状腺球蛋白
5385-0 | [IU]/L | 0-1.75 | TRAb TR-Ab | TSH receptor antibody | 促甲状腺激素受体抗体 促甲状腺素受体抗体
2731-8 | pg/mL | 15-65 | PTH iPTH | Parathyrin intact | 甲状旁腺激素 全段甲状旁腺激素
15067-2 | m[IU]/mL [IU]/L | 1-20 | FSH | Follitropin | 卵泡刺激素 促卵泡生成素 卵泡生成素
10501-5 | m[IU]/mL [IU]/L | 1-60 | LH | Lutropin | 黄体生成素 促黄体生成素
2842-3 | ng/mL | 4-25 | PRL | Prolactin | 催乳素 泌乳素
2986-8 | ng/dL ng/mL | 2-9 | TESTO TES | Testosterone | 睾酮
2243-4 | pg/mL | 20-350 | E2 | Estradiol | 雌二醇
2839-9 | ng/mL | 0.1-25 | PROG P4 | Progesterone | 孕酮 黄体酮
2143-6 | ug/dL | 5-25 | COR | Cortisol | 皮质醇
2141-0 | pg/mL | 7-63 | ACTH | Corticotropin | 促肾上腺皮质激素
19080-1 | m[IU]/mL [IU]/L | 0-5 | HCG β-HCG | Choriogonadotropin | 人绒毛膜促性腺激素 绒毛膜促性腺激素
1834-1 | ng/mL ug/L | 0-7 | AFP | Alpha fetoprotein | 甲胎蛋白
2039-6 | ng/mL ug/L | 0-5 | CEA | Carcinoembryonic antigen | 癌胚抗原
24108-3 | U/mL k[IU]/L | 0-37 | CA19-9 CA199 | Cancer antigen 19-9 | 糖类抗原19-9 糖类抗原199
10334-1 | U/mL k[IU]/L | 0-35 | CA125 CA-125 | Cancer antigen 125 | 糖类抗原125
6875-9 | U/mL k[IU]/L | 0-25 | CA15-3 CA153 | Cancer antigen 15-3 | 糖类抗原15-3 糖类抗原153
17843-4 | U/mL | 0-6.9 | CA72-4 CA724 | Cancer antigen 72-4 | 糖类抗原72-4 糖类抗原724
2857-1 | ng/mL ug/L | 0-4 | PSA TPSA tPSA | Prostate specific antigen | 前列腺特异性抗原 总前列腺特异性抗原
10886-0 | ng/mL ug/L | 0-1 | FPSA fPSA | Free PSA | 游离前列腺特异性抗原
25390-6 | ng/mL | 0-3.3 | CYFRA21-1 | Cytokeratin 19 fragment | 细胞角蛋白19片段 非小细胞肺癌相关抗原21-1
9679-2 | ng/mL | 0-1.5 | SCC SCCA | Squamous cell carcinoma antigen | 鳞状上皮细胞癌抗原 鳞状细胞癌抗原
5195-3 | | | HBsAg | HBs antigen | 乙肝表面抗原 乙型肝炎病毒表面抗原
16935-9 | m[IU]/mL | 0-10 | HBsAb 抗HBs | HBs antibody units | 乙肝表面抗体 乙型肝炎病毒表面抗体
13954-3 | | | HBeAg | Hepatitis B e antigen | 乙肝e抗原 乙型肝炎病毒e抗原
13953-5 | | | HBeAb 抗HBe | Hepatitis B e antibody | 乙肝e抗体 乙型肝炎病毒e抗体
13952-7 | | | HBcAb 抗HBc | Hepatitis B core antibody | 乙肝核心抗体 乙型肝炎病毒核心抗体
13955-0 | | | HCV-Ab 抗HCV HCVAb | Hepatitis C antibody | 丙肝抗体 丙型肝炎抗体 丙型肝炎病毒抗体
56888-1 | | | HIV HIV-Ab HIVAg/Ab | HIV antigen and antibody | 艾滋病抗体 人免疫缺陷病毒抗体 HIV抗原抗体
24110-9 | | | TP-Ab TPAb 抗TP | Treponema pallidum antibody | 梅毒螺旋体抗体 梅毒抗体
42595-9 | [IU]/mL {copies}/mL | | HBV-DNA HBVDNA | Hepatitis B DNA | 乙肝病毒DNA 乙型肝炎病毒DNA
"""

_URINE_AND_SIGNS = """
5811-5 | 1 | 1.003-1.03 | SG 尿SG | Specific gravity of urine | 尿比重 比重
5803-2 | [pH] 1 | 4.5-8 | 尿pH U-pH | pH of urine | 尿酸碱度 尿液酸碱度
20454-5 | | | PRO U-PRO 尿PRO | Protein in urine by strip | 尿蛋白 尿蛋白定性
25428-4 | | | U-GLU 尿GLU | Glucose in urine by strip | 尿糖 尿葡萄糖
2514-8 | | | KET U-KET | Ketones in urine by strip | 尿酮体 酮体
5770-3 | | | U-BIL 尿BIL | Bilirubin in urine by strip | 尿胆红素
5818-0 | | | URO UBG | Urobilinogen in urine by strip | 尿胆原
5802-4 | | | NIT | Nitrite in urine by strip | 亚硝酸盐 尿亚硝酸盐
5799-2 | | | LEU U-LEU | Leukocyte esterase in urine | 尿白细胞酯酶 白细胞酯酶
5794-3 | | | BLD ERY U-BLD | Hemoglobin in urine by strip | 尿潜血 尿隐血 隐血
13945-1 | /[HPF] /uL | 0-3 | 镜检RBC | Erythrocytes in urine sediment | 尿红细胞 尿沉渣红细胞 红细胞镜检
5821-4 | /[HPF] /uL | 0-5 | 镜检WBC | Leukocytes in urine sediment | 尿沉渣白细胞 白细胞镜检 尿白细胞
2889-4 | g/(24.h) mg/(24.h) | 0-0.15 | 24hUTP | Protein in 24 hour urine | 24小时尿蛋白 24小时尿蛋白定量 24h尿蛋白
14957-5 | mg/L mg/dL | 0-20 | mALB U-mALB MAU | Microalbumin in urine | 尿微量白蛋白 微量白蛋白
9318-7 | mg/g | 0-30 | ACR UACR | Albumin creatinine ratio in urine | 尿白蛋白肌酐比值 尿微量白蛋白肌酐比
14683-7 | mmol/L umol/L | | U-Cr UCr U-CREA | Creatinine moles in urine | 尿肌酐
5778-6 | | | COL | Color of urine | 尿颜色 颜色
5767-9 | | | CLA TUR | Appearance of urine | 尿透明度 透明度 浊度
8480-6 | mm[Hg] | 90-139 | SBP | Systolic blood pressure | 收缩压 高压
8462-4 | mm[Hg] | 60-89 | DBP | Diastolic blood pressure | 舒张压 低压
8478-0 | mm[Hg] | 70-105 | MAP | Mean blood pressure | 平均动脉压 平均压
8867-4 | /min | 60-100 | HR | Heart rate | 心率
8889-8 | /min | 60-100 | PR | Heart rate by pulse oximetry | 脉率 脉搏
9279-1 | /min | 12-20 | RR | Respiratory rate | 呼吸频率 呼吸
8310-5 | Cel | 36-37.3 | T TEMP BT | Body temperature | 体温
59408-5 | % | 95-100 | SpO2 SPO2 | Oxygen saturation by pulse oximetry | 血氧饱和度 脉搏血氧饱和度 指氧饱和度
8302-2 | cm m | 140-190 | HT | Body height | 身高 身长
29463-7 | kg g | 40-100 | WT BW | Body weight | 体重
39156-5 | kg/m2 | 18.5-24 | BMI | Body mass index | 体质指数 体重指数 身体质量指数
8280-0 | cm | 60-100 | WC | Waist circumference | 腰围
9843-4 | cm | 30-58 | HC | Head circumference | 头围
72514-3 | {score} 1 | 0-10 | NRS VAS | Pain severity score | 疼痛评分 疼痛分数
9269-2 | {score} 1 | 3-15 | GCS | Glasgow coma score | 格拉斯哥昏迷评分 昏迷评分
20578-1 | ug/mL mg/L | 5-40 | VAN | Vancomycin | 万古霉素 万古霉素血药浓度
10535-3 | ng/mL | 0.5-2 | DIG | Digoxin | 地高辛 地高辛血药浓度
11253-2 | ng/mL | 5-20 | FK506 TAC | Tacrolimus in blood | 他克莫司 他克莫司血药浓度
4086-5 | ug/mL | 50-100 | VPA | Valproate | 丙戊酸 丙戊酸血药浓度
"""


@cache
def laboratory_concepts() -> tuple[Concept, ...]:
    """The measurements as concepts of LOINC: names as designations, ``unit``, ``low`` and ``high`` as properties."""
    found = []
    for block in (_BLOOD, _CHEMISTRY, _HORMONES, _URINE_AND_SIGNS):
        found += [_concept(line) for line in block.strip().splitlines()]
    return tuple(found)


def _concept(line: str) -> Concept:
    code, units, usual, short, english, chinese = (part.strip() for part in line.split("|"))
    low, _, high = usual[1:].partition("-") if usual.startswith("-") else usual.partition("-")
    names = (*(("zh-CN", word) for word in chinese.split()), *(("en", word) for word in short.split()))
    properties = [("unit", unit) for unit in units.split()]
    if usual:
        properties += [("low", f"-{low}" if usual.startswith("-") else low), ("high", high)]
    return Concept(code, english, (), names, tuple(properties))


SYSTEM = LOINC
