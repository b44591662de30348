"""A replica of auth that refreshes one grant and kills itself with SIGKILL at the await it is told.

`python -m tests.failure.refresh_child SETTINGS` reads numbers from standard input, forks a process for each and
answers with one line: `done` when the refresh ended before that await came, else `killed`. The imports are paid
once; a kill is a real one: no `finally` runs, sockets close, PostgreSQL rolls back.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId, RandomIds
from libs.zendesk.client import new_pool
from services.auth.adapters.file_journal import FileJournal
from services.auth.adapters.sql.store import SqlStore
from services.auth.adapters.zendesk import HttpZendesk
from services.auth.app.authorize import OAuthClient
from services.auth.app.pairs import Pairs
from services.auth.app.refresh_grant import RefreshGrant
from tests.failure.executioner import Executioner, serve


async def refresh(settings: dict[str, str], executioner: Executioner) -> None:
    """Refresh the account's grant as auth does it."""
    clock = SystemClock()
    database = Database(settings["database"], 2)
    pairs = Pairs(Envelope(LocalKeyProvider([bytes(range(32))]), SqlDataKeys(database)))
    store, pool = SqlStore(database), new_pool()
    zendesk = HttpZendesk(
        pool, OAuthClient("setlist", settings["secret"], "https://edge.test/cb", "read write")
    )
    one = RefreshGrant(
        store,
        zendesk,
        pairs,
        FileJournal(Path(settings["journal"])),
        clock,
        RandomIds(clock),
        settings["template"],
    )
    async with store.transaction(AccountId(settings["account"])) as tx:
        installation, grant = await tx.installations.get(), await tx.grants.get()
    if installation is None or grant is None:
        raise AssertionError("there is nothing to refresh")
    executioner.armed = True
    await asyncio.create_task(one(installation, grant))
    executioner.armed = False
    await pool.aclose()
    await database.close()


def main() -> None:
    """Serve until standard input ends."""
    settings = json.loads(sys.argv[1])
    serve(lambda line, executioner: refresh(settings, executioner))


if __name__ == "__main__":
    main()
