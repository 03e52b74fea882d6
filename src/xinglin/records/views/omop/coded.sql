-- Codes of the systems that OMOP knows: the concept of the code itself, and one standard concept that it maps to.
WITH systems(system, vocabulary_id) AS (VALUES
  ('http://loinc.org', 'LOINC'),
  ('http://snomed.info/sct', 'SNOMED'),
  ('http://www.nlm.nih.gov/research/umls/rxnorm', 'RxNorm'),
  ('http://www.whocc.no/atc', 'ATC'),
  ('http://hl7.org/fhir/sid/cvx', 'CVX'),
  ('http://hl7.org/fhir/sid/ndc', 'NDC'),
  ('http://hl7.org/fhir/sid/icd-10', 'ICD10'),
  ('http://hl7.org/fhir/sid/icd-10-who', 'ICD10'),
  ('http://hl7.org/fhir/sid/icd-10-cn', 'ICD10CN'),
  ('http://hl7.org/fhir/sid/icd-10-cm', 'ICD10CM'),
  ('http://hl7.org/fhir/sid/icd-9-cm', 'ICD9CM'),
  ('http://fhir.de/CodeSystem/bfarm/icd-10-gm', 'ICD10GM'),
  ('http://www.cms.gov/Medicare/Coding/ICD10', 'ICD10PCS'),
  ('http://www.ama-assn.org/go/cpt', 'CPT4'),
  ('http://terminology.hl7.org/CodeSystem/HCPCS-all-codes', 'HCPCS'),
  ('http://unitsofmeasure.org', 'UCUM')
)
SELECT systems.system, own.concept_code AS code, own.concept_id AS source_concept_id,
  coalesce(standard.concept_id, 0) AS concept_id, standard.domain_id AS domain_id
FROM systems
JOIN omop.concept AS own ON own.vocabulary_id = systems.vocabulary_id
LEFT JOIN omop.concept_relationship AS maps
  ON maps.concept_id_1 = own.concept_id AND maps.relationship_id = 'Maps to' AND maps.invalid_reason IS NULL
LEFT JOIN omop.concept AS standard
  ON standard.concept_id = coalesce(maps.concept_id_2, own.concept_id) AND standard.standard_concept = 'S'
QUALIFY row_number() OVER (
  PARTITION BY systems.system, own.concept_code ORDER BY standard.concept_id IS NULL, standard.concept_id
) = 1
