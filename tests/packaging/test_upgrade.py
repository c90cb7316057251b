"""What README tells an ops host to do, done: its lines for backup, restore and downgrade are run as
they stand there, with the host's places moved into a folder. And an upgrade from the version of the
database before this one."""

import glob
import json
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from harness.daemon import Alone
from harness.process import BUILD, ROOT
from test_install import read

APP = {"kind": "App", "name": "web", "namespace": "shop",
       "workload": {"kind": "Deployment", "name": "web"},
       "strategy": {"rolling": {"batches": ["50%"]}}}
MIGRATIONS = sorted(glob.glob(os.path.join(ROOT, "migrations/[0-9]*.sql")))
OURS = 0x61697273


def blocks():
    """The indented ones of the section, each as the text of a script."""
    text = read(ROOT, "README.md")
    section = text[text.index(" Upgrade, backup, restore.**"):].partition("\n**")[0] + "\n"
    found = re.findall(r"(?:^    .*\n)+", section, re.M)
    assert len(found) == 3
    return found


KUBECONFIG = {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c",
                                                                              "user": "u"}}],
              "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
              "users": [{"name": "u", "user": {}}]}


class Host:
    """A daemon, whose cluster does not answer, the folders that README names, and stand-ins for
    systemctl and sudo."""

    def __init__(self, folder):
        self.folder, self.bin = folder, folder / "bin"
        (folder / "kubeconfig").write_text(json.dumps(KUBECONFIG))
        self.daemon = Alone(str(folder), str(folder / "state/airis.db"))
        with open(self.daemon.config, "a", encoding="utf-8") as file:
            file.write(f"clusters: [{{name: default, kubeconfig: {folder}/kubeconfig}}]\n")
        for name in ("bin", "state", "backups"):
            (folder / name).mkdir()
        self.stub("systemctl", f'echo "$*" >>{folder}/systemctl')
        self.stub("sudo", '[ "$1 $2" = "-u airis" ] && shift 2 && exec "$@"')
        self.stub("airisd", f'exec {BUILD}/airisd --config {self.daemon.config} "$@"')
        shutil.copy(os.path.join(BUILD, "airisctl"), self.bin)

    def stub(self, name, text):
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def run(self, block):
        """What systemctl was told, besides what the lines did."""
        for of, to in (("/var/lib/airis", "state"), ("/var/backups/airis", "backups")):
            block = block.replace(of, str(self.folder / to))
        done = subprocess.run(["sh", "-euc", block], capture_output=True, text=True, timeout=60,
                              env={"PATH": f"{self.bin}:/usr/bin:/bin"}, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        told = (self.folder / "systemctl").read_text().splitlines()
        (self.folder / "systemctl").unlink()
        return told, done.stdout

    def refused(self):
        """Why it does not start."""
        self.daemon.process.start()
        assert self.daemon.process.popen.wait(60) == 1
        return self.daemon.process.text()

    def apps(self):
        return [app["name"] for app in self.daemon.call("GET", "/v1/apps").json["items"]]


@pytest.fixture(name="host")
def fixture_host(tmp_path):
    made = Host(tmp_path)
    yield made
    made.daemon.kill()


def version_of(path):
    db = sqlite3.connect(path)
    try:
        return db.execute("PRAGMA user_version").fetchone()[0]
    finally:
        db.close()


def test_backup_and_restore(host):
    host.daemon.start().apply(APP)
    told, said = host.run(blocks()[0])
    assert told == ["enable --now airisd-backup.timer"]
    assert said.count("ok: 0 rollouts, 0 events") == 2, "the copy, and the database in use"
    assert len(glob.glob(f"{host.folder}/backups/airis-*Z.db")) == 1
    host.daemon.kill()
    assert os.path.getsize(host.daemon.database + "-wal") > 0, "it must not get into the copy"
    with open(host.daemon.database, "r+b") as file:
        file.write(b"\xff" * 100)
    assert "its first bytes are damaged" in host.refused()
    told, _ = host.run(blocks()[1])
    assert told == ["stop airisd.socket airisd", "-q is-enabled airisd.socket",
                    "start airisd.socket", "start airisd"]
    assert os.path.exists(host.daemon.database + "-wal.damaged")
    host.daemon.start()
    assert host.apps() == ["web"]
    assert host.daemon.stop()[0] == 0


def test_upgrade(host):
    """A database of the version before: it is copied, then brought forward, and nothing is lost."""
    host.daemon.start().apply(APP)
    assert host.daemon.stop()[0] == 0
    db = sqlite3.connect(host.daemon.database)
    app = db.execute("SELECT app, at_ms, actor, data FROM apps").fetchone()
    db.close()
    os.remove(host.daemon.database)
    db = sqlite3.connect(host.daemon.database)
    for path in MIGRATIONS[:-1]:
        db.executescript(read(path))
    db.executescript(f"PRAGMA application_id = {OURS}; PRAGMA user_version = {len(MIGRATIONS) - 1}")
    db.execute("INSERT INTO apps (app, at_ms, actor, data) VALUES (?, ?, ?, ?)", app)
    db.commit()
    db.close()
    host.daemon.start()
    assert host.apps() == ["web"]
    assert host.daemon.stop()[0] == 0
    copy = f"{host.daemon.database}.before-{len(MIGRATIONS):04}"
    assert version_of(copy) == len(MIGRATIONS) - 1
    assert version_of(host.daemon.database) == len(MIGRATIONS)
    db = sqlite3.connect(copy)
    assert db.execute("SELECT app, at_ms, actor, data FROM apps").fetchone() == app
    db.close()


def test_downgrade(host):
    """As the next airisd would leave it: a copy, and the next version of the schema."""
    host.daemon.start().apply(APP)
    assert host.daemon.stop()[0] == 0
    copy = f"{host.daemon.database}.before-{len(MIGRATIONS) + 1:04}"
    shutil.copy(host.daemon.database, copy)
    db = sqlite3.connect(host.daemon.database)
    db.executescript(read(ROOT, "tests/crash/later.sql"))
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.commit()
    db.close()
    before = open(host.daemon.database, "rb").read()
    text = host.refused()
    assert open(host.daemon.database, "rb").read() == before
    assert f'needs an airisd whose --version says "database version {len(MIGRATIONS) + 1}"' in text
    assert f"put the copy from before it was changed, {copy} in its place" in text
    told, _ = host.run(blocks()[2])
    assert told == ["stop airisd.socket airisd"]
    host.daemon.start()
    assert host.apps() == ["web"]
    assert host.daemon.stop()[0] == 0


def test_the_table_has_this_version():
    said = subprocess.check_output([os.path.join(BUILD, "airisd"), "--version"], text=True)
    version, database = re.fullmatch(r"airisd (\S+)\ndatabase version (\d+)\n", said).groups()
    assert f"| {version} | {database} |\n" in read(ROOT, "README.md"), \
        "README: which airisd has which version of the database"
