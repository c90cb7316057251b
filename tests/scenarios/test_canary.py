"""Canaries from start to end, on whichever lab (AIRIS_LAB)."""
import pytest

from harness.kube import without_noise
from harness.shop import GATE, LATENCY, Shop


def assert_home(shop):
    assert shop.leftovers() == []
    assert without_noise(shop.vs())["spec"] == without_noise(shop.before)["spec"]


@pytest.mark.parametrize("mode", ["host", "subset"])
def test_healthy(airisd, lab, mode):
    """2a: succeeded, new image, nothing left over, the VirtualService as before, 0 lost."""
    shop = Shop(lab, mode=mode).create()
    airisd.apply(shop.app())
    rid = airisd.start_rollout(shop.name, shop.image_of("2.0"))
    airisd.wait_phase(rid, "succeeded", 120)
    assert shop.stable_image() == shop.image_of("2.0")
    assert_home(shop)
    assert shop.lost() == {}
    weights = [e["data"]["number"] for e in airisd.events(rid)
               if e["kind"] == "act" and e["data"]["act"] == "weight"]
    assert weights == [10, 25, 50, 100, 0]


@pytest.mark.parametrize("tag", ["2.0-err20", "2.0-lat400"])
def test_bad_canary_is_aborted_by_its_gate(airisd, lab, tag):
    """2b: aborted by the gate, home reached, 0 lost."""
    shop = Shop(lab).create()
    airisd.apply(shop.app(gates=[GATE, LATENCY]))
    rid = airisd.start_rollout(shop.name, shop.image_of(tag))
    ended = airisd.wait_phase(rid, "aborted", 120)
    assert "gate" in ended["reason"]
    assert shop.stable_image() == shop.image
    assert_home(shop)
    assert shop.lost() == {}
