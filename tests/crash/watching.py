"""What a run did to the cluster, seen from outside: every state of its objects, by watches."""
import http.client
import json
import threading

from harness.kube import KINDS
from harness.process import wait_for

WATCHED = ("Deployment", "Service", "HorizontalPodAutoscaler")


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


class Watching:
    """All of a shop."""

    def __init__(self, shop):
        self.shop = shop
        self.watches = {kind: Watch(shop.kube, kind, shop.namespace)
                        for kind in (*WATCHED, shop.kind)}

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
        """(image's tag, how many pods it is held at; 0: it rolls by itself), when it changed."""
        found = []
        for what, o in self.watches["Deployment"].of(self.shop.name):
            spec = o["spec"]
            tag = spec["template"]["spec"]["containers"][0]["image"].rsplit(":")[-1]
            bounds = spec["strategy"]["rollingUpdate"].values()
            held = spec.get("minReadySeconds", 0) > 0
            if what != "DELETED":
                found.append((tag, sum(bounds) if held else 0))
        return changes(found)

    def floors(self):
        return changes(o["spec"].get("minReplicas")
                       for what, o in self.watches["HorizontalPodAutoscaler"].of(self.shop.name)
                       if what != "DELETED")
