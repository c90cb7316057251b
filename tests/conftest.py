"""Fixtures of all end-to-end tests.

Scenarios take a `scene` (or a `slow_scene`, whose mesh is two seconds late). Those marked
`together` run at the same time, in threads, as soon as the first of them is due; the others one
after the other, when these are done. On a failure the scene's report is printed."""
import concurrent.futures
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
pytest.register_assert_rewrite("harness")

from harness.lab import KIND, Lab, Prometheus  # noqa: E402
from harness.scene import Scene  # noqa: E402

AT_ONCE = int(os.environ.get("AIRIS_TOGETHER", "8" if KIND == "sim" else "5"))


class Place:
    """A lab and its Prometheus, for many scenes."""

    def __init__(self, folder, **lab):
        self.folder = folder
        self.lab = Lab(str(folder), **lab).start()
        self.prometheus = Prometheus(str(folder), [self.lab.metrics]).start()
        self.count, self.running, self.pool = 0, {}, None

    def start(self, items, name):
        """All of them at once, as far as the machine goes."""
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        for item in items:
            self.running[item.nodeid] = self.pool.submit(
                self.play, item.obj, arguments_of(item), name)

    def stop(self):
        if self.pool:
            self.pool.shutdown(cancel_futures=True)
        self.prometheus.stop()
        self.lab.stop()

    def scene(self):
        self.count += 1
        folder = self.folder / f"scene{self.count}"
        folder.mkdir()
        return Scene(self.lab, self.prometheus, folder)

    def play(self, function, arguments, name):
        """Returns None, or the error and the scene's report."""
        scene = self.scene()
        try:
            function(**{**arguments, name: scene})
            scene.close()
            return None
        except BaseException as e:  # pylint: disable=broad-except
            report = ""
            try:
                report = scene.report()
                scene.close()
            except Exception as more:  # pylint: disable=broad-except
                report += f"\n{more!r}"
            return e, report


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("p"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def slow_place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("q"), mesh_delay="2000ms")
    yield made
    made.stop()


@pytest.fixture(scope="session")
def lab(place):
    """The cluster alone."""
    return place.lab


@pytest.fixture(scope="session")
def prometheus(place):
    return place.prometheus


@pytest.fixture
def scene(place):
    return place


@pytest.fixture
def slow_scene(slow_place):
    return slow_place


def scene_name(item):
    names = getattr(item, "fixturenames", ())
    return next((n for n in ("scene", "slow_scene") if n in names), None)


def order(item):
    name = scene_name(item)
    together = item.get_closest_marker("together") is not None
    return (name is not None, name == "slow_scene", name is not None and not together)


def pytest_configure(config):
    config.addinivalue_line("markers", "together: a scenario that minds no other one beside it")


def pytest_collection_modifyitems(items):
    items.sort(key=order)


def arguments_of(item):
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    name = scene_name(pyfuncitem)
    if name is None:
        return None
    where = pyfuncitem.funcargs[name]
    if pyfuncitem.get_closest_marker("together") and where.pool is None:
        where.start([item for item in pyfuncitem.session.items if scene_name(item) == name
                     and item.get_closest_marker("together")], name)
    future = where.running.get(pyfuncitem.nodeid)
    failed = future.result() if future else where.play(
        pyfuncitem.obj, arguments_of(pyfuncitem), name)
    if failed:
        print(failed[1])
        raise failed[0]
    return True
