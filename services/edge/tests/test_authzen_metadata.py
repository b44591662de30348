"""AuthZEN's metadata (facts: policy §5.5), and the file of those who may ask with a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.edge.http.authzen_callers import read_enforcement_points
from services.edge.main import main
from services.edge.settings import EdgeSettings
from services.edge.tests.house import PUBLIC_URL
from services.edge.tests.naive_policy import House

WELL_KNOWN = "/.well-known/authzen-configuration"
HASH = "ab" * 32


@pytest.mark.parametrize("account", ["", "/accounts/acc-1"])
async def test_the_document(house: House, account: str) -> None:
    answer = await house.http.get(
        f"{WELL_KNOWN}/setlist{account}",
        headers={"host": "evil.example", "x-forwarded-host": "evil.example", "x-request-id": "r1"},
    )
    identifier = PUBLIC_URL + account

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["x-request-id"] == "r1"
    assert answer.json() == {
        "policy_decision_point": identifier,
        "access_evaluation_endpoint": f"{identifier}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{identifier}/access/v1/evaluations",
        "search_subject_endpoint": f"{identifier}/access/v1/search/subject",
        "search_resource_endpoint": f"{identifier}/access/v1/search/resource",
        "search_action_endpoint": f"{identifier}/access/v1/search/action",
    }


@pytest.mark.parametrize("path", ["", "/", "/other", "/setlistx", "/setlist/accounts/UPPER", "/setlist/x"])
async def test_no_other_identifier_is_ours(house: House, path: str) -> None:
    assert (await house.http.get(WELL_KNOWN + path)).status_code == 404


async def test_it_is_read_only(house: House) -> None:
    answer = await house.http.post(f"{WELL_KNOWN}/setlist")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("url", ["pdp.example.com", "ftp://x", "https://x?a=1", "https://x#y", "https://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        EdgeSettings(public_url=url)
    assert EdgeSettings(public_url="https://x/").public_url == "https://x"


def entry(**changes: object) -> dict[str, object]:
    return {"name": "billing", "account": "acc-1", "key_sha256": HASH} | changes


def test_enforcement_points_are_read(tmp_path: Path) -> None:
    path = tmp_path / "points.json"
    path.write_text(json.dumps([entry(), entry(key_sha256="cd" * 32, trusted=True)]))
    first, second = read_enforcement_points(path)

    assert (first.name, first.account, first.trusted) == ("billing", "acc-1", False)
    assert (second.key_hash.hex(), second.trusted) == ("cd" * 32, True)
    assert read_enforcement_points(None) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ('[{"account": "acc-1", "account": "acc-2"}]', "a member name stands twice"),
        ("{}", "no JSON array"),
        ("[1]", "entry 0"),
        (json.dumps([entry(), entry(key="x")]), "entry 1"),
        (json.dumps([entry(account="Acc 1")]), "account must match"),
        (json.dumps([entry(key_sha256="AB" * 32)]), "key_sha256 must match"),
        (json.dumps([entry(trusted="yes")]), "trusted must be"),
        (json.dumps([entry(), entry(name="other")]), "the same key"),
    ],
)
def test_a_bad_file_stops_the_start(
    tmp_path: Path,
    text: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "points.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_enforcement_points(path)
    assert HASH not in str(caught.value)
    monkeypatch.setenv("EDGE_ENFORCEMENT_POINTS_FILE", str(path))
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
