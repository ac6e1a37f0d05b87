"""The demo: a real training job from submit_job to DONE, through the real parts, on this machine.

Puts a data set into an S3 server, makes a training image, submits a job, follows it, and shows its result, its log and
its bill. Ends everything that it started. `python -m deploy.local.demo [--keep | --site]`; --keep waits before the end,
so that you can look at Flower; --site only starts the site, for the tutorial.
"""

from __future__ import annotations

import argparse
import io
import json
import shlex
import sys
import threading
import time
from pathlib import Path

import numpy as np
import requests
from rich.console import Console

from aitrain import Client, Job, submit_job
from aitrain.domain.billing import amount
from aitrain.domain.job import HistoryEntry
from aitrain.domain.money import SHOWN_UNIT
from deploy.local.demo_site import HOME, IMAGE, Busy, DemoSite, demo_site
from workers.scratch.servers import accepts, wait_until

WAIT_SECONDS = 240.0
out = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Runs the demo; 0 if the job ended DONE and its model is as good as it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="wait for Enter before ending everything")
    parser.add_argument("--site", action="store_true", help="start the site, run no job, and wait for Enter")
    chosen = parser.parse_args()
    began = time.monotonic()
    try:
        with demo_site(_say) as demo:
            if chosen.site:
                _lend(demo)
                return 0
            good = _run_job(demo)
            if chosen.keep:
                input(f"\nEverything runs on; look at {_flower(demo)} and press Enter to end it. ")
            _say(f"done in {time.monotonic() - began:.1f} s; ending everything")
    except Busy as busy:
        out.print(str(busy))
        return 1
    return 0 if good else 1


def _run_job(demo: DemoSite) -> bool:
    with demo.site.client() as client:
        _say(f"a host, a control worker, beat and Flower start; see {_flower(demo)}")
        job = submit_job(
            IMAGE,
            cpu=2,
            name="digits",
            volumes=["datasets@s3/digits:/data:ro", "results@s3/digits:/output:rw"],
            client=client,
        )
        _say(f"submitted job {job.id}; it waits until the host is up")
        job = _follow(client, job)
        good = job.state == "DONE" and _show_result(demo)
        _show_bill(client, job)
    log = demo.directory / "site" / "flower.log"
    wait_until(lambda: accepts(demo.flower), 30, lambda: f"Flower does not listen; see {log}")
    requests.get(f"{_flower(demo)}/workers", params={"refresh": "1"}, timeout=10)
    page = requests.get(f"{_flower(demo)}/tasks", timeout=10)
    _say(f"Flower shows its steps: {_flower(demo)}/tasks answers {page.status_code}")
    return good


def _flower(demo: DemoSite) -> str:
    return f"http://127.0.0.1:{demo.flower}"


def _lend(demo: DemoSite) -> None:
    """Leaves the site to somebody in another terminal until Enter is pressed."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in demo.site.environment().items()]
    lines.append(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
    variables = HOME / "demo" / "site.env"
    variables.write_text("\n".join(lines) + "\n")
    try:
        input(f"\nThe site runs. In another terminal: `. {variables}`, and go on with docs/tutorial. Enter ends it. ")
    finally:
        variables.unlink()


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


def _show_result(demo: DemoSite) -> bool:
    """Reads the model back from the store, and tries it on the digits it has not seen."""
    store = demo.s3
    metrics = json.loads(store.get_object(Bucket="results", Key="digits/metrics.json")["Body"].read())
    with np.load(io.BytesIO(store.get_object(Bucket="results", Key="digits/model.npz")["Body"].read())) as model:
        images, labels = demo.test
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
    exact = amount(lines, SHOWN_UNIT)
    _say(
        f"bill: it ran {ran:.1f} s: {minutes} commenced min x {job.units} {job.flavor} "
        f"x {price} {currency}/h / 60 = {exact} {currency}"
    )


def _say(text: str) -> None:
    out.print(f"[bold blue]>[/bold blue] {text}")


if __name__ == "__main__":
    sys.exit(main())
