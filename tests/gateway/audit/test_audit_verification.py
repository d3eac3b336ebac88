"""Whatever is done to a log, the first bad entry is named: in the database, in a dump, byte by byte."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from gateway.audit.proofs import CompactRange, Unproven, leaf_hash, open_checkpoint
from gateway.audit.publication import standalone_verifier
from gateway.audit.signing import log_key, signed_checkpoint
from gateway.audit.tables import audit_checkpoints, audit_entries, audit_leaves, audit_tiles
from gateway.audit.verification import dump, verify
from gateway.audit.verifier import Found, check_log
from gateway.database import Database
from tests.gateway.audit.logs import NOW, ORIGIN, RunningLog, outcome, suspension

KEY = log_key(ORIGIN, b"s" * 32)


@pytest.fixture
def log(database: Database) -> RunningLog:
    running = RunningLog(database)
    running.write(300, sign_every=50)
    return running


def found(log: RunningLog, **more: Any) -> str:
    finding = verify(log.database, log.key.verifier, **more).finding
    return "" if finding is None else f"{finding.index} {finding.kind}"


def test_an_untouched_log_is_sound_and_progress_reaches_its_end(log: RunningLog) -> None:
    log.add([suspension().seal(b"b" * 32)])
    seen: list[tuple[int, int]] = []
    report = verify(log.database, log.key.verifier, progress=lambda *done: seen.append(done))
    assert (report.finding, report.entries, report.checkpoints) == (None, 301, 7)
    assert seen[-1] == (301, 301)


def _statement(statement: Any) -> Callable[[Database], None]:
    def run(database: Database) -> None:
        with database.unit_of_work() as connection:
            connection.execute(statement)

    return run


def _swap(database: Database) -> None:
    with database.unit_of_work() as connection:
        rows = {
            row.sequence: row.entry
            for row in connection.execute(select(audit_entries).where(audit_entries.c.sequence.in_([40, 70])))
        }
        for sequence, other in ((40, 70), (70, 40)):
            connection.execute(
                update(audit_entries).where(audit_entries.c.sequence == sequence).values(entry=rows[other])
            )


def _swap_neighbours(database: Database) -> None:
    with database.unit_of_work() as connection:
        for new, old in ((-1, 40), (40, 41), (41, -1)):
            connection.execute(
                update(audit_leaves).where(audit_leaves.c.leaf_index == old).values(leaf_index=new)
            )


def _insert_between(database: Database) -> None:
    with database.unit_of_work() as connection:
        for index in range(299, 59, -1):
            connection.execute(
                update(audit_leaves).where(audit_leaves.c.leaf_index == index).values(leaf_index=index + 1)
            )
        sealed = outcome(9_999).seal(b"b" * 32)
        connection.execute(
            insert(audit_entries).values(
                sequence=9_999,
                exchange_id=sealed.entry.exchange_id,
                kind="outcome",
                at=NOW,
                consumer_id="x",
                entry=sealed.text.decode(),
                subjects=(sealed.subjects or b"").decode(),
                blind=sealed.blind,
            )
        )
        connection.execute(insert(audit_leaves).values(leaf_index=60, sequence=9_999, sha256=sealed.sha256))


def _unlogged(database: Database) -> None:
    _statement(
        insert(audit_entries).values(exchange_id=outcome(7).exchange_id, kind="other", at=NOW, entry="{}")
    )(database)


DAMAGES: dict[str, tuple[Callable[[Database], None], str]] = {
    "a text is changed": (
        _statement(
            update(audit_entries)
            .where(audit_entries.c.sequence == 18)
            .values(entry=text("replace(entry, 'answered', 'refused')"))
        ),
        "17 changed",
    ),
    "subjects are changed": (
        _statement(
            update(audit_entries).where(audit_entries.c.sequence == 18 + 1).values(subjects='[["0","x"]]')
        ),
        "18 changed",
    ),
    "a text is taken out": (
        _statement(update(audit_entries).where(audit_entries.c.sequence == 81).values(entry=None)),
        "80 dropped",
    ),
    "subjects are taken out": (
        _statement(
            update(audit_entries).where(audit_entries.c.sequence == 81).values(subjects=None, blind=None)
        ),
        "80 dropped",
    ),
    "a row is taken out": (
        _statement(delete(audit_entries).where(audit_entries.c.sequence == 81)),
        "80 dropped",
    ),
    "a leaf is taken out": (
        _statement(delete(audit_leaves).where(audit_leaves.c.leaf_index == 120)),
        "120 dropped",
    ),
    "two texts change places": (_swap, "39 reordered"),
    "two neighbours change places": (_swap_neighbours, "40 reordered"),
    "an entry is put between": (_insert_between, "60 inserted"),
    "an entry is put beside the tree": (_unlogged, "300 inserted"),
    "the end is cut off": (
        _statement(delete(audit_leaves).where(audit_leaves.c.leaf_index >= 222)),
        "222 truncated",
    ),
    "a recorded hash is changed": (
        _statement(update(audit_leaves).where(audit_leaves.c.leaf_index == 5).values(sha256=b"x" * 32)),
        "5 changed",
    ),
    "the tree's hashes are changed": (
        _statement(
            update(audit_tiles)
            .where(audit_tiles.c.level == 0, audit_tiles.c.tile_index == 0)
            .values(hashes=b"x" * 32 * 256)
        ),
        "0 changed",
    ),
    "a tile is taken out": (
        _statement(delete(audit_tiles).where(audit_tiles.c.level == 0, audit_tiles.c.tile_index == 1)),
        "256 changed",
    ),
    "an inner hash is changed": (
        _statement(update(audit_tiles).where(audit_tiles.c.level == 1).values(hashes=b"x" * 32)),
        "0 changed",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_first_bad_entry_of_a_damaged_database_is_named(log: RunningLog, damage: str) -> None:
    harm, expected = DAMAGES[damage]
    harm(log.database)
    assert found(log) == expected


def test_a_history_rewritten_with_its_hashes_is_a_fork_after_the_last_sound_checkpoint(
    log: RunningLog, tmp_path: Path
) -> None:
    """Entries, leaves and tiles are all replaced by another consistent history; the signatures are not."""
    other = RunningLog(_empty(tmp_path), log.key)
    other.write(120)
    other.write(180, first=1_000)
    with other.database.unit_of_work() as connection:
        connection.execute(delete(audit_checkpoints))
        connection.execute(insert(audit_checkpoints), [_checkpoint_row(note) for note in log.ledger.notes()])
    assert found(other) == "100 forked"
    other.database.close()


def test_a_log_rolled_back_as_a_whole_is_told_by_a_checkpoint_kept_elsewhere(log: RunningLog) -> None:
    kept = log.ledger.notes()[-1]
    with log.database.unit_of_work() as connection:
        connection.execute(delete(audit_checkpoints).where(audit_checkpoints.c.size > 250))
        connection.execute(delete(audit_leaves).where(audit_leaves.c.leaf_index >= 250))
        connection.execute(delete(audit_entries).where(audit_entries.c.sequence > 250))
        connection.execute(
            update(audit_tiles)
            .where(audit_tiles.c.level == 0, audit_tiles.c.tile_index == 1)
            .values(hashes=b"")
        )
        for row in connection.execute(select(audit_tiles).where(audit_tiles.c.level == 0)).all():
            if row.tile_index == 0:
                connection.execute(
                    update(audit_tiles)
                    .where(audit_tiles.c.level == 0, audit_tiles.c.tile_index == 0)
                    .values(hashes=bytes(row.hashes)[: 250 * 32])
                )
        connection.execute(delete(audit_tiles).where(audit_tiles.c.level == 1))
    assert found(log) == ""
    assert found(log, kept_notes=[kept]) == "250 truncated"


def test_a_checkpoint_of_another_key_is_no_evidence(log: RunningLog) -> None:
    forged = signed_checkpoint([log_key(ORIGIN, b"t" * 32)], 300, b"r" * 32, NOW)
    with pytest.raises(Unproven, match="not signed"):
        verify(log.database, log.key.verifier, kept_notes=[forged])


def test_only_the_entries_asked_for_are_read_but_every_root_is_recomputed(log: RunningLog) -> None:
    DAMAGES["a text is changed"][0](log.database)
    assert found(log, first=18) == ""
    assert found(log, last=16) == ""
    assert found(log, first=17, last=17) == "17 changed"
    DAMAGES["a recorded hash is changed"][0](log.database)
    assert found(log, first=200) == "5 changed"


def test_flipping_any_byte_of_a_thousand_entries_names_that_entry() -> None:
    """Each check begins at the entry before, and is what a walk from the beginning comes to there."""
    sealed = [outcome(number).seal(number.to_bytes(32, "big")) for number in range(1, 1001)]
    leaves = [leaf_hash(entry.sha256) for entry in sealed]
    compact, notes, before = CompactRange(), [], []
    for number, leaf in enumerate(leaves, start=1):
        before.append(compact.copy())
        compact.append(leaf)
        if number % 2 == 0:
            notes.append(open_checkpoint(signed_checkpoint([KEY], number, compact.root(), NOW), KEY.verifier))
    sound = [Found.of(entry.text, b"", entry.subjects, entry.blind) for entry in sealed]
    assert check_log(sound, leaves, notes).finding is None
    flips = 0
    for index, entry in enumerate(sealed):
        end = (index // 2 + 1) * 2
        for place in range(len(entry.text)):
            flipped = bytearray(entry.text)
            flipped[place] ^= 1 << (place % 8)
            bad = Found.of(bytes(flipped), b"", entry.subjects, entry.blind)
            report = check_log(
                [bad, *sound[index + 1 : end]],
                leaves[index:end],
                [notes[index // 2]],
                start=before[index],
            )
            assert report.finding is not None
            assert (report.finding.index, report.finding.kind) == (index, "changed")
            flips += 1
    assert flips > 300_000


def test_the_stand_alone_file_checks_a_dump_without_the_project(log: RunningLog, tmp_path: Path) -> None:
    lines = list(dump(log.database, log.key.verifier))
    assert _checked(tmp_path, lines) == (0, "300 entries agree with 6 signed checkpoints.")
    damaged = {
        "dropped": [*lines[:31], *lines[32:]],
        "reordered": [*lines[:31], lines[32], lines[31], *lines[33:]],
        "inserted": [*lines[:31], lines[200], *lines[31:]],
        "changed": [*lines[:31], lines[31].replace(b"eligibility", b"eligibilitx"), *lines[32:]],
    }
    for kind, harmed in damaged.items():
        status, words = _checked(tmp_path, harmed)
        assert (status, words.split(":")[1:3]) == (1, [" entry 29", f" {kind}"])
    assert "truncated" in _checked(tmp_path, lines[:-1])[1]
    assert "entry 29: changed" in _checked(tmp_path, [*lines[:31], b"{\n", *lines[32:]])[1]


def _checked(folder: Path, lines: list[bytes]) -> tuple[int, str]:
    (folder / "verify.py").write_text(standalone_verifier(), encoding="utf-8")
    (folder / "log.jsonl").write_bytes(b"".join(lines))
    ran = subprocess.run(
        [sys.executable, "-I", "verify.py", "log", "log.jsonl", "--key", str(KEY.verifier)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    return ran.returncode, ran.stdout.strip()


def _empty(folder: Path) -> Database:
    from gateway.migrations import migrate  # noqa: PLC0415 - only here is a second database needed

    database = Database(f"sqlite:///{folder / 'other.db'}")
    migrate(database)
    return database


def _checkpoint_row(note: str) -> dict[str, object]:
    checkpoint = open_checkpoint(note, KEY.verifier)
    return {"size": checkpoint.size, "at": NOW, "root": checkpoint.root, "note": note}


def test_the_stand_alone_file_imports_nothing_of_the_project() -> None:
    assert not [
        line
        for line in standalone_verifier().splitlines()
        if line.startswith(("import gateway", "from gateway"))
    ]
    assert json.dumps(standalone_verifier()).count("__main__") == 1
