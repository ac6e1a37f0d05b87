"""From a job to the container that runs it."""

from __future__ import annotations

from aitrain.domain.flavor import Kind
from aitrain.domain.volume import CONTROL_PATH, Permission
from workers.control import ASK
from workers.runtime import ContainerSpec, Labels, Mount, container_name
from workers.step import Run


def container_spec(run: Run) -> ContainerSpec:
    """The container of a run: its share of the host follows from its flavor and units."""
    job, flavor = run.job, run.flavor
    return ContainerSpec(
        name=container_name(job.id, job.attempt),
        image=job.spec.image,
        command=job.spec.command,
        labels={
            Labels.JOB: job.id,
            Labels.ATTEMPT: str(job.attempt),
            Labels.FENCE: job.fence,
            Labels.PROJECT: job.project,
        },
        cpus=flavor.cpu * job.units,
        memory_gib=flavor.memory_gib * job.units,
        shm_gib=flavor.shm_gib * job.units,
        gpu_ids=job.unit_ids if job.kind is Kind.GPU else (),
        mounts=(
            *(
                Mount(sync.mounted, volume.mount_path, volume.permission is Permission.RO)
                for volume, sync in run.volumes()
            ),
            Mount(run.workspace.control.told, CONTROL_PATH, read_only=True),
            Mount(run.workspace.control.asked, f"{CONTROL_PATH}/{ASK}", read_only=False),
        ),
        # As the store says now, not as a message or the job's own record does.
        egress=run.machine.store.egress(job.project) or run.machine.settings.limits.egress,
        env={
            **job.spec.env,
            **(run.secrets.env(job.spec) if job.spec.secret_env else {}),
            "AITRAIN_JOB_ID": job.id,
            "AITRAIN_JOB_NAME": job.name,
            "AITRAIN_ATTEMPT": str(job.attempt),
            "AITRAIN_PROJECT": job.project,
            "AITRAIN_FLAVOR": job.flavor,
            "AITRAIN_UNITS": str(job.units),
            "AITRAIN_TIMEOUT_SECONDS": str(job.timeout_s),
            "AITRAIN_CONTROL": CONTROL_PATH,
        },
    )
