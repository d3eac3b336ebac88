"""Debian's Chromium, driven by Playwright: what a page complains about, or axe finds on it, is a failure.

It sees the gateway and nothing else: a request to another host is refused and noted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, sync_playwright

from tests.gateway.console.conftest import Office

AXE = Path(__file__).parents[2] / "clients" / "node_modules" / "axe-core" / "axe.min.js"
_CHROMIUM = shutil.which("chromium")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Chromium's own housekeeping would ask hosts of its maker's.
_ARGUMENTS = [
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
    "--disable-quic",
]
_EXPECTED = (
    # A refusal that a story provokes is told on the browser's console too.
    "Failed to load resource: the server responded with a status of 4",
    # Drawing without a graphics card is slow, it says.
    "GPU stall due to ReadPixels",
)
needs_chromium = pytest.mark.skipif(
    _CHROMIUM is None or not AXE.exists(),
    reason="needs Debian's chromium and npm's axe-core (deploy/test.sh)",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; one for a module of tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


class Desk:
    """Somebody of the staff before a browser, signed in. `complaints` has whatever a page complained of."""

    def __init__(self, browser: Browser, office: Office, **options: Any) -> None:
        self.origin = office.gateway.url
        self.complaints: list[str] = []
        self.asked_elsewhere: list[str] = []
        self._office = office
        language = options.pop("language", "id")
        options.setdefault("viewport", {"width": 1280, "height": 900})
        self.context: BrowserContext = browser.new_context(base_url=self.origin, **options)
        self.context.add_cookies([{"name": "gapura-language", "value": language, "url": self.origin}])
        self.context.route("**/*", self._own_host_only)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def sign_in(self, staff_id: str) -> Desk:
        """Sign in by the form, as a person does."""
        self.page.goto("/console/sign-in")
        self.page.locator("#id").fill(staff_id)
        self.page.locator("#password").fill(self._office.passwords[staff_id])
        self.page.locator("main button.primary").click()
        self.page.wait_for_url("**/console")
        return self

    def open(self, path: str) -> Page:
        """A page, by its address; drawn, if it has a chart or a map."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status < 500, path
        for mark in ("chart", "map"):
            if self.page.locator(f"[data-{mark}]").count():
                ready = "[data-drawn]" if mark == "chart" else "[data-map-ready]"
                self.page.locator(ready).first.wait_for(timeout=20_000)
        return self.page

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Have the admin API do something as whoever has signed in; gives the document that it answers."""
        session = self.context.request.get("/admin/v1/session").json()
        headers = {"x-csrf-token": session["csrf_token"], "sec-fetch-site": "same-origin"}
        answer = self.context.request.post(path, data=dict(body), headers=headers)
        assert answer.ok, answer.text()
        return answer.json()

    def barriers(self) -> list[str]:
        """What axe finds on the page as it stands, in a line each."""
        self.page.wait_for_load_state()  # a page without its style sheet yet has other faults
        # By the driver, past the page's policy: the page itself may run nothing that is not its own.
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", _RULES
        )
        path = urlsplit(self.page.url).path
        return [
            f"{path}: {one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:3]}"
            for one in found["violations"]
        ]

    def close(self) -> None:
        """End the visit; whatever a page complained about fails the story."""
        self.context.close()
        assert self.complaints == []
        assert self.asked_elsewhere == []

    def picture(self, name: str) -> None:
        """Keep a picture of the page, where TEST_PICTURES names a folder; for people to look at."""
        if folder := os.environ.get("TEST_PICTURES"):
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)

    def _own_host_only(self, route: Route) -> None:
        if route.request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            route.continue_()
            return
        self.asked_elsewhere.append(route.request.url)
        route.abort()

    def _heard(self, message: ConsoleMessage) -> None:
        serious = message.type in {"error", "warning"}
        if serious and not any(foreseen in message.text for foreseen in _EXPECTED):
            self.complaints.append(f"{self.page.url}: {message.text}")
