"""An app of two colours behind a route: a Service per colour, and the weights 0 and 100."""
from .colours import ColourShop
from .kube import without_noise
from .shop import GATE, Shop


class WeightedShop(ColourShop):
    """`web` is adopted as the first colour, with its Service; `web-green` is cloned from both.
    given: the user has made the second colour's Service and named it in the route."""

    def __init__(self, lab, mode="host", given=False, **more):
        self.given = given
        super().__init__(lab, mode=mode, **more)
        self.kind = "HTTPRoute" if self.gateway else "VirtualService"
        self.route = f"{'route' if self.gateway else 'vs'}/{self.name}"
        self.preview = self.green  # the idle colour's own Service

    def service(self):
        return Shop.service(self)

    def green_service(self):
        service = self.service()
        service["metadata"]["name"] = service["spec"]["selector"]["app"] = self.green
        return service

    def name_green(self, rule):
        backends = rule["backendRefs" if self.gateway else "route"]
        backends[0]["weight"] = 100
        green = {"name": self.green, "port": 80} if self.gateway else {
            "destination": {"host": self.green}}
        backends.append({**green, "weight": 0})

    def virtual_service(self):
        return self.maybe_named(super().virtual_service(), "http")

    def http_route(self):
        return self.maybe_named(super().http_route(), "rules")

    def maybe_named(self, route, rules):
        for rule in route["spec"][rules] if self.given else []:
            self.name_green(rule)
        return route

    def app(self, **more):
        app = super().app(gates=more.pop("gates", [GATE]), **more)
        traffic = self.traffic()
        for of in traffic.values():
            of["rules" if self.gateway else "routes"] = ["beta", "primary"]
        return {**app, "traffic": traffic}

    def create(self):
        if self.given:
            self.kube.ensure_namespace(self.namespace)
            self.kube.create(self.green_service())
        return Shop.create(self)

    def weights(self, route="primary", of=None):
        """(blue, green)."""
        for rule in self.rules(of):
            if rule.get("name") == route:
                return self.weights_in(rule)
        raise KeyError(route)

    def weights_in(self, rule):
        found = {}
        for to in rule["backendRefs" if self.gateway else "route"]:
            name = to["name"] if self.gateway else to["destination"]["host"].split(".")[0]
            found[name] = to.get("weight")
        blue = found.get(self.name)
        return (100 if blue is None else blue, found.get(self.green) or 0)

    def selected(self):
        """The colour that serves, by every rule."""
        served = set()
        for route in ("beta", "primary"):
            blue, green = self.weights(route)
            assert min(blue, green) == 0 < max(blue, green), self.vs()
            served.add(self.green if green else self.name)
        assert len(served) == 1, self.vs()
        return served.pop()

    def assert_home(self, image=None, vs=None, lost=0):
        assert self.size(self.green) is None
        assert bool(self.kube.get("Service", self.namespace, self.green)) == self.given
        assert (self.selected(), self.size(self.name)) == (self.name, self.replicas)
        assert self.image_in(self.name) == (image or self.image)
        assert without_noise(self.vs()) == without_noise(vs or self.before)
        assert sum(self.lost().values()) <= lost

    def assert_active(self, colour, image):
        """This colour serves the image at full size, the other one rests; both Services stay."""
        other = self.name if colour == self.green else self.green
        assert (self.selected(), self.size(colour)) == (colour, self.replicas)
        assert self.image_in(colour) == image
        assert self.size(other) == 0 and self.pods(other) == []
        for name in (self.name, self.green):
            selector = self.kube.get("Service", self.namespace, name)["spec"]["selector"]
            assert selector == {"app": name}
        assert self.lost() == {}

    def leftovers(self):
        return []

    def delete(self):
        if self.vs():
            self.kube.remove(self.kind, self.namespace, self.name)
        super().delete()
