"""A replica of assignment that takes one webhook and kills itself with SIGKILL at the await it is told.

`python -m tests.failure.webhook_child SETTINGS` reads lines from standard input: a number, and the webhook as JSON
(0 = it is not killed); see `executioner.serve`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime

from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, RandomIds
from libs.zendesk.client import ZendeskClient, new_pool
from libs.zendesk.tokens import StaticToken
from services.assignment.adapters.memory.suite import MemoryPrivacy
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.drain import Drain
from services.assignment.app.ingest_webhook import IngestWebhook
from services.assignment.app.prefer import Prefer
from services.assignment.app.restricted import Restricted
from services.assignment.app.route import Route
from tests.failure.executioner import Executioner, serve


class OneAccount:
    """Implements the port `Zendesk` for the one account of the simulator."""

    def __init__(self, client: ZendeskClient) -> None:
        self._client = client

    async def of(self, account: AccountId) -> ZendeskClient:
        return self._client


async def take(settings: dict[str, str], line: str, executioner: Executioner) -> None:
    """Take the webhook as assignment does it."""
    given = json.loads(line)
    clock = ManualClock(datetime.fromisoformat(given["timestamp"]))
    database, pool, wake = Database(settings["database"], 2), new_pool(), asyncio.Event()
    store, ids = SqlStore(database), RandomIds(clock)
    zendesk = OneAccount(ZendeskClient(settings["zendesk"], StaticToken(settings["token"]), pool, clock))
    restricted = Restricted(store, MemoryPrivacy(), clock)
    route = Route(store, ids, restricted)
    prefer = Prefer(store, zendesk, route, restricted, clock, ids, wake)
    sealer = Envelope(LocalKeyProvider([bytes(32)]), SqlDataKeys(database))
    ingest = IngestWebhook(store, sealer, Drain(store, route, clock, ids, wake), prefer, clock, wake)
    account = AccountId(settings["account"])
    executioner.armed = True
    webhook = ingest(
        account, given["body"].encode(), given["signature"], given["timestamp"], given["invocation"]
    )
    await asyncio.create_task(webhook)
    executioner.armed = False
    await pool.aclose()
    await database.close()


def main() -> None:
    """Serve until standard input ends."""
    settings = json.loads(sys.argv[1])
    serve(lambda line, executioner: take(settings, line, executioner))


if __name__ == "__main__":
    main()
