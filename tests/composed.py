"""The site of docker-compose.yml on an engine of its own, made by the commands of the page that tells how."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker

from tests.pages import DOCS, blocks, commands
from tests.stand_ins import make_context, make_stand_ins
from workers.scratch.images import BUSYBOX_IMAGE, ensure_busybox
from workers.scratch.servers import DockerEngine

PAGE = DOCS / "how-to/deploy-with-compose.md"
# What the page and the example of .env have: kept for documents, so nothing else has this address.
NAME, ADDRESS, SITE = "site.example", "192.0.2.10", "/etc/aitrain"
# Signs of life come sooner than on a site that is to run for years.
QUICK = {
    "AITRAIN_TIMING__CANARY_SECONDS": "2", "AITRAIN_TIMING__SWEEP_SECONDS": "2", "AITRAIN_TIMING__BILLING_SECONDS": "2",
    "AITRAIN_TIMING__STEP_LEASE_SECONDS": "3", "AITRAIN_TIMING__MESSAGE_GRACE_SECONDS": "3",
    "AITRAIN_HOST__DISK_RESERVE_MIB": "0", "AITRAIN_HOST__UNITS": '{"cpu": 2}',
}  # fmt: skip
OURS = ("control", "beat", "flower", "metrics", "agent", "worker")


class Composed:
    """The site. directory: what a checkout has; outside: runs commands as somebody on another machine would."""

    def __init__(self, engine: DockerEngine, directory: Path) -> None:
        self.engine, self.directory = engine, directory
        self.site, self.data = directory / "etc", directory / "data"
        self.checkout = make_context(directory / "checkout")
        ensure_busybox(engine.url)
        self._stand_ins = make_stand_ins(engine.url, directory)
        self.docker = docker.DockerClient(base_url=engine.url, timeout=120)
        override = {"services": {name: {"environment": QUICK} for name in OURS}}
        (self.checkout / "quick.yml").write_text(json.dumps(override))
        subprocess.run(["ip", "-n", engine.namespace.name, "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
        self.data.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """Of all commands."""
        return {
            **os.environ, "DOCKER_HOST": self.engine.url, "COMPOSE_FILE": "docker-compose.yml:quick.yml",
            "COMPOSE_PROJECT_NAME": "aitrain", "HEALTH_INTERVAL": "25s", "HEALTH_START": "180s", "PIP_NO_INDEX": "1",
            "DOCKER_SOCKET": str(self.engine.socket), "REGISTRY_CERTS": str(self.directory / "certs"),
            "DOCKER_CONFIG": str(self.directory / "logins"), **self._stand_ins,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            # The producer's machine has its files elsewhere.
            "AITRAIN_REDIS_CA_FILE": str(self.site / "tls/ca.pem"),
        }  # fmt: skip

    def run(self, script: str, seconds: float = 120) -> str:
        """Runs lines of a shell on the machine of the site; what they print. Fails with what they said."""
        done = subprocess.run(
            [*self.engine.namespace.enter, "bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.checkout, env=self.environment, capture_output=True, text=True, timeout=seconds,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def aitrain(self, *arguments: str) -> str:
        """A command of a producer."""
        return self.run(f"AITRAIN_CONFIG={self.site}/producer.toml aitrain {shlex.join(arguments)}")

    def job(self, job_id: str) -> dict[str, Any]:
        """What there is to know of a job."""
        found = json.loads(self.aitrain("job", "get", job_id, "-o", "json"))
        return dict(found[0] if isinstance(found, list) else found)

    def follow(self) -> None:
        """Does what the page says, in its order."""
        exports = ""
        for block in blocks(PAGE):
            for command in commands(block):
                if command.startswith("export "):
                    exports += f"{self._here(command)}\n"
                if command.startswith('echo "trial'):
                    self.set_up("trial", AITRAIN_DATA_STORE_CA_FILE="/etc/aitrain/tls/ca.pem")
                self.run(exports + self._here(command), 300)
                if "up --detach" in command:
                    self.get_well()
                if command.startswith("cp "):
                    self.set_up("production")

    def get_well(self, seconds: float = 240) -> None:
        """Waits until every service is healthy."""
        end = time.monotonic() + seconds
        while ill := self.ill():
            assert time.monotonic() < end, f"{ill}\n{self.run('docker-compose logs --no-color --tail 20')[-6000:]}"
            time.sleep(0.5)

    def set_up(self, profile: str, **more: str) -> None:
        """Edits .env as the page tells."""
        file = self.checkout / ".env"
        values = {
            "SITE_NAME": ADDRESS, "AITRAIN_SITE": str(self.site), "AITRAIN_DATA": str(self.data),
            "COMPOSE_PROFILES": profile, **more,
        }  # fmt: skip
        text = file.read_text()
        for name, value in values.items():
            text, found = re.subn(rf"^(# )?{name}=.*$", f"{name}={value}", text, flags=re.M)
            assert found, f"the example has no {name}"
        file.write_text(text)

    def _here(self, command: str) -> str:
        """A command of the page, for the directories and names here."""
        text = command.replace("sudo ", "").replace(NAME, ADDRESS)
        text = text.replace("registry.example/vision/trainer:1.4", BUSYBOX_IMAGE).replace("python train.py", "true")
        # Inside the containers the files lie where the page says.
        return re.sub(rf"(?<!:)(?<!site init )(?<!site add-host ){SITE}", str(self.site), text)

    def containers(self, *, every: bool = False) -> dict[str, Any]:
        """The site's containers, by service."""
        label = "com.docker.compose.service"
        return {
            one.labels[label]: one for one in self.docker.containers.list(all=every, filters={"label": label})
        }  # fmt: skip

    def ill(self) -> dict[str, str]:
        """Services that are not healthy, and what their last check said."""
        states = {name: one.attrs["State"] for name, one in self.containers(every=True).items()}
        return {
            name: f"{state['Status']}: {(state.get('Health', {}).get('Log') or [{}])[-1].get('Output')}"
            for name, state in states.items()
            if state.get("Health", {}).get("Status") != "healthy"
        }

    def secrets(self) -> dict[str, str]:
        """All that is secret in the site's files: where it stands -> what it is."""
        found = {}
        for path in sorted(path for path in self.site.rglob("*") if path.is_file()):
            text = path.read_text()
            for number, secret in enumerate(re.findall(r"rediss://[^:]+:([^@]+)@", text)):
                found[f"{path.name} {number}"] = secret
            if "PRIVATE KEY" in text:
                found[path.name] = text.splitlines()[1]
            if path.name in ("flower-viewers", "registry-htpasswd", "s3-key"):
                found[path.name] = re.split("[:,]", text.strip())[1]
        return found
