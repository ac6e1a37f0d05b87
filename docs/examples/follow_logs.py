"""Submits a job, shows what it writes while it runs, and ends as it ended.

python docs/examples/follow_logs.py registry.example/team/trainer:1 python train.py
"""

import sys

from aitrain import Client, submit_job


def main(image: str, *command: str) -> int:
    """Runs the command; its exit code."""
    with Client() as client:
        job = submit_job(image, command, cpu=1, client=client)
        for line in client.logs(job.id, follow=True):
            print(line.text, flush=True)
        ended = client.wait(job.id)
        print(f"{ended.state}: {ended.code}")
        return 1 if ended.exit_code is None else ended.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
