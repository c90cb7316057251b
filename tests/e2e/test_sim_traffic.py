"""airis-sim: the mesh, which is late, and what its clients lose by it."""

import pytest

from test_sim_lab import Sim, deployment, rolled, routes, service, sim, to

assert sim  # the fixture


@pytest.fixture
def mesh():
    lab = Sim("-ready-after", "100ms", "-mesh-delay", "600ms", "-rps", "300")
    yield lab
    assert lab.stop() == 0


def sent(lab, route="vs/web"):
    return lab.sum("lab_requests_total", route=route)


def lost(lab, reason=None, route="vs/web"):
    return lab.sum("lab_lost_requests_total", route=route, **({"reason": reason} if reason else {}))


def more(lab, n=100):
    """Waits for n more requests."""
    start = sent(lab)
    lab.until(lambda: sent(lab) >= start + n)


def answered(lab, workload, code="200"):
    return lab.sum("istio_requests_total", destination_workload=workload, response_code=code)


def stand(lab, name, image="app:v1", replicas=2, **more_args):
    lab.create("services", service(name))
    lab.create("deployments", deployment(name, image, replicas, **more_args))
    lab.wait("deployments", name, rolled(replicas))


def settled(lab, *names):
    """The mesh knows these Services and their pods: their own traffic is answered."""
    for name in names:
        lab.merge("services", name, {"metadata": {"annotations": {"lab/rps": "50"}}})
        lab.until(lambda: answered(lab, name) > 0)
        lab.merge("services", name, {"metadata": {"annotations": {"lab/rps": None}}})


def shift(lab, *destinations):
    lab.merge("virtualservices", "web", {"spec": {"http": [{"route": list(destinations)}]}})


def test_the_safe_order_loses_nothing(mesh):
    stand(mesh, "web")
    settled(mesh, "web")
    mesh.create("virtualservices", routes("web", to("web", 100), to("web-canary", 0)))
    stand(mesh, "web-canary")
    settled(mesh, "web-canary")
    more(mesh)
    for weight in (10, 50, 100):
        shift(mesh, to("web", 100 - weight), to("web-canary", weight))
        start = answered(mesh, "web-canary")
        mesh.until(lambda: answered(mesh, "web-canary") > start + 30)
    shift(mesh, to("web", 100), to("web-canary", 0))

    def none_goes_there():
        start = answered(mesh, "web-canary")
        more(mesh, 150)
        return answered(mesh, "web-canary") == start
    mesh.until(none_goes_there)
    mesh.delete("deployments", "web-canary")
    mesh.delete("services", "web-canary")
    more(mesh, 600)
    assert lost(mesh) == 0 and sent(mesh) > 1000


def test_weight_before_the_service(mesh):
    stand(mesh, "web")
    settled(mesh, "web")
    mesh.create("virtualservices", routes("web", to("web", 50), to("web-canary", 50)))
    mesh.until(lambda: lost(mesh, "no_destination") > 20)
    assert answered(mesh, "web") > 0


def test_weight_before_the_pods_are_ready(mesh):
    stand(mesh, "web")
    settled(mesh, "web")
    mesh.create("services", service("web-canary"))
    mesh.create("deployments", deployment("web-canary", "app:v2-never", 1))
    mesh.create("virtualservices", routes("web", to("web", 50), to("web-canary", 50)))
    mesh.until(lambda: lost(mesh, "no_endpoints") > 20)


def test_pods_deleted_with_the_weight_still_there(mesh):
    stand(mesh, "web")
    stand(mesh, "web-canary")
    settled(mesh, "web", "web-canary")
    mesh.create("virtualservices", routes("web", to("web", 50), to("web-canary", 50)))
    mesh.until(lambda: sent(mesh) > 100)
    assert lost(mesh) == 0
    shift(mesh, to("web", 100), to("web-canary", 0))
    mesh.delete("deployments", "web-canary")
    mesh.call("DELETE", mesh.path("pods") + "?labelSelector=app%3Dweb-canary&gracePeriodSeconds=0")
    mesh.until(lambda: lost(mesh) > 0, 5)


def test_subset_before_it_is_known(mesh):
    stand(mesh, "web")
    settled(mesh, "web")
    mesh.create("virtualservices", routes("web", to("web", 100, "stable")))
    mesh.until(lambda: lost(mesh, "no_destination") > 20)
    mesh.create("destinationrules", {
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "web"}, "spec": {
        "host": "web.default.svc.cluster.local",
        "subsets": [{"name": "stable", "labels": {"app": "web"}}]}})
    mesh.until(lambda: mesh.sum("istio_requests_total", destination_subset="stable",
                                response_code="200") > 50)
    before = lost(mesh)
    more(mesh)
    assert lost(mesh) == before


def test_weights_and_headers(sim):
    stand(sim, "web")
    stand(sim, "web-canary")
    settled(sim, "web", "web-canary")
    vs = routes("beta", annotations={"lab/headers": "x-user=beta:25", "lab/rps": "800"})
    vs["spec"]["hosts"] = ["beta"]
    vs["spec"]["http"] = [
        {"match": [{"headers": {"x-user": {"exact": "beta"}}}], "route": [to("web-canary")]},
        {"route": [to("web", 100)]}]
    settled_at = answered(sim, "web"), answered(sim, "web-canary")
    sim.create("virtualservices", vs)
    sim.until(lambda: sent(sim, "vs/beta") > 2000)
    share = (answered(sim, "web-canary") - settled_at[1]) / sent(sim, "vs/beta")
    assert 0.18 < share < 0.36


def test_images_that_fail_and_are_slow(sim):
    stand(sim, "web", "app:v1-err20-lat300")
    settled(sim, "web")
    sim.create("virtualservices", routes("web", to("web"), annotations={"lab/rps": "500"}))
    sim.until(lambda: sent(sim) > 1500)
    bad, good = answered(sim, "web", "500"), answered(sim, "web", "200")
    assert 0.15 < bad / (bad + good) < 0.25 and lost(sim) == 0
    name = "istio_request_duration_milliseconds"
    mean = sim.sum(name + "_sum", destination_workload="web") / \
        sim.sum(name + "_count", destination_workload="web")
    assert 280 < mean < 400  # log-normal with a median of 300
    assert sim.sum(name + "_bucket", destination_workload="web", le="+Inf") == \
        sim.sum(name + "_count", destination_workload="web")


def test_capacity(sim):
    stand(sim, "web", replicas=2, annotations={"lab/rps": "60"})
    settled(sim, "web")
    sim.create("virtualservices", routes("web", to("web"), annotations={"lab/rps": "100"}))
    sim.until(lambda: sent(sim) > 300)
    assert lost(sim) == 0
    sim.merge("deployments", "web", {"spec": {"replicas": 1}})
    sim.until(lambda: lost(sim, "overload") > 20)


def test_a_route_without_traffic_and_a_service_with(sim):
    stand(sim, "web")
    sim.merge("services", "web", {"metadata": {"annotations": {"lab/rps": "100"}}})
    sim.until(lambda: sent(sim, "svc/web") > 20)
    vs = routes("quiet", to("web"), annotations={"lab/rps": "0"})
    sim.create("virtualservices", vs)
    sim.create("virtualservices", routes("web", to("web")))
    sim.until(lambda: sent(sim, "vs/web") > 50)
    covered = sent(sim, "svc/web")
    more(sim)
    assert sent(sim, "svc/web") == covered and sent(sim, "vs/quiet") == 0


@pytest.mark.parametrize("which", ["source", "both"])
def test_reporters(which):
    """Both count the same requests; the durations are the destination's, as before."""
    lab = Sim("-ready-after", "100ms", "-mesh-delay", "200ms", "-reporters", which)
    stand(lab, "web")
    settled(lab, "web")
    by = {labels["reporter"]: n for labels, n in lab.metrics()["istio_requests_total"]
          if labels["destination_workload"] == "web" and labels["response_code"] == "200"}
    assert set(by) == {"source", "destination"} if which == "both" else {"source"}
    assert len(set(by.values())) == 1
    assert lab.stop() == 0


def test_metrics_have_the_mesh_labels(sim):
    stand(sim, "web")
    settled(sim, "web")
    labels = sim.metrics()["istio_requests_total"][0][0]
    assert set(labels) == {"reporter", "destination_workload", "destination_workload_namespace",
                           "destination_service_name", "destination_service",
                           "destination_subset", "response_code"}
    assert labels["reporter"] == "destination"
    assert labels["destination_service"] == "web.default.svc.cluster.local"
    reasons = {ls["reason"] for ls, _ in sim.metrics()["lab_lost_requests_total"]}
    assert reasons == {"no_destination", "no_endpoints", "gone", "overload"}
