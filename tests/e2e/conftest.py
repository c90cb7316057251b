"""A quick cluster for the failure-mode tests: pods and mesh take a fraction of a second."""
import pytest

from fm import FakePrometheus, Shops
from harness.daemon import Daemon
from harness.lab import Lab

SETTLE = "400ms"


@pytest.fixture(scope="session")
def quick_lab(tmp_path_factory):
    made = Lab(str(tmp_path_factory.mktemp("quick")), mesh_delay="150ms", ready_after="100ms",
               rps=50).start()
    yield made
    made.stop()


@pytest.fixture
def shops(quick_lab):
    made = Shops(quick_lab)
    yield made
    quick_lab.no_faults()
    made.remove()


@pytest.fixture
def fake_prometheus():
    made = FakePrometheus()
    yield made
    made.stop()


def stop_well(daemon):
    """It must have lived until here, and must end cleanly."""
    if daemon.process.popen is None:
        return
    assert daemon.process.alive(), daemon.process.text()[-3000:]
    status, _ = daemon.stop()
    assert status == 0, daemon.process.text()[-3000:]


@pytest.fixture
def make_daemon(quick_lab, tmp_path):
    """A daemon of the quick cluster that is not started yet; it ends with the test."""
    made = []

    def make(kubeconfig=None):
        made.append(Daemon(str(tmp_path), kubeconfig or quick_lab.kubeconfig, settle=SETTLE))
        return made[-1]
    yield make
    for daemon in made:
        stop_well(daemon)


@pytest.fixture
def quick(quick_lab, tmp_path):
    """airisd for the quick cluster, without a Prometheus."""
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig, settle=SETTLE).start()
    yield daemon
    stop_well(daemon)


@pytest.fixture
def asking(quick_lab, fake_prometheus, tmp_path):
    """The same with the fake Prometheus, which is asked for at most a second."""
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig, settle=SETTLE)
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace("prometheus: []", f'prometheus: [{{name: default, url: "'
                             f'{fake_prometheus.url}", timeout: 1s}}]'))
    daemon.start()
    yield daemon
    stop_well(daemon)
