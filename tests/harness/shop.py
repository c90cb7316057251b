"""The app that scenarios release: objects of the cluster as a user has them, and the App."""
import uuid

from .kube import without_noise
from .lab import KIND
from .process import wait_for

# How an app's traffic is split: two Services or two subsets in a VirtualService, two Services in
# an HTTPRoute. SOME_MODES is for scenarios that cost time: kubelab's does without the third.
MODES = ["host", "subset", "gateway"]
SOME_MODES = MODES if KIND == "sim" else ["host", "subset"]
HOST_MODES = [mode for mode in SOME_MODES if mode != "subset"]

GATE = {
    "name": "success-rate",
    "prometheus": {
        "query": '(sum(rate(istio_requests_total{destination_workload_namespace="{{namespace}}",'
                 'destination_workload="{{canary}}",response_code!~"5.."}[{{window}}])) or '
                 'vector(0)) / sum(rate(istio_requests_total{destination_workload_namespace='
                 '"{{namespace}}",destination_workload="{{canary}}"}[{{window}}]))',
        "pass": ">= 0.95"},
    "every": "1s", "window": "5s", "warmup": "2s", "failures": 1, "deadline": "30s",
}
LATENCY = {
    "name": "latency",
    "prometheus": {
        "query": 'histogram_quantile(0.9, sum by (le) (rate('
                 'istio_request_duration_milliseconds_bucket{destination_workload_namespace='
                 '"{{namespace}}",destination_workload="{{canary}}"}[{{window}}])))',
        "pass": "< 100"},
    "every": "1s", "window": "5s", "warmup": "2s", "failures": 1, "deadline": "30s",
}


class Shop:
    """One app `name` in its own namespace."""
    WORKLOAD = "Deployment"

    def __init__(self, lab, mode="host", replicas=4, pod_rps=30, tag="1.0"):
        self.lab, self.kube = lab, lab.kube
        self.before, self.lost_before, self.has_rule = None, {}, False
        unique = uuid.uuid4().hex[:8]  # the lab counts lost requests by the route's name
        self.name, self.namespace, self.mode = f"web-{unique}", f"shop-{unique}", mode
        self.replicas, self.pod_rps, self.image = replicas, pod_rps, self.image_of(tag)
        self.gateway = mode == "gateway"
        self.kind = "HTTPRoute" if self.gateway else "VirtualService"
        self.route = f"{'route' if self.gateway else 'vs'}/{self.name}"

    def image_of(self, tag):
        return f"registry.local/{self.name}:{tag}"

    def deployment(self):
        labels = {"app": self.name, "track": "stable"}
        annotations = {"lab/rps": str(self.pod_rps)} if self.pod_rps else {}
        return {"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": self.name, "namespace": self.namespace,
                             "labels": {"app": self.name}},
                "spec": {"replicas": self.replicas,
                         "selector": {"matchLabels": {"app": self.name}},
                         "template": {"metadata": {"labels": labels, "annotations": annotations},
                                      "spec": {"containers": [
                                          {"name": "app", "image": self.image}]}}}}

    def service(self):
        return {"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {"selector": {"app": self.name},
                         "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}

    def virtual_service(self):
        return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {"hosts": [self.name],
                         "http": [{"name": "beta",
                                   "match": [{"headers": {"x-user": {"exact": "beta"}}}],
                                   "headers": {"request": {"set": {"x-route": "beta"}}},
                                   "route": [{"destination": {"host": self.name}}]},
                                  {"name": "primary", "timeout": "5s",
                                   "route": [{"destination": {"host": self.name}}]}]}}

    def backend(self, weight):
        return {"name": self.name, "port": 80, "weight": weight}

    def http_route(self):
        return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {"parentRefs": [self.lab.route_parent(self.name)],
                         "rules": [{"name": "beta",
                                    "matches": [{"headers": [{"name": "x-user", "value": "beta"}]}],
                                    "filters": [{"type": "RequestHeaderModifier",
                                                 "requestHeaderModifier": {"set": [
                                                     {"name": "x-route", "value": "beta"}]}}],
                                    "backendRefs": [self.backend(1)]},
                                   {"name": "primary", "timeouts": {"request": "5s"},
                                    "backendRefs": [self.backend(100)]}]}}

    def traffic(self):
        if self.gateway:
            return {"gateway": {"httpRoute": self.name, "rules": ["primary"]}}
        return {"istio": {"virtualService": self.name, "routes": ["primary"], "mode": self.mode}}

    def app(self, **more):
        canary = {"weights": [10, 25, 50, 100], "hold": "3s", "drain": "1s", "deadline": "20s"}
        canary.update(more.pop("canary", {}))
        return {"kind": "App", "name": self.name, "namespace": self.namespace, "selfApproval": True,
                "workload": {"kind": "Deployment", "name": self.name},
                "traffic": self.traffic(), "strategy": {"canary": canary},
                "gates": more.pop("gates", [GATE]), **more}

    def create(self):
        self.kube.ensure_namespace(self.namespace)
        for obj in (self.deployment(), self.service()):
            self.kube.create(obj)
        wait_for("ready pods", lambda: self.ready(self.name) == self.replicas, 60)
        wait_for("endpoints", lambda: self.endpoints(self.name) == self.replicas, 30)
        self.kube.create(self.http_route() if self.gateway else self.virtual_service())
        self.wait_traffic()
        self.lost_before = self.lab.lost(self.route)
        self.before = self.vs()
        return self

    def wait_traffic(self):
        """Until the mesh serves it without loss: from here on every lost request counts."""
        seen = {"sent": self.lab.requests(self.name), "lost": None}

        def calm():
            lost, sent = self.lab.lost(self.route), self.lab.requests(self.name)
            ok = lost == seen["lost"] and sent > seen["sent"] + 20
            if lost != seen["lost"]:
                seen.update(lost=lost, sent=sent)
            return ok
        wait_for("traffic", calm, 60)

    def ready(self, workload):
        deployment = self.kube.get("Deployment", self.namespace, workload)
        return (deployment or {}).get("status", {}).get("readyReplicas", 0)

    def endpoints(self, service):
        slices = self.kube.list("EndpointSlice", self.namespace,
                                f"kubernetes.io/service-name={service}")
        return sum(1 for s in slices for e in s.get("endpoints") or []
                   if e.get("conditions", {}).get("ready"))

    def vs(self):
        """The route as it is now: the VirtualService, or the HTTPRoute."""
        return self.kube.get(self.kind, self.namespace, self.name)

    def rules(self, route=None):
        """The http routes, or rules, of the route as it is now, or as given."""
        return (route or self.vs())["spec"]["rules" if self.gateway else "http"]

    def backends(self, rule):
        """(side, backend) of those that are ours; a weight is in the backend."""
        for to in rule["backendRefs" if self.gateway else "route"]:
            dest = to.get("destination", {})
            name = to["name"] if self.gateway else dest["host"].split(".")[0]
            if name == f"{self.name}-canary" or dest.get("subset") == "canary":
                yield "canary", to
            elif name == self.name:
                yield "stable", to

    def patch_rules(self, rules, manager):
        """Writes the list back as a person would."""
        self.kube.patch(self.kind, self.namespace, self.name,
                        {"spec": {"rules" if self.gateway else "http": rules}}, manager)

    def weights(self, route="primary", of=None):
        """(stable, canary) as the route has them now, or as given."""
        for rule in self.rules(of):
            if rule.get("name") == route:
                found = {side: to.get("weight") for side, to in self.backends(rule)}
                stable = found.get("stable")
                return (100 if stable is None else stable, found.get("canary") or 0)
        raise KeyError(route)

    def stable_image(self):
        deployment = self.kube.get("Deployment", self.namespace, self.name)
        return deployment["spec"]["template"]["spec"]["containers"][0]["image"]

    def lost(self):
        """Requests lost since create(), by reason; {} is what must be."""
        now = self.lab.lost(self.route)
        return {why: n - self.lost_before.get(why, 0) for why, n in now.items()
                if n != self.lost_before.get(why, 0)}

    def leftovers(self):
        """What is still there of the canary."""
        found = []
        for kind in ("Deployment", "Service"):
            if self.kube.get(kind, self.namespace, f"{self.name}-canary"):
                found.append(f"{kind} {self.name}-canary")
        found += ["Pod " + p["metadata"]["name"] for p in self.kube.list("Pod", self.namespace)
                  if p["metadata"]["name"].startswith(f"{self.name}-canary-")]
        rule = self.kube.get("DestinationRule", self.namespace, self.name)
        if rule and not self.has_rule:
            found.append(f"DestinationRule {self.name}")
        return found

    def pods(self, workload):
        """Its pods that are not going, by their ReplicaSet's name."""
        return [p["metadata"]["name"] for p in self.kube.list("Pod", self.namespace)
                if p["metadata"]["name"].rsplit("-", 2)[0] == workload
                and "deletionTimestamp" not in p["metadata"]]

    def assert_home(self, image=None, vs=None):
        """Nothing is left over, the route is its old self (or vs), the Deployment runs
        the image (or its old one), and no request was lost on the way."""
        assert self.stable_image() == (image or self.image)
        assert self.leftovers() == []
        assert without_noise(self.vs()) == without_noise(vs or self.before)
        assert self.lost() == {}

    def delete(self):
        """Its clients go first."""
        for kind in (self.kind, "DestinationRule", "HorizontalPodAutoscaler", "Service",
                     "Deployment"):
            for name in (self.name, f"{self.name}-canary"):
                if self.kube.get(kind, self.namespace, name):
                    self.kube.remove(kind, self.namespace, name)
