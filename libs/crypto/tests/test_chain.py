"""The hash chain, commitments and signed documents."""

import hashlib
import json

import pytest

from libs.crypto.chain import GENESIS, BrokenChainError, canonical, chain_hash, commit, verify_chain
from libs.crypto.documents import DocumentSigner, document_verifies

EVENTS = [{"seq": 0, "action": "created"}, {"seq": 1, "action": "approved"}, {"seq": 2, "action": "done"}]


def linked(events: list[dict[str, object]]) -> list[tuple[dict[str, object], bytes]]:
    links, head = [], GENESIS
    for event in events:
        head = chain_hash(head, event)
        links.append((event, head))
    return links


def test_the_rfc_8785_example() -> None:
    value = json.loads(
        '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}'
    )

    assert (
        canonical(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_members_are_sorted_by_utf_16_units() -> None:
    members = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}

    assert [*json.loads(canonical(members)).values()] == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize("value", [2**53, float("nan"), float("inf"), b"x", "\ud800", object()])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not canonical JSON"):
        chain_hash(GENESIS, {"x": value})


def test_a_link_is_the_hash_of_the_one_before_and_the_event() -> None:
    first = hashlib.sha256(bytes(32) + b'{"action":"created","seq":0}').digest()

    assert chain_hash(GENESIS, EVENTS[0]) == first
    assert chain_hash(first, EVENTS[1]) == hashlib.sha256(first + b'{"action":"approved","seq":1}').digest()


def test_a_whole_chain_verifies_and_so_does_its_rest() -> None:
    links = linked(EVENTS)

    assert verify_chain(links) == links[-1][1]
    assert verify_chain(links[1:], links[0][1]) == links[-1][1]
    assert verify_chain([]) == GENESIS


def test_a_changed_removed_or_moved_event_is_found() -> None:
    links = linked(EVENTS)
    changed = [links[0], ({**links[1][0], "action": "denied"}, links[1][1]), links[2]]

    for broken, position in ((changed, 1), ([links[0], links[2]], 1), ([links[1], links[0], links[2]], 0)):
        with pytest.raises(BrokenChainError) as caught:
            verify_chain(broken)
        assert caught.value.position == position


def test_a_commitment_needs_its_salt() -> None:
    commitment, salt = commit("user 7")

    assert commit("user 7", salt) == (commitment, salt)
    assert commit("user 7")[0] != commitment
    assert commit("user 8", salt)[0] != commitment


def test_a_document_verifies_with_the_public_key_and_not_when_changed() -> None:
    signer = DocumentSigner.generate("cert-1")
    document = {"request": "r-1", "erased": ["auth", "policy"]}
    signature = DocumentSigner.from_pem("cert-1", signer.private_pem()).sign(document)

    assert document_verifies(json.loads(json.dumps(document, indent=2)), signature, signer.public_pem())
    assert not document_verifies({**document, "erased": []}, signature, signer.public_pem())
    assert not document_verifies(document, signature, DocumentSigner.generate("other").public_pem())
