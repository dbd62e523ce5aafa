"""The trainings of this stage by their runs: what is trained, and what draws once it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from lungsynth.generate.detail.kind import DetailKind
from lungsynth.generate.generator import Generator, make_kind
from lungsynth.generate.labels import of_one_class
from lungsynth.generate.two_scales import TwoScales
from lungsynth.nets.count import by_side
from lungsynth.study.runs import DETAIL, Run
from lungsynth.study.stages.generate import DetailSettings
from lungsynth.train import weights
from lungsynth.train.data import Shape
from lungsynth.train.loop import load
from lungsynth.train.trainable import Trainable


def is_detail(run: Run) -> bool:
    """Whether a run trains a detail network."""
    return run.kind == DETAIL


def trainable(run: Run) -> Trainable:
    """What a run of this stage trains, as the loop takes it.

    Raises:
        StudyError: there is no such kind.
    """
    if not is_detail(run):
        return make_kind(run.kind, run.settings)
    own = {name: value for name, value in run.settings.items() if name != "factor"}
    return DetailKind(DetailSettings.model_validate(own), run.settings["factor"])


def generator_of(runs: Sequence[Run]) -> Generator:
    """What draws for a target: a generator, or a coarse one with its detail network, in the order of `drawn_by`."""
    kinds = [trainable(run) for run in runs]
    return kinds[0] if len(kinds) == 1 else TwoScales(*kinds)


def shape_of(run: Run, size_px: int, channels: int = 1) -> Shape:
    """Of what a generator's run draws for a target of `size_px`; nodules have their mask as a second channel.

    Args:
        channels: of the images of the other targets.
    """
    return Shape(2 if run.target == "nodules" else channels, size_px // run.factor)


def parameters(run: Run, shape: Shape, classes: int = 1) -> dict[str, int]:
    """Trainable parameters of a run's two sides: `generator`, what draws, and `critic`, all else."""
    kind = trainable(run)
    return by_side(kind.build(shape, classes), kind.averaged)


def load_all(
    runs: Sequence[Run], files: Sequence[Path], shape: Shape, device: Any = "cpu", classes: int = 1
) -> dict[str, nn.Module]:
    """The networks that draw for a target, in eval mode.

    Args:
        files: of each run, its last state, or released weights where it has no steps of its own.
        shape: of the images that the generator, the first of the runs, draws; classes: that it draws by, 1: none.
    """
    modules: dict[str, nn.Module] = {}
    for run, file in zip(runs, files, strict=True):
        kind = trainable(run)
        if file.suffix == ".safetensors":
            modules |= load_released(kind, file, shape, device, classes, weights.part(file, run.subset))
        else:
            modules |= load(kind, file, device)
    return modules


def parts_of(runs: Sequence[Run]) -> dict[str, str]:
    """Class -> what stands before the names of its networks in released weights; none where one generator is all."""
    names = [run.subset.label for run in runs if of_one_class(run)]
    return {name: f"class{place}_" for place, name in enumerate(names)} if len(names) > 1 else {}


def to_release(runs: Sequence[Run], files: Sequence[Path], shape: Shape, classes: int = 1) -> dict[str, nn.Module]:
    """The networks that draw for a target, without critics, by the names that released weights give them."""
    parts, found = parts_of(runs), {}
    for run, file in zip(runs, files, strict=True):
        modules = load_all([run], [file], shape, classes=classes)
        part = parts[run.subset.label] if parts else ""
        found |= {f"{part}{name}": modules[name] for name in trainable(run).averaged}
    return found


def load_released(
    kind: Trainable, file: Path, shape: Shape, device: Any = "cpu", classes: int = 1, part: str = ""
) -> dict[str, nn.Module]:
    """The networks of a kind that draw, those it averages, with released weights, in eval mode.

    Args:
        part: what stands before their names in the file, see `weights.part`.

    Raises:
        DataError: see `weights.read`; or the file holds other networks.
    """
    built = kind.build(shape, classes)
    modules = {name: built[name] for name in kind.averaged}
    weights.fill({f"{part}{name}": module for name, module in modules.items()}, file, others=True)
    return {name: module.to(device).eval().requires_grad_(False) for name, module in modules.items()}
