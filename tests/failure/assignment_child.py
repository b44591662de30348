"""A replica of assignment that does one thing and kills itself with SIGKILL at the await it is told.

`python -m tests.failure.assignment_child SETTINGS` reads lines from standard input: a number, and as JSON what to do:
`work` = minute, webhook, write or pull, `now`, and what the work needs; see `executioner.serve`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any

from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.clock import ManualClock
from libs.kernel.ids import RandomIds
from libs.zendesk.client import ZendeskClient, new_pool
from libs.zendesk.tokens import StaticToken
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.tests.house import ACCOUNT, House
from services.assignment.tests.zendesk import LocalZendesk
from tests.failure.executioner import Executioner, serve
from tests.failure.webhook_child import OneAccount


def _task(house: House, given: Mapping[str, str]) -> Coroutine[Any, Any, object]:
    match given["work"]:
        case "minute":
            return house.job(ACCOUNT, catch_up=True, wait_for_writes=True)
        case "write":
            return house.write(ACCOUNT)
        case "pull":
            return house.next(ACCOUNT, int(given["agent"]), given["request"])
    return house.ingest(
        ACCOUNT, given["body"].encode(), given["signature"], given["timestamp"], given["invocation"]
    )


async def does(settings: Mapping[str, str], line: str, executioner: Executioner) -> None:
    """Do the work as assignment does it."""
    given = json.loads(line)
    clock = ManualClock(datetime.fromisoformat(given["now"]))
    database, pool = Database(settings["database"], 2), new_pool()
    sealer = Envelope(LocalKeyProvider([bytes(32)]), SqlDataKeys(database))
    client = ZendeskClient(settings["zendesk"], StaticToken(settings["token"]), pool, clock)
    house = House(
        SqlStore(database),
        LocalZendesk(clock),
        clock,
        RandomIds(clock),
        sealer=sealer,
        reach=OneAccount(client),
    )
    executioner.armed = True
    await asyncio.create_task(_task(house, given))
    executioner.armed = False
    await pool.aclose()
    await database.close()


def main() -> None:
    """Serve until standard input ends."""
    settings = json.loads(sys.argv[1])
    serve(lambda line, executioner: does(settings, line, executioner))


if __name__ == "__main__":
    main()
