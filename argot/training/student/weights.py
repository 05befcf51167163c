"""Which weights of a model are trained, and how those of two models are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from argot.errors import InputError, ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor


def choose_weights(model: SentenceTransformer, layers: int, lora: int) -> None:
    """Leave to be trained all weights, the last `layers`, or adapters of rank `lora` beside them; 0 is none of it."""
    if lora and layers:
        raise InputError(
            "params.yaml: train.lora adapts all layers; set train.layers to 0 beside it"
        )
    if lora:
        from peft import LoraConfig

        model.add_adapter(LoraConfig(r=lora, lora_alpha=2 * lora, target_modules="all-linear"))
    elif layers:
        freeze(model, layers)


def freeze(model: SentenceTransformer, layers: int) -> None:
    """Leave only the last `layers` of the transformer to be trained, and what stands behind it."""
    from torch import nn

    stacks = [module for module in model[0].modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise ModelError(
            "train.layers: the base model has no stack of layers; set it to 0, to train all of it"
        )
    model[0].requires_grad_(False)
    for layer in max(stacks, key=len)[-layers:]:
        layer.requires_grad_(True)


def merge_adapters(model: SentenceTransformer) -> None:
    """Add what adapters learnt to the weights beside them, and take the adapters out (LoRA, arXiv 2106.09685)."""
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
    """Put `weight` of the tuned and the rest of the base weights into the model (LM-Cocktail, arXiv 2311.13534)."""
    floating = {name for name, value in base.items() if value.is_floating_point()}
    model.load_state_dict(
        {
            name: weight * value + (1 - weight) * base[name] if name in floating else value
            for name, value in tuned.items()
        }
    )
    return model
