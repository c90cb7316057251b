"""Who is told: an HTTP server that keeps what it was sent and answers as a test wants."""
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

from .process import wait_for


class Delivery:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body, self.at = path, headers, body, time.monotonic()
        self.event, self.id = headers.get("Airis-Event"), headers.get("Airis-Delivery")

    @property
    def json(self):
        return json.loads(self.body)

    def signed_by(self, secret):
        covered = self.headers["Airis-Timestamp"].encode() + b"." + self.body
        wanted = "v1=" + hmac.new(secret, covered, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, self.headers.get("Airis-Signature", ""))


class Receiver:
    """answer: (delivery) -> status, or (status, headers), or (status, headers, body). All that came
    is in `came`; what was answered with 2xx is in `taken`, too."""

    def __init__(self, answer=lambda _: 204, pair=None, port=0):
        self.answer, self.came, self.taken = answer, [], []
        self.lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                one = Delivery(self.path, dict(self.headers.items()), body)
                with receiver.lock:
                    receiver.came.append(one)
                answer = receiver.answer(one)
                status, headers, text, *_ = (*answer, b"") if isinstance(answer, tuple) \
                    else (answer, {}, b"")
                if 200 <= status < 300:
                    with receiver.lock:
                        receiver.taken.append(one)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    pass

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if pair:  # of harness.tls: it speaks HTTPS
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.crt, pair.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if pair else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self):
        with self.lock:
            return [one.event for one in self.taken]

    def wait(self, event, count=1, timeout=60):
        wait_for(f"{count} of {event}", lambda: self.events().count(event) >= count, timeout)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
