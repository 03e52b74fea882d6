"""The list of canonical tables (``xinglin.catalogue.canonical`` says what a kind of column is)."""

from __future__ import annotations

import msgspec

from xinglin.catalogue.canonical import CanonicalColumn, CanonicalTable, Kind, Role


def _c(line: str) -> CanonicalColumn:
    """``name kind words…``; a name that ends in ``!`` identifies a person."""
    name, kind, words = line.split(None, 2)
    role: Role = "identifier" if name.endswith("!") else "data"
    return CanonicalColumn(name.rstrip("!"), msgspec.convert(kind, Kind), words, role)


def _table(
    name: str, words: str, lines: str, *, status: tuple[str, ...] = ("status",), of_person: bool = True
) -> CanonicalTable:
    columns = tuple(_c(line.strip()) for line in lines.strip().splitlines())
    return CanonicalTable(name, words, columns, status, of_person)


_ENCOUNTER = "encounter text the visit (encounter.id)"
_DENTAL = """
    tooth text FDI tooth number
    surface text tooth surfaces (M O D B L I, joined)
"""

CANONICAL_TABLES: tuple[CanonicalTable, ...] = (
    _table("patient", "a person as one source knows them; person.id in the patient index says who is who", """
        identifier! text the hospital's own number of the person
        identifier_system! text who issued that number
        national_id! text identity number of the state
        insurance_id! text number of the insurance card
        name! text the whole name
        family! text family name
        given! text given names
        phone! text telephone number
        address! text address as one line
        postal_code! text postal code
        birth_date! date date of birth
        birth_year integer year of birth
        sex text administrative sex: male female other unknown
        city text city or county of residence
        province text province or state of residence
        country text country of residence
        marital_status coded marital status
        language coded preferred language
        ethnicity coded ethnic group
        race coded race, where the law has it recorded
        occupation coded occupation
        multiple_birth integer order in a multiple birth, or 1 where only the fact is known
        organization text the organisation that keeps the record (organization.id)
        practitioner text the person's own doctor (staff.id)
        active boolean the record is in use
        replaced_by! text the record that this one was merged into (patient.id)
        status text entered-in-error where the record was taken back
    """),
    _table("death", "a death, one row a person", """
        died_at time when
        cause concept cause of death
        place_of_death text where
        status text status of the statement
    """),
    _table("organization", "an institution or a part of one", """
        identifier text its number
        name text its name
        type coded what it is
        part_of text the organisation above it (organization.id)
        city text city
        province text province or state
        country text country
        active boolean in use
        status text entered-in-error where it was taken back
    """, of_person=False),
    _table("staff", "a person who works here, or a role of theirs", """
        identifier! text their number
        name! text their name
        sex text administrative sex
        role coded what they do
        specialty coded their field
        organization text where they work (organization.id)
        active boolean in use
        status text entered-in-error where it was taken back
    """, of_person=False),
    _table("location", "a place: ward, room, bed, site", """
        identifier text its number
        name text its name
        type coded what it is
        part_of text the place that it is in (location.id)
        organization text who runs it (organization.id)
        city text city
        province text province or state
        status text status
    """, of_person=False),
    _table("encounter", "a visit", """
        identifier! text the hospital's number of the visit
        status text planned arrived in-progress finished cancelled entered-in-error
        class coded ambulatory, emergency, in-patient, home, virtual
        type concept kind of visit
        priority coded urgency
        started time first moment
        ended time last moment
        length_days number length in days
        reason concept why
        admit_source coded where from
        discharge_disposition coded where to
        readmission coded whether it is a readmission
        department text the department (organization.id)
        location text the place (location.id)
        attending text the attending doctor (staff.id)
        part_of text the visit that this is part of (encounter.id)
    """),
    _table("appointment", "a booked visit", f"""
        status text proposed pending booked arrived fulfilled cancelled noshow entered-in-error
        type coded kind of appointment
        reason concept why
        started time planned start
        ended time planned end
        minutes integer planned length
        {_ENCOUNTER}
        staff text with whom (staff.id)
        location text where (location.id)
    """),
    _table("condition", "a diagnosis, problem or finding", f"""
        code concept what
        clinical_status text active recurrence relapse inactive remission resolved
        verification_status text unconfirmed provisional differential confirmed refuted entered-in-error
        category text problem-list-item, encounter-diagnosis, ...
        severity coded how bad
        body_site concept where in the body
        onset time since when
        abatement time until when
        recorded time when it was written down
        {_ENCOUNTER}
        rank integer order among the diagnoses of the visit, 1 the main one
        use text admission, discharge, billing, ... (role of the diagnosis in the visit)
        recorder text who wrote it down (staff.id)
        note text free text
        {_DENTAL.strip()}
    """, status=("verification_status",)),
    _table("observation", "a measurement or a finding; one row a component, one for the whole", f"""
        status text registered preliminary final amended corrected cancelled entered-in-error
        category text vital-signs laboratory imaging survey social-history ...
        code concept what was measured
        component integer 0 for the observation itself, 1 … for its components
        effective time when it was so
        issued time when it was made known
        value_number number the number, in value_unit
        value_comparator text < <= >= >
        value_unit text UCUM unit
        value_unit_source text the unit as written
        value_titre text a titre or ratio as written, 1:64
        value_titre_denominator number the denominator of the titre
        value concept a coded value
        value_text text a value in words
        value_boolean boolean a value that is yes or no
        value_time time a value that is a time
        absent_reason text why there is no value
        interpretation text H L HH LL A N ...
        range_low number lower end of the reference range
        range_high number upper end of the reference range
        range_text text reference range in words
        method coded how
        body_site concept where in the body
        specimen text the specimen (specimen.id)
        device text the device (device.id)
        {_ENCOUNTER}
        report text the report that it belongs to (report.id)
        performer text who (staff.id or organization.id)
        note text free text
        {_DENTAL.strip()}
    """),
    _table("specimen", "a sample taken from a person", """
        status text available unavailable unsatisfactory entered-in-error
        identifier! text its number
        type concept what it is
        body_site concept where it was taken
        method coded how it was taken
        collected time when it was taken
        received time when it reached the laboratory
        quantity number how much
        quantity_unit text UCUM unit
        condition coded its state
        parent text the specimen that it was taken from (specimen.id)
    """),
    _table("medication", "a medicine that was ordered, dispensed, administered or stated", f"""
        kind text ordered dispensed administered stated
        status text active on-hold cancelled completed entered-in-error stopped draft unknown
        code concept the medicine
        intent text proposal plan order ...
        category text in-patient, out-patient, community, discharge
        reason concept why
        started time first moment
        ended time last moment
        authored time when it was written
        dose_number number one dose
        dose_unit text UCUM unit
        dose_unit_source text the unit as written
        route coded route
        frequency_text text timing in words
        frequency_count number times in frequency_period
        frequency_period number period, in frequency_period_unit
        frequency_period_unit text s min h d wk mo a
        rate_number number rate
        rate_unit text UCUM unit
        quantity number amount dispensed or supplied
        quantity_unit text unit
        days_supply number days that it lasts
        as_needed boolean taken when needed
        based_on text the order (medication.id)
        {_ENCOUNTER}
        staff text who (staff.id)
        note text free text
    """),
    _table("procedure", "what was done", f"""
        status text preparation in-progress not-done on-hold stopped completed entered-in-error
        code concept what
        category coded kind of procedure
        started time first moment
        ended time last moment
        body_site concept where in the body
        reason concept why
        outcome coded how it ended
        complication coded complication
        {_ENCOUNTER}
        staff text who (staff.id)
        location text where (location.id)
        note text free text
        {_DENTAL.strip()}
    """),
    _table("allergy", "an allergy or intolerance", f"""
        clinical_status text active inactive resolved
        verification_status text unconfirmed presumed confirmed refuted entered-in-error
        code concept to what
        type text allergy intolerance
        category text food medication environment biologic
        criticality text low high unable-to-assess
        reaction coded manifestation
        severity text mild moderate severe
        onset time since when
        recorded time when it was written down
        {_ENCOUNTER}
        note text free text
    """, status=("verification_status",)),
    _table("immunization", "a vaccination, given or not", f"""
        status text completed not-done entered-in-error
        status_reason coded why not
        code concept the vaccine
        occurred time when
        lot text lot number
        expires date expiry date
        manufacturer text who made it
        dose_number number amount
        dose_unit text UCUM unit
        site coded where in the body
        route coded route
        dose_in_series integer which dose
        series_doses integer doses in the series
        series text name of the series
        primary_source boolean from the one who gave it
        {_ENCOUNTER}
        location text where (location.id)
        staff text who gave it (staff.id)
    """),
    _table("device", "a device in or used on a person", """
        status text active inactive entered-in-error
        type concept what
        identifier! text unique device identifier
        manufacturer text who made it
        model text model
        lot text lot number
        made time when it was made
        expires time expiry
    """),
    _table("supply", "goods that were delivered for a person", f"""
        status text in-progress completed abandoned entered-in-error
        code concept what
        quantity number how many
        quantity_unit text unit
        occurred time when
        {_ENCOUNTER}
        based_on text the order
    """),
    _table("report", "a diagnostic report", f"""
        status text registered partial preliminary final amended corrected cancelled entered-in-error
        identifier! text its number
        category text laboratory, imaging, pathology, ...
        code concept what was asked
        effective time when it was so
        issued time when it was made known
        conclusion text the conclusion in words
        conclusion_code concept the conclusion coded
        {_ENCOUNTER}
        performer text who (staff.id or organization.id)
        specimen text the specimen (specimen.id)
        based_on text the order
    """),
    _table("note", "a text about a person", f"""
        status text status
        type concept kind of text
        title text title
        body text the text
        section coded section of the document
        language text language
        authored time when it was written
        author text who wrote it (staff.id)
        {_ENCOUNTER}
        document text the document that it is from (document.id)
    """),
    _table("imaging", "one series of images", f"""
        status text status
        study! text DICOM Study Instance UID
        series! text DICOM Series Instance UID
        accession! text accession number
        modality text CT MR CR DX US IO PX ...
        description text study description
        series_description text series description
        protocol text protocol name
        code concept the procedure
        body_site concept body part examined
        laterality text L R B U
        started time when
        series_number integer number of the series
        instances integer number of instances
        size_bytes integer bytes of all instances
        rows integer rows of an image
        columns integer columns of an image
        frames integer frames of an instance, the largest
        pixel_spacing_mm number pixel spacing, rows
        slice_thickness_mm number slice thickness
        field_of_view_mm number diameter of the reconstruction
        kvp number tube voltage, kV
        tube_current_ma number tube current, mA
        exposure_mas number exposure, mAs
        dose_ctdi_mgy number CTDIvol, mGy
        contrast text contrast agent
        manufacturer text who made the device
        model text model of the device
        station text station name
        software text software versions
        transfer_syntax text transfer syntax UID
        sop_class text SOP class UID
        patient_position text patient position
        voxel_mm text voxel size of a volume, x y z
        {_DENTAL.strip()}
        where_kept text pacs or object
        {_ENCOUNTER}
        report text the report (report.id)
        performer text the institution, as the header says
    """),
    _table("document", "a document as a whole", f"""
        status text current superseded entered-in-error
        identifier! text its number
        type concept kind of document
        category coded category
        title text title
        media_type text media type of what was received
        size_bytes integer size of what was received
        digest text SHA-256 of what was received, hexadecimal
        language text language
        created time when it was made
        author text who made it (staff.id)
        custodian text who keeps it (organization.id)
        pages integer pages, where it has any
        text_found boolean text could be read from it
        {_ENCOUNTER}
    """),
    _table("variant", "one alternate allele in one sample", """
        status text status
        build text genome build: GRCh37 GRCh38
        chromosome text chromosome, without chr
        position integer position, 1-based, after normalisation
        reference text reference allele
        alternate text alternate allele
        variant_id text rs number or other id
        genotype text 0/1, 1|1, ...
        zygosity text heterozygous homozygous hemizygous
        phased boolean the genotype is phased
        quality number QUAL
        filter text PASS or the filters that failed
        depth integer read depth
        genotype_quality integer GQ
        allele_fraction number share of reads with the alternate
        gene text gene symbol
        consequence text consequence
        sample! text name of the sample
        specimen text the specimen (specimen.id)
        report text the report (report.id)
    """),
    _table("claim", "one line of a claim, a bill or its settlement", f"""
        status text active cancelled draft entered-in-error
        kind text claim or settlement
        type coded institutional, professional, pharmacy, ...
        use text claim preauthorization predetermination
        line integer number of the line, 0 for the whole
        code concept product or service
        diagnosis concept first diagnosis of the claim
        created time when it was made
        started time first moment billed
        ended time last moment billed
        quantity number how many
        unit_price number price of one
        amount number amount asked
        currency text ISO 4217
        amount_paid number amount paid by the insurer
        amount_patient number amount paid by the patient
        insurer text who insures (organization.id)
        provider text who asks (organization.id or staff.id)
        outcome text queued complete error partial
        {_ENCOUNTER}
        claim text the claim that is settled (claim.id)
    """),
)  # fmt: skip
"""In the order of docs/reference; every name is one word."""

_BY_NAME = {table.name: table for table in CANONICAL_TABLES}


def canonical_table(name: str) -> CanonicalTable | None:
    """The table of that name, or ``None``."""
    return _BY_NAME.get(name)
