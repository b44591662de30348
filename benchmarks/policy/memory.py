"""`./pants run benchmarks/policy:memory`: a large account in memory: bytes per relationship, time to load, to follow.

Through the service's own engine, from PostgreSQL: what a replica does at its first question about an account, and
after each write. In a process that does nothing else, so that its memory is the account's.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
from pathlib import Path

import cyclopts
from sqlalchemy import text

from benchmarks.measure import Report, Samples, percentile, resident_bytes
from benchmarks.policy.model import ACCOUNT, MADE, OWNS, PRODUCT, TYPES
from libs.db.embedded import EmbeddedPostgres
from libs.db.engine import Database
from libs.db.migrate import migrate
from libs.decision.decide import decide
from libs.decision.rows import RelationshipRow, User, user_end
from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId, RandomIds
from services.policy.adapters.sql.store import SqlStore
from services.policy.app.asked import Freshness
from services.policy.app.engine import Engine, Limits

ACTOR = "service:benchmark"
FIRST_USER = 10_000_000_000
app = cyclopts.App(name="benchmark-memory", help="Measure one large account in memory.")
_RELATIONSHIPS = """
    INSERT INTO relationships (account, id, type, source, target, created_at, from_rev)
    SELECT :account, 'rel-' || lpad(n::text, 26, '0'), :type,
        'zen:user:' || (CAST(:first AS bigint) + n % :users),
        CAST(md5(((CAST(n AS bigint) * 7919 + n / :users * 17) % :records)::text) AS uuid)::text, :made, 1
    FROM generate_series(1, :count) n ON CONFLICT DO NOTHING
"""


async def fill(database: Database, count: int, users: int, records: int) -> None:
    """Write an account of so many relationships."""
    account = AccountId(ACCOUNT)
    async with SqlStore(database).transaction(account) as tx:
        await tx.next_revision(ACTOR, MADE)
        for row in TYPES:
            await tx.add_type(row)
    async with database.transaction() as connection:  # by the database itself: two minutes less
        values = {"account": account, "type": OWNS, "first": FIRST_USER, "users": users, "made": MADE}
        await connection.execute(text(_RELATIONSHIPS), {**values, "records": records, "count": count})
        await connection.execute(text("ANALYZE relationships"))


class HeldUp:
    """The longest time that nothing else could run on the event loop: what checks of other accounts wait.

    Attributes:
        seconds: so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    async def watch(self) -> None:
        """Look every few milliseconds, for ever."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            self.seconds = max(self.seconds, time.perf_counter() - began - 0.005)


async def _measure(
    url: str, report: Report, relationships: int, users: int, records: int, writes: int
) -> None:
    filling = Database(url, statement_timeout_seconds=600)
    await fill(filling, relationships, users, records)
    await filling.close()
    database, account, clock = Database(url), AccountId(ACCOUNT), SystemClock()
    store = SqlStore(database)
    engine = Engine(store, Limits(account=relationships * 2, total=relationships * 4))
    async with store.snapshot(account) as tx:
        await tx.state()  # the first connection
    gc.collect()
    pid, before = os.getpid(), resident_bytes(os.getpid())
    held_up = HeldUp()
    watching = asyncio.create_task(held_up.watch())
    began, cpu = time.perf_counter(), time.process_time()
    current = await engine.current(account, Freshness(fully=True))
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    await asyncio.sleep(0)
    watching.cancel()
    gc.collect()
    after, peak = resident_bytes(pid), resident_bytes(pid, peak=True)
    snapshot = current.snapshot
    if snapshot is None:
        raise SystemExit("it was not loaded")
    report.add("relationships", snapshot.edges, "")
    report.add("memory", (after - before) / 1e6, "MB")
    report.add("memory per relationship", (after - before) / snapshot.edges, "bytes")
    report.add("memory at the peak", (peak - before) / 1e6, "MB")
    report.add("loaded in", seconds, "s")
    report.add("CPU time for it", used, "s")
    report.add("event loop held up at once, meanwhile", held_up.seconds, "s")
    taken, ids = Samples(), RandomIds(clock)
    for number in range(writes + 1):
        row = RelationshipRow(
            ids.new("rel"), OWNS, user_end(FIRST_USER + number), f"new-{number}", clock.now()
        )
        async with store.transaction(account) as tx:
            revision = await tx.next_revision(ACTOR, clock.now())
            await tx.relate([row])
        engine.heard(account)
        began = time.perf_counter()
        current = await engine.current(account, Freshness(at_least=revision))
        taken.add(number, (time.perf_counter() - began) * 1000)
        allowed = decide(
            current.snapshot or snapshot,
            User(FIRST_USER + number, "agent"),
            "read",
            PRODUCT,
            f"new-{number}",
            0.0,
        )
        if not allowed.allowed:
            raise SystemExit("a change was not followed")
    report.add("one change followed, median", taken.median, "ms")
    report.add("one change followed, p99", percentile(taken.values, 0.99), "ms")
    await database.close()


@app.default
def run(
    *,
    relationships: int = 1_000_000,
    users: int = 100_000,
    records: int = 200_000,
    writes: int = 50,
    json_file: Path | None = None,
) -> None:
    """Fill a PostgreSQL of its own, load the account once, follow some writes.

    Args:
        relationships: of the account.
        users: that they start from.
        records: that they lead to.
        writes: changes that are followed one by one.
        json_file: where to write the figures to as well.
    """
    report = Report("one account", ("figure", "unit"))
    with tempfile.TemporaryDirectory(prefix="setlist-memory-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "postgres") as server:
            url = server.create_database("setlist_policy")
            migrate(url, "services.policy.migrations")
            asyncio.run(_measure(url, report, relationships, users, records, writes))
    report.show(json_file)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
