"""config/rbac.yaml is enough for a rollout in every shape, and not for what is nobody's business.
Needs an API server that knows RBAC: kubelab."""

import json
import os
import re

import pytest
import yaml

from harness.daemon import Daemon
from harness.kube import Refused
from harness.lab import KIND
from harness.process import ROOT, wait_for
from harness.shop import GATE, Shop

pytestmark = pytest.mark.skipif(KIND == "sim", reason="the simulator knows no RBAC")
CLUSTER = "/apis/rbac.authorization.k8s.io/v1/"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/"
PLACES = {"ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts", "Role": RBAC + "{}/roles",
          "RoleBinding": RBAC + "{}/rolebindings"}


def create(kube, path, body):
    try:
        return kube.call("POST", path, body)
    except Refused as e:
        if e.status != 409:
            raise
        return None


def apply_room(kube, text):
    """What the file has as not needed: it is cluster-wide, and the same for all."""
    part = text[text.index("# ---\n"):].replace("# ", "", 1).replace("\n# ", "\n")
    for body in yaml.safe_load_all(part):
        create(kube, CLUSTER + body["kind"].lower() + "s", body)


def apply_rbac(kube, shop):
    """The file, for this app in this namespace."""
    with open(os.path.join(ROOT, "config/rbac.yaml"), encoding="utf-8") as file:
        text = file.read().replace("analytics-engine", shop.name)
    apply_room(kube, text)
    for body in yaml.safe_load_all(text.replace("airis-mon", shop.namespace)):
        if body["kind"] == "Namespace":
            kube.ensure_namespace(body["metadata"]["name"])
        else:
            kube.ensure_namespace(body["metadata"]["namespace"])
            create(kube, PLACES[body["kind"]].format(body["metadata"]["namespace"]), body)


def kubeconfig(lab, folder):
    """As the README says how to make one: the server and a token of the ServiceAccount."""
    token = lab.kube.call("POST", PLACES["ServiceAccount"].format("airis") + "/airisd/token",
                          {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    path = os.path.join(folder, "kubeconfig")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "airisd",
                   "clusters": [{"name": "lab", "cluster": {"server": lab.server,
                                                            "insecure-skip-tls-verify": True}}],
                   "users": [{"name": "airisd", "user": {"token": token}}],
                   "contexts": [{"name": "airisd", "context": {"cluster": "lab",
                                                               "user": "airisd"}}]}, file)
    return path


def codes(daemon):
    """The statuses that the API server answered with."""
    text = daemon.call("GET", "/metrics").text
    return set(re.findall(r'^airis_kube_requests_total\{.*code="(\d+)"\} [1-9]', text, re.M))


@pytest.mark.parametrize("mode", ["host", "subset"])
def test_it_is_enough(lab, prometheus, tmp_path, mode):
    """With an HPA too; forwards and home again."""
    shop = Shop(lab, mode=mode).create()
    lab.kube.create({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": shop.name, "namespace": shop.namespace},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                                    "name": shop.name},
                 "minReplicas": 2, "maxReplicas": 6}})
    apply_rbac(lab.kube, shop)
    daemon = Daemon(str(tmp_path), kubeconfig(lab, str(tmp_path)), prometheus.url,
                    lease={"name": "airisd"}).start()
    try:
        daemon.apply(shop.app(gates=[GATE]))
        for tag, end in (("2.0", "succeeded"), ("3.0-err50", "aborted")):
            rid = daemon.start_rollout(shop.name, shop.image_of(tag))
            daemon.wait_phase(rid, end, 180)
        assert shop.stable_image() == shop.image_of("2.0")
        assert shop.leftovers() == []
        assert shop.lost() == {}
        hpa = lab.kube.get("HorizontalPodAutoscaler", shop.namespace, shop.name)
        assert hpa["spec"]["minReplicas"] == 2
        last = "airis_kube_events_waiting{cluster=\"default\"} 0"
        wait_for("the Events", lambda: last in daemon.call("GET", "/metrics").text)
        reasons = {e["reason"] for e in lab.kube.list("Event", shop.namespace)}
        assert {"RolloutStarted", "RolloutSucceeded", "RolloutAborted"} <= reasons
        found = codes(daemon)
        assert {"200", "201"} <= found and not {"401", "403"} & found, found
    finally:
        daemon.stop()


def allowed(lab, shop, verb, group, resource, name="", namespace=None):
    """May the ServiceAccount do this? namespace "": in all of them."""
    review = lab.kube.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": "system:serviceaccount:airis:airisd",
                 "resourceAttributes": {"namespace": shop.namespace if namespace is None
                                        else namespace, "verb": verb,
                                        "group": group, "resource": resource, "name": name}}})
    return review["status"]["allowed"]


def test_it_is_no_more(lab):
    shop = Shop(lab)
    lab.kube.ensure_namespace(shop.namespace)
    apply_rbac(lab.kube, shop)
    assert allowed(lab, shop, "patch", "apps", "deployments", shop.name)
    assert allowed(lab, shop, "delete", "apps", "deployments", shop.name + "-canary")
    assert allowed(lab, shop, "create", "", "events")
    istio = "networking.istio.io"
    for what in (("delete", "apps", "deployments", shop.name), ("get", "", "secrets"),
                 ("list", "", "events"), ("patch", "", "events"), ("delete", "", "events"),
                 ("patch", "apps", "deployments", "other"), ("create", "", "pods"),
                 ("delete", "", "services", shop.name), ("delete", "", "pods"),
                 ("create", "", "pods/exec"), ("patch", "", "services", shop.name),
                 ("delete", istio, "virtualservices", shop.name), ("get", "", "configmaps"),
                 ("patch", istio, "virtualservices", "other"), ("update", "apps", "deployments")):
        assert not allowed(lab, shop, *what), what


def test_of_leases_it_may_have_its_own(lab):
    shop = Shop(lab)
    lab.kube.ensure_namespace(shop.namespace)
    apply_rbac(lab.kube, shop)
    group = "coordination.k8s.io"
    for verb, name in (("get", "airisd"), ("patch", "airisd"), ("create", "")):
        assert allowed(lab, shop, verb, group, "leases", name, "airis"), verb
    for verb, name in (("get", "other"), ("patch", "other"), ("delete", "airisd"),
                       ("update", "airisd"), ("list", ""), ("watch", "")):
        assert not allowed(lab, shop, verb, group, "leases", name, "airis"), verb
    for namespace in ("kube-system", shop.namespace):
        assert not allowed(lab, shop, "patch", group, "leases", "airisd", namespace)
    assert not allowed(lab, shop, "get", "", "secrets", "", "airis")


def test_without_the_role_it_says_so(lab, tmp_path):
    """The right to the Lease is missing: it names the file, writes nothing, and begins as soon as
    somebody gives it."""
    shop = Shop(lab).create()
    apply_rbac(lab.kube, shop)
    binding = PLACES["RoleBinding"].format("airis")
    kept = lab.kube.call("GET", binding + "/airisd-lease")
    lab.kube.call("DELETE", binding + "/airisd-lease")
    daemon = Daemon(str(tmp_path), kubeconfig(lab, str(tmp_path)),
                    lease={"name": "airisd"}).start()
    try:
        daemon.apply(shop.app(gates=[], canary={"weights": [100], "hold": "1s"}))
        rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
        blocked = daemon.wait_blocked(rid, "config/rbac.yaml", 30)["blocked_on"]
        assert blocked["object"] == "Lease airis/airisd"
        assert "HTTP 403" in blocked["what"] and "airisd" in blocked["what"]
        assert shop.leftovers() == []
        kept["metadata"] = {"name": "airisd-lease", "namespace": "airis"}
        create(lab.kube, binding, kept)
        daemon.wait_phase(rid, "succeeded", 120)
    finally:
        create(lab.kube, binding, {**kept, "metadata": {"name": "airisd-lease",
                                                        "namespace": "airis"}})
        daemon.stop()


def test_room_may_stay_uncounted(lab, tmp_path):
    """Without what is cluster-wide one line says so, and a release needs it for nothing."""
    shop = Shop(lab).create()
    apply_rbac(lab.kube, shop)
    lab.kube.call("DELETE", CLUSTER + "clusterrolebindings/airisd-room")
    wait_for("the denial", lambda: not allowed(lab, shop, "list", "", "nodes", namespace=""), 20)
    daemon = Daemon(str(tmp_path), kubeconfig(lab, str(tmp_path)),
                    lease={"name": "airisd"}).start()
    try:
        daemon.apply(shop.app(gates=[], canary={"weights": [100], "hold": "1s"}))
        answer = daemon.call("POST", f"/v1/apps/{shop.name}/preflight", {}).json
        (found,) = answer["findings"]
        assert answer["ok"] and found["severity"] == "warns"
        assert "may not list the nodes of the cluster; config/rbac.yaml" in found["text"]
        rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
        daemon.wait_phase(rid, "succeeded", 120)
    finally:
        apply_rbac(lab.kube, shop)
        daemon.stop()


def without(rules, resource, verb):
    """The Role without a verb on a resource; rules that are left with none are gone."""
    kept = []
    for rule in rules:
        verbs = [v for v in rule["verbs"] if resource not in rule["resources"] or v != verb]
        if verbs:
            kept.append({**rule, "verbs": verbs})
    return kept


def test_events_may_stay_unwritten(lab, tmp_path):
    """Without the right one line says so before the start, and a release needs it for nothing."""
    shop = Shop(lab, replicas=2).create()
    apply_rbac(lab.kube, shop)
    role = PLACES["Role"].format(shop.namespace) + "/airisd"
    whole = lab.kube.call("GET", role)
    lab.kube.call("PUT", role, {**whole, "rules": without(whole["rules"], "events", "create")})
    wait_for("the denial", lambda: not allowed(lab, shop, "create", "", "events"), 20)
    daemon = Daemon(str(tmp_path), kubeconfig(lab, str(tmp_path)),
                    lease={"name": "airisd"}).start()
    try:
        daemon.apply(shop.app(gates=[], canary={"weights": [100], "hold": "1h"}))
        answer = daemon.call("POST", f"/v1/apps/{shop.name}/preflight", {}).json
        (found,) = answer["findings"]
        assert answer["ok"] and found["severity"] == "warns"
        assert "may not create events in namespace" in found["text"]
        rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
        daemon.wait_stage(rid, "canary 100%", 60)
        assert daemon.command(rid, "abort").status == 200
        daemon.wait_phase(rid, "aborted", 60)
        text = daemon.process.text()
        assert text.count("no Events about rollouts in namespace") == 1, text
        assert "User \"system:serviceaccount:airis:airisd\" cannot create resource" in text
    finally:
        daemon.stop()


def test_a_verb_that_is_missing_is_said_before_a_start(lab, tmp_path):
    shop = Shop(lab).create()
    apply_rbac(lab.kube, shop)
    daemon = Daemon(str(tmp_path), kubeconfig(lab, str(tmp_path)),
                    lease={"name": "airisd"}).start()
    role = PLACES["Role"].format(shop.namespace) + "/airisd"
    try:
        daemon.apply(shop.app(gates=[], canary={"weights": [100], "hold": "1s"}))
        answer = daemon.call("POST", f"/v1/apps/{shop.name}/preflight", {})
        assert answer.json["ok"] and answer.json["findings"] == [], answer.text
        whole = lab.kube.call("GET", role)
        rules = without(whole["rules"], "deployments", "delete")
        lab.kube.call("PUT", role, {**whole, "rules": rules})
        said = f"airisd may not delete deployments {shop.name}-canary in namespace {shop.namespace}"
        wait_for("the finding", lambda: said in daemon.ctl("app", "preflight", shop.name).stdout
                 .replace("\n    ", " "), 20)
        rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
        assert said in daemon.wait_phase(rid, "aborted", 30)["reason"]
        assert shop.leftovers() == []
    finally:
        daemon.stop()
