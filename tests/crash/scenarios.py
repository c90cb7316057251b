"""What is done in a run, from the first start of airisd to its last stop. Each is written so that a
client goes on after a crash at any line of it."""
from run import must

GATE = {"name": "answers-well", "prometheus": {"query": 'good{workload="{{canary}}"}', "pass": ">= 0.9"},
        "every": "100ms", "window": "1s", "failures": 0, "deadline": "30s"}
HELD = [{"weight": 25, "hold": "60s"}, {"weight": 100, "hold": "0s", "approve": True}]
STAGES = 6  # preflight, 25%, 100%, promote, return, clean


def app_of(run, **more):
    canary = {"stages": HELD, "steady": "100ms", "drain": "300ms", "deadline": "30s"}
    canary.update(more.pop("canary", {}))
    app = run.shop.app(canary=canary, gates=[{**GATE, **more.pop("gate", {})}], **more)
    del app["strategy"]["canary"]["weights"], app["strategy"]["canary"]["hold"]
    return app


def to_the_hold(run, rid):
    """The canary has its share, the mesh has taken it, and a gate has looked at it."""
    run.wait(rid, "the hold", lambda r: (r["stage"] or {}).get("hold_until")
             and r["stage"]["name"] == "canary 25%")
    run.wait_event(rid, "measured")


def healthy(run, released_first=False):
    """Paused, gone on with, settings read again, stopped and started, promoted, approved."""
    run.start(released=released_first)
    run.apply(app_of(run))
    rid = run.begin(run.shop.image_of("2.0"), "first")
    to_the_hold(run, rid)
    run.command(rid, "pause")
    run.wait_phase(rid, "paused")
    run.command(rid, "resume")
    run.wait_phase(rid, "progressing")
    run.reload()
    run.command(rid, "retry")
    if run.stop():
        run.start()
    run.command(rid, "promote")
    run.wait_blocked(rid, "approve")
    run.command(rid, "approve")
    run.wait_phase(rid, "succeeded")
    run.check_history(rid, "succeeded", STAGES)
    new = run.shop.image_of("2.0")
    run.check_home(new)
    run.check_effects([0, 25, 100, 0], [run.shop.image, new])
    run.finish([rid])


def upgrade(run):
    """The first half of it by the airisd of before; the next one changes the schema."""
    healthy(run, released_first=True)


def bad(run):
    """Half of what the canary answers is an error: its gate aborts."""
    run.start()
    run.apply(app_of(run))
    rid = run.begin(run.shop.image_of("2.0-err50"), "bad")
    run.wait_phase(rid, "aborted")
    must("gate answers-well" in run.look(rid)["reason"], run.look(rid)["reason"])
    home(run, rid)


def abort(run):
    """A person aborts it in the hold."""
    run.start()
    run.apply(app_of(run))
    rid = run.begin(run.shop.image_of("2.0"), "abort")
    to_the_hold(run, rid)
    run.command(rid, "abort")
    run.wait_phase(rid, "aborted")
    must(run.look(rid)["reason"] == "aborted by command", run.look(rid)["reason"])
    home(run, rid)


def home(run, rid):
    run.check_history(rid, "aborted", 2)
    run.check_home(run.shop.image)
    run.check_effects([0, 25, 0], [run.shop.image])
    run.finish([rid])


def colours(run):
    """Two colours behind a Service: to green, and the next one on the way to blue and back."""
    run.start()
    strategy = {"label": "colour", "approve": True, "watch": "60s", "drain": "300ms",
                "steady": "100ms", "deadline": "30s"}
    run.apply(run.shop.app(blue_green=strategy, gates=[]))
    first = run.begin(run.shop.image_of("2.0"), "first")
    switch(run, first)
    run.command(first, "promote")
    run.wait_phase(first, "succeeded")
    run.check_history(first, "succeeded", 4)
    must(run.shop.weights() == (0, 100), "green does not serve")
    run.check_turned({"blue": 0, "green": 4})
    second = run.begin(run.shop.image_of("3.0"), "second")
    switch(run, second)
    run.command(second, "abort")
    run.wait_phase(second, "aborted")
    run.check_history(second, "aborted", 3)
    run.check_turned({"blue": 0, "green": 4})
    run.finish([first, second])


def batches(run):
    """One Deployment, pod by pod to the release; and the next one back from its first batch."""
    run.start()
    strategy = {"stages": [{"pods": 1, "approve": True}, {"pods": "100%"}],
                "surge": 2, "steady": "100ms", "deadline": "30s"}
    run.apply(run.shop.app(rolling=strategy, gates=[]))
    first = run.begin(run.shop.image_of("2.0"), "first")
    run.wait_blocked(first, "approve")
    run.command(first, "approve")
    run.wait_phase(first, "succeeded")
    run.check_history(first, "succeeded", 4)
    run.check_home(run.shop.image_of("2.0"))
    second = run.begin(run.shop.image_of("3.0"), "second")
    run.wait_blocked(second, "approve")
    run.command(second, "abort")
    run.wait_phase(second, "aborted")
    run.check_home(run.shop.image_of("2.0"))
    run.check_batches([("1.0", 0), ("2.0", 1), ("2.0", 3), ("2.0", 4), ("2.0", 0), ("3.0", 1),
                       ("2.0", 0)])
    run.finish([first, second])


# Ordinal by ordinal, or node by node, with a stop after the first.
IN_STEPS = {"stages": [{"pods": 1, "approve": True}, {"pods": "100%"}], "steady": "100ms",
            "deadline": "30s"}


def released(run, image):
    """To its end, with an approval after the first pod."""
    rid = run.begin(image, "first")
    run.wait_blocked(rid, "approve")
    run.command(rid, "approve")
    run.wait_phase(rid, "succeeded")
    run.check_history(rid, "succeeded", 4)
    run.check_home(image)
    return rid


def ordinals(run):
    """A StatefulSet, from its last ordinal to its first; and the next one back from the first pod of
    it, which never gets ready: its controller would wait for that one without end."""
    run.start()
    run.apply(run.shop.app(rolling=IN_STEPS, gates=[]))
    first = released(run, run.shop.image_of("2.0"))
    second = run.begin(run.shop.image_of("3.0-never"), "second")
    run.wait(second, "its first pod", lambda r: run.shop.tags() == ["2.0", "2.0", "3.0-never"])
    run.command(second, "abort")
    run.wait_phase(second, "aborted")
    run.check_history(second, "aborted", 2)
    run.check_home(run.shop.image_of("2.0"))
    run.check_batches([("1.0", 3), ("2.0", 1), ("2.0", 2), ("2.0", 3), ("3.0-never", 1),
                       ("2.0", 3)])
    run.check_pods([["1.0", "2.0"], ["1.0", "2.0"], ["1.0", "2.0", "3.0-never", "2.0"]])
    run.finish([first, second])


def nodes(run):
    """A DaemonSet, node by node; and the next one back from its first node."""
    run.start()
    run.apply(run.shop.app(rolling=IN_STEPS, gates=[]))
    first = released(run, run.shop.image_of("2.0"))
    second = run.begin(run.shop.image_of("3.0"), "second")
    run.wait_blocked(second, "approve")
    run.command(second, "abort")
    run.wait_phase(second, "aborted")
    run.check_history(second, "aborted", 2)
    run.check_home(run.shop.image_of("2.0"))
    run.check_batches([("1.0", "RollingUpdate"), ("2.0", "OnDelete"), ("2.0", "RollingUpdate"),
                       ("3.0", "OnDelete"), ("2.0", "RollingUpdate")])
    run.check_pods([["1.0", "2.0"], ["1.0", "2.0"], ["1.0", "2.0", "3.0", "2.0"]])
    run.finish([first, second])


def saved(run):
    """A backup before the first batch; the next release's fails, so that nothing is released."""
    run.start()
    strategy = {"stages": [{"pods": "100%"}], "surge": 2, "steady": "100ms", "deadline": "30s"}
    run.apply(run.shop.app(rolling={**strategy, **run.create_backup()}, gates=[]))
    first = run.begin(run.shop.image_of("2.0"), "first")
    run.wait_phase(first, "succeeded")
    run.check_history(first, "succeeded", 4)
    run.check_home(run.shop.image_of("2.0"))
    run.change_backup("1-fail")
    second = run.begin(run.shop.image_of("3.0"), "second")
    run.wait_phase(second, "aborted")
    must("the backup failed" in run.look(second)["reason"], run.look(second)["reason"])
    run.check_home(run.shop.image_of("2.0"))
    run.check_batches([("1.0", 0), ("2.0", 2), ("2.0", 4), ("2.0", 0)])
    run.check_backups("save", [first, second])
    run.finish([first, second])


def switch(run, rid):
    """The preview is approved, and all requests go to the other colour, which is watched."""
    run.wait_blocked(rid, "approve")
    run.command(rid, "approve")
    run.wait(rid, "the watch", lambda r: (r["stage"] or {}).get("hold_until")
             and r["stage"]["name"] == "switch")


def copied(run):
    """Its database is copied in the hold."""
    run.start()
    run.apply(app_of(run))
    rid = run.begin(run.shop.image_of("2.0"), "copied")
    to_the_hold(run, rid)
    run.copy()
    run.command(rid, "abort")
    run.wait_phase(rid, "aborted")
    home(run, rid)


def mishaps(run):
    """A pod fails, somebody edits the route (repaired), another airisd takes the right to write for
    a moment, a newer release supersedes it, and home is out of reach until a person helps."""
    run.start()
    # A real cluster's controllers write too: a deletion may meet some conflicts before it is taken.
    deadline = "3s" if run.place.is_sim else "8s"
    run.apply(app_of(run, onEdit="repair", onStart="supersede", canary={"deadline": deadline},
                     gate={"failures": 1000}))  # the pod that fails is nothing to it
    first = run.begin(run.shop.image_of("2.0"), "first")
    to_the_hold(run, first)
    pod = run.shop.pods(f"{run.shop.name}-canary")[0]
    run.kube.set_ready(run.shop.namespace, pod, False)
    run.wait_event(first, "unsettled")
    run.kube.set_ready(run.shop.namespace, pod, True)
    to_the_hold(run, first)
    edit_weight(run, 24)
    run.wait_event(first, "drift_over")
    to_the_hold(run, first)
    another_takes_the_lease(run)
    run.wait_event(first, "fenced")
    run.wait_event(first, "fence_over")
    finalizer(run, ["example.com/held"])
    second = run.begin(run.shop.image_of("3.0"), "second")
    run.wait_phase(first, "failed")
    finalizer(run, [])
    run.command(first, "retry")
    run.wait_phase(first, "aborted")
    run.command(second, "abort")
    run.wait_phase(second, "aborted")
    run.check_history(first, "aborted", 2)
    must(f"superseded by rollout {second}" in run.look(first)["reason"], "another reason")
    run.look(second)
    run.check_home(run.shop.image, lost_allowed=True)  # the pod that failed was a loss
    run.finish([first, second])


def edit_weight(run, weight):
    """As somebody does with kubectl edit, who does not know of the rollout."""
    rules = run.shop.rules()
    for rule in rules:
        for side, to in run.shop.backends(rule) if rule["name"] == "primary" else []:
            to["weight"] = weight if side == "canary" else 100 - weight
    run.shop.patch_rules(rules, "kubectl-edit")


def another_takes_the_lease(run):
    """As another airisd would that dies a moment later."""
    run.kube.patch("Lease", "airis", run.lease, {"spec": {
        "holderIdentity": "another 1", "leaseDurationSeconds": 1,
        "renewTime": "2020-01-01T00:00:00.000000Z"}}, manager="another")


def finalizer(run, names):
    """Somebody else's; with one a deleted object stays."""
    run.kube.patch("Deployment", run.shop.namespace, f"{run.shop.name}-canary",
                   {"metadata": {"finalizers": names}}, manager="somebody")
