"""airis-sim: many apps at once, and many watches on them."""

import http.client
import json

from test_sim_lab import API, deployment, rolled, routes, service, sim, to

assert sim  # the fixture

APPS = 1000


def test_a_thousand_apps(sim):
    stream = sim.watch("deployments", "&resourceVersion=0", timeout=60)
    connection = http.client.HTTPConnection(sim.url.netloc, timeout=60)
    for i in range(APPS):
        name = f"app{i:04}"
        for plural, obj in (
                ("deployments", deployment(name)), ("services", service(name)),
                ("virtualservices", routes(name, to(name), annotations={"lab/rps": "0"}))):
            connection.request("POST", sim.path(plural), json.dumps(obj), sim.headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 201
    connection.close()
    ready = set()
    for event in stream:  # the watch keeps up with all of it
        if rolled(2)(event["object"]):
            ready.add(event["object"]["metadata"]["name"])
        if len(ready) == APPS:
            break
    stream.close()
    objects = sim.call("GET", "/sim/state")[1]["objects"]
    assert objects["pods"] == 2 * APPS and objects["replicasets"] == APPS
    sim.until(lambda: sum(len(s["endpoints"] or []) for s in sim.items("endpointslices")) == 2 * APPS)
    first = sim.call("GET", f"{API['pods']}/pods?limit=500")[1]
    assert len(first["items"]) == 500 and first["metadata"]["remainingItemCount"] == 1500
