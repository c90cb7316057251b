"""A ScaledObject, and who acts on it: the simulator's own KEDA, or, where a real control plane knows
none (kubelab), its definition and a thread that plays the operator's part."""
import http.client
import threading

from .kube import Refused
from .lab import KIND
from .process import wait_for

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {"group": "keda.sh", "scope": "Namespaced",
             "names": {"plural": "scaledobjects", "singular": "scaledobject",
                       "kind": "ScaledObject", "listKind": "ScaledObjectList"},
             "versions": [{"name": "v1alpha1", "served": True, "storage": True,
                           "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {
                               "type": "object", "properties": {"spec": {
                                   "type": "object",
                                   "x-kubernetes-preserve-unknown-fields": True}}}}}]}}
ACTIVE = "lab/active"


class Keda:
    """The ScaledObject of a shop, as its user has made it: no trigger rests at first."""

    def __init__(self, scene, shop, **spec):
        self.kube, self.shop, self.operator = scene.kube, shop, None
        workload = getattr(shop, "WORKLOAD", "Deployment")
        self.made = {"scaleTargetRef": {"kind": workload, "name": shop.name},
                     "maxReplicaCount": 8, "triggers": [], **spec}
        if KIND != "sim":
            self.install()
            self.operator = Operator(self)
        self.kube.create({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
                          "metadata": {"name": shop.name, "namespace": shop.namespace},
                          "spec": self.made})
        scene.scalers.append(self)
        wait_for("KEDA's HPA", self.hpa, 20)

    def install(self):
        try:
            self.kube.create(DEFINITION)
        except Refused as e:
            if e.status != 409:
                raise
        wait_for("ScaledObjects", self.is_known, 20)

    def is_known(self):
        try:
            return self.kube.list("ScaledObject", self.shop.namespace) == []
        except Refused:
            return False

    def get(self):
        return self.kube.get("ScaledObject", self.shop.namespace, self.shop.name)

    def spec(self):
        return self.get()["spec"]

    def before(self, target):
        """As it was made, scaling that."""
        return {**self.made, "scaleTargetRef": {**self.made["scaleTargetRef"], "name": target}}

    def hpa(self):
        return self.kube.get("HorizontalPodAutoscaler", self.shop.namespace,
                             f"keda-hpa-{self.shop.name}")

    def patch(self, body):
        self.kube.patch("ScaledObject", self.shop.namespace, self.shop.name, body, "somebody")

    def annotate(self, **annotations):
        self.patch({"metadata": {"annotations": annotations}})

    def rests(self):
        """Its triggers have nothing to do: KEDA goes as low as it may."""
        self.annotate(**{ACTIVE: "false"})

    def wakes(self):
        self.annotate(**{ACTIVE: "true"})

    def size(self):
        target = self.spec()["scaleTargetRef"]
        return self.kube.get(target["kind"], self.shop.namespace, target["name"])["spec"][
            "replicas"]

    def wait_floor(self, floor):
        """KEDA has taken it, too."""
        wait_for("the floor", lambda: self.hpa()["spec"]["minReplicas"] == floor, 30)

    def delete(self):
        if self.operator:
            self.operator.end()
        if self.get():
            self.kube.delete("ScaledObject", self.shop.namespace, self.shop.name)


class Operator:
    """What KEDA's does, five times a second: its HPA, and what an HPA cannot do."""

    def __init__(self, keda):
        self.keda, self.done = keda, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def end(self):
        self.done.set()
        self.thread.join(30)

    def run(self):
        while not self.done.wait(0.2):
            try:
                scaled = self.keda.get()
                if scaled:
                    self.sync(scaled)
                    self.scale(scaled)
            except (Refused, OSError, http.client.HTTPException):
                pass

    def sync(self, scaled):
        meta, spec, kube = scaled["metadata"], scaled["spec"], self.keda.kube
        name = f"keda-hpa-{meta['name']}"
        target = {"apiVersion": "apps/v1", **spec["scaleTargetRef"]}
        wanted = {"scaleTargetRef": target, "maxReplicas": spec["maxReplicaCount"],
                  "minReplicas": max(1, spec.get("minReplicaCount", 0))}
        hpa = kube.get("HorizontalPodAutoscaler", meta["namespace"], name)
        if "autoscaling.keda.sh/paused" in meta.get("annotations", {}):
            if hpa:
                kube.delete("HorizontalPodAutoscaler", meta["namespace"], name)
        elif not hpa:
            owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
                     "name": meta["name"], "uid": meta["uid"], "controller": True}
            kube.create({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                         "metadata": {"name": name, "namespace": meta["namespace"],
                                      "ownerReferences": [owner]}, "spec": wanted}, "keda")
        elif any(hpa["spec"].get(key) != value for key, value in wanted.items()):
            kube.patch("HorizontalPodAutoscaler", meta["namespace"], name, {"spec": wanted},
                       "keda")

    def scale(self, scaled):
        meta, spec, kube = scaled["metadata"], scaled["spec"], self.keda.kube
        target, low = spec["scaleTargetRef"], spec.get("minReplicaCount", 0)
        annotations = meta.get("annotations", {})
        have = kube.get(target["kind"], meta["namespace"], target["name"])["spec"]["replicas"]
        if "autoscaling.keda.sh/paused" in annotations:
            return
        if annotations.get(ACTIVE) != "false":
            want = have or max(1, low)
        elif "idleReplicaCount" in spec:
            want = spec["idleReplicaCount"]
        else:
            want = 0 if low == 0 else max(have, low)
        if want != have:
            kube.patch(target["kind"], meta["namespace"], target["name"],
                       {"spec": {"replicas": want}}, "keda")
