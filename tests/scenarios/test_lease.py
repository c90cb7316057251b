"""Two airisd, two databases, one cluster, one Lease: on a real API server too."""
import re
import signal
import time

from harness.process import SLOW, wait_for
from harness.scene import acts

LEASE = "/apis/coordination.k8s.io/v1/namespaces/airis/leases/"
SECONDS = 6


def writes_sent(daemon):
    """By verb and status, as the daemon itself counts them."""
    text = daemon.call("GET", "/metrics").text
    found = re.findall(r'airis_kube_requests_total\{.*verb="(\w+)",code="(\d+)"\} (\d+)', text)
    return {(verb, code): int(n) for verb, code, n in found
            if verb not in ("GET", "LIST", "WATCH")}


def two(scene, name):
    lease = {"name": name, "duration": f"{SECONDS}s"}
    return scene.daemon(lease=lease), scene.daemon(lease=lease)


def begin(daemon, shop, tag, **app):
    daemon.apply(shop.app(gates=[], **app))
    return daemon.start_rollout(shop.name, shop.image_of(tag))


def holder(scene, name):
    return scene.kube.call("GET", LEASE + name)["spec"].get("holderIdentity", "")


def test_killed_and_taken_over(scene):
    """The same app in both. The first one is killed with half of the traffic on its canary: the
    other takes over when the lease has stood still for its duration, and finds what was left."""
    shop = scene.shop()
    one, other = two(scene, "killed")
    plan = {"weights": [50, 100], "hold": "60s", "drain": "1s"}
    first = begin(one, shop, "2.0", canary=plan)
    one.wait(first, lambda r: r["weight"]["taken"] == 50, 60, "half of the traffic")
    second = begin(other, shop, "3.0", canary={**plan, "hold": "1s"})
    blocked = other.wait_blocked(second, "another airisd", 20)["blocked_on"]
    assert blocked["object"] == "Lease airis/killed"
    assert writes_sent(other) == {}
    held = holder(scene, "killed")
    one.kill()
    began = time.monotonic()
    wait_for("taking over", lambda: holder(scene, "killed") not in ("", held), 60, every=0.05)
    took = time.monotonic() - began
    assert SECONDS * 2 / 3 - 0.5 < took < SECONDS * 1.5 * SLOW + 2, took
    # Half of the traffic is on a canary that is not its own: nothing is built on that.
    ended = other.wait(second, lambda r: r["phase"] in ("aborted", "succeeded"), 60)
    assert ended["phase"] == "aborted" and "preflight" in ended["reason"], ended["reason"]
    assert shop.weights() == (50, 50)
    one.start()
    one.wait(first, lambda r: r["weight"]["taken"] == 50 and not r["blocked_on"]
             or r["blocked_on"]["object"] == "Stage", 60, "its turn")
    one.command(first, "abort")
    one.wait_phase(first, "aborted", 60)
    again = begin(other, shop, "3.0", canary={**plan, "hold": "1s"})
    other.wait_phase(again, "succeeded", 120)
    shop.assert_home(image=shop.image_of("3.0"))


def test_stopped_and_awoken(scene):
    """SIGSTOP in the middle, the other takes over, SIGCONT: from then on the first one sends no
    write but a renewal that is refused, also for an abort, until it is its turn again."""
    shop, more = scene.shop(), scene.shop()
    one, other = two(scene, "stopped")
    plan = {"weights": list(range(5, 100, 5)) + [100], "hold": "300ms", "drain": "1s"}
    first = begin(one, shop, "2.0", canary=plan)
    one.wait(first, lambda r: r["weight"]["taken"] >= 10, 60, "some of the traffic")
    second = begin(other, more, "2.0", canary={"weights": [50, 100], "hold": "60s",
                                               "drain": "1s"})
    other.wait_blocked(second, "another airisd", 20)
    refused = writes_sent(one).get(("PATCH", "409"), 0)
    one.process.popen.send_signal(signal.SIGSTOP)
    held = holder(scene, "stopped")
    wait_for("taking over", lambda: holder(scene, "stopped") not in ("", held), 60)
    other.wait(second, lambda r: r["weight"]["taken"] == 50, 60, "half of the traffic")
    before = shop.vs()
    one.process.popen.send_signal(signal.SIGCONT)
    one.wait_blocked(first, "another airisd", 20)
    sent = writes_sent(one)
    assert one.command(first, "abort").status == 200
    time.sleep(SECONDS)  # so long it would have time to do harm
    assert writes_sent(one) == sent
    assert sent.get(("PATCH", "409"), 0) == refused + 1  # the renewal
    assert shop.vs() == before
    other.command(second, "abort")
    other.wait_phase(second, "aborted", 60)
    one.wait_phase(first, "aborted", 60)
    more.assert_home()
    shop.assert_home()
    assert acts(one.events(first), "weight")[-1] == 0
