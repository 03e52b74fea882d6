SELECT omop.key(d.id) AS device_exposure_id,
  omop.key(d.patient) AS person_id,
  coalesce(standard.concept_id, own.concept_id, 0) AS device_concept_id,
  CAST(omop.local_time(coalesce(d.made, d.version_at), d.made_zone) AS DATE) AS device_exposure_start_date,
  omop.local_time(coalesce(d.made, d.version_at), d.made_zone) AS device_exposure_start_datetime,
  CAST(NULL AS DATE) AS device_exposure_end_date,
  CAST(NULL AS TIMESTAMP) AS device_exposure_end_datetime,
  32817 AS device_type_concept_id,
  d.identifier AS unique_device_id,
  CAST(NULL AS VARCHAR) AS production_id,
  1 AS quantity,
  CAST(NULL AS BIGINT) AS provider_id,
  CAST(NULL AS BIGINT) AS visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  omop.words(coalesce(d.type_source, d.type, d.type_source_text)) AS device_source_value,
  coalesce(own.source_concept_id, 0) AS device_source_concept_id,
  0 AS unit_concept_id,
  CAST(NULL AS VARCHAR) AS unit_source_value,
  0 AS unit_source_concept_id
FROM canonical.device AS d
LEFT JOIN omop.coded AS standard ON standard.system = d.type_system AND standard.code = d.type
LEFT JOIN omop.coded AS own ON own.system = d.type_source_system AND own.code = d.type_source
WHERE d.patient IS NOT NULL AND coalesce(d.made, d.version_at) IS NOT NULL
