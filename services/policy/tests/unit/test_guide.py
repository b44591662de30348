"""docs/policy.md is run: each block, line by line, against the use cases."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from libs.decision.decide import Given
from libs.decision.rows import ObjectRow, User
from libs.kernel.errors import SetlistError
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.ports import OBJECT, RELATIONSHIP
from services.policy.app.simulate_change import Proposal
from services.policy.rpc.mapping import extensions_of, permissions_json
from services.policy.rpc.types import sentence_of
from services.policy.tests.world import USERS, World
from setlist.policy.v1 import policy_resources_pb2 as resources

GUIDE = Path(__file__).parents[4] / "docs/policy.md"
_QUESTION = re.compile(r"(\d+) (\w+) ?(\w+)? ?(\{.*\})? ?-> (yes|no) (\S+)")


class Reader:
    """Does what the lines say and remembers what came of the last one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fault = ""
        self.shown = ""
        self.simulated = ""
        self.tried: list[str] = []
        self.revision = 0

    async def line(self, sign: str, text: str) -> None:
        match sign:
            case ">":
                await self.send(*text.split(" ", 1))
            case "<":
                assert json.loads(self.shown) == json.loads(text)
                assert self.shown == text, "the members stand in the seed's order"
            case "!":
                assert text in self.fault
                self.fault = ""
            case "?":
                await self.ask(text, Freshness())
            case "@":
                await self.ask(text, Freshness(exact=self.revision))
            case "*":
                assert text == self.tried.pop(0)
            case "=":
                assert text == self.simulated
            case _:
                raise AssertionError(f"what is `{sign}`?")

    async def send(self, verb: str, rest: str = "") -> None:
        assert not self.fault, "the guide does not tell of this refusal"
        world, use = self.world, self.world.use
        match verb:
            case "GET":
                self.shown = permissions_json(await world.get(key=rest), patched=False)
            case "PATCH":
                key, _, patch = rest.partition(" ")
                try:
                    changed = await use.types.update_permissions(world.account, OBJECT, key, patch)
                    self.shown = permissions_json(changed.row, patched=True)
                except SetlistError as error:
                    self.fault = "; ".join(f"{v.field} {v.description}" for v in error.violations)
            case "SIMULATE":
                key, _, patch = rest.partition(" ")
                found = await use.simulate(
                    world.account, Proposal(OBJECT, key, patch), Freshness(), skip=0, limit=50
                )
                told = "; ".join(sentence_of(flip) for flip in found.flips)
                self.simulated = f"{found.gained} gained, {found.lost} lost: {told}"
            case "REMEMBER":
                self.revision = await world.revision()
            case _:
                await self.write(verb, rest)

    async def write(self, verb: str, rest: str) -> None:
        world, use = self.world, self.world.use
        words = rest.split(" ")
        match verb:
            case "RELATE":
                kind, source, target = words
                await world.relate(source, target, kind)
            case "TYPE":
                await use.types.create(world.account, OBJECT, rest)
            case "RELATIONSHIP":
                key, source, target = words
                await use.types.create(
                    world.account, RELATIONSHIP, key, source=source, target=target, many=True
                )
            case "EXTEND":
                key, _, given = rest.partition(" ")
                message = resources.Extensions()
                for name, policy in json.loads(given)["policies"].items():
                    added = message.policies[name]
                    added.start, added.condition = policy["start"], policy["condition"]
                    added.path.extend(resources.PathStep(**step) for step in policy["path"])
                    for role, row in policy["rows"].items():
                        getattr(added.rows, role).CopyFrom(resources.Row(**row))
                await use.types.update_extensions(world.account, key, extensions_of(message))
            case "USER":
                user, role, _, group = words
                users = [User(int(user), role, None, (int(group),))]
                await use.sync_users(world.account, users, (), complete=False)
            case "OBJECT":
                key, record, attributes = rest.split(" ", 2)
                await use.objects.write(world.account, [ObjectRow(key, record, json.loads(attributes))], [])
            case _:
                raise AssertionError(f"what is `{verb}`?")

    async def ask(self, text: str, freshness: Freshness) -> None:
        found = _QUESTION.fullmatch(text)
        assert found, f"what is `{text}`?"
        user, action, record, context, answer, reason = found.groups()
        given = Given(context=json.loads(context)) if context else Given()
        question = Question(int(user), action, "product", record or "", given=given)
        (told,) = await self.world.use.check(
            self.world.account, [question], Asked(freshness=freshness), explain=True
        )
        assert (text, told.decided.allowed, told.decided.reason) == (text, answer == "yes", reason)
        self.tried = [f"{rule.policy}: {rule.why}" for rule in told.decided.tried]


def blocks() -> list[Any]:
    return re.findall(r"```policy\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


async def test_the_guide_is_true() -> None:
    world = await World.fresh()
    people = [user for user in USERS.values() if user.id <= 5]
    await world.use.sync_users(world.account, people, (), complete=True)
    reader = Reader(world)
    lines = [line for block in blocks() for line in block.splitlines()]

    for line in lines:
        sign, _, text = line.partition(" ")
        await reader.line(sign, text)

    assert len(lines) > 40
    assert not reader.fault
