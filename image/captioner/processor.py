"""What the processor is good for."""

from __future__ import annotations

from pathlib import Path


def has_avx512(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether processor and system offer AVX-512, as Linux says; elsewhere nobody does."""
    try:
        with cpuinfo.open(encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return False
    return "avx512f" in flags.split()
