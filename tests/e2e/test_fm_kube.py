"""Failure modes between the daemon and the API server (F56, F57, F59, F61 to F68)."""
import re

import pytest

import fm
from harness.lab import Lab
from harness.process import wait_for


def metric(daemon, name):
    """The sum over all labels."""
    text = daemon.call("GET", "/metrics").text
    found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.M)
    assert found, f"no metric {name}"
    return sum(float(v) for v in found)


def test_watches_begin_at_once(quick, shops):
    """Streams do not wait for each other's connection: with HTTP/1.1 each has its own."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "30s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    wait_for("watches of all kinds", lambda: metric(quick, "airis_kube_watches") >= 7, 3)
    quick.wait_weight(rid, 50, 5)
    assert quick.command(rid, "abort").status == 200
    quick.wait_phase(rid, "aborted")


def test_history_expires(quick, quick_lab, shops):
    """F61: every version that the watches know is too old, and they are cut: everything is read
    again and the release goes on."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "500ms"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait_weight(rid, 50)
    before = metric(quick, "airis_kube_relists_total")
    quick_lab.fault({"expire_history": True})
    quick_lab.fault({"cut_watches": True}, namespace=shop.namespace)
    quick.wait_phase(rid, "succeeded")
    assert metric(quick, "airis_kube_relists_total") > before
    assert fm.stages_entered(quick, rid) == fm.STAGES and shop.lost() == {}


def test_watches_that_end_at_once(quick, quick_lab, shops):
    """F62, F59: watches that are dropped as they begin are begun again later and later; meanwhile
    the release holds and says why, and an abort is carried out."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    quick_lab.fault({"drop": True}, verb="watch", namespace=shop.namespace)
    quick_lab.fault({"cut_watches": True}, namespace=shop.namespace)
    quick_lab.ask_sim("POST", "/sim/requests/reset")
    quick.wait(rid, lambda r: "watch" in (r["blocked_on"] or {}).get("what", ""), 20)
    watches = [r for r in quick_lab.ask_sim("GET", "/sim/requests")["last"]
               if r["verb"] == "watch" and shop.namespace in r["path"]]
    assert len(watches) < 100, "a busy loop"
    assert quick.call("GET", "/readyz").json["clusters"][0]["fresh"] is False
    assert quick.command(rid, "abort").status == 200
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 5)
    quick_lab.no_faults()
    quick.wait_phase(rid, "aborted", 90)
    wait_for("nothing left over", lambda: shop.leftovers() == [], 10)


def test_mute_watches_promote_nothing(quick, quick_lab, shops):
    """F63: watches that are open and silent: what is seen is verified by a read before the next
    weight, so an edit that no watch told of is found all the same."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "6s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    quick_lab.fault({"mute_watches": True}, kind="virtualservices", namespace=shop.namespace)
    http = shop.vs()["spec"]["http"]
    http[1]["route"] = [{**r, "weight": 80 if i == 0 else 20}
                        for i, r in enumerate(http[1]["route"])]
    shop.kube.patch("VirtualService", shop.namespace, shop.name, {"spec": {"http": http}},
                    manager="alice")
    quick.wait(rid, lambda r: "alice" in (r["blocked_on"] or {}).get("what", ""), 30)
    assert shop.weights() == (80, 20)
    assert quick.command(rid, "abort").status == 200
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 5)


def test_token_changes(make_daemon, tmp_path):
    """F64: a token that is refused is read again from its file; no restart."""
    lab = Lab(str(tmp_path / "own"), mesh_delay="150ms", ready_after="100ms", rps=50)
    lab.process.args += ["-token", "right"]
    lab.start()
    try:
        shop = fm.Shop(lab, replicas=2, pod_rps=0).create()
        token = tmp_path / "token"
        token.write_text("wrong\n")
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            f"clusters: [{{name: c, cluster: {{server: '{lab.server}'}}}}]\n"
            f"users: [{{name: u, user: {{tokenFile: {token}}}}}]\n"
            "contexts: [{name: c, context: {cluster: c, user: u}}]\n")
        daemon = make_daemon(str(kubeconfig)).start()
        daemon.apply(fm.quick(shop))
        rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
        daemon.wait(rid, lambda r: "401" in (r["blocked_on"] or {}).get("what", ""))
        token.write_text("right\n")
        daemon.wait_phase(rid, "succeeded", 60)
        assert "right" not in daemon.process.text() and "wrong" not in daemon.process.text()
    finally:
        lab.stop()


def test_throttled(quick, quick_lab, shops):
    """F65: Retry-After is honoured, and nothing is sent more often for it."""
    shop = shops().create()
    quick.apply(fm.quick(shop))
    quick_lab.fault({"status": 429, "retry_after": 1}, percent=30, user_agent="airisd",
                    verb="write", namespace=shop.namespace)
    quick_lab.ask_sim("POST", "/sim/requests/reset")
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait_phase(rid, "succeeded")
    seen = quick_lab.ask_sim("GET", "/sim/requests")["last"]
    writes = [r for r in seen if r["user_agent"].startswith("airisd") and r["method"] != "GET"
              and shop.namespace in r["path"]]
    for one, two in zip(writes, writes[1:]):
        if one["status"] == 429 and two["path"] == one["path"]:
            assert two["time_ms"] - one["time_ms"] >= 950
    assert fm.stages_entered(quick, rid) == fm.STAGES and shop.lost() == {}


@pytest.mark.parametrize("effect", [{"drop_after": True}, {"status": 504, "after": True},
                                    {"drop": True}, {"status": 500}, {"conflict": True}])
def test_answers_that_go_wrong(effect, quick, quick_lab, shops):
    """F66, F56: a third of the writes has an unknown outcome, or a conflict: it is read back, and
    in the end each write was done once."""
    shop = shops().create()
    seen = [fm.Seen(shop.kube, kind, shop.namespace) for kind in ("VirtualService", "Deployment")]
    quick.apply(fm.quick(shop))
    quick_lab.fault(effect, percent=33, user_agent="airisd", verb="write",
                    namespace=shop.namespace)
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait_phase(rid, "succeeded", 90)
    quick_lab.no_faults()
    states = [o["spec"] for t, kind, o in seen[0].done()]
    assert all(a != b for a, b in zip(states, states[1:])), "a write was done twice"
    made = [o for t, kind, o in seen[1].done() if kind == "ADDED"
            and o["metadata"]["name"] == f"{shop.name}-canary"]
    assert len(made) == 1 and shop.lost() == {} and shop.leftovers() == []
    assert fm.stages_entered(quick, rid) == fm.STAGES
    assert [e for e in quick.events(rid) if e["kind"] == "drift"] == [], "its own write"


def test_errors_are_not_absence(quick, quick_lab, shops):
    """F57: reads that fail are neither "changed" nor "gone": nothing is made, deleted or undone for
    them, and it is said which cluster does not answer."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "2s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    quick_lab.fault({"status": 500}, verb="read", namespace=shop.namespace, user_agent="airisd")
    quick_lab.fault({"expire_history": True})
    quick_lab.fault({"cut_watches": True}, namespace=shop.namespace)
    quick.wait(rid, lambda r: (r["blocked_on"] or {}).get("object") == "Cluster", 20)
    assert fm.weights_written(quick, rid) == [50] and shop.weights() == (50, 50)
    assert not {"delete_canary", "set_image", "route_home"} & set(fm.acts(quick, rid))
    quick_lab.no_faults()
    quick.wait_phase(rid, "succeeded", 90)
    assert fm.stages_entered(quick, rid) == fm.STAGES and shop.lost() == {}


def test_deleted_and_made_anew(quick, shops):
    """F67: a Deployment of the same name with another uid is another one: the release ends, and
    the new one is not given any image."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    shop.image = shop.image_of("0.9")
    shop.kube.delete("Deployment", shop.namespace, shop.name)
    shop.kube.create(shop.deployment())
    ended = quick.wait_phase(rid, "aborted")
    assert "was deleted" in ended["reason"]
    assert shop.stable_image() == shop.image_of("0.9")
    wait_for("nothing left over", lambda: shop.leftovers() == [], 10)


def test_deleted_between_start_and_stop(quick, quick_lab, shops):
    """F67, F52: the same while the daemon is away."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    quick.kill()
    shop.image = shop.image_of("0.9")
    shop.kube.delete("Deployment", shop.namespace, shop.name)
    shop.kube.create(shop.deployment())
    wait_for("its pods", lambda: shop.ready(shop.name) == shop.replicas)
    quick.restart()
    ended = quick.wait_phase(rid, "aborted")
    assert "made anew" in ended["reason"] and shop.stable_image() == shop.image_of("0.9")


def test_a_slow_server(quick, quick_lab, shops):
    """F65, F15: every answer takes a while; an abort does not wait behind the others."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    quick_lab.fault({"latency_ms": 300}, user_agent="airisd", namespace=shop.namespace)
    assert quick.command(rid, "abort").status == 200
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 1)
    quick.wait_phase(rid, "aborted")
    assert shop.leftovers() == []


def test_other_names_for_one_generation(quick, quick_lab, shops):
    """F60: a status that belongs to an older generation is not believed: the promotion waits until
    the controller has seen the new image."""
    shop = shops(replicas=3).create()
    seen = fm.Seen(shop.kube, "Deployment", shop.namespace)
    routes = fm.Seen(shop.kube, "VirtualService", shop.namespace)
    quick.apply(fm.quick(shop))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait_phase(rid, "succeeded")
    whole = next(t for t, kind, o in seen.done() if o["metadata"]["name"] == shop.name
                 and o["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":2.0")
                 and o["status"].get("observedGeneration") == o["metadata"]["generation"]
                 and o["status"].get("updatedReplicas") == 3
                 and o["status"].get("readyReplicas") == 3)
    home = [t for t, kind, o in routes.done()][-2]  # weight 0, before the route is as it was
    assert whole < home
