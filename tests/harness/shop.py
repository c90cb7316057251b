"""The app that scenarios release: objects of the cluster as a user has them, and the App."""
import uuid

from .kube import without_noise
from .process import wait_for

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

    def __init__(self, lab, mode="host", replicas=4, pod_rps=30, tag="1.0"):
        self.lab, self.kube = lab, lab.kube
        self.before, self.lost_before, self.has_rule = None, {}, False
        unique = uuid.uuid4().hex[:8]  # the lab counts lost requests by the route's name
        self.name, self.namespace, self.mode = f"web-{unique}", f"shop-{unique}", mode
        self.replicas, self.pod_rps, self.image = replicas, pod_rps, self.image_of(tag)
        self.route = f"vs/{self.name}"

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

    def app(self, **more):
        istio = {"virtualService": self.name, "routes": ["primary"], "mode": self.mode}
        canary = {"weights": [10, 25, 50, 100], "hold": "3s", "drain": "1s", "deadline": "20s"}
        canary.update(more.pop("canary", {}))
        return {"kind": "App", "name": self.name, "namespace": self.namespace,
                "workload": {"kind": "Deployment", "name": self.name},
                "traffic": {"istio": istio}, "strategy": {"canary": canary},
                "gates": more.pop("gates", [GATE]), **more}

    def create(self):
        self.kube.ensure_namespace(self.namespace)
        for obj in (self.deployment(), self.service()):
            self.kube.create(obj)
        wait_for("ready pods", lambda: self.ready(self.name) == self.replicas, 60)
        wait_for("endpoints", lambda: self.endpoints(self.name) == self.replicas, 30)
        self.kube.create(self.virtual_service())
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
        return self.kube.get("VirtualService", self.namespace, self.name)

    def weights(self, route="primary"):
        """(stable, canary) as the VirtualService has them now."""
        return self.weights_of(self.vs(), route)

    @staticmethod
    def weights_of(vs, route="primary"):
        for http in vs["spec"]["http"]:
            if http.get("name") == route:
                found = {}
                for to in http["route"]:
                    dest = to["destination"]
                    canary = dest["host"].split(".")[0].endswith("-canary") or \
                        dest.get("subset") == "canary"
                    found["canary" if canary else "stable"] = to.get("weight")
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
        """Nothing is left over, the VirtualService is its old self (or vs), the Deployment runs
        the image (or its old one), and no request was lost on the way."""
        assert self.stable_image() == (image or self.image)
        assert self.leftovers() == []
        assert without_noise(self.vs()) == without_noise(vs or self.before)
        assert self.lost() == {}

    def delete(self):
        """Its clients go first."""
        for kind in ("VirtualService", "DestinationRule", "HorizontalPodAutoscaler", "Service",
                     "Deployment"):
            for name in (self.name, f"{self.name}-canary"):
                if self.kube.get(kind, self.namespace, name):
                    self.kube.delete(kind, self.namespace, name)
