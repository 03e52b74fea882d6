"""Wire: what is said between processes, with versions.

*node channel* (:mod:`~xinglin.wire.channel`): a node dials out, sends *reports* and collects
*orders*; *hub calls* (:mod:`~xinglin.wire.calls`): what people and their tools ask of the hub;
*space* (:mod:`~xinglin.wire.space`): what a newcomer must know, and invites.
Values only: nothing here opens a socket.
"""

from __future__ import annotations
