-- Stands in for CONCEPT where no vocabulary is loaded: no rows, so that every concept is 0.
SELECT CAST(NULL AS INTEGER) AS concept_id, CAST(NULL AS VARCHAR) AS concept_name, CAST(NULL AS VARCHAR) AS domain_id,
  CAST(NULL AS VARCHAR) AS vocabulary_id, CAST(NULL AS VARCHAR) AS concept_class_id,
  CAST(NULL AS VARCHAR) AS standard_concept, CAST(NULL AS VARCHAR) AS concept_code
WHERE false
