"""CDA documents made for tests: a C-CDA continuity of care and Chinese shared documents (WS/T 500), nothing real."""

from __future__ import annotations

# ruff: noqa: E501 (a document is written as it would come)

V3 = 'xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
LOINC = 'codeSystem="2.16.840.1.113883.6.1"'
SNOMED = 'codeSystem="2.16.840.1.113883.6.96"'
RXNORM = 'codeSystem="2.16.840.1.113883.6.88"'
DE = 'codeSystem="2.16.156.10011.2.2.1" codeSystemName="卫生信息数据元目录"'
ICD_CN = 'codeSystem="2.16.156.10011.2.3.3.11.3" codeSystemName="诊断代码表(ICD-10)"'
T = "2.16.840.1.113883.10.20.22.4."


def section(code: str, title: str, text: str, *entries: str) -> str:
    joined = "".join(f"<entry>{one}</entry>" for one in entries)
    return (
        f'<component><section><code code="{code}" {LOINC}/><title>{title}</title>'
        f"<text>{text}</text>{joined}</section></component>"
    )


def template(number: str) -> str:
    return f'<templateId root="{T}{number}"/>'


PROBLEM = f"""<act classCode="ACT" moodCode="EVN">{template("3")}<id root="1.2.3" extension="act1"/>
<code code="CONC" codeSystem="2.16.840.1.113883.5.6"/><statusCode code="active"/>
<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">{template("4")}
<id root="1.2.3" extension="p-1"/><code code="55607006" {SNOMED}/><statusCode code="completed"/>
<effectiveTime><low value="20190312"/></effectiveTime>
<value xsi:type="CD" code="38341003" {SNOMED} displayName="Hypertension">
<originalText><reference value="#problem1"/></originalText>
<translation code="I10" codeSystem="2.16.840.1.113883.6.90"/></value>
<author><time value="20190313"/><assignedAuthor><id root="1.2.9" extension="dr7"/>
<assignedPerson><name><given>Ann</given><family>Lee</family></name></assignedPerson></assignedAuthor></author>
</observation></entryRelationship></act>"""
NO_PROBLEM = PROBLEM.replace("p-1", "p-2").replace(
    'moodCode="EVN"><templateId root="' + T + '4"', 'moodCode="EVN" negationInd="true"><templateId root="' + T + '4"'
)
RESOLVED = PROBLEM.replace("p-1", "p-3").replace('<low value="20190312"/>', '<low value="2018"/><high value="201902"/>')
MEDICATION = f"""<substanceAdministration classCode="SBADM" moodCode="EVN">{template("16")}
<id root="1.2.3" extension="m-1"/><statusCode code="active"/>
<effectiveTime xsi:type="IVL_TS"><low value="20200101"/></effectiveTime>
<effectiveTime xsi:type="PIVL_TS" operator="A"><period value="12" unit="h"/></effectiveTime>
<routeCode code="C38288" codeSystem="2.16.840.1.113883.3.26.1.1"/><doseQuantity value="0.5" unit="mg"/>
<consumable><manufacturedProduct><manufacturedMaterial><code code="314076" {RXNORM} displayName="lisinopril 10 MG"/>
</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"""
ORDER = MEDICATION.replace("m-1", "m-2").replace('moodCode="EVN"', 'moodCode="INT"')
ALLERGY = f"""<act classCode="ACT" moodCode="EVN">{template("30")}<statusCode code="active"/>
<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">{template("7")}
<id root="1.2.3" extension="a-1"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>
<value xsi:type="CD" code="416098002" {SNOMED}/>
<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity classCode="MMAT">
<code code="7980" {RXNORM} displayName="Penicillin G"/></playingEntity></participantRole></participant>
<entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN">{template("9")}
<code code="ASSERTION"/><value xsi:type="CD" code="247472004" {SNOMED}/>
<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">{template("8")}
<value xsi:type="CD" code="371924009" {SNOMED}/></observation></entryRelationship>
</observation></entryRelationship></observation></entryRelationship></act>"""
VACCINE = f"""<substanceAdministration classCode="SBADM" moodCode="EVN">{template("52")}
<id root="1.2.3" extension="v-1"/><statusCode code="completed"/><effectiveTime value="20211005"/>
<consumable><manufacturedProduct><manufacturedMaterial><code code="140" codeSystem="2.16.840.1.113883.12.292"/>
<lotNumberText>L77</lotNumberText></manufacturedMaterial>
<manufacturerOrganization><name>Maker</name></manufacturerOrganization></manufacturedProduct></consumable>
</substanceAdministration>"""
REFUSED = VACCINE.replace("v-1", "v-2").replace('moodCode="EVN">', 'moodCode="EVN" negationInd="true">', 1)


def result(number: str, code: str, value: str, more: str = "") -> str:
    return f"""<component><observation classCode="OBS" moodCode="EVN">{template("2")}<id root="1.2.3" extension="{number}"/>
<code code="{code}" {LOINC}/><statusCode code="completed"/><effectiveTime value="202103040809-0500"/>{value}{more}
</observation></component>"""


RESULTS = f"""<organizer classCode="BATTERY" moodCode="EVN">{template("1")}<id root="1.2.3" extension="o-1"/>
<code code="24323-8" {LOINC} displayName="CMP"/><statusCode code="completed"/>
{result("r-1", "2345-7", '<value xsi:type="PQ" value="95" unit="mg/dL"/>', '<interpretationCode code="N" codeSystem="2.16.840.1.113883.5.83"/><referenceRange><observationRange><value xsi:type="IVL_PQ"><low value="70" unit="mg/dL"/><high value="99" unit="mg/dL"/></value></observationRange></referenceRange>')}
{result("r-2", "5902-2", '<value xsi:type="IVL_PQ"><high value="5" unit="mg/L" inclusive="false"/></value>')}
{result("r-3", "5778-6", '<value xsi:type="ST">Yellow</value>')}
{result("r-4", "2951-2", '<value xsi:type="PQ" nullFlavor="MSK"/>')}
</organizer>"""
VITALS = f"""<organizer classCode="CLUSTER" moodCode="EVN">{template("26")}<code code="46680005" {SNOMED}/>
<component><observation classCode="OBS" moodCode="EVN">{template("27")}<id root="1.2.3" extension="b-1"/>
<code code="8480-6" {LOINC}/><effectiveTime value="20210304080905+0800"/><value xsi:type="PQ" value="132" unit="mm[Hg]"/>
</observation></component></organizer>"""
PROCEDURE = f"""<procedure classCode="PROC" moodCode="EVN">{template("14")}<id root="1.2.3" extension="c-1"/>
<code code="73761001" {SNOMED}/><statusCode code="completed"/><effectiveTime value="202001"/></procedure>"""
ENCOUNTER = f"""<encounter classCode="ENC" moodCode="EVN">{template("49")}<id root="1.2.3" extension="e-9"/>
<code code="99213" codeSystem="2.16.840.1.113883.6.12"><translation code="AMB" codeSystem="2.16.840.1.113883.5.4"/></code>
<effectiveTime value="20200102"/></encounter>"""
SMOKING = f"""<observation classCode="OBS" moodCode="EVN">{template("78")}<id root="1.2.3" extension="s-1"/>
<code code="72166-2" {LOINC}/><effectiveTime value="20210304"/><value xsi:type="CD" code="8517006" {SNOMED}/></observation>"""
RELATIVE = f"""<organizer classCode="CLUSTER" moodCode="EVN">{template("45")}
<subject><relatedSubject classCode="PRS"><code code="FTH"/></relatedSubject></subject>
<component><observation classCode="OBS" moodCode="EVN">{template("46")}<code code="64572001" {SNOMED}/>
<value xsi:type="CD" code="22298006" {SNOMED}/></observation></component></organizer>"""
PLANNED = f"""<observation classCode="OBS" moodCode="INT">{template("44")}<code code="2345-7" {LOINC}/></observation>"""
NARRATIVE = (
    '<paragraph>First <content ID="problem1">High blood pressure</content>.</paragraph>'
    "<list><item>one</item><item>two</item></list>"
    "<table><thead><tr><th>Name</th><th>Since</th></tr></thead><tbody><tr><td>Hypertension</td><td>2019</td></tr></tbody></table>"
)
SECTIONS = (
    section("11450-4", "Problems", NARRATIVE, PROBLEM, NO_PROBLEM, RESOLVED),
    section("10160-0", "Medications", "Lisinopril", MEDICATION, ORDER),
    section("48765-2", "Allergies", "Penicillin", ALLERGY),
    section("11369-6", "Immunizations", "Flu", VACCINE, REFUSED),
    section("30954-2", "Results", "See entries", RESULTS),
    section("8716-3", "Vital signs", "BP", VITALS),
    section("47519-4", "Procedures", "", PROCEDURE),
    section("46240-8", "Encounters", "", ENCOUNTER),
    section("29762-2", "Social history", "", SMOKING),
    section("10157-6", "Family history", "Father: infarction", RELATIVE),
    section("18776-5", "Plan", "", PLANNED),
)
PATIENT = """<recordTarget><patientRole><id root="2.16.840.1.113883.4.1" extension="111-22-3333"/>
<id root="2.16.840.1.113883.19.5" extension="MRN-77"/>
<addr use="HP"><streetAddressLine>1 Elm St</streetAddressLine><city>Boston</city><state>MA</state>
<postalCode>02101</postalCode><country>US</country></addr><telecom value="tel:+1-555-0100"/>
<patient><name use="L"><given>Mary</given><given>J</given><family>Roe</family></name>
<administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19700105"/>
<maritalStatusCode code="M" codeSystem="2.16.840.1.113883.5.2"/>
<raceCode code="2106-3" codeSystem="2.16.840.1.113883.6.238"/></patient>
<providerOrganization><id root="2.16.840.1.113883.4.6" extension="99"/><name>Clinic</name></providerOrganization>
</patientRole></recordTarget>"""
VISIT = """<componentOf><encompassingEncounter><id root="1.2.5" extension="v100"/>
<code code="AMB" codeSystem="2.16.840.1.113883.5.4"/>
<effectiveTime><low value="20210304080000-0500"/><high value="20210304090000-0500"/></effectiveTime>
</encompassingEncounter></componentOf>"""


def ccda(*sections: str, patient: str = PATIENT, header: str = "") -> bytes:
    body = "".join(sections or SECTIONS)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument {V3}><realmCode code="US"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.10.20.22.1.2"/><id root="2.16.840.1.113883.19.6" extension="doc-1"/>
<code code="34133-9" {LOINC} displayName="Summarization of Episode Note"/><title>Summary</title>
<effectiveTime value="20210305120000-0500"/><languageCode code="en-US"/>{header}{patient}
<author><time value="20210305"/><assignedAuthor><id root="2.16.840.1.113883.4.6" extension="88"/>
<assignedPerson><name><given>Sam</given><family>Poe</family></name></assignedPerson></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id root="2.16.840.1.113883.4.6" extension="99"/>
<name>Clinic</name></representedCustodianOrganization></assignedCustodian></custodian>{VISIT}
<component><structuredBody>{body}</structuredBody></component></ClinicalDocument>""".encode()


def de(code: str, name: str, value: str, inner: str = "") -> str:
    """An observation of a data element."""
    return (
        f'<observation classCode="OBS" moodCode="EVN"><code code="{code}" {DE} displayName="{name}"/>{value}{inner}'
        "</observation>"
    )


def st(text: str) -> str:
    return f'<value xsi:type="ST">{text}</value>'


def under(one: str) -> str:
    return f'<entryRelationship typeCode="COMP">{one}</entryRelationship>'


def diagnosis(code: str, name: str, label: str = "诊断代码") -> str:
    return de("DE05.01.024.00", label, f'<value xsi:type="CD" code="{code}" displayName="{name}" {ICD_CN}/>')


def pq(value: str, unit: str) -> str:
    return f'<value xsi:type="PQ" value="{value}" unit="{unit}"/>'


CN_SURGERY = """<procedure classCode="PROC" moodCode="EVN"><code code="47.09" displayName="阑尾切除术"
codeSystem="2.16.156.10011.2.3.3.12" codeSystemName="手术(操作)代码表(ICD-9-CM)"/><statusCode/>
<effectiveTime value="20240303101500"/></procedure>"""
CN_DRUG = """<substanceAdministration classCode="SBADM" moodCode="EVN"><text/>
<doseQuantity value="0.25" unit="g"/><rateQuantity><translation value="3" unit="次/日"/></rateQuantity>
<consumable><manufacturedProduct><manufacturedLabeledDrug><code/><name>阿莫西林胶囊</name></manufacturedLabeledDrug>
</manufacturedProduct></consumable></substanceAdministration>"""
CN_ALLERGY = """<act classCode="ACT" moodCode="EVN"><code nullFlavor="NA"/><entryRelationship typeCode="SUBJ">
<observation classCode="OBS" moodCode="EVN"><code code="DE02.10.023.00" codeSystem="2.16.156.10011.2.2.1"
displayName="过敏史标志"/><value xsi:type="BL" value="true"/><participant typeCode="CSM"><participantRole classCode="MANU">
<playingEntity classCode="MMAT"><code code="DE02.10.022.00" codeSystem="2.16.156.10011.2.2.1" displayName="过敏药物"/>
<desc xsi:type="ST">青霉素</desc></playingEntity></participantRole></participant></observation></entryRelationship></act>"""
CN_RESULT = de(
    "DE04.30.019.00",
    "检验项目名称",
    st("血红蛋白"),
    under(de("DE04.30.015.00", "检验定量结果", pq("132", "g/L")))
    + under(
        de("DE04.30.017.00", "检验结果代码", '<value xsi:type="CD" code="1" codeSystem="2.16.156.10011.2.3.2.38"/>')
    ),
)
CN_ORGANIZER = f"""<organizer classCode="CLUSTER" moodCode="EVN"><statusCode/>
<component>{de("DE04.30.019.00", "检验项目", st("血糖"))}</component>
<component>{de("DE04.30.015.00", "检验定量结果", '<value xsi:type="REAL" value="6.1"/>', under(de("DE04.30.016.00", "计量单位", st("mmol/L"))))}</component>
</organizer>"""
CN_SECTIONS = (
    section("10154-3", "主诉章节", "", de("DE04.01.119.00", "主诉", st("转移性右下腹痛1天"))),
    section(
        "46241-6",
        "入院诊断章节",
        "",
        de(
            "DE05.01.025.00",
            "入院诊断名称",
            st("急性阑尾炎"),
            under(diagnosis("K35.900", "急性阑尾炎", "入院诊断编码")),
        ),
    ),
    section(
        "11535-2",
        "出院诊断章节",
        "",
        diagnosis("K35.100", "急性阑尾炎伴腹膜脓肿", "出院诊断编码"),
        de("DE05.01.025.00", "出院诊断名称", st("急性阑尾炎伴周围脓肿")),
    ),
    section(
        "8716-3",
        "生命体征章节",
        "",
        de("DE04.10.186.00", "体温(℃)", pq("38.2", "℃")),
        de("DE04.10.118.00", "脉率", pq("96", "次/min")),
    ),
    section("47519-4", "手术操作章节", "", CN_SURGERY),
    section("10160-0", "用药章节", "", CN_DRUG),
    section("48765-2", "过敏史章节", "", CN_ALLERGY),
    section("30954-2", "实验室检查章节", "", CN_RESULT, CN_ORGANIZER),
    section(
        "18776-5",
        "治疗计划章节",
        "",
        de(
            "DE06.00.093.00",
            "拟实施手术及操作编码",
            '<value xsi:type="CD" code="47.01" codeSystem="2.16.156.10011.2.3.3.12"/>',
        ),
    ),
)
CN_PATIENT = """<recordTarget typeCode="RCT" contextControlCode="OP"><patientRole classCode="PAT">
<id root="2.16.156.10011.1.19" extension="310000000000001"/><id root="2.16.156.10011.1.12" extension="ZY0001"/>
<id root="2.16.156.10011.1.24" extension="SQ9"/>
<addr use="H"><houseNumber>8号</houseNumber><streetName>人民路</streetName><township>城关镇</township><county>安县</county>
<city>绵阳市</city><state>四川省</state><postalCode>621000</postalCode></addr><telecom value="13800000000"/>
<patient classCode="PSN" determinerCode="INSTANCE"><id root="2.16.156.10011.1.3" extension="110101199003077758"/>
<name>王小明</name><administrativeGenderCode code="1" codeSystem="2.16.156.10011.2.3.3.4"/><birthTime value="19900307"/>
<maritalStatusCode code="20" codeSystem="2.16.156.10011.2.3.3.5"/><ethnicGroupCode code="01" codeSystem="2.16.156.10011.2.3.3.3"/>
<age unit="岁" value="34"/></patient></patientRole></recordTarget>"""
CN_VISIT = """<componentOf><encompassingEncounter><code code="3" codeSystem="2.16.156.10011.2.3.1.271"/>
<effectiveTime><low value="20240302"/><high value="20240309"/></effectiveTime><location><healthCareFacility>
<serviceProviderOrganization><id root="2.16.156.10011.1.22" extension="12"/><name>12床</name><asOrganizationPartOf>
<wholeOrganization><id root="2.16.156.10011.1.27" extension="W3"/><name>三病区</name><asOrganizationPartOf><wholeOrganization>
<id root="2.16.156.10011.1.26" extension="D2"/><name>普外科</name><asOrganizationPartOf><wholeOrganization>
<id root="2.16.156.10011.1.5" extension="H1"/><name>安县人民医院</name></wholeOrganization></asOrganizationPartOf>
</wholeOrganization></asOrganizationPartOf></wholeOrganization></asOrganizationPartOf></serviceProviderOrganization>
</healthCareFacility></location></encompassingEncounter></componentOf>"""


def wst(*sections: str, encoding: str = "UTF-8", patient: str = CN_PATIENT, header: str = "") -> bytes:
    body = "".join(sections or CN_SECTIONS)
    return f"""<?xml version="1.0" encoding="{encoding}"?>
<ClinicalDocument {V3}><realmCode code="CN"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/>
<templateId root="2.16.156.10011.2.1.1.53"/><id root="2.16.156.10011.1.1" extension="RN001"/>
<code code="C0033" codeSystem="2.16.156.10011.2.4" codeSystemName="卫生信息共享文档规范编码体系"/><title>出院小结</title>
<effectiveTime value="20240309153000"/><languageCode code="zh-CN"/><setId/><versionNumber/>{header}{patient}
<author typeCode="AUT"><time value="20240309"/><assignedAuthor classCode="ASSIGNED"><id root="2.16.156.10011.1.7" extension="Y77"/>
<assignedPerson><name>李医生</name></assignedPerson></assignedAuthor></author>
<custodian typeCode="CST"><assignedCustodian><representedCustodianOrganization><id root="2.16.156.10011.1.5" extension="H1"/>
<name>安县人民医院</name></representedCustodianOrganization></assignedCustodian></custodian>{CN_VISIT}
<component><structuredBody>{body}</structuredBody></component></ClinicalDocument>""".encode(encoding)
