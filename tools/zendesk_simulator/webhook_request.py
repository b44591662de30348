"""One webhook as a request: headers, signature, what its answer means (facts: Zendesk §9)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import deque
from datetime import datetime, timedelta

import httpx2

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.state import Account, Row

CONFLICT_RETRIES, BUSY_RETRIES, LOST_RETRIES = 3, 3, 5
FIRST_PAUSE_SECONDS = 0.2
LONGEST_RETRY_AFTER_SECONDS = 60
BREAKER_WINDOW = timedelta(minutes=5)
BREAKER_PAUSE = timedelta(seconds=5)
BREAKER_SHARE, BREAKER_ERRORS, BREAKER_LEAST = 0.7, 1000, 20
"""Share and number are Zendesk's; that a share needs so many invocations is ours: one error is not 100 %."""
_SHOWN_BYTES = 4096


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature: base64 of HMAC-SHA-256 over timestamp and body, key = the secret as text."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def headers_of(account: Account, webhook: Row, invocation_id: str, body: bytes) -> dict[str, str]:
    """Return the headers of one attempt, as signed now."""
    timestamp = stamp(account.now())
    return {
        "content-type": "application/json; charset=utf-8",
        **{str(k).lower(): str(v) for k, v in (webhook.get("custom_headers") or {}).items()},
        **_credentials(webhook.get("_authentication") or webhook.get("authentication") or {}),
        "user-agent": "Zendesk Webhook",
        "x-zendesk-account-id": str(account.id),
        "x-zendesk-webhook-id": webhook["id"],
        "x-zendesk-webhook-invocation-id": invocation_id,
        "x-zendesk-webhook-signature": sign(webhook["_secret"], timestamp, body),
        "x-zendesk-webhook-signature-timestamp": timestamp,
    }


def _credentials(authentication: Row) -> dict[str, str]:
    kind, data = authentication.get("type"), authentication.get("data") or {}
    if kind == "basic_auth":
        pair = f"{data.get('username', '')}:{data.get('password', '')}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if kind == "bearer_token":
        return {"authorization": f"Bearer {data.get('token', '')}"}
    if kind == "api_key":
        return {str(data.get("name", "x-api-key")).lower(): str(data.get("value", ""))}
    return {}


def status_of(answer: httpx2.Response | None) -> str:
    """Return an invocation's status as Zendesk names it."""
    if answer is None:
        return "timeout"
    if answer.status_code < 300:
        return "success"
    return {403: "terminated", 429: "throttled"}.get(answer.status_code, "failed")


def pause_before_retry(answer: httpx2.Response | None, attempts: int) -> float | None:
    """Return the seconds until the next attempt; None = there is none.

    Retried are 409, 429 and 503 with a short Retry-After, and what was not answered in time.
    """
    pause = FIRST_PAUSE_SECONDS * 2.0 ** (attempts - 1)
    if answer is None:
        return pause if attempts <= LOST_RETRIES else None
    if answer.status_code == 409:
        return pause if attempts <= CONFLICT_RETRIES else None
    if answer.status_code in (429, 503) and attempts <= BUSY_RETRIES:
        text = answer.headers.get("retry-after", "")
        if text.isdigit() and int(text) < LONGEST_RETRY_AFTER_SECONDS:
            return float(text)
    return None


def attempt_row(
    account: Account,
    invocation: Row,
    began: datetime,
    headers: dict[str, str],
    body: bytes,
    answer: httpx2.Response | None,
) -> Row:
    """Return an attempt as `GET webhooks/{id}/invocations/{id}/attempts` shows it."""
    shown = [{"key": k, "value": "[REDACTED]" if k == "authorization" else v} for k, v in headers.items()]
    row: Row = {
        "id": f"{invocation['id']}-{len(invocation['attempts']) + 1}",
        "invocation_id": invocation["id"],
        "status": status_of(answer),
        "status_code": answer.status_code if answer is not None else 0,
        "invoked_at": stamp(began),
        "completed_at": stamp(account.now()),
        "request": {"headers": shown, "payload": body[:_SHOWN_BYTES].decode(errors="replace")},
    }
    if answer is not None:
        row["response"] = {
            "headers": [{"key": k, "value": v} for k, v in answer.headers.items()],
            "payload": answer.text[:_SHOWN_BYTES],
        }
    return row


class Breaker:
    """Stops a webhook whose endpoint fails (facts §9, numbers unconfirmed): then one request tests it again."""

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, bool]] = deque()
        self._errors = 0
        self._closed_again: datetime | None = None

    def lets_through(self, now: datetime) -> bool:
        """Tell whether an invocation may be sent."""
        return self._closed_again is None or now >= self._closed_again

    def learn(self, now: datetime, *, ok: bool) -> None:
        """Count an outcome."""
        if self._closed_again is not None:
            if now >= self._closed_again:  # the test; what was still under way when it opened proves nothing
                self._closed_again = None if ok else now + BREAKER_PAUSE
                self._errors = 0
                self._seen.clear()
            return
        self._seen.append((now, ok))
        self._errors += not ok
        while self._seen[0][0] < now - BREAKER_WINDOW:
            self._errors -= not self._seen.popleft()[1]
        share = self._errors / len(self._seen)
        if self._errors > BREAKER_ERRORS or (len(self._seen) >= BREAKER_LEAST and share >= BREAKER_SHARE):
            self._closed_again = now + BREAKER_PAUSE
