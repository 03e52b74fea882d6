"""Notes as hospitals write them, made up, each with the places of what names a person in it.

A template holds ``{kind:filler}``. ``development`` templates may be looked at while rules are written; ``held-out``
ones were written after the rules and are only measured: no rule is made for one of them. Sentences without slots are
what must not be touched.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from tests.privacy.notes_fillers import Fillers

from xinglin.privacy.deidentify.text import Known

CHINESE = (
    "{name:patient}，{sex}，{age}岁，退休工人，主因间断胸痛两周收入我科。",
    "今日由急诊推床入院，患者{name:patient}，身份证 {identity_number:identity}，神志清，对答切题。",
    "现病史由患者女儿{name:relative}代诉，女儿手机{phone:phone}。",
    "通知家属（{name:relative}，{phone:phone}）病情，表示理解。",
    "患者现居{address:address}，独居。",
    "户籍地：{address:address}",
    "住址 {address:address} 联系电话 {phone:phone}",
    "{date:date}行冠脉造影示前降支中段狭窄70%，置入支架1枚。",
    "于{date:date}在外院行阑尾切除术。",
    "查房记录：{name:staff}主任医师查看患者后认为目前诊断明确。",
    "会诊意见（心内科 {name:staff}）：建议加用美托洛尔25mg bid。",
    "医保类型：城镇职工，医保编号{insurance_number:insurance}。",
    "病案号：{record_number:record}    科别：呼吸内科    床号：32",
    "门诊号 {record_number:record}，就诊日期 {date:date}。",
    "术者：{name:staff}  助手：{name:staff}  麻醉医师：{name:staff}",
    "报告医师：{name:staff}    审核医师：{name:staff}    报告日期：{date:date}",
    "责任护士{name:staff}已行入院宣教，跌倒评分3分。",
    "与患者之妻{name:relative}谈话，告知手术风险，签字为证。",
    "电话随访：拨打{phone:phone}，接听者为患者本人{name:patient}，诉恢复可。",
    "微信号 {account:chat}，已加入随访群。",
    "邮箱：{email:mail}，检验结果请发至邮箱。",
    "120于{date:date} 22:15送入，肇事车辆{plate:plate}。",
    "护照号码{passport:passport}，外籍陪同。",
    "退费至尾号账户 {bank_card:card}（建设银行）。",
    "证件号码：{identity_number:old_identity}，为一代证。",
    "{name:patient}　{sex}　{age}岁　住院号{record_number:record}",
    "送检单位：内科  送检医生：{name:staff}  标本号：{record_number:record}",
    "患者{age:old}岁高龄，听力下降。",
    "出生日期{date:birth}，已婚，育有2子。",
    "患者儿子{name:relative}要求转往上级医院，{name:staff}医生已向其说明。",
    "记录人：{name:staff} {date:date} 08:30",
    "主治{name:staff}嘱：低盐低脂饮食，一周后复诊。",
    "代办出院手续者：{name:relative}，与患者关系：弟，电话：{phone:phone}",
    "该患儿（母亲{name:relative}）足月顺产，Apgar评分10分。",
    "邻居{name:relative}发现其倒在家中，遂呼120。",
    "已与{name:staff}教授沟通，同意该方案。",
    "老{surname:patient}昨夜睡眠可，晨起血压140/85mmHg。",
    "社保卡号:{insurance_number:insurance} 参保地:本市",
    "就诊卡 {record_number:record} 挂号费 25元",
    "法定代理人 {name:relative} 身份证号码 {identity_number:identity}",
    "签名：{name:patient}    日期：{date:date}",
    "患者单位同事{name:relative}陪同来诊。",
    "请{name:staff}老师明日评估吞咽功能。",
    "检查号{record_number:record} 检查部位：胸部CT平扫",
)
UNSEEN_CHINESE = (
    "随母{name:relative}入院，母亲电话{phone:phone}，家住{address:address}。",
    "护士{name:staff}巡视病房，见{name:patient}静卧，输液通畅。",
    "一般资料：{name:patient}，{sex}性，{age}岁，汉族，身份证号码{identity_number:identity}，住{address:address}。",
    "{name:staff}医师电话请示{name:staff}副主任医师后，同意出院。",
    "本人{name:patient}自愿接受手术，委托{name:relative}（身份证：{identity_number:identity}）代为签署。",
    "门诊以“肺炎”收住，陪送人{name:relative}，住院号为{record_number:record}。",
    "{date:date}  {name:staff}主任查房：",
    "转科记录：由{name:staff}医生与接收科室{name:staff}医生床旁交接。",
    "既往于{date:date}因车祸（车牌{plate:plate}）行脾切除术。",
    "患者丈夫{name:relative}（{phone:phone}）表示知情，要求继续治疗。",
    "患者手机 {phone:phone}，备用 {phone:phone}",
    "标本编号 {record_number:record}；送检者 {name:staff}；接收者 {name:staff}",
    "初步诊断由{name:staff}作出，{name:staff}复核。",
    "报销材料寄往{address:address}，收件人{name:relative}。",
    "支付方式：医保卡（{insurance_number:insurance}）",
    "联系方式：{phone:phone}（{name:relative}，之子）",
    "患者{name:patient}之表妹{name:relative}来院探视。",
    "邮件联系 {email:mail} 或添加QQ {account:chat}",
    "主诉：{name:patient}家人诉其{age:old}岁高龄，近日纳差。",
    "第一术者{name:staff}，第二术者{name:staff}，器械护士{name:staff}。",
    "病理号{record_number:record}，取材：{name:staff}，诊断：{name:staff}，{date:date}",
    "特病卡卡号{bank_card:card}已登记。",
)
UNSEEN_ENGLISH = (
    "Thank you for referring {name:english_patient}, whom I saw in my office on {date:american_date}.",
    "Re: {name:english_patient}, date of birth {date:american_date}, chart # {record_number:record}",
    "Her mother {name:english_name} was at the bedside.",
    "Report called to {name:english_name}, RN on {date:american_date} at 03:20.",
    "{name:english_patient} can be reached at {phone:american_phone} or {email:mail}.",
    "Ms. {name:last_patient} resides at {address:american_address} with her sister {name:first}.",
    "The case was reviewed with attending physician Dr. {name:last}.",
    "Next of kin: {name:english_name}, husband, {phone:american_phone}.",
    "A {age:old} year old man, SSN {identity_number:social}, fell at home.",
    "Admitted {date:american_date}, discharged {date:american_date}.",
    "Policy number {insurance_number:insurance}; MRN {record_number:record}.",
    "Surgeon: {name:english_name}, MD. Assistant: {name:english_name}, PA-C.",
    "Interpreter {name:english_name} was present throughout.",
    "Yours sincerely, {name:english_name}, MD",
)
PLAIN_CHINESE = (
    "血常规：WBC 12.3×10^9/L，N 85%，Hb 112g/L，PLT 256×10^9/L。",
    "左氧氟沙星0.5g ivgtt qd，甘露醇125ml q8h，华法林2.5mg qn。",
    "高血压病3级（极高危），2型糖尿病，陈旧性脑梗死。",
    "帕金森病、梅尼埃病、格林-巴利综合征均不支持。",
    "双肺呼吸音粗，可闻及散在湿性啰音，心率98次/分，律齐。",
    "T 36.8℃，P 76次/分，R 18次/分，BP 128/76mmHg，SpO2 97%。",
    "王不留行、黄芪、白术、金银花各10g，水煎服，日一剂。",
    "ICD-10：I63.902，手术编码 36.0600x004。",
    "石膏固定后末梢血运好，关节活动受限，安静休息。",
    "尿量1500ml/24h，大便1次，黄软。",
    "查体合作，全身皮肤黏膜无黄染，浅表淋巴结未触及肿大。",
    "向患者及家属交代病情，严密观察生命体征，记24小时出入量。",
    "予心电监护、吸氧、抗血小板聚集、调脂稳定斑块治疗。",
    "NT-proBNP 3560pg/ml，肌钙蛋白I 0.04ng/ml，D-二聚体 1.25mg/L。",
    "常规消毒铺巾，取右下腹麦氏切口长约5cm。",
    "应用万古霉素1g q12h，谷浓度15.2ug/ml。",
    "任何不适随诊，注意休息，向家属说明后续方案。",
    "高敏C反应蛋白8.2mg/L，白蛋白35g/L，钾4.1mmol/L。",
    "方案：奥沙利铂130mg/m2 d1，卡培他滨1000mg/m2 bid d1-14，21天为一周期。",
    "安排明日CT检查，管路通畅，单腔导尿管在位，时有咳嗽。",
    "黄疸指数升高，石决明、金钱草、连翘、柴胡各12g。",
    "水平半规管耳石症，于右侧，手法复位后好转。",
    "司美格鲁肽0.25mg ih qw，常规剂量，成人用法。",
)
ENGLISH = (
    "{name:english_patient} is a {age}-year-old retired teacher with hypertension who presented with chest pain.",
    "Mrs. {name:last_patient} was transferred from the ICU in stable condition.",
    "MRN: {record_number:record}   Date of Service: {date:american_date}",
    "DOB: {date:american_date}   SSN: {identity_number:social}",
    "I spoke with her son {name:first} by phone at {phone:american_phone}.",
    "Please follow up with Dr. {name:last} in two weeks.",
    "Attending: {name:english_name}, MD",
    "Dictated by {name:english_name} on {date:american_date}.",
    "She lives with her husband at {address:american_address}.",
    "Home address: {address:american_address}. Phone {phone:american_phone}.",
    "The patient's daughter, {name:english_name}, agrees with the plan.",
    "Emergency contact: {name:english_name} ({phone:american_phone})",
    "Electronically signed by {name:english_name}, NP, {date:american_date} 14:32",
    "Underwent left total knee arthroplasty on {date:american_date} without complications.",
    "Insurance: Blue Plan, member ID {insurance_number:insurance}.",
    "Accession #{record_number:record}, CT abdomen and pelvis with contrast.",
    "Referring physician: {name:english_name}",
    "This {age:old}-year-old woman was found on the floor by a neighbor.",
    "Results were discussed with Dr. {name:english_name} at 09:15.",
    "E-mail for portal access: {email:mail}",
    "Patient: {name:english_patient}",
    "Mr. {name:last_patient} denies fever, chills or weight loss.",
    "Seen in clinic on {date:american_date} by Nurse {name:last}.",
    "Account number {record_number:record}; visit type: outpatient.",
    "cc: {name:english_name}, PA-C",
    "His brother {name:first} will drive him home.",
)
PLAIN_ENGLISH = (
    "Past medical history: Parkinson disease, Crohn's disease, Graves disease, Barrett's esophagus.",
    "Medications: aspirin 81 mg daily, metoprolol 25 mg BID, insulin glargine 12 units nightly.",
    "Foley catheter removed; Glasgow Coma Scale 15; Murphy's sign negative.",
    "WBC 12.3, hemoglobin 9.8, platelets 256, creatinine 1.02, troponin 0.04.",
    "BP 128/76, HR 98, RR 18, SpO2 97% on room air, temperature 98.6.",
    "Chest X-ray shows no acute cardiopulmonary process. Heart size is normal.",
    "Continue Lasix 40 mg IV. Swan-Ganz catheter in place. Wright stain pending.",
    "Assessment: community-acquired pneumonia, CURB-65 score 2, ICD-10 J18.9.",
    "White count was elevated; Gram stain showed no organisms. Hold Coumadin tonight.",
    "Patient is alert and oriented, in no acute distress. Will continue to monitor.",
    "Plan: physical therapy, Lovenox 40 mg SC daily, follow up in Orthopedic Clinic.",
    "Ejection fraction 55-60 percent. Left ventricle is normal in size.",
)
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_WIDE = {code: code + 0xFEE0 for code in (*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B))}


class Truth(NamedTuple):
    """A place that names a person."""

    start: int
    end: int
    kind: str


class Note(NamedTuple):
    """A note with what is to be found in it, and what the hospital's own record knows of its patient."""

    text: str
    truth: list[Truth]
    known: Known


def notes(count: int, language: str, half: str, seed: int = 1, damaged: bool = False) -> list[Note]:
    """``count`` notes of half a dozen identifiers; ``half``: of the ``development`` or the ``held-out`` templates."""
    draw = random.Random(f"{language} {half} {seed}")
    plain = PLAIN_CHINESE if language == "chinese" else PLAIN_ENGLISH
    own = {
        ("chinese", "development"): CHINESE,
        ("chinese", "held-out"): UNSEEN_CHINESE,
        ("english", "development"): ENGLISH,
        ("english", "held-out"): UNSEEN_ENGLISH,
    }[language, half]
    return [_note(draw, own, plain, language, damaged) for _ in range(count)]


def _note(draw: random.Random, own: tuple[str, ...], plain: tuple[str, ...], language: str, damaged: bool) -> Note:
    fillers = Fillers(draw)
    patient = fillers.name() if language == "chinese" else fillers.english_name()
    known: dict[str, list[str]] = {
        "names": [patient],
        "phones": [],
        "ids": [],
        "addresses": [],
        "records": [],
        "staff": [],
    }
    chosen = draw.sample(own, 3) + draw.sample(plain, 5 if language == "chinese" else 2)
    draw.shuffle(chosen)
    text, truth = "", []
    for template in chosen:
        place = 0
        for slot in _SLOT.finditer(template):
            text += template[place : slot.start()]
            place = slot.end()
            kind, value = _filled(slot[1], slot[2], fillers, patient, known)
            if damaged and kind in ("identity_number", "phone", "record_number", "bank_card", "insurance_number"):
                value = _damaged(draw, value, kind)
            if kind:
                truth.append(Truth(len(text), len(text) + len(value), kind))
            text += value
        text += template[place:]
        text += draw.choice(("\n", "" if language == "chinese" else " ")) if text[-1] in "。." else "\n"
    return Note(text, truth, Known(**{name: tuple(dict.fromkeys(values)) for name, values in known.items()}))


def _filled(
    kind: str, filler: str | None, fillers: Fillers, patient: str, known: dict[str, list[str]]
) -> tuple[str, str]:
    if filler is None:
        return "", fillers.draw.choice("男女") if kind == "sex" else fillers.age()
    if filler == "patient":
        return ("name", patient) if kind == "name" else ("name", patient[:1])
    if filler in ("english_patient", "last_patient"):
        return "name", patient if filler == "english_patient" else patient.rsplit(maxsplit=1)[-1]
    if filler in ("relative", "staff"):
        value = fillers.name()
        known["names" if filler == "relative" else "staff"].append(value)
        return "name", value
    value = getattr(fillers, filler)()
    homes = {"phone": "phones", "identity_number": "ids", "address": "addresses", "record_number": "records"}
    homes |= {"insurance_number": "records", "bank_card": "records", "passport": "ids"}
    if kind == "name":
        known["staff"].append(value)
    elif kind in homes:
        known[homes[kind]].append(value)
    return kind, value


def _damaged(draw: random.Random, value: str, kind: str) -> str:
    """A slip of the pen, a scanner's reading, or full-width characters."""
    how = draw.random()
    if how < 0.4:
        return value.translate(_WIDE)
    if how < 0.6 and kind == "identity_number":
        place = draw.randrange(6, len(value) - 1)
        return value[:place] + draw.choice("0123456789") + value[place + 1 :]
    if how < 0.8 and "0" in value[1:-3] and kind in ("identity_number", "bank_card"):
        place = value.index("0", 1)
        return value[:place] + "O" + value[place + 1 :]
    if kind in ("identity_number", "bank_card") and value[:-1].isdigit():
        return " ".join(value[n : n + 4] for n in range(0, len(value), 4))
    return value
