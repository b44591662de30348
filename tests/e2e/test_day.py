"""The main job: one played day through every service, from arrival to certificate."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

pytestmark = pytest.mark.e2e


def test_every_ticket_is_assigned_once_or_waits_for_a_reason(summary: dict[str, Any]) -> None:
    assert summary["tickets_in"] > 400
    assert summary["imported"] > 30
    assert summary["assigned"] + summary["waiting"] == summary["tickets_in"]
    assert summary["assigned"] > 400
    assert summary["assigned_twice"] == 0
    assert summary["waiting_with_free_agent"] == 0
    assert sum(summary["per_agent"].values()) == summary["assigned"]
    assert summary["wait_seconds"]["p50"] <= summary["wait_seconds"]["p90"] <= summary["wait_seconds"]["max"]


def test_every_decision_explains_itself(summary: dict[str, Any]) -> None:
    assert summary["decisions_explained"] == summary["decisions"] >= summary["assigned"]
    assert summary["decision_chain_intact"] is True


def test_a_manager_may_and_a_plain_agent_may_not(summary: dict[str, Any]) -> None:
    assert summary["delegated"]["policy_decision"]
    assert summary["delegated"]["refused"]["reason"] == "PERMISSION_DENIED"
    assert summary["pulled"]["agent"] == summary["delegated"]["agent"]
    assert summary["pulled"]["waited_because"] == "QUEUE_PULL_ONLY"
    assert summary["pulled"]["waited_with_free_agent"] is True


def test_the_erasure_ends_with_a_certificate_that_verifies(summary: dict[str, Any]) -> None:
    erasure = summary["erasure"]
    assert erasure["state"] in ("COMPLETED", "COMPLETED_WITH_RETENTION")
    assert set(erasure["steps"].values()) <= {"DONE", "RETAINED"}
    certificate = erasure["certificate"]
    key = jwt.PyJWK(json.loads(certificate["public_key_jwk"]), algorithm="EdDSA").key
    assert isinstance(key, Ed25519PublicKey)
    text = certificate["certificate_json"]
    signature = base64.urlsafe_b64decode(certificate["signature"] + "==")
    canonical = json.dumps(text, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key.verify(signature, canonical)  # raises when it does not fit
    assert str(10_999_999) not in canonical.decode()  # the person is a commitment


def test_it_says_where_the_time_went(summary: dict[str, Any]) -> None:
    seconds = summary["seconds"]
    assert seconds["total"] >= seconds["start"] + seconds["day"]
