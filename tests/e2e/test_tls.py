"""HTTPS: what airisd speaks and takes, and airisctl over it, with the real programs."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess

import pytest

import fm
from harness.daemon import Daemon
from harness.process import BUILD, SLOW, Process, free_port, wait_for
from harness.tls import Authority

AIRISD = os.path.join(BUILD, "airisd")
TOKEN = "0123456789abcdef0123"
CI = "spiffe://ci.test/deploy"
ACCESS = f'access: [{{certificate: "{CI}", role: admin}}]\n'


@pytest.fixture(name="made", scope="module")
def fixture_made(tmp_path_factory):
    """Certificates: they are the same for all tests."""
    folder = tmp_path_factory.mktemp("tls")
    ca = Authority(folder)
    own = "IP:127.0.0.1,DNS:localhost"

    class Made:
        pass
    made = Made()
    made.ca, made.folder = ca, folder
    made.server = ca.issue("server", own, "serverAuth")
    made.next = ca.issue("next", own, "serverAuth")
    made.soon = ca.issue("soon", own, "serverAuth", days=3)
    made.old = ca.issue("old", own, "serverAuth", days=-1)
    made.elsewhere = ca.issue("elsewhere", "DNS:airis.example", "serverAuth")
    made.client = ca.issue("client", f"DNS:ci.test,URI:{CI}", "clientAuth")
    made.nameless = ca.issue("nameless", None, "clientAuth")
    made.gone = ca.issue("gone", f"URI:{CI}", "clientAuth", days=-1)
    made.other = Authority(folder, "other")
    made.stranger = made.other.issue("stranger", f"URI:{CI}", "clientAuth")
    made.token = str(folder / "token")
    with open(made.token, "w", encoding="ascii") as file:
        file.write(TOKEN + "\n")
    os.chmod(made.token, 0o600)
    return made


class Site:
    """The files that airisd is told of, and who talks to it."""

    def __init__(self, folder, made):
        self.made, self.port = made, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.crt, self.key, self.ca = (str(folder / name) for name in ("crt", "key", "clients"))
        self.tls = {"certificateFile": self.crt, "keyFile": self.key}
        made.server.put(self.crt, self.key)

    def trust(self, authority, required=False):
        with open(authority.crt, encoding="ascii") as source:
            text = source.read()
        with open(self.ca, "w", encoding="ascii") as target:
            target.write(text)
        self.tls["clientCaFile"] = self.ca
        if required:
            self.tls["clientCertificate"] = "required"

    def listen(self, address="127.0.0.1"):
        return {"tcp": f"{address}:{self.port}", "tls": self.tls, "tokenFile": self.made.token}

    def context(self, client=None, version=None):
        context = ssl.create_default_context(cafile=self.made.ca.crt)
        if client:
            context.load_cert_chain(client.crt, client.key)
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def ask(self, client=None, token=TOKEN, path="/v1/version", method="GET", headers=()):
        conn = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20 * SLOW,
                                           context=self.context(client))
        send = dict(headers)
        if token:
            send["Authorization"] = "Bearer " + token
        try:
            conn.request(method, path, None, send)
            answer = conn.getresponse()
            return answer.status, answer.read().decode()
        finally:
            conn.close()

    def serial(self):
        """Of the certificate that a new connection is shown."""
        with socket.create_connection(("127.0.0.1", self.port), 20 * SLOW) as plain:
            with self.context().wrap_socket(plain, server_hostname="127.0.0.1") as shown:
                return int(shown.getpeercert()["serialNumber"], 16)

    def ctl(self, *args, ca="ca", client=None, token=False, url=None, env=None):
        words = ["--server", url or self.url]
        if ca:
            words += ["--ca-file", getattr(self.made, ca).crt]
        if client:
            words += ["--certificate-file", client.crt, "--key-file", client.key]
        if token:
            words += ["--token-file", self.made.token]
        return subprocess.run(
            [os.path.join(BUILD, "airisctl"), *words, *args], capture_output=True, text=True,
            timeout=120 * SLOW, check=False,
            env={**os.environ, "NO_COLOR": "1", "HOME": str(self.made.folder), **(env or {})})


def serial_of(pair):
    text = subprocess.check_output(["openssl", "x509", "-in", pair.crt, "-noout", "-serial"],
                                   text=True)
    return int(text.strip().removeprefix("serial="), 16)


@pytest.fixture(name="site")
def fixture_site(tmp_path, made):
    return Site(tmp_path, made)


@pytest.fixture(name="alone")
def fixture_alone(tmp_path, site):
    """airisd that knows no cluster: start it when the site is as it is to be."""
    class Alone:
        config, log = str(tmp_path / "airisd.yaml"), str(tmp_path / "log")

        def write(self, listen=None):
            with open(self.config, "w", encoding="utf-8") as file:
                file.write(f"listen: {json.dumps(listen or site.listen())}\n"
                           f"store: {{path: {tmp_path}/db}}\n{ACCESS}")

        def check(self):
            self.write()
            return subprocess.run([AIRISD, "--config", self.config, "--check"], check=False,
                                  capture_output=True, text=True, timeout=20 * SLOW)

        def start(self, listen=None):
            self.write(listen)
            self.process.start()
            wait_for("airisd", lambda: site.ask(path="/healthz", client=site.made.client)[0] == 200)
            return self

        def reload(self):
            self.write()
            os.kill(self.process.pid, signal.SIGHUP)

        def says(self, *words):
            return wait_for(words, lambda: all(word in self.process.text() for word in words))
    made = Alone()
    made.process = Process([AIRISD, "--config", made.config], made.log)
    yield made
    if made.process.popen is not None:
        assert made.process.alive(), made.process.text()[-3000:]
        assert made.process.stop()[0] == 0, made.process.text()[-3000:]
        assert TOKEN not in made.process.text() and "PRIVATE" not in made.process.text()


# --- what is spoken ---

def s_client(port, *args):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *args],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=20 * SLOW)


def test_versions_and_who_may_come(alone, site):
    """1.0 and 1.1 are refused; off loopback there is https alone."""
    alone.start(site.listen("0.0.0.0"))
    assert "HTTPS" in alone.process.text()
    for version in ("tls1", "tls1_1"):
        done = s_client(site.port, "-" + version, "-cipher", "ALL:@SECLEVEL=0")
        assert "Cipher is (NONE)" in done.stdout, done.stdout
    for version, name in (("tls1_2", "TLSv1.2"), ("tls1_3", "TLSv1.3")):
        done = s_client(site.port, "-" + version, "-alpn", "h2,http/1.1")
        assert f"New, {name}, Cipher is " in done.stdout and "ALPN protocol: http/1.1" in done.stdout
    assert [site.ask(token=t)[0] for t in (None, "wrong", TOKEN)] == [401, 401, 200]
    with pytest.raises((OSError, http.client.HTTPException)):
        http.client.HTTPConnection("127.0.0.1", site.port, timeout=20).request("GET", "/healthz")
        plain = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
        plain.request("GET", "/healthz")
        plain.getresponse()
    site.tls.clear()
    done = alone.check()
    assert done.returncode == 0
    alone.write(site.listen("0.0.0.0"))
    done = subprocess.run([AIRISD, "--config", alone.config, "--check"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and "loopback only" in done.stderr and "listen.tls" in done.stderr


# --- files that are wrong ---

def spoil(site, made, what):
    """Returns the key and the words of the error."""
    if what == "another key":
        made.server.put(site.crt, site.key)
        made.next.put(site.crt + ".x", site.key)
        return "keyFile", "is not the key of the first certificate in"
    if what == "an encrypted key":
        subprocess.run(["openssl", "ec", "-in", made.server.key, "-aes128", "-passout", "pass:x",
                        "-out", site.key], check=True, capture_output=True)
        return "keyFile", "is encrypted, and airisd knows no password"
    if what == "a key for all":
        os.chmod(site.key, 0o644)
        return "keyFile", "every user of this host can read or write the key (mode 0644)"
    if what == "for clients":
        made.client.put(site.crt, site.key)
        return "certificateFile", "the first certificate in it is not for servers"
    if what == "nothing there":
        os.unlink(site.crt)
        return "certificateFile", "No such file or directory"
    raise ValueError(what)


WRONG = ["another key", "an encrypted key", "a key for all", "for clients", "nothing there"]


@pytest.mark.parametrize("what", WRONG)
def test_wrong_files_keep_it_from_starting(alone, site, made, what):
    """--check says the same, with the line."""
    assert alone.check().returncode == 0
    key, words = spoil(site, made, what)
    done = alone.check()
    assert done.returncode == 1 and done.stdout == ""
    assert f": listen.tls.{key}: " in done.stderr and words in done.stderr, done.stderr
    assert done.stderr.startswith(f"{alone.config}:1: ")
    done = subprocess.run([AIRISD, "--config", alone.config], capture_output=True, text=True,
                          check=False, timeout=20 * SLOW)
    assert done.returncode == 1 and words in done.stderr, done.stderr


def test_an_expired_certificate_does_not(alone, site, made):
    """Not from starting: whoever is on the host can still abort. It is said, by --check too, and a
    new one is taken as ever; an expired one in the place of a good one is not."""
    made.old.put(site.crt, site.key)
    done = alone.check()
    assert done.returncode == 1 and "certificate 1 in it expired at 20" in done.stderr, done.stderr
    by_socket = alone.config + ".s"
    alone.write({**site.listen(), "socket": by_socket})
    alone.process.start()
    wait_for("airisd", lambda: site.ctl("version", url=f"unix:{by_socket}", ca=None).returncode == 0)
    alone.says("the certificate expired at 20", "clients refuse it")
    with pytest.raises(ssl.SSLCertVerificationError):
        site.ask()
    made.server.put(site.crt, site.key)
    wait_for("the new one", lambda: site.serial() == serial_of(made.server))
    made.old.put(site.crt, site.key)
    alone.says("certificate 1 in it expired at 20")
    assert site.ask()[0] == 200


def test_settings_that_do_not_go_together(alone, site):
    for change, words in (
            ({"keyFile": None}, "keyFile is missing"),
            ({"certificateFile": None, "keyFile": None, "clientCaFile": site.crt},
             "clientCaFile: takes certificateFile"),
            ({"clientCertificate": "required"}, "required takes a clientCaFile")):
        before = dict(site.tls)
        site.tls.update(change)
        site.tls = {key: value for key, value in site.tls.items() if value}
        assert words in alone.check().stderr
        site.tls = before


# --- new files ---

def test_a_broken_pair_changes_nothing(alone, site, made):
    """The old one stays, the log says why, and the metrics do; then a good one is taken."""
    alone.start()
    first = serial_of(made.server)
    assert site.serial() == first
    _, words = spoil(site, made, "another key")
    alone.says("the changed files are refused, and what was in use stays in use", words)
    assert site.serial() == first
    alone.reload()
    alone.says(words + " " + site.crt, "the certificate, key and client CA in use stay")
    assert "airis_tls_files_refused 1\n" in site.ask(path="/metrics")[1]
    made.soon.put(site.crt, site.key)
    wait_for("the next one", lambda: site.serial() == serial_of(made.soon))
    alone.says("the changed files are in use", "the certificate expires at ", "in 2 days")
    text = site.ask(path="/metrics")[1]
    assert "airis_tls_files_refused 0\n" in text
    end = [line.split()[1] for line in text.splitlines()
           if line.startswith("airis_tls_certificate_not_after_seconds ")]
    shown = subprocess.check_output(["openssl", "x509", "-in", made.soon.crt, "-noout", "-enddate"],
                                    text=True).strip().removeprefix("notAfter=")
    assert float(end[0]) == ssl.cert_time_to_seconds(shown)


def test_client_certificates(alone, site, made):
    """In place of the token; a bad one ends the handshake; who it was is in the log."""
    site.trust(made.ca)
    alone.start({**site.listen(), "socket": alone.config + ".s"})
    assert site.ask(client=made.client, token=None)[0] == 200
    assert site.ask(token=None)[0] == 401
    assert site.ask()[0] == 200
    status, text = site.ask(client=made.nameless, token=None)
    assert status == 401 and "client certificate" in text
    assert "the CN is not used" in alone.process.text()
    for bad in (made.stranger, made.gone, made.server):
        with pytest.raises(OSError):
            site.ask(client=bad)
    assert site.ask(client=made.client, token=None, method="DELETE",
                    path="/v1/apps/nothing")[0] == 404
    alone.says(f"DELETE /v1/apps/nothing by certificate:{CI}\n")
    # Another client CA: a connection that stands is asked anew.
    conn = http.client.HTTPSConnection("127.0.0.1", site.port, timeout=20 * SLOW,
                                       context=site.context(made.client))

    def status_now():
        conn.request("GET", "/v1/version")
        answer = conn.getresponse()
        answer.read()
        return answer.status
    assert status_now() == 200
    standing = conn.sock
    site.trust(made.other)
    wait_for("the other client CA", lambda: status_now() == 401)
    assert conn.sock is standing
    assert site.ask(client=made.stranger, token=None)[0] == 200
    # And one may be demanded.
    site.trust(made.ca, required=True)
    alone.write({**site.listen(), "socket": alone.config + ".s"})
    os.kill(alone.process.pid, signal.SIGHUP)
    alone.says("and its key were read again")
    assert status_now() == 200
    conn.close()
    with pytest.raises(OSError):
        site.ask()
    assert site.ask(client=made.client, token=None)[0] == 200


def own_address():
    """Of this host, as others see it; None: it has no net."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def test_what_is_open_on_this_host_alone(alone, site, made):
    """Others show a token for what names clusters and apps; /healthz tells nobody anything."""
    site.trust(made.ca)
    alone.start({**site.listen("0.0.0.0"), "socket": alone.config + ".s"})
    here = own_address()
    for path in ("/healthz", "/readyz", "/metrics"):
        assert site.ask(token=None, path=path)[0] == 200, path
    if here is None:
        pytest.skip("this host has loopback alone")
    context = site.context()
    context.check_hostname = False

    def ask(path, token=None):
        conn = http.client.HTTPSConnection(here, site.port, timeout=20 * SLOW, context=context)
        try:
            conn.request("GET", path, None, {"Authorization": "Bearer " + token} if token else {})
            return conn.getresponse().status
        finally:
            conn.close()
    assert [ask(path) for path in ("/healthz", "/readyz", "/metrics")] == [200, 401, 401]
    assert [ask(path, TOKEN) for path in ("/readyz", "/metrics")] == [200, 200]


def test_a_client_ca_alone_guards_tcp(alone, site, made):
    """No token file then, and no other way in."""
    site.trust(made.ca)
    listen = site.listen()
    del listen["tokenFile"]
    alone.start(listen)
    assert site.ask(client=made.client, token=None)[0] == 200
    assert [site.ask(token=t)[0] for t in (None, "", TOKEN)] == [401, 401, 401]


# --- airisctl ---

def test_airisctl_says_what_to_do(alone, site, made):
    site.trust(made.ca)
    alone.start()
    assert site.ctl("app", "list", token=True).returncode == 0
    assert site.ctl("app", "list", client=made.client).returncode == 0

    def fails(words, code=7, **how):
        done = site.ctl("app", "list", **how)
        assert done.returncode == code and words in done.stderr, done.stderr
    fails("not signed by a CA that is trusted here: give the file of its CA with --ca-file",
          ca=None, token=True)
    fails("is not signed by a CA in " + made.other.crt, ca="other", token=True)
    fails("does not know the CA of the certificate in", client=made.stranger)
    fails("says that it has expired", client=made.gone)
    fails("says that it is not for clients", client=made.next)
    fails("a client certificate was shown, and no token", code=6, client=made.nameless)
    fails("no token was sent", code=6)
    fails("does it speak https://?", ca=None, url=f"http://127.0.0.1:{site.port}", token=True)
    fails("--ca-file goes with an https:// server", code=2, url=f"http://127.0.0.1:{site.port}")
    made.elsewhere.put(site.crt, site.key)
    wait_for("the other name", lambda: "is not for that name" in site.ctl("app", "list").stderr)
    site.trust(made.ca, required=True)
    made.server.put(site.crt, site.key)
    alone.reload()
    wait_for("the demand", lambda: "demands a client certificate: give one with "
             "--certificate-file" in site.ctl("app", "list", token=True).stderr)
    # The same by environment and by file.
    env = {"AIRIS_CA_FILE": made.ca.crt, "AIRIS_CERTIFICATE_FILE": made.client.crt,
           "AIRIS_KEY_FILE": made.client.key}
    assert site.ctl("app", "list", ca=None, env=env).returncode == 0
    folder = made.folder / "airisctl"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        f"server: {site.url}\ncaFile: ../ca.crt\ncertificateFile: {made.client.crt}\n"
        f"keyFile: {made.client.key}\n")
    assert site.ctl("app", "list", ca=None, env={"XDG_CONFIG_HOME": str(made.folder)}
                    ).returncode == 0


class Stream:
    """A stream of events by TLS, read until a text came."""

    def __init__(self, site, client, rid):
        self.conn = http.client.HTTPSConnection("127.0.0.1", site.port, timeout=30 * SLOW,
                                                context=site.context(client))
        self.conn.request("GET", f"/v1/rollouts/{rid}/events", None,
                          {"Accept": "text/event-stream"})
        self.answer, self.text = self.conn.getresponse(), ""
        assert self.answer.status == 200

    def until(self, word):
        while word not in self.text:
            line = self.answer.readline()
            assert line, self.text[-2000:]
            self.text += line.decode()


def test_a_release_by_tls(quick_lab, shops, site, made, tmp_path):
    """From start to end by a client's certificate; certificates change while a stream is open."""
    site.trust(made.ca)
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig, settle="400ms")
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    listen = json.dumps({**site.listen(), "socket": daemon.socket})
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write(ACCESS +
                   text.replace(f"listen: {{socket: {daemon.socket}}}", f"listen: {listen}"))
    daemon.start()
    try:
        shop = shops().create()
        path = tmp_path / "app.json"
        path.write_text(json.dumps(fm.quick(shop, canary={"weights": [100]})))
        assert site.ctl("app", "apply", "-f", str(path), client=made.client).returncode == 0
        done = site.ctl("rollout", "start", shop.name, "--image", shop.image_of("2.0"),
                        "--wait=stage:1", client=made.client)
        assert done.returncode == 0, done.stderr
        rid = daemon.call("GET", "/v1/rollouts").json["items"][0]["id"]
        assert site.ctl("rollout", "pause", rid, client=made.client).returncode == 0
        daemon.wait_phase(rid, "paused")
        stream = Stream(site, made.client, rid)
        stream.until('"phase":"paused"')
        made.next.put(site.crt, site.key)
        os.kill(daemon.process.pid, signal.SIGHUP)
        wait_for("the next certificate", lambda: site.serial() == serial_of(made.next))
        assert site.ctl("rollout", "resume", rid, client=made.client).returncode == 0
        stream.until('"phase":"succeeded"')
        done = site.ctl("rollout", "watch", rid, client=made.client)
        assert done.returncode == 0, done.stderr
        release = daemon.rollout(rid)["release"]
        assert release["who"].endswith("certificate:" + CI), release
        # A page that is open in the browser of who has a certificate asks with it.
        path = f"/v1/rollouts/{rid}/abort"
        status, text = site.ask(client=made.client, token=None, path=path, method="POST",
                                headers={"Origin": "https://evil.example"})
        assert status == 403 and "Origin" in text, text
        assert site.ask(client=made.client, token=None, path=path, method="POST")[0] == 409
        # With another client CA who follows by the one before may not go on.
        done = site.ctl("rollout", "start", shop.name, "--image", shop.image_of("3.0"),
                        "--wait=stage:1", client=made.client)
        assert done.returncode == 0, done.stderr
        rid = daemon.call("GET", "/v1/rollouts").json["items"][0]["id"]
        assert site.ctl("rollout", "pause", rid, client=made.client).returncode == 0
        daemon.wait_phase(rid, "paused")
        stream = Stream(site, made.client, rid)
        stream.until('"phase":"paused"')
        site.trust(made.other)
        stream.until(": who asked may not see it any more")
        assert daemon.process.text().count(f"certificate:{CI}") >= 3
    finally:
        assert daemon.process.alive(), daemon.process.text()[-3000:]
        assert daemon.stop()[0] == 0
