"""Canaries on a mesh that behaves as a real istiod (airis-sim -mesh istiod), asked what it has
taken: debounce, churn, an istiod that is down, a proxy that never confirms. 0 lost everywhere.
Only the simulator can be told to be so; the real thing is in tests/mesh."""
import os
import time

import pytest

from harness.daemon import Daemon
from harness.lab import Lab
from harness.process import BUILD, Process, wait_for
from harness.shop import MODES, Shop


class MeshLab(Lab):
    def __init__(self, folder, *options):
        super().__init__(folder)
        self.process = Process(
            [os.path.join(BUILD, "airis-sim"), "-dir", self.folder, "-mesh", "istiod",
             "-ready-after", "200ms", "-rps", "100", *options], os.path.join(folder, "lab.log"))

    def start(self):
        super().start()
        with open(os.path.join(self.folder, "ready"), encoding="utf-8") as f:
            values = dict(line.strip().split("=", 1) for line in f)
        self.istiod = "http://" + values["ISTIOD"]
        return self

    def tell(self, **what):
        return self.ask_sim("POST", "/sim/mesh", what)

    def gateway(self, **what):
        """istiod is the controller of HTTPRoutes, too."""
        return self.ask_sim("POST", "/sim/gateway", what)

    def mesh(self):
        return self.ask_sim("GET", "/sim/mesh")


@pytest.fixture(scope="module")
def mesh_lab(tmp_path_factory):
    made = MeshLab(str(tmp_path_factory.mktemp("mesh")), "-istiod-token", "of-airisd",
                   "-debounce-max", "4s").start()
    yield made
    made.stop()


@pytest.fixture
def mesh(mesh_lab):
    yield mesh_lab
    mesh_lab.tell(istiod="up", churn_ms=0, stopped=[], scoped=[])
    mesh_lab.gateway(controller="up", accept_delay_ms=100)


@pytest.fixture
def asking(mesh, tmp_path):
    """airisd that asks this istiod, with the token that it wants."""
    token = tmp_path / "token"
    token.write_text("of-airisd")
    daemon = Daemon(str(tmp_path), mesh.kubeconfig, settle="12s",
                    istiod={"urls": [mesh.istiod], "tokenFile": str(token)}).start()
    yield daemon
    status, _ = daemon.stop()
    assert status == 0, daemon.process.text()[-3000:]


def begin(lab, daemon, mode="host", **canary):
    shop = Shop(lab, mode=mode).create()
    daemon.apply(shop.app(gates=[], canary={"weights": [10, 50, 100], "hold": "1s", **canary}))
    return shop, daemon.start_rollout(shop.name, shop.image_of("2.0"))


def taken(daemon, rid, subject="weight"):
    return [e["data"] for e in daemon.events(rid)
            if e["kind"] == "taken" and e["data"]["subject"] == subject]


def assert_home(shop):
    assert shop.leftovers() == []
    assert shop.lost() == {}


def blocked(daemon, rid):
    now = daemon.rollout(rid)["blocked_on"]
    return f"{now['object']}: {now['what']}" if now else ""


@pytest.mark.parametrize("mode", MODES)
def test_healthy(mesh, asking, mode):
    """Every weight is confirmed, in less time than assuming a single one would take."""
    began = time.monotonic()
    shop, rid = begin(mesh, asking, mode)
    asking.wait_phase(rid, "succeeded", 60)
    assert time.monotonic() - began < 30
    facts = taken(asking, rid)
    assert len(facts) >= 4 and {f["known"] for f in facts} == {"confirmed"}
    assert_home(shop)
    assert shop.stable_image() == shop.image_of("2.0")
    asked = mesh.mesh()["asked"]
    time.sleep(1)  # nothing is open, so nobody is asked
    assert mesh.mesh()["asked"] == asked
    assert not {"/debug/config_dump", "/debug/edsz", "/debug/ndsz"} & set(asked)


@pytest.mark.parametrize("mode", ["host", "gateway"])
@pytest.mark.parametrize("weight", [10, 50, 100])
def test_abort(mesh, asking, weight, mode):
    shop, rid = begin(mesh, asking, mode, weights=[weight, 100] if weight < 100 else [100], hold="30s")
    asking.wait_weight(rid, weight)
    asking.command(rid, "abort")
    asking.wait_phase(rid, "aborted", 60)
    assert_home(shop)
    assert shop.stable_image() == shop.image


@pytest.mark.parametrize("mode", ["host", "gateway"])
def test_churn(mesh, asking, mode):
    """Another Service changes every 50 ms: pushes come every four seconds, and it waits for them."""
    shop, rid = begin(mesh, asking, mode)
    asking.wait_weight(rid, 10)
    mesh.tell(churn_ms=50)
    asking.wait_phase(rid, "succeeded", 240)
    assert {f["known"] for f in taken(asking, rid)} == {"confirmed"}
    assert_home(shop)


def test_an_abort_under_churn_writes_nothing_behind_its_weight(mesh, asking):
    shop, rid = begin(mesh, asking, weights=[50, 100], hold="60s")
    asking.wait_weight(rid, 50)
    mesh.tell(churn_ms=50)
    wait_for("the debounce", lambda: mesh.mesh()["debouncing"])
    asking.command(rid, "abort")
    asking.wait_phase(rid, "aborted", 120)
    events = asking.events(rid)
    at = next(i for i, e in enumerate(events) if e["kind"] == "act" and e["data"].get("urgent"))
    assert events[at]["data"]["act"] == "weight" and events[at]["data"]["number"] == 0
    rest = [e["data"].get("act") or e["data"].get("subject") for e in events[at + 1:]
            if e["kind"] == "act" or
            (e["kind"] == "taken" and e["data"]["subject"] == "weight")]
    assert rest[0] == "weight", rest
    assert_home(shop)


def next_push(mesh):
    before = mesh.mesh()["pushes"]
    wait_for("a push", lambda: mesh.mesh()["pushes"] > before, 30, every=0.02)


def test_a_push_before_the_acceptance_proves_nothing(mesh, asking):
    """An HTTPRoute that is accepted late: a push that began after the write, but before the
    acceptance, does not have it. Pushes come every four seconds: the abort is written in the middle
    between two of them, and accepted after the next."""
    shop, rid = begin(mesh, asking, "gateway", weights=[50, 100], hold="60s")
    asking.wait(rid, lambda r: r["weight"]["taken"] == 50)
    mesh.gateway(accept_delay_ms=2500)
    mesh.tell(churn_ms=50)
    next_push(mesh)
    time.sleep(2.5)  # of the four seconds
    asking.command(rid, "abort")
    next_push(mesh)  # without it
    assert asking.rollout(rid)["weight"]["taken"] == 50
    asking.wait_phase(rid, "aborted", 90)
    assert {f["known"] for f in taken(asking, rid)} == {"confirmed"}
    assert_home(shop)


def test_istiod_away_while_an_http_route_changes(mesh, asking):
    """Its webhook is not asked about HTTPRoutes: the weight is written, and nothing goes on."""
    shop, rid = begin(mesh, asking, "gateway", weights=[50, 100], hold="60s")
    asking.wait(rid, lambda r: r["weight"]["taken"] == 50)
    mesh.tell(istiod="down")
    asking.command(rid, "abort")
    wait_for("weight 0", lambda: shop.weights() == (100, 0), every=0.01)
    asking.wait_blocked(rid, "istio.io/gateway-controller has not looked at it as it is now", 30)
    time.sleep(2)
    assert shop.ready(f"{shop.name}-canary") == 2
    mesh.tell(istiod="up")
    asking.wait_phase(rid, "aborted", 60)
    assert_home(shop)


@pytest.mark.parametrize("state", ["down", "hung"])
def test_istiod_away_in_mid_rollout(mesh, asking, state):
    """Its webhook refuses the next weight; it is said, and goes on when istiod is back."""
    shop, rid = begin(mesh, asking)
    asking.wait_weight(rid, 10)
    mesh.tell(istiod=state)
    wait_for("the refusal", lambda: "webhook" in blocked(asking, rid) or
             "does not answer" in blocked(asking, rid), 40)
    assert shop.ready(shop.name) == shop.replicas
    assert shop.ready(f"{shop.name}-canary") >= 1
    mesh.tell(istiod="up")
    asking.wait_phase(rid, "succeeded", 120)
    assert_home(shop)


@pytest.mark.parametrize("state", ["down", "hung"])
def test_istiod_away_in_an_abort(mesh, asking, state):
    """The weight cannot be written, so both sides stay as they are until it can."""
    shop, rid = begin(mesh, asking, weights=[50, 100], hold="60s")
    asking.wait_weight(rid, 50)
    asking.wait(rid, lambda r: r["weight"]["taken"] == 50)
    mesh.tell(istiod=state)
    asking.command(rid, "abort")
    wait_for("the refusal", lambda: "webhook" in blocked(asking, rid), 40)
    assert shop.weights() == (50, 50)
    assert shop.ready(shop.name) == shop.replicas and shop.ready(f"{shop.name}-canary") == 2
    mesh.tell(istiod="up")
    asking.wait_phase(rid, "aborted", 60)
    assert_home(shop)


def test_istiod_killed_after_the_aborts_weight(mesh, asking):
    """The weight is written, nobody can say who has it: nothing is torn down until somebody can."""
    shop, rid = begin(mesh, asking, weights=[50, 100], hold="60s")
    asking.wait_weight(rid, 50)
    asking.wait(rid, lambda r: r["weight"]["taken"] == 50)
    asking.command(rid, "abort")
    wait_for("weight 0", lambda: shop.weights() == (100, 0), every=0.01)
    mesh.tell(istiod="down")
    wait_for("its silence", lambda: "does not answer" in blocked(asking, rid), 30)
    time.sleep(2)
    assert shop.ready(f"{shop.name}-canary") == 2
    mesh.tell(istiod="up")
    asking.wait_phase(rid, "aborted", 60)
    assert_home(shop)


@pytest.mark.parametrize("how", ["stopped", "scoped"])
def test_a_proxy_that_never_confirms(mesh, asking, how):
    """Bounded, and named; once it answers again, all is confirmed again. (Stopped when it knows the
    canary: one that learns of it and of its weight at once when it wakes up loses by that.)"""
    shop, rid = begin(mesh, asking, weights=[50, 100], hold="3s")
    asking.wait(rid, lambda r: r["weight"]["taken"] == 50)
    mesh.tell(**{how: ["client-2.lab"]})
    asking.wait(rid, lambda r: r["weight"]["taken"] == 100, 90)
    # What is known is shown at once, its event when it is durable.
    wait_for("both facts", lambda: len(taken(asking, rid)) == 2, 10)
    first, second = taken(asking, rid)
    assert first["known"] == "confirmed"
    assert second["known"] == "assumed" and "client-2.lab" in second["missing"]
    mesh.tell(**{how: []})
    asking.wait_phase(rid, "succeeded", 120)
    assert taken(asking, rid)[-1]["known"] == "confirmed"
    assert_home(shop)
