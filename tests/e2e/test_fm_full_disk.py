"""F71 on a real file system without space: nothing is done that cannot be written down, reading
goes on, and an abort is done and written down all the same, into space kept for it."""
import errno
import os
import subprocess
import threading
import time

import pytest

import fm
from harness.daemon import Daemon
from harness.process import Failed, wait_for
from test_fm_storage import is_degraded, is_ready, writes_to

RESERVE = 1 << 20
SIZE = 6 << 20


class SmallDisk:
    def __init__(self, folder):
        self.folder = str(folder)
        self.filler = os.path.join(self.folder, "filler")
        os.mkdir(self.folder)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", self.folder],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed("these tests mount a small file system, which needs root: " + done.stderr)

    def free(self):
        fs = os.statvfs(self.folder)
        return fs.f_bavail * fs.f_frsize

    def fill(self, but=0):
        """Until nothing fits any more, but for so many bytes."""
        with open(self.filler, "ab", buffering=0) as f:
            try:
                while self.free() > but:
                    f.write(b"x" * max(1, min(65536, self.free() - but)))
            except OSError as e:
                assert e.errno == errno.ENOSPC
        assert self.free() <= but

    def empty(self):
        os.remove(self.filler)

    def unmount(self):
        subprocess.run(["umount", self.folder], check=True)


@pytest.fixture
def disk(tmp_path):
    made = SmallDisk(tmp_path / "disk")
    yield made
    made.unmount()


@pytest.fixture
def full(disk, quick_lab, fake_prometheus, tmp_path):
    """A daemon whose database is on the small disk; its log and socket are not."""
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig, fake_prometheus.url, settle="400ms")
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    database = os.path.join(disk.folder, "airis.db")
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace(daemon.database, database))
    daemon.database, daemon.disk = database, disk
    daemon.start()
    yield daemon
    assert daemon.process.alive(), daemon.process.text()[-3000:]
    assert daemon.stop()[0] == 0


def start_at_half(daemon, shop, **more):
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    daemon.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"], **more)
    return rid


def kept(daemon):
    """Bytes of the disk that are kept in reserve."""
    return os.stat(daemon.database + ".reserve").st_blocks * 512


def meet_the_end(daemon, shop):
    """Something is to be written while the disk is full. The log has room from before for a while."""
    daemon.disk.fill()
    for seconds in range(1, 500):
        refused = daemon.call("PUT", f"/v1/apps/{shop.name}",
                              fm.quick(shop, canary={"hold": f"{1000 + seconds}s"}))
        if refused.status != 200:
            break
    assert refused.status == 503 and refused.json["code"] == "degraded", refused.text
    wait_for("degraded", lambda: is_degraded(daemon), 15)


def test_what_a_full_disk_stops_and_what_not(full, quick_lab, shops):
    """In mid-rollout: nothing moves, all can be read, the abort is done and written down; with
    space again it goes on by itself."""
    shop, other = shops().create(), shops().create()
    full.apply(fm.quick(shop, canary={"hold": "2s"}))
    full.apply(fm.quick(other, canary={"hold": "2s"}))
    assert kept(full) == RESERVE
    rid, goes_on = start_at_half(full, shop), start_at_half(full, other)
    full.disk.fill()
    before = [len(writes_to(quick_lab, s.namespace)) for s in (shop, other)]
    wait_for("degraded", lambda: is_degraded(full), 15)
    said = full.call("GET", "/readyz").json["store"]
    assert "disk is full" in said and "aborts are done and written down" in said, said
    for r in (full.rollout(rid), full.rollout(goes_on)):
        assert r["blocked_on"]["object"] == "Database"
        assert "disk is full" in r["blocked_on"]["what"]
        assert "goes on by itself" in r["blocked_on"]["next"]
    assert "disk is full" in full.ctl("rollout", "explain", shop.name).stdout
    for path in ("/healthz", "/metrics", "/v1/apps", "/v1/rollouts", f"/v1/rollouts/{rid}/events"):
        assert full.call("GET", path).status == 200, path
    assert full.call("POST", "/v1/rollouts", {"app": shop.name, "image": "r/x:3"}).status == 503
    assert full.command(rid, "pause").status == 503
    assert shop.weights() == other.weights() == (50, 50)
    assert before == [len(writes_to(quick_lab, s.namespace)) for s in (shop, other)]
    assert kept(full) == RESERVE, "it is for aborts only"
    # The abort, with a disk that stays full.
    full.ctl("rollout", "abort", shop.name, "--reason", "bad smell", "--wait", check=0)
    assert shop.weights() == (100, 0) and shop.leftovers() == []
    assert full.rollout(rid)["reason"] == "bad smell"
    assert kept(full) == 0 and full.disk.free() < RESERVE and is_degraded(full)
    assert 'airis_store_bytes{file="reserve"} 0' in full.call("GET", "/metrics").text
    assert other.weights() == (50, 50), "what is not aborted stays"
    # It is on the disk: a start knows it, though others have taken what was left.
    full.kill()
    full.disk.fill()
    full.restart()
    assert full.rollout(rid)["phase"] == "aborted"
    assert [e["data"]["name"] for e in full.events(rid) if e["kind"] == "command"] == ["abort"]
    assert is_degraded(full)
    full.disk.empty()
    wait_for("ready", lambda: is_ready(full), 20)
    assert kept(full) == RESERVE
    full.wait_phase(goes_on, "succeeded")
    assert fm.weights_written(full, goes_on) == [50, 100, 0]
    log = full.process.text()
    assert log.count("are given up to write an abort down") == 1
    assert log.count("can be written again") == 2, "once by the store, once by the engine"
    assert log.count("error engine: the journal cannot be written") == 2, "once in each life"


def test_a_gate_aborts_on_a_full_disk(full, shops, fake_prometheus):
    """I6: a broken gate ends the rollout although its measurements cannot be written down one by
    one; the ones that broke it are."""
    shop = shops().create()
    fake_prometheus.answers["health"] = fm.number(1)
    full.apply(fm.quick(shop, canary={"hold": "600s"},
                        gates=[fm.gate("health", "health", failures=2)]))
    rid = start_at_half(full, shop)
    full.disk.fill()
    wait_for("degraded", lambda: is_degraded(full), 15)
    events = len(full.events(rid))
    asked = len(fake_prometheus.queries("health"))
    wait_for("it is asked still", lambda: len(fake_prometheus.queries("health")) > asked + 5, 15)
    assert full.rollout(rid)["phase"] == "progressing" and shop.weights() == (50, 50)
    assert len(full.events(rid)) == events
    fake_prometheus.answers["health"] = fm.number(0)
    full.wait_phase(rid, "aborted")
    assert shop.weights() == (100, 0) and is_degraded(full) and full.disk.free() < RESERVE
    assert "gate health failed 3 times" in full.rollout(rid)["reason"]
    full.kill()
    full.restart()
    assert full.rollout(rid)["phase"] == "aborted"
    verdicts = [e["data"]["verdict"] for e in full.events(rid) if e["kind"] == "measured"]
    assert verdicts[-3:] == ["fail"] * 3


def test_started_on_a_full_disk(full, shops):
    """After a crash on a full disk it starts, says so, and an abort is done and written down."""
    shop = shops().create()
    full.apply(fm.quick(shop, canary={"hold": "600s"}))
    rid = start_at_half(full, shop)
    full.kill()
    full.disk.fill()
    full.restart()
    assert is_degraded(full) and full.rollout(rid)["phase"] == "progressing"
    assert full.call("POST", "/v1/rollouts", {"app": shop.name, "image": "r/x:3"}).status == 503
    assert full.command(rid, "abort").status == 200
    full.wait_phase(rid, "aborted")
    assert shop.weights() == (100, 0) and full.disk.free() < RESERVE
    full.disk.fill()
    full.kill()
    full.restart()
    assert full.rollout(rid)["phase"] == "aborted"


def test_many_aborts_on_a_full_disk(full, shops):
    """The space that is kept is enough for a fleet of them."""
    made = [shops().create() for _ in range(12)]
    for shop in made:
        full.apply(fm.quick(shop, canary={"hold": "600s"}))
    rids = [full.start_rollout(s.name, s.image_of("2.0")) for s in made]
    for rid in rids:
        full.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    meet_the_end(full, made[0])
    for rid in rids:
        assert full.command(rid, "abort").status == 200
    for rid in rids:
        full.wait_phase(rid, "aborted")
    assert full.disk.free() < RESERVE and is_degraded(full)
    assert "is used up" not in full.process.text()
    full.kill()
    full.restart()
    assert [full.rollout(rid)["phase"] for rid in rids] == ["aborted"] * len(rids)


def test_a_hungry_neighbour(full, shops):
    """Another program writes into whatever gets free, at once: two aborts fit all the same."""
    made = [shops().create() for _ in range(2)]
    for shop in made:
        full.apply(fm.quick(shop, canary={"hold": "600s"}))
    rids = [start_at_half(full, shop) for shop in made]
    full.disk.fill()
    stop = threading.Event()

    def eat():
        while not stop.is_set():
            full.disk.fill()
            time.sleep(0.0005)
    neighbour = threading.Thread(target=eat)
    neighbour.start()
    try:
        for rid in rids:
            assert full.command(rid, "abort").status == 200
            full.wait_phase(rid, "aborted")
        assert full.disk.free() < 65536 and is_degraded(full)
        assert [shop.weights() for shop in made] == [(100, 0)] * 2
    finally:
        stop.set()
        neighbour.join()
    full.kill()
    full.restart()
    assert [full.rollout(rid)["phase"] for rid in rids] == ["aborted"] * 2


def test_space_comes_and_goes(full, shops):
    """Just a little space is none: the daemon does not flutter, and ends well when there is."""
    shop = shops().create()
    full.apply(fm.quick(shop, canary={"hold": "2s"}))
    rid = start_at_half(full, shop)
    full.disk.fill()
    wait_for("degraded", lambda: is_degraded(full), 15)
    full.disk.empty()
    full.disk.fill(but=100 << 10)
    wait_for("degraded", lambda: is_degraded(full), 15)
    assert shop.weights() == (50, 50) and kept(full) == RESERVE
    full.disk.empty()
    full.wait_phase(rid, "succeeded")
    assert fm.stages_entered(full, rid) == fm.STAGES
    wait_for("ready", lambda: is_ready(full), 20)
    assert full.process.text().count("error store: cannot write the database") == 1


def test_a_token_is_revoked_while_the_disk_is_full(full):
    """Nobody is made an owner of one meanwhile, but who is shut out is shut out for good."""
    body = {"role": "viewer", "namespaces": ["*"]}
    made = full.call("POST", "/v1/tokens", body).json
    shown = {"Authorization": "Bearer " + made["token"]}
    full.disk.fill()
    wait_for("degraded", lambda: full.call("POST", "/v1/tokens", body).status == 503, 15)
    assert full.call("GET", "/v1/apps", None, shown).status == 200
    gone = full.call("DELETE", "/v1/tokens/" + made["id"])
    assert gone.status == 204, gone.text
    assert full.call("GET", "/v1/apps", None, shown).status == 401
    full.kill()
    full.disk.empty()
    full.restart()
    assert full.call("GET", "/v1/apps", None, shown).status == 401
