"""Copies of the database, and damaged ones: airisd --backup and --verify-db, and what a start says.

The database is one that was written by the daemon itself, with rollouts of every phase in it."""
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import threading

import pytest

import fm
from harness.daemon import Daemon
from harness.process import BUILD, wait_for

PAGE = 4096
OK = re.compile(r"ok: (\d+) rollouts, (\d+) events\n")


def airisd(*args, user=None, timeout=60):
    return subprocess.run([os.path.join(BUILD, "airisd"), *args], capture_output=True, text=True,
                          timeout=timeout, check=False, user=user)


def backup(daemon, to, check=0):
    done = airisd("--config", daemon.config, "--backup", str(to))
    assert done.returncode == check, done.stdout + done.stderr
    return done.stdout if check == 0 else done.stderr


def verify(path, check=0):
    done = airisd("--verify-db", str(path))
    assert done.returncode == check, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def counts(path):
    """Rollouts and events, as --verify-db counts them."""
    return tuple(int(n) for n in OK.fullmatch(verify(path)).groups())


def rows(path, sql):
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def start_waiting(daemon, shop, image):
    rid = daemon.start_rollout(shop.name, shop.image_of(image))
    daemon.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    return rid


def use(daemon, shop):
    """One rollout of every end, and one that waits at 50%."""
    daemon.apply(fm.quick(shop))
    answer = daemon.call("POST", "/v1/rollouts", {"app": shop.name, "image": shop.image_of("2.0")},
                         {"Idempotency-Key": "build-2"})
    assert answer.status == 201, answer.text
    daemon.wait_phase(answer.json["id"], "succeeded")
    daemon.apply(fm.quick(shop, canary={"hold": "600s"}))
    rid = start_waiting(daemon, shop, "3.0")
    daemon.command(rid, "abort", reason="bad smell")
    daemon.wait_phase(rid, "aborted")
    start_waiting(daemon, shop, "4.0")


@pytest.fixture
def used(quick_lab, shops, tmp_path):
    """A daemon with one rollout, which waits at 50%."""
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig, settle="400ms").start()
    daemon.shop = shops().create()
    daemon.apply(fm.quick(daemon.shop, canary={"hold": "600s"}))
    daemon.waiting = start_waiting(daemon, daemon.shop, "2.0")
    yield daemon
    if daemon.process.alive():
        assert daemon.stop()[0] == 0


@pytest.fixture(scope="module")
def left(quick_lab, tmp_path_factory):
    """What a daemon leaves: in killed/ after kill -9, and in closed/ after a clean stop."""
    folder, made = tmp_path_factory.mktemp("left"), fm.Shops(quick_lab)
    daemon = Daemon(str(folder), quick_lab.kubeconfig, settle="400ms").start()
    use(daemon, made().create())
    daemon.kill()
    (folder / "killed").mkdir()
    (folder / "closed").mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(daemon.database + suffix, folder / "killed" / ("airis.db" + suffix))
    daemon.restart()
    assert daemon.stop()[0] == 0
    assert not os.path.exists(daemon.database + "-wal")
    shutil.copyfile(daemon.database, folder / "closed" / "airis.db")
    yield folder
    made.remove()


@pytest.fixture
def closed(left, tmp_path):
    """A whole database that was closed, as a file of the test's own."""
    shutil.copytree(left / "closed", tmp_path / "closed")
    return tmp_path / "closed" / "airis.db"


@pytest.fixture
def killed(left, tmp_path):
    shutil.copytree(left / "killed", tmp_path / "killed")
    return tmp_path / "killed" / "airis.db"


def test_a_backup_while_it_runs(used, tmp_path):
    to = tmp_path / "copies" / "monday.db"
    to.parent.mkdir()
    assert "a copy of" in backup(used, to)
    assert os.listdir(to.parent) == ["monday.db"], "nothing else is left there"
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert counts(to) == counts(used.database), "also the one in use is checked"
    assert used.rollout(used.waiting)["phase"] == "progressing" and used.process.alive()
    assert rows(to, "SELECT rollout, phase FROM rollouts") == [(used.waiting, "progressing")]
    # A second one takes the place of the first, whole.
    before = counts(to)
    used.command(used.waiting, "pause", reason="lunch")
    used.wait_phase(used.waiting, "paused")
    backup(used, to)
    assert counts(to)[1] > before[1]


def test_a_backup_without_a_daemon(used, tmp_path):
    """After a clean stop, and after kill -9, when most is in the log."""
    used.kill()
    backup(used, tmp_path / "killed.db")
    assert counts(tmp_path / "killed.db") == counts(used.database)
    used.restart()
    assert used.stop()[0] == 0
    backup(used, tmp_path / "stopped.db")
    assert counts(tmp_path / "stopped.db") == counts(used.database)
    used.restart()
    assert used.rollout(used.waiting)["phase"] == "progressing"


def test_a_backup_does_not_destroy(used, tmp_path):
    """Never over the database, what belongs to it, or what is no copy of one."""
    letter = tmp_path / "letter.txt"
    letter.write_text("dear ann, " * 50)
    photos = tmp_path / "photos.db"
    other = sqlite3.connect(photos)
    other.execute("CREATE TABLE photos (a)")
    other.commit()
    other.close()
    link = tmp_path / "link.db"
    link.symlink_to(used.database)
    for to in (used.database, link, used.database + "-wal", used.database + "-journal",
               used.database + ".lock", used.database + ".reserve", os.path.relpath(used.database)):
        assert "is the database itself or belongs to it" in backup(used, to, 1)
    for to in (letter, photos):
        before = to.read_bytes()
        assert "is not a database of airisd" in backup(used, to, 1)
        assert to.read_bytes() == before
    assert "is not a file" in backup(used, tmp_path, 1)
    assert "No such file" in backup(used, tmp_path / "nowhere" / "a.db", 1)
    in_use = tmp_path / "in-use.db"
    backup(used, in_use)
    (tmp_path / "in-use.db-wal").write_bytes(b"log")
    assert "it is a database in use" in backup(used, in_use, 1)
    assert used.process.alive() and counts(used.database)[0] == 1


def test_two_backups_to_one_name(used, tmp_path):
    """At most one is refused, and whatever is there under the name is whole."""
    to, seen = tmp_path / "both.db", []

    def copy():
        for _ in range(10):
            done = airisd("--config", used.config, "--backup", str(to))
            seen.append((done.returncode, done.stderr))
    threads = [threading.Thread(target=copy) for _ in range(3)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        if to.exists():
            assert counts(to)[0] == 1
    for t in threads:
        t.join()
    assert any(status == 0 for status, _ in seen)
    assert all(status == 0 or "is being made" in text for status, text in seen), seen


def test_a_backup_under_load_is_restored(used, quick_lab, tmp_path):
    """Taken while rollouts are started and commanded; a second daemon goes on from it."""
    to, stop, errors = tmp_path / "loaded.db", threading.Event(), []

    def load(number):
        try:
            for i in range(10 ** 6):
                if stop.is_set():
                    return
                used.apply(fm.quick(used.shop, canary={"hold": f"{600 + 200 * number + i % 190}s"}))
                used.command(used.waiting, "pause" if i % 2 else "resume")
        except Exception as e:  # pylint: disable=broad-except
            errors.append(e)
    threads = [threading.Thread(target=load, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    sizes = []
    for _ in range(8):
        backup(used, to)
        sizes.append(counts(to)[1])
    stop.set()
    for t in threads:
        t.join()
    assert not errors and used.process.alive()
    assert sizes == sorted(sizes) and sizes[-1] > sizes[0], "it went on meanwhile"
    assert counts(used.database)[1] >= sizes[-1]
    used.kill()
    folder = tmp_path / "second"
    folder.mkdir()
    second = Daemon(str(folder), quick_lab.kubeconfig, settle="400ms")
    shutil.copyfile(to, second.database)
    second.start()
    try:
        second.command(used.waiting, "resume")
        second.command(used.waiting, "promote", full=True)
        second.wait_phase(used.waiting, "succeeded")
        assert used.shop.weights() == (100, 0) and used.shop.leftovers() == []
    finally:
        assert second.stop()[0] == 0
    assert counts(second.database)[1] > sizes[-1]


# --- damage -----------------------------------------------------------------------------------


def starts(path, folder, kubeconfig):
    """What a daemon says that is started on it: None, or why not."""
    daemon = Daemon(str(folder), kubeconfig)
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace(daemon.database, str(path)))
    daemon.process.start()

    def has_begun():
        return not daemon.process.alive() or daemon.answers()
    wait_for("a start or an end", has_begun)
    if daemon.process.alive():
        assert daemon.stop()[0] == 0
        return None
    assert daemon.process.popen.returncode == 1
    return daemon.process.text()


def refused(path, folder, kubeconfig):
    """It is refused, the file is as it was, and the text says which and what to do."""
    before = path.read_bytes()
    text = starts(path, folder, kubeconfig)
    assert text is not None and str(path) in text
    assert path.read_bytes() == before
    return text


def flip(path, at, count=16):
    data = bytearray(path.read_bytes())
    for i in range(at, at + count):
        data[i] ^= 0xff
    path.write_bytes(data)


def page_of(path, name):
    """The offset of the first page of a table or an index."""
    return (rows(path, f"SELECT rootpage FROM sqlite_schema WHERE name = '{name}'")[0][0] - 1) * PAGE


def advice_works(text, path, good, folder, kubeconfig):
    """The commands of the text, without systemctl, put a copy in its place."""
    commands = re.search(r"restore a backup: (systemctl stop airisd.socket airisd; .*; "
                         r"systemctl -q is-enabled airisd.socket && systemctl start airisd.socket; "
                         r"systemctl start airisd)", text).group(1)
    commands = re.sub(r"systemctl [^;&]*", ": ", commands)
    subprocess.run(["sh", "-euc", commands.replace("BACKUP", str(good))], check=True)
    assert OK.fullmatch(verify(path))
    assert starts(path, folder, kubeconfig) is None


def test_a_whole_one(closed, tmp_path, quick_lab):
    assert counts(closed)[0] == 3
    assert starts(closed, tmp_path, quick_lab.kubeconfig) is None
    assert counts(closed)[0] == 3


def test_truncated(closed, tmp_path, quick_lab):
    good = tmp_path / "good.db"
    shutil.copyfile(closed, good)
    size = closed.stat().st_size
    for length in (size - PAGE, size // 2 // PAGE * PAGE, PAGE, 50):
        os.truncate(closed, length)
        text = refused(closed, tmp_path, quick_lab.kubeconfig)
        assert "damaged" in text
        assert "damaged" in verify(closed, 1) or "the file: " in verify(closed, 1)
        shutil.copyfile(good, closed)
    os.truncate(closed, size - PAGE)
    advice_works(refused(closed, tmp_path, quick_lab.kubeconfig), closed, good, tmp_path,
                 quick_lab.kubeconfig)


def test_flipped_bytes_in_the_header(closed, tmp_path, quick_lab):
    flip(closed, 0)
    text = refused(closed, tmp_path, quick_lab.kubeconfig)
    assert "or its first bytes are damaged" in text and "restore a backup" in text
    assert "or its first bytes are damaged" in verify(closed, 1)


def test_flipped_bytes_in_a_page(closed, tmp_path, quick_lab):
    good = tmp_path / "good.db"
    shutil.copyfile(closed, good)
    flip(closed, page_of(closed, "events"))
    text = refused(closed, tmp_path, quick_lab.kubeconfig)
    assert "is damaged" in text and "airisd --verify-db" in text
    found = verify(closed, 1)
    assert "the file: " in found and "To restore a backup: systemctl stop airisd" in found
    advice_works(text, closed, good, tmp_path, quick_lab.kubeconfig)


def test_flipped_bytes_in_an_index(closed, tmp_path, quick_lab):
    """A rollout is found by an index: one that says something else than the table hides events."""
    waiting = rows(closed, "SELECT rollout FROM rollouts WHERE phase = 'progressing'")[0][0]
    data = closed.read_bytes()
    leaves = [at for at in range(PAGE, len(data), PAGE) if data[at] == 10]  # of indexes
    at = max(leaves, key=lambda at: data[at:at + PAGE].count(waiting.encode()))
    flip(closed, data.rindex(waiting.encode(), at, at + PAGE) + len(waiting) - 1, 1)
    assert "the file: " in verify(closed, 1)
    assert "is damaged" in refused(closed, tmp_path, quick_lab.kubeconfig)


@pytest.mark.parametrize("change, words", [
    ("UPDATE rollouts SET phase = 'aborted' WHERE phase = 'progressing'", "its row says phase"),
    ("UPDATE rollouts SET release = 9 WHERE phase = 'progressing'", "its row says release 9"),
    ("UPDATE rollouts SET data = '{' WHERE phase = 'aborted'", "its row in the list is damaged"),
    ("UPDATE rollouts SET data = replace(data, 'bad smell', 'roses')", "its row says reason"),
    ("DROP TRIGGER events_no_delete; DELETE FROM events WHERE kind = 'compiled'", "rollout "),
    ("DROP TRIGGER events_no_update; UPDATE events SET data = 'x' WHERE kind = 'phase'",
     "is damaged"),
    ("DROP TRIGGER events_no_update; UPDATE events SET kind = 'dance' WHERE kind = 'act'",
     'of kind "dance"'),
    ("DELETE FROM rollouts WHERE phase = 'aborted'", "events of a rollout that is in no list"),
    ("UPDATE apps SET data = '{}'", "in the database is not valid"),
    ("DROP TRIGGER releases_no_update; UPDATE releases SET data = 'x' WHERE number = 2",
     "not JSON: release "),
    ("UPDATE keys SET answer = 'r-0'", "in no list: Idempotency-Key build-2"),
])
def test_rows_that_mean_nothing(closed, change, words):
    db = sqlite3.connect(closed)
    db.executescript(change)
    db.commit()
    db.close()
    found = verify(closed, 1)
    assert words in found, found
    assert "To restore a backup" in found


def test_a_journal_that_does_not_fold(closed, tmp_path, quick_lab):
    """The file is whole, its events are not: the start names the rollout and what to do."""
    good = tmp_path / "good.db"
    shutil.copyfile(closed, good)
    db = sqlite3.connect(closed)
    db.executescript("DROP TRIGGER events_no_delete; DELETE FROM events WHERE kind = 'compiled'")
    db.close()
    waiting = rows(good, "SELECT rollout FROM rollouts WHERE phase = 'progressing'")[0][0]
    text = refused(closed, tmp_path, quick_lab.kubeconfig)
    assert waiting in text
    advice_works(text, closed, good, tmp_path, quick_lab.kubeconfig)


def test_the_log_is_missing(killed, tmp_path, quick_lab):
    """What was only in the log is gone; what is in the file is whole, and it starts."""
    before = counts(killed)
    os.remove(str(killed) + "-wal")
    found = airisd("--verify-db", str(killed)).stdout
    assert "is empty" in found or int(OK.fullmatch(found).group(2)) < before[1]
    assert starts(killed, tmp_path, quick_lab.kubeconfig) is None


def test_the_log_is_damaged(killed, tmp_path, quick_lab):
    """SQLite takes what comes before the damage: whole transactions."""
    before = counts(killed)
    flip(killed.parent / "airis.db-wal", (killed.parent / "airis.db-wal").stat().st_size // 2)
    after = counts(killed)
    assert 0 < after[1] < before[1]
    assert starts(killed, tmp_path, quick_lab.kubeconfig) is None
    assert counts(killed)[1] >= after[1]


def test_the_database_is_missing_but_not_its_log(killed, tmp_path, quick_lab):
    killed.unlink()
    log = killed.parent / "airis.db-wal"
    before = log.read_bytes()
    text = starts(killed, tmp_path, quick_lab.kubeconfig)
    assert "is missing or empty, but its log" in text
    assert log.read_bytes() == before
    assert "there is no database" in verify(killed, 1)


def test_not_a_database(tmp_path, quick_lab):
    path = tmp_path / "other" / "airis.db"
    path.parent.mkdir()
    path.write_text("no database at all, but a long letter to a friend. " * 40)
    assert "is not a database of airisd" in refused(path, tmp_path, quick_lab.kubeconfig)
    assert "is not a database of airisd" in verify(path, 1)
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE photos (a)")
    db.commit()
    db.close()
    assert "is not a database of airisd" in refused(path, tmp_path, quick_lab.kubeconfig)
    assert "is not a database of airisd" in verify(path, 1)
    assert "there is no database" in verify(tmp_path / "nowhere.db", 1)
    assert "is not a file" in verify(tmp_path, 1)


def test_a_newer_one(closed, tmp_path, quick_lab):
    db = sqlite3.connect(closed)
    db.execute("PRAGMA user_version = 77")
    db.commit()
    db.close()
    for text in (refused(closed, tmp_path, quick_lab.kubeconfig), verify(closed, 1)):
        assert "version 77" in text and "newer airisd" in text
        assert 'whose --version says "database version 77"' in text
    assert re.fullmatch(r"airisd \S+\ndatabase version \d+\n", airisd("--version").stdout)


def test_wrong_permissions(closed, tmp_path, quick_lab):
    """Another user is told what is missing, and changes nothing."""
    nobody = 65534
    os.chmod(closed, 0o600)
    for folder in (closed.parent, *closed.parent.parents):
        if not folder.stat().st_mode & 0o001:
            os.chmod(folder, folder.stat().st_mode | 0o011)
    done = airisd("--verify-db", str(closed), user=nobody)
    assert done.returncode == 1 and "Permission denied" in done.stdout and \
        str(closed) in done.stdout
    os.chmod(closed, 0o644)
    done = airisd("--verify-db", str(closed), user=nobody)
    assert done.returncode == 1 and "the user of airisd or root" in done.stdout, done.stdout
    assert sorted(os.listdir(closed.parent)) == ["airis.db"]


def test_usage(quick):
    assert airisd("--backup").returncode == 2
    assert airisd("--verify-db", "a", "b").returncode == 2
    assert verify(quick.database) == "ok: 0 rollouts, 0 events\n"
    done = airisd("--config", quick.config, "--verify-db")
    assert done.returncode == 0 and done.stdout == "ok: 0 rollouts, 0 events\n"
    done = airisd("--config", "/nowhere", "--backup", "/tmp/x")
    assert done.returncode == 1 and "/nowhere" in done.stderr
