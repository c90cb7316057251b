"""/metrics of a daemon that has done something: promtool and a real Prometheus take it, it is what
is documented, and its numbers are what has happened."""
import json
import os
import re
import signal
import subprocess
import urllib.parse
import urllib.request

import pytest
import yaml

import fm
from harness.daemon import Daemon
from harness.process import ROOT, Process, free_port, wait_for

GATE = fm.gate("good", "the_gate")
LINE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Scrape:
    def __init__(self, daemon):
        answer = daemon.call("GET", "/metrics")
        assert answer.status == 200
        self.type, self.text = answer.headers["Content-Type"], answer.text
        self.series, self.types = {}, {}
        for line in self.text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                assert name not in self.types, f"{name} is there twice"
                self.types[name] = kind
            elif not line.startswith("# HELP "):
                name, labels, value = LINE.match(line).groups()
                key = (name, frozenset(LABEL.findall(labels or "")))
                assert key not in self.series, line
                self.series[key] = float(value)

    def __call__(self, name, **labels):
        return self.series[name, frozenset(labels.items())]


def documented():
    """By the page, which test_docs.py holds to the table."""
    with open(os.path.join(ROOT, "docs/metrics.md"), encoding="utf-8") as file:
        text = file.read()
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels
            in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| ", text, re.M)}


@pytest.fixture(name="shown")
def fixture_shown(asking, shops, fake_prometheus):
    """After one canary that succeeded, one that a person aborted, and one that holds at a half."""
    fake_prometheus.answers["the_gate"] = lambda _: fm.number(1)
    shop, other = shops().create(), shops().create()
    held = {"hold": "60s"}
    asking.apply(fm.quick(shop, [GATE]))
    asking.wait_phase(asking.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")
    asking.apply(fm.quick(shop, [GATE], canary=held))
    rid = asking.start_rollout(shop.name, shop.image_of("3.0"))
    asking.wait_weight(rid, 50)
    assert asking.command(rid, "abort", reason="the test says so").status == 200
    asking.wait_phase(rid, "aborted")
    asking.apply(fm.quick(other, [GATE], canary=held))
    rid = asking.start_rollout(other.name, other.image_of("2.0"))
    asking.wait(rid, lambda r: r["stage"]["hold_until"] and r["stage"]["settled"])
    yield asking, other
    asking.command(rid, "abort", reason="the test is over")
    asking.wait_phase(rid, "aborted")


def expect_live(scrape, shop):
    app = {"app": shop.name, "namespace": shop.namespace, "cluster": "default"}
    assert scrape("airis_rollouts", strategy="canary", phase="progressing") == 1
    assert scrape("airis_rollouts", strategy="rolling", phase="progressing") == 0
    assert scrape("airis_rollout_info", **app, strategy="canary", phase="progressing") == 1
    assert scrape("airis_rollout_weight_ratio", **app) == 0.5
    assert scrape("airis_apps") == 2
    assert scrape("airis_store_writable") == 1 and scrape("airis_degraded") == 0
    assert [v for (n, _), v in scrape.series.items() if n == "airis_build_info"] == [1]


def ended(scrape, phase):
    return scrape("airis_rollouts_ended_total", strategy="canary", phase=phase)


def expect_counts(scrape):
    assert scrape.type == "text/plain; version=0.0.4; charset=utf-8"
    assert scrape("airis_rollouts_started_total", strategy="canary") == 3
    assert (ended(scrape, "succeeded"), ended(scrape, "aborted"), ended(scrape, "failed")) == \
        (1, 1, 0)
    assert scrape("airis_commands_total", command="abort") == 1
    assert scrape("airis_abort_latency_seconds_count") == 1
    assert scrape("airis_abort_latency_seconds_bucket", le="5") == 1
    assert scrape("airis_rollout_abort_duration_seconds_count", strategy="canary") == 1
    assert scrape("airis_rollout_duration_seconds_count", strategy="canary",
                  phase="succeeded") == 1
    # 50 % and 100 % of the first, 50 % of the second; the third is still in its.
    assert scrape("airis_rollout_stage_duration_seconds_count", strategy="canary",
                  stage="canary") == 3
    assert scrape("airis_rollout_stage_duration_seconds_count", strategy="canary",
                  stage="promote") == 1
    # 50, 100, 0 of the first, 50 and 0 of the second, 50 of the third.
    weights = sum(scrape("airis_acts_total", act="weight", outcome=o) for o in ("done", "already"))
    assert weights >= 6
    assert scrape("airis_act_duration_seconds_count", act="weight") >= weights
    assert scrape("airis_gate_measurements_total", verdict="pass") >= 3
    assert scrape("airis_gate_measurements_total", verdict="fail") == 0
    assert scrape("airis_prometheus_up", source="default") == 1
    assert scrape("airis_prometheus_requests_total", source="default", result="failed") == 0
    assert scrape("airis_prometheus_requests_total", source="default", result="answered") > 3
    assert scrape("airis_prometheus_request_duration_seconds_count", source="default") > 3
    assert scrape("airis_lease_held", cluster="default") == 1
    assert scrape("airis_lease_wanted", cluster="default") == 1
    assert scrape("airis_api_requests_total", method="POST", route="/v1/rollouts", code="201") == 3
    assert scrape("airis_api_requests_total", method="POST", route="/v1/rollouts/{id}/abort",
                  code="200") == 1
    assert scrape("airis_kube_requests_total", cluster="default", verb="PATCH", code="200") > 5
    assert scrape("airis_kube_watches", cluster="default") == \
        scrape("airis_kube_caches", cluster="default") > 0
    assert scrape("airis_store_commit_duration_seconds_count") > 10
    assert scrape("airis_loop_turn_duration_seconds_count") > 50
    assert 0 < scrape("airis_loop_lag_seconds_count")


def expect_documented(scrape):
    """Every family with its type and its labels, and no other; promtool has nothing to say."""
    families = documented()
    plain = {name: kind for name, (kind, _) in families.items()
             if not name.startswith(("airis_tls_", "airis_webhook_"))}  # test_tls, test_webhooks
    assert plain == scrape.types
    for (name, labels), value in scrape.series.items():
        base = name if name in families else re.sub("_(bucket|sum|count)$", "", name)
        assert {label for label, _ in labels} - {"le"} == families[base][1], name
        assert value >= 0 or name == "airis_prometheus_clock_skew_seconds", (name, labels, value)
    done = subprocess.run(["promtool", "check", "metrics"], input=scrape.text, text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def expect_no_names(daemon, other):
    """With metrics.apps: false, also while it runs; the numbers stay."""
    with open(daemon.config, "a", encoding="utf-8") as file:
        file.write("metrics: {apps: false}\n")
    daemon.process.popen.send_signal(signal.SIGHUP)
    wait_for("no app", lambda: other.name not in daemon.call("GET", "/metrics").text, 5)
    scrape = Scrape(daemon)
    assert scrape("airis_rollouts", strategy="canary", phase="progressing") == 1
    assert not [name for name, _ in scrape.series if name.startswith("airis_rollout_info")]


def test_it_says_what_has_happened(shown):
    """And after a kill -9 counters begin anew, and all else is right at once."""
    daemon, other = shown
    before = Scrape(daemon)
    expect_counts(before)
    expect_live(before, other)
    expect_documented(before)
    daemon.kill()
    daemon.restart()
    after = Scrape(daemon)
    assert after("airis_rollouts_started_total", strategy="canary") == 0
    assert ended(after, "succeeded") == ended(after, "aborted") == 0
    assert after("airis_commands_total", command="abort") == 0
    assert after("process_start_time_seconds") >= before("process_start_time_seconds")
    expect_live(after, other)
    wait_for("the wait", lambda: Scrape(daemon)("airis_rollouts_longest_wait_seconds",
                                                phase="progressing") > 0, 10)
    expect_no_names(daemon, other)


def test_a_gate_that_fails_and_a_source_that_is_away(asking, shops, fake_prometheus):
    fake_prometheus.answers["the_gate"] = fm.once_good(fm.number(0))
    shop = shops().create()
    asking.apply(fm.quick(shop, [GATE]))
    asking.wait_phase(asking.start_rollout(shop.name, shop.image_of("2.0")), "aborted")
    scrape = Scrape(asking)
    assert scrape("airis_gate_measurements_total", verdict="fail") == 1
    assert ended(scrape, "aborted") == 1
    assert scrape("airis_commands_total", command="abort") == 0
    assert scrape("airis_abort_latency_seconds_count") == 0  # nobody gave a command
    fake_prometheus.answers["the_gate"] = (503, "away")
    asking.start_rollout(shop.name, shop.image_of("3.0"))
    wait_for("no source", lambda: Scrape(asking)("airis_prometheus_up", source="default") == 0, 20)
    assert Scrape(asking)("airis_prometheus_requests_total", source="default", result="failed") > 0


def ask(port, query):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?"
                                + urllib.parse.urlencode({"query": query}), timeout=5) as answer:
        return json.load(answer)["data"]["result"]


def scrape_config():
    """As README.md has it."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        block = re.search(r"((?:    .*\n)*    scrape_configs:\n(?:    .*\n)+)", file.read()).group(1)
    return yaml.safe_load(block)


def test_a_real_prometheus_takes_it(quick_lab, tmp_path):
    """With the scrape config and the rules as README.md has them, by TCP."""
    port, prometheus_port = free_port(), free_port()
    token = tmp_path / "token"
    token.write_text("0123456789abcdef-the-token\n")
    token.chmod(0o600)
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig)
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write(text.replace(".sock}", f'.sock, tcp: "127.0.0.1:{port}", tokenFile: {token}}}',
                                1))
    config = scrape_config()
    assert config["scrape_configs"][0]["job_name"] == "airisd"
    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == ["127.0.0.1:8484"]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
    assert config["rule_files"] == ["/usr/local/share/doc/airis/airis.rules.yaml"]
    config["rule_files"] = [os.path.join(ROOT, "config/prometheus/airis.rules.yaml")]
    config["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    prometheus = Process(
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml",
         f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{prometheus_port}"], str(tmp_path / "prometheus.log"))
    daemon.start()
    prometheus.start()
    try:
        wait_for("a scrape", lambda: ask(prometheus_port, 'up{job="airisd"} == 1'), 30)
        assert ask(prometheus_port, "airis_build_info")[0]["value"][1] == "1"
        wait_for("the rules", lambda: ask(prometheus_port, "scrape_samples_scraped") and not
                 ask(prometheus_port, 'ALERTS{alertname="AirisdAbsent"}'), 30)
        daemon.stop()
        wait_for("the alert", lambda: ask(prometheus_port, 'ALERTS{alertname="AirisdDown"}'), 30)
    finally:
        prometheus.stop()
        daemon.stop()
