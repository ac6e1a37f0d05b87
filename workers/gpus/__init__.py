"""The GPUs of a host: what the NVIDIA driver says of them, which are offered as what, and which are fit for a job."""

from workers.gpus.gpu import Gpu, GpuProcess, Look
from workers.gpus.nvml import look
from workers.gpus.use import gpu_use

__all__ = ["Gpu", "GpuProcess", "Look", "gpu_use", "look"]
