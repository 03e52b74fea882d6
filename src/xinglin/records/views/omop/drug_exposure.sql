-- Medicines of every kind, and vaccines that were given.
WITH given AS (
  SELECT id, patient, code, code_system, code_source, code_source_system, code_source_text,
    coalesce(started, authored) AS started, coalesce(started_zone, authored_zone) AS started_zone, ended, ended_zone,
    CASE kind WHEN 'ordered' THEN 32838 WHEN 'dispensed' THEN 32825 WHEN 'administered' THEN 32818 ELSE 32865 END
      AS type_concept_id,
    CASE WHEN status = 'stopped' THEN 'stopped' END AS stop_reason, quantity, days_supply, frequency_text, route,
    route_system, CAST(NULL AS VARCHAR) AS lot, staff, encounter, coalesce(dose_unit, dose_unit_source) AS unit
  FROM canonical.medication
  UNION ALL BY NAME
  SELECT id, patient, code, code_system, code_source, code_source_system, code_source_text, occurred AS started,
    occurred_zone AS started_zone, occurred AS ended, occurred_zone AS ended_zone, 32818 AS type_concept_id,
    dose_number AS quantity, route, route_system, lot, staff, encounter, dose_unit AS unit
  FROM canonical.immunization WHERE status IS NULL OR status <> 'not-done'
)
SELECT omop.key(g.id) AS drug_exposure_id,
  omop.key(g.patient) AS person_id,
  coalesce(standard.concept_id, own.concept_id, 0) AS drug_concept_id,
  CAST(omop.local_time(g.started, g.started_zone) AS DATE) AS drug_exposure_start_date,
  omop.local_time(g.started, g.started_zone) AS drug_exposure_start_datetime,
  coalesce(CAST(omop.local_time(g.ended, g.ended_zone) AS DATE),
    CAST(omop.local_time(g.started, g.started_zone) AS DATE)
      + CAST(least(greatest(coalesce(g.days_supply, 1), 1), 36500) - 1 AS INTEGER)) AS drug_exposure_end_date,
  omop.local_time(g.ended, g.ended_zone) AS drug_exposure_end_datetime,
  CAST(NULL AS DATE) AS verbatim_end_date,
  g.type_concept_id AS drug_type_concept_id,
  g.stop_reason AS stop_reason,
  CAST(NULL AS BIGINT) AS refills,
  g.quantity AS quantity,
  CASE WHEN g.days_supply IS NOT NULL THEN CAST(least(g.days_supply, 36500) AS BIGINT) END AS days_supply,
  g.frequency_text AS sig,
  coalesce(way.concept_id, 0) AS route_concept_id,
  omop.words(g.lot) AS lot_number,
  omop.key(g.staff) AS provider_id,
  omop.key(g.encounter) AS visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  omop.words(coalesce(g.code_source, g.code, g.code_source_text)) AS drug_source_value,
  coalesce(own.source_concept_id, 0) AS drug_source_concept_id,
  omop.words(g.route) AS route_source_value,
  omop.words(g.unit) AS dose_unit_source_value
FROM given AS g
LEFT JOIN omop.coded AS standard ON standard.system = g.code_system AND standard.code = g.code
LEFT JOIN omop.coded AS own ON own.system = g.code_source_system AND own.code = g.code_source
LEFT JOIN omop.coded AS way ON way.system = g.route_system AND way.code = g.route
WHERE g.patient IS NOT NULL AND g.started IS NOT NULL
