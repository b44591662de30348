"""The app's pages in a real browser: a second account is connected by clicking, as its administrator would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Route, expect, sync_playwright

pytestmark = pytest.mark.e2e
ADMIN, AGENT = 501, 502
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("the pages are clicked through where `chromium` is on PATH; .ci/run installs it")
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def second_account(summary: dict[str, Any]) -> str:
    """Another account of the same simulator that installed the same app; the address of the app in it."""
    found = summary["connection"]
    spec = {
        "subdomain": "beta",
        "job_seconds": 0,
        "oauth_clients": ["setlist"],
        "groups": [{"id": 60, "name": "Support"}],
        "users": [
            {"id": ADMIN, "role": "admin", "name": "Ada", "groups": [60]},
            {"id": AGENT, "role": "agent", "name": "Bo", "groups": [60]},
        ],
        "apps": [
            {
                "id": 77,
                "url": f"{found['edge']}/zendesk/app",
                "domain_whitelist": ["127.0.0.1"],
                "parameters": [{"name": "token", "secure": True, "scopes": ["header"]}],
            }
        ],
    }
    answer = httpx2.post(f"{found['simulator']}/_control/accounts", json=spec, trust_env=False)
    installation = answer.json()["apps"][0]["installation_id"]
    return f"{found['simulator']}/_accounts/beta/agent/apps/{installation}"


def test_a_click_before_the_script_runs_is_not_possible(browser: Browser, second_account: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    held: list[Route] = []
    page.route("**/static/home.js", lambda route: held.append(route))
    page.goto(f"{second_account}?user_id={ADMIN}", wait_until="commit")
    expect(page.locator("h1")).to_have_text("Allow Setlist to work for beta")
    expect(page.locator("#authorize")).to_be_disabled()

    held[0].continue_()
    expect(page.locator("#authorize")).to_be_enabled()
    context.close()


def test_an_admin_connects_the_account_by_clicking(browser: Browser, second_account: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{second_account}?user_id={ADMIN}")
    expect(page.locator("h1")).to_have_text("Allow Setlist to work for beta")

    with page.expect_popup() as opened:
        page.click("#authorize")
    popup = opened.value
    popup.get_by_role("button", name="Deny").click()
    expect(page.locator("#message")).to_contain_text("not granted")
    popup.close()

    with page.expect_popup() as opened:
        page.click("#authorize")
    popup = opened.value
    popup.get_by_role("button", name="Allow").click()
    expect(page.locator("h1")).to_have_text("Setlist is connected", timeout=30_000)
    expect(page.locator("#state")).to_have_attribute("data-authorized", "true")

    page.goto(f"{second_account}?user_id={AGENT}")
    expect(page.locator("h1")).to_have_text("Setlist is connected to beta")
    context.close()
