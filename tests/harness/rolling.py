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
        return {"kind": "App", "name": self.name, "namespace": self.namespace, "selfApproval": True,
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
        """The workload as a user sees it: all but its image and what the cluster writes."""
        deployment = without_noise(self.kube.get(self.WORKLOAD, self.namespace, self.name))
        deployment.pop("status", None)
        deployment["metadata"].pop("annotations", None)  # the controller's revision
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            container.pop("image")
        return deployment

    def create_backup(self, tag="1", **spec):
        """A CronJob that never comes by itself; returns what an App says of it."""
        pod = {"restartPolicy": "Never", "containers": [
            {"name": "backup", "image": f"registry.local/{self.name}-backup:{tag}"}]}
        self.kube.create({"apiVersion": "batch/v1", "kind": "CronJob",
                          "metadata": {"name": "save", "namespace": self.namespace},
                          "spec": {"schedule": "0 2 * * *", "suspend": True, "jobTemplate": {
                              "spec": {"backoffLimit": 0, "template": {"spec": pod}, **spec}}}})
        return {"backup": {"cronJob": "save", "deadline": "30s"}}

    def create_hpa(self):
        self.kube.create({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"minReplicas": 2, "maxReplicas": 8, "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": self.WORKLOAD, "name": self.name}}})

    def hpa_floor(self):
        return self.kube.get("HorizontalPodAutoscaler", self.namespace, self.name)["spec"][
            "minReplicas"]

    def weights(self, route="primary", of=None):
        """Nothing is steered: all requests go to the one side."""
        return 100, 0

    def leftovers(self):
        return []

    def own_pods(self):
        return self.kube.list("Pod", self.namespace, f"app={self.name}")

    def images(self):
        """How many of its pods have which image, those that are going aside."""
        found = {}
        for pod in self.own_pods():
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
        # The workload's numbers come later, and the slices after the pods.
        wait_for("endpoints", lambda: self.endpoints(self.name) == self.replicas, 5)
        assert self.lost() == {}

    def delete(self):
        for kind in ("HorizontalPodAutoscaler", "Service", self.WORKLOAD):
            if self.kube.get(kind, self.namespace, self.name):
                self.kube.remove(kind, self.namespace, self.name)


class StatefulShop(RollingShop):
    """One whose pods are those of a StatefulSet."""
    WORKLOAD = "StatefulSet"

    def __init__(self, lab, policy="OrderedReady", **more):
        super().__init__(lab, **{"replicas": 3, "pod_rps": 60, **more})  # one may be away
        self.policy = policy

    def deployment(self):
        stateful = super().deployment()
        stateful["kind"] = "StatefulSet"
        stateful["spec"].update(serviceName=self.name, podManagementPolicy=self.policy)
        return stateful

    def ready(self, workload):
        stateful = self.kube.get("StatefulSet", self.namespace, workload)
        return (stateful or {}).get("status", {}).get("readyReplicas", 0)

    def app(self, **more):
        rolling = {"deadline": "20s", "steady": "1s", **more.pop("rolling", {})}
        app = super().app(**more)
        app["workload"]["kind"], app["strategy"]["rolling"] = "StatefulSet", rolling
        return app

    def tags(self):
        """What each ordinal runs, from 0 on; None: it is not there, or is going."""
        tags = [None] * self.replicas
        for pod in self.own_pods():
            if "deletionTimestamp" not in pod["metadata"]:
                ordinal = int(pod["metadata"]["name"].rpartition("-")[2])
                tags[ordinal] = pod["spec"]["containers"][0]["image"].rpartition(":")[2]
        return tags


class DaemonShop(StatefulShop):
    """One whose pods are those of a DaemonSet, one on each of the lab's three nodes."""
    WORKLOAD = "DaemonSet"

    def deployment(self):
        daemons = RollingShop.deployment(self)
        daemons["kind"] = "DaemonSet"
        del daemons["spec"]["replicas"]
        return daemons

    def ready(self, workload):
        daemons = self.kube.get("DaemonSet", self.namespace, workload)
        return (daemons or {}).get("status", {}).get("numberReady", 0)

    def app(self, **more):
        app = super().app(**more)
        app["workload"]["kind"] = "DaemonSet"
        return app

    def tags(self):
        """What its pods run, those that are going aside."""
        return sorted(pod["spec"]["containers"][0]["image"].rpartition(":")[2]
                      for pod in self.own_pods() if "deletionTimestamp" not in pod["metadata"])
