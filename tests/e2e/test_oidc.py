"""Pipelines without a stored secret: a token of their CI system is shown, and exchanged for one of
airisd's own. The issuer speaks HTTPS, the daemon is the real one."""
import json
import os
import signal
import sqlite3
import subprocess
import time

import fm
import pytest
from harness.issuer import Issuer, Key, encode
from harness.process import BUILD, wait_for

from test_access import FILE_TOKEN, Tcp, is_problem


@pytest.fixture
def issuer(tmp_path):
    made = Issuer(str(tmp_path))
    yield made
    made.stop()


def settings(ci, rules, **more):
    one = {"name": "ci", "issuer": ci.url, "audience": "airis", "caFile": ci.ca,
           "rules": rules, **more}
    return "oidc: " + json.dumps([one]) + "\n"


RULES = [{"claims": {"repository_id": 74, "ref": "refs/heads/*"}, "role": "deployer",
          "namespaces": ["*"], "apps": ["web*", "shop*", "fm*", "*"]},
         {"claims": {"repository_id": "75"}, "role": "approver", "namespaces": ["*"]}]


@pytest.fixture
def tcp(make_daemon, issuer):
    made = Tcp(make_daemon())
    with open(made.daemon.config, "a", encoding="utf-8") as f:
        f.write(settings(issuer, RULES))
    made.daemon.start()
    return made


def reload(daemon):
    said = "the settings were read again"
    before = daemon.process.text().count(said)
    daemon.process.popen.send_signal(signal.SIGHUP)
    wait_for(said, lambda: daemon.process.text().count(said) > before)


def exchange(tcp, token):
    return tcp.call(None, "POST", "/v1/tokens/exchange", {"token": token})


def test_a_pipeline_starts_and_another_approves(tcp, issuer, shops):
    """With nothing but what its CI system gives it; and nobody approves by a second exchange what
    they started by the first."""
    shop = shops().create()
    spec = fm.quick(shop, canary={"stages": [
        {"weight": 50, "hold": "0s", "approve": True}, {"weight": 100, "hold": "0s"}]},
        onStart="refuse", selfApproval=False)
    spec["strategy"]["canary"].pop("weights", None)
    tcp.daemon.apply(spec)
    made = exchange(tcp, issuer.token())
    assert made.status == 201, made.text
    assert made.json["role"] == "deployer" and made.json["note"] == "repo:shop/web:ref:refs/heads/main"
    assert made.json["holder"] == "oidc:ci:repo:shop/web:ref:refs/heads/main"
    token = made.json["token"]
    started = tcp.call(token, "POST", "/v1/rollouts", {"app": shop.name, "image": "web:2.0"})
    assert started.status == 201, started.text
    assert "oidc:ci:repo:shop/web" in started.json["release"]["who"]
    rid = started.json["id"]
    tcp.daemon.wait_blocked(rid, "approve")
    approve = f"/v1/rollouts/{rid}/approve"
    assert tcp.call(token, "POST", approve, {}).status == 403
    ops = exchange(tcp, issuer.token(sub="repo:shop/ops", repository_id="75")).json["token"]
    # The same repository, as an approver: who started it stays the same one.
    with open(tcp.daemon.config, encoding="utf-8") as f:
        text = f.read()
    with open(tcp.daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace('"role": "deployer"', '"role": "approver"'))
    reload(tcp.daemon)
    again = exchange(tcp, issuer.token()).json
    assert again["role"] == "approver"
    is_problem(tcp.call(again["token"], "POST", approve, {}), 409, "conflict", "started by the same")
    assert tcp.call(ops, "POST", approve, {}).status == 200
    tcp.daemon.wait_phase(rid, "succeeded")
    # A kill forgets no token that was given out.
    tcp.daemon.kill()
    tcp.daemon.restart()
    assert tcp.call(ops, "GET", "/v1/apps").status == 200


def bad_tokens(issuer, folder):
    """What it is, the token, and what the answer says. The vectors of rigor, and of RFC 8725."""
    claims, stranger = issuer.claims, Key(folder, "stranger")
    public = json.dumps(issuer.key.public()).encode()
    good = issuer.token()
    head, body, signature = good.split(".")
    stranger.kid = "first"
    return [
        ("expired", issuer.token(exp=1700000000), "expired"),
        ("no expiry", issuer.token(exp=None), "no time of expiry"),
        ("good for a year", issuer.token(exp=2**33), "at most"),
        ("not yet", issuer.token(nbf=2**33), "nbf"),
        ("made tomorrow", issuer.token(iat=2**33), "iat"),
        ("another audience", issuer.token(aud="https://github.com/shop"), "audience"),
        ("no audience", issuer.token(aud=None), "audience"),
        ("another issuer", issuer.token(iss="https://evil.example"), "not in the settings"),
        ("no issuer", issuer.token(iss=None), "not in the settings"),
        ("nobody's", issuer.token(sub=None), "(sub)"),
        ("alg none", encode({"alg": "none"}) + "." + encode(claims()) + ".", "\"none\""),
        ("HS256 under the public key",
         encode({"alg": "HS256", "kid": "first"}) + "." + encode(claims()) + "." + encode(public),
         "HS256"),
        ("signed by a stranger", stranger.sign(claims()), "signature"),
        ("kid is a path", issuer.key.sign(claims(), kid="../../../etc/passwd"), "no RS256 key"),
        ("kid is a query", issuer.key.sign(claims(), kid="' OR 1=1 --"), "no RS256 key"),
        ("a key in the header", stranger.sign(claims(), kid="x", jwk=stranger.public()),
         "no RS256 key"),
        ("a place for keys in the header",
         stranger.sign(claims(), kid="y", jku=issuer.url + "/keys"), "no RS256 key"),
        ("critical extension", issuer.key.sign(claims(), crit=["exp"]), "crit"),
        ("claims exchanged", head + "." + encode(claims(repository_id="75")) + "." + signature,
         "signature"),
        ("signature cut", good[:-5], "signature"),
        ("no signature", head + "." + body + ".", "signature"),
        ("duplicate keys", issuer.key.sign(b'{"iss": "a", "iss": "b"}'), "duplicate"),
        ("not JSON", issuer.key.sign(b"nonsense"), "body"),
        ("an array", issuer.key.sign(b"[]"), "not a JSON object"),
        ("four parts", good + ".x", "three parts"),
        ("one of airisd's", FILE_TOKEN, "three parts"),
    ]


def test_what_is_not_taken(tcp, issuer, tmp_path):
    lines = []
    assert exchange(tcp, issuer.token()).status == 201
    for name, token, text in bad_tokens(issuer, str(tmp_path)):
        answer = exchange(tcp, token)
        lines.append(f"{name:32} {answer.status} {answer.json['detail']}")
        is_problem(answer, 401, "unauthorized", text)
        assert "74" not in answer.json["detail"]  # nothing of the settings
    print("\n".join(lines))
    big = exchange(tcp, "x" * 17000)
    assert big.status == 422 and "token" in big.text
    assert exchange(tcp, "x" * 70000).status == 413
    assert tcp.call(None, "POST", "/v1/tokens/exchange", {}).status == 422
    for rule in ({"repository_id": "740"}, {"ref": "refs/tags/v1"}, {"event_name": "pull_request"}):
        is_problem(exchange(tcp, issuer.token(**rule)), 403, "forbidden", "no rule")
    # The issuer was asked for its keys when it was new, and for those of no unknown kid in the
    # minute after it.
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    assert exchange(tcp, issuer.token()).status == 201
    for token in ("first.pem",):
        with open(os.path.join(tcp.daemon.folder, "airisd.log"), encoding="utf-8") as f:
            assert issuer.token().split(".")[2] not in f.read(), token


def test_shown_once(tcp, issuer):
    token = issuer.token()
    assert exchange(tcp, token).status == 201
    is_problem(exchange(tcp, token), 401, "unauthorized", "shown before")
    # What was given for it is one of many, and its own.
    first, second = (exchange(tcp, issuer.token()).json for _ in range(2))
    assert first["token"] != second["token"] and first["holder"] == second["holder"]
    gone = tcp.call(FILE_TOKEN, "DELETE", "/v1/tokens/" + first["id"])
    assert gone.status == 204
    assert tcp.call(first["token"], "GET", "/v1/apps").status == 401
    assert tcp.call(second["token"], "GET", "/v1/apps").status == 200


def test_pipelines_leave_room_for_people(tcp, issuer):
    """However many tokens a pipeline asks for, an admin can still make one; what has expired makes
    room."""
    daemon = tcp.daemon
    daemon.stop()
    now_ms = int(time.time() * 1000)
    text = json.dumps({"role": "viewer", "namespaces": ["*"], "apps": ["*"], "sha256": "0" * 64,
                       "note": "", "by": "x", "holder": "oidc:ci:x", "created": now_ms,
                       "expires": now_ms + 86400000})
    with sqlite3.connect(daemon.database) as db:
        db.executemany("INSERT INTO tokens (token, at_ms, data) VALUES (?, ?, ?)",
                       [(f"full{i:04}", now_ms, text) for i in range(900)])
    db.close()
    daemon.restart()
    token = issuer.token()
    is_problem(exchange(tcp, token), 429, "throttled", "900 tokens")
    tcp.make("viewer", ["shop"])
    daemon.stop()
    with sqlite3.connect(daemon.database) as db:
        db.execute("UPDATE tokens SET data = json_set(data, '$.expires', 1000) "
                   "WHERE token < 'full0050'")
    db.close()
    daemon.restart()
    # It was not used up by what was refused.
    wait_for("room", lambda: exchange(tcp, token).status == 201)


def test_an_issuer_that_is_away(tcp, issuer):
    issuer.down = True
    answer = exchange(tcp, issuer.token())
    assert answer.status == 503 and answer.json["code"] == "issuer_away", answer.text
    assert "503" in answer.json["detail"]
    issuer.down = False
    wait_for("the issuer to be asked again",
             lambda: exchange(tcp, issuer.token()).status == 201, 20)


def test_a_stranger_in_its_place(tcp, issuer, tmp_path):
    """Its certificate is not the one of caFile: what it says is believed by nobody."""
    other = tmp_path / "other"
    other.mkdir()
    stranger = Issuer(str(other))
    try:
        with open(tcp.daemon.config, encoding="utf-8") as f:
            text = f.read()
        with open(tcp.daemon.config, "w", encoding="utf-8") as f:
            f.write(text.replace(issuer.url, stranger.url))
        reload(tcp.daemon)
        answer = exchange(tcp, stranger.token())
        assert answer.status == 503 and answer.json["code"] == "issuer_away", answer.text
        assert stranger.asked == []
    finally:
        stranger.stop()


def check(daemon, text):
    with open(daemon.config, encoding="utf-8") as f:
        whole = f.read()
    with open(daemon.config + ".other", "w", encoding="utf-8") as f:
        f.write(whole.replace(whole[whole.index("oidc: "):], text))
    run = subprocess.run([os.path.join(BUILD, "airisd"), "--config", daemon.config + ".other",
                          "--check"], capture_output=True, text=True, check=False)
    return run.returncode, run.stderr + run.stdout


def test_settings_that_are_wrong(tcp, issuer):
    cases = [
        (settings(issuer, [{**RULES[0], "claims": {"ref": "refs/heads/main"}}]), "names nobody"),
        (settings(issuer, [{**RULES[0], "claims": {"repository_id": "*"}}]), "names nobody"),
        (settings(issuer, [{**RULES[0], "claims": {}}]), "1 to 8 claims"),
        (settings(issuer, [{**RULES[0], "claims": {"repository_id": ["74"]}}]), "expected"),
        (settings(issuer, RULES, issuer="http://ci.example"), "https://"),
        (settings(issuer, RULES, keys="ftp://ci.example"), "https://"),
        (settings(issuer, RULES, tokenLife="3d"), "tokenLife"),
    ]
    for text, expected in cases:
        code, said = check(tcp.daemon, text)
        assert code != 0 and expected in said and "oidc[0]" in said, said
    assert check(tcp.daemon, settings(issuer, RULES))[0] == 0
    # What only this host knows is found when it is to be used, and what was in force stays.
    with open(tcp.daemon.config, encoding="utf-8") as f:
        text = f.read()
    with open(tcp.daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace(issuer.ca, "/nowhere/ca.pem"))
    tcp.daemon.process.popen.send_signal(signal.SIGHUP)
    wait_for("the refusal", lambda: "oidc[0].caFile: /nowhere/ca.pem" in tcp.daemon.process.text())
    assert exchange(tcp, issuer.token()).status == 201


def test_by_airisctl(tcp, issuer, tmp_path):
    """The CI system's token comes from a file or standard input, never from the command line."""
    ctl = [os.path.join(BUILD, "airisctl"), "--server", f"unix:{tcp.daemon.socket}"]
    out = tmp_path / "given"
    run = subprocess.run(ctl + ["token", "exchange", "-", "--out", str(out)], input=issuer.token(),
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "deployer" in run.stdout and "airis_" not in run.stdout
    assert out.stat().st_mode & 0o777 == 0o600
    assert tcp.call(out.read_text().strip(), "GET", "/v1/apps").status == 200
    proof = tmp_path / "proof"
    proof.write_text(issuer.token(exp=1700000000) + "\n")
    run = subprocess.run(ctl + ["token", "exchange", str(proof)], capture_output=True, text=True,
                         check=False)
    assert run.returncode != 0 and "expired" in run.stderr, run.stderr
    proof.write_bytes(b"\xff\xfe\n")
    run = subprocess.run(ctl + ["token", "exchange", str(proof)], capture_output=True, text=True,
                         check=False)
    assert run.returncode == 2 and "holds no text" in run.stderr, run.stderr


def test_who_guesses_is_slowed_down(make_daemon, issuer):
    """As with any wrong token: five a minute from an address, then nothing is looked at."""
    tcp = Tcp(make_daemon(), {"failedLogins": 5})
    with open(tcp.daemon.config, "a", encoding="utf-8") as f:
        f.write(settings(issuer, RULES))
    tcp.daemon.start()
    answers = [exchange(tcp, f"guess.{i}.x") for i in range(7)]
    assert [a.status for a in answers[:5]] == [401] * 5
    assert {a.status for a in answers[5:]} == {429} and int(answers[6].headers["Retry-After"]) > 0
    assert exchange(tcp, issuer.token()).status == 429
    # The socket works meanwhile.
    made = tcp.daemon.call("POST", "/v1/tokens/exchange", {"token": issuer.token()})
    assert made.status == 201, made.text
