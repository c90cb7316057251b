"""What a run did to the cluster, seen from outside: every state of its objects, by watches."""
import http.client
import json
import threading

from harness.kube import KINDS
from harness.process import wait_for
from harness.rolling import RollingShop


class Watch(threading.Thread):
    """Every state of the objects of one kind in a namespace, from now until done()."""

    def __init__(self, kube, kind, namespace):
        super().__init__(daemon=True)
        self.states, self.lock = [], threading.Lock()
        prefix, plural, _ = KINDS[kind]
        path = f"{prefix}/namespaces/{namespace}/{plural}"
        listed = kube.call("GET", path)
        self.states += [("ADDED", item) for item in listed["items"]]
        version = listed["metadata"]["resourceVersion"]
        headers = {"User-Agent": "tests-watch/1"}
        if kube.token:
            headers["Authorization"] = "Bearer " + kube.token
        self.connection = kube.connect()
        self.connection.sock.settimeout(None)
        self.connection.request("GET", f"{path}?watch=1&resourceVersion={version}", None, headers)
        self.answer = self.connection.getresponse()
        self.start()

    def run(self):
        try:
            for line in self.answer:
                event = json.loads(line)
                with self.lock:
                    self.states.append((event["type"], event["object"]))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass

    def of(self, name):
        with self.lock:
            return [(what, o) for what, o in self.states if o["metadata"]["name"] == name]

    def all(self):
        with self.lock:
            return [o for _, o in self.states]

    def done(self):
        if self.connection.sock is not None:
            self.connection.sock.shutdown(2)
        self.join(5)
        self.connection.close()


def changes(values):
    """Each value that differs from the one before it."""
    kept = []
    for value in values:
        if not kept or kept[-1] != value:
            kept.append(value)
    return kept


def tag_of(pod):
    return pod["spec"]["containers"][0]["image"].rsplit(":")[-1]


def bounds_of(spec):
    """How many pods of a Deployment; 0: it rolls by itself."""
    held = spec.get("minReadySeconds", 0) > 0
    return sum(spec["strategy"]["rollingUpdate"].values()) if held else 0


# By the kind of the workload: what its controller may do with the template.
HELD_AT = {
    "Deployment": bounds_of,
    "StatefulSet": lambda spec: spec["replicas"] - spec["updateStrategy"].get(
        "rollingUpdate", {}).get("partition", 0),
    "DaemonSet": lambda spec: spec["updateStrategy"]["type"],
}


class Watching:
    """All of a shop."""

    def __init__(self, shop):
        self.shop = shop
        kinds = {"Service", "HorizontalPodAutoscaler", shop.WORKLOAD, shop.kind}
        kinds |= {"Pod", "Job"} if isinstance(shop, RollingShop) else set()
        self.watches = {kind: Watch(shop.kube, kind, shop.namespace) for kind in kinds}

    def done(self):
        for watch in self.watches.values():
            watch.done()

    def catch_up(self):
        """Until the watches have told of everything that can be read now."""
        shop = self.shop
        for kind, watch in self.watches.items():
            for obj in shop.kube.list(kind, shop.namespace):
                name, version = obj["metadata"]["name"], int(obj["metadata"]["resourceVersion"])
                wait_for(f"the watch of {kind} {name}", lambda: max(
                    int(o["metadata"]["resourceVersion"]) for _, o in watch.of(name)) >= version)

    def made(self, kind, name):
        """How many objects of that name there have been."""
        return len({o["metadata"]["uid"] for _, o in self.watches[kind].of(name)})

    def weights(self):
        """The canary's, each when it changed."""
        found = []
        for what, route in self.watches[self.shop.kind].of(self.shop.name):
            if what != "DELETED":
                found.append(self.shop.weights(of=route)[1])
        return changes(found)

    def images(self):
        return changes(o["spec"]["template"]["spec"]["containers"][0]["image"]
                       for what, o in self.watches["Deployment"].of(self.shop.name)
                       if what != "DELETED")

    def batches(self):
        """(image's tag, what it is held at), when it changed."""
        return changes((tag_of(o["spec"]["template"]), HELD_AT[self.shop.WORKLOAD](o["spec"]))
                       for what, o in self.watches[self.shop.WORKLOAD].of(self.shop.name)
                       if what != "DELETED")

    def lives(self):
        """Of each ordinal, or node, the tags of its pods, one after the other."""
        found = {}
        for pod in self.watches["Pod"].all():
            by_name = self.shop.WORKLOAD == "StatefulSet"
            place = pod["metadata"]["name"] if by_name else pod["spec"].get("nodeName")
            if place and pod["metadata"].get("labels", {}).get("app") == self.shop.name:
                found.setdefault(place, {})[pod["metadata"]["uid"]] = tag_of(pod)
        return sorted(list(tags.values()) for tags in found.values())

    def jobs(self):
        """The name of each that was made; twice, if it was made twice."""
        made = {job["metadata"]["uid"]: job["metadata"]["name"] for job in self.watches["Job"].all()}
        return sorted(made.values())

    def floors(self):
        return changes(o["spec"].get("minReplicas")
                       for what, o in self.watches["HorizontalPodAutoscaler"].of(self.shop.name)
                       if what != "DELETED")
