-- What the views share. {zone}: taken for times that were given without a zone.
CREATE OR REPLACE MACRO omop.key(fact) AS CAST(md5_number_lower(fact) % 9223372036854775807 AS BIGINT);
CREATE OR REPLACE MACRO omop.minutes(zone) AS
  (CASE WHEN zone[1] = '-' THEN -1 ELSE 1 END) * (60 * CAST(zone[2:3] AS BIGINT) + CAST(zone[5:6] AS BIGINT));
CREATE OR REPLACE MACRO omop.local_time(instant, zone) AS
  make_timestamp(epoch_us(instant) + 60000000 * omop.minutes(coalesce(nullif(zone, ''), '{zone}')));
CREATE OR REPLACE MACRO omop.words(fact) AS nullif(fact, '')[1:50];
