"""Two airisd that know one cluster, each with a database of its own: one writes at a time."""
import re
import signal
import threading
import time

import pytest

import fm
from conftest import SETTLE
from fm import quick
from harness.daemon import Daemon
from harness.kube import Refused
from harness.process import SLOW, wait_for

LEASES = "/apis/coordination.k8s.io/v1/namespaces/airis/leases"
SECONDS = 4
SLOWLY = {"weights": [25, 50, 75, 100], "hold": "1s"}


class Pair:
    """Two daemons of one lab; the lab's log of requests tells them apart by the user they are."""

    def __init__(self, lab, folder):
        self.lab, self.kube, self.folder, self.made = lab, lab.kube, folder, []
        lab.ask_sim("POST", "/sim/requests/reset")

    def kubeconfig(self, name):
        with open(self.lab.kubeconfig, encoding="utf-8") as file:
            text = file.read()
        path = self.folder / f"kubeconfig-{name}"
        path.write_text(re.sub(r'(token: *"?)', rf'as: {name}, \1', text, count=1)
                        if "{token" in text else
                        re.sub(r'^( *)token:', rf'\1as: {name}\n\1token:', text, count=1,
                               flags=re.M))
        return str(path)

    def daemon(self, name, **lease):
        folder = self.folder / name
        folder.mkdir()
        made = Daemon(str(folder), self.kubeconfig(name), settle=SETTLE,
                      lease={"name": "airisd", "duration": f"{SECONDS}s", **lease})
        made.name = name
        self.made.append(made)
        return made.start()

    def lease(self):
        try:
            return self.kube.call("GET", LEASES + "/airisd")
        except Refused as e:
            if e.status == 404:
                return None
            raise

    def holder(self):
        return (self.lease() or {"spec": {}})["spec"].get("holderIdentity", "")

    def writes(self, daemon, since_ms=0, leases=False):
        """Its requests that would change something, from a moment on."""
        return [r for r in self.lab.requests_seen()
                if r["user"] == daemon.name and r["method"] not in ("GET", "HEAD")
                and "/authorization.k8s.io/" not in r["path"]  # a question
                and r["time_ms"] >= since_ms and (r["kind"] == "leases") == leases]


@pytest.fixture(name="pair")
def fixture_pair(quick_lab, tmp_path):
    made = Pair(quick_lab, tmp_path)
    yield made
    for daemon in made.made:
        if daemon.process.alive():
            status, _ = daemon.stop()
            assert status == 0, daemon.process.text()[-3000:]
    quick_lab.no_faults()
    try:
        made.kube.call("DELETE", LEASES + "/airisd")
    except Refused:
        pass


def wall_ms():
    return int(time.time() * 1000)


def begin(daemon, shop, tag, canary=None):
    daemon.apply(quick(shop, canary={"steady": "0s", **(canary or {})}))
    return daemon.start_rollout(shop.name, shop.image_of(tag))


def weighed(daemon, rid, weight):
    daemon.wait(rid, lambda r: r["weight"]["taken"] == weight, 30, f"{weight} percent")


def test_one_drives_the_other_waits(pair, shops):
    """The same app in both; the second one says why it waits, and goes on when it is its turn."""
    shop = shops().create()
    one, two = pair.daemon("one"), pair.daemon("two")
    first = begin(one, shop, "2.0", canary=SLOWLY)
    weighed(one, first, 25)
    holder = pair.holder()
    second = begin(two, shop, "3.0")
    blocked = two.wait_blocked(second, "Lease airis/airisd", 10)["blocked_on"]
    assert blocked["object"] == "Lease airis/airisd"
    assert f"another airisd ({holder}) holds lease airis/airisd" in blocked["what"]
    assert "it changes nothing" in blocked["next"]
    status = two.ctl("cluster", "status", check=0).stdout
    assert re.search(r"writes nothing: another airisd .*; renewed \d s ago", status), status
    assert "holds lease airis/airisd" in one.ctl("cluster", "status", check=0).stdout
    lease = two.call("GET", "/readyz").json["clusters"][0]["lease"]
    assert (lease["held"], lease["wanted"], lease["holder"]) == (False, True, holder)
    assert 'airis_lease_held{cluster="default"} 0' in two.call("GET", "/metrics").text
    assert 'airis_lease_held{cluster="default"} 1' in one.call("GET", "/metrics").text
    assert pair.writes(two) == []
    one.wait_phase(first, "succeeded", 60)
    ended = time.monotonic()
    two.wait_phase(second, "succeeded", 60)
    assert time.monotonic() - ended < 30 * SLOW
    assert shop.stable_image() == shop.image_of("3.0") and shop.leftovers() == []
    assert pair.lease()["spec"]["leaseTransitions"] >= 1
    wait_for("the lease given back", lambda: pair.holder() == "", 10)
    assert pair.writes(two, leases=True)[0]["status"] in (200, 409)


def test_a_plan_needs_no_lease(pair, shops):
    shop = shops().create()
    one, two = pair.daemon("one"), pair.daemon("two")
    first = begin(one, shop, "2.0", canary={"hold": "60s"})
    weighed(one, first, 50)
    two.apply(quick(shop))
    answer = two.call("POST", "/v1/plan", {"app": shop.name, "image": shop.image_of("3.0")})
    assert answer.status == 200, answer.text
    assert pair.writes(two) == pair.writes(two, leases=True) == []
    one.command(first, "abort")
    one.wait_phase(first, "aborted", 30)


def test_killed_and_the_other_takes_over(pair, shops):
    """After the duration and not before."""
    shop, other = shops().create(), shops().create()
    one, two = pair.daemon("one"), pair.daemon("two")
    first = begin(one, shop, "2.0", canary={"hold": "60s"})
    weighed(one, first, 50)
    second = begin(two, other, "2.0")
    two.wait_blocked(second, "Lease airis/airisd", 10)
    holder = pair.holder()
    one.kill()
    last = pair.lease()["spec"]["renewTime"]
    begun = time.monotonic()
    wait_for("taking over", lambda: pair.holder() not in ("", holder), 30, every=0.02)
    took = time.monotonic() - begun
    # The last renewal was at most a third of the duration old; it was looked at a moment later.
    assert SECONDS * 2 / 3 - 0.2 < took < SECONDS * 1.5 * SLOW + 1, took
    new = pair.lease()["spec"]
    assert new["leaseTransitions"] == 1 and new["acquireTime"] > last
    two.wait_phase(second, "succeeded", 30)
    taken = next(r for r in pair.writes(two, leases=True) if r["status"] == 200)
    assert pair.writes(two)[0]["time_ms"] >= taken["time_ms"]
    one.start()
    blocked = one.rollout(first)
    assert blocked["phase"] == "progressing"
    one.wait(first, lambda r: r["blocked_on"] and r["blocked_on"]["object"] != "Cluster", 30)
    one.command(first, "abort")
    one.wait_phase(first, "aborted", 30)
    assert shop.leftovers() == [] and shop.weights()[1] == 0


def test_restarted_it_takes_its_own_at_once(pair, shops):
    shop = shops().create()
    one = pair.daemon("one", duration="60s")
    rid = begin(one, shop, "2.0", canary={"hold": "60s"})
    weighed(one, rid, 50)
    before = pair.lease()["spec"]
    one.kill()
    one.start()
    begun = time.monotonic()
    assert one.command(rid, "abort").status == 200
    one.wait_phase(rid, "aborted", 30)
    assert time.monotonic() - begun < 5 * SLOW
    after = pair.lease()["spec"]
    assert after["leaseTransitions"] == before["leaseTransitions"]
    assert after["acquireTime"] == before["acquireTime"]
    assert before["holderIdentity"].rsplit(".", 1)[0] in one.call(
        "GET", "/v1/clusters").json["clusters"][0]["lease"]["holder"]


def test_a_copy_of_the_database_is_another_one(pair, shops):
    """A restored backup beside the daemon it was made of."""
    shop = shops().create()
    one = pair.daemon("one", duration="60s")
    rid = begin(one, shop, "2.0", canary={"hold": "60s"})
    weighed(one, rid, 50)
    two = pair.daemon("two", duration="60s")
    two.stop()
    import sqlite3  # pylint: disable=import-outside-toplevel
    source, copy = sqlite3.connect(one.database), sqlite3.connect(two.database)
    with source, copy:
        source.backup(copy)
    source.close()
    copy.close()
    since = wall_ms()
    two.start()
    two.wait_blocked(rid, "another airisd", 10)
    assert two.command(rid, "abort").status == 200
    time.sleep(1)  # so long it could do harm
    assert two.rollout(rid)["phase"] == "aborting"
    assert pair.writes(two, since) == pair.writes(two, since, leases=True) == []
    assert shop.weights() == (50, 50)
    one.command(rid, "abort")
    one.wait_phase(rid, "aborted", 30)
    two.wait_phase(rid, "aborted", 30)  # which finds nothing left to do
    assert shop.leftovers() == []


def test_stopped_in_the_middle_it_writes_nothing_afterwards(pair, shops):
    """SIGSTOP of the one that drives; the other takes over, changes what both release, and the
    first one awakes: it sends no write, until the other has given the lease back."""
    shop, more = shops().create(), shops().create()
    one, two = pair.daemon("one"), pair.daemon("two")
    first = begin(one, shop, "2.0", canary={"weights": [10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
                                            "hold": "300ms"})
    weighed(one, first, 20)
    second = begin(two, more, "2.0", canary={"weights": [50, 100], "hold": "60s"})
    two.wait_blocked(second, "Lease airis/airisd", 10)
    one.process.popen.send_signal(signal.SIGSTOP)
    held = pair.holder()
    wait_for("taking over", lambda: pair.holder() not in ("", held), 30)
    weighed(two, second, 50)
    before, since = shop.vs(), wall_ms()
    threading.Timer(0.0, one.process.popen.send_signal, [signal.SIGCONT]).start()
    one.wait_blocked(first, "another airisd", 10)
    assert one.command(first, "abort").status == 200  # not even this
    time.sleep(SECONDS)
    assert pair.writes(one, since) == []
    refused = pair.writes(one, since, leases=True)
    assert len(refused) <= 1 and all(r["status"] == 409 for r in refused), refused
    assert shop.vs() == before
    assert "another airisd" in one.rollout(first)["blocked_on"]["what"]
    two.command(second, "abort")
    two.wait_phase(second, "aborted", 30)
    one.wait_phase(first, "aborted", 30)
    assert shop.leftovers() == [] and shop.vs()["spec"] == shop.before["spec"]
    kinds = [e["kind"] for e in one.events(first)]
    assert kinds.count("fenced") == kinds.count("fence_over") == 1


def test_a_clean_stop_gives_it_back(pair, shops):
    shop = shops().create()
    one = pair.daemon("one", duration="60s")
    rid = begin(one, shop, "2.0", canary={"hold": "60s"})
    weighed(one, rid, 50)
    two = pair.daemon("two", duration="60s")
    more = shops().create()
    second = begin(two, more, "2.0")
    two.wait_blocked(second, "another airisd", 10)
    status, took = one.stop()
    assert status == 0 and took < 1 * SLOW
    two.wait_phase(second, "succeeded", 30)


def test_idle_it_sends_nothing(pair, shops):
    shop = shops().create()
    one = pair.daemon("one", duration="2s")
    rid = begin(one, shop, "2.0")
    one.wait_phase(rid, "succeeded", 30)
    wait_for("the lease given back", lambda: pair.holder() == "", 10)
    since = wall_ms()
    time.sleep(3)  # more than the duration
    mine = [r for r in pair.lab.requests_seen()
            if r["user"] == "one" and r["time_ms"] > since and r["kind"] == "leases"]
    assert mine == []
    taken = len(pair.writes(one, leases=True))
    again = begin(one, shop, "3.0")
    one.wait_phase(again, "succeeded", 30)
    wait_for("the lease given back", lambda: pair.holder() == "", 10)
    # It knows the version that it left: the first request takes it.
    mine = [r for r in pair.lab.requests_seen()
            if r["user"] == "one" and r["time_ms"] > since and r["kind"] == "leases"]
    assert mine[0]["method"] == "PATCH" and mine[0]["status"] == 200
    assert len(pair.writes(one, leases=True)) >= taken + 2


@pytest.mark.parametrize("status, verb", [(403, "get"), (403, "create")])
def test_without_the_right_it_says_what_is_missing(pair, shops, status, verb):
    shop = shops().create()
    pair.lab.fault({"status": status}, kind="leases", verb=verb)
    one = pair.daemon("one")
    rid = begin(one, shop, "2.0")
    blocked = one.wait_blocked(rid, "rbac.yaml", 10)["blocked_on"]
    assert "HTTP 403" in blocked["what"] and "clusters[].lease.enabled: false" in blocked["what"]
    assert "rbac.yaml" in one.call("GET", "/readyz").json["clusters"][0]["lease"]["text"]
    assert pair.writes(one) == []
    pair.lab.no_faults()
    one.wait_phase(rid, "succeeded", 30)


def test_without_the_namespace_it_says_so(pair, shops):
    shop = shops().create()
    one = pair.daemon("one", namespace="nowhere")
    rid = begin(one, shop, "2.0")
    blocked = one.wait_blocked(rid, "rbac.yaml", 10)["blocked_on"]
    assert 'namespaces "nowhere" not found' in blocked["what"]
    assert pair.writes(one) == []
    pair.kube.ensure_namespace("nowhere")
    one.wait_phase(rid, "succeeded", 30)


def test_switched_off_it_writes_without(pair, shops):
    shop = shops().create()
    one = pair.daemon("one", enabled=False)
    rid = begin(one, shop, "2.0")
    one.wait_phase(rid, "succeeded", 30)
    assert pair.lease() is None
    assert one.call("GET", "/v1/clusters").json["clusters"][0]["lease"] is None
    assert "writes without a lease" in one.ctl("cluster", "status", check=0).stdout


def test_an_abort_over_an_outage(pair, shops):
    """The lease runs out while the API server is away; an abort is carried out at once when it is
    back, by nobody's leave but the lease's."""
    shop = shops().create()
    one = pair.daemon("one")
    rid = begin(one, shop, "2.0", canary={"hold": "60s"})
    weighed(one, rid, 50)
    pair.lab.kill_api()
    one.wait_blocked(rid, "Cluster", 30)
    time.sleep(SECONDS)
    assert one.command(rid, "abort").status == 200
    pair.lab.revive_api()
    begun = time.monotonic()
    wait_for("traffic at home", lambda: shop.weights()[1] == 0, 20, every=0.02)
    assert time.monotonic() - begun < 2.5 * SLOW
    one.wait_phase(rid, "aborted", 30)
    assert 'airis_lease_lost_total{cluster="default"} 1' in one.call("GET", "/metrics").text
    assert fm.weights_written(one, rid)[-1] == 0
