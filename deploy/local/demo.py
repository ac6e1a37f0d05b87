"""The demo: a real training job from submit_job to DONE, through the real parts, on this machine.

Puts a data set into an S3 server, makes a training image, submits a job, follows it, and shows its result, its log and
its bill. Ends everything that it started. `python -m deploy.local.demo [--keep | --site]`; --keep waits before the end,
so that you can look at Flower; --site only starts the site, for the tutorial.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import json
import shlex
import shutil
import sys
import threading
import time
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import docker
import numpy as np
import requests
from rich.console import Console
from sklearn.datasets import load_digits

from aitrain import Client, Job, submit_job
from aitrain.domain.billing import amount
from aitrain.domain.job import HistoryEntry
from deploy.local.trainer_image import ensure_trainer
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, accepts, free_port, wait_until
from workers.scratch.site import LocalSite

HOME = Path(".local")
TEST_IMAGES = 360
WAIT_SECONDS = 240.0
out = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Runs the demo; 0 if the job ended DONE and its model is as good as it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="wait for Enter before ending everything")
    parser.add_argument("--site", action="store_true", help="start the site, run no job, and wait for Enter")
    chosen = parser.parse_args()
    run = (HOME / "demo").resolve()
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("w") as lock, ExitStack() as stack:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            out.print("another demo runs in this folder; wait for it to end")
            return 1
        for leftover in ("redis", "s3", "site"):
            shutil.rmtree(run / leftover, ignore_errors=True)
        return _demo(run, stack, keep=chosen.keep, site_only=chosen.site)


def _demo(run: Path, stack: ExitStack, *, keep: bool, site_only: bool) -> int:
    began = time.monotonic()
    redis = stack.enter_context(RedisServer(run / "redis"))
    s3 = stack.enter_context(S3Server(run / "s3"))
    engine = stack.enter_context(DockerEngine(run / "engine"))
    _say(f"Redis, an S3 server and a Docker Engine run, on ports of their own ({time.monotonic() - began:.1f} s)")

    image = ensure_trainer(engine.url, HOME.resolve())
    _say(f"training image {image} is there ({time.monotonic() - began:.1f} s)")
    store = s3.client()
    test = _put_data_set(store)

    site = LocalSite(run / "site", redis_url=redis.url, s3=s3, timing={"log_poll_seconds": 0.2})
    port = free_port()
    for process in (site.control(), site.beat(), site.flower(port), site.host("local", {"cpu": 2}, engine.url)):
        stack.enter_context(process)
    if site_only:
        _lend(site, image, engine)
        return 0
    client = stack.enter_context(site.client())
    flower = f"http://127.0.0.1:{port}"
    _say(f"a host (worker and agent), a control worker, beat and Flower start; Flower: {flower}")

    job = submit_job(
        image,
        cpu=2,
        name="digits",
        volumes=["datasets@s3/digits:/data:ro", "results@s3/digits:/output:rw"],
        client=client,
    )
    _say(f"submitted job {job.id} ({job.name})")
    job = _follow(client, job)
    good = job.state == "DONE" and _show_result(store, test)
    _show_bill(client, job)
    wait_until(lambda: accepts(port), 30, lambda: "Flower does not listen; see " + str(run / "site" / "flower.log"))
    requests.get(f"{flower}/workers", params={"refresh": "1"}, timeout=10)
    page = requests.get(f"{flower}/tasks", timeout=10)
    _say(f"Flower shows its steps: {flower}/tasks answers {page.status_code}")
    if keep:
        input(f"\nEverything runs on; look at {flower} and press Enter to end it. ")
    _say(f"done in {time.monotonic() - began:.1f} s; ending everything")
    return 0 if good else 1


def _lend(site: LocalSite, image: str, engine: DockerEngine) -> None:
    """Leaves the site to somebody in another terminal until Enter is pressed."""
    docker.DockerClient(base_url=engine.url).images.get(image).tag("aitrain-local/digits", "1")
    lines = [f"export {name}={shlex.quote(value)}" for name, value in site.environment().items()]
    lines.append(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
    variables = HOME / "demo" / "site.env"
    variables.write_text("\n".join(lines) + "\n")
    try:
        input(f"\nThe site runs. In another terminal: `. {variables}`, and go on with docs/tutorial. Enter ends it. ")
    finally:
        variables.unlink()


def _put_data_set(store: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Puts scikit-learn's handwritten digits into the store; the part to test on."""
    digits = load_digits()
    order = np.random.default_rng(1).permutation(len(digits.data))
    parts = {"test": order[:TEST_IMAGES], "train": order[TEST_IMAGES:]}
    store.create_bucket(Bucket="datasets")
    for name, chosen in parts.items():
        content = io.BytesIO()
        np.savez_compressed(content, images=digits.data[chosen], labels=digits.target[chosen])
        store.put_object(Bucket="datasets", Key=f"digits/{name}.npz", Body=content.getvalue())
        _say(f"put {len(chosen)} digits into s3 datasets/digits/{name}.npz ({len(content.getvalue())} bytes)")
    return digits.data[parts["test"]], digits.target[parts["test"]]


def _follow(client: Client, job: Job) -> Job:
    """Shows states and log as they come, until the job has ended."""

    def show_state(entry: HistoryEntry) -> None:
        at = entry.at.isoformat(timespec="milliseconds")[11:23]
        out.print(f"  [dim]{at}[/dim] [bold]{entry.state}[/bold] {entry.message}")

    def show_log() -> None:
        for line in client.logs(job.id, follow=True):
            out.print(f"  [dim]{line.at[11:23]}[/dim] [green]|[/green] {line.text}")

    log = threading.Thread(target=show_log, daemon=True)
    log.start()
    ended = client.wait(job.id, timeout=WAIT_SECONDS, on_change=show_state)
    log.join(timeout=5)
    return ended


def _show_result(store: Any, test: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]) -> bool:
    """Reads the model back from the store, and tries it on the digits it has not seen."""
    metrics = json.loads(store.get_object(Bucket="results", Key="digits/metrics.json")["Body"].read())
    with np.load(io.BytesIO(store.get_object(Bucket="results", Key="digits/model.npz")["Body"].read())) as model:
        images, labels = test
        hidden = np.maximum(0.0, images / 16.0 @ model["w1"] + model["b1"])
        accuracy = float(((hidden @ model["w2"] + model["b2"]).argmax(axis=1) == labels).mean())
    said = float(metrics["accuracy"])
    _say(f"result: s3 results/digits/model.npz reads {accuracy:.1%} of {len(labels)} unseen digits")
    _say(f"        s3 results/digits/metrics.json says {said:.1%}")
    return abs(accuracy - said) < 1e-9


def _show_bill(client: Client, job: Job) -> None:
    lines = [line for line in client.ledger(job.project) if line.job_id == job.id]
    ran = ((job.finished_ms or 0) - (job.started_ms or 0)) / 1000
    price = lines[0].terms.hourly_price if lines else 0
    minutes = sum(line.minutes for line in lines)
    currency = client.settings.currency
    exact, owed = amount(lines, Decimal("0.0001")), amount(lines, client.settings.minor_unit)
    _say(
        f"bill: it ran {ran:.1f} s, that is {minutes} commenced minute(s) x {job.units} {job.flavor} "
        f"x {price} {currency}/h / 60 = {exact} {currency}, on a bill {owed} {currency}"
    )


def _say(text: str) -> None:
    out.print(f"[bold blue]>[/bold blue] {text}")


if __name__ == "__main__":
    sys.exit(main())
