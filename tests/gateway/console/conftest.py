"""An office with the console before it: a served gateway, the demo's staff, and a browser for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.demo import staff
from tests.gateway.console.browsing import Browser
from tests.living import LivingGateway, living_gateway


@dataclass
class Office:
    """The gateway and the passwords of its staff: perancang writes, penyetuju approves, operator operates."""

    gateway: LivingGateway
    passwords: dict[str, str]
    _kept: ExitStack
    _browsers: dict[tuple[str, str], Browser] = field(default_factory=dict)

    def browser(self, staff_id: str, language: str = "en") -> Browser:
        """The browser in which somebody has signed in; the same one for whoever asks again."""
        browser = self._browsers.get((staff_id, language))
        if browser is None:
            browser = self.stranger("en")
            assert browser.sign_in(staff_id, self.passwords[staff_id]).status == 200
            browser.cookies.set("gapura-language", language)
            self._browsers[staff_id, language] = browser
        return browser

    def stranger(self, language: str = "en") -> Browser:
        """A browser in which nobody has signed in."""
        return self._kept.enter_context(Browser(self.gateway.url, language=language))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """On the embedded database: what depends on the database is tested where the admin API is."""
    home: Path = tmp_path_factory.mktemp("office")
    with ExitStack() as kept:
        gateway = kept.enter_context(living_gateway(home, f"sqlite:///{home / 'gapura.db'}"))
        passwords = {one.id: password for one, password in staff.sign_ins(gateway.settings)}
        yield Office(gateway, passwords, kept)
