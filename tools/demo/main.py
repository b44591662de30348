"""The command: `./pants run //:demo [-- OPTIONS]`, or `python -m tools.demo.main`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import uuid
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import httpx2
from cyclopts import Parameter, validators
from rich.console import Console

from libs.kernel.ids import AccountId
from libs.telemetry.logs import configure_logs
from tools.demo.account import APP_ID, SUBDOMAIN, account_spec, cast_of
from tools.demo.builtin_day import builtin_day
from tools.demo.connection import connection
from tools.demo.event_log import event_log, unknown_columns
from tools.demo.failures import DemoError
from tools.demo.folder import WorkFolder, default_folder
from tools.demo.house import HOST, House
from tools.demo.people import Helpdesk
from tools.demo.player import Player
from tools.demo.processes import StartError
from tools.demo.progress import Progress
from tools.demo.scenes import Scenes, delegate, erase, pull
from tools.demo.script import Script, ScriptError
from tools.demo.stopwatch import Stopwatch
from tools.demo.suite import Suite
from tools.demo.summary import figures, gather, show

SEED = 20260105
app = cyclopts.App(
    name="demo",
    help="Start the whole suite on this machine, play a helpdesk day through it, and tell what happened.",
)


@app.default
def demo(
    *,
    log: Annotated[Path | None, Parameter(help="folder with a real event log to play instead")] = None,
    days: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=366))] = 1,
    seed: int = SEED,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    keep: Annotated[bool, Parameter(negative="")] = False,
    port_offset: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=50_000))] = 0,
    work: Path | None = None,
) -> None:
    """Play a day.

    Args:
        log: tickets.csv[.gz] and memberships.csv[.gz]; see README.
        days: how many days of the log.
        seed: of the built-in day; another one makes another day.
        json_file: file to write the summary to.
        keep: leave everything running until ctrl-C, print the addresses and add them to the JSON file.
        port_offset: added to every port.
        work: folder for logs, certificates and the database.
    """
    configure_logs("demo", "error")
    console = Console(stderr=True)
    try:
        script = builtin_day(seed) if log is None else _read_log(console, log, days)
        if json_file is not None:
            _require_writable(json_file)
        with WorkFolder((work or default_folder()).resolve()) as folder:
            asyncio.run(_until_told(_run(console, folder, script, json_file, keep, port_offset)))
    except (DemoError, StartError, ScriptError) as error:
        print(f"demo: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except _StoppedError as stopped:
        print("demo: stopped, everything is down", file=sys.stderr)
        raise SystemExit(stopped.code) from None
    except KeyboardInterrupt:  # before anything was started
        raise SystemExit(128 + signal.SIGINT) from None


def _read_log(console: Console, folder: Path, days: int) -> Script:
    script = event_log(folder, days)
    for sentence in unknown_columns(folder):
        console.print(f"note: {sentence}", highlight=False)
    return script


def _require_writable(path: Path) -> None:
    if path.is_dir() or not os.access(path.resolve().parent, os.W_OK):
        raise DemoError(f"`{path}` cannot be written")


class _StoppedError(Exception):
    """A signal ended the run before it was done."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


async def _until_told(work: Any) -> None:
    """Run to the end, or until SIGINT or SIGTERM; either way everything that was started is stopped first."""
    loop, told = asyncio.get_running_loop(), []
    task = asyncio.ensure_future(work)

    def stop(number: int) -> None:
        told.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
        raise _StoppedError(128 + told[0]) from None


async def _run(
    console: Console, folder: WorkFolder, script: Script, json_file: Path | None, keep: bool, port_offset: int
) -> None:
    watch = Stopwatch()
    script = script.moved_to_end_at(datetime.now(UTC))
    async with AsyncExitStack() as stack:
        with Progress(console, script) as progress:
            with watch.part("start"):
                progress.say("starting the suite")
                house = await stack.enter_async_context(House(folder, port_offset))
                house.clock.set(script.start)
                installation = await _install(house, script)
            desk = Helpdesk(f"{house.simulator}/_accounts/{SUBDOMAIN}", house.edge, installation, house.clock)
            stack.push_async_callback(desk.close)
            try:
                cast = cast_of(script)
            except ValueError as error:
                raise DemoError(str(error)) from None
            with watch.part("install"):
                progress.say("the admin authorises the app")
                await desk.person(cast.admin).authorize()
                account = (await desk.person(cast.admin).open_app())["account"]
                suite = Suite(house, AccountId(account.removeprefix("accounts/")))
                await suite.limit_inboxes(script.inbox_limit)
            player = Player(house, suite, desk, cast, script, watch, progress.day)
            stack.push_async_callback(player.close)
            with watch.part("day"):
                played = await player.play()
            scenes = Scenes()
            with watch.part("delegation and pull"):
                progress.say("a delegated administrator and a pull")
                scenes.delegated = await delegate(house, desk, cast)
                scenes.pulled = await pull(suite, desk, cast, script, player)
            with watch.part("evidence"):
                progress.say("every decision is read back")
                evidence = await gather(suite)
            with watch.part("erasure"):
                progress.say("a requester is erased")
                scenes.erasure = await erase(house, desk, cast, str(uuid.uuid4()))
        summary = figures(script, played, evidence, scenes, watch)
        show(Console(), summary)
        if keep:
            summary["connection"] = await connection(house, suite, desk, cast)
        _write(json_file, summary)
        if keep:
            _tell(console, summary["connection"], folder.path)
            await _until_cancelled(house)


async def _install(house: House, script: Script) -> int:
    """Make the account, install the app, start the services with Zendesk's key; return the installation."""
    async with httpx2.AsyncClient(trust_env=False, timeout=120.0) as http:
        spec = account_spec(script, house.edge, HOST, house.oauth_client())
        made = await house.control(http, "POST", "accounts", spec)
        key = await http.get(f"{house.simulator}/_control/{SUBDOMAIN}/apps/{APP_ID}/public_key.pem")
    path = house.folder.path / "app.pem"
    path.write_bytes(key.content)
    await house.open(path, APP_ID)
    apps = made["apps"]
    if not isinstance(apps, list):
        raise DemoError("the simulator did not install the app")
    return int(apps[0]["installation_id"])


def _write(path: Path | None, summary: dict[str, Any]) -> None:
    """Write the summary whole or not at all; it holds credentials when the house is kept."""
    if path is None:
        return
    unfinished = path.with_name(f"{path.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(summary, file, indent=2)
        file.write("\n")
    unfinished.replace(path)


def _tell(console: Console, found: dict[str, Any], folder: Path) -> None:
    console.print("\nEverything is left running; ctrl-C stops it.", highlight=False)
    for name, address in (
        *found["services"].items(),
        ("edge", found["edge"]),
        ("simulator", found["simulator"]),
    ):
        console.print(f"  {name:<11} {address}", highlight=False)
    page = f"{found['zendesk']}/agent/apps/{found['installation_id']}?user_id={found['sessions']['admin']['user_id']}"
    console.print(f"  the app     {page}", highlight=False, soft_wrap=True)
    console.print(f"  logs        {folder}", highlight=False)


async def _until_cancelled(house: House) -> None:
    """Wait for the signal; end early when a part ends by itself."""
    try:
        while True:
            house.require_all_alive()
            await asyncio.sleep(1)
    except asyncio.CancelledError:
        return


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
