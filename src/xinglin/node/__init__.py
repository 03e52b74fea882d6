"""Node: the hospital process: lake, gate, outbound channel."""
