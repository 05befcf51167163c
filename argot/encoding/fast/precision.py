"""The number format in which a model's matrices are multiplied."""

from __future__ import annotations

from typing import Literal

from argot.core.params import Settings

Known = Literal["float32", "bfloat16"]
Precision = Literal["auto", "float32", "bfloat16"]


class Encoding(Settings):
    """What decides a vector beside its text and its model: the section `embed`."""

    precision: Precision


def resolved(precision: Precision, device: str) -> Known:
    """The format on this kind of device, cpu, cuda or mps; `auto` is the faster one.

    A processor without instructions for bfloat16 converts each number first.
    """
    import torch

    if precision != "auto":
        return precision
    if device == "cuda":
        faster = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        faster = device == "cpu" and known
    return "bfloat16" if faster else "float32"
