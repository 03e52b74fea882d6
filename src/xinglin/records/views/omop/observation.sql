SELECT omop.key(m.id) AS observation_id,
  omop.key(m.patient) AS person_id,
  m.the_concept_id AS observation_concept_id,
  CAST(omop.local_time(m.effective, m.effective_zone) AS DATE) AS observation_date,
  omop.local_time(m.effective, m.effective_zone) AS observation_datetime,
  32817 AS observation_type_concept_id,
  m.value_number AS value_as_number,
  coalesce(m.value_text, m.value_source_text, CASE m.value_boolean WHEN true THEN 'yes' WHEN false THEN 'no' END)[1:60]
    AS value_as_string,
  m.the_value_concept_id AS value_as_concept_id,
  0 AS qualifier_concept_id,
  m.the_unit_concept_id AS unit_concept_id,
  omop.key(m.performer) AS provider_id,
  omop.key(m.encounter) AS visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  omop.words(coalesce(m.code_source, m.code, m.code_source_text)) AS observation_source_value,
  m.the_source_concept_id AS observation_source_concept_id,
  omop.words(coalesce(m.value_unit_source, m.value_unit)) AS unit_source_value,
  omop.words(m.interpretation) AS qualifier_source_value,
  omop.words(coalesce(m.value_source, m.value_source_text, m.value_text)) AS value_source_value,
  CAST(NULL AS BIGINT) AS observation_event_id,
  0 AS obs_event_field_concept_id
FROM omop.measured AS m
WHERE NOT m.is_measurement
