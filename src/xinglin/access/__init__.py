"""Access: how a use comes to be allowed by people.

*Applications* (who asks for what, for which study), *reviews* by hospitals, ethics committees and the operator, with
owner, deadline and the reason why something waits; *votes*, blind first; *approvals* as signed documents.
"""

from __future__ import annotations
