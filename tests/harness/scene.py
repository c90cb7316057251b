"""A scenario: an airisd of its own, and apps of its own on a lab that others use too."""
import json
import os

from .colours import ColourShop
from .daemon import Daemon
from .process import SLOW
from .rolling import DaemonShop, RollingShop, StatefulShop
from .shop import Shop
from .weighted import WeightedShop


class Scene:
    def __init__(self, lab, prometheus, folder):
        self.lab, self.prometheus, self.folder = lab, prometheus, str(folder)
        self.kube = lab.kube
        self.shops, self.daemons, self.rollouts, self.scalers = [], [], [], []

    def daemon(self, **more):
        """A running airisd; the first call's is meant by everything below."""
        folder = os.path.join(self.folder, f"airisd{len(self.daemons)}")
        os.makedirs(folder)
        more = {"prometheus": self.prometheus.url, "settle": self.lab.settle, **more}
        made = Daemon(folder, self.lab.kubeconfig, **more)
        self.daemons.append(made)
        return made.start()

    @property
    def airisd(self):
        return self.daemons[0] if self.daemons else self.daemon()

    def shop(self, **more):
        made = Shop(self.lab, **more)
        self.shops.append(made)
        return made.create()

    def colours(self, **more):
        made = ColourShop(self.lab, **more)
        self.shops.append(made)
        return made.create()

    def daemons_of(self, **more):
        made = DaemonShop(self.lab, **more)
        self.shops.append(made)
        return made.create()

    def stateful(self, **more):
        made = StatefulShop(self.lab, **more)
        self.shops.append(made)
        return made.create()

    def rolling(self, **more):
        made = RollingShop(self.lab, **more)
        self.shops.append(made)
        return made.create()

    def weighted(self, **more):
        made = WeightedShop(self.lab, **more)
        self.shops.append(made)
        return made.create()

    def begin(self, shop, tag, **app):
        """Applies the app and starts the rollout of an image; returns its id."""
        self.airisd.apply(shop.app(**app))
        rid = self.airisd.start_rollout(shop.name, shop.image_of(tag))
        self.rollouts.append(rid)
        return rid

    def close(self):
        """Every airisd still there must stop at once and cleanly; then the apps go."""
        wrong = []
        for daemon in self.daemons:
            alive = daemon.process.alive()
            status, took = daemon.stop()
            if alive and (status != 0 or took > 1.5 * SLOW):
                wrong.append(f"airisd ended with {status} after {took:.1f} s")
        for made in self.scalers + self.shops:
            made.delete()
        assert not wrong, wrong

    def report(self):
        """For people, when it failed."""
        lines = []
        for rid in self.rollouts:
            try:
                lines.append(json.dumps(self.airisd.rollout(rid), indent=1))
                lines += [json.dumps(e) for e in self.airisd.events(rid)]
            except (OSError, ValueError, KeyError) as e:
                lines.append(f"{rid}: {e}")
        lines += [f"{shop.name}: lost {shop.lost_before} -> {self.lab.lost(shop.route)}"
                  for shop in self.shops]
        lines += [daemon.process.text()[-4000:] for daemon in self.daemons]
        for request in self.lab.requests_seen():
            if any(shop.namespace in request["path"] for shop in self.shops):
                lines.append(f"{request['time_ms']} {request['method']} {request['path']} "
                             f"{request['status']} {request['user_agent']}")
        return "\n".join(lines)


def abort(scene, rid, timeout=90):
    """By a person; until it is home."""
    answer = scene.airisd.command(rid, "abort", reason="the test says so")
    assert answer.status == 200, answer.text
    return scene.airisd.wait_phase(rid, "aborted", timeout)


def _enter(scene, rid, names, stage):
    scene.airisd.wait(rid, lambda r: names.index((r["stage"] or {"name": "preflight"})["name"])
                      >= names.index(stage), 90, f"stage {stage}")


def abort_on_entering(scene, shop, names, stage):
    """The last stage may take no time: then it has succeeded before."""
    rid = scene.begin(shop, "2.0", gates=[])
    _enter(scene, rid, names, stage)
    answer = scene.airisd.command(rid, "abort", reason="the test says so")
    assert answer.status == 200 or "is succeeded" in answer.text
    ended = scene.airisd.wait(rid, lambda r: r["phase"] in ("aborted", "succeeded"), 60, "its end")
    shop.assert_runs("2.0" if ended["phase"] == "succeeded" else "1.0")


def kill_on_entering(scene, shop, names, stage):
    rid = scene.begin(shop, "2.0", gates=[])
    _enter(scene, rid, names, stage)
    scene.airisd.kill()
    scene.airisd.start()
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_runs("2.0")


def acts(events, name, what="number"):
    """The numbers (or texts) of the acts of one kind that took effect, in order."""
    done, last = [], None
    for event in events:
        if event["kind"] == "act":
            last = event["data"]
        elif event["kind"] == "acted" and last and event["data"]["outcome"] in ("done", "already"):
            if last["act"] == name:
                done.append(last[what])
            last = None
    return done


def stages(events):
    """The stages that were entered after the first, in order."""
    return [e["data"]["index"] for e in events if e["kind"] == "stage"]
