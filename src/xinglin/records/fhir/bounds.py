"""Limits of what is read as FHIR; one more than the limit is not read."""

from __future__ import annotations

from xinglin.kernel.limits import Limit

RESOURCE_BYTES = Limit("FHIR resource size", 16 * 1024 * 1024, "bytes")
BUNDLE_BYTES = Limit("FHIR bundle size", 512 * 1024 * 1024, "bytes")
BUNDLE_ENTRIES = Limit("entries of a FHIR bundle", 100_000, "entries")
BUNDLES_IN_BUNDLES = Limit("bundles within a FHIR bundle", 3, "levels")
PART_RESOURCES = Limit("resources of one part", 2_000, "resources")
READ_RESOURCES = Limit("resources of one piece of a part", 32, "resources")
RESOURCE_FLAGS = Limit("flags of one resource", 64, "flags")
"""What a resource has beyond that is told by the flag ``fhir.more``."""
