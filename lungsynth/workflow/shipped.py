"""What a study takes over from the networks of models/ that its settings name."""

from pathlib import Path
from typing import Any

from lungsynth.sets.catalogue import DRAWN
from lungsynth.sets.grid import grid_of, in_words
from lungsynth.study import models
from lungsynth.study.errors import StudyError
from lungsynth.study.study import Study


def taken_over(config: dict[str, Any]) -> dict[str, Any]:
    """The study's settings with those of the networks that `init_from` names in their place.

    What a network is (kind, widths, grid) comes from its recipe, whatever the study says: other weights would not fit.
    How it is trained further stays the study's.

    Raises:
        StudyError: `segment.init_from` names no network; a folder holds a network for something else.
    """
    config = _segmenter_taken_over(config)
    for part in ("volumetric", "outlines"):
        config = _part_taken_over(config, part)
    for target in DRAWN:
        config = _generator_taken_over(config, target)
    return config


def _segmenter_taken_over(config: dict[str, Any]) -> dict[str, Any]:
    segment, key = config.get("segment"), "segment.init_from"
    name = segment.get("init_from") if isinstance(segment, dict) else None
    if not isinstance(name, str):
        return config
    return {**config, "segment": _merged(segment, _part(models.recipe_of(name, key), "segment", name, key))}


def _part_taken_over(config: dict[str, Any], part: str) -> dict[str, Any]:
    """The same for what judges candidates in three dimensions, or outlines them: a part of `segment`."""
    segment, key = config.get("segment"), f"segment.{part}.init_from"
    block = segment.get(part) if isinstance(segment, dict) else None
    name = block.get("init_from") if isinstance(block, dict) else None
    if not isinstance(name, str):
        return config
    found = _part(models.recipe_of(name, key), part, name, key)
    return {**config, "segment": {**segment, part: _merged(block, found)}}


def _generator_taken_over(config: dict[str, Any], target: str) -> dict[str, Any]:
    """The same for a generator and, of whole slices, its detail network: one name means both."""
    generate = config.get("generate")
    block = generate.get(target) if isinstance(generate, dict) else None
    if not isinstance(block, dict):
        return config
    key, name = f"generate.{target}.init_from", block.get("init_from")
    if models.is_network(name):
        found = _part(models.recipe_of(name, key), "generate", name, key)
        block = _merged(block, _part(found, target, name, key))
    detail = block.get("detail")
    own = detail.get("init_from") if isinstance(detail, dict) else None
    if models.is_network(own):
        key = f"generate.{target}.detail.init_from"
        found = _part(_part(models.recipe_of(own, key), "generate", own, key), target, own, key)
        block = {**block, "detail": _merged(detail, _part(found, "detail", own, key))}
    return {**config, "generate": {**generate, target: block}}


def _part(recipe: dict[str, Any], name: str, folder: str, key: str) -> dict[str, Any]:
    if name not in recipe:
        raise StudyError(f"{key}: {models.called(folder)} holds no network for {name}")
    return recipe[name]


def _merged(own: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`own` with the values of `over` in their places, blocks in blocks."""
    both = {
        key: _merged(own[key], value) if isinstance(value, dict) and isinstance(own.get(key), dict) else value
        for key, value in over.items()
    }
    return {**own, **both}


def file_to_start_from(name: str) -> str:
    """The weights that `init_from` names: a folder of models/, one laid out like these by its path, or a file.

    A file is one of released weights (.safetensors), or a run's state (.pt).

    Raises:
        StudyError: neither.
    """
    if models.is_network(name) and Path(models.weights_path(name)).is_file():
        return models.weights_path(name)
    if Path(name).suffix in (".pt", ".safetensors") and Path(name).is_file():
        return str(Path(name).resolve())
    raise StudyError(
        f"init_from: got {name!r}; that is no run of this study, no folder of models/ (there are: "
        f"{', '.join(models.names())}), no path of one with {models.WEIGHTS} and {models.RECIPE}, and no file "
        "of weights"
    )


def check_grid(study: Study, target: str) -> None:
    """Refuse a shipped generator on another grid or grey scale than the one that it was trained on.

    Raises:
        StudyError: names both.
    """
    name = getattr(study.generate, target).init_from
    if not models.is_network(name):
        return
    theirs, ours = models.recipe_of(name)["grid"], grid_of(study.banks, study.image, target)
    if theirs != ours:
        raise StudyError(
            f"generate.{target}.init_from: {models.called(name)} draws {in_words(theirs)}; this study, {in_words(ours)}"
        )


def check_labels(name: str | None, target: str, key: str) -> None:
    """Refuse labels for a shipped generator that was trained without.

    Raises:
        StudyError: names it.
    """
    if models.is_network(name) and "labels" not in models.recipe_of(name, key)["generate"][target]:
        own = "classes to none or runs" if key.endswith("classes") else "labels to null"
        who = models.called(name)
        raise StudyError(f"{key}: {who} has learnt without labels; set {own}, or take other weights")


def check_classes(study: Study) -> None:
    """Refuse a shipped generator of pictures that knows classes in another way than the study's does, or others.

    One that was told none may be trained further in any way but by label.

    Raises:
        StudyError: says what the network knows.
    """
    drawn, key = study.generate.pictures, "generate.pictures.init_from"
    if not models.is_network(drawn.init_from):
        return
    recipe = models.recipe_of(drawn.init_from, key)
    names, way = recipe.get("classes", {}).get("names", []), _way(recipe)
    known = f"draws {', '.join(names)}" if names else "was not told any classes"
    who = f"{key}: {models.called(drawn.init_from)} {known}"
    if way and drawn.classes != way:
        raise StudyError(f"{who}; set generate.pictures.classes to {way}, or take other weights")
    as_it_is = drawn.classes == "runs" and not drawn.training.steps
    if (way or as_it_is) and (others := [name for name in study.pictures.classes if name not in names]):
        mend = "name its classes in pictures.classes" if names else "set generate.pictures.classes to none"
        raise StudyError(f"{who}, and no {', '.join(others)}; {mend}, or take other weights")


def _way(recipe: dict[str, Any]) -> str:
    """How a released generator of pictures knows its classes, as `generate.pictures.classes` says; "": it does not."""
    by_label = "labels" in recipe["generate"]["pictures"]
    return "labels" if by_label else "runs" if recipe.get("parts") else ""


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
        if judge is not None and name is not None and models.same(judge, name):
            raise StudyError(f"refine.judge: {judge} is {who}, and cannot judge beside it; name another, or null")
