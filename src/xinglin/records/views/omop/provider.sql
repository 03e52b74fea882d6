-- Without names and numbers: the key alone says who.
SELECT omop.key(s.id) AS provider_id,
  CAST(NULL AS VARCHAR) AS provider_name,
  CAST(NULL AS VARCHAR) AS npi,
  CAST(NULL AS VARCHAR) AS dea,
  0 AS specialty_concept_id,
  omop.key(s.organization) AS care_site_id,
  CAST(NULL AS BIGINT) AS year_of_birth,
  CASE s.sex WHEN 'male' THEN 8507 WHEN 'female' THEN 8532 ELSE 0 END AS gender_concept_id,
  omop.words(s.id) AS provider_source_value,
  omop.words(coalesce(s.specialty, s.role)) AS specialty_source_value,
  0 AS specialty_source_concept_id,
  omop.words(s.sex) AS gender_source_value,
  0 AS gender_source_concept_id
FROM canonical.staff AS s
