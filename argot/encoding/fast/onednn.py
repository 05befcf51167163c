"""Linear layers by oneDNN, their weights laid out for it once.

On a CPU torch multiplies float32 matrices by MKL, which uses AVX-512 on Intel's CPUs only, and lays
out the weights again for each product. Measured on an AMD EPYC with two threads: 233 GFLOP/s by MKL
and 544 by oneDNN on a passage, 108 and 294 on a question. torch.compile does the same to a frozen
model, but needs a compiler.
"""

from __future__ import annotations

import torch
from torch import nn

OPERATORS = torch.ops.mkldnn
ROWS = 16  # any number between 8 and 512 gives the same layout, which suits all of them


class Linear(nn.Module):
    """Takes the place of a `torch.nn.Linear` that is no longer trained."""

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor | None, precision: torch.dtype
    ) -> None:
        super().__init__()
        self.bias = None if bias is None else bias.detach().to(precision)
        self.weight = OPERATORS._reorder_linear_weight(weight.detach().to(precision), ROWS)
        self.precision = precision

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The product of the layer that it replaces, in this one's precision."""
        product: torch.Tensor = OPERATORS._linear_pointwise(
            values.to(self.precision), self.weight, self.bias, "none", [], ""
        )
        return product


def is_here(precision: torch.dtype) -> bool:
    """Has this machine oneDNN for that precision?"""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return precision != torch.bfloat16 or bool(OPERATORS._is_mkldnn_bf16_supported())


def pack(model: nn.Module, precision: torch.dtype) -> None:
    """Replace each linear layer of `model`, where this machine has oneDNN for that precision."""
    if not is_here(precision):
        return
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, Linear(child.weight, child.bias, precision))
