SELECT omop.key(m.id) AS measurement_id,
  omop.key(m.patient) AS person_id,
  m.the_concept_id AS measurement_concept_id,
  CAST(omop.local_time(m.effective, m.effective_zone) AS DATE) AS measurement_date,
  omop.local_time(m.effective, m.effective_zone) AS measurement_datetime,
  strftime(omop.local_time(m.effective, m.effective_zone), '%H:%M:%S') AS measurement_time,
  CASE m.category WHEN 'laboratory' THEN 32856 ELSE 32817 END AS measurement_type_concept_id,
  CASE m.value_comparator WHEN '<' THEN 4171756 WHEN '<=' THEN 4171754 WHEN '>=' THEN 4171755 WHEN '>' THEN 4172704
    ELSE 0 END AS operator_concept_id,
  m.value_number AS value_as_number,
  m.the_value_concept_id AS value_as_concept_id,
  m.the_unit_concept_id AS unit_concept_id,
  m.range_low AS range_low,
  m.range_high AS range_high,
  omop.key(m.performer) AS provider_id,
  omop.key(m.encounter) AS visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  omop.words(coalesce(m.code_source, m.code, m.code_source_text)) AS measurement_source_value,
  m.the_source_concept_id AS measurement_source_concept_id,
  omop.words(coalesce(m.value_unit_source, m.value_unit)) AS unit_source_value,
  m.the_unit_source_concept_id AS unit_source_concept_id,
  omop.words(coalesce(CAST(m.value_number AS VARCHAR), m.value_titre, m.value_source, m.value_source_text, m.value_text))
    AS value_source_value,
  CAST(NULL AS BIGINT) AS measurement_event_id,
  0 AS meas_event_field_concept_id
FROM omop.measured AS m
WHERE m.is_measurement
