"""The short form of soak.py: a descriptor, or a kilobyte, that each rollout leaves shows in it. In so
few rollouts the heap's own comings and goings, of 300 kB either way, would hide less; the long form
sees 100 bytes."""
import os
import subprocess
import sys

SOAK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "soak.py")


def test_memory_and_descriptors_stay_flat():
    done = subprocess.run(
        [sys.executable, "-B", SOAK, "--apps", "20", "--warm", "600", "--rollouts", "1000",
         "--parts", "1", "--bytes", "800"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("soak: ok\n")
