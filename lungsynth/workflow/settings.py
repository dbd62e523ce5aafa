"""From what Snakemake merged out of config.yaml and its overlays to one frozen Study and the views that rules carry."""

import copy
import json
from collections.abc import Sequence
from importlib import import_module
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ValidationError

from lungsynth.sets.catalogue import targets
from lungsynth.study import comparison
from lungsynth.study.base import WithKinds
from lungsynth.study.errors import StudyError, nearest
from lungsynth.study.evaluation import subject
from lungsynth.study.registry import Registry
from lungsynth.study.runs import Run, drawn_by, generator, runs_of
from lungsynth.study.stages.cohort import Image
from lungsynth.study.stages.compare import Compared, ComparedDetectors
from lungsynth.study.stages.score import Release
from lungsynth.study.stages.utility import Classify
from lungsynth.study.study import Study
from lungsynth.workflow.moved import refuse_moved
from lungsynth.workflow.shipped import (
    check_classes,
    check_eyes,
    check_grid,
    check_labels,
    file_to_start_from,
    taken_over,
)
from lungsynth.workflow.sources import under_data

GENERATORS = ("lungsynth.generate.registry", "GENERATORS")
DETECTORS = ("lungsynth.segment.registry", "DETECTORS")
# Dotted key of a block with kinds -> the room whose registry names them.
KINDS = {
    "segment": DETECTORS,
    "generate.nodules": GENERATORS,
    "generate.normals": GENERATORS,
    "generate.pictures": GENERATORS,
    "features": ("lungsynth.features.registry", "EXTRACTORS"),
}
NAMES = {
    "score.metrics": ("lungsynth.score.registry", "METRICS"),
    "release.formats": ("lungsynth.release.registry", "EXPORTERS"),
}
SIZES = {"nodules": "banks.nodule_px", "normals": "image.size_px", "pictures": "pictures.size_px"}
"""The key of the side of what is drawn, by target."""
PICTURES_RELEASE = {"title": "Synthetic pictures", "source_note": ""}
"""What a release of pictures says where a study leaves the words for CT as they are."""
CLASSIFIERS, CLASSIFIED = ("lungsynth.utility.classify.registry", "CLASSIFIERS"), "utility.classify"
READERS = ("lungsynth.cohort.registry", "READERS")
SOURCE_KEYS = {"reader", "role", "roles"}


def load(config: dict[str, Any]) -> Study:
    """Validate the whole study.

    Raises:
        StudyError: one line with the key's path, the value, what is allowed and, for an unknown key, the nearest one.
    """
    refuse_moved(config)
    study = _validate(Study, taken_over(config), "")
    blocks = {path: _with_kind(_at(study, path), path) for path in KINDS}
    study = _replace(study, blocks)
    for path, place in NAMES.items():
        for name in _at(study, path):
            _known(_registry(place), name, path)
    compared = [name for name in type(study.compare).model_fields if isinstance(getattr(study.compare, name), Compared)]
    study = _replace(study, {f"compare.{name}": _with_kinds(study, f"compare.{name}", GENERATORS) for name in compared})
    detectors = f"compare.{comparison.DETECTORS}"
    study = _replace(study, {detectors: _with_kinds(study, detectors, DETECTORS)})
    study = _replace(study, {CLASSIFIED: _with_kinds(study, CLASSIFIED, CLASSIFIERS)})
    if study.chain == "pictures":
        study = _of_pictures(study)
    else:
        _check_detector(study)
        check_eyes(study)
    _check_sizes(study)
    _check_labels(study)
    _check_weights(study)
    _check_starts(study)
    return _replace(study, {"cohort.sources": _sources(study)})


def view(study: Study, *paths: str, run: Run | None = None, runs: Sequence[Run] = ()) -> str:
    """The settings at `paths` (dotted) as one canonical JSON string: what a rule's params carry.

    Args:
        run: a training that the step belongs to; stands in the view as "run".
        runs: trainings that the step uses; they stand in it as "runs".
    """
    chosen = {path: _plain(_at(study, path)) for path in sorted({"seed", *paths})}
    if run is not None:
        chosen["run"] = _plain(run)
    if runs:
        chosen["runs"] = [_plain(one) for one in runs]
    return json.dumps(chosen, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def typed(path: str, value: Any) -> Any:
    """A view's value at `path` as the model it came from."""
    if path == "runs":
        return [Run.model_validate(one) for one in value]
    model = Run if path == "run" else _model_at(path)
    return value if model is None or value is None else model.model_validate(value)


def _as_model(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, also where it may be null."""
    if isinstance(annotation, UnionType):
        annotation = next((kind for kind in get_args(annotation) if kind is not NoneType), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _model_at(path: str) -> type[BaseModel] | None:
    model = Study
    for name in path.split("."):
        field, computed = model.model_fields.get(name), getattr(model, name, None)
        if isinstance(computed, property):
            model = get_type_hints(computed.fget).get("return")
        else:
            model = _as_model(field.annotation) if field else None
        if model is None:
            return None
    return model


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else copy.deepcopy(value)


def _at(study: Study, path: str) -> Any:
    value = study
    for name in path.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value


def _replace(study: Study, changes: dict[str, Any]) -> Study:
    for path, value in changes.items():
        *parents, last = path.split(".")
        made = value
        for depth in range(len(parents), -1, -1):
            parent = _at(study, ".".join(parents[:depth])) if depth else study
            made = parent.model_copy(update={(*parents, last)[depth]: made})
        study = made
    return study


def _registry(place: tuple[str, str]) -> Registry:
    return getattr(import_module(place[0]), place[1])


def _known(registry: Registry, name: str, path: str) -> None:
    if name not in registry.names():
        known = ", ".join(registry.names())
        hint = nearest(name, registry.names(), "there are")  # all of them, where none is near
        raise StudyError(
            f"{path}: no {registry.what} {name!r}{hint}" + ("" if known in hint else f"; there are: {known}")
        )


def _with_kind(block: Any, path: str) -> Any:
    """Refuse keys that are neither fields nor kinds; validate every kind's block, keep the chosen one's."""
    registry = _registry(KINDS[path])
    _known(registry, block.kind, f"{path}.kind")
    if not isinstance(block, WithKinds):
        return block
    for name in block.model_extra or {}:
        if name not in registry.names():
            known = [*type(block).model_fields, *registry.names()]
            raise StudyError(f"{path}.{name}: unknown key{nearest(name, known)}")
    blocks = {block.kind: {}, **(block.model_extra or {})}
    made = {name: _validate(registry.settings(name), given or {}, f"{path}.{name}") for name, given in blocks.items()}
    own = made[block.kind]
    fields = {name: getattr(block, name) for name in type(block).model_fields}
    return type(block)(**fields, **{block.kind: own.model_dump(mode="json")})


def _with_kinds(study: Study, path: str, place: tuple[str, str]) -> Compared | ComparedDetectors | Classify:
    """A block that names several kinds, with the whole settings of each."""
    block, registry, whole = _at(study, path), _registry(place), {}
    for name in (*block.kinds, *getattr(block, "others", ())):
        _known(registry, name, f"{path}.kinds")
        own = _validate(registry.settings(name), block.settings.get(name) or {}, f"{path}.settings.{name}")
        whole[name] = own.model_dump(mode="json")
    return block.model_copy(update={"settings": whole})


def check_compared(study: Study, name: str) -> None:
    """Refuse a comparison with a kind that cannot make images of the target's size, or learn from the study's contexts,
    or variants that cannot be.

    Raises:
        StudyError: names the kind and the size.
    """
    if name == comparison.DETECTORS:
        for kind, settings in study.compare.detectors.settings.items():
            _check_contexts(study, kind, settings, f"compare.{name}: the kind {kind}")
        return
    if not isinstance(_at(study, f"compare.{name}"), Compared):
        _check_variants(study, name)
        return
    _check_kinds(study, f"compare.{name}", GENERATORS, _side(study, name))
    if getattr(_at(study, f"compare.{name}"), "from_nothing", False):
        _check_from_nothing(study)


def check_classified(study: Study) -> None:
    """Refuse a kind of classifier that cannot take images of their size, and pictures that are drawn without classes.

    Raises:
        StudyError: names the kind and the size, or the setting.
    """
    if study.chain == "pictures" and study.generate.pictures.classes == "none":
        raise StudyError("generate.pictures.classes: none draws pictures without classes, and classifiers need them")
    _check_kinds(study, CLASSIFIED, CLASSIFIERS, _side(study, subject(study)))


def _side(study: Study, what: str) -> int:
    """Of the images that are drawn and classified."""
    return study.banks.nodule_px if what == "nodules" else study.image.size_px


def _check_kinds(study: Study, path: str, place: tuple[str, str], size: int) -> None:
    coarse = getattr(_at(study, path), "coarse", {})
    for kind, settings in _at(study, path).settings.items():
        side, rest = divmod(size, coarse.get(kind, 1))
        if rest:
            raise StudyError(f"{path}.coarse: {coarse[kind]} of {kind} does not divide the slices' {size} px")
        try:
            _registry(place).settings(kind).model_validate(settings).check_size(side)
        except (ValueError, StudyError) as error:
            raise StudyError(f"{path}: images of {side} px do not suit the kind {kind}: {error}") from None


def _check_from_nothing(study: Study) -> None:
    """Refuse a budget of which one of the chain's own networks cannot make a step a checkpoint."""
    for run in comparison.from_nothing(study):
        if run.training.steps < run.training.checkpoints:
            least = run.training.batch * run.training.checkpoints
            raise StudyError(
                f"compare.lungs.images: {study.compare.lungs.images} is less than {least}, a batch of "
                f"{run.training.batch} for each checkpoint of {run.name}; raise it, or set from_nothing: false"
            )


def _check_variants(study: Study, name: str) -> None:
    """Refuse variants that learn from less than a batch, or that change what the kind has not."""
    block, drawn = _at(study, f"compare.{name}"), study.generate.pictures
    if name == "sizes" and min(block.counts) < drawn.training.batch:
        raise StudyError(f"compare.sizes.counts: {min(block.counts)} is less than a batch, {drawn.training.batch}")
    if name == "sizes" and block.init_from is not None:
        file_to_start_from(block.init_from)
    own = _registry(GENERATORS).settings(drawn.kind)
    for key in ("gamma", "critic_learning_rate", "smooth"):
        if getattr(block, key, ()) and key not in own.model_fields:
            raise StudyError(f"compare.{name}.{key}: the kind {drawn.kind} has no such setting")


def _check_contexts(study: Study, kind: str, settings: dict[str, Any], what: str) -> None:
    """Contexts that a detector cannot learn from are said before they are cut."""
    own = _registry(DETECTORS).settings(kind).model_validate(settings)
    try:
        own.check_contexts(study.segment.network, study.segment.windows)
    except ValueError as error:
        raise StudyError(f"{what}: {error}") from None


def _sources(study: Study) -> list[dict[str, Any]]:
    registry = _registry(READERS)
    if not study.cohort.sources:
        raise StudyError(
            "cohort.sources: is empty; name at least one reader, for example {reader: luna16, path: luna16}"
        )
    checked = []
    for index, source in enumerate(study.cohort.sources):
        path = f"cohort.sources[{index}]"
        if "reader" not in source:
            raise StudyError(f"{path}.reader: is missing; there are: {', '.join(registry.names())}")
        _known(registry, source["reader"], f"{path}.reader")
        own = {key: value for key, value in source.items() if key not in SOURCE_KEYS}
        model = _validate(registry.settings(source["reader"]), own, path)
        kept = {key: source[key] for key in sorted(SOURCE_KEYS & set(source))}
        checked.append({**model.model_dump(mode="json"), **kept})
    return checked


def _check_weights(study: Study) -> None:
    """A file that the user names and has not is said before any job."""
    weights = study.score.inception
    if weights and not under_data(weights.path).is_file():
        raise StudyError(f"score.inception.path: there is no file {weights.path!r} under LUNGSYNTH_DATA")


def _check_starts(study: Study) -> None:
    """What `init_from` names is there and fits, and no run starts from itself."""
    for target in targets(study.chain):
        check_grid(study, target)
    if study.chain == "pictures":
        check_classes(study)
    runs = runs_of(study)
    unused = [run for target in targets(study.chain) for run in drawn_by(study, target) if not run.training.steps]
    for run in (*runs.values(), *unused):
        if not run.training.steps and run.init_from is None:
            raise StudyError(
                f"{run.name}: training.steps is 0, and init_from names nothing that could be used as it is"
            )
        if run.init_from == run.name:
            raise StudyError(f"init_from: the run {run.name} cannot start from itself")
        if run.init_from is not None and run.init_from not in runs:
            file_to_start_from(run.init_from)


def _check_detector(study: Study) -> None:
    """Contexts suit a detector that is trained; banks cut along its masks need a kind that can make masks."""
    kind = study.segment.kind
    if study.segment.training.steps:
        _check_contexts(study, kind, study.segment.block(), f"segment.{kind}")
    if study.banks.cut_from == "segmentation" and not gives_probability(study):
        raise StudyError(
            f"banks.cut_from: segmentation cuts along masks, and segment.kind {kind} gives no probability to make them "
            "from; set banks.cut_from to annotation, or take another kind"
        )


def gives_probability(study: Study) -> bool:
    """Whether the study's detector judges every voxel."""
    return _registry(KINDS["segment"]).settings(study.segment.kind).gives_probability


def _check_sizes(study: Study) -> None:
    """An image size that a network cannot take is a setting's fault, and said before any job."""
    for target in targets(study.chain):
        size = study.banks.nodule_px if target == "nodules" else study.image.size_px
        block = getattr(study.generate, target)
        own = _registry(KINDS[f"generate.{target}"]).settings(block.kind).model_validate(block.block())
        key, factor = SIZES[target], generator(study, target).factor
        if size % factor:
            raise StudyError(f"generate.{target}.detail.factor: {factor} does not divide {key}, {size}")
        try:
            own.check_size(size // factor)
        except (ValueError, StudyError) as error:
            small = f" in steps of {factor} px" if factor > 1 else ""
            raise StudyError(
                f"{key}: {size}{small} does not suit generate.{target}.kind {block.kind}: {error}"
            ) from None


def _of_pictures(study: Study) -> Study:
    """The study with the grid of its pictures; grey scale, sizes and scores follow it everywhere."""
    pictures, drawn = study.pictures, study.generate.pictures
    of_ct = {name: Release.model_fields[name].default for name in PICTURES_RELEASE}
    if pictures.path is None:
        raise StudyError("pictures.path: is missing; name a folder with one sub-folder a class, or a .zip")
    if not pictures.classes and (drawn.classes == "runs" or under_data(pictures.path).is_dir()):
        pictures = pictures.model_copy(update={"classes": tuple(_folders(pictures.path))})
    release = {name: words for name, words in PICTURES_RELEASE.items() if getattr(study.release, name) == of_ct[name]}
    return _replace(
        study,
        {
            "pictures": pictures,
            "image": Image.of_pictures(pictures.size_px, pictures.levels, pictures.channels),
            "release": study.release.model_copy(update=release),
        },
    )


def _folders(path: str) -> list[str]:
    """The classes of a folder of pictures: generators and classifiers make them part of the graph and the settings."""
    root = under_data(path)
    if not root.is_dir():
        kind = "is a zip, whose classes must be named" if root.is_file() else "is not there"
        raise StudyError(f"pictures.path: {path!r} {kind}; set LUNGSYNTH_DATA, pictures.path or pictures.classes")
    return sorted(one.name for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))


def _check_labels(study: Study) -> None:
    """Classes need a kind that draws by class, and weights that were trained with them where a folder gives any."""
    for target in targets(study.chain):
        block = getattr(study.generate, target)
        key = f"generate.{target}.{'labels' if block.labels else 'classes'}"
        if generator(study, target).labels is None:
            continue
        registry = _registry(KINDS[f"generate.{target}"])
        able = [name for name in registry.names() if getattr(registry.settings(name), "conditional", False)]
        if block.kind not in able:
            raise StudyError(
                f"{key}: the kind {block.kind} draws without classes; take {', '.join(able)}, or "
                f"{'null' if block.labels else 'runs or none'}"
            )
        check_labels(block.init_from, target, key)


def _validate(model: type[BaseModel], values: Any, prefix: str) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise StudyError(_first_line(model, error, prefix)) from None


def _first_line(model: type[BaseModel], error: ValidationError, prefix: str) -> str:
    first = error.errors()[0]
    keys = [str(key) for key in first["loc"]]
    path = ".".join([prefix, *keys] if prefix else keys) or "study"
    if first["type"] == "extra_forbidden":
        return f"{path}: unknown key{nearest(keys[-1], _names_beside(model, keys))}"
    if first["type"] == "missing":
        return f"{path}: is missing"
    message = first["msg"].removeprefix("Value error, ")
    whole_block = isinstance(first["input"], dict | BaseModel)
    return f"{path}: {message}" if whole_block else f"{path}: got {first['input']!r}; {message}"


def _names_beside(model: type[BaseModel], keys: list[str]) -> list[str]:
    for name in keys[:-1]:
        inner = _as_model(model.model_fields[name].annotation) if name in model.model_fields else None
        model = inner or model
    return list(model.model_fields)
