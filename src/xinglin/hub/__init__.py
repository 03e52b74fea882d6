"""Hub: the operator's process: members, catalogue, agreements, relay of runs, the evidence log.

It sees no row, no hospital's part of a sum and no unprotected total; what it says is checked by the nodes.
*mailboxes* hold orders until nodes collect them; a *coordinator* relays one run; the *log* is appended and cosigned.
"""

from __future__ import annotations
