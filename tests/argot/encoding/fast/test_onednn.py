from __future__ import annotations

import pytest
import torch
from torch import nn

from argot.encoding.fast.onednn import Linear, pack
from tests.support.threads import torch_threads


@pytest.fixture
def layers() -> nn.Module:
    torch.manual_seed(13)
    return nn.Sequential(
        nn.Linear(48, 96), nn.GELU(), nn.Sequential(nn.Linear(96, 48, bias=False))
    ).eval()


@pytest.mark.parametrize(("precision", "off"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_packing_changes_layers_within_rounding(
    layers: nn.Module, precision: torch.dtype, off: float
) -> None:
    """Packed layers compute the same product in another order, or with fewer bits."""
    some = [torch.randn(1, tokens, 48) for tokens in (1, 7, 16, 100)]
    with torch.inference_mode():
        before = [layers(values) for values in some]
        pack(layers, precision)
        after = [layers(values) for values in some]
    assert [type(layer) for layer in layers.modules() if not list(layer.children())] == [
        Linear,
        nn.GELU,
        Linear,
    ]
    assert all(
        torch.allclose(one, other.float(), atol=off)
        for one, other in zip(before, after, strict=True)
    )
    assert all(values.dtype == precision for values in after)


@pytest.mark.parametrize("width", [48, 384, 1536])
def test_the_number_of_threads_changes_no_bit(width: int) -> None:
    torch.manual_seed(13)
    linear = nn.Linear(width, 384)
    layer = Linear(linear.weight, linear.bias, torch.float32)
    for tokens in (1, 5, 17, 100):
        values, found = torch.randn(1, tokens, width), []
        for count in (1, 2, 4):
            with torch_threads(count), torch.inference_mode():
                found.append(layer(values))
        assert all(torch.equal(found[0], one) for one in found)


def test_where_there_is_no_onednn_layers_stay(
    layers: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    pack(layers, torch.float32)
    assert not any(isinstance(layer, Linear) for layer in layers.modules())
