"""What this machine's CPU can do."""

from __future__ import annotations

import torch


def cpu_has_16_bits() -> bool:
    """Whether the CPU has instructions for bfloat16."""
    known = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
    return any(asked() for asked in known if asked is not None)
