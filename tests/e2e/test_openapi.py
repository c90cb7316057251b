"""/openapi.json, and whether airisd does what it says: schemathesis makes thousands of requests from
it, good and bad ones, and looks at each answer. The cluster is the simulator."""
import json
import os
import re
import subprocess
import urllib.request

import fm
import pytest
from harness.daemon import Daemon
from harness.lab import Lab
from harness.process import BUILD, ROOT, SLOW
from harness.shop import Shop

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "openapi")
WITHOUT_SANITIZERS = pytest.mark.skipif(
    SLOW > 1, reason="the fuzzers are with them, and this would take minutes")
TOKEN = "file-token-0123456789abcdef"


@pytest.fixture(name="venv", scope="module")
def fixture_venv():
    """Where its programs are. Made when it is not there, or when requirements.txt has changed."""
    done = subprocess.run(
        ["make", "-s", "O=" + os.path.relpath(BUILD, ROOT), "venv"], cwd=ROOT, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if done.returncode != 0:
        pytest.fail(f"{done.stdout[-2000:]}\nmake venv takes python3-venv, and PyPI or a mirror "
                    "of it (PIP_INDEX_URL): without it nobody knows whether airisd does what "
                    "/openapi.json says", pytrace=False)
    return os.path.join(BUILD, "venv", "bin")


@pytest.fixture(name="daemon", scope="module")
def fixture_daemon(tmp_path_factory):
    """By TCP, with no limit of requests; with the app of the document's examples, and a rollout of
    it."""
    folder = tmp_path_factory.mktemp("openapi")
    lab = Lab(str(folder), mesh_delay="150ms", ready_after="100ms", rps=50).start()
    daemon = Daemon(str(folder), lab.kubeconfig, settle="400ms")
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace("listen: {", f'listen: {{tcp: "127.0.0.1:0", tokenFile: {token}, ')
                + "limits: {rate: 0, failedLogins: 0}\n")
    daemon.start()
    try:
        shop = Shop(lab)
        shop.name, shop.namespace = "web", "shop"
        shop.image = shop.image_of("1.0")
        shop.create()
        daemon.apply(fm.quick(shop))
        daemon.start_rollout("web", shop.image_of("1.1"))
        yield daemon
        assert daemon.process.alive(), daemon.process.text()[-3000:]
    finally:
        status, _ = daemon.stop()
        lab.stop()
    assert status == 0, daemon.process.text()[-3000:]


def url(daemon):
    port = re.findall(r"\(port (\d+)\)", daemon.process.text())[-1]
    return f"http://127.0.0.1:{port}"


def document(daemon):
    """Nobody has to show a token for it."""
    with urllib.request.urlopen(url(daemon) + "/openapi.json", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        return json.load(answer)


@WITHOUT_SANITIZERS
def test_it_is_openapi(daemon, venv, tmp_path):
    text = document(daemon)
    with open(os.path.join(ROOT, "VERSION"), encoding="utf-8") as f:
        assert text["info"]["version"] == f.read().strip()
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(text))
    done = subprocess.run([os.path.join(venv, "python"), "-m", "openapi_spec_validator",
                           "--schema", "3.1.0", str(path)],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_the_codes_of_rest_md(daemon):
    """Each code, and each status that comes with it."""
    with open(os.path.join(ROOT, "docs/rest.md"), encoding="utf-8") as f:
        page = dict(re.findall(r"(?m)^\| `(\w+)` \| (\d{3}) \|", f.read()))
    text = document(daemon)
    codes = text["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert set(codes) == set(page)
    for path, methods in text["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                name = answer.get("$ref", "").rpartition("/")[2]
                answer = text["components"]["responses"][name] if name else answer
                told = re.findall(r"`(\w+)`", answer["description"])
                assert {page[code] for code in told} <= {status}, (method, path)
                assert told or status < "400", (method, path, status)


@WITHOUT_SANITIZERS
def test_airisd_does_what_it_says(daemon, venv, tmp_path):
    text = document(daemon)
    path = tmp_path / "openapi.json"  # from the daemon itself, it leaves out this one route
    path.write_text(json.dumps(text))
    done = subprocess.run(
        [os.path.join(venv, "schemathesis"), "--config-file",
         os.path.join(HERE, "schemathesis.toml"), "run", str(path), "--url", url(daemon),
         "--header", "Authorization: Bearer " + TOKEN, "--checks", "all", "--warnings", "off"],
        capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": HERE, "NO_COLOR": "1",
             "PYTHONPYCACHEPREFIX": os.path.join(BUILD, "venv", "compiled")})
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-3000:]
    made, operations = re.search(r"(\d+) generated", done.stdout), \
        re.search(r"Tested: +(\d+)", done.stdout)
    print(f"schemathesis: {made[1]} requests for {operations[1]} operations, no failure")
    assert int(made[1]) > 1000, done.stdout
    assert int(operations[1]) == sum(map(len, text["paths"].values()))
