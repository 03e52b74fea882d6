SELECT omop.key(c.id) AS condition_occurrence_id,
  omop.key(c.patient) AS person_id,
  coalesce(standard.concept_id, own.concept_id, 0) AS condition_concept_id,
  CAST(omop.local_time(coalesce(c.onset, c.recorded), coalesce(c.onset_zone, c.recorded_zone)) AS DATE)
    AS condition_start_date,
  omop.local_time(coalesce(c.onset, c.recorded), coalesce(c.onset_zone, c.recorded_zone)) AS condition_start_datetime,
  CAST(omop.local_time(c.abatement, c.abatement_zone) AS DATE) AS condition_end_date,
  omop.local_time(c.abatement, c.abatement_zone) AS condition_end_datetime,
  CASE c.category WHEN 'problem-list-item' THEN 32840 ELSE 32817 END AS condition_type_concept_id,
  0 AS condition_status_concept_id,
  CAST(NULL AS VARCHAR) AS stop_reason,
  omop.key(c.recorder) AS provider_id,
  omop.key(c.encounter) AS visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  omop.words(coalesce(c.code_source, c.code, c.code_source_text)) AS condition_source_value,
  coalesce(own.source_concept_id, 0) AS condition_source_concept_id,
  omop.words(coalesce(c.use, c.clinical_status)) AS condition_status_source_value
FROM canonical.condition AS c
LEFT JOIN omop.coded AS standard ON standard.system = c.code_system AND standard.code = c.code
LEFT JOIN omop.coded AS own ON own.system = c.code_source_system AND own.code = c.code_source
WHERE c.patient IS NOT NULL AND coalesce(c.onset, c.recorded) IS NOT NULL
