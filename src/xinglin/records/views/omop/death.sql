SELECT omop.key(d.patient) AS person_id,
  CAST(omop.local_time(d.died_at, d.died_at_zone) AS DATE) AS death_date,
  omop.local_time(d.died_at, d.died_at_zone) AS death_datetime,
  32817 AS death_type_concept_id,
  coalesce(standard.concept_id, 0) AS cause_concept_id,
  omop.words(coalesce(d.cause_source, d.cause, d.cause_source_text)) AS cause_source_value,
  coalesce(standard.source_concept_id, 0) AS cause_source_concept_id
FROM canonical.death AS d
LEFT JOIN omop.coded AS standard
  ON standard.system = coalesce(d.cause_system, d.cause_source_system) AND standard.code = coalesce(d.cause, d.cause_source)
WHERE d.patient IS NOT NULL AND d.died_at IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY d.patient ORDER BY d.died_at) = 1
