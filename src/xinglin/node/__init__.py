"""Node: the hospital's process. It dials out, keeps its tables, decides each use itself, and computes in a child.

*channel* the one line out; *log view* the node's verified copy of the evidence log; *gate* carries each use;
*computation* its rounds; *engine* the killable child that alone sees rows; *desk* where the officer asks.
"""

from __future__ import annotations
