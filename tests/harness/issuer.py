"""A CI system that vouches for its pipelines by OpenID Connect: HTTPS, a key set, signed tokens.
Keys and certificates are made by openssl, here and now."""
import base64
import itertools
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.parse


def run(*command, data=None):
    return subprocess.run(command, check=True, input=data, capture_output=True).stdout


def encode(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    def __init__(self, folder, kid):
        self.kid, self.file = kid, os.path.join(folder, kid + ".pem")
        run("openssl", "genrsa", "-out", self.file, "2048")

    def public(self):
        text = run("openssl", "rsa", "-in", self.file, "-noout", "-modulus").decode()
        number = bytes.fromhex(text.strip().split("=")[1])
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256",
                "n": encode(number), "e": "AQAB"}

    def sign(self, claims, **header):
        head = {"alg": "RS256", "typ": "JWT", "kid": self.kid, **header}
        covered = encode(head) + "." + encode(claims)
        return covered + "." + encode(
            run("openssl", "dgst", "-sha256", "-sign", self.file, data=covered.encode()))


class Issuer:
    def __init__(self, folder):
        self.folder, self.keys, self.asked, self.numbers = folder, [], [], itertools.count(1)
        self.down = False
        self.key = Key(folder, "first")
        self.keys.append(self.key)
        self.ca = os.path.join(folder, "issuer.crt")
        key = os.path.join(folder, "issuer.key")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", key, "-out", self.ca, "-days", "2", "-subj", "/CN=issuer",
            "-addext", "subjectAltName=IP:127.0.0.1")
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                body = issuer.answer(self.path) or issuer.vouch(
                    self.path, self.headers.get("Authorization"))
                self.send_response(503 if issuer.down else 404 if body is None else 200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path):
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": self.url + "/keys"}
        return {"keys": [key.public() for key in self.keys]} if path == "/keys" else None

    def vouch(self, path, authorization):
        """As GitHub does for a job that asks for it."""
        url = urllib.parse.urlparse(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path != "/token" or authorization != "bearer of-the-job":
            return None
        return {"value": self.token(aud=query["audience"], ref="refs/tags/v1", ref_type="tag")}

    def claims(self, **more):
        now = int(time.time())
        claims = {"iss": self.url, "aud": "airis", "exp": now + 300, "nbf": now - 5, "iat": now,
                  "jti": str(next(self.numbers)), "sub": "repo:shop/web:ref:refs/heads/main",
                  "repository_id": "74", "ref": "refs/heads/main", "event_name": "push", **more}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, **more):
        return self.key.sign(self.claims(**more))

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
