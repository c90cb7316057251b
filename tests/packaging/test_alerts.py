"""What comes with the metrics: alert rules that fire when they should, and a dashboard; both ask
for what airisd has, and for nothing else."""

import json
import os
import re
import subprocess

import pytest
import yaml

from harness.process import BUILD, ROOT

RULES = os.path.join(ROOT, "config/prometheus/airis.rules.yaml")
CASES = os.path.join(ROOT, "tests/packaging/airis.rules.test.yaml")
BOARD = os.path.join(ROOT, "config/grafana/airis.json")


def promtool(*words, **more):
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, **more)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.fixture(name="families", scope="module")
def fixture_families():
    """{name: (type, labels)}, by the page, which test_docs.py holds to the table."""
    text = read(os.path.join(ROOT, "docs", "metrics.md"))
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| .*\.? \|$", text, re.M)
    assert len(rows) > 60
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def alerts():
    return [rule for group in yaml.safe_load(read(RULES))["groups"] for rule in group["rules"]]


def family_of(name, families):
    """A histogram's series have a suffix; the family and whether it is asked for as what it is."""
    if name in families:
        return name if families[name][0] != "histogram" else None
    base = re.sub("_(bucket|sum|count)$", "", name)
    return base if base in families and families[base][0] == "histogram" else None


def wrong_in(expr, families):
    """What a query asks for that is not there: families, and labels in braces."""
    plain = re.sub(r'"[^"]*"', '""', expr)
    for name in set(re.findall(r"\b((?:airis|process)_\w+)", plain)):
        if family_of(name, families) is None:
            yield f"{name} is no series of airisd, in {expr}"
    for name, braces in re.findall(r"\b((?:airis|process)_\w+)\{([^}]*)\}", plain):
        allowed = {"job", "instance", "le"} | families.get(
            family_of(name, families), ("", set()))[1]
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces):
            if label not in allowed:
                yield f"{name} has no label {label}, in {expr}"
    for label in re.findall(r"\bby \(([^)]*)\)", plain):
        known = {"job", "instance", "le"}.union(*(labels for _, labels in families.values()))
        for one in re.split(r",\s*", label):
            if one not in known:
                yield f"nothing has a label {one}, in {expr}"


def test_rules_are_taken():
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    done = promtool("test", "rules", CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_case():
    """One in which it fires, and one before, or of another daemon, in which it does not."""
    cases = {case["name"]: case for case in yaml.safe_load(read(CASES))["tests"]}
    for alert in alerts():
        expected = [e["exp_samples"] for e in cases[alert["alert"]]["promql_expr_test"]]
        assert [] in expected and len([e for e in expected if e]) == 1, alert["alert"]


def test_every_alert_says_what_to_do():
    commands = subprocess.check_output([os.path.join(BUILD, "airisctl"), "--help"], text=True)
    for alert in alerts():
        notes = alert["annotations"]
        assert set(notes) == {"summary", "description", "runbook"}, alert["alert"]
        assert alert["labels"]["severity"] in ("critical", "warning")
        named = re.findall(r"`airisctl ([a-z]+(?: [a-z]+)?)", notes["runbook"])
        assert named, alert["alert"]
        for command in named:
            assert re.search(rf"^  {command} ", commands, re.M), (alert["alert"], command)


def test_rules_ask_for_what_there_is(families):
    assert [w for alert in alerts() for w in wrong_in(alert["expr"], families)] == []


def test_what_there_is_not_is_found(families):
    """So that the tests above and below are none that let everything pass."""
    for expr, what in (("airis_rollout > 1", "airis_rollout is no series"),
                       ("airis_loop_lag_seconds > 1", "airis_loop_lag_seconds is no series"),
                       ("airis_apps_count", "airis_apps_count is no series"),
                       ('airis_acts_total{verdict="pass"}', "no label verdict"),
                       ("sum by (colour) (airis_apps)", "has a label colour")):
        found = list(wrong_in(expr, families))
        assert len(found) == 1 and what in found[0], (expr, found)


def queries(board):
    """(panel, query), with Grafana's variables filled in."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"]
            for name, value in (("$__rate_interval", "5m"), ("$instance", ".*"), ("$job", ".*")):
                expr = expr.replace(name, value)
            yield panel["title"], expr


def test_the_dashboard_asks_for_what_there_is(families, tmp_path):
    found = list(queries(json.loads(read(BOARD))))
    assert len(found) > 60
    assert [w for _, expr in found for w in wrong_in(expr, families)] == []
    assert not [expr for _, expr in found if "$" in expr]
    rules = tmp_path / "board.yaml"
    rules.write_text(json.dumps({"groups": [{"name": "board", "rules": [
        {"record": f"board:{i}", "expr": expr} for i, (_, expr) in enumerate(found)]}]}))
    done = promtool("check", "rules", str(rules))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(found)} rules found" in done.stdout


def test_every_family_is_on_the_dashboard(families):
    """Or in nothing that anybody looks at. Two only join others."""
    asked = {family_of(name, families) for _, expr in queries(json.loads(read(BOARD)))
             for name in re.findall(r"\b((?:airis|process)_\w+)", expr)}
    assert set(families) - asked <= {"airis_kube_throttled_seconds_total"}


def test_the_dashboard_can_be_imported():
    board = json.loads(read(BOARD))
    assert board["schemaVersion"] >= 36 and board["uid"] == "airis" and "id" not in board
    names = [v["name"] for v in board["templating"]["list"]]
    assert names == ["datasource", "job", "instance"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert all(t["datasource"]["uid"] == "${datasource}" for t in panel["targets"])


def test_panels_do_not_lie_on_each_other():
    taken = {}
    for panel in json.loads(read(BOARD))["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"], panel["title"]
