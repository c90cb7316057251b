"""2j: healthy and bad canaries, and aborts, where routing reaches the mesh two seconds late."""
import pytest

from harness.shop import HOST_MODES, SOME_MODES
from test_abort import abort_at, abort_held
from test_canary import bad, healthy

pytestmark = pytest.mark.together


@pytest.mark.parametrize("mode", SOME_MODES)
def test_healthy(slow_scene, mode):
    healthy(slow_scene, mode)


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("tag", ["2.0-err20", "2.0-lat200"])
def test_bad(slow_scene, tag, mode):
    bad(slow_scene, tag, mode)


@pytest.mark.parametrize("mode", SOME_MODES)
@pytest.mark.parametrize("weight", [10, 50, 100])
def test_abort_in_hold(slow_scene, weight, mode):
    abort_held(slow_scene, weight, mode)


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("stage", ["canary 10%", "canary 25%", "promote", "return", "clean"])
def test_abort_on_entering(slow_scene, stage, mode):
    abort_at(slow_scene, stage, mode)


@pytest.mark.parametrize("mode", HOST_MODES)
def test_two_colours_by_weights(slow_scene, mode):
    """There, and back from the next one by an abort in its watch."""
    shop, airisd = slow_scene.weighted(mode=mode), slow_scene.airisd
    rid = slow_scene.begin(shop, "2.0", blue_green={"watch": "1s"}, gates=[])
    airisd.wait_phase(rid, "succeeded", 120)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    rid = slow_scene.begin(shop, "3.0", blue_green={"watch": "60s"}, gates=[])
    airisd.wait(rid, lambda r: r["weight"]["taken"] == 100, 60, "the switch")
    assert airisd.command(rid, "abort").status == 200
    airisd.wait_phase(rid, "aborted", 120)
    shop.assert_active(shop.green, shop.image_of("2.0"))
