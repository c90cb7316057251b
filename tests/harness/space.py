"""A namespace of one test, for what the cluster's own controllers do, and short ways to say what is
in it. Nothing here is airisd's."""
import time
import uuid

from .process import wait_for


def template(app, tag, **spec):
    return {"metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"name": "c", "image": f"registry.local/{app}:{tag}"}], **spec}}


def workload(kind, name, tag="1", **spec):
    """With a selector, and a template of one container, unless spec brings its own."""
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"app": name}},
                     "template": template(name, tag), **spec}}


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True"
               for c in pod.get("status", {}).get("conditions", []))


class Space:
    def __init__(self, lab):
        self.kube, self.name = lab.kube, f"space-{uuid.uuid4().hex[:8]}"
        self.kube.ensure_namespace(self.name)

    def create(self, obj):
        obj["metadata"]["namespace"] = self.name
        return self.kube.create(obj)

    def get(self, kind, name):
        return self.kube.get(kind, self.name, name)

    def patch(self, kind, name, spec):
        return self.kube.patch(kind, self.name, name, {"spec": spec})

    def set_tag(self, kind, name, tag, **spec):
        return self.patch(kind, name, {"template": template(name, tag), **spec})

    def status(self, kind, name):
        return self.get(kind, name).get("status", {})

    def pods(self, app):
        """By name; those that are going are not counted."""
        found = self.kube.list("Pod", self.name, f"app={app}")
        return {p["metadata"]["name"]: p for p in found
                if "deletionTimestamp" not in p["metadata"]}

    def tags(self, app):
        """The image tag of each pod."""
        return {name: p["spec"]["containers"][0]["image"].rpartition(":")[2]
                for name, p in self.pods(app).items()}

    def until(self, what, check, timeout=20):
        return wait_for(what, check, timeout)

    def until_status(self, kind, name, timeout=20, **want):
        """Waits for fields of a current status; None: the field is absent."""
        def there():
            obj = self.get(kind, name)
            status = obj.get("status", {})
            assert status["observedGeneration"] == obj["metadata"]["generation"], status
            assert {k: status.get(k) for k in want} == want, status
            return status
        return self.until(f"{kind} {name} {want}", there, timeout)

    def stays(self, check, seconds=1.5):
        """That nothing changes any more: check() is true all the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert check()
            time.sleep(0.1)
