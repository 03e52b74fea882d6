"""Small vocabularies in the formats of their publishers; the codes are examples, or invented."""

from __future__ import annotations

import io
import json
import zipfile

LOINC_CSV = (
    '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","VersionLastChanged",'
    '"STATUS","RELATEDNAMES2","SHORTNAME","LONG_COMMON_NAME","EXAMPLE_UCUM_UNITS","COMMON_TEST_RANK"\n'
    '"718-7","Hemoglobin","MCnc","Pt","Bld","Qn","","HEM/BC","2.77","ACTIVE","Hb; Hgb","Hgb Bld-mCnc",'
    '"Hemoglobin [Mass/volume] in Blood","g/dL","3"\n'
    '"1742-6","Alanine aminotransferase","CCnc","Pt","Ser/Plas","Qn","","CHEM","2.76","ACTIVE","ALT; SGPT",'
    '"ALT SerPl-cCnc","Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma","U/L","20"\n'
    '"9999-1","Old one","MCnc","Pt","Bld","Qn","","HEM/BC","2.9","DEPRECATED","","","Old one","g/dL","0"\n'
)
LOINC_ZH = (
    '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","SHORTNAME",'
    '"LONG_COMMON_NAME","RELATEDNAMES2","LinguisticVariantDisplayName"\n'
    '"718-7","血红蛋白","质量浓度","时间点","全血","定量型","","血液学","","","血色素; Hb",""\n'
    '"1742-6","丙氨酸氨基转移酶","催化浓度","时间点","血清/血浆","定量型","","化学","","","谷丙转氨酶；ALT",'
    '"丙氨酸氨基转移酶 [酶活性/体积] 血清或血浆"\n'
)

_CONCEPT = "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\r\n"
_DESCRIPTION = "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\r\n"
_RELATIONSHIP = (
    "id\teffectiveTime\tactive\tmoduleId\tsourceId\tdestinationId\trelationshipGroup\ttypeId\t"
    "characteristicTypeId\tmodifierId\r\n"
)
_FULL, _SYNONYM, _IS_A = "900000000000003001", "900000000000013009", "116680003"
SNOMED_FILES = {
    "Snapshot/Terminology/sct2_Concept_Snapshot_INT_20240101.txt": _CONCEPT
    + "".join(
        f"{code}\t20240101\t{active}\t1\t2\r\n" for code, active in ((10, 1), (20, 1), (30, 1), (40, 1), (50, 0))
    ),
    "Snapshot/Terminology/sct2_Description_Snapshot-en_INT_20240101.txt": _DESCRIPTION
    + "".join(
        f"{number}\t20240101\t{active}\t1\t{code}\t{language}\t{kind}\t{term}\t3\r\n"
        for number, active, code, language, kind, term in (
            (1, 1, 10, "en", _FULL, 'Disorder "quoted" (disorder)'),
            (2, 1, 20, "en", _FULL, "Diabetes mellitus (disorder)"),
            (3, 1, 20, "en", _SYNONYM, "Diabetes"),
            (4, 0, 20, "en", _SYNONYM, "Sugar disease"),
            (5, 1, 30, "en", _FULL, "Type 2 diabetes mellitus (disorder)"),
            (6, 1, 30, "zh", _SYNONYM, "2型糖尿病"),
            (7, 1, 40, "en", _FULL, "Fracture (disorder)"),
        )
    ),
    "Snapshot/Terminology/sct2_Relationship_Snapshot_INT_20240101.txt": _RELATIONSHIP
    + "".join(
        f"{number}\t20240101\t{active}\t1\t{source}\t{target}\t0\t{kind}\t9\t8\r\n"
        for number, active, source, target, kind in (
            (1, 1, 20, 10, _IS_A),
            (2, 1, 30, 20, _IS_A),
            (3, 1, 40, 10, _IS_A),
            (4, 0, 40, 20, _IS_A),
            (5, 1, 40, 30, "363698007"),
        )
    ),
    "Snapshot/Refset/Language/der2_cRefset_LanguageSnapshot-en_INT_20240101.txt": (
        "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId\r\n"
        "a\t20240101\t1\t1\t9\t3\t900000000000548007\r\n"
    ),
}

RXNORM_FILES = {
    "rrf/RXNCONSO.RRF": (
        "6809|ENG||||||1||6809||RXNORM|IN|6809|metformin||N|4096|\n"
        "6809|ENG||||||2||6809||RXNORM|TMSY|6809|Metformin HCl||N|4096|\n"
        "6809|ENG||||||3||x||MTHSPL|SU|y|METFORMIN||N||\n"
        "860975|ENG||||||4||860975||RXNORM|SCD|860975|metformin hydrochloride 500 MG Oral Tablet||N|4096|\n"
        "11|ENG||||||5||11||RXNORM|IN|11|gone||O|4096|\n"
    ),
    "rrf/RXNREL.RRF": "6809||CUI|RN|860975||CUI|isa|1||RXNORM|RXNORM|||N||\n",
}

OMOP_FILES = {
    "CONCEPT.csv": (
        "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t"
        "valid_start_date\tvalid_end_date\tinvalid_reason\n"
        "201826\tType 2 diabetes mellitus\tCondition\tSNOMED\tClinical Finding\tS\t44054006\t19700101\t20991231\t\n"
        "201820\tDiabetes mellitus\tCondition\tSNOMED\tClinical Finding\tS\t73211009\t19700101\t20991231\t\n"
        "1567956\tType 2 diabetes\tCondition\tICD10\tICD10 code\t\tE11\t19700101\t20991231\t\n"
        "8507\tMALE\tGender\tGender\tGender\tS\tM\t19700101\t20991231\t\n"
        "9\tGone\tGender\tGender\tGender\t\tX\t19700101\t20991231\tD\n"
    ),
    "CONCEPT_RELATIONSHIP.csv": (
        "concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason\n"
        "1567956\t201826\tMaps to\t19700101\t20991231\t\n"
        "201826\t201826\tMaps to\t19700101\t20991231\t\n"
        "1567956\t201820\tMaps to\t19700101\t20991231\tD\n"
        "201826\t201820\tIs a\t19700101\t20991231\t\n"
    ),
    "CONCEPT_ANCESTOR.csv": (
        "ancestor_concept_id\tdescendant_concept_id\tmin_levels_of_separation\tmax_levels_of_separation\n"
        "201820\t201826\t1\t2\n201826\t201826\t0\t0\n"
    ),
    "CONCEPT_SYNONYM.csv": "concept_id\tconcept_synonym_name\tlanguage_concept_id\n201826\t2型糖尿病\t4182948\n",
    "VOCABULARY.csv": (
        "vocabulary_id\tvocabulary_name\tvocabulary_reference\tvocabulary_version\tvocabulary_concept_id\n"
        "None\tOMOP\tx\tv5.0 01-JAN-24\t0\nSNOMED\tSNOMED\tx\t2023-10-01\t1\n"
    ),
}

ATC_CSV = (
    "atc_code,atc_name,ddd,uom,adm_r,note\n"
    "A,ALIMENTARY TRACT AND METABOLISM,NA,NA,NA,NA\nA10,DRUGS USED IN DIABETES,NA,NA,NA,NA\n"
    "A10B,BLOOD GLUCOSE LOWERING DRUGS,NA,NA,NA,NA\nA10BA,Biguanides,NA,NA,NA,NA\n"
    'A10BA02,metformin,2,g,O,NA\nA10BA02,metformin,1,g,P,"rare"\nnot a code,x,NA,NA,NA,NA\n'
)

ICD_CHINA_CSV = (
    "主要编码,附加码,疾病名称\nA00.000,,古典生物型霍乱\nA00.000x001,,霍乱，由于O1群\nI25.103,,冠状动脉粥样硬化\n"
    "A17.000†,G01*,结核性脑膜炎\nM80000/3,,恶性肿瘤形态学\n"
)
ICD_CHINA_BOTH = [
    ["国家临床版2.0编码", "国家临床版2.0名称", "医保版编码", "医保版名称"],
    ["I25.103", "冠状动脉粥样硬化", "I25.101", "冠状动脉粥样硬化"],
    ["I10.x00x002", "高血压病", "I10.x00", "特发性(原发性)高血压"],
]

CODE_SYSTEM = {
    "resourceType": "CodeSystem",
    "url": "http://example.org/kinds",
    "version": "2",
    "name": "Kinds",
    "status": "active",
    "content": "complete",
    "caseSensitive": False,
    "hierarchyMeaning": "is-a",
    "concept": [
        {
            "code": "animal",
            "display": "Animal",
            "concept": [
                {"code": "dog", "display": "Dog", "designation": [{"language": "zh", "value": "狗"}]},
                {"code": "dodo", "display": "Dodo", "property": [{"code": "status", "valueCode": "retired"}]},
            ],
        },
        {"code": "plant", "display": "Plant", "property": [{"code": "green", "valueBoolean": True}]},
        {"code": "moss", "display": "Moss", "property": [{"code": "parent", "valueCode": "plant"}]},
    ],
}
VALUE_SET = {
    "resourceType": "ValueSet",
    "url": "http://example.org/vs/animals",
    "version": "1",
    "name": "Animals",
    "status": "active",
    "compose": {
        "include": [
            {
                "system": "http://example.org/kinds",
                "filter": [{"property": "concept", "op": "is-a", "value": "animal"}],
            }
        ],
        "exclude": [{"system": "http://example.org/kinds", "concept": [{"code": "dodo"}]}],
    },
}
CONCEPT_MAP = {
    "resourceType": "ConceptMap",
    "url": "http://example.org/map",
    "version": "1",
    "name": "Map",
    "status": "active",
    "group": [
        {
            "source": "http://example.org/local",
            "target": "http://example.org/kinds|2",
            "element": [
                {"code": "D", "target": [{"code": "dog", "equivalence": "equal", "display": "Dog"}]},
                {
                    "code": "A",
                    "target": [{"code": "dog", "equivalence": "narrower"}, {"code": "animal", "equivalence": "wider"}],
                },
                {"code": "Z", "target": [{"equivalence": "unmatched"}]},
                {"code": "N"},
            ],
        }
    ],
}
BUNDLE = {
    "resourceType": "Bundle",
    "entry": [{"resource": one} for one in (CODE_SYSTEM, VALUE_SET, CONCEPT_MAP, {"resourceType": "Patient"})],
}


def as_bytes(files: dict[str, str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in files.items()}


def zipped(files: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"Release/{name}", text)
        archive.writestr("Release/readme.pdf", b"\x00\x01")
    return held.getvalue()


def as_json(resource: object) -> bytes:
    return json.dumps(resource).encode()


def as_workbook(rows: list[list[str]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()
