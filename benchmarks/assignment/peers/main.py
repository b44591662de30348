"""Hands out one ticket at a time by rings in Redis, one list of agents per group: JSON lines in, JSON lines out.

It starts a Redis of its own on a Unix socket that writes nothing to disk. The first line is `{"agents": [[id, [group,
…], limit], …], "tickets": [group, …]}` and is answered with `{"redis": version}`. Each further line `{"way": "script"}`
or `{"way": "commands"}` hands out all tickets, from empty inboxes, and is answered with `{"seconds": s,
"cpu_seconds": s, "given": n}`.
Whenever more tickets are held than there are agents, the oldest is finished.

`script`: one Lua script per ticket turns the ring until an agent has room. `commands`: the client does it, LMOVE and
HINCRBY at a time, and takes the count back where an agent is full.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotUp
from redis.retry import Retry

SCRIPT = """
for _ = 1, redis.call('LLEN', KEYS[1]) do
  local agent = redis.call('LMOVE', KEYS[1], KEYS[1], 'LEFT', 'RIGHT')
  local limit = redis.call('HGET', 'limits', agent)
  if tonumber(redis.call('HGET', 'open', agent)) < tonumber(limit) then
    redis.call('HINCRBY', 'open', agent, 1)
    return agent
  end
end
return false
"""

Give = Callable[[int], str | None]


def start(folder: Path) -> tuple[subprocess.Popen[bytes], Any]:
    """Start a Redis and wait for it to answer.

    Raises:
        redis.exceptions.ConnectionError: it does not within 10 s.
    """
    socket = folder / "redis.sock"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    retry = Retry(ConstantBackoff(0.05), 200, (NotUp,))
    client = Redis(unix_socket_path=str(socket), decode_responses=True, retry=retry)
    client.ping()
    return process, client


def empty(client: Any, agents: list[tuple[int, list[int], int]]) -> None:
    """Make the rings anew; nobody has a ticket."""
    client.flushall()
    with client.pipeline() as many:
        for agent, groups, limit in agents:
            many.hset("limits", str(agent), limit)
            many.hset("open", str(agent), 0)
            for group in groups:
                many.rpush(f"ring:{group}", agent)
        many.execute()


def by_script(client: Any, _limits: dict[str, int], _sizes: dict[int, int]) -> Give:
    """Return the way of one script per ticket."""
    script = client.register_script(SCRIPT)
    return lambda group: script(keys=[f"ring:{group}"])


def by_commands(client: Any, limits: dict[str, int], sizes: dict[int, int]) -> Give:
    """Return the way of single commands; limits and sizes of rings are in the client's memory."""

    def give(group: int) -> str | None:
        ring = f"ring:{group}"
        for _ in range(sizes.get(group, 0)):
            agent: str = client.lmove(ring, ring, "LEFT", "RIGHT")
            if client.hincrby("open", agent, 1) <= limits[agent]:
                return agent
            client.hincrby("open", agent, -1)
        return None

    return give


WAYS = {"script": by_script, "commands": by_commands}


def cpu_seconds(server: int) -> float:
    """Return the CPU time that this process and the server have used, from the scheduler's count."""
    threads = Path(f"/proc/{server}/task").iterdir()
    return time.process_time() + sum(int((t / "schedstat").read_text().split()[0]) for t in threads) / 1e9


def hand_out(client: Any, server: int, give: Give, tickets: list[int], most: int) -> dict[str, float]:
    """Give all tickets; measure it."""
    held = deque[str]()
    given = 0
    began, busy = time.perf_counter(), cpu_seconds(server)
    for group in tickets:
        agent = give(group)
        if agent is not None:
            given += 1
            held.append(agent)
        if len(held) > most:
            client.hincrby("open", held.popleft(), -1)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "cpu_seconds": cpu_seconds(server) - busy, "given": given}


def main() -> None:
    """Answer until there is nothing more to read."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    first = json.loads(sys.stdin.readline())
    agents = first["agents"]
    limits = {str(agent): limit for agent, _, limit in agents}
    sizes: dict[int, int] = {}
    for _, groups, _ in agents:
        for group in groups:
            sizes[group] = sizes.get(group, 0) + 1
    with tempfile.TemporaryDirectory() as folder:
        process, client = start(Path(folder))
        try:
            print(json.dumps({"redis": client.info("server")["redis_version"]}), flush=True)
            for line in sys.stdin:
                empty(client, agents)
                give = WAYS[json.loads(line)["way"]](client, limits, sizes)
                answer = hand_out(client, process.pid, give, first["tickets"], len(agents))
                print(json.dumps(answer), flush=True)
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    main()
