"""Fixtures of the tests on a real mesh (make test-mesh)."""
import pytest

from harness.daemon import Daemon
from harness.lab import Prometheus

from meshlab import MeshLab


@pytest.fixture(scope="session")
def mesh(tmp_path_factory):
    made = MeshLab(str(tmp_path_factory.mktemp("mesh"))).start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def mesh_prometheus(mesh, tmp_path_factory):
    made = Prometheus(str(tmp_path_factory.mktemp("prom")), [mesh.metrics]).start()
    yield made
    made.stop()


@pytest.fixture
def make_airisd(mesh, mesh_prometheus, tmp_path):
    """make_airisd(**settings): a daemon that asks istiod; asks=False: that waits instead, or, with
    observe="default", looks at traffic."""
    made = []

    def make(asks=True, settle="12s", **more):
        daemon = Daemon(str(tmp_path), mesh.kubeconfig, mesh_prometheus.url, settle=settle,
                        istiod=mesh.istiod() if asks else None, **more).start()
        made.append(daemon)
        return daemon
    yield make
    for daemon in made:
        if daemon.process.alive():
            status, _ = daemon.stop()
            assert status == 0, daemon.process.text()[-3000:]
