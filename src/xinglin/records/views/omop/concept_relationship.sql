-- Stands in for CONCEPT_RELATIONSHIP where no vocabulary is loaded.
SELECT CAST(NULL AS INTEGER) AS concept_id_1, CAST(NULL AS INTEGER) AS concept_id_2,
  CAST(NULL AS VARCHAR) AS relationship_id, CAST(NULL AS VARCHAR) AS invalid_reason
WHERE false
