"""A PKCS#11 token: SoftHSM's, which keeps it in files."""

import subprocess

from cryptography.hazmat.primitives import serialization

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "2468-token"


class Token:
    def __init__(self, directory, label="laptop"):
        self.directory = directory
        self.label = label
        (directory / "tokens").mkdir(parents=True)
        self.config = directory / "softhsm2.conf"
        self.config.write_text(f"directories.tokendir = {directory}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self._run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-" + PIN)

    @property
    def environment(self):
        return {"SOFTHSM2_CONF": str(self.config)}

    def _run(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60,
                              env={"PATH": "/usr/bin:/bin", **self.environment})
        assert done.returncode == 0, done.stdout + done.stderr

    def add(self, issued, name, number):
        """The key and the certificate, under the same name."""
        der = self.directory / f"{name}.der"
        der.write_bytes(issued.certificate.public_bytes(serialization.Encoding.DER))
        self._run("softhsm2-util", "--import", str(issued.key_path), "--token", self.label, "--label", name,
                  "--id", f"{number:02}", "--pin", PIN)
        self._run("pkcs11-tool", "--module", MODULE, "--token-label", self.label, "--login", "--pin", PIN,
                  "--write-object", str(der), "--type", "cert", "--label", name, "--id", f"{number:02}")

    def uri(self, name, query=""):
        return f"pkcs11:token={self.label};object={name}" + (f"?{query}" if query else "")
