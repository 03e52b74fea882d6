"""A process that appends through group commit and says on its standard output what was acknowledged.

``python log_writer.py FILE ROUND CALLERS``: each line is ``index number`` once the entry is durable.
"""

from __future__ import annotations

import asyncio
import os
import sys

from xinglin.evidence.ports import AppendGroup
from xinglin.stores.group_commit import GroupCommit
from xinglin.stores.log_sqlite import SqliteLogStore


async def main(file: str, run: str, callers: int) -> None:
    commit = GroupCommit(SqliteLogStore(file))

    async def caller(number: int) -> None:
        step = 0
        while True:
            name = f"{run}-{number}-{step}".encode()
            index = await commit.append_group(AppendGroup((b"entry " + name,), name))
            os.write(1, b"%d %s\n" % (index, name))
            step += 1

    await asyncio.gather(*(caller(number) for number in range(callers)))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
