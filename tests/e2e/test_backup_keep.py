"""airisd --backup FOLDER --keep N: which copies go, which never do, and that nothing goes when the
new one is not good. The database is that of a daemon that runs."""
import fcntl
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from harness.daemon import Alone
from harness.process import BUILD
from test_fm_full_disk import SmallDisk

NAME = re.compile(r"airis-\d{8}T\d{6}Z\.db")
LOCK, UNVERIFIED = ".airis-backup.lock", "airis-unverified.db"


@pytest.fixture(scope="module", name="daemon")
def fixture_daemon(tmp_path_factory):
    made = Alone(str(tmp_path_factory.mktemp("alone"))).start()
    yield made
    assert made.stop()[0] == 0


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    made = tmp_path / "copies"
    made.mkdir()
    return made


def airisd(*args):
    return subprocess.run([os.path.join(BUILD, "airisd"), *map(str, args)], capture_output=True,
                          text=True, timeout=60, check=False)


def keep(daemon, folder, count, status=0):
    """What it says, on either stream."""
    done = airisd("--config", daemon.config, "--backup", folder, "--keep", count)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def copy_of(daemon, to):
    done = airisd("--config", daemon.config, "--backup", to)
    assert done.returncode == 0, done.stderr
    return to


def older(daemon, folder, *days):
    """Copies that were made on these days of January 2001."""
    return [copy_of(daemon, folder / f"airis-200101{day:02}T010203Z.db") for day in days]


def copies(folder):
    return sorted(name for name in os.listdir(folder) if NAME.fullmatch(name))


def verified(path):
    return airisd("--verify-db", path).returncode == 0


def test_the_newest_stay(daemon, folder):
    old = older(daemon, folder, 1, 2, 3, 4, 5)
    said = keep(daemon, folder, 3)
    left = copies(folder)
    assert left[:2] == [old[3].name, old[4].name] and len(left) == 3
    assert sorted(os.listdir(folder)) == sorted([LOCK, *left])
    for path in old[:3]:
        assert f"{path}: removed\n" in said
    assert said.count("removed") == 3 and f"{folder}/{left[2]}: a copy of {daemon.database}" in said
    assert verified(folder / left[2])
    assert (folder / left[2]).stat().st_mode & 0o777 == 0o600
    assert daemon.process.alive()
    # Fewer than may stay: all stay. In the same second the later one takes the name.
    keep(daemon, folder, 10)
    assert set(left) <= set(copies(folder))
    keep(daemon, folder, 1)
    assert len(copies(folder)) == 1 and copies(folder)[0] >= left[2]


def test_what_never_goes(daemon, folder, tmp_path):
    mine = older(daemon, folder, 1)[0]
    second = tmp_path / "second"
    second.mkdir()
    other = Alone(str(second)).start()
    assert other.stop()[0] == 0
    stays = {"airis-20010102T000000Z.db": "it is of another database",
             "airis-20010103T000000Z.db": "is not a database of airisd",
             "airis-20010104T000000Z.db": "it is not a file",
             "airis-20010105T000000Z.db": "it is not a file",
             "airis-20010106T000000Z.db": "it is a database in use",
             "airis-20010107T000000Z.db": "it is not a file with something in it",
             "airis-29990101T000000Z.db": "its name says a later time than now"}
    names = [folder / name for name in stays]
    copy_of(other, names[0])
    names[1].write_text("dear ann, " * 50)
    copy_of(daemon, tmp_path / "elsewhere.db")
    names[2].symlink_to(tmp_path / "elsewhere.db")
    names[3].mkdir()
    copy_of(daemon, names[4])
    (folder / (names[4].name + "-wal")).write_bytes(b"log")
    names[5].touch()
    copy_of(daemon, names[6])
    for name in ("monday.db", "airis-20010101.db", "airis-20010101T010203Z.db.bak",
                 "Airis-20010101T010203Z.db", "airis-2001o101T010203Z.db", "airis.db"):
        copy_of(daemon, folder / name)
    before = {p: p.is_dir() or p.read_bytes() for p in folder.iterdir() if p != mine}
    said = keep(daemon, folder, 1)
    for name, why in stays.items():
        line = next(line for line in said.splitlines() if line.startswith(f"{folder}/{name}: "))
        assert "left as it is: " in line and why in line, line
    assert {p: p.is_dir() or p.read_bytes() for p in before} == before
    assert not mine.exists() and said.count("removed") == 1


def test_the_database_itself_never_goes(folder):
    """One that was put back under the name of a copy, in the folder of the copies."""
    at = folder / "airis-20010101T010203Z.db"
    daemon = Alone(str(folder), at).start()
    assert "belongs to it" in keep(daemon, folder, 1)
    assert daemon.stop()[0] == 0
    assert "belongs to it" in keep(daemon, folder, 1)
    assert verified(at)


def test_a_damaged_database_removes_nothing(daemon, folder, tmp_path):
    """Every night's copy of it would push a good one out."""
    old = older(daemon, folder, 1, 2)
    damaged = Alone(str(tmp_path))
    shutil.copyfile(old[0], damaged.database)
    db = sqlite3.connect(damaged.database)
    db.execute("INSERT INTO events (rollout, at_ms, kind, data) VALUES ('r-1', 1, 'a', '{}')")
    db.commit()
    said = keep(damaged, folder, 1, 1)
    assert "events of a rollout that is in no list: r-1" in said
    assert "there is no new backup, and no older one was removed" in said
    assert copies(folder) == [p.name for p in old] and (folder / UNVERIFIED).exists()
    db.executescript("DROP TRIGGER events_no_delete; DELETE FROM events")
    db.close()
    keep(damaged, folder, 1)
    assert len(copies(folder)) == 1 and copies(folder)[0] > old[1].name
    assert not (folder / UNVERIFIED).exists()


def test_a_full_disk_removes_nothing(daemon, tmp_path):
    disk = SmallDisk(tmp_path / "disk")
    try:
        folder = tmp_path / "disk"
        old = older(daemon, folder, 1, 2, 3)
        disk.fill(8192)
        said = keep(daemon, folder, 1, 1)
        assert "no older one was removed" in said and "full" in said, said
        left = sorted(set(os.listdir(folder)) - {LOCK, "filler"})
        assert left == [p.name for p in old], "not even a part of a copy is left"
        disk.empty()
        keep(daemon, folder, 1)
        assert len(copies(folder)) == 1
    finally:
        disk.unmount()


def test_what_a_killed_one_left_is_used_up(daemon, folder):
    (folder / (UNVERIFIED + ".tmp")).write_bytes(b"half a copy")
    copy_of(daemon, folder / UNVERIFIED)
    keep(daemon, folder, 5)
    assert sorted(os.listdir(folder)) == [LOCK, *copies(folder)] and len(copies(folder)) == 1


def test_one_at_a_time(daemon, folder):
    old = older(daemon, folder, 1, 2)
    with open(folder / LOCK, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert f"another backup into {folder} is being made" in keep(daemon, folder, 1, 1)
    assert copies(folder) == [p.name for p in old]


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_root_leaves_nothing_in_a_folder_of_others(daemon, folder):
    """Their next copy would fail for it."""
    os.chown(folder, 65534, 65534)
    assert "sudo -u '#65534' airisd" in keep(daemon, folder, 3, 1)
    assert os.listdir(folder) == []


def test_usage(daemon, folder):
    for count in ("0", "-1", "many", "1.5", "10001", ""):
        assert "how many copies stay, from 1 to 10000" in keep(daemon, folder, count, 2)
    for task in (["--check"], ["--verify-db"], []):
        done = airisd("--config", daemon.config, *task, "--keep", "3")
        assert done.returncode == 2 and "--keep goes with --backup" in done.stderr
    assert "No such file" in keep(daemon, folder / "nowhere", 3, 1)
    (folder / "file").touch()
    assert "it must be a folder" in keep(daemon, folder / "file", 3, 1)
    assert copies(folder) == []
