"""A small report with every part filled: phantoms, made up on the fly."""

import numpy as np
import pandas as pd

from lungsynth.report.data import Card, Copies, Counted, Distribution, Pictures, Positions, ReportData, Training


def slices(n: int, with_lesions: bool, seed: int) -> Pictures:
    """Two dark lungs in a bright body, with a nodule or two."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:96, :96]
    image = np.full((96, 96), -1000.0)
    image[((rows - 48) / 38) ** 2 + ((columns - 48) / 45) ** 2 <= 1] = 40
    for centre in (29, 67):
        image[((rows - 48) / 27) ** 2 + ((columns - centre) / 14) ** 2 <= 1] = -860
    images = np.stack([image + rng.normal(0, 20, image.shape) for _ in range(n)])
    masks = np.zeros(images.shape, np.uint8)
    for k in range(n if with_lesions else 0):
        for label, column in enumerate((27, 68)[: 1 + k % 2], start=1):
            where = (rows - rng.integers(35, 60)) ** 2 + (columns - column) ** 2 <= rng.integers(4, 25)
            masks[k][where], images[k][where] = label, 20
    captions = [f"slice {k}" for k in range(n)]
    return Pictures(images.astype(np.int16), 3.3, masks if with_lesions else None, captions, 40)


def nodules(n: int, seed: int) -> Pictures:
    """Cut-out discs."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:32, :32]
    masks = np.stack([(rows - 16) ** 2 + (columns - 16) ** 2 <= r**2 for r in rng.uniform(2, 8, n)]).astype(np.uint8)
    return Pictures(np.where(masks, 10, -1000).astype(np.int16), 1.25, masks)


def scores() -> pd.DataFrame:
    """The columns of score/scores.csv."""
    columns = ("set", "reference", "metric", "extractor", "value", "low", "high", "floor", "n_set", "n_reference")
    rows = [
        ("composite", "lesions_test", "kid", "slices", 0.9, 0.7, 1.2, 0.02, 240, 188),
        ("refined", "lesions_test", "kid", "slices", 0.4, 0.2, 0.6, 0.02, 240, 188),
        ("refined", "lesions_test", "inception_score", "slices", 2.4, np.nan, np.nan, np.nan, 240, 188),
        ("selected", "nodules_test", "fid", "nodules", 12.0, 9.0, 15.0, 4.0, 200, 46),
    ]
    return pd.DataFrame(rows, columns=columns)


def anatomy() -> pd.DataFrame:
    """The columns of score/anatomy.csv, one measure of three groups."""
    shares = {"normals_test": 0.8, "lesions_test": 0.75, "normals_generated": 0.6, "normals_selected": 0.62}
    shares |= {"lesions_composite": 0.65, "lesions_refined": 0.78, "released": np.nan}
    measures = [
        ("all", "mean share", np.nan, ""),
        ("shape", "body width", 320.0, "mm"),
        ("texture", "ripple", 4.0, "dB"),
    ]
    rows = [(name, share, *measure) for name, share in shares.items() for measure in measures]
    table = pd.DataFrame(rows, columns=["set", "share", "group", "measure", "median", "unit"])
    around = {"share_low": table["share"] - 0.05, "share_high": table["share"] + 0.05}
    return table.assign(low=0.9 * table["median"], high=1.1 * table["median"], n=100, **around)


def watched(points: int = 120) -> Training:
    """A run with a loss that falls along 5 - x / 100, stable from 40 to 90 as its table has it, in round numbers."""
    table = pd.DataFrame({"point": [*range(50, points, 10), points - 1]}).assign(
        e0=40, slope_g=0.002, intercept_g=4.3, slope_d=-0.0001, intercept_d=0.5, late_slope_g=0.0,
        whole_slope_g=-0.01, whole_intercept_g=5.0, whole_slope_d=0.0002, whole_intercept_d=-0.25,
    )  # fmt: skip
    curves = {"critic": np.full(points, 0.5), "generator": 5 - np.arange(points) / 100, "penalty": np.ones(points)}
    return Training("g", "dcgan", curves, 40, 90, monitored=("generator", "critic"), slopes=table)


def a_report() -> ReportData:
    """Every part filled."""
    rng = np.random.default_rng(5)
    gamma = {name: rng.gamma(8, 0.13, 60) for name in ("real", "train", "test")}
    measures = [
        Distribution(
            "Diameter",
            "mm",
            rng.gamma(4, 2, 46),
            {"generated": rng.gamma(4, 2, 90), "fit bank": rng.gamma(4, 2, 80)},
            {"generated": (0.1, 0.46), "fit bank": (0.16, 0.54)},
        ),
        Distribution("Eccentricity", "", rng.beta(5, 3, 46), {"generated": rng.beta(5, 3, 90)}),
    ]
    curves = {"generator": rng.normal(3, 0.3, 120), "discriminator": rng.normal(0.5, 0.02, 120)}
    lungs = Distribution(
        "Lung area", "cm²", rng.normal(270, 50, 60), {"generated": rng.normal(250, 80, 90)}, band=(180, 350)
    )
    system = {"system": ["segmenter", "baseline"], "false_positives_per_scan": [2.0, 4.0], "sensitivity": [0.9, 0.4]}
    return ReportData(
        study="demo",
        seed=2023,
        version="0.1.0",
        warnings=["The reference holds one patient."],
        cards=[
            Card("Nodules found", 0.89, "", 0.78, 0.96, "46 nodules", "≥ .85", "open"),
            Card("Lesions moved", 11.3, "%", 8.1, 15.0, "361 lesions", "≤ 10 %", "bad"),
        ],
        flow=[(24, "patients"), (40000, "composites possible"), (221, "images released")],
        sheet={
            "real": slices(5, True, 1),
            "normal": slices(5, False, 2),
            "composite": slices(5, True, 3),
            "refined": slices(5, True, 3),
        },
        nodules={"real": nodules(20, 1), "generated": nodules(20, 2)},
        trainings=[Training("nodule generator", "dcgan", curves, 20, 60, None, "stable", "stop"), watched()],
        distributions=measures,
        positions=Positions(rng.uniform(size=(46, 2)), rng.uniform(size=(90, 2)), {"left to right": (0.14, 0.05)}),
        copies=[Copies("nodules", *gamma.values(), 0.3, "HU", (nodules(8, 3), nodules(8, 4)))],
        detection=pd.DataFrame(system),
        froc=pd.DataFrame(system),
        operating_point=(2.0, 0.9),
        anatomy=anatomy(),
        lung_area=lungs,
        gates=[Counted("composites", [("released", 221, True), ("a lesion moved", 19, False)], "All of them.")],
        scores=scores(),
        comparisons=["KID of refined minus composite: −0.51, excludes 0."],
        quarantine=pd.DataFrame({"scan": ["phantom-019"], "reason": ["no lungs"]}),
        networks=pd.DataFrame(
            {
                "run": "generate/nodules/dcgan-2023",
                "network": ["generator", "critic"],
                "kind": "dcgan",
                "preset": ["chen", "none"],
                "total": [26_129_728, 400],
                "trainable": [25_996_736, 400],
                "other": [132_992, 0],
                "paper": [26_129_728, np.nan],
            }
        ),
        edges=[("prepare_scans", "cut_banks"), ("cut_banks", "render_shard"), ("prepare_scans", "render_shard")],
        stages={"prepare_scans": "cohort", "cut_banks": "banks", "render_shard": "compose"},
        settings={"image.size_px": 160},
        provenance={"code": "3f1c9a0d7be24c11aa90b1"},
    )
