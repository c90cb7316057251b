"""A small Kubernetes client for tests: JSON over HTTP(S), by the lab's kubeconfig."""
import copy
import http.client
import json
import re
import socket
import ssl
import threading
import urllib.parse

KINDS = {
    "Namespace": ("/api/v1", "namespaces", False),
    "Pod": ("/api/v1", "pods", True),
    "Service": ("/api/v1", "services", True),
    "Event": ("/api/v1", "events", True),
    "ResourceQuota": ("/api/v1", "resourcequotas", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "ReplicaSet": ("/apis/apps/v1", "replicasets", True),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", True),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", True),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions", True),
    "Job": ("/apis/batch/v1", "jobs", True),
    "CronJob": ("/apis/batch/v1", "cronjobs", True),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets", True),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies", True),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims", True),
    "StorageClass": ("/apis/storage.k8s.io/v1", "storageclasses", False),
    "Node": ("/api/v1", "nodes", False),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers", True),
    "ScaledObject": ("/apis/keda.sh/v1alpha1", "scaledobjects", True),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions",
                                 False),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices", True),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
    "VirtualService": ("/apis/networking.istio.io/v1", "virtualservices", True),
    "DestinationRule": ("/apis/networking.istio.io/v1", "destinationrules", True),
    "PeerAuthentication": ("/apis/security.istio.io/v1", "peerauthentications", True),
    "HTTPRoute": ("/apis/gateway.networking.k8s.io/v1", "httproutes", True),
}


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:400]}")
        self.status, self.body = status, body


class Kube:
    def __init__(self, kubeconfig):
        with open(kubeconfig, encoding="utf-8") as f:
            text = f.read()
        self.server = re.search(r'server:\s*"?([^",}\s]+)', text).group(1)
        token = re.search(r'token:\s*"?([^",}\s]+)', text)
        self.token = token.group(1) if token else None
        self.local = threading.local()

    def call(self, method, path, body=None, content_type="application/json", manager="tests"):
        headers = {"Content-Type": content_type, "User-Agent": f"{manager}/1"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        answer = self.exchange(method, path, None if body is None else json.dumps(body), headers)
        data = answer.read().decode()
        if answer.status >= 300:
            raise Refused(answer.status, data)
        return json.loads(data) if data else {}

    def connect(self):
        url = urllib.parse.urlsplit(self.server)
        if url.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            conn = http.client.HTTPSConnection(url.netloc, timeout=20, context=context)
        else:
            conn = http.client.HTTPConnection(url.netloc, timeout=20)
        conn.connect()
        conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return conn

    def exchange(self, method, path, body, headers):
        """Reads go over this thread's own connection, opened again when the server let it go."""
        kept = getattr(self.local, "conn", None) if method == "GET" else None
        self.local.conn = None
        if kept:
            try:
                return self.ask(kept, method, path, body, headers)
            except (http.client.HTTPException, OSError):
                kept.close()
        return self.ask(self.connect(), method, path, body, headers)

    def ask(self, conn, method, path, body, headers):
        conn.request(method, path, body, headers)
        answer = conn.getresponse()
        if not answer.will_close:
            self.local.conn = conn
        return answer

    @staticmethod
    def path(kind, namespace=None, name=None):
        prefix, plural, spaced = KINDS[kind]
        return prefix + (f"/namespaces/{namespace}" if spaced and namespace else "") + \
            f"/{plural}" + (f"/{name}" if name else "")

    def get(self, kind, namespace, name):
        try:
            return self.call("GET", self.path(kind, namespace, name))
        except Refused as e:
            if e.status == 404:
                return None
            raise

    def list(self, kind, namespace, selector=None):
        query = "?labelSelector=" + urllib.parse.quote(selector) if selector else ""
        return self.call("GET", self.path(kind, namespace) + query)["items"]

    def create(self, obj, manager="tests"):
        meta = obj["metadata"]
        return self.call("POST", self.path(obj["kind"], meta.get("namespace")), obj,
                         manager=manager)

    def ensure_namespace(self, name):
        try:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        except Refused as e:
            if e.status != 409:
                raise

    def patch(self, kind, namespace, name, patch, manager="tests"):
        path = self.path(kind, namespace, name) + f"?fieldManager={manager}"
        return self.call("PATCH", path, patch, "application/merge-patch+json", manager)

    def delete(self, kind, namespace, name):
        return self.call("DELETE", self.path(kind, namespace, name))

    def remove(self, kind, namespace, name):
        """Deletes it, if nobody else has: an airisd that is still at work may."""
        try:
            self.delete(kind, namespace, name)
        except Refused as e:
            if e.status != 404:
                raise

    def set_ready(self, namespace, pod, ready):
        """Makes a running pod ready or unready, as its kubelet would."""
        def mend(condition):
            if condition["type"] in ("Ready", "ContainersReady"):
                return {**condition, "status": "True" if ready else "False"}
            return condition
        status = self.get("Pod", namespace, pod)["status"]
        return self.call(
            "PATCH", self.path("Pod", namespace, pod) + "/status",
            {"status": {"conditions": [mend(c) for c in status["conditions"]]}},
            "application/merge-patch+json", "kubelet")


def without_noise(obj):
    """An object as its owner sees it: without what the API server keeps about it."""
    obj = copy.deepcopy(obj)
    for key in ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp"):
        obj["metadata"].pop(key, None)
    obj.pop("status", None)
    return obj
