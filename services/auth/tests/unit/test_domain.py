"""The small rules: grants, sessions, authorisations."""

import base64
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, UserId
from services.auth.domain.authorization import Authorization, authorize_url, code_challenge, denial
from services.auth.domain.grant import Grant, GrantState
from services.auth.domain.session import ABSOLUTE, IDLE, Session

NOW = ManualClock().now()
A = AccountId("acc-1")
SECOND = timedelta(seconds=1)
GRANT = Grant(A, 3, b"a", b"r", NOW, NOW + timedelta(seconds=1000), None)
SESSION = Session(A, b"h", 55, UserId(7), 2, NOW, NOW)
AUTHORIZATION = Authorization(A, "aut-1", b"t", b"s", b"v", UserId(7), 2, NOW + timedelta(minutes=10))


@pytest.mark.parametrize(
    ("grant", "known", "usable"),
    [
        (GRANT, 0, True),
        (GRANT, 2, True),
        (GRANT, 3, False),
        (replace(GRANT, access_expires_at=NOW), 0, False),
        (replace(GRANT, access_expires_at=None), 0, True),
        (replace(GRANT, state=GrantState.REFRESHING), 0, True),
        (replace(GRANT, state=GrantState.UNCERTAIN), 0, True),
        (replace(GRANT, state=GrantState.NEEDS_REAUTHORIZATION), 0, False),
        (replace(GRANT, state=GrantState.REVOKED, access_expires_at=None), 0, False),
    ],
)
def test_a_token_is_handed_out_while_it_lives_and_is_new_to_the_caller(
    grant: Grant, known: int, usable: bool
) -> None:
    assert grant.usable(NOW, known) is usable


@pytest.mark.parametrize(
    ("grant", "at", "due"),
    [
        (GRANT, NOW + timedelta(seconds=539), False),
        (GRANT, NOW + timedelta(seconds=661), True),
        (replace(GRANT, refresh=None), NOW + timedelta(seconds=999), False),
        (replace(GRANT, access_expires_at=None), NOW + timedelta(days=900), False),
    ],
)
def test_a_refresh_is_due_at_about_sixty_percent_of_the_life(grant: Grant, at: datetime, due: bool) -> None:
    assert grant.due(at) is due


def test_a_session_dies_by_idling_by_age_and_by_generation() -> None:
    assert SESSION.alive(NOW + IDLE - SECOND, 2)
    assert not SESSION.alive(NOW + IDLE, 2)
    assert not SESSION.alive(NOW, 3)
    busy = replace(SESSION, seen_at=NOW + ABSOLUTE - SECOND)
    assert busy.alive(NOW + ABSOLUTE - SECOND, 2)
    assert not busy.alive(NOW + ABSOLUTE, 2)
    assert busy.ends_at == NOW + ABSOLUTE


def test_an_authorisation_is_open_until_it_is_used_old_or_revoked() -> None:
    assert AUTHORIZATION.open_at(NOW + timedelta(minutes=10) - SECOND, 2)
    assert not AUTHORIZATION.open_at(NOW + timedelta(minutes=10), 2)
    assert not AUTHORIZATION.open_at(NOW, 3)
    assert not replace(AUTHORIZATION, used=True).open_at(NOW, 2)


def test_the_challenge_is_that_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # appendix B

    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_zendesks_page_gets_the_challenge_and_never_the_verifier() -> None:
    url = authorize_url(
        "https://acme.zendesk.com", "c&d", "https://e.test/cb?x", "read write", "st", "verifier"
    )

    assert "verifier" not in url
    digest = hashlib.sha256(b"verifier").digest()
    assert {k: v for k, [v] in parse_qs(urlsplit(url).query).items()} == {
        "response_type": "code",
        "client_id": "c&d",
        "redirect_uri": "https://e.test/cb?x",
        "scope": "read write",
        "state": "st",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


def test_only_errors_of_the_rfc_are_repeated() -> None:
    assert denial("access_denied") == "access_denied"
    assert denial("mail ada@acme.test") == "other"
