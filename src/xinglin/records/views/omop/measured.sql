-- Observations with their concepts, and whether OMOP counts them as measurements: as the vocabulary says, else
-- numbers, laboratory results and vital signs.
SELECT o.*,
  coalesce(standard.concept_id, own.concept_id, 0) AS the_concept_id,
  coalesce(own.source_concept_id, 0) AS the_source_concept_id,
  coalesce(coalesce(standard.domain_id, own.domain_id) = 'Measurement',
    o.value_number IS NOT NULL OR coalesce(o.category IN ('laboratory', 'vital-signs', 'exam'), false)) AS is_measurement,
  coalesce(answer.concept_id, 0) AS the_value_concept_id,
  coalesce(unit.concept_id, 0) AS the_unit_concept_id,
  coalesce(unit.source_concept_id, 0) AS the_unit_source_concept_id
FROM canonical.observation AS o
LEFT JOIN omop.coded AS standard ON standard.system = o.code_system AND standard.code = o.code
LEFT JOIN omop.coded AS own ON own.system = o.code_source_system AND own.code = o.code_source
LEFT JOIN omop.coded AS answer
  ON answer.system = coalesce(o.value_system, o.value_source_system) AND answer.code = coalesce(o.value, o.value_source)
LEFT JOIN omop.coded AS unit ON unit.system = 'http://unitsofmeasure.org' AND unit.code = o.value_unit
WHERE o.patient IS NOT NULL AND o.effective IS NOT NULL
