SELECT omop.key(p.id) AS procedure_occurrence_id,
  omop.key(p.patient) AS person_id,
  coalesce(standard.concept_id, own.concept_id, 0) AS procedure_concept_id,
  CAST(omop.local_time(p.started, p.started_zone) AS DATE) AS procedure_date,
  omop.local_time(p.started, p.started_zone) AS procedure_datetime,
  CAST(omop.local_time(p.ended, p.ended_zone) AS DATE) AS procedure_end_date,
  omop.local_time(p.ended, p.ended_zone) AS procedure_end_datetime,
  32817 AS procedure_type_concept_id,
  0 AS modifier_concept_id,
  CAST(NULL AS BIGINT) AS quantity,
  omop.key(p.staff) AS provider_id,
  omop.key(p.encounter) AS visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  omop.words(coalesce(p.code_source, p.code, p.code_source_text)) AS procedure_source_value,
  coalesce(own.source_concept_id, 0) AS procedure_source_concept_id,
  omop.words(coalesce(p.tooth, p.body_site_source)) AS modifier_source_value
FROM canonical.procedure AS p
LEFT JOIN omop.coded AS standard ON standard.system = p.code_system AND standard.code = p.code
LEFT JOIN omop.coded AS own ON own.system = p.code_source_system AND own.code = p.code_source
WHERE p.patient IS NOT NULL AND p.started IS NOT NULL AND (p.status IS NULL OR p.status NOT IN ('not-done', 'preparation'))
