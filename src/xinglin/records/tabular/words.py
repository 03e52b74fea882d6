"""The names under which hospitals export their columns: Chinese, pinyin initials of the national data sets, English.

A meaning, and under it its names: ``zh`` Chinese, ``py`` pinyin initials and codes, ``en`` English. Pinyin initials
as in WS 445 and the front page of the in-patient record (HQMS); codes as their data elements are exported.
"""

from __future__ import annotations

from functools import cache

import msgspec

_LINES = """
person.id
    zh 患者ID 病人ID 患者编号 病人编号 患者标识 患者主索引 病案号 病历号 健康卡号 患者唯一标识 个人编号 受试者编号
    zh 档案号 就诊卡号 卡号 登记号
    py HZID BRID BRBH HZBH BAH JKKH EMPI GRBH ZSY JZKH DJH YNZYH
    en MRN patient_id patient_nbr patient_number pat_id patid subject_id person_id patient_no member_id empi pid
    en patientunitid subject record_id study_id patient patient_key
person.name
    zh 姓名 患者姓名 病人姓名 受检者姓名 名字
    py XM HZXM BRXM
    en name patient_name full_name pat_name patient_full_name
person.family
    zh 姓
    en last_name family_name surname lastname
person.given
    zh 名
    en first_name given_name firstname middle_name
person.national_id
    zh 身份证号 身份证 身份证件号码 证件号码 公民身份号码 身份证号码 证件号 居民身份证号
    py SFZH SFZHM ZJHM SFZJHM GMSFHM
    en id_card national_id ssn social_security_number id_number idcard identity_card
person.insurance_id
    zh 医保卡号 医保编号 社保卡号 医疗保险号 医保号
    py YBKH YBBH SBKH YBH
    en insurance_id insurance_number medicare_id medicaid_id policy_number
person.phone
    zh 电话 联系电话 手机 手机号 手机号码 电话号码 本人电话 家庭电话 单位电话 联系人电话
    py DH LXDH SJH SJHM DHHM LXRDH DWDH
    en phone telephone mobile phone_number tel cell contact_phone home_phone
person.email
    zh 邮箱 电子邮箱 电子邮件
    py YX DZYX
    en email e_mail email_address mail
person.address
    zh 地址 住址 家庭住址 现住址 户口地址 联系地址 家庭地址 工作单位 户籍地址 单位地址 联系人地址
    py DZ XZZ JTZZ HKDZ LXDZ DWDZ GZDWJDZ GZDW
    en address home_address street address_line street_address addr
person.postal_code
    zh 邮编 邮政编码
    py YB YZBM XZZYB HKYB DWYB
    en zip zip_code postal_code postcode zipcode
person.contact
    zh 联系人 联系人姓名 家属姓名 监护人
    py LXR LXRXM
    en contact_name next_of_kin emergency_contact guardian
person.birth_date
    zh 出生日期 出生年月 生日 出生时间 出生年月日
    py CSRQ CSNY SR CSSJ
    en birth_date dob date_of_birth birthdate birthday birth_dt
person.birth_year
    zh 出生年份 出生年
    py CSNF
    en birth_year year_of_birth yob
person.sex
    zh 性别 患者性别 性别代码 性别名称
    py XB XBDM XBMC
    en sex gender gender_code sex_code gender_source_value
person.age
    zh 年龄 实足年龄 患者年龄 就诊年龄 年龄岁
    py NL NLS BRNL
    en age age_years age_at_admission patient_age anchor_age
person.marital
    zh 婚姻 婚姻状况 婚姻状态 婚姻状况代码
    py HY HYZK HYZT HYZKDM
    en marital_status marital
person.ethnicity
    zh 民族 民族代码
    py MZ MZDM
    en ethnicity ethnic_group
person.race
    zh 种族
    en race
person.occupation
    zh 职业 职业代码
    py ZY ZYDM
    en occupation job profession
person.country
    zh 国籍 国家
    py GJ
    en nationality country
person.city
    zh 城市 市 区县 现住址市
    py CS XZZSHI
    en city county district
person.province
    zh 省 省份 现住址省 籍贯
    py SF XZZSHENG GG
    en province state region
person.language
    zh 语言
    en language preferred_language
person.died_at
    zh 死亡日期 死亡时间
    py SWRQ SWSJ
    en death_date date_of_death deathtime dod death_time
person.dead
    zh 是否死亡 死亡标志
    py SWBZ
    en dead deceased death_event death expired hospital_expire_flag mortality
visit.id
    zh 就诊流水号 就诊号 就诊ID 住院流水号 住院ID 门诊流水号 就诊唯一号 就诊编号 就诊标识 住院唯一号 挂号流水号
    py JZLSH JZH JZID ZYLSH MZLSH JZBH GHLSH ZYID
    en encounter_id visit_id admission_id hadm_id encounter visit_no visit_number visit_occurrence_id stay_id
    en episode_id enc_id csn contact_serial_number account_number case_id
visit.inpatient_no
    zh 住院号 住院号码 住院编号
    py ZYH ZYHM ZYBH
    en inpatient_no inpatient_number admission_no
visit.outpatient_no
    zh 门诊号 门诊号码 挂号号 挂号编号
    py MZH MZHM GHH
    en outpatient_no outpatient_number registration_no
visit.number
    zh 住院次数 就诊次数 第几次住院
    py ZYCS JZCS
    en visit_count admission_count stay_number
visit.class
    zh 就诊类型 就诊类别 患者类型 病人类型 就诊类别代码 门诊住院标志
    py JZLX JZLB HZLX BRLX JZLBDM MZZYBZ
    en encounter_class visit_type patient_class encounter_type patient_type visit_class
visit.type
    zh 入院类型 入院类别
    py RYLX RYLB
    en admission_type admission_type_id admit_type
visit.start
    zh 入院日期 入院时间 就诊日期 就诊时间 挂号日期 挂号时间 接诊时间 来院时间 就诊日期时间 入院日期时间
    py RYRQ RYSJ JZRQ JZSJ GHRQ GHSJ JZRQSJ RYRQSJ
    en admit_dt admission_date admit_date admittime admission_time admit_time visit_date encounter_date start_date
    en visit_start_date service_date encounter_start visit_start_datetime
visit.end
    zh 出院日期 出院时间 离院时间 结束时间 出院日期时间
    py CYRQ CYSJ LYSJ CYRQSJ
    en discharge_date dischtime disch_dt discharge_time discharge_dt visit_end_date end_date encounter_end
    en visit_end_datetime
visit.days
    zh 住院天数 实际住院天数 住院日
    py ZYTS SJZYTS SJZYTSSM ZYR
    en time_in_hospital length_of_stay los stay_days length_days los_days
visit.department
    zh 科室 入院科室 出院科室 就诊科室 科别 科室名称 入院科别 出院科别 科室代码 开单科室 申请科室
    py KS RYKS CYKS JZKS KB KSMC RYKB CYKB KSDM KDKS
    en department dept ward department_name dept_name dept_code department_id admission_department
    en discharge_department service unit
visit.specialty
    zh 专业 专科
    py ZK
    en medical_specialty specialty provider_specialty
visit.bed
    zh 床号 病床号 病房 入院病房 出院病房 床位号
    py CH BCH BF RYBF CYBF CWH
    en bed bed_no room
visit.doctor
    zh 主治医师 主管医生 接诊医生 住院医师 科主任 医生姓名 医师姓名 医生 经治医师 开单医生 申请医生 主任医师
    zh 责任护士
    py ZZYS ZGYS JZYS ZYYS KZR YSXM ZRYS ZRHS
    en attending physician doctor provider attending_physician provider_id doctor_name physician_id
visit.admit_source
    zh 入院途径 入院方式 入院来源 来源
    py RYTJ RYFS RYLY
    en admission_source admission_source_id admit_source admission_location referral_source
visit.disposition
    zh 离院方式 出院方式 转归 出院情况 出院去向
    py LYFS CYFS ZG CYQK
    en discharge_disposition discharge_disposition_id disposition discharge_location discharge_status discharge_to
visit.readmission
    zh 再入院 31天再住院 是否再入院 再住院计划
    py ZZYJH SFZZYJH
    en readmitted readmission readmit readmitted_30
visit.payer
    zh 付费方式 医疗付费方式 费用类别 费别 医保类型 付款方式 支付方式
    py YLFKFS FB FYLB YBLX FKFS
    en payer payer_code insurance payment_method insurance_type primary_payer
visit.reason
    zh 主诉 入院原因 就诊原因
    py ZS RYYY
    en chief_complaint reason_for_visit admit_reason presenting_complaint
dx.code
    zh 诊断编码 诊断代码 疾病编码 ICD编码 ICD10编码 疾病代码 主诊断编码 主要诊断编码 出院诊断编码 门诊诊断编码
    zh 入院诊断编码 主要诊断代码 出院主要诊断编码
    py ZDBM ZDDM JBBM JBDM ICDBM ICD10 ZYZDBM ZYZDDM CYZDBM RYZDBM MZZDBM ZZDBM
    en diagnosis_code icd_code icd9 icd10 dx_code icd9_code icd10_code diag_code dx diag diagnosis
    en principal_diagnosis primary_diagnosis condition_code icd condition_source_value primary_icd
dx.name
    zh 诊断名称 诊断 疾病名称 诊断描述 主要诊断 主诊断 出院诊断 入院诊断 门诊诊断 主诊断名称 主要诊断名称 临床诊断
    py ZDMC ZD JBMC ZYZD CYZD RYZD MZZD ZDMS ZYZDMC ZZDMC LCZD
    en diagnosis_name diagnosis_description diagnosis_text dx_name long_title condition_name diagnosis_desc
dx.type
    zh 诊断类型 诊断类别 诊断类型代码
    py ZDLX ZDLB
    en diagnosis_type dx_type condition_type
dx.rank
    zh 诊断序号 诊断顺序 诊断次序 主次标志
    py ZDXH ZDSX
    en seq_num diagnosis_rank dx_rank diagnosis_sequence diagnosis_priority
dx.time
    zh 诊断日期 诊断时间 确诊日期
    py ZDRQ ZDSJ QZRQ
    en diagnosis_date dx_date condition_start_date onset_date diagnosis_time
dx.doctor
    zh 诊断医生
    py ZDYS
    en diagnosing_physician
lab.row
    zh 检验明细号 检验明细流水号 结果序号 报告明细号
    py JYMXLSH MXXH
    en labevent_id result_id measurement_id observation_id lab_result_id
lab.report
    zh 检验报告单号 报告单号 报告号 检验单号 检验号 申请单号 检验流水号
    py JYBGDH BGDH BGH JYDH JYH SQDH JYLSH
    en report_id lab_order_id accession accession_number order_number test_order_id
lab.panel
    zh 检验项目组 组合名称 医嘱项目 检验套餐 检验名称 报告名称
    py ZHMC BGMC
    en panel panel_name order_name test_group battery
lab.code
    zh 检验项目代码 项目代码 检验代码 项目编码 检验指标代码 检验细项代码 检验项目编码
    py JYXMDM XMDM JYDM XMBM JYZBDM JYXXDM
    en loinc loinc_code test_code itemid lab_code item_code analyte_code measurement_code
lab.name
    zh 检验项目 检验项目名称 项目名称 检验指标 检验细项 指标名称 检验指标名称 项目 检验细项名称
    py JYXM JYXMMC XMMC JYZB ZBMC JYZBMC JYXXMC
    en test_name lab_name analyte item_name component measurement_name test lab_test observation_name
lab.result
    zh 结果 检验结果 检测结果 结果值 测定值 检验结果值 定量结果 检验值 检查结果
    py JG JYJG JCJG JGZ CDZ DLJG JYZ
    en result result_value lab_value valuenum value_as_number test_result value lab_result measured_value
lab.result_text
    zh 定性结果 结果描述
    py DXJG JGMS
    en result_text value_text qualitative_result value_as_string
lab.unit
    zh 单位 结果单位 计量单位 检验单位
    py DW JGDW JLDW
    en unit units valueuom result_unit uom unit_of_measure unit_source_value
lab.range
    zh 参考范围 参考值 参考区间 正常值 正常范围
    py CKFW CKZ CKQJ ZCZ ZCFW
    en reference_range ref_range normal_range reference
lab.low
    zh 参考下限 参考值下限 下限
    py CKXX
    en ref_range_lower range_low reference_low low_limit normal_low
lab.high
    zh 参考上限 参考值上限 上限
    py CKSX
    en ref_range_upper range_high reference_high high_limit normal_high
lab.flag
    zh 异常标志 异常提示 结果标志 高低标志 异常 提示
    py YCBZ YCTS JGBZ
    en flag abnormal_flag abnormal interpretation result_flag
lab.time
    zh 检验时间 检验日期 采样时间 采集时间 标本采集时间 检测时间 采样日期 送检时间
    py JYSJ JYRQ CYSJ CJSJ BBCJSJ JCSJ
    en charttime collection_time specimen_time lab_date test_date collected_at measurement_date effective_time
    en sample_date
lab.issued
    zh 报告时间 报告日期 审核时间 发布时间
    py BGSJ BGRQ SHSJ
    en report_time report_date result_time storetime result_date verified_time
lab.specimen
    zh 标本 标本类型 样本类型 标本名称 标本种类
    py BB BBLX YBLX BBMC BBZL
    en specimen specimen_type sample_type sample fluid
lab.method
    zh 检验方法 检测方法 方法
    py JYFF JCFF
    en method test_method
drug.order
    zh 医嘱号 医嘱ID 医嘱流水号 处方号 处方流水号 医嘱序号 处方明细号
    py YZH YZID YZLSH CFH CFLSH YZXH CFMXH
    en order_id prescription_id pharmacy_id rx_id medication_id drug_exposure_id rx_number
drug.code
    zh 药品编码 药品代码 药品编号 药品国家编码 药品本位码 医嘱代码 医嘱项目编码
    py YPBM YPDM YPBH YZDM YZXMBM
    en drug_code ndc atc atc_code rxnorm medication_code drug_concept_id rxcui
drug.name
    zh 药品名称 药品通用名 药名 通用名 医嘱名称 医嘱内容 医嘱 药物名称 药品 商品名
    py YPMC YPTYM YM TYM YZMC YZNR YWMC SPM
    en drug medication drug_name medication_name generic_name product_name medicine
drug.dose
    zh 剂量 单次剂量 每次剂量 用量 次剂量 单次用量 每次用量 一次用量
    py JL DCJL MCJL YL CJL DCYL MCYL
    en dose dosage dose_val_rx dose_value dose_amount strength
drug.dose_unit
    zh 剂量单位 用量单位 次剂量单位
    py JLDW YLDW CJLDW
    en dose_unit dose_unit_rx dosage_unit
drug.route
    zh 用法 给药途径 给药方式 用药途径 途径 使用方法
    py YF GYTJ GYFS YYTJ TJ
    en route route_of_administration route_source_value administration_route
drug.frequency
    zh 频次 频率 用药频次 用药频率 给药频次 医嘱频次 使用频率
    py PC PL YYPC YYPL GYPC YZPC SYPL
    en frequency freq sig interval doses_per_24_hrs
drug.start
    zh 医嘱开始时间 开始时间 用药开始时间 开立时间 开嘱时间 处方日期 开方日期 处方时间 医嘱日期 开药时间
    zh 医嘱开立时间
    py YZKSSJ KSSJ YYKSSJ KLSJ KZSJ CFRQ KFRQ CFSJ
    en starttime order_date prescription_date drug_exposure_start_date order_time start_datetime dispensed_date
drug.end
    zh 医嘱停止时间 停止时间 用药结束时间 停嘱时间 医嘱结束时间
    py YZTZSJ TZSJ TYSJ YZJSSJ
    en stoptime stop_date drug_exposure_end_date order_end stop_time
drug.quantity
    zh 数量 总量 发药数量 药品数量 总数量
    py SL ZL FYSL YPSL
    en quantity qty amount_dispensed dispense_quantity
drug.quantity_unit
    zh 数量单位 包装单位 发药单位 总量单位
    py SLDW BZDW FYDW
    en quantity_unit dispense_unit
drug.days
    zh 天数 用药天数 处方天数 用药天数天
    py TS YYTS CFTS
    en days_supply supply_days duration_days
drug.spec
    zh 规格 药品规格
    py GG YPGG
    en specification form_strength strength_description
drug.status
    zh 医嘱状态 处方状态 执行状态
    py YZZT CFZT ZXZT
    en order_status prescription_status
drug.kind
    zh 医嘱类型 医嘱类别 长期临时标志
    py YZLX YZLB
    en order_type order_category drug_type
op.code
    zh 手术编码 手术操作编码 手术代码 操作编码 手术及操作编码 主要手术编码
    py SSBM SSCZBM SSDM CZBM SSJCZBM ZYSSBM
    en procedure_code cpt icd9_procedure proc_code cpt_code procedure_source_value surgery_code icd10_pcs
op.name
    zh 手术名称 手术操作名称 操作名称 手术及操作名称 主要手术名称
    py SSMC SSCZMC CZMC SSJCZMC ZYSSMC
    en procedure_name procedure_description surgery_name procedure operation
op.time
    zh 手术日期 手术时间 操作日期 手术开始时间 手术及操作日期
    py SSRQ SSSJ CZRQ SSKSSJ SSJCZRQ
    en procedure_date surgery_date operation_date procedure_time procedure_start_date
op.level
    zh 手术级别 手术等级
    py SSJB SSDJ
    en procedure_level
op.staff
    zh 手术医师 术者 手术者 手术医生
    py SSYS SZ
    en surgeon operating_physician
op.anesthesia
    zh 麻醉方式 麻醉方法
    py MZFS MZFF
    en anesthesia anesthesia_type
note.text
    zh 现病史 既往史 个人史 家族史 病程记录 检查所见 检查结论 影像所见 影像诊断 病理诊断 出院小结 体格检查 备注
    zh 诊疗经过 出院医嘱 检查描述 报告内容 病历内容
    py XBS JWS GRS JZS BCJL JCSJMS JCJL BZ
    en note text comments findings impression report_text narrative clinical_notes remark notes conclusion free_text
cost.amount
    zh 总费用 费用 金额 住院总费用 费用总额 总金额 合计金额
    py ZFY FY JE ZYZFY FYZE ZJE
    en total_cost cost amount charge charges total_charges total_amount billed_amount
cost.patient
    zh 自付金额 个人自付 自费金额 自付
    py ZFJE GRZF
    en patient_paid out_of_pocket copay
cost.paid
    zh 医保支付 统筹支付 医保金额 报销金额
    py YBZF TCZF YBJE BXJE
    en amount_paid insurance_paid paid
row.key
    zh 流水号 序号 主键 唯一标识 记录号 记录ID
    py LSH XH ZJ WYBS JLH JLID
    en id row_id record_no uuid key seq rowid
row.updated
    zh 更新时间 修改时间 最后修改时间 数据更新时间 更新日期
    py GXSJ XGSJ SJGXSJ GXRQ
    en updated_at last_modified update_time modified_at last_update lastupdated modified_date
row.created
    zh 创建时间 录入时间
    py LRSJ
    en created_at create_time insert_time
org.id
    zh 机构代码 医疗机构代码 医院编码 组织机构代码 医院代码
    py JGDM YLJGDM YYBM ZZJGDM
    en hospital_id organization_id site_id facility_id care_site_id provider_org
org.name
    zh 机构名称 医疗机构名称 医院名称
    py JGMC YLJGMC YYMC
    en hospital_name hospital facility site organization_name
imaging.modality
    zh 检查类型 检查设备类型 影像类型
    py JCLX
    en modality imaging_modality
imaging.part
    zh 检查部位 部位
    py JCBW BW
    en body_part body_site anatomical_site
exam.name
    zh 检查项目 检查名称 检查项目名称
    py JCXM JCMC JCXMMC
    en exam_name study_description exam
gene.variant
    zh 基因 基因型 变异 突变 位点
    py JY JYX
    en gene genotype variant mutation snp rsid hgvs allele
"""


class Meaning(msgspec.Struct, frozen=True):
    """What a column may be about: its key and the names in use, normalised."""

    key: str
    chinese: tuple[str, ...]
    initials: tuple[str, ...]
    english: tuple[str, ...]


@cache
def meanings() -> tuple[Meaning, ...]:
    """Every meaning, in the order in which a tie is decided."""
    found: dict[str, dict[str, list[str]]] = {}
    key = ""
    for line in _LINES.strip().splitlines():
        if not line.startswith(" "):
            key = line
            found[key] = {"zh": [], "py": [], "en": []}
            continue
        tag, *words = line.split()
        found[key][tag] += words
    return tuple(Meaning(key, tuple(one["zh"]), tuple(one["py"]), tuple(one["en"])) for key, one in found.items())
