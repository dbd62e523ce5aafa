"""The files of a tiny finished study, made on the fly, under the names by which the report's step reads them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.sets import bank, shard
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.tables import write_csv, write_json
from lungsynth.train.losses import write_slopes
from lungsynth.train.monitor import LossMonitor
from tests.unit.report_data import anatomy

SHARDS, IN_SHARD = 2, 3
VIEW = {
    "study": "tiny",
    "seed": 7,
    "cohort": {"sources": [{"reader": "phantom"}]},
    "image": {"size_px": 48, "window_hu": [-1000, 400]},
    "segment": {"kind": "dense_unet", "training": {"points_every": 5}},
    "generate": {
        "nodules": {"kind": "w_capsule", "training": {"points_every": 5}},
        "normals": {"kind": "dcgan", "training": {"points_every": 5}},
    },
    "refine": {"training": {"points_every": 5}},
    "release": {"title": "A tiny study"},
}

EYES_SAW = (*("erased", "lost", "moved", "moved by refinement", "with an invented lesion", "not found before", "kept"),)


def nodules(n: int, patients: int, seed: int) -> ImageSet:
    """Discs; `patients` 0 makes them generated ones."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:32, :32]
    masks = np.stack([(rows - 16) ** 2 + (columns - 16) ** 2 <= r**2 for r in rng.uniform(2, 8, n)]).astype(np.uint8)
    images = np.where(masks, rng.normal(0, 80, masks.shape), -1000)
    table = _rows("nodule", n, patients, seed).assign(u=rng.uniform(size=n), v=rng.uniform(size=n))
    return ImageSet(images.astype(np.int16), masks, 1.25, table)


def slices(n: int, patients: int, seed: int, lesions: bool = False) -> ImageSet:
    """Two lungs in a body; the mask is the lungs, or a lesion in the right one."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:48, :48]
    body = ((rows - 24) / 18) ** 2 + ((columns - 24) / 22) ** 2 <= 1
    images, masks = [], []
    for height in rng.uniform(11, 14, n):
        lungs = np.zeros((48, 48), np.uint8)
        for label, centre in ((1, 14), (2, 34)):
            lungs[((rows - 24) / height) ** 2 + ((columns - centre) / 7) ** 2 <= 1] = label
        lesion = (rows - 24) ** 2 + (columns - 14) ** 2 <= 9
        image = np.where(lungs > 0, -850, np.where(body, 40, -1000)) + rng.normal(0, 20, lungs.shape)
        images.append(np.where(lesion & lesions, 20, image))
        masks.append(lesion if lesions else lungs)
    table = _rows("slice", n, patients, seed).assign(lesions=int(lesions), lung_area_mm2=1.0)
    return ImageSet(np.stack(images).astype(np.int16), np.stack(masks).astype(np.uint8), 6.0, table)


def _rows(what: str, n: int, patients: int, seed: int) -> pd.DataFrame:
    made = patients == 0
    return pd.DataFrame(
        {
            "id": [f"{what}-{seed}-{k}" for k in range(n)],
            "patient": ["" if made else f"p{seed}-{k % patients}" for k in range(n)],
            "slice": range(n),
            "source": [f"dcgan:7:{k}" if made else "scan" for k in range(n)],
        }
    )


def write_study(folder: Path) -> dict[str, Path | list[Path]]:
    """Write all of it and return the files by name."""
    sets = {
        "nodules_fit": nodules(20, 3, 1),
        "nodules_test": nodules(12, 2, 2),
        "nodules_generated": nodules(30, 0, 3),
        "nodules_selected": nodules(10, 0, 4),
        "normals_fit": slices(12, 3, 5),
        "normals_test": slices(8, 2, 6),
        "normals_generated": slices(14, 0, 7),
        "normals_selected": slices(6, 0, 8),
        "lesions_test": slices(7, 2, 9, lesions=True),
        "lesions_domain": slices(4, 2, 10, lesions=True),
        "pool_normals": bank.concatenate([slices(2, 2, 11), slices(4, 0, 12)]),
    }
    files: dict[str, Path | list[Path]] = {name: folder / f"{name}.npz" for name in sets}
    for name, one in sets.items():
        bank.write(files[name], one)
    return files | _composites(folder, sets["pool_normals"]) | _trainings(folder) | _tables(folder)


def _composites(folder: Path, pool: ImageSet) -> dict[str, Path | list[Path]]:
    """Shards with one lesion an image, refined by 10 HU, and what the gate said of them."""
    places = range(SHARDS)
    files = {
        "composites": [folder / f"{k}.npy" for k in places],
        "masks": [folder / f"{k}_masks.npy" for k in places],
        "rows": [folder / f"{k}.parquet" for k in places],
        "refined": [folder / f"{k}_refined.npy" for k in places],
        "gate_images": [folder / f"{k}-images.csv" for k in places],
        "gate_lesions": [folder / f"{k}-lesions.csv" for k in places],
    }
    lesion = slices(1, 1, 9, lesions=True).masks[0]
    for k in places:
        normal = np.arange(k * IN_SHARD, (k + 1) * IN_SHARD)
        images = np.where(lesion, 20, pool.images[normal]).astype(np.int16)
        rows = {"image": range(IN_SHARD), "composite": normal, "normal": normal, "group": normal % 2}
        shard.write(folder / f"{k}", images, np.stack([lesion] * IN_SHARD), pd.DataFrame(rows).assign(lesion=1))
        shard.save(files["refined"][k], images + np.int16(10))
        judged = pd.DataFrame({"image": range(IN_SHARD), "erased": 0, "lost": 0, "moved": [0, 1, 0]})
        means = {"lung_hu_before": -850.0, "lung_hu_after": [-840.0, -841.0, -839.0]}
        kept = (judged["moved"] == 0) & (k == 0) | (judged["image"] == 0)
        write_csv(files["gate_images"][k], judged.assign(invented=(~kept).astype(int), keep=kept, **means))
        write_csv(files["gate_lesions"][k], judged.assign(lesion=1, found_before=[True, True, False]))
    return files


def _trainings(folder: Path) -> dict[str, Path]:
    """A hundred and twenty points of each network, stable at step 500."""
    files, point = {}, np.arange(120)
    for name in ("segmenter", "nodules", "normals", "refiner"):
        losses, verdict = folder / f"losses-{name}.csv", folder / f"state-{name}.json"
        curves = {"loss_generator": 2 + 1 / (1 + point), "loss_critic": 0.5 + 0 * point, "penalty": 0.1}
        write_csv(losses, pd.DataFrame({"point": point, "step": 5 * (point + 1), **curves}))
        words = {"mode": "report", "verdict": "stable", "window_point": 20, "stop_step": 500, "diverged_step": None}
        write_json(verdict, words | {"monitored": ["generator", "critic"]})
        monitor, slopes = LossMonitor(), folder / f"slopes-{name}.csv"
        for loss in curves["loss_generator"]:
            monitor.add(float(loss), 0.5)
        write_slopes(slopes, monitor.at_end(), 5)
        files |= {f"losses_{name}": losses, f"slopes_{name}": slopes, f"verdict_{name}": verdict}
    return files


def _tables(folder: Path) -> dict[str, Path | list[Path]]:
    """Tables with the columns that the stages write."""
    share = {"hits": 1, "n": 6, "share": 1 / 6, "low": 0.03, "high": 0.56}
    counts = {"n_set": 10, "n_reference": 12}
    systems = {"system": ["segmenter", "baseline"], "false_positives_per_scan": [2.0, 4.0], "sensitivity": [0.9, 0.4]}
    spread = {"sensitivity_low": 0.8, "sensitivity_high": 0.95, "candidates_per_scan": 9.0}
    scored = {"reference": "nodules_test", "extractor": "nodules", "low": 0.4, "high": 0.6, "floor": 0.5, "note": ""}
    spread_mm = {"ks": 0.2, "wasserstein_low": 0.4, "wasserstein_high": 1.2}
    area = {"n": 14, "low": 0.5, "high": 0.97, "area_low_mm2": 18000.0, "area_high_mm2": 30000.0}
    tables = {
        "cohort": {"scan": ["a", "b"], "patient": ["a", "b"], "verdict": "ok"},
        "marks": {"scan": ["a", "a", "b"]},
        "quarantine": {"scan": ["c"], "reason": ["no lungs"]},
        "networks": {
            "run": ["generate/nodules/dcgan-7"],
            "network": ["generator"],
            "kind": ["dcgan"],
            "preset": ["chen"],
            "total": [26129728],
            "trainable": [26125760],
            "other": [3968],
            "paper": [26129728],
        },
        "detection": systems | spread | {"nodules": 12, "scans": 2},
        "froc": systems | {"low": 0.3, "high": 0.95},
        "gate": {"what": EYES_SAW, "of": "lesions laid", **share},
        "judge": {"what": EYES_SAW, "of": "lesions laid", **share},
        "scores": {"set": ["selected"], "metric": ["membership"], "value": [0.5], **scored, **counts},
        "differences": {
            "first": ["refined"], "second": ["composite"], "reference": ["lesions_test"], "extractor": ["slices"],
            "kid_difference": [-0.8], "low": [-1.2], "high": [-0.3], "excludes_zero": [True],
        },
        "measures": {
            "set": ["test", "selected", "generated", "fit", "placed", "test", "selected", "generated"],
            "diameter_mm": [8.0, 8.7, 11.0, 9.0, *4 * [np.nan]],
            "mean_hu": [-90.0, -80.0, -70.0, -60.0, *4 * [np.nan]],
            "eccentricity": [0.5, 0.4, 0.3, 0.2, *4 * [np.nan]],
            "u": [0.2, np.nan, np.nan, np.nan, 0.4, *3 * [np.nan]],
            "v": [0.5, np.nan, np.nan, np.nan, 0.7, *3 * [np.nan]],
            "lung_area_mm2": [*5 * [np.nan], 25000.0, 20000.0, 40000.0],
        },
        "distributions": {
            "set": ["generated", "selected", "placed", "selected", "selected"],
            "reference": [*3 * ["nodules_test"], "nodules_fit", "normals_test"],
            "measure": ["diameter_mm", "diameter_mm", "u", "diameter_mm", "lung_area_mm2"],
            "wasserstein": [3.0, 0.7, 0.2, 1.3, 5000.0], **spread_mm, **counts,
        },
        "lungs": {"set": ["generated", "selected"], "share": [0.8, 0.95], **area},
        "anatomy": anatomy(),
        "manifest": {"file": ["images/0.nii.gz"]},
    }  # fmt: skip
    files: dict[str, Path | list[Path]] = {}
    for name, columns in tables.items():
        files[name] = folder / f"{name}.csv"
        write_csv(files[name], pd.DataFrame(columns))
    values = {
        "plan_summary": {"combinations": 40000},
        "gate_facts": {
            "images": SHARDS * IN_SHARD,
            "lung_hu_shift": {"n": 6, "mean": 10.0, "low": 9.1, "high": 10.9},
        },
        "gate_threshold": {"threshold": 0.4, "sensitivity": 0.9, "nodules": 10, "findings": 0.1, "normals": 20},
        "judge_threshold": {"threshold": 0.5, "sensitivity": 0.9, "nodules": 10, "findings": None, "normals": 0},
        "selection_nodules": {"refused": {"copy": 2, "not needed": 18}},
        "selection_normals": {"refused": {"no two lungs": 3, "not needed": 5}},
    }
    for name, value in values.items():
        files[name] = folder / f"{name}.json"
        write_json(files[name], value)
    facts = folder / "score.json"
    score = {"set": "generated", "reference": "nodules_test", "metric": "fid", "value": 5.0, "floor": 1.0}
    facts.write_text(json.dumps([score | {"warnings": ["12 real images, 500 wanted"]}]), encoding="utf-8")
    return files | {"score_facts": [facts]}
