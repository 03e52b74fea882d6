SELECT omop.key(s.id) AS specimen_id,
  omop.key(s.patient) AS person_id,
  coalesce(standard.concept_id, own.concept_id, 0) AS specimen_concept_id,
  32817 AS specimen_type_concept_id,
  CAST(omop.local_time(coalesce(s.collected, s.received), coalesce(s.collected_zone, s.received_zone)) AS DATE)
    AS specimen_date,
  omop.local_time(coalesce(s.collected, s.received), coalesce(s.collected_zone, s.received_zone)) AS specimen_datetime,
  s.quantity AS quantity,
  coalesce(unit.concept_id, 0) AS unit_concept_id,
  0 AS anatomic_site_concept_id,
  0 AS disease_status_concept_id,
  omop.words(s.id) AS specimen_source_id,
  omop.words(coalesce(s.type_source, s.type, s.type_source_text)) AS specimen_source_value,
  omop.words(s.quantity_unit) AS unit_source_value,
  omop.words(coalesce(s.body_site_source, s.body_site_source_text)) AS anatomic_site_source_value,
  omop.words(s.condition) AS disease_status_source_value
FROM canonical.specimen AS s
LEFT JOIN omop.coded AS standard ON standard.system = s.type_system AND standard.code = s.type
LEFT JOIN omop.coded AS own ON own.system = s.type_source_system AND own.code = s.type_source
LEFT JOIN omop.coded AS unit ON unit.system = 'http://unitsofmeasure.org' AND unit.code = s.quantity_unit
WHERE s.patient IS NOT NULL AND coalesce(s.collected, s.received) IS NOT NULL
