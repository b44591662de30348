"""Which addresses strangers cannot reach; in doubt they can."""

import pytest

from libs.settings.addresses import is_loopback


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.0.1:80", "127.8.8.8:0", "::1", "[::1]:7002", "localhost:1", "unix:/run/x"]
)
def test_only_this_machine(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        ":80",
        "0.0.0.0",
        "0.0.0.0:80",
        "::",
        "[::]:80",
        "10.0.0.1:80",
        "example.com:80",
        "localhost.evil.com:80",
    ],
)
def test_strangers_too(address: str) -> None:
    assert not is_loopback(address)
