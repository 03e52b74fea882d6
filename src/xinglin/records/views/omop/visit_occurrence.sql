SELECT omop.key(e.id) AS visit_occurrence_id,
  omop.key(e.patient) AS person_id,
  CASE e.class WHEN 'AMB' THEN 9202 WHEN 'IMP' THEN 9201 WHEN 'ACUTE' THEN 9201 WHEN 'NONAC' THEN 9201
    WHEN 'EMER' THEN 9203 WHEN 'HH' THEN 581476 WHEN 'VR' THEN 5083 ELSE 0 END AS visit_concept_id,
  CAST(omop.local_time(e.started, e.started_zone) AS DATE) AS visit_start_date,
  omop.local_time(e.started, e.started_zone) AS visit_start_datetime,
  CAST(omop.local_time(coalesce(e.ended, e.started), coalesce(e.ended_zone, e.started_zone)) AS DATE) AS visit_end_date,
  omop.local_time(e.ended, e.ended_zone) AS visit_end_datetime,
  32817 AS visit_type_concept_id,
  omop.key(e.attending) AS provider_id,
  omop.key(e.department) AS care_site_id,
  omop.words(coalesce(e.class, e.type_source)) AS visit_source_value,
  0 AS visit_source_concept_id,
  0 AS admitted_from_concept_id,
  omop.words(e.admit_source) AS admitted_from_source_value,
  0 AS discharged_to_concept_id,
  omop.words(e.discharge_disposition) AS discharged_to_source_value,
  CAST(NULL AS BIGINT) AS preceding_visit_occurrence_id
FROM canonical.encounter AS e
WHERE e.patient IS NOT NULL AND e.started IS NOT NULL
