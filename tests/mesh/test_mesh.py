"""Whole canaries on real istiod, real Envoy and real requests: 0 lost, whatever happens."""
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.kube import KINDS, without_noise
from harness.process import wait_for
from harness.shop import GATE, MODES, Shop

from meshlab import ENVOY
from watching import SCOPE, Bystander, Churn, Killer, check_taken, first_on, last_on, saying, \
    seconds, steps

KINDS.setdefault("Sidecar", ("/apis/networking.istio.io/v1", "sidecars", True))
QUICK = {"weights": [10, 50, 100], "hold": "1s", "drain": "1s", "deadline": "90s"}
SLOW = {**QUICK, "drain": "5s"}  # longer than answers of 500 ms take


def open_shops(mesh, count=1, tag="1.0-abrupt", mode="host"):
    with ThreadPoolExecutor(count) as pool:
        shops = [Shop(mesh, mode=mode, tag=tag) for _ in range(count)]
        return list(pool.map(lambda shop: shop.create(), shops))


def begin(airisd, shop, tag="2.0-abrupt", canary=None, gates=(GATE,)):
    airisd.apply(shop.app(canary=canary or QUICK, gates=list(gates)))
    return airisd.start_rollout(shop.name, shop.image_of(tag))


def assert_home(shop):
    assert shop.leftovers() == []
    assert without_noise(shop.vs())["spec"] == without_noise(shop.before)["spec"]


def known(airisd, rid):
    return [step.known for step in steps(airisd.events(rid))]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tags", [("1.0-abrupt", "2.0-abrupt"), ("1.0-lat500", "2.0-lat500")])
def test_healthy(mesh, make_airisd, mode, tags):
    """1: three at a time, pods that stop abruptly or answers that take 500 ms: 0 lost."""
    airisd = make_airisd()
    shops = open_shops(mesh, 3, tags[0], mode)
    rids = [begin(airisd, shop, tags[1], SLOW if "lat" in tags[1] else QUICK) for shop in shops]
    for shop, rid in zip(shops, rids):
        airisd.wait_phase(rid, "succeeded", 180)
        assert shop.stable_image() == shop.image_of(tags[1])
        assert_home(shop)
    for shop, rid in zip(shops, rids):
        assert shop.lost() == {}
        assert known(airisd, rid) == ["confirmed"] * 4


@pytest.mark.parametrize("mode", ["host", "subset"])
def test_bad_canary(mesh, make_airisd, mode):
    """2: 20 % errors: aborted by its gate, 0 lost."""
    airisd = make_airisd()
    shop, = open_shops(mesh, mode=mode)
    since = time.time()
    rid = begin(airisd, shop, "2.0-err20-abrupt")
    airisd.wait_phase(rid, "aborted", 90)
    assert_home(shop)
    assert shop.lost() == {}
    errors = sum(r.code == 500 for r in mesh.log(shop.route, since))
    print(f"users met {errors} errors of a canary with 20 % ({mode})")
    assert errors < 100


@pytest.mark.parametrize("mode", MODES)
def test_abort_in_each_stage(mesh, make_airisd, mode):
    """2: by command: 0 lost, the canary's last request at most 0.5 s after it was accepted."""
    airisd = make_airisd()
    shop, = open_shops(mesh, mode=mode)
    for weight in (0, 10, 50, 100):
        since = time.time()
        canary = {**QUICK, "hold": "60s"}
        if weight == 0:
            canary["weights"] = [50, 100]
        rid = begin(airisd, shop, "2.0-abrupt" if weight else "2.0-slow-abrupt", canary, [])
        for at in (w for w in (10, 50, 100) if w <= weight):
            airisd.wait(rid, lambda r, at=at: r["weight"]["taken"] == at and r["stage"]["settled"],
                        60)
            if at < weight:
                airisd.command(rid, "promote")
        if weight == 0:
            airisd.wait(rid, lambda r: r["canary"]["size"] > 0, 30)
        else:  # of few requests a tenth may be none for a moment
            wait_for("a request on the canary", lambda since=since: last_on(
                mesh.log(shop.route, since), shop.name + "-canary"), 20)
        assert airisd.command(rid, "abort").status == 200
        accepted = time.time()
        airisd.wait_phase(rid, "aborted", 60)
        log = mesh.log(shop.route, since)
        last = last_on(log, shop.name + "-canary")
        assert (last is not None) == (weight > 0)
        print(f"{mode}, abort at {weight}: last request on the canary "
              f"{(last or accepted) - accepted:.3f} s after it was accepted")
        assert (last or 0) <= accepted + 0.5
        assert_home(shop)
    assert shop.lost() == {}


def test_abort_while_promoted(mesh, make_airisd):
    """2: the stable pods run the new image already: the canary carries all until they are back."""
    airisd = make_airisd()
    shop, = open_shops(mesh)
    rid = begin(airisd, shop, canary={**QUICK, "hold": "0s"}, gates=[])
    airisd.wait(rid, lambda r: shop.stable_image() == shop.image_of("2.0-abrupt"), 60)
    airisd.command(rid, "abort")
    airisd.wait_phase(rid, "aborted", 90)
    assert shop.stable_image() == shop.image
    assert_home(shop)
    assert shop.lost() == {}


@pytest.mark.parametrize("mode", ["host", "gateway"])
def test_churn(mesh, make_airisd, mode):
    """3: a Service changes every 50 ms: every weight is confirmed, none before the proxies."""
    airisd = make_airisd()
    shop, = open_shops(mesh, mode=mode)
    since = time.time()
    with Churn(shop) as churn:
        rid = begin(airisd, shop, gates=[])
        airisd.wait_phase(rid, "succeeded", 240)
        assert churn.changes > 100 and churn.mean < 0.09, "too slow to keep the debounce open"
    events = airisd.events(rid)
    log = mesh.log(shop.route, since)
    found = check_taken(shop, rid, events, log)
    assert [(s.weight, s.known) for s in found] == [(w, "confirmed") for w in (10, 50, 100, 0)]
    print("from the patch's answer to taken:",
          [f"{s.weight}: {s.taken - s.answered:.1f} s" for s in found])
    assert shop.lost() == {}
    assert_home(shop)


@pytest.mark.parametrize("end", ["succeeded", "aborted"])
def test_observed(mesh, make_airisd, end):
    """istiod is not asked: the requests that the proxies count show every weight, none too early."""
    airisd = make_airisd(asks=False, observe="default")
    shop, = open_shops(mesh)
    since = time.time()
    hold = {"hold": "120s", "weights": [10, 50]} if end == "aborted" else {}
    rid = begin(airisd, shop, canary={**QUICK, "hold": "4s", **hold}, gates=[])
    if end == "aborted":
        airisd.wait(rid, lambda r: r["weight"]["taken"] == 10 and r["stage"]["settled"], 90)
        airisd.command(rid, "promote")
        airisd.wait(rid, lambda r: r["weight"]["taken"] == 50, 90)
        assert airisd.command(rid, "abort").status == 200
    airisd.wait_phase(rid, end, 240)
    found = check_taken(shop, rid, airisd.events(rid), mesh.log(shop.route, since))
    print("from the patch's answer to taken:",
          [f"{s.weight}: {s.taken - s.answered:.1f} s" for s in found])
    weights = [10, 50, 0] if end == "aborted" else [10, 50, 100, 0]
    assert [(s.weight, s.known) for s in found] == [(w, "observed") for w in weights], \
        [(s.weight, s.known, s.missing) for s in found]
    assert shop.lost() == {}
    assert_home(shop)


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_istiod_gone_in_mid_rollout(mesh, make_airisd, how):
    """4: it waits, says so, tears nothing down, and goes on by itself."""
    airisd = make_airisd()
    shop, = open_shops(mesh)
    rid = begin(airisd, shop, gates=[])
    airisd.wait(rid, lambda r: r["weight"]["written"] == 10, 60)
    try:
        if how == "killed":
            mesh.kill_istiod()
        else:
            mesh.signal_part("istiod", signal.SIGSTOP)
        blocked = saying(airisd, rid, "istiod")
        time.sleep(6)
        assert airisd.rollout(rid)["phase"] == "progressing", blocked
    finally:
        mesh.calm()
    airisd.wait_phase(rid, "succeeded", 180)
    assert shop.lost() == {}
    assert_home(shop)


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_istiod_gone_during_abort(mesh, make_airisd, how):
    """4: its webhook refuses the weight: tried again until it is taken, both sides stay whole."""
    airisd = make_airisd()
    shop, = open_shops(mesh)
    since = time.time()
    rid = begin(airisd, shop, canary={**QUICK, "weights": [50, 100], "hold": "300s"}, gates=[])
    airisd.wait(rid, lambda r: r["weight"]["taken"] == 50, 60)
    try:
        if how == "killed":
            mesh.kill_istiod()
        else:
            mesh.signal_part("istiod", signal.SIGSTOP)
        assert airisd.command(rid, "abort").status == 200
        blocked = saying(airisd, rid, "failed calling webhook", "validation.istio.io", timeout=40)
        assert blocked["since"]
        time.sleep(5)
        assert shop.ready(shop.name) == 4 and shop.ready(shop.name + "-canary") == 2
        back = time.time()
    finally:
        mesh.calm()
    airisd.wait_phase(rid, "aborted", 120)
    log = mesh.log(shop.route, since)
    print(f"istiod {how}: last request on the canary "
          f"{last_on(log, shop.name + '-canary') - back:.1f} s after it was let go on")
    assert shop.lost() == {}
    assert_home(shop)


@pytest.mark.parametrize("why", ["scoped", "stopped"])
def test_a_proxy_that_never_confirms(mesh, make_airisd, why):
    """5: bounded by 15 s, named; status and explain say it."""
    airisd = make_airisd()
    shop, = open_shops(mesh)
    namespace = "scoped" if why == "scoped" else "stopped"
    mesh.kube.ensure_namespace(namespace)
    if why == "scoped" and mesh.kube.get("Sidecar", "scoped", "default") is None:
        mesh.kube.create(SCOPE)
    envoy = Bystander(mesh, namespace, ENVOY).start()
    try:
        if why == "stopped":
            envoy.freeze()
        canary = {**QUICK, "weights": [100], "hold": "20s"}
        rid = begin(airisd, shop, canary=canary, gates=[])
        airisd.wait(rid, lambda r: r["weight"]["taken"] == 100, 90)
        step = steps(airisd.events(rid))[0]
        assert step.known == "assumed" and envoy.name in step.missing
        assert "client-" not in step.missing
        assert 14 <= step.taken - step.answered <= 17
        assert envoy.name in airisd.ctl("rollout", "explain", rid, check=0).stdout
        assert envoy.name in airisd.ctl("mesh", "status", check=0).stdout
    finally:
        envoy.stop()
    airisd.wait_phase(rid, "succeeded", 120)
    assert shop.lost() == {}


@pytest.mark.parametrize("tag,end", [("2.0-abrupt", "succeeded"), ("2.0-err20-abrupt", "aborted")])
def test_kill_again_and_again(mesh, make_airisd, tag, end):
    """6: kill -9 of airisd every 300 ms: 0 lost."""
    airisd = make_airisd()
    shop, = open_shops(mesh)
    rid = begin(airisd, shop, tag)
    killer = Killer(airisd)
    killer.until(lambda: airisd.rollout(rid)["phase"] in ("succeeded", "aborted", "failed"), 240)
    print(f"{killer.kills} kills")
    assert airisd.rollout(rid)["phase"] == end
    assert_home(shop)
    assert shop.lost() == {}


def test_abort_to_the_wire(mesh, make_airisd):
    """A mesh that confirms nothing does not make an abort wait."""
    airisd = make_airisd()
    shop, = open_shops(mesh)
    mesh.kube.ensure_namespace("stopped")
    envoy = Bystander(mesh, "stopped", ENVOY).start()
    try:
        envoy.freeze()
        rid = begin(airisd, shop, canary={**QUICK, "weights": [50]}, gates=[])
        airisd.wait(rid, lambda r: r["weight"]["written"] == 50, 60)
        begun = time.time()
        airisd.command(rid, "abort")
        wait_for("the abort's weight", lambda: shop.weights()[1] == 0, 5, every=0.01)
        took = time.time() - begun
        written = next(e for e in reversed(airisd.events(rid))
                       if e["kind"] == "acted" and e["data"]["outcome"] == "done")
        print(f"abort at the API after {seconds(written['at']) - begun:.3f} s (seen {took:.3f} s)")
        assert seconds(written["at"]) - begun < 0.5
    finally:
        envoy.stop()
    airisd.wait_phase(rid, "aborted", 60)
    log = mesh.log(shop.route, begun)
    assert first_on(log, shop.name + "-canary", begun + 0.5) is None
    assert shop.lost() == {}
