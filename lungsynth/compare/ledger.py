"""What Chen 2025, GIST and Draw.AI claim, beside what a study of pictures finds; contradictions are named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.study.runs import Run

COLUMNS = ["paper", "where", "claim", "reported", "ours", "note"]
BY_EYE = "found on these runs, by eye"


@dataclass(frozen=True)
class Claim:
    """A row of the ledger.

    Attributes:
        key: by which `ours` finds it; empty: nothing of a study is held against it.
        note: what is to be known of it, or why it cannot be tested.
    """

    paper: str
    where: str
    claim: str
    reported: str
    note: str = ""
    key: str = ""


CLAIMS = (
    Claim("Chen 2025", "Table 1", "numbers of the generator", "26,129,728", "", "chen.generator"),
    Claim("Chen 2025", "Table 1", "numbers of the discriminator", "4,369,440", "", "chen.critic"),
    Claim(
        "Chen 2025",
        "text and Table 1",
        "outputs of the discriminator",
        "one, and 16",
        "contradiction: a dense layer of one output in the text, 16 patches in the table; the table is taken",
    ),
    Claim(
        "Chen 2025",
        "results 1 to 3",
        "least loss of the discriminator",
        ".356, .501, .501",
        "contradiction: a smoothing of .2 cannot fall under .5004, of .1 under .3251: not one setting for all three; "
        "tested by the target sweep at both",
    ),
    Claim("Chen 2025", "result 1", "where to stop", "about epoch 200 of 500", BY_EYE, "chen.stop"),
    Claim("Chen 2025", "results 2, 3", "where to stop", "epochs 250 to 300", BY_EYE, "chen.stop"),
    Claim("Chen 2025", "result 3", "the loss climbs again", "from epoch 400: noise at 500", "", "chen.diverged"),
    Claim("Chen 2025", "text", "500 epochs", "4,000 s on a GPU of 6 GB", "another machine"),
    Claim("GIST", "3.1", "FID at convergence", "65.23 knee, 75.89 MURA", "other pictures and features: no comparison"),
    Claim("GIST", "Fig. 5", "FID gains little beyond 200 pictures", "no numbers", "tested by the target sizes"),
    Claim("GIST", "3.3", "batch, gamma, rate: no gain beyond chance", "no numbers", "tested by the target sweep"),
    Claim("GIST", "3.4", "free of artefacts with 781 pictures only", "by eye", "one reader's word, no numbers"),
    Claim(
        "GIST",
        "3.5",
        "blind test: accuracy, precision, recall",
        "53, 58, 58 %",
        "contradiction: precision and recall of .58 on 50 + 50 make accuracy .58; tested by the target reader",
    ),
    Claim(
        "Draw.AI",
        "Fig. 4.1",
        "numbers of the discriminator",
        "582,785",
        "contradiction: its shapes ask for 256 px, and the generator draws 128: what it sees is enlarged",
        "draw_ai.critic",
    ),
    Claim("Draw.AI", "Fig. 4.2", "numbers of the generator", "27,265,281", "", "draw_ai.generator"),
    Claim(
        "Draw.AI",
        "text and Fig. 4.2",
        "norm of the generator",
        "batch norm and ReLU, or none and leaky ReLU",
        "contradiction between text and figure; the figure is taken",
    ),
    Claim(
        "Draw.AI",
        "4.3",
        "losses after 10 epochs, generator and discriminator",
        "3.4853, .0883",
        "20 pictures: the discriminator has won",
        "draw_ai.losses",
    ),
    Claim(
        "Draw.AI",
        "Fig. 4.6",
        "generated pictures almost overlap real ones",
        "a plot",
        "no number",
    ),
)


def rows(
    runs: Sequence[Run],
    networks: pd.DataFrame,
    verdicts: Sequence[Mapping[str, Any]],
    losses: Sequence[pd.DataFrame],
    classifiers: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The ledger of a study.

    Args:
        runs: of the generators; verdicts and losses at the end of each.
        networks: networks.csv; classifiers: utility/claims.csv, whose rows are added.
    """
    found = {}
    for run, verdict, table in zip(runs, verdicts, losses, strict=False):
        preset = str(run.settings.get("preset", "none"))
        found |= _counts(networks[networks["run"] == run.name], preset)
        if preset in ("chen", "chen_small"):
            found |= _course(verdict, run)
        if preset == "draw_ai":
            last = table.iloc[-1]
            found["draw_ai.losses"] = f"{last['loss_generator']:.4f}, {last['loss_critic']:.4f}"
    ledger = pd.DataFrame(
        [(one.paper, one.where, one.claim, one.reported, found.get(one.key, ""), one.note) for one in CLAIMS],
        columns=COLUMNS,
    )
    return ledger if classifiers is None else pd.concat([ledger, _of_classifiers(classifiers)], ignore_index=True)


def _counts(networks: pd.DataFrame, preset: str) -> dict[str, str]:
    return {f"{preset}.{row.network}": f"{row.total:,}" for row in networks.itertuples()}


def _course(verdict: Mapping[str, Any], run: Run) -> dict[str, str]:
    """Where the monitor would stop, in epochs: a point of the loss table is one."""
    each = run.training.points_every

    def epoch(step: int | None, words: str) -> str:
        return f"no {words}" if step is None else f"{words} at epoch {step // each}"

    return {
        "chen.stop": epoch(verdict["stop_step"], "stop"),
        "chen.diverged": epoch(verdict["diverged_step"], "divergence"),
    }


def _of_classifiers(claims: pd.DataFrame) -> pd.DataFrame:
    """The accuracies of GIST's table, and what it concludes of them, in the ledger's form."""
    claims = claims[claims["metric"] == "accuracy"]
    parts = claims["paper"].str.partition(", ")
    words = claims["name"] + ", " + claims["approach"].str.replace("_", " ")
    return pd.DataFrame(
        {
            "paper": parts[0],
            "where": parts[2],
            "claim": words.where(claims["claim"] == "score", words + ": " + claims["claim"]),
            "reported": claims["reported"].map("{:.3f}".format),
            "ours": [f"{value:.3f}" if np.isfinite(value) else "" for value in claims["ours"].astype(float)],
            "note": claims["reason"],
        }
    )[COLUMNS]
