"""Preflight: everything that forbids a start is said at once, before anything is written."""
import json
import time

import pytest

import fm
from harness.colours import ColourShop
from harness.lab import KIND
from harness.process import wait_for
from harness.rolling import DaemonShop, RollingShop, StatefulShop
from harness.weighted import WeightedShop


FOUND = ("0 replicas", "is paused", "several HorizontalPodAutoscalers")


def hpa(shop, name):
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": shop.namespace},
            "spec": {"minReplicas": 1, "maxReplicas": 4, "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": shop.name}}}


def broken(quick, shops):
    shop = shops(replicas=2).create()
    for name in ("one", "two"):
        shop.kube.create(hpa(shop, name))
    shop.kube.patch("Deployment", shop.namespace, shop.name,
                    {"spec": {"replicas": 0, "paused": True}})
    wait_for("no pods", lambda: shop.endpoints(shop.name) == 0, 10)
    quick.apply(fm.quick(shop))
    return shop


def test_a_start_is_refused_with_all_reasons(quick, shops):
    shop = broken(quick, shops)
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    ended = quick.wait_phase(rid, "aborted")
    assert ended["reason"].startswith("preflight: (1) "), ended["reason"]
    for text in FOUND:
        assert text in ended["reason"], ended["reason"]
    assert fm.acts(quick, rid) == []
    plan = quick.call("POST", "/v1/plan", {"app": shop.name, "image": shop.image_of("2.0")})
    for text in FOUND:
        assert any(text in line for line in plan.json["preflight"]), plan.text
    told = quick.ctl("rollout", "status", rid).stdout
    for text in FOUND:
        assert text in " ".join(told.split()), told


def test_alone_it_says_the_same_and_starts_nothing(quick, shops):
    shop = broken(quick, shops)
    done = quick.ctl("app", "preflight", shop.name, check=6)
    assert done.stdout.startswith(f"{shop.name} would not be released now:\n"), done.stdout
    for text in FOUND:
        assert text in " ".join(done.stdout.split()), done.stdout
    answer = quick.call("POST", f"/v1/apps/{shop.name}/preflight", {})
    assert answer.status == 200 and answer.json["ok"] is False
    assert {f["severity"] for f in answer.json["findings"]} == {"blocks"}
    shop.kube.delete("HorizontalPodAutoscaler", shop.namespace, "two")
    shop.kube.patch("Deployment", shop.namespace, shop.name,
                    {"spec": {"replicas": 2, "paused": None}})
    wait_for("pods", lambda: shop.endpoints(shop.name) == 2, 20)
    wait_for("a yes", lambda: quick.ctl("app", "preflight", shop.name).returncode == 0, 10)
    assert quick.call("GET", f"/v1/rollouts?app={shop.name}").json["items"] == []


def claim(shop, name):
    """A VirtualService that has the app's host too."""
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": name, "namespace": shop.namespace},
            "spec": {"hosts": [f"{shop.name}.{shop.namespace}.svc"],
                     "http": [{"route": [{"destination": {"host": shop.name}}]}]}}


def texts(quick, shop, severity):
    answer = quick.call("POST", f"/v1/apps/{shop.name}/preflight", {})
    return "\n".join(f["text"] for f in answer.json["findings"] if f["severity"] == severity)


def test_ports_that_do_not_agree(quick, shops):
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop))
    shop.kube.patch("Service", shop.namespace, shop.name,
                    {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web"}]}})
    wait_for("the finding", lambda: "the port named \"web\", which no container"
             in texts(quick, shop, "blocks"), 10)
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    assert "the port named" in quick.wait_phase(rid, "aborted")["reason"]
    assert fm.acts(quick, rid) == []


def test_another_virtual_service_of_the_host(quick, shops):
    """A younger one loses in the mesh: it is said, and keeps nothing from starting."""
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop))
    assert texts(quick, shop, "warns") == ""
    time.sleep(1.1)  # creationTimestamp has whole seconds
    shop.kube.create(claim(shop, "younger"))
    wait_for("the warning", lambda: f"VirtualService younger has host {shop.name} at gateway mesh"
             in texts(quick, shop, "warns"), 10)
    done = quick.ctl("app", "preflight", shop.name, check=0)
    assert "  ? VirtualService younger has host" in done.stdout, done.stdout
    shop.kube.delete("VirtualService", shop.namespace, shop.name)
    time.sleep(1.1)
    shop.kube.create(shop.virtual_service())
    wait_for("the finding", lambda: "is older, so sidecars use it" in texts(quick, shop, "blocks"),
             10)


def test_hpas_in_the_way(quick, shops):
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop))
    scaler = hpa(shop, "canary")
    scaler["spec"]["scaleTargetRef"]["name"] = f"{shop.name}-canary"
    shop.kube.create(scaler)
    wait_for("the warning", lambda: "which airisd makes and sizes" in texts(quick, shop, "warns"),
             10)


# --- whether the gates can be asked ---------------------------------------------------------------

BAD_DATA = (400, {"status": "error", "errorType": "bad_data",
                  "error": "1:5: parse error: unexpected end of input"})


def findings(daemon, shop):
    answer = daemon.call("POST", f"/v1/apps/{shop.name}/preflight", {})
    return [(f["severity"], f["text"]) for f in answer.json["findings"]]


def test_a_query_that_is_none_is_said_before(asking, shops, fake_prometheus):
    """In the words of Prometheus, with the gate's name; of the others nothing."""
    fake_prometheus.answers.update({"good": fm.number(1), "absent": fm.vector([]),
                                    "bad": BAD_DATA})
    shop = shops(replicas=2).create()
    asking.apply(fm.quick(shop, [
        fm.gate("fine", 'good{w="{{canary}}"}'), fm.gate("later", 'absent{w="{{canary}}"}'),
        fm.gate("broken", 'sum(bad{w="{{canary}}"}')]))
    said = ("gate broken: data source default does not take its query: HTTP 400, bad_data: 1:5: "
            "parse error: unexpected end of input; correct it in the App")
    assert findings(asking, shop) == [("blocks", said)]
    assert asking.ctl("app", "preflight", shop.name).returncode == 6
    rid = asking.start_rollout(shop.name, shop.image_of("2.0"))
    assert asking.wait_phase(rid, "aborted")["reason"] == "preflight: " + said
    assert fm.acts(asking, rid) == []
    assert f'w="{shop.name}-canary"' in fake_prometheus.queries("bad")[0]
    fake_prometheus.answers["bad"] = fake_prometheus.answers["absent"] = fm.number(1)
    assert findings(asking, shop) == []
    asking.wait_phase(asking.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")


def test_a_range_where_a_number_is_expected(asking, shops, fake_prometheus):
    fake_prometheus.answers["f"] = {"status": "success", "data": {"resultType": "matrix",
                                                                  "result": []}}
    shop = shops(replicas=2).create()
    asking.apply(fm.quick(shop, [fm.gate("range", "f[1m]")]))
    (severity, text), = findings(asking, shop)
    assert severity == "blocks" and text.startswith("gate range: ") and "rate()" in text


def test_a_source_that_is_away_keeps_nothing_from_starting(asking, shops, fake_prometheus):
    """It may be back when the first verdict is needed; until then the gates hold."""
    fake_prometheus.answers["q"] = fake_prometheus.hang
    shop = shops(replicas=2).create()
    asking.apply(fm.quick(shop, [fm.gate("one", "q"), fm.gate("two", "q * 2")]))
    assert findings(asking, shop) == [("warns", (
        "data source default: no answer within 1s: as long as that lasts, stages that wait for "
        "gates on it do not go on"))]
    fake_prometheus.answers["q"] = (503, "down for a moment")
    assert [s for s, t in findings(asking, shop) if "HTTP 503" in t] == ["warns", "warns"]
    rid = asking.start_rollout(shop.name, shop.image_of("2.0"))
    asking.wait_stage(rid, "canary 50%")
    fake_prometheus.answers["q"] = fm.number(1)
    asking.wait_phase(rid, "succeeded")


# --- room in the namespace ------------------------------------------------------------------------

@pytest.mark.skipif(KIND != "sim", reason="a real quota counts by itself")
def test_a_quota_without_room(quick_lab, quick, shops):
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop))
    quota = {"apiVersion": "v1", "kind": "ResourceQuota",
             "metadata": {"name": "small", "namespace": shop.namespace},
             "spec": {"hard": {"pods": "20"}}}
    path = f"/api/v1/namespaces/{shop.namespace}/resourcequotas"
    status = {"hard": {"pods": "20"}, "used": {"pods": "19"}}
    shop.kube.call("POST", path, quota)
    shop.kube.call("PUT", path + "/small/status",
                   {**shop.kube.call("GET", path + "/small"), "status": status})
    assert findings(quick, shop) == [("warns", (
        f"ResourceQuota small in namespace {shop.namespace} has 1 pods left, and a rollout of "
        f"Deployment {shop.name} adds up to 2 pods, which need 2: raise it, or it waits for room "
        "until its deadline"))]
    quick.wait_phase(quick.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")
    wait_for("the log", lambda: "preflight: ResourceQuota small" in quick.process.text(), 5)
    quick_lab.fault({"status": 403}, path="resourcequotas")
    (severity, text), = findings(quick, shop)
    assert severity == "warns" and "HTTP 403" in text and "resourcequotas of namespace" in text


# --- room on the nodes ----------------------------------------------------------------------------

def change_container(shop, **more):
    spec = shop.kube.get("Deployment", shop.namespace, shop.name)["spec"]["template"]["spec"]
    shop.kube.patch("Deployment", shop.namespace, shop.name, {"spec": {"template": {"spec": {
        "containers": [{**spec["containers"][0], **more}]}}}})


def ask_for(shop, cpu):
    """The simulator's nodes have 64 cpu each, and take whatever is put on them."""
    change_container(shop, resources={"requests": {"cpu": cpu}})
    wait_for("the pods", lambda: len(shop.pods(shop.name)) == 2 == shop.endpoints(shop.name), 20)


@pytest.mark.skipif(KIND != "sim", reason="real nodes have room as they have")
def test_nodes_without_room(quick, shops):
    """Said where a person asks, in the plan, and in the log of a start that goes on all the same."""
    shop = shops(replicas=2).create()
    ask_for(shop, "100")
    quick.apply(fm.quick(shop))
    says = (f"a rollout of Deployment {shop.name} adds up to 2 pods of 100 cpu each, and the nodes "
            "that take them, 3 now, have room for 0 (")
    wait_for("the warning", lambda: findings(quick, shop), 5)
    (severity, text), = findings(quick, shop)
    assert severity == "warns" and text.startswith(says), text
    plan = quick.ctl("rollout", "plan", shop.name, "--image", shop.image_of("2.0"), check=0).stdout
    assert "adds up to 2 pods of 100 cpu each" in " ".join(plan.split()), plan
    quick.wait_phase(quick.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")
    wait_for("the log", lambda: "preflight: " + says in quick.process.text(), 5)
    ask_for(shop, "100m")
    wait_for("nothing is said", lambda: findings(quick, shop) == [], 5)


@pytest.mark.skipif(KIND != "sim", reason="on kubelab airisd may list all: tests/cluster/test_rbac.py")
def test_nodes_that_may_not_be_listed(quick_lab, quick, shops):
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop))
    quick_lab.fault({"status": 403}, path="/api/v1/nodes")
    (severity, text), = findings(quick, shop)
    assert severity == "warns" and "is not counted, and not needed for one" in text, text
    assert "may not list the nodes of the cluster; config/rbac.yaml has the ClusterRole" in text
    quick.wait_phase(quick.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")


@pytest.mark.skipif(KIND != "sim", reason="the simulator's pods do not fit by their tag")
def test_pods_that_no_node_takes_are_said_before(quick, shops):
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop))
    change_container(shop, image=shop.image_of("1.1-nosched"))
    says = f"no node takes 1 of the pods of Deployment {shop.name}: Pod {shop.name}-"
    wait_for("the warning", lambda: says in json.dumps(findings(quick, shop)), 10)
    (severity, text), = [f for f in findings(quick, shop) if "no node takes" in f[1]]
    assert severity == "warns"
    assert text.endswith(" is Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."), text


# --- what airisd may do ---------------------------------------------------------------------------

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def reviewed(lab):
    """What the API server was asked for: (verb, resource, name) of each, and everything that was
    written by airisd, in the same words."""
    asked, written = set(), set()
    for seen in lab.requests_seen():
        if "airisd" not in seen["user_agent"]:
            continue
        if seen["path"].startswith(REVIEWS):
            about = seen["body"]["spec"]["resourceAttributes"]
            asked.add((about["verb"], about["resource"], about.get("name", "")))
        elif seen["verb"] in ("create", "patch", "delete") and seen["kind"] != "leases":
            name = seen["path"].split("?")[0].rsplit("/", 1)[1]
            written.add((seen["verb"], seen["kind"], "" if seen["verb"] == "create" else name))
    return asked, written


@pytest.mark.skipif(KIND != "sim", reason="kubelab tells no requests: tests/cluster/test_rbac.py")
@pytest.mark.parametrize("mode", ["host", "subset"])
@pytest.mark.parametrize("ends", ["succeeded", "aborted"])
def test_what_is_written_was_asked_for(quick_lab, quick, shops, mode, ends):
    shop = shops(replicas=2, mode=mode).create()
    shop.kube.create(hpa(shop, shop.name))
    canary = {"weights": [50, 100], "hold": "1h"} if ends == "aborted" else {}
    quick.apply(fm.quick(shop, canary=canary))
    quick_lab.ask_sim("POST", "/sim/requests/reset")
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    if ends == "aborted":
        quick.wait(rid, lambda _: fm.weights_written(quick, rid) == [50], 20)
        quick.call("POST", f"/v1/rollouts/{rid}/abort", {})
    quick.wait_phase(rid, ends)
    asked, written = reviewed(quick_lab)
    assert len(written) >= 4 and written <= asked, (written - asked, asked)
    assert ("patch", "horizontalpodautoscalers", shop.name) in asked


@pytest.mark.skipif(KIND != "sim", reason="kubelab tells no requests")
@pytest.mark.parametrize("shop_of, more, least", [
    (ColourShop, {"blue_green": {"watch": "1h"}}, 5),
    (WeightedShop, {"blue_green": {"watch": "1h"}}, 5),
    (RollingShop, {"rolling": {"batches": [1, "100%"], "hold": "1h"}}, 1)])
def test_so_it_is_of_every_strategy(quick_lab, quick, shops, shop_of, more, least):
    """A release that succeeds is made of the same acts: this one is aborted at its last stop."""
    shop = shop_of(quick_lab, replicas=2)
    shops.made.append(shop)
    shop.create()
    quick.apply(shop.app(gates=[], **more))
    quick_lab.ask_sim("POST", "/sim/requests/reset")
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["blocked_on"] and r["blocked_on"]["object"] == "Stage", 40)
    quick.call("POST", f"/v1/rollouts/{rid}/abort", {})
    quick.wait_phase(rid, "aborted")
    asked, written = reviewed(quick_lab)
    assert len(written) >= least and written <= asked, (written - asked, asked)


def deny(lab, shop, why, verb, kind):
    lab.fault({"denied": why}, verb=verb, kind=kind, namespace=shop.namespace)


@pytest.mark.skipif(KIND != "sim", reason="kubelab has a Role for that: tests/cluster/test_rbac.py")
def test_what_may_not_be_written_is_said_before(quick_lab, quick, shops):
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop))
    deny(quick_lab, shop, "a policy says no", "patch", "VirtualService")
    deny(quick_lab, shop, "", "create", "services")
    done = quick.ctl("app", "preflight", shop.name, check=6)
    text = " ".join(done.stdout.split())
    for line in (f"airisd may not patch virtualservices {shop.name} in namespace {shop.namespace} "
                 "(a policy says no): allow it in a Role there: apiGroups "
                 '["networking.istio.io"], resources [virtualservices], verbs [patch], '
                 f"resourceNames [{shop.name}]",
                 f"airisd may not create services in namespace {shop.namespace}: allow it in a "
                 'Role there: apiGroups [""], resources [services], verbs [create]'):
        assert line in text, done.stdout
    answer = quick.call("POST", f"/v1/apps/{shop.name}/preflight", {})
    assert [f["severity"] for f in answer.json["findings"]] == ["blocks", "blocks"], answer.text
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    reason = quick.wait_phase(rid, "aborted")["reason"]
    assert "may not patch virtualservices" in reason and "may not create services" in reason
    assert fm.acts(quick, rid) == []
    quick_lab.no_faults()
    assert texts(quick, shop, "blocks") == ""
    quick.wait_phase(quick.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")


ROLLS = {"batches": [1, "100%"], "steady": "100ms"}


@pytest.fixture
def rolling(quick_lab, quick, shops):
    """A shop that rolls, of this kind, with its app; more: of the strategy."""
    def make(shop_of, backup=False, **more):
        shop = shop_of(quick_lab, replicas=3)
        shops.made.append(shop)
        shop.create()
        more = {**ROLLS, **more, **(shop.create_backup() if backup else {})}
        quick.apply(shop.app(gates=[], rolling=more))
        return shop
    return make


def rule(group, resource, verb, name=""):
    """What a Role is to have, as it is said."""
    return (f'allow it in a Role there: apiGroups ["{group}"], resources [{resource}], verbs '
            f"[{verb}]" + (f", resourceNames [{name}]" if name else ""))


@pytest.mark.skipif(KIND != "sim", reason="a fault of airis-sim")
@pytest.mark.parametrize("shop_of, backup, verb, group, resource, named", [
    (StatefulShop, False, "patch", "apps", "statefulsets", True),
    (DaemonShop, False, "patch", "apps", "daemonsets", True),
    (DaemonShop, False, "delete", "", "pods", False),
    (StatefulShop, True, "create", "batch", "jobs", False),
    (DaemonShop, True, "create", "batch", "jobs", False),
    (RollingShop, True, "create", "batch", "jobs", False)])
def test_what_rolls_needs_rights_of_its_own(quick_lab, quick, rolling, shop_of, backup, verb, group,
                                            resource, named):
    shop = rolling(shop_of, backup)
    assert quick.ctl("app", "preflight", shop.name).returncode == 0
    deny(quick_lab, shop, "", verb, resource)
    name = shop.name if named else ""
    said = (f"airisd may not {verb} {resource}{' ' * named}{name} in namespace {shop.namespace}: "
            + rule(group, resource, verb, name))
    assert findings(quick, shop) == [("blocks", said)]
    done = quick.ctl("app", "preflight", shop.name, check=6)
    assert said in " ".join(done.stdout.split()), done.stdout
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    assert quick.wait_phase(rid, "aborted")["reason"] == "preflight: " + said
    assert fm.acts(quick, rid) == []
    assert shop.pods_of("1.0") == 3
    quick_lab.no_faults()
    quick.wait_phase(quick.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")


@pytest.mark.skipif(KIND != "sim", reason="a fault of airis-sim")
def test_a_pod_that_is_stuck_may_be_nobodys(quick_lab, quick, rolling):
    """A StatefulSet's is deleted only when its controller waits for it: a warning, with the pod."""
    shop = rolling(StatefulShop)
    deny(quick_lab, shop, "", "delete", "pods")
    said = (f"airisd may not delete pods {shop.name}-0 in namespace {shop.namespace}, which is "
            "needed for a pod that is stuck: " + rule("", "pods", "delete", f"{shop.name}-0"))
    assert findings(quick, shop) == [("warns", said)]
    assert f"? {said}" in " ".join(quick.ctl("app", "preflight", shop.name, check=0).stdout.split())
    quick.wait_phase(quick.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")


@pytest.mark.skipif(KIND != "sim", reason="a fault of airis-sim")
@pytest.mark.parametrize("backup, kind", [(False, "statefulsets"), (True, "cronjobs")])
def test_what_may_not_be_read_is_waited_for(quick_lab, quick, rolling, backup, kind):
    """It says which right is missing, and begins when somebody has given it."""
    quick_lab.fault({"status": 403}, verb="read", kind=kind, user_agent="airisd")
    shop = rolling(StatefulShop, backup)
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    blocked = quick.wait_blocked(rid, f"{kind} in namespace {shop.namespace} could not be read", 20)
    assert "the role of airisd needs get, list and watch there" in blocked["blocked_on"]["what"]
    assert fm.acts(quick, rid) == []
    quick_lab.no_faults()
    quick.wait_phase(rid, "succeeded", 60)


@pytest.mark.skipif(KIND != "sim", reason="a fault of airis-sim")
@pytest.mark.parametrize("effect, said", [
    ({"status": 403}, "HTTP 403 Forbidden"), ({"drop": True}, "does not answer"),
    ({"latency_ms": 7000}, "did not say")])
def test_what_cannot_be_asked_keeps_nothing_from_starting(quick_lab, quick, shops, effect, said):
    shop = shops(replicas=2).create()
    quick.apply(fm.quick(shop))
    quick_lab.fault(effect, path="selfsubjectaccessreviews")
    done = quick.ctl("app", "preflight", shop.name, check=0)
    text = " ".join(done.stdout.split())
    assert "could be released now" in text and said in text, done.stdout
    assert text.count("airisd may ") == 1, done.stdout
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait_phase(rid, "succeeded")
    wait_for("the log", lambda: "preflight: " in quick.process.text(), 5)
