"""People: who may sit at the console, how they prove who they are, and for how long that holds.

*Person* an account with its *grants*: which seats they may take; *session* one browser of one person in one seat;
*step* where a sign-in stands; *attempts* what wrong passwords cost; *seal* the key under which all of it is stored.
Nobody makes an account for themselves.
"""

from __future__ import annotations
