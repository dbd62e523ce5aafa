"""What a study takes over from the networks of models/ that its settings name."""

from pathlib import Path
from typing import Any

from lungsynth.sets.catalogue import DRAWN
from lungsynth.study import models
from lungsynth.study.errors import StudyError
from lungsynth.study.stages.banks import Banks
from lungsynth.study.stages.cohort import Image
from lungsynth.study.study import Study


def taken_over(config: dict[str, Any]) -> dict[str, Any]:
    """The study's settings with those of the networks that `init_from` names in their place.

    What a network is (kind, widths, grid) comes from its recipe, whatever the study says: other weights would not fit.
    How it is trained further stays the study's.

    Raises:
        StudyError: `segment.init_from` is no folder of models/; a folder holds a network for something else.
    """
    config = _judge_taken_over(_segmenter_taken_over(config))
    for target in DRAWN:
        config = _generator_taken_over(config, target)
    return config


def _segmenter_taken_over(config: dict[str, Any]) -> dict[str, Any]:
    segment, key = config.get("segment"), "segment.init_from"
    name = segment.get("init_from") if isinstance(segment, dict) else None
    if not isinstance(name, str):
        return config
    return {**config, "segment": _merged(segment, _part(models.recipe_of(name, key), "segment", name, key))}


def _judge_taken_over(config: dict[str, Any]) -> dict[str, Any]:
    """The same for the network that judges candidates in three dimensions."""
    segment, key = config.get("segment"), "segment.volumetric.init_from"
    block = segment.get("volumetric") if isinstance(segment, dict) else None
    name = block.get("init_from") if isinstance(block, dict) else None
    if not isinstance(name, str):
        return config
    found = _part(models.recipe_of(name, key), "volumetric", name, key)
    return {**config, "segment": {**segment, "volumetric": _merged(block, found)}}


def _generator_taken_over(config: dict[str, Any], target: str) -> dict[str, Any]:
    """The same for a generator and, of whole slices, its detail network: one name means both."""
    generate = config.get("generate")
    block = generate.get(target) if isinstance(generate, dict) else None
    if not isinstance(block, dict):
        return config
    key, name = f"generate.{target}.init_from", block.get("init_from")
    if name in models.names():
        found = _part(models.recipe_of(name, key), "generate", name, key)
        block = _merged(block, _part(found, target, name, key))
    detail = block.get("detail")
    own = detail.get("init_from") if isinstance(detail, dict) else None
    if own in models.names():
        key = f"generate.{target}.detail.init_from"
        found = _part(_part(models.recipe_of(own, key), "generate", own, key), target, own, key)
        block = {**block, "detail": _merged(detail, _part(found, "detail", own, key))}
    return {**config, "generate": {**generate, target: block}}


def _part(recipe: dict[str, Any], name: str, folder: str, key: str) -> dict[str, Any]:
    if name not in recipe:
        raise StudyError(f"{key}: models/{folder} holds no network for {name}")
    return recipe[name]


def _merged(own: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`own` with the values of `over` in their places, blocks in blocks."""
    both = {
        key: _merged(own[key], value) if isinstance(value, dict) and isinstance(own.get(key), dict) else value
        for key, value in over.items()
    }
    return {**own, **both}


def file_to_start_from(name: str) -> str:
    """The weights that `init_from` names: a folder of models/, or a file (.safetensors, or a run's state .pt).

    Raises:
        StudyError: neither.
    """
    if Path(models.weights_path(name)).is_file():
        return models.weights_path(name)
    if Path(name).suffix in (".pt", ".safetensors") and Path(name).is_file():
        return str(Path(name).resolve())
    raise StudyError(
        f"init_from: got {name!r}; that is no run of this study, no folder of models/ (there are: "
        f"{', '.join(models.names())}) and no file of weights"
    )


def check_grid(study: Study, target: str) -> None:
    """Refuse a shipped generator on another grid or grey scale than the one that it was trained on.

    Raises:
        StudyError: names both.
    """
    name = getattr(study.generate, target).init_from
    if name not in models.names():
        return
    theirs, ours = models.recipe_of(name)["grid"], grid_of(study.banks, study.image, target)
    if theirs != ours:
        raise StudyError(
            f"generate.{target}.init_from: models/{name} draws {_words(theirs)}; this study, {_words(ours)}"
        )


def check_labels(name: str | None, target: str, key: str) -> None:
    """Refuse labels for a shipped generator that was trained without.

    Raises:
        StudyError: names it.
    """
    if name in models.names() and "labels" not in models.recipe_of(name, key)["generate"][target]:
        raise StudyError(f"{key}: models/{name} has learnt without classes; set labels to null, or take other weights")


def check_eyes(study: Study) -> None:
    """Refuse an eye of gate or judge that is no segmenter, and a judge through which the gate sees too.

    Raises:
        StudyError: names it.
    """
    keys = {"gate": "refine.gate.eye", "judge": "refine.judge"}
    for eye, name in study.refine.eyes.items():
        if name is not None:
            _part(models.recipe_of(name, keys[eye]), "segment", name, keys[eye])
    judge, others = study.refine.judge, {"the study's own segmenter": study.segment.init_from}
    for who, name in {**others, "what the gate sees through": study.refine.gate.eye}.items():
        if judge is not None and judge == name:
            raise StudyError(f"refine.judge: {judge} is {who}, and cannot judge beside it; name another, or null")


def grid_of(banks: Banks, image: Image, target: str) -> dict[str, Any]:
    """Size, pixel and window of what a target's generator draws, as recipes state them."""
    size, pixel = (banks.nodule_px, banks.mm_per_px) if target == "nodules" else (image.size_px, image.mm_per_px)
    return {"size_px": size, "mm_per_px": pixel, "window_hu": list(image.window_hu)}


def _words(grid: dict[str, Any]) -> str:
    low, high = grid["window_hu"]
    return f"{grid['size_px']} px of {grid['mm_per_px']:g} mm in the window {low:g} to {high:g} HU"
