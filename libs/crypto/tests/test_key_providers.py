"""Key-encryption keys: a file, a mounted secret that changes under us, a key service behind the same interface."""

import hashlib
import hmac
import secrets
from pathlib import Path

import pytest

from libs.crypto import key_providers
from libs.crypto.data_keys import MemoryDataKeys
from libs.crypto.envelope import Envelope
from libs.crypto.errors import InvalidCiphertextError, KeyProviderError
from libs.crypto.key_providers import (
    FORMAT,
    ID_BYTES,
    FileKeyProvider,
    KeyProvider,
    LocalKeyProvider,
    coded,
    kek_id,
    new_key_text,
    read_keys,
)

PLACE = ("acc-1", "oauth", "grants", "access", "1")


def key_of(text: str) -> bytes:
    return read_keys(text, "here")[0]


@pytest.fixture
def always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ten seconds between two looks."""
    monkeypatch.setattr(key_providers, "CHECK_SECONDS", 0.0)


def test_the_file_whose_name_sorts_last_wraps(tmp_path: Path) -> None:
    old, new = new_key_text(), new_key_text()
    (tmp_path / "kek-2026-05").write_text(old)
    (tmp_path / "kek-2026-11").write_text(new)
    (tmp_path / "..data").mkdir()  # as the kubelet lays a secret out

    assert FileKeyProvider(tmp_path).current_kek_id() == kek_id(key_of(new))


@pytest.mark.usefixtures("always_looks")
async def test_a_secret_that_is_rotated_is_used_without_a_restart(tmp_path: Path) -> None:
    old, new = new_key_text(), new_key_text()
    (tmp_path / "kek-1").write_text(old)
    keys = MemoryDataKeys()
    envelope = Envelope(FileKeyProvider(tmp_path), keys)
    sealed = await envelope.seal(*PLACE, b"secret")

    (tmp_path / "kek-2").write_text(new)
    assert [await envelope.rewrap_all() for _ in range(2)] == [1, 0]
    (tmp_path / "kek-1").unlink()

    assert await Envelope(FileKeyProvider(tmp_path), keys).open(*PLACE, sealed) == b"secret"
    with pytest.raises(InvalidCiphertextError):
        await Envelope(LocalKeyProvider([key_of(old)]), keys).open(*PLACE, sealed)


@pytest.mark.usefixtures("always_looks")
@pytest.mark.parametrize("content", ["", "rubbish!", "AAAA"])
async def test_a_file_that_is_not_usable_leaves_the_keys_as_they_were(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys"
    path.write_text(new_key_text())
    provider = FileKeyProvider(path)
    before = provider.current_kek_id()
    wrapped = await provider.wrap(bytes(32), "acc-1", "oauth")

    path.write_text(content)
    assert provider.current_kek_id() == before
    path.unlink()

    assert await provider.unwrap(wrapped, "acc-1", "oauth") == bytes(32)


def test_a_folder_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyProviderError, match="holds no key-encryption key"):
        FileKeyProvider(tmp_path)
    with pytest.raises(KeyProviderError, match="cannot be read"):
        FileKeyProvider(tmp_path / "absent")


class KeyService:
    """A provider as one for a KMS is: the key never leaves the service, which has a ciphertext form of its own."""

    def __init__(self, name: str) -> None:
        self._id = hashlib.sha256(name.encode()).digest()[:ID_BYTES]
        self._wrapped: dict[bytes, tuple[bytes, bytes]] = {}

    def current_kek_id(self) -> bytes:
        return self._id

    async def wrap(self, data_key: bytes, account: str, purpose: str) -> bytes:
        handle = secrets.token_bytes(200)  # longer than ours, as those of key services are
        self._wrapped[handle] = (data_key, coded(account, purpose))
        return FORMAT + self._id + handle

    async def unwrap(self, wrapped: bytes, account: str, purpose: str) -> bytes:
        found = self._wrapped.get(wrapped[1 + ID_BYTES :])
        if found is None or not hmac.compare_digest(found[1], coded(account, purpose)):
            raise InvalidCiphertextError
        return found[0]


async def test_a_key_service_fits_the_interface() -> None:
    keys, service = MemoryDataKeys(), KeyService("arn:aws:kms:eu-west-1:1:key/1")
    provider: KeyProvider = service
    envelope = Envelope(provider, keys)

    sealed = await envelope.seal(*PLACE, b"secret")
    assert await envelope.rewrap_all() == 0

    assert await Envelope(service, keys).open(*PLACE, sealed) == b"secret"
    with pytest.raises(InvalidCiphertextError):
        await Envelope(KeyService("another"), keys).open(*PLACE, sealed)
