"""What classifiers score as tables: every training, confusion tables, each approach beside base, a paper's claims."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lungsynth.utility.classify.published import NAMES, PAPER, TABLE, VALUES
from lungsynth.utility.classify.scores import METRICS, Tested, interval, symmetric_difference

SUMMARY = ["classifier", "approach", "metric", "mean", "sd", "low", "high", "seeds", "n_train", "n_test", "units"]
SUMMARY += ["difference", "difference_low", "difference_high", "symmetric_difference"]
CLAIMS = ["paper", "claim", "classifier", "name", "approach", "metric", "reported", "ours", "low", "high", "seeds"]
CLAIMS += ["agrees", "reason"]
OTHER_DATA = "the paper's X-rays are not public, and its networks were trained before: compare the order"
FORMULA = "|a - b| / ((a + b) / 2) of the accuracies; the paper calls it the difference"


def of_trainings(found: Sequence[Tested], level: float) -> pd.DataFrame:
    """One row a training, approach and metric, with an interval over patients (over images, where they are generated).

    Columns: classifier, approach, seed, metric, value, low, high, n_train, n_test, units (patients or images that are
    drawn again), predictions_sha256.
    """
    rows = []
    for one in found:
        for k, metric in enumerate(METRICS):
            value = float(one.values[k])
            low, high = interval(value, one.drawn[:, k], level)
            rows.append(
                {"classifier": one.said.facts["kind"], "approach": one.approach, "seed": one.said.facts["seed"]}
                | {"metric": metric, "value": value, "low": low, "high": high, **_sizes(one)}
                | {"predictions_sha256": one.said.sha256}
            )
    return pd.DataFrame(rows)


def _sizes(one: Tested) -> dict[str, int]:
    units = int((one.by_unit.sum((1, 2)) > 0).sum())
    return {"n_train": sum(one.said.facts["learnt"].values()), "n_test": int(one.confusion.sum()), "units": units}


def of_confusions(found: Sequence[Tested]) -> pd.DataFrame:
    """One row a training, approach, true and predicted class: classifier, approach, seed, truth, predicted, count."""
    return pd.DataFrame(
        [
            {"classifier": one.said.facts["kind"], "approach": one.approach, "seed": one.said.facts["seed"]}
            | {"truth": truth, "predicted": predicted, "count": int(one.confusion[i, j])}
            for one in found
            for i, truth in enumerate(one.said.facts["classes"])
            for j, predicted in enumerate(one.said.facts["classes"])
        ]
    )


def of_approaches(found: Sequence[Tested], level: float) -> pd.DataFrame:
    """One row a classifier, approach and metric: mean, sd over seeds and interval of the mean over patients.

    `difference` is base minus this approach, its interval by the same draws of patients on both sides where both are
    tested on them; `symmetric_difference` GIST's.
    """
    rows = []
    for kind in dict.fromkeys(one.said.facts["kind"] for one in found):
        own = [one for one in found if one.said.facts["kind"] == kind]
        groups = {name: [one for one in own if one.approach == name] for name in dict.fromkeys(o.approach for o in own)}
        for approach, some in groups.items():
            rows += [
                {"classifier": kind, "approach": approach, "metric": metric}
                | _of_approach(some, k, level)
                | ({} if approach == "base" else _beside(groups["base"], some, k, level))
                for k, metric in enumerate(METRICS)
            ]
    return pd.DataFrame(rows, columns=SUMMARY)


def _mean(some: Sequence[Tested], k: int) -> tuple[float, np.ndarray]:
    """The mean of a metric over seeds, and of each draw."""
    return float(np.mean([one.values[k] for one in some])), np.mean([one.drawn[:, k] for one in some], axis=0)


def _of_approach(some: Sequence[Tested], k: int, level: float) -> dict[str, float]:
    mean, drawn = _mean(some, k)
    low, high = interval(mean, drawn, level)
    sd = float(np.std([one.values[k] for one in some], ddof=1)) if len(some) > 1 else np.nan
    return {"mean": mean, "sd": sd, "low": low, "high": high, "seeds": len(some), **_sizes(some[0])}


def _beside(base: Sequence[Tested], some: Sequence[Tested], k: int, level: float) -> dict[str, float]:
    (mean, drawn), (other, other_drawn) = _mean(base, k), _mean(some, k)
    low, high = interval(mean - other, drawn - other_drawn, level)
    apart = symmetric_difference(mean, other) if mean + other > 0 else np.nan
    return {"difference": mean - other, "difference_low": low, "difference_high": high, "symmetric_difference": apart}


def claims(summary: pd.DataFrame) -> pd.DataFrame:
    """The nine rows of GIST's Table 2 beside ours, its symmetric differences, and what it concludes: base is above
    GAN-train. `agrees` says of the last whether the whole interval of the difference lies on the paper's side."""
    ours = summary.set_index(["classifier", "approach", "metric"])
    rows = []
    for kind, name in NAMES.items():
        for approach, values in TABLE[kind].items():
            for metric, reported in zip(VALUES, values, strict=True):
                found = _found(ours, (kind, approach, metric), ("mean", "low", "high"))
                rows.append(_claim("score", kind, name, approach, metric, reported / 100, found, OTHER_DATA))
        base = TABLE[kind]["base"][0] / 100
        for approach in ("gan_train", "gan_test"):
            other = TABLE[kind][approach][0] / 100
            apart = _found(ours, (kind, approach, "accuracy"), ("symmetric_difference",))
            words = ("symmetric difference to base", kind, name, approach, "accuracy")
            rows.append(_claim(*words, symmetric_difference(base, other), apart, FORMULA))
        key = (kind, "gan_train", "accuracy")
        found = _found(ours, key, ("difference", "difference_low", "difference_high"))
        gap = base - TABLE[kind]["gan_train"][0] / 100
        rows.append(_claim("base minus GAN-train is above 0", kind, name, *key[1:], gap, found, OTHER_DATA))
        rows[-1]["agrees"] = _agrees(found)
    return pd.DataFrame(rows, columns=CLAIMS)


def _found(ours: pd.DataFrame, key: tuple[str, str, str], names: Sequence[str]) -> dict[str, float]:
    """Our value, its interval where there is one, and the number of seeds; nothing of a kind that was not trained."""
    if key not in ours.index:
        return {}
    return dict(zip(("ours", "low", "high"), ours.loc[key, list(names)], strict=False)) | {
        "seeds": int(ours.loc[key, "seeds"])
    }


def _claim(
    claim: str,
    kind: str,
    name: str,
    approach: str,
    metric: str,
    reported: float,
    found: dict[str, float],
    reason: str,
) -> dict[str, object]:
    about = {"paper": PAPER, "claim": claim, "classifier": kind, "name": name, "approach": approach, "metric": metric}
    return about | {"reported": reported, **found, "agrees": "", "reason": reason if found else "not trained here"}


def _agrees(found: dict[str, float]) -> str:
    """Whether a difference lies above 0 for sure: yes, no, or not sure."""
    if not found or not np.isfinite([found["low"], found["high"]]).all():
        return ""
    return "yes" if found["low"] > 0 else "no" if found["high"] < 0 else "not sure"
