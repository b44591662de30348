"""Sunshine and custom objects as far as the policy service's synchronisation reads and writes them."""

from __future__ import annotations

import httpx2

from tools.zendesk_simulator.tests.machine import ADMIN, AGENT, REQUESTER, Machine


async def _call(
    machine: Machine,
    method: str,
    path: str,
    data: object = None,
    *,
    user: int = ADMIN,
    kind: str = "application/json",
) -> httpx2.Response:
    headers = {"authorization": f"Bearer {await machine.token(user)}", "content-type": kind}
    body = None if data is None else {"data": data}
    return await machine.http.request(method, f"/api/sunshine/{path}", headers=headers, json=body)


async def _product(machine: Machine) -> None:
    schema = {"properties": {"name": {"type": "string"}}, "required": ["name"]}
    made = await _call(machine, "POST", "objects/types", {"key": "product", "schema": schema})
    assert (made.status_code, made.json()["data"]["schema"]["additionalProperties"]) == (201, False)


async def test_types_records_and_relationships(machine: Machine) -> None:
    await _product(machine)
    record = {"type": "product", "external_id": "P1", "attributes": {"name": "Lamp"}}
    made = (await _call(machine, "POST", "objects/records", record)).json()["data"]
    assert [
        r["id"] for r in (await _call(machine, "GET", "objects/records?external_id=p1")).json()["data"]
    ] == [made["id"]]
    twice = await _call(machine, "POST", "objects/records", record)
    assert twice.json()["errors"][0]["message"] == "/data/external_id `P1` is taken"

    relation = {"key": "user_to_many_products", "source": "zen:user", "target": ["product"]}
    assert (await _call(machine, "POST", "relationships/types", relation)).status_code == 201
    link = {
        "relationship_type": "user_to_many_products",
        "source": f"zen:user:{REQUESTER}",
        "target": made["id"],
    }
    assert (await _call(machine, "POST", "relationships/records", link)).status_code == 201
    listed = await _call(machine, "GET", "relationships/records?type=user_to_many_products")
    assert [r["target"] for r in listed.json()["data"]] == [made["id"]]
    assert (await _call(machine, "DELETE", f"objects/records/{made['id']}")).status_code == 422
    assert (await _call(machine, "DELETE", "objects/types/product")).status_code == 422


async def test_patches_are_merge_patches(machine: Machine) -> None:
    await _product(machine)
    made = (
        await _call(machine, "POST", "objects/records", {"type": "product", "attributes": {"name": "a"}})
    ).json()
    path = f"objects/records/{made['data']['id']}"

    wrong = await _call(machine, "PATCH", path, {"attributes": {"name": "b"}}, kind="text/plain")
    right = await _call(
        machine, "PATCH", path, {"attributes": {"name": "b"}}, kind="application/merge-patch+json"
    )

    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (415, "UnsupportedMediaType")
    assert right.json()["data"]["attributes"] == {"name": "b"}


async def test_permissions_are_read_by_agents_and_written_by_administrators(machine: Machine) -> None:
    await _product(machine)
    path = "objects/types/product/permissions"
    fresh = (await _call(machine, "GET", path, user=AGENT)).json()["data"]
    assert (fresh["rbac"]["agent"]["create"], fresh["rbac"]["end_user"]["read"]) == (True, False)
    assert "rebac" not in fresh

    forbidden = await _call(machine, "PATCH", path, {"rbac": {"agent": {"read": False}}}, user=AGENT)
    strict = await _call(machine, "PATCH", path, {"rbac": {"agent": {"end_user": True}}})
    done = await _call(
        machine, "PATCH", path, {"rbac": {"custom": {"8237": {"read": True}}, "agent": {"delete": False}}}
    )

    assert forbidden.status_code == 403
    assert strict.json()["errors"][0]["message"].startswith("/data/rbac/agent/end_user")
    rbac = done.json()["data"]["rbac"]
    assert (rbac["custom"]["8237"]["read"], rbac["custom"]["8237"]["update"]) == (True, False)
    assert (rbac["agent"]["delete"], rbac["agent"]["read"]) == (False, True)


async def test_policies_of_custom_objects_need_read_for_every_write(machine: Machine) -> None:
    body = {"custom_object": {"key": "asset", "title": "Asset", "title_pluralized": "Assets"}}
    assert (await machine.call("POST", "custom_objects", body)).status_code == 201
    role = (await machine.call("POST", "custom_roles", {"custom_role": {"name": "Lead"}})).json()[
        "custom_role"
    ]
    path = f"custom_objects/asset/permission_policies/custom-role-{role['id']}"
    listed = (await machine.call("GET", "custom_objects/asset/permission_policies")).json()[
        "permission_policies"
    ]
    assert {p["id"] for p in listed} == {f"custom-role-{role['id']}", "end-user"}

    blind = await machine.call("PATCH", path, {"permission_policy": {"read": "none"}})
    rule = {"access_rule": {"title": "Mine", "conditions": {"all": [], "any": []}}}
    made = (await machine.call("POST", "custom_objects/asset/access_rules", rule)).json()["access_rule"]
    bound = {"create": made["id"], "read": made["id"], "update": "none", "delete": "none"}
    changed = await machine.call("PATCH", path, {"permission_policy": bound})

    assert blind.status_code == 422
    assert changed.json()["permission_policy"]["read"] == made["id"]
