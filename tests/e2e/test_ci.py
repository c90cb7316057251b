"""The examples for pipelines, in config/ci and in the README: their commands are run as they stand
there, against the real daemon by TCP."""
import concurrent.futures
import json
import os
import re
import subprocess

import pytest
import yaml

import fm
from harness.issuer import Issuer
from harness.process import ROOT, SLOW, wait_for
from test_attacks import TOKEN, with_tcp


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


class Github:
    """A job: its steps share a folder and what they write into GITHUB_ENV."""
    file = "config/ci/github-actions.yaml"

    def __init__(self, env, folder, issuer):
        self.env, self.folder = {
            **env, "GITHUB_ENV": str(folder / "env"), "CURL_CA_BUNDLE": issuer.ca,
            "ACTIONS_ID_TOKEN_REQUEST_URL": issuer.url + "/token?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job"}, folder
        job = yaml.safe_load(read(self.file))["jobs"]["release"]
        assert set(job["env"]) == set(env) and job["permissions"] == {"id-token": "write"}
        self.steps = {step["name"]: step["run"] for step in job["steps"]}
        assert not any("${{" in run for run in self.steps.values()), "names of tags would be run"

    def run(self, *names):
        done = None
        for name in names:
            done = shell(self.steps[name], self.env, self.folder)
            written = self.folder / "env"
            if written.exists():
                self.env.update(line.split("=", 1) for line in written.read_text().splitlines())
            if done.returncode:
                break
        return done

    def start(self):
        return self.run("Token", "Start")

    def release(self):
        return self.run("Token", "Start", "Wait")

    def cancelled(self):
        return self.run("Abort")


class Gitlab:
    file = "config/ci/gitlab-ci.yaml"

    def __init__(self, env, folder, issuer):
        self.env, self.folder, self.issuer = env, folder, issuer
        self.job = yaml.safe_load(read(self.file))["release"]
        assert set(self.job["variables"]) | {"AIRIS"} == set(env)
        assert self.job["id_tokens"] == {"AIRIS_PROOF": {"aud": "$AIRIS"}}

    def shell(self, script):
        proof = self.issuer.token(aud=self.env["AIRIS"], project_id="22", repository_id=None)
        return shell(script, {**self.env, "AIRIS_PROOF": proof}, self.folder)

    def start(self):
        return self.shell(self.job["script"][0])

    def release(self):
        return self.shell("\n".join(self.job["script"]))

    def cancelled(self):
        return shell("\n".join(self.job["after_script"]), {**self.env, "CI_JOB_STATUS": "canceled"},
                     self.folder)


class Readme:
    def __init__(self, env, folder, _):
        self.env, self.folder = {**env, "AIRIS_TOKEN": TOKEN}, folder
        block = re.search(r"(?m)^    api\(\)(?:.*\n)(?:    .*\n)+", read("README.md"))[0]
        assert len(block.splitlines()) == 10
        self.first, self.last = re.split(r" *# when the pipeline is cancelled.*\n", block)

    def start(self):
        return shell(self.first.split("    while")[0] + 'printf %s "$rollout" > rollout', self.env,
                     self.folder)

    def release(self):
        return shell(self.first + "at phase", self.env, self.folder)

    def cancelled(self):
        functions = "".join(self.first.splitlines(True)[:3])
        return shell(f'{functions}rollout=$(cat rollout)\n{self.last}\nat phase\n', self.env, self.folder)


def shell(script, env, folder):
    """As runners do it: bash, ends at the first error."""
    return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, text=True,
                          env={"PATH": os.environ["PATH"], **env}, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120 * SLOW, check=False)


def released(job, daemon, shop):
    """Start and wait: succeeded; run again: the same rollout; what is refused is red."""
    for _ in range(2):
        done = job.release()
        assert done.returncode == 0 and "succeeded" in done.stdout, (done.stdout, done.stderr)
    [rollout] = daemon.call("GET", f"/v1/rollouts?app={shop.name}").json["items"]
    assert rollout["phase"] == "succeeded" and rollout["image"] == job.env["IMAGE"]
    job.env |= {"APP": "nobody", "KEY": "another"}
    done = job.release()
    assert done.returncode not in (0, 127)
    assert ("404" if isinstance(job, Readme) else "no app of that name") in done.stdout + done.stderr


def cancelled(job, daemon, shop):
    assert job.start().returncode == 0
    [rid] = [r["id"] for r in daemon.call("GET", f"/v1/rollouts?app={shop.name}").json["items"]]
    done = job.cancelled()
    assert done.returncode == 0 and "aborted" in done.stdout, (done.stdout, done.stderr)
    rollout = daemon.rollout(rid)
    assert rollout["phase"] == "aborted" and "cancelled" in rollout["reason"]
    if not isinstance(job, Readme):
        assert rollout["release"]["who"].startswith("alice oidc:ci:repo:shop/web:")
        assert rollout["release"]["commit"] == "3f9c"


def killed(job, daemon, shop):
    """A wait outlives a kill -9 of the daemon."""
    assert job.start().returncode == 0
    [rid] = [r["id"] for r in daemon.call("GET", f"/v1/rollouts?app={shop.name}").json["items"]]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waits = pool.submit(job.run, "Wait")
        daemon.wait_stage(rid, "canary 100%")
        wait_for("the wait", lambda: "\nairis_api_streams 1\n" in daemon.call("GET", "/metrics").text)
        daemon.kill()
        daemon.restart()
        assert daemon.command(rid, "abort", reason="enough").status == 200
        done = waits.result()
    assert done.returncode == 1 and "aborted" in done.stdout and "enough" in done.stdout, done


@pytest.fixture
def issuer(tmp_path):
    made = Issuer(str(tmp_path))
    yield made
    made.stop()


def test_pipelines(make_daemon, shops, tmp_path, issuer):
    """All of them at once, one that succeeds and one that is cancelled of each."""
    daemon = with_tcp(make_daemon(), tmp_path, {})
    url = f"http://127.0.0.1:{daemon.port}"
    rules = [{"claims": claims, "role": "deployer", "namespaces": ["*"]}
             for claims in ({"repository_id": "74", "ref_type": "tag"}, {"project_id": "22"})]
    with open(daemon.config, "a", encoding="utf-8") as f:
        f.write("oidc: " + json.dumps([{"name": "ci", "issuer": issuer.url, "audience": url,
                                        "caFile": issuer.ca, "rules": rules}]) + "\n")
    daemon.start()

    def play(pipeline, check):
        folder = tmp_path / f"{pipeline.__name__}-{check.__name__}"
        folder.mkdir()
        shop = shops().create()
        hold = "0s" if check is released else "1h"
        daemon.apply(fm.quick(shop, canary={"weights": [100], "hold": hold}))
        check(pipeline({"AIRIS": url, "APP": shop.name, "IMAGE": shop.image_of("2.0"),
                        "KEY": folder.name, "COMMIT": "3f9c", "WHY": "https://ci.example/1",
                        "ACTOR": "alice"}, folder, issuer), daemon, shop)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        plays = [pool.submit(play, pipeline, check) for pipeline in (Github, Gitlab, Readme)
                 for check in (released, cancelled)]
    for done in plays:
        done.result()
    play(Github, killed)
    assert TOKEN not in daemon.process.text()
