"""Certificates for tests, made by the openssl program: short keys, short lives."""
import os
import subprocess


def openssl(*args):
    done = subprocess.run(["openssl", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {args}: {done.stderr}"
    return done.stdout


class Pair:
    """A certificate and its key, both files; pem has both in one."""

    def __init__(self, folder, name):
        self.name = name
        self.crt, self.key = (os.path.join(folder, name + end) for end in (".crt", ".key"))

    def put(self, crt, key):
        """To other names, the way a tool that renews does it: a new file, and a rename."""
        for source, target in ((self.crt, crt), (self.key, key)):
            with open(source, "rb") as file:
                content = file.read()
            fd = os.open(target + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
            os.rename(target + ".new", target)


class Authority(Pair):
    """Signs what is asked for."""

    def __init__(self, folder, name="ca"):
        super().__init__(str(folder), name)
        self.folder, self.made = str(folder), 0
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "30", "-subj", "/CN=" + name, "-keyout", self.key,
                "-out", self.crt)

    def issue(self, name, alternative, usage, days=30, extra=()):
        """alternative: "DNS:a,IP:127.0.0.1"; usage: serverAuth or clientAuth; days: of its life
        (negative: it has ended)."""
        pair = Pair(self.folder, name)
        request, extensions = pair.crt + ".csr", pair.crt + ".ext"
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"extendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n")
            if alternative:
                file.write(f"subjectAltName={alternative}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-subj", "/CN=" + name, "-keyout", pair.key, "-out", request)
        self.made += 1
        openssl("x509", "-req", "-in", request, "-CA", self.crt, "-CAkey", self.key,
                "-set_serial", str(1000 + self.made), "-days", str(days), "-extfile", extensions,
                "-out", pair.crt, *extra)
        return pair
