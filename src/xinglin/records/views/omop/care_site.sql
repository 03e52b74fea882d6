SELECT omop.key(o.id) AS care_site_id,
  o.name[1:255] AS care_site_name,
  0 AS place_of_service_concept_id,
  CAST(NULL AS BIGINT) AS location_id,
  omop.words(coalesce(o.identifier, o.id)) AS care_site_source_value,
  omop.words(o.type) AS place_of_service_source_value
FROM canonical.organization AS o
