"""Adapters that are trained in place of weights, and how two models' weights are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor


def add_adapters(model: SentenceTransformer, rank: int) -> None:
    """Let low-rank adapters be trained in place of the weights (LoRA, arXiv 2106.09685)."""
    from peft import LoraConfig

    model.add_adapter(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))


def merge_adapters(model: SentenceTransformer) -> None:
    """Add what adapters learnt to the weights beside them, and take the adapters out."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapters = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, BaseTunerLayer)
    ]
    for name, adapter in adapters:
        adapter.merge()
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, adapter.get_base_layer())
    if adapters and model.transformers_model:
        model.transformers_model._hf_peft_config_loaded = False


def copied(model: SentenceTransformer) -> dict[str, Tensor]:
    """A copy of the model's weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def blend(
    model: SentenceTransformer, base: dict[str, Tensor], tuned: dict[str, Tensor], weight: float
) -> SentenceTransformer:
    """Put the mean of two models' weights into the model, `weight` being the tuned one's share.

    Such a merge forgets less of what the base knew (LM-Cocktail, arXiv 2311.13534).
    """
    floating = {name for name, value in base.items() if value.is_floating_point()}
    model.load_state_dict(
        {
            name: weight * value + (1 - weight) * base[name] if name in floating else value
            for name, value in tuned.items()
        }
    )
    return model
