"""Certificates of a private authority, as an operator makes them with openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Authority:
    """An authority: its certificate and its key, as files."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, directory: Path) -> Authority:
        """A new one."""
        directory.mkdir(parents=True, exist_ok=True)
        made = cls(directory / "ca.pem", directory / "ca.key")
        _openssl(
            "req", "-x509", *NEW_KEY, "-days", "2", "-subj", "/CN=aitrain tests",
            "-keyout", str(made.key), "-out", str(made.certificate),
        )  # fmt: skip
        return made

    def server(self, address: str) -> tuple[Path, Path]:
        """The certificate of a server at an IP address, and its key."""
        base = self.certificate.with_name(address)
        certificate, key, extensions = (Path(f"{base}.{end}") for end in ("pem", "key", "cnf"))
        request = Path(f"{base}.csr")
        extensions.write_text(f"subjectAltName=IP:{address}\n")
        _openssl("req", *NEW_KEY, "-subj", f"/CN={address}", "-keyout", str(key), "-out", str(request))
        _openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self.key),
            "-CAcreateserial", "-days", "2", "-extfile", str(extensions), "-out", str(certificate),
        )  # fmt: skip
        return certificate, key


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
