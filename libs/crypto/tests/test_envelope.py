"""Envelope encryption: the format, its bindings, rotation and shredding, on memory data keys."""

import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.crypto.data_keys import MemoryDataKeys
from libs.crypto.envelope import (
    OVERHEAD_BYTES,
    Envelope,
    EnvironmentKeyProvider,
    FileKeyProvider,
    InvalidCiphertextError,
    KeyProviderError,
    LocalKeyProvider,
    key_id_of,
    new_key_text,
)
from libs.crypto.key_providers import coded, kek_id

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PLACE = ("acc-1", "oauth", "grants", "access_token", "55")


@pytest.fixture
def keys() -> MemoryDataKeys:
    return MemoryDataKeys()


@pytest.fixture
def envelope(keys: MemoryDataKeys) -> Envelope:
    return Envelope(LocalKeyProvider([OLD]), keys)


@pytest.mark.parametrize("plaintext", [b"", b"x", b"secret" * 1000])
async def test_what_is_sealed_opens_at_its_place(envelope: Envelope, plaintext: bytes) -> None:
    sealed = await envelope.seal(*PLACE, plaintext)

    assert len(sealed) == len(plaintext) + OVERHEAD_BYTES == len(plaintext) + 45
    assert await envelope.open(*PLACE, sealed) == plaintext
    assert await envelope.seal(*PLACE, plaintext) != sealed


async def test_the_format_is_the_documented_one(envelope: Envelope, keys: MemoryDataKeys) -> None:
    sealed = await envelope.seal(*PLACE, b"secret")
    stored = await keys.current("acc-1", "oauth")
    assert stored is not None

    def lengths(*parts: bytes) -> bytes:
        return b"".join(struct.pack(">I", len(part)) + part for part in parts)

    wrapped, kek = stored.wrapped, kek_id(OLD)
    assert (wrapped[:1], wrapped[1:17]) == (b"\x01", kek)
    data_key = AESGCM(OLD).decrypt(wrapped[17:29], wrapped[29:], lengths(b"dek", b"acc-1", b"oauth", kek))
    assert (sealed[:1], sealed[1:17]) == (b"\x01", stored.id)
    aad = lengths(b"\x01", b"acc-1", b"grants", b"access_token", b"55", stored.id)
    assert AESGCM(data_key).decrypt(sealed[17:29], sealed[29:], aad) == b"secret"


@pytest.mark.parametrize("position", range(5))
async def test_a_ciphertext_does_not_open_elsewhere(envelope: Envelope, position: int) -> None:
    sealed = await envelope.seal(*PLACE, b"secret")
    names = ["other" if place == position else name for place, name in enumerate(PLACE)]
    elsewhere = (names[0], names[1], names[2], names[3], names[4])
    await envelope.seal(*elsewhere, b"x")

    with pytest.raises(InvalidCiphertextError):
        await envelope.open(*elsewhere, sealed)


def test_lengths_keep_neighbours_apart() -> None:
    assert coded("a", "bc") != coded("ab", "c")


async def test_any_altered_byte_refuses(envelope: Envelope) -> None:
    sealed = await envelope.seal(*PLACE, b"secret")

    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(InvalidCiphertextError):
            await envelope.open(*PLACE, bytes(altered))


@pytest.mark.parametrize("text", [b"", b"\x01", b"secret", b"\x01" * 44, b"\x02" * 60])
async def test_what_is_no_ciphertext_is_refused_with_the_same_error(envelope: Envelope, text: bytes) -> None:
    with pytest.raises(InvalidCiphertextError, match="cannot be opened"):
        await envelope.open(*PLACE, text)


async def test_a_new_data_key_is_for_new_ciphertexts_and_old_ones_open(envelope: Envelope) -> None:
    before = await envelope.seal(*PLACE, b"old")

    fresh = await envelope.rotate("acc-1", "oauth")

    after = await envelope.seal(*PLACE, b"new")
    assert after[1:17] == fresh != before[1:17]
    assert [await envelope.open(*PLACE, sealed) for sealed in (before, after)] == [b"old", b"new"]


async def test_a_data_key_is_replaced_when_it_has_written_enough(keys: MemoryDataKeys) -> None:
    envelope = Envelope(LocalKeyProvider([OLD]), keys, rotate_at_writes=2048)

    used = {(await envelope.seal(*PLACE, b""))[1:17] for _ in range(2049)}

    assert len(used) == 2


async def test_key_encryption_keys_rotate_by_rewrapping(keys: MemoryDataKeys) -> None:
    sealed = await Envelope(LocalKeyProvider([OLD]), keys).seal(*PLACE, b"secret")
    both = Envelope(LocalKeyProvider([NEW, OLD]), keys)

    assert await both.rewrap_all() == 1
    assert await both.rewrap_all() == 0

    assert await Envelope(LocalKeyProvider([NEW]), keys).open(*PLACE, sealed) == b"secret"
    with pytest.raises(InvalidCiphertextError):
        await Envelope(LocalKeyProvider([OLD]), keys).open(*PLACE, sealed)


async def test_a_shredded_account_is_unreadable_and_others_are_not(envelope: Envelope) -> None:
    mine = await envelope.seal(*PLACE, b"secret")
    contact = await envelope.seal("acc-1", "contact", "contacts", "mail", "1", b"x")
    other = ("acc-2", *PLACE[1:])
    theirs = await envelope.seal(*other, b"secret")

    gone = await envelope.shred("acc-1")

    assert sorted(gone) == sorted([mine[1:17], contact[1:17]])
    for sealed in (mine, contact):
        with pytest.raises(InvalidCiphertextError):
            await envelope.open(*PLACE, sealed)
    assert await envelope.open(*other, theirs) == b"secret"


async def test_a_wrapped_key_moved_to_another_account_or_purpose_does_not_unwrap(
    keys: MemoryDataKeys,
) -> None:
    provider = LocalKeyProvider([OLD])
    wrapped = await provider.wrap(bytes(32), "acc-1", "oauth")

    assert await provider.unwrap(wrapped, "acc-1", "oauth") == bytes(32)
    for account, purpose in (("acc-2", "oauth"), ("acc-1", "contact"), ("acc-1o", "auth")):
        with pytest.raises(InvalidCiphertextError):
            await provider.unwrap(wrapped, account, purpose)


def test_keys_come_from_a_file_or_a_variable(tmp_path: Path) -> None:
    first, second = new_key_text(), new_key_text()
    path = tmp_path / "keks"
    path.write_text(f"# the first one wraps\n{first}\n{second}  # old\n")

    from_file, from_variable = (
        FileKeyProvider(path),
        EnvironmentKeyProvider("KEKS", {"KEKS": f"{first},{second}"}),
    )

    assert from_file.current_kek_id() == from_variable.current_kek_id()


@pytest.mark.parametrize("text", ["", "# none", "c2hvcnQ=", "not base64!"])
def test_unusable_keys_are_told_by_their_place_and_never_shown(text: str) -> None:
    with pytest.raises(KeyProviderError, match="`KEKS`") as caught:
        EnvironmentKeyProvider("KEKS", {"KEKS": text})

    assert not text or text not in str(caught.value)


async def test_every_data_key_of_an_earlier_day_is_renewed_once(
    keys: MemoryDataKeys, envelope: Envelope
) -> None:
    before = [await envelope.seal(*PLACE, b"a"), await envelope.seal("acc-2", *PLACE[1:], b"b")]
    day = await keys.now()

    assert [await envelope.renew(day) for _ in range(2)] == [2, 0]

    after = [await envelope.seal(*PLACE, b"a"), await envelope.seal("acc-2", *PLACE[1:], b"b")]
    assert not {key_id_of(sealed) for sealed in before} & {key_id_of(sealed) for sealed in after}
    assert await envelope.open(*PLACE, before[0]) == b"a"


async def test_a_data_key_is_dropped_when_it_is_old_and_never_while_it_is_current(envelope: Envelope) -> None:
    old = key_id_of(await envelope.seal(*PLACE, b"x"))
    assert not await envelope.drop("acc-1", old)
    await envelope.rotate("acc-1", "oauth")
    sealed = await envelope.seal(*PLACE, b"y")

    assert await envelope.drop("acc-1", old)
    assert not await envelope.drop("acc-1", key_id_of(sealed))
    assert await envelope.open(*PLACE, sealed) == b"y"
