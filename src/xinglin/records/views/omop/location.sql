SELECT omop.key(l.id) AS location_id,
  CAST(NULL AS VARCHAR) AS address_1,
  CAST(NULL AS VARCHAR) AS address_2,
  omop.words(l.city) AS city,
  omop.words(l.province) AS state,
  CAST(NULL AS VARCHAR) AS zip,
  CAST(NULL AS VARCHAR) AS county,
  omop.words(coalesce(l.identifier, l.id)) AS location_source_value,
  0 AS country_concept_id,
  CAST(NULL AS VARCHAR) AS country_source_value,
  CAST(NULL AS DOUBLE) AS latitude,
  CAST(NULL AS DOUBLE) AS longitude
FROM canonical.location AS l
