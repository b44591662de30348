"""What a signed URL must say: every claim that is wrong alone refuses (facts: auth §2.2)."""

from datetime import timedelta

import pytest

from libs.kernel.clock import ManualClock
from services.auth.domain.errors import SignedUrlRefusedError
from services.auth.domain.signed_url import LEEWAY, MAXIMUM_AGE, read_signed_url
from services.auth.tests.signed_urls import ORIGIN, claims

NOW = ManualClock().now()
START = int(NOW.timestamp())
SECOND = timedelta(seconds=1)


def test_a_good_one_names_account_installation_and_user() -> None:
    url = read_signed_url(claims(NOW, 7), ORIGIN, NOW)

    assert (url.subdomain, url.installation_id, url.user) == ("acme", 55, 7)
    assert url.usable_until == NOW + MAXIMUM_AGE + LEEWAY


@pytest.mark.parametrize(
    "changes",
    [{"iss": "https://acme.zendesk.com"}, {"sub": "7"}, {"exp": START + 86_400}, {"iat": START - 0.5}],
    ids=["iss-with-scheme", "bare-user", "long-life", "fraction"],
)
def test_the_other_accepted_forms(changes: dict[str, object]) -> None:
    assert read_signed_url({**claims(NOW, 7), **changes}, ORIGIN, NOW).user == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", "https://evil.zendesk.com/api/v2/apps/installations/55.json"),
        ("aud", "https://acme.zendesk.com.evil.test/api/v2/apps/installations/55.json"),
        ("aud", "https://acme.zendesk.com/api/v2/apps/installations/55.json\n"),
        ("aud", "https://ACME.zendesk.com/api/v2/apps/installations/55.json"),
        ("aud", "https://-acme.zendesk.com/api/v2/apps/installations/55.json"),
        ("aud", "http://acme.zendesk.com/api/v2/apps/installations/55.json"),
        ("aud", "https://acme.zendesk.com/api/v2/apps/installations/0.json"),
        ("aud", "https://acme.zendesk.com/api/v2/apps/installations/9999999999999999999.json"),
        ("aud", "https://acme.zendesk.com/api/v2/apps/installations/55.json?x=1"),
        ("aud", ["https://acme.zendesk.com/api/v2/apps/installations/55.json"]),
        ("aud", None),
        ("iss", "evil.zendesk.com"),
        ("iss", "acme.zendesk.com.evil.test"),
        ("iss", "http://acme.zendesk.com"),
        ("iss", None),
        ("sub", "https://evil.zendesk.com/api/v2/users/7.json"),
        ("sub", "https://evil.test/api/v2/users/7.json"),
        ("sub", "https://acme.zendesk.com/api/v2/users/7"),
        ("sub", "7.json"),
        ("sub", "0"),
        ("sub", "-7"),
        ("sub", "9999999999999999999"),
        ("sub", "\u0667"),
        ("sub", 7),
        ("iat", None),
        ("iat", True),
        ("iat", str(START)),
        ("iat", 0),
        ("exp", 2**39),
        ("exp", float("1e300")),
        ("exp", START),
        ("exp", None),
        ("nbf", "soon"),
        ("nbf", START + 31),
    ],
)
def test_one_wrong_claim_refuses(name: str, value: object) -> None:
    with pytest.raises(SignedUrlRefusedError):
        read_signed_url({**claims(NOW, 7), name: value}, ORIGIN, NOW)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "https://evil.zendesk.com",
        "http://acme.zendesk.com",
        "https://acme.zendesk.com/",
        "acme.zendesk.com",
    ],
)
def test_another_origin_refuses(origin: str) -> None:
    with pytest.raises(SignedUrlRefusedError):
        read_signed_url(claims(NOW, 7), origin, NOW)


@pytest.mark.parametrize("life", [60, 300, 86_400])
def test_it_ends_with_its_life_and_after_five_minutes_at_the_latest(life: int) -> None:
    payload = {**claims(NOW, 7), "exp": START + life}
    end = NOW + min(timedelta(seconds=life), MAXIMUM_AGE) + LEEWAY

    assert read_signed_url(payload, ORIGIN, end - SECOND).usable_until == end
    with pytest.raises(SignedUrlRefusedError):
        read_signed_url(payload, ORIGIN, end)


def test_one_from_the_future_waits_for_the_leeway() -> None:
    payload = claims(NOW + LEEWAY, 7)

    assert read_signed_url(payload, ORIGIN, NOW).user == 7
    with pytest.raises(SignedUrlRefusedError):
        read_signed_url(payload, ORIGIN, NOW - SECOND)
