"""airisctl db verify: airisd looks, airisctl becomes it. Nothing that is looked at changes."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest
import yaml

from harness.daemon import Alone
from harness.process import BUILD

PAGE = 4096


@pytest.fixture(scope="module", name="daemon")
def fixture_daemon(tmp_path_factory):
    made = Alone(str(tmp_path_factory.mktemp("alone"))).start()
    yield made
    assert made.stop()[0] == 0


@pytest.fixture(name="copy")
def fixture_copy(daemon, tmp_path):
    """A backup, alone in its folder."""
    path = tmp_path / "copy" / "monday.db"
    path.parent.mkdir()
    subprocess.run([os.path.join(BUILD, "airisd"), "--config", daemon.config, "--backup", path],
                   check=True)
    return path


def verify(*args, program=os.path.join(BUILD, "airisctl"), **more):
    return subprocess.run([program, "db", "verify", *map(str, args)], capture_output=True,
                          text=True, timeout=60, check=False, **more)


def looked_at(path, status):
    """As JSON; YAML and text say the same, and the file and its folder stay as they are."""
    before = path.read_bytes() if path.is_file() else None
    beside = os.listdir(path.parent)
    text, as_json, as_yaml = (verify(path, "-o", form) for form in ("table", "json", "yaml"))
    assert [done.returncode for done in (text, as_json, as_yaml)] == [status] * 3, text.stdout
    assert text.stderr + as_json.stderr + as_yaml.stderr == ""
    seen = json.loads(as_json.stdout)
    assert yaml.safe_load(as_yaml.stdout) == seen
    assert seen["file"] == str(path) and seen["ok"] == (status == 0)
    for said in seen.get("findings", [seen.get("error")]):
        assert said in text.stdout
    assert os.listdir(path.parent) == beside
    assert before is None or path.read_bytes() == before
    return seen


def test_a_good_backup(copy):
    good = {"file": str(copy), "ok": True, "rollouts": 0, "events": 0, "found": 0, "findings": []}
    assert looked_at(copy, 0) == good
    assert verify(copy).stdout == "ok: 0 rollouts, 0 events\n"
    # A name that begins with a dash is a name.
    shutil.copyfile(copy, copy.parent / "--check")
    assert verify("--", "--check", cwd=copy.parent).stdout == "ok: 0 rollouts, 0 events\n"


def test_one_that_is_in_use(daemon):
    for _ in range(3):
        assert verify(daemon.database).returncode == 0
    assert daemon.process.alive() and daemon.call("GET", "/readyz").status == 200


def test_files_that_are_none_of_ours(copy):
    letter, photos, link = (copy.parent / name for name in ("letter", "photos", "link"))
    letter.write_text("dear ann, " * 50)
    db = sqlite3.connect(photos)
    db.execute("CREATE TABLE photos (a)")
    db.commit()
    db.close()
    link.symlink_to(letter)
    for path in (letter, photos, link):
        seen = looked_at(path, 1)
        assert "is not a database of airisd" in seen["error"] and "rollouts" not in seen
    assert "there is no database" in looked_at(copy.parent / "nowhere", 1)["error"]
    assert "is not a file" in verify(copy.parent).stdout


def test_a_truncated_one(copy):
    size = copy.stat().st_size
    for length in (size - PAGE, size // 2 // PAGE * PAGE, PAGE):
        os.truncate(copy, length)
        seen = looked_at(copy, 1)
        assert "damaged" in seen.get("error", "") or \
            any(text.startswith("the file: ") for text in seen["findings"]), seen
    os.truncate(copy, 50)
    assert "its first bytes are damaged" in looked_at(copy, 1)["error"]


def test_a_newer_one(copy):
    db = sqlite3.connect(copy)
    db.execute("PRAGMA user_version = 77")
    db.commit()
    db.close()
    error = looked_at(copy, 1)["error"]
    assert "has version 77, written by a newer airisd" in error
    assert 'It needs an airisd whose --version says "database version 77" or a higher one' in error


def test_an_older_one(copy):
    db = sqlite3.connect(copy)
    newest = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {newest - 1}")
    db.commit()
    db.close()
    assert f"has version {newest - 1} and this airisd reads version {newest}: start it once" in \
        looked_at(copy, 1)["error"]


def test_rows_that_do_not_fit(copy):
    """Many findings: a hundred are told, all are counted."""
    db = sqlite3.connect(copy)
    db.executemany("INSERT INTO apps (app, at_ms, data) VALUES (?, 1, '{}')",
                   [(f"app-{i}",) for i in range(150)])
    db.execute("INSERT INTO rollouts (rollout, app, cluster, release, phase, final, at_ms, data)"
               " VALUES ('r-1', 'a', 'c', 1, 'paused', 0, 1, '{}')")
    db.commit()
    db.close()
    seen = looked_at(copy, 1)
    assert seen["found"] > 150 and len(seen["findings"]) == 100 and seen["rollouts"] == 1
    assert "To restore a backup: systemctl stop airisd.socket airisd; " in verify(copy).stdout


def test_where_airisd_is(copy, tmp_path):
    """The one beside airisctl, then one of PATH, then it is said that there is none."""
    alone = tmp_path / "bin" / "airisctl"
    alone.parent.mkdir()
    shutil.copy(os.path.join(BUILD, "airisctl"), alone)
    done = verify(copy, program=alone, env={"PATH": "/nowhere"})
    assert done.returncode == 7 and f"is neither {alone.parent}/airisd nor in PATH" in done.stderr
    assert verify(copy, program=alone, env={"PATH": BUILD}).returncode == 0
    beside = alone.parent / "airisd"
    beside.write_text('#!/bin/sh\necho "$@"\n')
    beside.chmod(0o755)
    done = verify(copy, program=alone, env={"PATH": BUILD})
    assert done.stdout == f"--verify-db={copy} --output text\n"
    done = verify("-o", "json", program=alone, env={})
    assert done.stdout == "--verify-db --output json\n"
