"""Every forgery is refused with one sentence, by both profiles, and never by an error of another kind."""

from __future__ import annotations

import pytest

from libs.crypto import signature
from libs.crypto.errors import InvalidTokenError
from libs.crypto.signer import Signer
from libs.crypto.tests.attacks import Good, forgeries, twin
from libs.crypto.tests.tokens_for_tests import CLAIMS, NOW, PROFILE, SIGNER
from libs.crypto.tokens import CONTEXT_TYP, INSTALLATION_TYP, KeySet, Profile, installation_profile, verify

OTHER = Signer.generate("ins-1")
CONTEXT = Good(SIGNER, OTHER, CLAIMS, CONTEXT_TYP, INSTALLATION_TYP)
INSTALLATION = Good(
    OTHER,
    SIGNER,
    {k: v for k, v in CLAIMS.items() if k not in ("peer", "role", "custom_role_id")}
    | {"sub": "zendesk:acme", "aud": "https://auth.setlist.local/edge"},
    INSTALLATION_TYP,
    CONTEXT_TYP,
)
INSTALLATION_PROFILE = installation_profile("https://auth.setlist.local", "https://auth.setlist.local/edge")
CASES = [
    pytest.param(good, profile, name, id=f"{kind}-{name}")
    for kind, good, profile in (
        ("context", CONTEXT, PROFILE),
        ("installation", INSTALLATION, INSTALLATION_PROFILE),
    )
    for name in forgeries(good)
]


@pytest.mark.parametrize(("good", "profile", "name"), CASES)
def test_a_forgery_is_refused(good: Good, profile: Profile, name: str) -> None:
    keys = KeySet([good.signer.public_key()])
    text = forgeries(good)[name]
    assert text != good.text()

    with pytest.raises(InvalidTokenError) as caught:
        verify(text, keys, profile, NOW)

    assert str(caught.value) == "the token is not valid"
    assert caught.value.cause != "unexpected"
    assert caught.value.cause not in text


@pytest.mark.parametrize(("good", "profile"), [(CONTEXT, PROFILE), (INSTALLATION, INSTALLATION_PROFILE)])
def test_the_good_token_is_good_and_so_is_its_twin(good: Good, profile: Profile) -> None:
    keys = KeySet([good.signer.public_key()])

    assert verify(good.text(), keys, profile, NOW) == verify(twin(good.text()), keys, profile, NOW)


def test_nobody_fills_the_memory_with_headers() -> None:
    """Only headers of tokens that hold are remembered, and not many of them."""
    keys = KeySet([SIGNER.public_key()])
    for number in range(200):
        text = CONTEXT.signed({**CONTEXT.header, "kid": f"k{number}"})
        with pytest.raises(InvalidTokenError):
            verify(text, keys, PROFILE, NOW)
        own = Signer(f"k{number}", "ES256", SIGNER.key)
        verify(own.sign(CLAIMS, CONTEXT_TYP), KeySet([own.public_key()]), PROFILE, NOW)

    assert len(signature._headers) <= signature._MAX_HEADERS
