from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from typer.testing import CliRunner, Result

from gateway.commands.keys import app
from gateway.errors import Conflict, FileUnusable, NotFound, SettingsInvalid
from gateway.keys import JWKS_MAX_AGE_S, Keys
from gateway.settings import load_settings

NOW = datetime(2026, 8, 17, 3, 0, tzinfo=UTC)
LONGEST_TOKEN_LIFE = timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "keys"


def _kids(keys: Keys, now: datetime) -> list[object]:
    return [key["kid"] for key in keys.jwks(now)["keys"]]


# files


def test_the_first_opening_makes_private_files_and_the_second_reads_them(folder: Path) -> None:
    first, second = Keys.open(folder), Keys.open(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 2
    assert first.master == second.master
    assert len(first.master) == 32
    assert _kids(first, NOW) == _kids(second, NOW)


def test_two_gateways_have_nothing_in_common(folder: Path, tmp_path: Path) -> None:
    one, other = Keys.open(folder), Keys.open(tmp_path / "other")
    assert one.master != other.master
    assert _kids(one, NOW) != _kids(other, NOW)


def test_processes_that_open_an_empty_folder_together_end_with_the_same_keys(folder: Path) -> None:
    program = (
        "import sys\n"
        "from datetime import datetime, UTC\n"
        "from pathlib import Path\n"
        "from gateway.keys import Keys\n"
        "keys = Keys.open(Path(sys.argv[1]))\n"
        "print(keys.master.hex()[:8], keys.signing_key(datetime.now(UTC)).kid)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    said = {process.communicate()[0] for process in processes}
    assert len(said) == 1
    assert len(list(folder.iterdir())) == 2


def test_a_crash_while_writing_leaves_nothing_that_is_read(folder: Path) -> None:
    keys = Keys.open(folder)
    (folder / ".master.key.0badcafe").write_text("half a k")
    (folder / ".signing-x.json.0badcafe").write_text("{")
    assert Keys.open(folder).master == keys.master


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_keys_that_others_can_read_are_refused(folder: Path, mode: int) -> None:
    Keys.open(folder)
    for file in folder.iterdir():
        file.chmod(mode)
        with pytest.raises(FileUnusable, match=f"mode {mode:04o}.*chmod 0600"):
            Keys.open(folder)
        file.chmod(0o600)
    folder.chmod(0o750)
    with pytest.raises(FileUnusable, match="chmod 0700"):
        Keys.open(folder)
    folder.chmod(0o700)
    Keys.open(folder)


@pytest.mark.parametrize("content", [b"", b"ab" * 31, b"zz" * 32, b"AB" * 32, b"\xff" * 64, b"ab" * 33])
def test_a_malformed_master_key_is_refused_and_not_repeated(folder: Path, content: bytes) -> None:
    Keys.open(folder)
    (folder / "master.key").write_bytes(content)
    with pytest.raises(FileUnusable, match=r"master\.key") as told:
        Keys.open(folder)
    assert content.decode("latin-1") not in str(told.value) or not content


def _signing_file(folder: Path) -> Path:
    (file,) = folder.glob("signing-*.json")
    return file


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "[]",
        lambda _: "{}",
        lambda content: json.dumps({**content, "signs_from": "soon"}),
        lambda content: json.dumps({**content, "signs_from": 10**20}),
        lambda content: json.dumps({**content, "jwk": None}),
        lambda content: json.dumps({**content, "jwk": {n: v for n, v in content["jwk"].items() if n != "d"}}),
        lambda content: json.dumps({**content, "jwk": {**content["jwk"], "x": content["jwk"]["y"]}}),
        lambda content: json.dumps({**content, "jwk": {**content["jwk"], "d": "AAAA"}}),
    ],
)
def test_a_malformed_signing_key_is_refused(folder: Path, change: Callable[[dict], str]) -> None:
    Keys.open(folder)
    file = _signing_file(folder)
    content = json.loads(file.read_text())
    file.write_text(change(content))
    with pytest.raises(FileUnusable, match="is no signing key") as told:
        Keys.open(folder)
    assert content["jwk"]["d"] not in str(told.value)


def test_a_signing_key_under_another_keys_name_is_refused(folder: Path, tmp_path: Path) -> None:
    Keys.open(folder)
    Keys.open(tmp_path / "other")
    _signing_file(folder).write_bytes(_signing_file(tmp_path / "other").read_bytes())
    with pytest.raises(FileUnusable):
        Keys.open(folder)


def test_a_lost_master_key_is_never_replaced_by_a_new_one(folder: Path) -> None:
    Keys.open(folder)
    (folder / "master.key").unlink()
    with pytest.raises(FileUnusable, match="every pseudonym"):
        Keys.open(folder)
    assert not (folder / "master.key").exists()


def test_keys_are_not_shown_by_accident(folder: Path) -> None:
    keys = Keys.open(folder)
    shown = f"{keys!r} {keys} {keys.signing_key(NOW)!r} {keys.statuses(NOW)!r}"
    private = json.loads(_signing_file(folder).read_text())["jwk"]["d"]
    for secret in (keys.master.hex(), repr(keys.master), private):
        assert secret not in shown
    assert "d" not in keys.jwks(NOW)["keys"][0]


# derivation


def test_every_purpose_has_a_key_of_its_own_by_hkdf(folder: Path) -> None:
    keys = Keys.open(folder)
    expected = HKDF(hashes.SHA256(), 32, None, b"gapura audit v1").derive(keys.master)
    assert keys.audit_key == keys.derive("audit") == expected
    assert len({keys.master, keys.audit_key, keys.nonce_key, keys.derive("other")}) == 4


# the life of a signing key


def test_a_new_key_is_published_before_it_signs(folder: Path) -> None:
    keys = Keys.open(folder)
    old = keys.signing_key(NOW)
    new = keys.rotate(NOW)
    just_before = NOW + timedelta(seconds=JWKS_MAX_AGE_S - 1)
    for now in (NOW, just_before):
        assert _kids(keys, now) == [old.kid, new.kid]
        assert keys.signing_key(now).kid == old.kid
    assert keys.signing_key(NOW + timedelta(seconds=JWKS_MAX_AGE_S)).kid == new.kid
    assert [status.state for status in keys.statuses(NOW)] == ["signing", "next"]


def test_an_old_key_verifies_until_the_last_token_it_can_have_signed_has_expired(folder: Path) -> None:
    keys = Keys.open(folder)
    old = keys.signing_key(NOW)
    takes_over = keys.rotate(NOW).signs_from
    last_expiry = takes_over + LONGEST_TOKEN_LIFE
    assert keys.verification_key(old.kid, last_expiry) is not None
    assert [status.state for status in keys.statuses(last_expiry)] == ["verifying", "signing"]
    long_after = last_expiry + timedelta(minutes=2)
    assert keys.verification_key(old.kid, long_after) is None
    assert old.kid not in _kids(keys, long_after)
    assert [status.state for status in keys.statuses(long_after)] == ["expired", "signing"]


def test_no_token_can_outlive_the_key_that_verifies_it() -> None:
    longest = int(LONGEST_TOKEN_LIFE.total_seconds())
    assert load_settings({}, token_lifetime_s=longest).token_lifetime_s == longest
    with pytest.raises(SettingsInvalid, match="TOKEN_LIFETIME_S"):
        load_settings({}, token_lifetime_s=longest + 1)


def test_in_an_emergency_a_new_key_signs_at_once(folder: Path) -> None:
    keys = Keys.open(folder)
    old = keys.signing_key(NOW)
    new = keys.rotate(NOW, delay_s=0)
    assert keys.signing_key(NOW).kid == new.kid
    keys.retire(old.kid, NOW)
    assert keys.verification_key(old.kid, NOW) is None
    assert _kids(keys, NOW) == [new.kid]


def test_rotating_deletes_what_has_expired_and_nothing_else(folder: Path) -> None:
    keys = Keys.open(folder)
    day = timedelta(days=1)
    made = [keys.signing_key(NOW).kid, *(keys.rotate(NOW + number * day).kid for number in range(4))]
    assert [status.kid for status in keys.statuses(NOW + 3 * day)] == made[-2:]
    assert len(list(folder.glob("signing-*.json"))) == 2


def test_the_key_that_signs_cannot_be_retired(folder: Path) -> None:
    keys = Keys.open(folder)
    with pytest.raises(Conflict, match="rotate --now"):
        keys.retire(keys.signing_key(NOW).kid, NOW)
    with pytest.raises(NotFound):
        keys.retire("unknown", NOW)
    upcoming = keys.rotate(NOW)
    keys.retire(upcoming.kid, NOW)
    assert len(keys.statuses(NOW)) == 1


def test_an_open_folder_shows_every_change_of_another_process_at_once(folder: Path) -> None:
    ours, theirs = Keys.open(folder), Keys.open(folder)
    for number in range(20):
        now = NOW + timedelta(seconds=number)
        new = theirs.rotate(now, delay_s=0)
        assert ours.signing_key(now).kid == new.kid
        assert ours.verification_key(new.kid, now) is not None
        for old in ours.statuses(now)[:-1]:
            theirs.retire(old.kid, now)
        assert _kids(ours, now) == [new.kid]


def test_a_change_is_seen_even_if_the_folder_was_read_in_the_same_tick(folder: Path) -> None:
    ours, theirs = Keys.open(folder), Keys.open(folder)
    stamp = folder.stat().st_mtime_ns
    new = theirs.rotate(NOW, delay_s=0)
    os.utime(folder, ns=(stamp, stamp))
    assert ours.signing_key(NOW).kid == new.kid


def test_a_settled_folder_is_not_read_again(folder: Path) -> None:
    keys = Keys.open(folder)
    os.utime(folder, ns=(1, 1))
    assert keys.signing_key(NOW) is keys.signing_key(NOW)


def test_a_folder_that_lost_its_signing_keys_is_told(folder: Path) -> None:
    keys = Keys.open(folder)
    _signing_file(folder).unlink()
    with pytest.raises(FileUnusable, match="no signing key"):
        keys.signing_key(NOW)


# the command


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("GAPURA_HOME", str(folder.parent))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_an_operator_rotates_and_retires_by_command(command: Callable[..., Result], folder: Path) -> None:
    first = command("list").output.split()[0]
    assert "signing" in command("list").output
    assert command("rotate").exit_code == 0
    assert "next" in command("list").output
    assert isinstance(command("retire", first).exception, Conflict)
    assert command("rotate", "--now").exit_code == 0
    assert "verifying" in command("list").output
    assert command("retire", first).exit_code == 0
    assert first not in command("list").output
    private = [json.loads(file.read_text())["jwk"]["d"] for file in folder.glob("signing-*.json")]
    assert not [secret for secret in private if secret in command("list").output]
