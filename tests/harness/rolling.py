"""An app whose one workload takes the release in batches, behind a Service."""
from .kube import without_noise
from .process import wait_for
from .shop import GATE, Shop


class RollingShop(Shop):
    def __init__(self, lab, **more):
        super().__init__(lab, **more)
        self.kind, self.route = "Service", f"svc/{self.name}"

    def service(self):
        service = super().service()
        service["metadata"]["annotations"] = {"lab/rps": "100"}
        return service

    def app(self, **more):
        strategy = {"batches": [1, "50%", "100%"], "surge": 1, "deadline": "20s", "steady": "1s"}
        strategy.update(more.pop("rolling", {}))
        if "stages" in strategy:
            del strategy["batches"]
        return {"kind": "App", "name": self.name, "namespace": self.namespace,
                "workload": {"name": self.name}, "traffic": {"service": {"name": self.name}},
                "strategy": {"rolling": strategy}, "gates": more.pop("gates", [GATE]), **more}

    def create(self):
        self.kube.ensure_namespace(self.namespace)
        self.kube.create(self.deployment())
        wait_for("ready pods", lambda: self.ready(self.name) == self.replicas, 60)
        self.kube.create(self.service())
        self.wait_traffic()
        self.lost_before = self.lab.lost(self.route)
        self.before = self.own()
        return self

    def own(self):
        """The Deployment as a user sees it: all but its image and what the cluster writes."""
        deployment = without_noise(self.kube.get("Deployment", self.namespace, self.name))
        deployment.pop("status", None)
        deployment["metadata"].pop("annotations", None)  # the controller's revision
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            container.pop("image")
        return deployment

    def weights(self, route="primary", of=None):
        """Nothing is steered: all requests go to the one side."""
        return 100, 0

    def leftovers(self):
        return []

    def images(self):
        """How many of its pods have which image, those that are going aside."""
        found = {}
        for pod in self.kube.list("Pod", self.namespace):
            if "deletionTimestamp" not in pod["metadata"]:
                image = pod["spec"]["containers"][0]["image"]
                found[image] = found.get(image, 0) + 1
        return found

    def pods_of(self, tag):
        return self.images().get(self.image_of(tag), 0)

    def assert_runs(self, tag):
        """All of its pods run this, it is otherwise as it was, and no request was lost."""
        assert self.own() == self.before
        assert self.images() == {self.image_of(tag): self.replicas}
        # The Deployment's numbers come later, and the slices after the pods.
        wait_for("endpoints", lambda: self.endpoints(self.name) == self.replicas, 5)
        assert self.lost() == {}

    def delete(self):
        for kind in ("HorizontalPodAutoscaler", "Service", "Deployment"):
            if self.kube.get(kind, self.namespace, self.name):
                self.kube.delete(kind, self.namespace, self.name)
