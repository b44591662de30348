"""Events that webhooks subscribe to by type; of users, the ones that we must know of (facts: Zendesk §9)."""

from __future__ import annotations

import json
import uuid

from tools.zendesk_simulator.state import Account, Row

PREFIX = "zen:event-type:"
CREATED, DELETED, MERGED = "user.created", "user.deleted", "user.merged"


def emit(account: Account, kind: str, user: Row, event: Row | None = None) -> None:
    """Leave an event of a user for every active webhook that subscribed to its type.

    Args:
        kind: e.g. `user.deleted`.
        user: whom it is about; what the event tells of him is what Zendesk's tells.
        event: what happened to him.
    """
    name = PREFIX + kind
    wanted = [w for w in account.webhooks.values() if name in w["subscriptions"] and w["status"] == "active"]
    if not wanted:
        return
    payload = {
        "account_id": account.id,
        "detail": {
            "created_at": user["created_at"],
            "default_group_id": str(user["default_group_id"] or 0),
            "email": user["email"],
            "external_id": user["external_id"] or "",
            "id": str(user["id"]),
            "organization_id": str(user["organization_id"] or 0),
            "role": user["role"],
            "updated_at": user["updated_at"],
        },
        "event": event or {},
        "id": str(uuid.uuid4()),
        "subject": f"zen:user:{user['id']}",
        "time": account.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": name,
        "zendesk_event_version": "2022-11-06",
    }
    body = json.dumps(payload, indent=3).encode()
    account.outbox.extend((w["id"], body) for w in wanted)
