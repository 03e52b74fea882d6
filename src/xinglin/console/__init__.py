"""Console: the web face of hub, node and witness, in Chinese and English; a client of public calls and nothing else.

*seat* a role in an institution, with the folder whose keys sign what is done there; *people* who may sit where;
*visit* one request of one person; *screen*, *act* and *live* a page, a deed and a stream; *calls* what a seat may ask;
*frame* what all pages share. A screen parses, calls one thing of its seat, and renders: it decides nothing.
"""

from __future__ import annotations
