"""airis-sim -mesh istiod: debounced pushes, what is lost by writing in the wrong order, istiod's
pages, and an istiod that is gone."""

import http.client
import json
import threading
import time

import pytest

from test_sim_lab import Sim, deployment, rolled, routes, service, to

class Mesh(Sim):
    def __init__(self, *options):
        super().__init__("-mesh", "istiod", "-ready-after", "50ms", "-rps", "400", *options)

    def page(self, path, token=None, timeout=5):
        connection = http.client.HTTPConnection(self.env["ISTIOD"], timeout=timeout)
        try:
            connection.request("GET", path,
                               headers={"Authorization": f"Bearer {token}"} if token else {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def debug(self, name):
        status, text = self.page("/debug/" + name)
        assert status == 200, text
        return json.loads(text)

    def state(self):
        return self.call("GET", "/sim/mesh")[1]

    def tell(self, **what):
        status, got = self.call("POST", "/sim/mesh", what)
        assert status == 200, got
        return got

    def sent(self):
        return self.sum("lab_requests_total", route="vs/web")

    def lost(self, reason=None):
        more = {"reason": reason} if reason else {}
        return self.sum("lab_lost_requests_total", route="vs/web", **more)

    def answered(self, workload):
        return self.sum("istio_requests_total", destination_workload=workload, response_code="200")

    def more(self, n=200):
        start = self.sent()
        self.until(lambda: self.sent() >= start + n)

    def all_have(self, push):
        """Every proxy that is told anything has this push's routes."""
        return all(p["routes"] >= push for p in self.state()["proxies"] if not p["scoped"])

    def still(self):
        """Waits until everything written so far has been pushed and is warm."""
        def quiet():
            before = self.state()
            time.sleep(0.25)
            after = self.state()
            return before["pushes"] == after["pushes"] and not after["debouncing"]
        self.until(quiet)

    def stand(self, name, image="app:v1", replicas=2):
        self.create("services", service(name))
        self.create("deployments", deployment(name, image, replicas))
        self.wait("deployments", name, rolled(replicas))

    def shift(self, weight):
        self.merge("virtualservices", "web", {"spec": {"http": [
            {"route": [to("web", 100 - weight), to("web-canary", weight)]}]}})

    def home(self):
        """Both sides stand and are known; everything goes to the stable one."""
        self.stand("web")
        self.stand("web-canary")
        self.still()
        self.create("virtualservices", routes("web", to("web", 100), to("web-canary", 0)))
        self.still()
        self.more(50)
        assert self.lost() == 0


@pytest.fixture
def mesh():
    lab = Mesh()
    yield lab
    assert lab.stop() == 0


def took(lab, side):
    """Seconds until a side is sent requests."""
    start, began = lab.answered(side), time.monotonic()
    lab.until(lambda: lab.answered(side) > start, 20)
    return time.monotonic() - began


def test_a_push_begins_after_the_debounce_and_carries_everything(mesh):
    mesh.home()
    pushes = mesh.state()["pushes"]
    for weight in (10, 30, 50):
        mesh.shift(weight)
    assert mesh.state()["pushes"] == pushes
    mesh.until(lambda: mesh.all_have(pushes + 1))
    mesh.still()
    assert mesh.state()["pushes"] == pushes + 1
    mesh.more(100)
    assert mesh.lost() == 0 and mesh.answered("web-canary") > 20


def test_churn_keeps_the_debounce_open_until_its_end():
    lab = Mesh("-debounce-max", "2s")
    try:
        lab.home()
        lab.shift(100)
        assert took(lab, "web-canary") < 1
        lab.tell(churn_ms=40)
        lab.until(lambda: lab.state()["debouncing"])
        pushes = lab.state()["pushes"]
        lab.until(lambda: lab.state()["pushes"] > pushes, 10)
        lab.shift(0)
        assert took(lab, "web") > 1.2
        lab.tell(churn_ms=0)
        assert lab.lost() == 0
    finally:
        assert lab.stop() == 0


def test_the_safe_order_loses_nothing(mesh):
    mesh.home()
    for weight in (10, 50, 100, 0):
        mesh.shift(weight)
        mesh.still()
        mesh.more(100)
    mesh.delete("deployments", "web-canary")
    mesh.still()
    mesh.merge("virtualservices", "web", {"spec": {"http": [{"route": [to("web", 100)]}]}})
    mesh.still()
    mesh.delete("services", "web-canary")
    mesh.still()
    mesh.more(200)
    assert mesh.lost() == 0 and mesh.sent() > 600


def test_a_service_and_the_weight_in_one_push(mesh):
    mesh.stand("web")
    mesh.create("deployments", deployment("web-canary", "app:v2", 2))
    mesh.wait("deployments", "web-canary", rolled(2))
    mesh.still()
    mesh.create("virtualservices", routes("web", to("web", 100)))
    mesh.still()
    mesh.tell(warming_ms=2000)
    before = mesh.lost()
    mesh.create("services", service("web-canary"))
    mesh.shift(100)
    mesh.until(lambda: mesh.lost("no_destination") > before)
    mesh.until(lambda: mesh.answered("web-canary") > 0)


def test_the_service_known_before_the_weight(mesh):
    mesh.stand("web")
    mesh.still()
    mesh.create("virtualservices", routes("web", to("web", 100)))
    mesh.still()
    mesh.tell(warming_ms=200)
    mesh.stand("web-canary")
    mesh.still()
    mesh.shift(100)
    assert took(mesh, "web-canary") < 2
    assert mesh.lost() == 0


def subsets(*names):
    return {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": {"name": "web"},
            "spec": {"host": "web", "subsets": [{"name": n, "labels": {"app": "web"}}
                                                for n in names]}}


def test_a_subset_removed_with_its_weight(mesh):
    mesh.stand("web")
    mesh.create("destinationrules", subsets("stable", "canary"))
    mesh.still()
    mesh.create("virtualservices", routes("web", to("web", 0, "stable"), to("web", 100, "canary")))
    mesh.still()
    mesh.more(50)
    assert mesh.lost() == 0
    mesh.tell(late_ms=400)
    mesh.merge("virtualservices", "web", {"spec": {"http": [{"route": [to("web", 100)]}]}})
    mesh.delete("destinationrules", "web")
    mesh.until(lambda: mesh.lost("no_destination") > 0)


def test_pods_deleted_before_the_weight_is_taken(mesh):
    mesh.home()
    mesh.shift(50)
    mesh.still()
    mesh.shift(0)
    mesh.delete("deployments", "web-canary")
    mesh.call("DELETE", mesh.path("pods") + "?labelSelector=app%3Dweb-canary&gracePeriodSeconds=0")
    mesh.until(lambda: mesh.lost("gone") > 0)


def test_the_debug_pages(mesh):
    mesh.home()
    (proxy, other) = mesh.debug("syncz")
    assert proxy["proxy"] == "client-1.lab" and other["proxy"] == "client-2.lab"
    for name in ("cluster", "listener", "route", "endpoint"):
        assert proxy[name + "_sent"] == proxy[name + "_acked"] != ""
    nonce = proxy["route_sent"]
    moment, _, rest = nonce.partition("/")
    assert moment.endswith("Z") and int(rest[:-36]) <= mesh.state()["pushes"]
    route = proxy["resources"]["type.googleapis.com/envoy.config.route.v3.RouteConfiguration"]
    assert route["sent"] == nonce and route["sentTime"].startswith(moment[:13])
    found = {(o["kind"], o["metadata"]["name"]): o for o in mesh.debug("configz")}
    stored = mesh.get("virtualservices", "web")
    mine = found["VirtualService", "web"]
    assert mine["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
    assert mine["spec"] == stored["spec"]
    shards = mesh.debug("endpointShardz")["web.default.svc.cluster.local"]["default"]["Shards"]
    (endpoints,) = shards.values()
    assert len(endpoints) == 2 and all(e["HealthStatus"] == 1 for e in endpoints)
    text = mesh.page("/metrics")[1]
    assert f'pilot_pushcontext_init_seconds_count {mesh.state()["pushes"]}\n' in text
    assert 'pilot_inbound_updates{type="config"} ' in text
    assert mesh.page("/debug/config_dump")[0] == 404
    assert mesh.state()["asked"]["/debug/config_dump"] == 1


def test_the_token():
    lab = Mesh("-istiod-token", "secret")
    try:
        assert lab.page("/debug/syncz")[0] == 401
        assert lab.page("/debug/syncz", token="other")[0] == 401
        assert lab.page("/debug/syncz", token="secret")[0] == 200
        assert lab.page("/metrics")[0] == 200
    finally:
        assert lab.stop() == 0


def test_a_stopped_proxy_acknowledges_nothing(mesh):
    mesh.home()
    mesh.tell(stopped=["client-2.lab"])
    mesh.shift(100)
    assert took(mesh, "web-canary") < 2
    mesh.until(lambda: mesh.debug("syncz")[1]["route_sent"] != mesh.debug("syncz")[1]["route_acked"])
    assert mesh.debug("syncz")[0]["route_sent"] == mesh.debug("syncz")[0]["route_acked"]
    mesh.tell(stopped=[])
    mesh.until(lambda: mesh.debug("syncz")[1]["route_sent"] == mesh.debug("syncz")[1]["route_acked"])
    assert mesh.lost() == 0


def test_a_proxy_scoped_out_gets_no_push(mesh):
    mesh.home()
    mesh.tell(scoped=["client-1.lab"])
    old = mesh.debug("syncz")[0]["route_sent"]
    mesh.shift(100)
    assert took(mesh, "web-canary") < 2
    assert mesh.debug("syncz")[0]["route_sent"] == old


def refused(lab):
    status, got = lab.call("PATCH", lab.path("virtualservices", "web"), {"metadata": {"labels": {"x": "y"}}},
                           "application/merge-patch+json")
    return status == 500 and got["message"]


def test_istiod_down_refuses_writes_and_pushes_nothing(mesh):
    mesh.home()
    mesh.shift(50)
    mesh.still()
    mesh.tell(istiod="down")
    assert "failed calling webhook" in refused(mesh) and "connection refused" in refused(mesh)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        mesh.page("/debug/syncz")
    assert mesh.call("POST", mesh.path("services"), service("other"))[0] == 201
    mesh.more(200)  # the proxies go on with what they have
    assert mesh.lost() == 0
    pushes = mesh.state()["pushes"]
    mesh.tell(istiod="up")
    assert mesh.state()["pushes"] < pushes  # it counts anew
    assert not refused(mesh)
    mesh.until(lambda: len(mesh.debug("syncz")) == 2)
    mesh.shift(0)
    mesh.still()
    mesh.more(100)
    assert mesh.lost() == 0


def test_a_write_waits_for_a_hung_istiod(mesh):
    mesh.home()
    mesh.tell(istiod="hung")
    with pytest.raises(TimeoutError):
        mesh.page("/debug/syncz", timeout=0.3)
    done = threading.Thread(target=mesh.shift, args=(100,))
    done.start()
    time.sleep(0.3)
    assert done.is_alive()
    mesh.tell(istiod="up")
    done.join(5)
    assert not done.is_alive()
    assert took(mesh, "web-canary") < 2


def test_what_cannot_be_told(mesh):
    for wrong in ({"istiod": "gone"}, {"churn_ms": -1}, {"stopped": ["nobody"]}, {"what": 1}):
        status, got = mesh.call("POST", "/sim/mesh", wrong)
        assert status == 400 and "allowed: istiod (up, hung, down)" in got["message"]


def test_the_late_mesh_has_none_of_it():
    lab = Sim("-mesh-delay", "100ms")
    try:
        assert "ISTIOD" not in lab.env
        status, got = lab.call("GET", "/sim/mesh")
        assert status == 404 and "-mesh istiod" in got["message"]
    finally:
        assert lab.stop() == 0
