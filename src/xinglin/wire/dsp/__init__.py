"""The Dataspace Protocol 2025-1 as values: messages in their exact JSON, states, policies, and rows that are kept.

*messages* (:mod:`~xinglin.wire.dsp.messages`), *states* of negotiations and transfers with who may make which move
(:mod:`~xinglin.wire.dsp.states`), *policies* of offers and agreements (:mod:`~xinglin.wire.dsp.policies`),
*auto-pilot* rules (:mod:`~xinglin.wire.dsp.autopilot`), *ports* of the connector (:mod:`~xinglin.wire.dsp.ports`).
Processing is of plain JSON, which the protocol allows; the context is checked, never fetched.
"""

from __future__ import annotations
