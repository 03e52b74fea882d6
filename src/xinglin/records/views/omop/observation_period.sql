-- One period a person: from the first to the last thing that is known of them.
WITH seen(patient, first_day, last_day) AS (
  SELECT patient, CAST(omop.local_time(started, started_zone) AS DATE),
    CAST(omop.local_time(coalesce(ended, started), coalesce(ended_zone, started_zone)) AS DATE) FROM canonical.encounter
  UNION ALL
  SELECT patient, CAST(omop.local_time(coalesce(onset, recorded), coalesce(onset_zone, recorded_zone)) AS DATE),
    CAST(omop.local_time(coalesce(onset, recorded), coalesce(onset_zone, recorded_zone)) AS DATE) FROM canonical.condition
  UNION ALL
  SELECT patient, CAST(omop.local_time(effective, effective_zone) AS DATE),
    CAST(omop.local_time(effective, effective_zone) AS DATE) FROM canonical.observation
  UNION ALL
  SELECT patient, CAST(omop.local_time(started, started_zone) AS DATE),
    CAST(omop.local_time(coalesce(ended, started), coalesce(ended_zone, started_zone)) AS DATE) FROM canonical.procedure
  UNION ALL
  SELECT patient, CAST(omop.local_time(coalesce(started, authored), coalesce(started_zone, authored_zone)) AS DATE),
    CAST(omop.local_time(coalesce(started, authored), coalesce(started_zone, authored_zone)) AS DATE)
  FROM canonical.medication
  UNION ALL
  SELECT patient, CAST(omop.local_time(occurred, occurred_zone) AS DATE),
    CAST(omop.local_time(occurred, occurred_zone) AS DATE) FROM canonical.immunization
)
SELECT omop.key('period/' || patient) AS observation_period_id,
  omop.key(patient) AS person_id,
  min(first_day) AS observation_period_start_date,
  max(last_day) AS observation_period_end_date,
  32817 AS period_type_concept_id
FROM seen
WHERE patient IS NOT NULL AND first_day IS NOT NULL
GROUP BY patient
