"""The examples of docs/adding.md work as they stand there."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lungsynth.ct.volume import Volume, write

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding.md"
EXAMPLE = re.compile(r"`(lungsynth/\S+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)
ROOMS = {
    "lungsynth.generate.kinds": "GENERATORS",
    "lungsynth.cohort": "READERS",
    "lungsynth.features": "EXTRACTORS",
    "lungsynth.score.metrics": "METRICS",
    "lungsynth.release.formats": "EXPORTERS",
    "lungsynth.utility.kinds": "CLASSIFIERS",
}


def registry(package):
    room = package.removesuffix(".metrics").removesuffix(".formats").removesuffix(".kinds")
    room = room.replace("utility", "utility.classify")
    return getattr(importlib.import_module(f"{room}.registry"), ROOMS[package])


@pytest.fixture(scope="module", autouse=True)
def examples(tmp_path_factory):
    """The document's files, laid over the library for the time of these tests."""
    root = tmp_path_factory.mktemp("examples")
    for name, text in EXAMPLE.findall(DOCUMENT.read_text(encoding="utf-8")):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.name in ("network.py", "reader.py"):
            (path.parent / "__init__.py").write_text("")
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for package in ROOMS:
            module = importlib.import_module(package)
            patch.setattr(module, "__path__", [*module.__path__, str(root / package.replace(".", "/"))])
            patch.setattr(registry(package), "_entries", dict(registry(package)._entries))
        yield root
    for name in set(sys.modules) - before:
        if name.startswith("lungsynth.") and str(root) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_every_registry_has_an_example(examples):
    names = {"lsgan", "nrrd", "mean_distance", "histogram", "npy", "plain"}
    assert names == {name for package in ROOMS for name in registry(package).names() if name in names}


def test_the_generator_trains_and_draws():
    import torch

    from lungsynth.train.data import Shape

    generators = registry("lungsynth.generate.kinds")
    settings = generators.settings("lsgan")(generator_channels=8, critic_channels=4, start_from_mean=False)
    kind = generators.get("lsgan")(settings)
    torch.manual_seed(1)
    modules, rng = kind.build(Shape(2, 32)), torch.Generator().manual_seed(1)
    optimisers = kind.optimisers(modules)
    before = [p.detach().clone() for p in modules["generator"].parameters()]
    batches = iter(lambda: {"images": torch.rand(4, 2, 32, 32, generator=rng) * 2 - 1}, None)
    for update in kind.step(modules, batches, rng, 0):
        optimisers[update.optimiser].zero_grad()
        update.loss.backward()
        optimisers[update.optimiser].step()
    assert any(not torch.equal(old, new) for old, new in zip(before, modules["generator"].parameters(), strict=True))
    assert kind.sample(modules, 3, None, [np.random.default_rng(k) for k in range(3)]).shape == (3, 2, 32, 32)


def test_the_reader_finds_a_nodule_where_it_is(tmp_path):
    grid = np.stack(np.mgrid[:20, :40, :40], -1) * (2.0, 1.0, 1.0)
    ball = np.linalg.norm(grid - (20, 18, 22), axis=-1) <= 6
    volume = Volume(np.where(ball, 30, -850).astype(np.int16), (2, 1, 1), (-10, 5, 7))
    write(tmp_path / "p1.nrrd", volume)
    write(tmp_path / "p1_nodules.nrrd", volume.like(ball.astype(np.uint8)))
    readers = registry("lungsynth.cohort")
    reader = readers.get("nrrd")(readers.settings("nrrd")(keep_patient_ids=True), tmp_path)
    (ref,) = reader.list()
    (mark,) = reader.read(ref).marks
    assert ref.patient == "p1"
    np.testing.assert_allclose(mark.centre_mm, (12, 23, 27), atol=0.1)
    assert mark.diameter_mm == pytest.approx(12, abs=0.5)
    assert mark.texture == "solid"


def test_the_metric_is_zero_for_copies():
    metric = registry("lungsynth.score.metrics").get("mean_distance")()
    real = np.random.default_rng(1).normal(size=(20, 4))
    assert metric.value(real, real[:5]) == 0
    assert metric.value(np.zeros((3, 2)), np.array([[3.0, 4.0]])) == 5


def test_the_extractor_sees_a_shift():
    import torch

    extractors = registry("lungsynth.features")
    torch.manual_seed(1)
    network = extractors.get("histogram")(extractors.settings("histogram")(), 8, (-1000, 400), True, 0)
    hu, mask = torch.full((2, 16, 16), -800.0), torch.ones(2, 16, 16)
    assert network(hu, mask).shape == (2, 8)
    assert not torch.allclose(network(hu, mask), network(hu + 60, mask))


def test_the_classifier_learns_what_brightness_tells():
    import torch

    from lungsynth.train.data import Shape

    classifiers = registry("lungsynth.utility.kinds")
    torch.manual_seed(1)
    kind = classifiers.get("plain")(classifiers.settings("plain")(learning_rate=0.02))
    modules, labels = kind.build(Shape(1, 32), 2), torch.arange(8) % 2
    images = torch.rand(8, 1, 32, 32) - labels[:, None, None, None]
    optimiser = kind.optimisers(modules)["classifier"]
    for step in range(20):
        (update,) = kind.step(modules, iter([{"images": images, "labels": labels}]), None, step)
        optimiser.zero_grad()
        update.loss.backward()
        optimiser.step()
    assert torch.equal(kind.logits(modules, images).argmax(1), labels)


def test_the_exporter_gives_back_what_it_got(tmp_path):
    from lungsynth.release.export import export, finish
    from lungsynth.release.exporter import About, Item

    about = About("test", "0.1.0", "CC0", mm_per_px=2.0, slice_mm=2.5, window_hu=(-1000, 400))
    hu = np.random.default_rng(1).integers(-1024, 3071, (8, 8)).astype(np.int16)
    item = Item("a", "npy/0", hu, (hu > 0).astype(np.uint8), {}, [])
    files = export("npy", about, [item], tmp_path, "0")
    finish("npy", about, tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / files["file"][0]), hu)
    np.testing.assert_array_equal(np.load(tmp_path / files["mask"][0]), hu > 0)
