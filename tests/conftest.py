"""Fixtures of all end-to-end tests."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness.daemon import Daemon  # noqa: E402
from harness.lab import Lab, Prometheus  # noqa: E402


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """One cluster for the session; scenarios use namespaces of their own."""
    made = Lab(str(tmp_path_factory.mktemp("lab"))).start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def slow_lab(tmp_path_factory):
    """The same with a mesh that is two seconds late."""
    made = Lab(str(tmp_path_factory.mktemp("slow")), mesh_delay="2s").start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def prometheus(lab, tmp_path_factory):
    made = Prometheus(str(tmp_path_factory.mktemp("prom")), [lab.metrics]).start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def slow_prometheus(slow_lab, tmp_path_factory):
    made = Prometheus(str(tmp_path_factory.mktemp("prom2")), [slow_lab.metrics]).start()
    yield made
    made.stop()


@pytest.fixture
def airisd(lab, prometheus, tmp_path):
    daemon = Daemon(str(tmp_path), lab.kubeconfig, prometheus.url).start()
    yield daemon
    if daemon.process.alive():
        status, took = daemon.stop()
        assert status == 0, daemon.process.text()[-3000:]
