"""Weights that are observed in traffic, where istiod cannot be asked: a real Prometheus counts the
requests of a mesh that is up to nine seconds late, and mesh.settle is five. By time alone most
weights would be taken too early. What airisd says is compared with the counters themselves."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.daemon import Daemon
from harness.lab import KIND, Lab, Prometheus
from harness.process import free_port, wait_for
from harness.shop import Shop

pytestmark = pytest.mark.skipif(KIND != "sim", reason="only there the mesh can be so late")
LATE, SETTLE = 9, 5  # a weight is 4.5 to 9 seconds late
LEAST = LATE / 2


class Place:
    """The lab and its Prometheus. Most of a scenario is waiting, so all of them run at once."""

    def __init__(self, folder):
        self.folder, self.running = folder, {}
        self.lab = Lab(str(folder), mesh_delay=f"{LATE * 1000}ms", ready_after="100ms",
                       options=("-reporters", "both")).start()
        self.prometheus = Prometheus(str(folder), [self.lab.metrics]).start()
        self.pool = ThreadPoolExecutor(len(SCENARIOS))
        for scenario in SCENARIOS:
            self.running[scenario] = self.pool.submit(self.play, scenario)

    def play(self, scenario):
        folder = self.folder / scenario.__name__
        folder.mkdir()
        url = f"http://127.0.0.1:{free_port()}" if scenario is source_is_away else None
        daemon = Daemon(str(folder), self.lab.kubeconfig, url or self.prometheus.url,
                        settle=f"{SETTLE}s", observe="default").start()
        try:
            scenario(Shop(self.lab).create(), daemon)
        finally:
            status, _ = daemon.stop()
        assert status == 0, daemon.process.text()[-3000:]

    def stop(self):
        self.pool.shutdown(cancel_futures=True)
        self.prometheus.stop()
        self.lab.stop()


@pytest.fixture(scope="module")
def observing(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("observed"))
    yield made
    made.stop()


class Counting:
    """The requests that both sides have answered, read from the simulator all the time."""

    def __init__(self, shop):
        self.shop, self.samples, self.stopping = shop, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.wait(0.1):
            begun = time.time()
            stable, canary = (self.shop.lab.requests(self.shop.name + more)
                              for more in ("", "-canary"))
            self.samples.append((begun, time.time(), stable, canary))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def between(self, since, until):
        """(all, canary's) requests of that time, as far as it was seen."""
        inside = [s for s in self.samples if s[0] >= since and s[1] <= until]
        if len(inside) < 2:
            return 0, 0
        stable, canary = (inside[-1][i] - inside[0][i] for i in (2, 3))
        return stable + canary, canary


def weights(daemon, rid):
    """[(weight, when it was written, the fact)]"""
    found = []
    for event in daemon.events(rid):
        data = event["data"]
        if event["kind"] == "act" and data["act"] == "weight":
            found.append([data["number"], None, None])
        elif event["kind"] == "taken" and data["subject"] == "weight" and found:
            found[-1][1:] = [data["of_ms"] / 1000, data]
    return [tuple(f) for f in found]


def begin(shop, daemon, **canary):
    daemon.apply(shop.app(gates=[], canary={"weights": [10, 50, 100], "hold": "2s", **canary}))
    return daemon.start_rollout(shop.name, shop.image_of("2.0"))


def check_observed(found, counts):
    """None before the mesh had it, and from then on the traffic is so."""
    ends = [written for _, written, _ in found[1:]] + [time.time()]
    for (weight, written, fact), end in zip(found, ends):
        assert fact["known"] == "observed", (weight, fact)
        taken = fact["since_ms"] / 1000
        assert LEAST <= taken - written <= 15, (weight, taken - written)
        total, canary = counts.between(taken, end)
        where = f"weight {weight}: {canary} of {total} requests"
        if weight in (0, 100):
            assert canary * 100 == total * weight, where
        elif total > 100:
            spread = 5 * (total * weight / 100 * (1 - weight / 100)) ** 0.5
            assert abs(canary - total * weight / 100) <= spread, where


def healthy(shop, daemon):
    with Counting(shop) as counts:
        rid = begin(shop, daemon)
        said = daemon.wait_blocked(rid, "traffic does not show it yet: 0 of ", 40)["blocked_on"]
        assert "10 % expected" in said["what"] and said["until"]
        assert "0 of " in daemon.ctl("rollout", "explain", rid, check=0).stdout
        assert "not taken yet" in daemon.ctl("mesh", "status", check=0).stdout
        daemon.wait(rid, lambda r: r["weight"]["known"] == "observed", 40)
        assert "observed" in daemon.ctl("rollout", "status", rid, check=0).stdout
        daemon.wait_phase(rid, "succeeded", 180)
    found = weights(daemon, rid)
    assert [f[0] for f in found] == [10, 50, 100, 0]
    check_observed(found, counts)
    others = [e["data"] for e in daemon.events(rid)
              if e["kind"] == "taken" and e["data"]["subject"] != "weight"]
    assert {f["known"] for f in others} == {"assumed"} and not any("missing" in f for f in others)
    shop.assert_home(shop.image_of("2.0"))
    mesh = daemon.call("GET", "/v1/mesh").json["clusters"][0]
    assert mesh["how"] == "traffic" and mesh["traffic"]["verdict"] == "taken"
    assert f"{shop.namespace}/{shop.name}: 0 of " in mesh["traffic"]["seen"]
    looked = mesh["traffic"]["looked_ms"]
    time.sleep(3)  # nothing is open, so nobody looks
    assert daemon.call("GET", "/v1/mesh").json["clusters"][0]["traffic"]["looked_ms"] == looked


def abort(shop, daemon):
    """Its weight is out at once; the canary stays until no request comes to it."""
    with Counting(shop) as counts:
        rid = begin(shop, daemon, weights=[50, 100], hold="60s")
        daemon.wait(rid, lambda r: r["weight"]["taken"] == 50, 60)
        begun = time.time()
        assert daemon.command(rid, "abort").status == 200
        wait_for("the abort's weight", lambda: shop.weights() == (100, 0), 5, every=0.01)
        assert time.time() - begun < 1
        time.sleep(SETTLE + 1)
        assert shop.ready(f"{shop.name}-canary") == 2
        daemon.wait_phase(rid, "aborted", 60)
    check_observed(weights(daemon, rid), counts)
    shop.assert_home()


def killed_while_it_looks(shop, daemon):
    """mesh.settle is over when it is back; what it knew is lost, and it looks before it assumes."""
    with Counting(shop) as counts:
        rid = begin(shop, daemon, weights=[50, 100], hold="60s")
        daemon.wait_blocked(rid, "traffic does not show it yet", 40)
        time.sleep(SETTLE)
        daemon.kill()
        daemon.restart()
        r = daemon.wait(rid, lambda r: r["weight"]["taken"] == 50, 40)
        assert r["weight"]["known"] == "observed"
        daemon.command(rid, "abort")
        wait_for("the abort's weight", lambda: shop.weights() == (100, 0), 5, every=0.01)
        time.sleep(1)
        daemon.kill()
        daemon.restart()
        daemon.wait_phase(rid, "aborted", 60)
    check_observed(weights(daemon, rid), counts)
    shop.assert_home()


def cannot_tell(shop, daemon, why):
    """Held back no longer than by time alone, and it is written down why."""
    shop.kube.patch("VirtualService", shop.namespace, shop.name,
                    {"metadata": {"annotations": {"lab/rps": "0"}}})
    seen = [None]

    def quiet():
        before, seen[0] = seen[0], shop.lab.requests(shop.name)
        return before == seen[0]
    wait_for("no traffic", quiet, 30, every=1)
    rid = begin(shop, daemon, weights=[50, 100], hold="1s")
    daemon.wait_phase(rid, "succeeded", 120)
    for weight, written, fact in weights(daemon, rid):
        assert fact["known"] == "assumed", (weight, fact)
        assert abs(fact["since_ms"] / 1000 - written - SETTLE) < 0.01
        assert why in fact["missing"], fact
    explained = " ".join(daemon.ctl("rollout", "explain", rid, check=0).stdout.split())
    assert "what did not confirm it: " in explained


def no_requests(shop, daemon):
    cannot_tell(shop, daemon, "got no requests")


def source_is_away(shop, daemon):
    cannot_tell(shop, daemon, "data source default: ")


SCENARIOS = (healthy, abort, killed_while_it_looks, no_requests, source_is_away)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_observed(observing, scenario):
    observing.running[scenario].result()
