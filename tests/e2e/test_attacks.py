"""Attacks on the REST API, as raw bytes to the real daemon, by TCP with the token and by the Unix socket:
smuggling, oversize, slow clients, floods, encodings, methods, guessing. Each row says what it must
be answered with (or that the connection is closed), no row is ever answered twice, and after each the
daemon answers a healthy request. The results are printed line by line (pytest -s, or when a row fails)."""
import http.client
import json
import os
import re
import socket
import time

import pytest

from harness.daemon import Daemon
from harness.process import free_port, wait_for

TOKEN = "a-token-0123456789abcdef"
CLOSED = 0  # no answer, the connection is closed
KIB = 1024

APP = {"kind": "App", "name": "web", "namespace": "shop",
       "workload": {"kind": "Deployment", "name": "web"},
       "traffic": {"istio": {"virtualService": "web"}}, "strategy": {"canary": {"weights": [50]}}}


def with_tcp(daemon, folder, limits):
    """The daemon listens on TCP too, and has these limits."""
    daemon.port = free_port()
    token = folder / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    text = text.replace(f"socket: {daemon.socket}",
                        f'socket: {daemon.socket}, tcp: "127.0.0.1:{daemon.port}", tokenFile: {token}')
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(f"{text}limits: {json.dumps(limits)}\n")
    return daemon


@pytest.fixture(scope="module")
def daemon(quick_lab, tmp_path_factory):
    """Without limits by who asks, so that each row shows what it is about."""
    from conftest import stop_well
    folder = tmp_path_factory.mktemp("attacks")
    made = with_tcp(Daemon(str(folder), quick_lab.kubeconfig), folder,
                    {"rate": 0, "failedLogins": 0, "headerTimeout": "1s", "connections": 16})
    made.start()
    try:
        assert made.call("PUT", "/v1/apps/web", APP).status == 201
        yield made
    finally:
        stop_well(made)


class Wire:
    """A connection that sends bytes and reads what comes."""

    def __init__(self, daemon, way):
        self.way = way
        self.socket = socket.socket(socket.AF_UNIX if way == "unix" else socket.AF_INET)
        self.socket.settimeout(30)
        self.socket.connect(daemon.socket if way == "unix" else ("127.0.0.1", daemon.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has hung up already

    def rest(self):
        """All that comes until the daemon closes."""
        got = b""
        try:
            while True:
                part = self.socket.recv(65536)
                if not part:
                    return got
                got += part
        except ConnectionResetError:
            return got


def attack(daemon, way, data):
    """The answers to these bytes, after which the client says nothing more."""
    with Wire(daemon, way) as wire:
        wire.send(data)
        try:
            wire.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return wire.rest()


def statuses(got):
    """Of the answers, as their framing says where each ends."""
    found = []
    while (start := re.match(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n", got)) is not None:
        top, _, got = got.partition(b"\r\n\r\n")
        if start[1] != b"100":
            found.append(int(start[1]))
        length = re.search(rb"(?i)\r\nContent-Length: (\d+)", top)
        got = got[int(length[1]):] if length else got
    return found


def head(line="GET /v1/apps HTTP/1.1", *more, host=True):
    lines = [line] + (["Host: airisd"] if host else []) + [f"Authorization: Bearer {TOKEN}", *more]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def put(body, *more, length=True):
    return head("PUT /v1/apps/web HTTP/1.1", "Content-Type: application/json",
                *([f"Content-Length: {len(body)}"] if length else []), *more) + body


def chunked(*chunks, end=b"0\r\n\r\n", more=()):
    return put(b"", "Transfer-Encoding: chunked", *more, length=False) + b"".join(chunks) + end


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


GOOD = json.dumps(APP).encode()
HIDDEN = head("DELETE /v1/apps/web HTTP/1.1")  # what a smuggler wants to be run

SMUGGLING = [
    ("two lengths", put(GOOD, f"Content-Length: {len(GOOD)}"), {400}),
    ("two lengths that differ", put(GOOD, "Content-Length: 0") + HIDDEN, {400}),
    ("lengths in one header", put(GOOD, "Content-Length: 3, 3", length=False), {400}),
    ("length and chunked", put(b"0\r\n\r\n" + HIDDEN, "Transfer-Encoding: chunked"), {400}),
    ("chunked and length", chunked(more=["Content-Length: 5"]) + HIDDEN, {400}),
    ("chunked twice", put(b"0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked",
                          length=False) + HIDDEN, {400}),
    ("chunked, identity", put(b"0\r\n\r\n", "Transfer-Encoding: chunked, identity", length=False)
     + HIDDEN, {400, 501}),
    ("xchunked", put(b"0\r\n\r\n", "Transfer-Encoding: xchunked", length=False) + HIDDEN, {400, 501}),
    ("gzip, chunked", put(b"0\r\n\r\n", "Transfer-Encoding: gzip, chunked", length=False) + HIDDEN,
     {400, 501}),
    ("folded encoding", put(b"0\r\n\r\n", "Transfer-Encoding:\r\n chunked", length=False) + HIDDEN,
     {400, CLOSED}),
    # libmicrohttpd joins what is folded (as RFC 9112 allows a server): no answer may depend on it.
    ("folded header", head("GET /v1/apps HTTP/1.1", "X-A: b\r\n c"), {200, 400, CLOSED}),
    ("vertical tab encoding", put(b"0\r\n\r\n", "Transfer-Encoding: \x0bchunked", length=False)
     + HIDDEN, {400, 501}),
    ("blank before colon", put(GOOD, f"Content-Length : {len(GOOD)}", length=False) + HIDDEN,
     {400, CLOSED}),
    ("tab before colon", put(b"0\r\n\r\n", "Transfer-Encoding\t: chunked", length=False) + HIDDEN,
     {400, CLOSED}),
    ("blank before the first header", b"GET /v1/apps HTTP/1.1\r\n Host: x\r\n\r\n", {400, CLOSED}),
    ("no colon", head("GET /v1/apps HTTP/1.1", "Nonsense"), {400, CLOSED}),
    ("no name", head("GET /v1/apps HTTP/1.1", ": nothing"), {200, 400, CLOSED}),  # it is dropped
    ("brackets in a name", head("GET /v1/apps HTTP/1.1", "X(A): nothing"), {400}),
    ("bytes over 127 in a name", head("GET /v1/apps HTTP/1.1", "X-\xe9: nothing"), {400}),
    ("negative length", put(GOOD, "Content-Length: -1", length=False), {400, CLOSED}),
    ("signed length", put(GOOD, f"Content-Length: +{len(GOOD)}", length=False), {400, CLOSED}),
    ("hex length", put(GOOD, "Content-Length: 0x10", length=False), {400, CLOSED}),
    ("length with a blank inside", put(GOOD, "Content-Length: 1 0", length=False), {400, CLOSED}),
    ("empty length", put(GOOD, "Content-Length:", length=False), {400, CLOSED}),
    ("length of 2^63", put(GOOD, "Content-Length: 9223372036854775808", length=False),
     {400, 413, CLOSED}),
    ("length of 2^64 and 2", put(GOOD, "Content-Length: 18446744073709551618", length=False),
     {400, 413, CLOSED}),
    ("length of forty digits", put(GOOD, "Content-Length: " + "9" * 40, length=False),
     {400, 413, CLOSED}),
    ("chunk of a negative size", chunked(b"-1\r\n" + GOOD + b"\r\n") + HIDDEN, {400, CLOSED}),
    ("chunk of 2^64", chunked(b"10000000000000000\r\n" + GOOD + b"\r\n") + HIDDEN, {400, 413, CLOSED}),
    ("chunk with 0x", chunked(b"0x5\r\nhello\r\n") + HIDDEN, {400, CLOSED}),
    ("chunk without size", chunked(b"\r\n" + GOOD) + HIDDEN, {400, CLOSED}),
    ("chunk that is longer than it says", chunked(b"2\r\n{}}}}}\r\n") + HIDDEN, {400, CLOSED}),
    ("chunk extension of 64 KiB", chunked(b"2;" + b"x" * 64 * KIB + b"\r\n{}\r\n"), {400, 413, CLOSED}),
    ("trailers of 64 KiB", chunked(chunk(GOOD), end=b"0\r\nX: " + b"y" * 64 * KIB + b"\r\n\r\n"),
     {400, 413, 431, CLOSED}),
    ("two hosts", head("GET /v1/apps HTTP/1.1", "Host: other"), {400}),
    ("no host", head("GET /v1/apps HTTP/1.1", host=False), {400}),
    ("HTTP/0.9", b"GET /v1/apps\r\n\r\n", {400, 505, CLOSED}),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505, CLOSED}),
    ("HTTP/1.1 of another case", head("GET /v1/apps http/1.1"), {400, 505, CLOSED}),
    ("HTTP/9.9", head("GET /v1/apps HTTP/9.9"), {400, 505, CLOSED}),
    ("absolute target", head("GET http://evil.example/v1/apps HTTP/1.1"), {400}),
    ("authority target", head("GET evil.example:80 HTTP/1.1"), {400}),
    ("asterisk target", head("OPTIONS * HTTP/1.1"), {400}),
    ("no target", head("GET  HTTP/1.1"), {400, CLOSED}),
    ("blanks in the target", head("GET /v1/apps /v1/rollouts HTTP/1.1"), {400, CLOSED}),
    # It reads up to a NUL byte, and the same for all who look at the request in here.
    ("NUL in a header", head("GET /v1/apps HTTP/1.1", "X-A: b\0c"), {200, 400, CLOSED}),
    ("NUL in the target", head("GET /v1/nothing\0/v1/apps HTTP/1.1"), {404, 400, CLOSED}),
    ("TLS on plain HTTP", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\0" * 80, {400, CLOSED}),
    ("nothing but line breaks", b"\r\n" * 20000, {400, 414, CLOSED}),
]

OVERSIZE = [
    ("header of 17 KiB", head("GET /v1/apps HTTP/1.1", "X-A: " + "y" * 17 * KIB), {431}),
    ("header of 64 KiB", head("GET /v1/apps HTTP/1.1", "X-A: " + "y" * 64 * KIB), {431, CLOSED}),
    ("header of 1 MiB", head("GET /v1/apps HTTP/1.1", "X-A: " + "y" * KIB * KIB), {431, CLOSED}),
    ("name of 64 KiB", head("GET /v1/apps HTTP/1.1", "X" * 64 * KIB + ": y"), {431, CLOSED}),
    ("101 headers", head("GET /v1/apps HTTP/1.1", *[f"X-{i}: y" for i in range(101)]), {431}),
    ("10000 headers", head("GET /v1/apps HTTP/1.1", *[f"X-{i}: y" for i in range(10000)]),
     {431, CLOSED}),
    ("target of 17 KiB", head(f"GET /v1/apps?after={'a' * 17 * KIB} HTTP/1.1"), {414, 431}),
    ("target of 64 KiB", head(f"GET /v1/apps?after={'a' * 64 * KIB} HTTP/1.1"), {414, 431, CLOSED}),
    ("body over 256 KiB", put(b" " * (256 * KIB + 1)), {413}),
    ("body over 256 KiB, asked first", put(b"", "Expect: 100-continue", "Content-Length: 300000",
                                           length=False), {413}),
    ("body of 1 TiB announced", put(b"{", f"Content-Length: {1 << 40}", length=False), {413, CLOSED}),
    ("body over 16 KiB of a start", head("POST /v1/rollouts HTTP/1.1",
                                         "Content-Type: application/json",
                                         f"Content-Length: {17 * KIB}") + b" " * 17 * KIB, {413}),
    ("chunks over 256 KiB", chunked(*[chunk(b" " * 32 * KIB)] * 9), {413}),
    ("chunks without end", chunked(*[chunk(b" " * 64 * KIB)] * 300), {413, CLOSED}),
    ("10000 chunks of a byte", chunked(*[chunk(b" ")] * 10000), {400}),
    ("a body with GET", head("GET /v1/apps HTTP/1.1", "Content-Length: 2") + b"{}", {400}),
    ("page of 501", head("GET /v1/rollouts?limit=501 HTTP/1.1"), {400}),
    ("1500 arguments", head("GET /v1/apps?" + "&".join(["limit=1"] * 1500) + " HTTP/1.1"),
     {400, 431, CLOSED}),
    ("actor of 129 bytes", head("GET /v1/apps HTTP/1.1", "X-Airis-Actor: " + "a" * 129), {400}),
    ("token of 14 KiB", b"GET /v1/apps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
     + b"t" * 14 * KIB + b"\r\n\r\n", {401, 200}),  # by the socket nobody looks at it
]


def body(data):
    return put(data if isinstance(data, bytes) else data.encode())


ENCODINGS = [
    ("%00 in the path", head("GET /v1/apps/web%00 HTTP/1.1"), {400}),
    ("%00 in the query", head("GET /v1/apps?after=%00 HTTP/1.1"), {400}),
    ("%2f in the path", head("GET /v1%2fapps%2f..%2f..%2fetc%2fpasswd HTTP/1.1"), {404}),
    ("dots in the path", head("GET /v1/../../etc/passwd HTTP/1.1"), {404}),
    ("double encoding", head("GET /v1/apps/%252e%252e HTTP/1.1"), {404}),
    ("half an escape", head("GET /v1/apps/%e HTTP/1.1"), {400}),
    ("overlong slash", head("GET /v1/apps/%c0%af HTTP/1.1"), {400}),
    ("overlong NUL", head("GET /v1/apps/%c0%80 HTTP/1.1"), {400}),
    ("surrogate as UTF-8", head("GET /v1/apps/%ed%a0%80 HTTP/1.1"), {400}),
    ("beyond Unicode", head("GET /v1/apps/%f5%80%80%80 HTTP/1.1"), {400}),
    ("bytes that are no UTF-8", head("GET /v1/apps/\xff\xfe HTTP/1.1"), {400}),
    ("line break in the path", head("GET /v1/apps/%0d%0aX-Evil:%201 HTTP/1.1"), {404}),
    ("line break in the query", head("GET /v1/apps?%0d%0aX-Evil:1=1 HTTP/1.1"), {400}),
    ("markup in the path", head("GET /v1/<script>alert(1)</script> HTTP/1.1"), {404}),
    ("duplicate keys", body('{"name": "web", "name": "other"}'), {400}),
    ("duplicate keys, escaped", body('{"name": "web", "n\\u0061me": "other"}'), {400}),
    ("33 levels", body('{"a":' * 33 + "1" + "}" * 33), {400}),
    ("1000 levels", body("[" * 1000 + "]" * 1000), {400}),
    ("100000 levels, not closed", body("[" * 100000), {400}),
    ("1000 levels of YAML", put(b"[" * 1000 + b"]" * 1000).replace(b"application/json",
                                                                   b"application/yaml"), {400}),
    ("a billion laughs", put(b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n")
     .replace(b"application/json", b"application/yaml"), {400, 422}),
    ("NaN", body('{"name": NaN}'), {400}), ("Infinity", body('{"name": -Infinity}'), {400}),
    ("number of 400 digits", body('{"name": ' + "9" * 400 + "}"), {400, 422}),
    ("1e99999", body('{"name": 1e99999}'), {400}),
    ("lone surrogate", body('{"name": "\\ud800"}'), {400}),
    ("surrogates turned round", body('{"name": "\\udc00\\ud800"}'), {400}),
    ("NUL in a text", body('{"name": "web\\u0000"}'), {400}),
    ("NUL in a key", body('{"name\\u0000": "web"}'), {400}),
    ("NUL bytes", body(b'{"name": "web"}\0'), {400}),
    ("UTF-16", body('{"name": "web"}'.encode("utf-16")), {400}),
    ("byte order mark", body(b"\xef\xbb\xbf" + GOOD), {400}),
    ("overlong UTF-8 in a text", body(b'{"name": "\xc0\xaf"}'), {400}),
    ("two documents", body(GOOD + GOOD), {400}),
    ("no JSON at all", body("name=web&kind=App"), {400}),
    ("a form", put(b"name=web").replace(b"application/json", b"application/x-www-form-urlencoded"),
     {415}),
    ("multipart", put(b"--x--").replace(b"application/json", b"multipart/form-data; boundary=x"), {415}),
    ("gzip", put(GOOD, "Content-Encoding: gzip"), {415}),
]

METHODS = [
    (method, head(f"{method} /v1/apps HTTP/1.1"), expected) for method, expected in (
        ("TRACE", {405}), ("CONNECT", {400, 405}), ("TRACK", {405}), ("PROPFIND", {405}),
        ("OPTIONS", {405}), ("PATCH", {405}), ("get", {405}), ("Get", {405}), ("G" * 300, {400}),
        ("GET\0", {200, 400, CLOSED}), ("G(T", {400, 405, CLOSED}))
] + [
    ("override by header", head("POST /v1/apps/web HTTP/1.1", "X-HTTP-Method-Override: DELETE",
                                "Content-Length: 0"), {405}),
    ("override by query", head("GET /v1/apps/web?_method=DELETE HTTP/1.1"), {400}),
    ("upgrade", head("GET /v1/version HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c",
                     "HTTP2-Settings: AAMAAABkAAQAAP__"), {200}),
    ("another host", head("GET /v1/version HTTP/1.1", host=False).replace(
        b"\r\nAuth", b"\r\nHost: evil.example\r\nAuth"), {200}),
]

ROWS = [(kind, *row) for kind, rows in (("smuggling", SMUGGLING), ("oversize", OVERSIZE),
                                        ("encoding", ENCODINGS), ("method", METHODS)) for row in rows]


def check_healthy(daemon):
    assert daemon.process.alive(), daemon.process.text()[-3000:]
    answer = daemon.call("GET", "/v1/apps/web")
    assert answer.status == 200 and answer.json["spec"]["strategy"]["canary"]["weights"] == [50]


@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize("kind", ["smuggling", "oversize", "encoding", "method"])
def test_table(kind, way, daemon):
    """One answer to each at most, and the one that is expected; what is hidden is never run."""
    wrong = []
    for _, name, data, expected in [row for row in ROWS if row[0] == kind]:
        if kind != "smuggling":  # there a second request may follow the first
            data = data.replace(b"Host: airisd", b"Host: airisd\r\nConnection: close", 1)
        got = attack(daemon, way, data)
        found = statuses(got)
        good = set(found or [CLOSED]) <= expected and len(found) <= 1
        good = good and TOKEN.encode() not in got and b"X-Evil" not in got.split(b"\r\n\r\n")[0]
        said = ", ".join(map(str, found)) or "closed"
        print(f"{way:4} {kind:9} {name:36} {said:10} {'ok' if good else 'WRONG'}")
        if not good:
            wrong.append((name, found, sorted(expected), got[:300]))
        check_healthy(daemon)
    assert not wrong


# --- slow clients, floods, guessing ---------------------------------------------------------------


SLOW_ONES = [
    ("silent", b""), ("first line", b"G"), ("head", b"GET /v1/apps HTTP/1.1\r\nHost: airisd\r\nX-A: "),
    ("body", head("PUT /v1/apps/web HTTP/1.1", "Content-Type: application/json",
                  "Content-Length: 900") + b"{"),
    ("chunk", chunked(b"ff\r\n{", end=b"")),
]


def test_slow_clients(daemon):
    """A byte now and then does not keep a connection open: a head has a second, a body three. All of
    them at once."""
    wires = {(way, name): Wire(daemon, way) for way in ("tcp", "unix") for name, _ in SLOW_ONES}
    start, took = time.monotonic(), {}
    for (way, name), wire in wires.items():
        wire.send(dict(SLOW_ONES)[name])
        wire.socket.settimeout(0.02)
    while len(took) < len(wires) and time.monotonic() < start + 60:
        for key, wire in wires.items():
            if key in took:
                continue
            try:
                got = wire.socket.recv(65536)
                assert not got.startswith(b"HTTP/1.1 2"), got
                took[key] = time.monotonic() - start
            except TimeoutError:
                if key[1] != "silent":
                    wire.send(b"x")
            except ConnectionResetError:
                took[key] = time.monotonic() - start
        check_healthy(daemon)
    for (way, name), wire in wires.items():
        wire.socket.close()
        print(f"{way:4} slow      {name:36} cut after {took[way, name]:.1f} s")
        assert took[way, name] > (2.5 if name in ("body", "chunk") else 0.7)


def test_readers_that_do_not_read(daemon):
    """They hold what the kernel and one answer hold, and nobody else waits."""
    wires = [Wire(daemon, "tcp") for _ in range(8)]
    for wire in wires:
        wire.send(head("GET /metrics HTTP/1.1") * 50)  # pipelined
    for _ in range(20):
        check_healthy(daemon)
    for wire in wires:
        wire.socket.close()


def test_flood_of_connections(daemon):
    """Over the limit they wait in the kernel. The Unix socket answers meanwhile, and TCP again as soon
    as the silent ones are cut."""
    wires = []
    for _ in range(30):
        wire = Wire.__new__(Wire)
        wire.socket = socket.socket()
        wire.socket.setblocking(False)
        wire.socket.connect_ex(("127.0.0.1", daemon.port))
        wires.append(wire)
    for _ in range(10):
        check_healthy(daemon)
    assert len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < 80
    assert statuses(attack(daemon, "tcp", head("GET /v1/version HTTP/1.1"))) == [200]
    for wire in wires:
        wire.socket.close()


def test_flood_of_waits(daemon):
    """Streams and waits have half of the connections; the others go on being answered."""
    wires = [Wire(daemon, "unix") for _ in range(8)]
    answer = daemon.call("POST", "/v1/rollouts", {"app": "web", "image": "shop/web:2.0"})
    assert answer.status == 201, answer.text
    path = f"/v1/rollouts/{answer.json['id']}"
    for wire in wires:
        wire.send(head(f"GET {path}?wait=55s&after=99999999 HTTP/1.1"))
    wait_for("all of them", lambda: "\nairis_api_streams 8\n" in daemon.call("GET", "/metrics").text)
    for target in (f"{path}?wait=1s&after=99999999", f"{path}/events"):
        refused = daemon.call("GET", target, None, {"Accept": "text/event-stream"})
        assert refused.status == 429 and int(refused.headers["Retry-After"]) > 0
    check_healthy(daemon)
    for wire in wires:
        wire.socket.close()
    wait_for("none of them", lambda: "\nairis_api_streams 0\n" in daemon.call("GET", "/metrics").text)


def ask(daemon, token, path="/v1/version"):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
    try:
        connection.request("GET", path, None, {"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read() or b"null") \
            if path.startswith("/v1") else None
    finally:
        connection.close()


def test_flood_of_requests_and_guessing(make_daemon, tmp_path):
    """With the limits as they are: forty at once, then 429 with the seconds to wait; five wrong tokens,
    then none is looked at. The Unix socket, health and metrics are not touched by either."""
    daemon = with_tcp(make_daemon(), tmp_path, {}).start()
    request = head("GET /v1/version HTTP/1.1")
    with Wire(daemon, "tcp") as wire:
        wire.send(request * 199 + request.replace(b"Host", b"Connection: close\r\nHost"))
        got = wire.rest()
    found = statuses(got)
    good, late = found.count(200), found.count(429)
    print(f"tcp  flood     200 requests: {good} answered, {late} refused")
    assert good + late == 200 and good >= 40 and late
    assert got.count(b"\r\nRetry-After: 1\r\n") == got.count(b'"code":"throttled"') == late
    for _ in range(50):
        assert daemon.call("GET", "/v1/version").status == 200
        assert ask(daemon, None, "/healthz")[0] == ask(daemon, None, "/metrics")[0] == 200
    guesses = [ask(daemon, f"{TOKEN[:-1]}{c}")[0] for c in "0123456789"]
    print(f"tcp  guessing  ten wrong tokens: {guesses}")
    assert guesses == [401] * 5 + [429] * 5
    status, headers, problem = ask(daemon, TOKEN)
    assert status == 429 and "failedLogins" in problem["detail"]
    assert 1 <= int(headers["Retry-After"]) <= 12
    assert daemon.call("GET", "/v1/version").status == 200
    log = daemon.process.text()
    assert "wrong tokens" in log and TOKEN[:-1] not in log
