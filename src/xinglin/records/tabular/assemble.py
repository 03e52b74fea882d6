"""From the meanings of columns to the blocks of a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from xinglin.records.tabular.guess import Alternative, normalised, series
from xinglin.records.tabular.known_codes import NATIONAL, code_map, sex_codes
from xinglin.records.tabular.measures import ATC, ICD9, ICD10, LOINC, NOT_TAKEN, measures, medicines
from xinglin.records.tabular.model import LINE, NAME, RANK, VALUE, Block, Code, CodeMap, Field, When
from xinglin.records.tabular.profile import Profile

Named = Mapping[str, Alternative]
COUNT, MEDICINE, MEASURE = "count", "medicine", "measure"

_PATIENT = {
    "person.name": "name",
    "person.family": "family",
    "person.given": "given",
    "person.national_id": "national_id",
    "person.insurance_id": "insurance_id",
    "person.phone": "phone",
    "person.address": "address",
    "person.postal_code": "postal_code",
    "person.birth_date": "birth_date",
    "person.birth_year": "birth_year",
    "person.marital": "marital_status",
    "person.ethnicity": "ethnicity",
    "person.race": "race",
    "person.occupation": "occupation",
    "person.country": "country",
    "person.city": "city",
    "person.province": "province",
    "person.language": "language",
}
_ENCOUNTER = {
    "visit.start": "started",
    "visit.end": "ended",
    "visit.days": "length_days",
    "visit.department": "department",
    "visit.bed": "location",
    "visit.doctor": "attending",
    "visit.readmission": "readmission",
}
_CODED = {
    "visit.class": ("class", "class"),
    "visit.type": ("priority", "priority"),
    "visit.admit_source": ("admit_source", "admit"),
    "visit.disposition": ("discharge_disposition", "disposition"),
}
_DRUG = {
    "drug.dose": "dose_number",
    "drug.route": "route",
    "drug.frequency": "frequency_text",
    "drug.start": "started",
    "drug.end": "ended",
    "drug.quantity": "quantity",
    "drug.days": "days_supply",
}
_PLAIN_ID = re.compile(r"[^A-Za-z0-9_.\-]+")


class Assembly:
    """The blocks and code maps of one sheet; ``into`` says which canonical fields each column fills."""

    def __init__(self, profiles: Mapping[str, Profile], named: Named, labels: Mapping[str, Mapping[str, str]]) -> None:
        self.profiles = profiles
        self.named = named
        self.labels = labels
        self.blocks: list[Block] = []
        self.codes: dict[str, CodeMap] = {}
        self.into: dict[str, list[str]] = {}
        self.notes: list[str] = []
        self.person = self._key("person.id", "visit.inpatient_no", "person.national_id", "person.insurance_id")
        self.visit = self._key("visit.id", "visit.inpatient_no", "visit.outpatient_no")
        if self.visit == self.person:
            self.visit = self._key("visit.outpatient_no")
        if not self.person:
            self.person = self.visit or LINE
            said = f"the visit '{self.visit}' stands for the person" if self.visit else "each line counts as a person"
            self.notes.append(f"No column names the person: {said}. Correct this before anything is published.")
        self.patient = f"Patient/{{{self.person}}}"

    def build(self) -> None:
        """Every block, in the order in which a person reads them."""
        self._patient()
        self._encounter()
        self._conditions()
        self._laboratory()
        self._wide()
        self._medications()
        self._procedures()
        self._notes()

    def one(self, meaning: str) -> str:
        """The surest column of a meaning, or an empty text."""
        found = [(guess.confidence, name) for name, guess in self.named.items() if guess.meaning == meaning]
        return max(found, key=lambda item: item[0])[1] if found else ""

    def every(self, meaning: str) -> list[str]:
        """Every column of a meaning, in the sheet's order."""
        return [name for name, guess in self.named.items() if guess.meaning == meaning]

    def row_key(self, *meanings: str) -> str:
        """A template that is different in each row: a unique column, or else the visit with a digest of the row."""
        for meaning in (*meanings, "row.key"):
            name = self.one(meaning)
            if name and self.profiles[name].unique:
                return f"{{{name}}}"
        if self.visit and self.profiles[self.visit].unique:
            return f"{{{self.visit}}}"
        return f"{{{self.visit or self.person}}}-{{@digest}}"

    def _key(self, *meanings: str) -> str:
        return next((name for meaning in meanings if (name := self.one(meaning))), "")

    def _say(self, table: str, fields: Mapping[str, Field], each: Iterable[str] = ()) -> None:
        for name, field in fields.items():
            columns = (field.column, *field.first, field.words, field.unit_column, field.range_column)
            for column in columns:
                if column in self.profiles:
                    self.into.setdefault(column, []).append(f"{table}.{name}")
        told = [name for name, field in fields.items() if field.column == VALUE] or list(fields)[:1]
        for column in each:
            self.into.setdefault(column, []).extend(f"{table}.{name}" for name in told)

    def _add(self, block: Block) -> None:
        self._say(block.into, block.columns, block.each)
        self.blocks.append(block)

    def _visit_field(self) -> dict[str, Field]:
        return {"encounter": Field(text=f"Encounter/{{{self.visit}}}")} if self.visit else {}

    def _patient(self) -> None:
        fields: dict[str, Field] = {}
        if self.person in self.profiles:
            fields["identifier"] = Field(column=self.person)
        for meaning, target in _PATIENT.items():
            if name := self.one(meaning):
                fields[target] = Field(column=name)
        if name := self.one("person.sex"):
            self.codes["sex"] = sex_codes(value for value, _ in self.profiles[name].top)
            fields = {**fields, "sex": Field(column=name, codes="sex")}
        if len(fields) > 1:
            words = "the person; the last row that names them holds"
            self._add(Block("patient", self.patient, columns=fields, keep="last", partial=True, words=words))
        if name := self.one("person.died_at"):
            when = (When(name, present=True),)
            columns = {"died_at": Field(column=name)}
            self._add(Block("death", f"Death/{{{self.person}}}", self.patient, columns=columns, when=when, keep="last"))

    def _encounter(self) -> None:
        if not self.visit:
            return
        fields = {"identifier": Field(column=self.visit)}
        for meaning, target in _ENCOUNTER.items():
            if name := self.one(meaning):
                fields[target] = Field(column=name)
        for meaning, (target, kind) in _CODED.items():
            if name := self.one(meaning):
                fields[target] = Field(column=name, codes=self._known(kind, name))
                if target == "priority":
                    fields["type"] = Field(column=name, codes=self._labelled(name))
        if name := self.one("visit.reason"):
            fields["reason"] = Field(words=name)
        if len(fields) == 1:
            return
        if "ended" in fields or "length_days" in fields:
            fields["status"] = Field(const="finished")
        if "class" not in fields and "length_days" in fields:
            fields["class"] = Field(const="IMP", system="http://terminology.hl7.org/CodeSystem/v3-ActCode")
        keep = "all" if self.profiles[self.visit].unique else "last"
        self._add(Block("encounter", f"Encounter/{{{self.visit}}}", self.patient, columns=fields, keep=keep))

    def _known(self, kind: str, name: str) -> str:
        values = [value for value, _ in self.profiles[name].top]
        words = self.labels.get(name) or {}
        national = NATIONAL.get(kind, {})
        if not words and national and set(values) <= set(national):
            words = national
        key = self._code_name(name)
        self.codes[key] = code_map(kind, [*dict.fromkeys([*values, *words])], words)
        return key

    def _labelled(self, name: str) -> str:
        """A map without standard codes, for the source's own words of its codes; none where there are no words."""
        words = self.labels.get(name)
        if not words:
            return ""
        key = f"{self._code_name(name)}_words"
        self.codes[key] = CodeMap(map={}, words={value: " ".join(text.split()) for value, text in words.items()})
        return key

    def _code_name(self, name: str) -> str:
        plain = _PLAIN_ID.sub("_", normalised(name)).strip("_")
        return plain or f"codes_{len(self.codes) + 1}"

    def _conditions(self) -> None:
        codes, names = self.every("dx.code"), self.every("dx.name")
        if not codes and not names:
            return
        paired = [(code, _partner(code, names)) for code in codes] or [("", name) for name in names]
        many = len(paired) > 1
        system = self._system(codes)
        extra = self._visit_field()
        if many and not any(name for _, name in paired):
            rank = {"code": _coded(VALUE, "", system), "rank": Field(column=RANK)}
            when = (When(VALUE, present=True),)
            key = f"{{{self.visit}}}" if self.visit else self.row_key()
            identifier = f"Condition/{key}-{{@rank}}"
            block = Block("condition", identifier, self.patient, each=tuple(codes), when=when, columns=rank | extra)
            self._add(block)
            return
        for number, (code, name) in enumerate(paired, 1):
            self._condition(code, name, number if many else 0, system, extra)

    def _condition(self, code: str, name: str, rank: int, system: str, extra: dict[str, Field]) -> None:
        fields = {"code": _coded(code, name, system)} | extra
        long = not (self.visit and self.profiles[self.visit].unique)
        if rank:
            fields["rank"] = Field(const=rank)
        elif column := self.one("dx.rank"):
            fields["rank"] = Field(column=column)
        for meaning, target in (("dx.time", "recorded"), ("dx.type", "use")):
            if column := self.one(meaning):
                fields[target] = Field(column=column)
        key = self.row_key() if long else f"{{{self.visit}}}"
        present = code or name
        when = (When(present, present=True),)
        identifier = f"Condition/{key}-{rank}" if rank else f"Condition/{key}"
        self._add(Block("condition", identifier, self.patient, when=when, columns=fields))

    def _system(self, codes: Sequence[str]) -> str:
        if not codes:
            return ""
        profile = self.profiles[codes[0]]
        if profile.fits("icd-10", 0.8):
            return ICD10
        return ICD9 if profile.fits("icd-9-cm", 0.8) else ""

    def _laboratory(self) -> None:
        result, code, name = self.one("lab.result"), self.one("lab.code"), self.one("lab.name")
        if not result or not (code or name):
            return
        loinc = bool(code) and self.profiles[code].fits("loinc", 0.8)
        what = _coded(code, name, LOINC if loinc else "")
        value = Field(column=result, unit_column=self.one("lab.unit"), range_column=self.one("lab.range"))
        fields = {"code": what, "result": value, "category": Field(const="laboratory"), "status": Field(const="final")}
        for meaning, target in (("lab.time", "effective"), ("lab.issued", "issued"), ("lab.flag", "interpretation")):
            if column := self.one(meaning):
                fields[target] = Field(column=column)
        for meaning, target in (("lab.low", "range_low"), ("lab.high", "range_high"), ("lab.method", "method")):
            if column := self.one(meaning):
                fields[target] = Field(column=column)
        if column := self.one("lab.report"):
            fields["report"] = Field(text=f"DiagnosticReport/{{{column}}}")
        when = (When(result, present=True),)
        key = f"Observation/{self.row_key('lab.row')}"
        self._add(Block("observation", key, self.patient, when=when, columns=fields | self._visit_field()))

    def _wide(self) -> None:
        """Measurements, counts and ages that are columns of their own."""
        numbers = [name for name in self.every(MEASURE) if self.profiles[name].fits("number")]
        words = [name for name in self.every(MEASURE) if name not in numbers]
        if self.every(MEASURE):
            known = {name: measures()[normalised(name)] for name in self.every(MEASURE)}
            self.codes["measures"] = CodeMap(map={n: Code(m.code) for n, m in known.items()}, system=LOINC)
            self.codes["categories"] = CodeMap(map={name: measure.category for name, measure in known.items()})
            if numbers:
                self.codes["units"] = CodeMap(map={name: known[name].unit for name in numbers})
                self.notes.append("The units of measurements in columns of their own are the usual ones: check them.")
        coded = {"code": Field(column=NAME, codes="measures"), "category": Field(column=NAME, codes="categories")}
        if numbers:
            unit = {"value_number": Field(column=VALUE), "value_unit": Field(column=NAME, codes="units")}
            self._observations(numbers, coded | unit)
        if words:
            self._observations(words, coded | {"value_text": Field(column=VALUE)})
        if counts := self.every(COUNT):
            fields = {
                "code": Field(column=NAME),
                "value_number": Field(column=VALUE),
                "category": Field(const="survey"),
            }
            self._observations(counts, fields)
        if age := self.one("person.age"):
            band = not self.profiles[age].fits("number")
            value = {"value_text": Field(column=age)} if band else {"value_number": Field(column=age, unit="a")}
            code = {"code": Field(const="30525-0", system=LOINC, standard=True, words="=Age")}
            key = f"Observation/{self._stay()}-age"
            when = (When(age, present=True),)
            fields = code | value | {"category": Field(const="social-history")} | self._visit_field()
            self._add(Block("observation", key, self.patient, when=when, columns=fields))

    def _observations(self, each: Sequence[str], fields: Mapping[str, Field]) -> None:
        key = f"Observation/{self._stay()}-{{@name}}"
        when = (When(VALUE, present=True, not_among=("None", "none")),)
        columns = {**fields, "status": Field(const="final"), **self._visit_field()}
        self._add(Block("observation", key, self.patient, each=tuple(each), when=when, columns=columns))

    def _stay(self) -> str:
        if self.visit and self.profiles[self.visit].unique:
            return f"{{{self.visit}}}"
        return self.row_key() if self.visit or self.person != LINE else f"{{{LINE}}}"

    def _medications(self) -> None:
        if taken := self.every(MEDICINE):
            known = medicines()
            given = {name: Code(known[normalised(name)]) for name in taken if normalised(name) in known}
            self.codes["medicines"] = CodeMap(map=dict(given), system=ATC)
            fields = {
                "kind": Field(const="ordered"),
                "code": Field(column=NAME, codes="medicines"),
                "note": Field(column=VALUE),
            }
            when = (When(VALUE, present=True, not_among=NOT_TAKEN),)
            key = f"MedicationRequest/{self._stay()}-{{@name}}"
            columns = fields | self._visit_field()
            self._add(Block("medication", key, self.patient, each=tuple(taken), when=when, columns=columns))
        code, name = self.one("drug.code"), self.one("drug.name")
        if not code and not name:
            return
        atc = bool(code) and self.profiles[code].fits("atc", 0.8)
        what = _coded(code, name, ATC if atc else "")
        fields = {"kind": Field(const="ordered"), "code": what}
        for meaning, target in _DRUG.items():
            if column := self.one(meaning):
                units = {"drug.dose": "drug.dose_unit", "drug.quantity": "drug.quantity_unit"}
                unit = self.one(units[meaning]) if meaning in units else ""
                fields[target] = Field(column=column, unit_column=unit)
        key = f"MedicationRequest/{self.row_key('drug.order')}"
        when = (When(name or code, present=True),)
        self._add(Block("medication", key, self.patient, when=when, columns=fields | self._visit_field()))

    def _procedures(self) -> None:
        codes, names = self.every("op.code"), self.every("op.name")
        paired = [(code, _partner(code, names)) for code in codes] or [("", name) for name in names]
        for number, (code, name) in enumerate(paired, 1):
            fields = {"code": Field(column=code, words=name) if code else Field(words=name)}
            times = self.every("op.time")
            if time := (_partner(code or name, times) if len(paired) > 1 else (times[0] if times else "")):
                fields["started"] = Field(column=time)
            fields["status"] = Field(const="completed")
            key = f"Procedure/{self._stay()}" + (f"-{number}" if len(paired) > 1 else "")
            when = (When(code or name, present=True),)
            self._add(Block("procedure", key, self.patient, when=when, columns=fields | self._visit_field()))

    def _notes(self) -> None:
        if texts := self.every("note.text"):
            fields = {"title": Field(column=NAME), "body": Field(column=VALUE)}
            when = (When(VALUE, present=True),)
            key = f"DocumentReference/{self._stay()}-{{@name}}"
            columns = fields | self._visit_field()
            self._add(Block("note", key, self.patient, each=tuple(texts), when=when, columns=columns))


def _coded(code: str, name: str, system: str) -> Field:
    """A concept from a column of codes, of words, or of both; ``system`` where the codes are standard ones."""
    return Field(column=code, words=name, system=system, standard=bool(system)) if code else Field(words=name)


def _partner(code: str, names: Sequence[str]) -> str:
    """The column of words that belongs to a column of codes: of the same number, or the only one."""
    own = series(code)
    for name in names:
        other = series(name)
        if (own[1] if own else 0) == (other[1] if other else 0):
            return name
    return ""
