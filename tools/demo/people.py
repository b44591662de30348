"""People as Zendesk shows them the app: a browser's steps over HTTP, and calls through Zendesk's proxy."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx2

from libs.kernel.clock import Clock
from tools.demo.failures import DemoError, asking

REOPEN = timedelta(minutes=30)
"""A session ends after an hour without use: a person who comes back later loads the app again."""
MAXIMUM_STEPS = 8


@dataclass(slots=True)
class Page:
    """What a browser needs of an HTML page: one form, and JSON inside script elements."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._script = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.page.action = values.get("action", "")
        elif tag == "input" and values.get("name"):
            self.page.fields[values["name"]] = values.get("value", "")
        elif tag == "script":
            self._script = values.get("id", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = ""

    def handle_data(self, data: str) -> None:
        if self._script:
            self.page.scripts[self._script] = self.page.scripts.get(self._script, "") + data


def read_page(html: str) -> Page:
    """Return form and embedded JSON of a page."""
    reader = _Reader()
    reader.feed(html)
    return reader.page


@dataclass(slots=True)
class Helpdesk:
    """The account in Zendesk in which the app is installed.

    Attributes:
        zendesk: base URL of the account.
        installation: id of the app's installation.
    """

    zendesk: str
    edge: str
    installation: int
    clock: Clock
    _people: dict[int, Person] = field(default_factory=dict)

    def person(self, user: int) -> Person:
        """Return the person with his own browser."""
        return self._people.setdefault(user, Person(self, user))

    async def close(self) -> None:
        """Close every browser."""
        for person in self._people.values():
            await person.close()


class Person:
    """One signed-in user with a browser: cookies, and a session of the app that he opens when he needs it."""

    def __init__(self, desk: Helpdesk, user: int) -> None:
        self._desk = desk
        self.user = user
        self._http = httpx2.AsyncClient(trust_env=False, timeout=60.0, follow_redirects=False)
        self._session: dict[str, Any] | None = None
        self._used = datetime.min.replace(tzinfo=UTC)

    async def close(self) -> None:
        """Close the browser."""
        await self._http.aclose()

    async def open_app(self) -> dict[str, Any]:
        """Load the app's page by its signed URL and return the session in it.

        Raises:
            DemoError: the page does not open.
        """
        desk = self._desk
        with asking("the simulator"):
            frame = await self._http.get(
                f"{desk.zendesk}/agent/apps/{desk.installation}", params={"user_id": self.user}
            )
        form = read_page(frame.text)
        if frame.status_code != 200 or not form.action:
            raise DemoError(f"Zendesk answered {frame.status_code} to user {self.user} who opens the app")
        with asking("the edge"):
            opened = await self._http.post(form.action, data=form.fields)
        text = read_page(opened.text).scripts.get("session")
        if opened.status_code != 200 or text is None:
            raise DemoError(f"the app's page answered {opened.status_code} to user {self.user}")
        session: dict[str, Any] = json.loads(text)
        self._session, self._used = session, self._desk.clock.now()
        return session

    async def session(self) -> dict[str, Any]:
        """Return a session that lives: `{token, account, user_id}`."""
        idle = self._desk.clock.now() - self._used
        if self._session is None or idle > REOPEN:
            return await self.open_app()
        self._used += idle
        return self._session

    async def authorize(self) -> str:
        """Press Authorize and Allow, and follow the popup to its end; return what the page says.

        Raises:
            DemoError: the authorisation fails.
        """
        session = await self.open_app()
        with asking("the edge"):
            begun = await self._http.post(
                f"{self._desk.edge}/v1/authorization", headers={"x-setlist-session": session["token"]}
            )
        if begun.status_code != 200:
            raise DemoError(f"the edge answered {begun.status_code} to Authorize: {begun.text[:200]}")
        answer = await self._follow(begun.json()["start_url"])
        consent = read_page(answer.text)
        if answer.status_code != 200:
            raise DemoError(f"the consent page answered {answer.status_code}")
        url = urljoin(str(answer.url), consent.action)
        with asking("the simulator"):
            allowed = await self._http.post(url, data={**consent.fields, "decision": "allow"})
        if "location" not in allowed.headers:
            raise DemoError(f"the consent page answered {allowed.status_code} to Allow")
        ended = await self._follow(allowed.headers.get("location", ""))
        outcome = read_page(ended.text).scripts.get("outcome")
        if outcome is None or not json.loads(outcome)["ok"]:
            raise DemoError(f"the authorisation ended with {ended.status_code}: {outcome}")
        return str(json.loads(outcome)["text"])

    async def _follow(self, url: str) -> httpx2.Response:
        for _ in range(MAXIMUM_STEPS):
            with asking("the edge"):
                answer = await self._http.get(url)
            if answer.status_code not in (302, 303):
                return answer
            url = urljoin(url, answer.headers["location"])
        raise DemoError("the authorisation is redirected in circles")

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Call the edge as the app does: through Zendesk's proxy, which fills in the installation token.

        Args:
            method: HTTP method.
            path: of the edge's API.
            body: JSON body.

        Returns:
            status and JSON body.
        """
        session = await self.session()
        spec: dict[str, Any] = {
            "url": f"{self._desk.edge}{path}",
            "type": method,
            "headers": {
                "authorization": "Bearer {{setting.token}}",
                "x-setlist-session": session["token"],
                "content-type": "application/json",
            },
        }
        if body is not None:
            spec["data"] = json.dumps(body)
        with asking("the edge"):
            answer = await self._http.post(
                f"{self._desk.zendesk}/proxy/apps/{self._desk.installation}", json=spec
            )
        try:
            parsed = answer.json()
        except ValueError:
            raise DemoError(f"`{method} {path}` answered {answer.status_code} without JSON") from None
        return answer.status_code, parsed if isinstance(parsed, dict) else {"rows": parsed}

    async def require(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Call, and demand success.

        Raises:
            DemoError: the edge refused.
        """
        status, answer = await self.call(method, path, body)
        if status >= 400:
            raise DemoError(f"`{method} {path}` answered {status}: {answer.get('detail', answer)}")
        return answer
