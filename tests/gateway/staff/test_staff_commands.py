"""`gapura staff` as an operator runs it, from the first account to a revoked token."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.commands.staff import app
from gateway.database import Database
from gateway.errors import BadInput, NotFound
from gateway.installation import open_keys
from gateway.settings import load_settings
from gateway.staff.opening import StaffDesk, open_staff_desk
from tests.gateway.staff.office import PASSWORD, QUICK, Clock, Office

Run = Callable[..., Result]


@pytest.fixture
def gapura(tmp_path: Path) -> Run:
    def run(*words: str, refused_as: type[Exception] | None = None) -> Result:
        result = CliRunner().invoke(app, words, env={"GAPURA_HOME": str(tmp_path)})
        if refused_as is None:
            assert result.exit_code == 0, result.output
        else:
            assert isinstance(result.exception, refused_as), result.output
        return result

    return run


def _desk(home: Path) -> StaffDesk:
    settings = load_settings({"GAPURA_HOME": str(home)})
    database = Database(settings.effective_database_url)
    clock = Clock(datetime.now(UTC))  # the commands ran by the real one
    return open_staff_desk(settings, database, open_keys(database, home / "keys"), clock, passwords=QUICK)


def test_the_first_account_is_made_enrolled_and_given_a_token_on_the_console(
    gapura: Run, tmp_path: Path
) -> None:
    assert "gapura staff add" in gapura("list").stdout
    added = gapura("add", "oni", "--name", "Oni", "--role", "operator", "--role", "author").stdout
    secret = added.splitlines()[-2]
    desk = _desk(tmp_path)
    desk.sign_in.enrol("oni", secret, PASSWORD)
    assert desk.sign_in.with_password("oni", PASSWORD).session.staff.roles == {"operator", "author"}

    made = gapura("token", "add", "oni", "--name", "export", "--role", "author", "--days", "30").stdout
    token = made.splitlines()[-1]
    token_id = made.split()[1]
    assert (found := desk.tokens.find(token)) is not None
    assert found.roles == {"author"}
    assert token not in gapura("token", "list", "oni").stdout
    gapura("token", "revoke", "oni", token_id, "--as", "oni", "--reason", "laptop lost")
    assert desk.tokens.find(token) is None
    assert "REVOKED" in gapura("token", "list", "oni").stdout


def test_roles_and_states_are_changed_at_once_and_listed_for_programmes(gapura: Run) -> None:
    gapura("add", "ani", "--name", "Ani", "--role", "author")
    gapura("roles", "ani", "--role", "approver", "--role", "auditor")
    gapura("disable", "ani", "--reason", "left")
    (listed,) = json.loads(gapura("list", "--format", "json").stdout)
    assert (listed["roles"], listed["state"]) == (["approver", "auditor"], "disabled")
    gapura("enable", "ani")
    gapura("unlock", "ani")
    (listed,) = json.loads(gapura("list", "--format", "json").stdout)
    assert listed["state"] == "active"


def test_a_mistake_is_told_in_words_and_changes_nothing(gapura: Run) -> None:
    refused = gapura("add", "ani", "--name", "Ani", "--role", "admin", refused_as=BadInput)
    assert "author, approver, auditor, operator" in str(refused.exception)
    refused = gapura("disable", "ani", refused_as=NotFound)
    assert "gapura staff list" in str(refused.exception)
    assert json.loads(gapura("list", "--format", "json").stdout) == []


def test_the_log_says_that_it_was_done_on_the_console_and_as_whom(office: Office) -> None:
    office.hire("oni", "operator", password=None)
    oni = office.desk.accounts.on_console("oni")
    office.desk.accounts.add(oni, id="ani", name="Ani", roles=frozenset({"author"}), reason="hired")
    assert [act["actor"] for act in office.acts("staff.added")] == ["installation@console", "oni@console"]
    assert office.desk.accounts.get("ani").roles == {"author"}
