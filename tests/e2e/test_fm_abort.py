"""Failure modes of aborts (F42 to F46, F49): from every state, whatever goes wrong meanwhile."""
import time

import pytest

import fm
from harness.kube import without_noise
from harness.process import SLOW, wait_for


def is_home(shop):
    wait_for("nothing left over", lambda: shop.leftovers() == [], 10)
    assert without_noise(shop.vs())["spec"] == without_noise(shop.before)["spec"]
    assert shop.stable_image() == shop.image
    assert shop.kube.get("Deployment", shop.namespace, shop.name)["spec"]["replicas"] == \
        shop.replicas
    assert shop.kube.get("DestinationRule", shop.namespace, shop.name) is None


def start(daemon, shop, tag="2.0", **canary):
    daemon.apply(fm.quick(shop, canary={"deadline": "60s", **canary}))
    return daemon.start_rollout(shop.name, shop.image_of(tag))


def aborts(daemon, rid, shop, **body):
    """Aborts; the canary's weight is 0 at once, home is reached in the end."""
    begin = time.monotonic()
    assert daemon.command(rid, "abort", **body).status == 200
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 10, every=0.01)
    took = time.monotonic() - begin
    daemon.wait_phase(rid, "aborted")
    is_home(shop)
    return took


STATES = {
    "first-moment": (None, "2.0", {}),
    "pods-pending": (lambda r: "canary" in (r["blocked_on"] or {}).get("object", ""), "2.0-never",
                     {}),
    "unpullable": (lambda r: "Pull" in (r["blocked_on"] or {}).get("what", ""), "2.0-nopull", {}),
    "crashing": (lambda r: "rash" in (r["blocked_on"] or {}).get("what", ""), "2.0-crash", {}),
    "weight-written": (lambda r: r["weight"]["written"] == 50, "2.0", {}),
    "holding": (lambda r: r["stage"]["hold_until"] and r["stage"]["settled"], "2.0",
                {"hold": "60s"}),
    "second-canary-stage": (lambda r: r["stage"]["name"] == "canary 100%", "2.0", {}),
}


@pytest.mark.parametrize("mode", ["host", "subset"])
@pytest.mark.parametrize("name", STATES)
def test_abort_in(name, mode, quick, shops):
    """F42, F49: in each state before the promotion, in both shapes of traffic."""
    reached, tag, canary = STATES[name]
    shop = shops(mode=mode).create()
    rid = start(quick, shop, tag, **canary)
    if reached:
        quick.wait(rid, reached, 20)
    assert aborts(quick, rid, shop) < 1 * SLOW
    assert shop.lost() == {}


@pytest.mark.parametrize("stage", ["promote", "return", "clean"])
def test_abort_after_the_canary(stage, quick, shops):
    """F42, F45, F49: while the stable side takes the new image, or has it: it gets the old one
    back, and at no moment goes traffic to a side that cannot carry it."""
    shop = shops(replicas=3).create()
    rid = start(quick, shop)
    quick.wait(rid, lambda r: r["stage"]["name"] == stage and
               (stage != "promote" or shop.stable_image() == shop.image_of("2.0")))
    answer = quick.command(rid, "abort")
    assert answer.status == 200 or quick.rollout(rid)["phase"] == "succeeded"
    if answer.status == 200:
        quick.wait_phase(rid, "aborted")
        is_home(shop)
    assert shop.lost() == {}


def test_abort_during_promote_full(quick, shops):
    """F42: a promotion to all of the traffic is asked for and not there yet."""
    shop = shops(replicas=4).create()
    rid = start(quick, shop, hold="60s")
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    assert quick.command(rid, "promote", full=True).status == 200
    aborts(quick, rid, shop)
    assert shop.stable_image() == shop.image and shop.lost() == {}


def test_abort_when_paused_and_queued(quick, shops):
    """F42: what is paused goes home; what is queued has nothing to undo and ends at once."""
    shop = shops().create()
    rid = start(quick, shop, hold="60s")
    second = quick.start_rollout(shop.name, shop.image_of("3.0"))
    assert quick.rollout(second)["phase"] == "queued"
    assert rid in quick.rollout(second)["blocked_on"]["what"]
    assert quick.command(second, "abort").status == 200
    quick.wait_phase(second, "aborted", 5)
    assert fm.acts(quick, second) == []
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    assert quick.command(rid, "pause").status == 200
    aborts(quick, rid, shop)


def test_abort_while_throttled(quick, quick_lab, shops):
    """F42, F65: the API server answers 429 to most writes; the abort's weight is through as soon as
    one is taken."""
    shop = shops().create()
    rid = start(quick, shop, hold="60s")
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    quick_lab.fault({"status": 429, "retry_after": 1}, count=3, verb="write",
                    namespace=shop.namespace, user_agent="airisd")
    aborts(quick, rid, shop, reason="throttled")
    assert quick.rollout(rid)["reason"] == "throttled"


def test_abort_again(quick, shops):
    """F43: twice, and after the end: the same answer and one effect; after success it is refused
    with what to do instead."""
    shop = shops().create()
    rid = start(quick, shop, hold="60s")
    quick.wait_weight(rid, 50)
    assert [quick.command(rid, "abort", reason=why).status for why in ("one", "two")] == [200, 200]
    ended = quick.wait_phase(rid, "aborted")
    assert quick.command(rid, "abort").status == 200
    assert quick.rollout(rid) == ended and ended["reason"] == "one"
    assert [e["data"]["name"] for e in quick.events(rid) if e["kind"] == "command"] == ["abort"]
    assert quick.ctl("rollout", "abort", rid).returncode == 0
    good = start(quick, shop)
    quick.wait_phase(good, "succeeded")
    refused = quick.command(good, "abort")
    assert refused.status == 409 and "undo" in refused.json["detail"]
    assert quick.ctl("rollout", "abort", good).returncode == 6


def test_promotion_that_fails(quick, quick_lab, shops):
    """F45: the stable workload cannot get pods of the new image: traffic stays on the canary, which
    is the healthy side, until the old image is back."""
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop, canary={"deadline": "3s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["weight"]["written"] == 100)
    quick_lab.fault({"quota": 4}, namespace=shop.namespace)
    seen = fm.Seen(shop.kube, "VirtualService", shop.namespace)
    ended = quick.wait_phase(rid, "aborted")
    assert 'no progress in stage "promote"' in ended["reason"]
    quick_lab.no_faults()
    is_home(shop)
    assert shop.lost() == {}
    seen.done()


def test_aborted_stays_aborted(quick, shops):
    """F46: it is not tried again by itself, not after a restart, not when the app is applied."""
    shop = shops().create()
    rid = start(quick, shop, hold="60s")
    quick.wait_weight(rid, 50)
    quick.command(rid, "abort")
    quick.wait_phase(rid, "aborted")
    assert quick.command(rid, "retry").status == 409
    quick.kill()
    quick.restart()
    quick.apply(fm.quick(shop, canary={"hold": "1s"}))
    time.sleep(1)
    listed = quick.call("GET", f"/v1/rollouts?app={shop.name}").json["items"]
    assert [r["id"] for r in listed] == [rid] and listed[0]["phase"] == "aborted"
    assert shop.weights() == (100, 0) and shop.leftovers() == []
