"""How many numbers a network holds, as Keras counts them."""

from collections.abc import Collection, Mapping

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def counts(module: nn.Module) -> tuple[int, int]:
    """(trainable numbers, others) of a module; meta tensors are enough.

    Others are a norm's running means and variances, and parameters that no optimiser may change (FACTS 5.1). What is
    no weight (batches seen, estimates of a spectral norm, a pool of images) is none.
    """
    parts = list(module.parameters())
    trainable = sum(part.numel() for part in parts if part.requires_grad)
    running = sum(
        norm.running_mean.numel() + norm.running_var.numel()
        for norm in module.modules()
        if isinstance(norm, _NormBase) and norm.running_mean is not None
    )
    return trainable, sum(part.numel() for part in parts) - trainable + running


def by_side(modules: Mapping[str, nn.Module], drawing: Collection[str]) -> dict[str, int]:
    """Trainable numbers of those modules that draw, `generator`, and of all others, `critic`."""
    trained = {name: counts(module)[0] for name, module in modules.items()}
    generator = sum(trained[name] for name in drawing)
    return {"generator": generator, "critic": sum(trained.values()) - generator}
