SELECT omop.key(n.id) AS note_id,
  omop.key(n.patient) AS person_id,
  CAST(omop.local_time(n.authored, n.authored_zone) AS DATE) AS note_date,
  omop.local_time(n.authored, n.authored_zone) AS note_datetime,
  32817 AS note_type_concept_id,
  coalesce(standard.concept_id, own.concept_id, 0) AS note_class_concept_id,
  n.title[1:250] AS note_title,
  n.body AS note_text,
  32678 AS encoding_concept_id,
  CASE WHEN n.language LIKE 'zh%' THEN 4182948 WHEN n.language LIKE 'en%' THEN 4180186 ELSE 0 END AS language_concept_id,
  omop.key(n.author) AS provider_id,
  omop.key(n.encounter) AS visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  omop.words(coalesce(n.type_source, n.type, n.type_source_text)) AS note_source_value,
  CAST(NULL AS BIGINT) AS note_event_id,
  0 AS note_event_field_concept_id
FROM canonical.note AS n
LEFT JOIN omop.coded AS standard ON standard.system = n.type_system AND standard.code = n.type
LEFT JOIN omop.coded AS own ON own.system = n.type_source_system AND own.code = n.type_source
WHERE n.patient IS NOT NULL AND n.authored IS NOT NULL AND n.body IS NOT NULL
