"""A sweep over learning rates: all jobs at once, wait for each, and tell the best.

python docs/examples/sweep.py registry.example/team/trainer:1
"""

import sys

from aitrain import Client, JobSpec, submit_jobs

RATES = (0.3, 0.1, 0.03)
# Stands for a training: what it writes last is its loss.
TRAIN = 'awk "BEGIN { print \\"loss\\", ($LR - 0.1) * ($LR - 0.1) }"'


def main(image: str) -> None:
    """Runs the sweep."""
    specs = [
        JobSpec.of(
            image=image,
            command=["sh", "-c", TRAIN],
            env={"LR": str(rate)},
            resources={"cpu": 1},
            labels={"sweep": "rates"},
        )
        for rate in RATES
    ]
    losses: dict[float, float] = {}
    with Client() as client:
        for rate, submission in zip(RATES, submit_jobs(specs, client=client), strict=True):
            if submission.error is not None:
                print(f"{rate} was refused: {submission.error}")
                continue
            job = client.wait(submission.job_id)
            lines = [line.text for line in client.logs(job.id)]
            if job.exit_code == 0 and lines:
                losses[rate] = float(lines[-1].split()[-1])
            print(f"{rate}: {job.state} {lines[-1] if lines else job.message}")
    best = min(losses, key=lambda rate: losses[rate])
    print(f"best: {best}")


if __name__ == "__main__":
    main(sys.argv[1])
