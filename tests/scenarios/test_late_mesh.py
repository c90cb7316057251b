"""2j: healthy and bad canaries, and aborts, where routing reaches the mesh two seconds late."""
import pytest

from test_abort import abort_at, abort_held
from test_canary import bad, healthy

pytestmark = pytest.mark.together


@pytest.mark.parametrize("mode", ["host", "subset"])
def test_healthy(slow_scene, mode):
    healthy(slow_scene, mode)


@pytest.mark.parametrize("tag", ["2.0-err20", "2.0-lat200"])
def test_bad(slow_scene, tag):
    bad(slow_scene, tag)


@pytest.mark.parametrize("mode", ["host", "subset"])
@pytest.mark.parametrize("weight", [10, 50, 100])
def test_abort_in_hold(slow_scene, weight, mode):
    abort_held(slow_scene, weight, mode)


@pytest.mark.parametrize("stage", ["canary 10%", "canary 25%", "promote", "return", "clean"])
def test_abort_on_entering(slow_scene, stage):
    abort_at(slow_scene, stage, "host")
