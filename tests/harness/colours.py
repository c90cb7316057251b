"""An app of two colours: a Deployment, a Service whose selector is switched, and its clients."""
from .kube import without_noise
from .process import wait_for
from .shop import GATE, Shop


class ColourShop(Shop):
    """`web` is adopted as the first colour; `web-green` is cloned from it. colour: the pods have a
    label for it, and the user has made the preview."""

    def __init__(self, lab, colour=False, **more):
        self.colour = colour
        super().__init__(lab, **more)
        self.kind, self.route = "Service", f"svc/{self.name}"
        self.green, self.preview = f"{self.name}-green", f"{self.name}-preview"

    def service(self):
        service = super().service()
        service["metadata"]["annotations"] = {"lab/rps": "100"}
        if self.colour:
            service["spec"]["selector"]["colour"] = "blue"
        return service

    def preview_service(self):
        service = super().service()
        service["metadata"]["name"] = self.preview
        service["spec"]["selector"]["colour"] = "green"
        return service

    def deployment(self):
        deployment = super().deployment()
        if self.colour:
            deployment["spec"]["template"]["metadata"]["labels"]["colour"] = "blue"
        return deployment

    def app(self, **more):
        strategy = {"watch": "4s", "drain": "1s", "deadline": "20s", "steady": "1s"}
        strategy.update(more.pop("blue_green", {}))
        return {"kind": "App", "name": self.name, "namespace": self.namespace, "selfApproval": True,
                "workload": {"name": self.name}, "traffic": {"service": {"name": self.name}},
                "strategy": {"blueGreen": strategy}, "gates": more.pop("gates", [GATE]), **more}

    def create(self):
        self.kube.ensure_namespace(self.namespace)
        self.kube.create(self.deployment())
        wait_for("ready pods", lambda: self.ready(self.name) == self.replicas, 60)
        self.kube.create(self.service())
        if self.colour:
            self.kube.create(self.preview_service())
        self.wait_traffic()
        self.lost_before = self.lab.lost(self.route)
        self.before = self.vs()
        return self

    def weights(self, route="primary", of=None):
        """(blue, green), as if it were a route."""
        selector = (of or self.vs())["spec"]["selector"]
        green = "green" in (selector.get("colour"), selector["app"][-5:])
        return (0, 100) if green else (100, 0)

    def selected(self):
        """The colour that serves."""
        app = self.vs()["spec"]["selector"]["app"]
        return {self.name: self.name, self.green: self.green}[app]

    def size(self, workload):
        deployment = self.kube.get("Deployment", self.namespace, workload)
        return deployment["spec"]["replicas"] if deployment else None

    def image_in(self, workload):
        deployment = self.kube.get("Deployment", self.namespace, workload)
        return deployment["spec"]["template"]["spec"]["containers"][0]["image"]

    def assert_home(self, image=None, vs=None, lost=0):
        """Where it was before the first rollout: green is gone, for it was not there. lost: so many
        requests met pods that had all crashed."""
        assert self.size(self.green) is None
        assert self.kube.get("Service", self.namespace, self.preview) is None
        assert (self.selected(), self.size(self.name)) == (self.name, self.replicas)
        assert self.image_in(self.name) == (image or self.image)
        assert without_noise(self.vs()) == without_noise(vs or self.before)
        assert sum(self.lost().values()) <= lost

    def assert_active(self, colour, image):
        """This colour serves the image at full size, the other one rests, nothing was lost."""
        other = self.name if colour == self.green else self.green
        assert (self.selected(), self.size(colour)) == (colour, self.replicas)
        assert self.image_in(colour) == image
        assert self.size(other) == 0 and self.pods(other) == []
        assert self.kube.get("Service", self.namespace, self.preview) is None
        assert self.lost() == {}

    def budget(self, selector, **spec):
        """The user makes a PodDisruptionBudget."""
        self.kube.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                          "metadata": {"name": "guard", "namespace": self.namespace},
                          "spec": {"selector": selector, **(spec or {"minAvailable": 3})}})

    def budgets(self):
        """What there is: the pods that each expects, by its name."""
        return {b["metadata"]["name"]: b.get("status", {}).get("expectedPods")
                for b in self.kube.list("PodDisruptionBudget", self.namespace)}

    def leftovers(self):
        """Nothing is left over but the colours, and a preview that is the user's."""
        preview = self.kube.get("Service", self.namespace, self.preview)
        return [f"Service {self.preview}"] if preview and not self.colour else []

    def delete(self):
        for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Service", "Deployment"):
            for name in (self.name, self.preview, self.green, "guard"):
                if self.kube.get(kind, self.namespace, name):
                    self.kube.remove(kind, self.namespace, name)
