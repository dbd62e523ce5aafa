"""The plan as a data set: any composite of a study's folder, rendered when it is asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lungsynth.compose.render import Composite, renderer_of
from lungsynth.sets.shard import group_id
from lungsynth.sets.tables import read_json, read_parquet
from lungsynth.study.errors import DataError
from lungsynth.study.stages.compose import Render

NUMBERS = {"normal": int, "group": int, "clearance_mm": float, "rank": int, "seed": int}


class CompositeDataset:
    """Composites of `results/STUDY/compose`, best first; works with `torch.utils.data.DataLoader` and without torch.

    Args:
        folder: holds normals.npz, nodules.npz, groups.parquet, plan.parquet and render.json.
        render: feather and texture other than the study's own, which render.json holds.
        ranks: only these composites of the plan, in the plan's order; what they do not need is not read.

    Raises:
        DataError: a file is missing or damaged.

    >>> composites = CompositeDataset("results/demo/compose")  # doctest: +SKIP
    >>> composites[0]["image"].dtype  # doctest: +SKIP
    dtype('int16')
    """

    def __init__(self, folder: str | Path, render: Render | None = None, ranks: Sequence[int] | None = None):
        folder = Path(folder)
        self.folder = folder
        self.plan = read_parquet(folder / "plan.parquet", only=None if ranks is None else {"rank": ranks})
        settings = render or Render(**read_json(folder / "render.json"))
        files = (folder / name for name in ("normals.npz", "nodules.npz", "groups.parquet"))
        self.renderer = renderer_of(self.plan, *files, settings)

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> dict:
        """image int16 HU [h, w], mask uint8 [h, w] (k-th lesion), and the plan's row as plain numbers.

        Raises:
            IndexError: there are fewer composites.
        """
        made = self._render(index)
        # Column by column: a row of whole and broken numbers would be one of floats, too coarse for a seed.
        numbers = {name: kind(self.plan[name].iloc[index]) for name, kind in NUMBERS.items()}
        return {"image": made.image, "mask": made.mask} | numbers

    def lesions(self, index: int) -> list[dict]:
        """One row a lesion of a composite: centre, box, diameter_mm, texture, mean_hu, source_nodule."""
        return self._render(index).lesions

    def index(self, row: Mapping) -> int:
        """Where the composite behind a row of the release's manifest.csv is: `composites[composites.index(row)]`.

        Its seed names it; normal and group must be those of the plan.

        Raises:
            DataError: the row is of another plan.
        """
        for index in (self.plan["seed"] == int(row["seed"])).to_numpy().nonzero()[0]:
            normal, group = self._pair(index)
            if (self.renderer.normals.table["id"][normal], group_id(group)) == (row["normal"], row["group"]):
                return int(index)
        raise DataError(
            f"{self.folder}: no composite of seed {row['seed']}, normal {row['normal']} and {row['group']}; the row is "
            "of another study, or its plan was made again: take the manifest.csv and the compose folder of one run"
        )

    def _render(self, index: int) -> Composite:
        if not -len(self) <= index < len(self):
            raise IndexError(f"composite {index} of {len(self)}")
        return self.renderer.render(*self._pair(index))

    def _pair(self, index: int) -> tuple[int, int]:
        return int(self.plan["normal"].iloc[index]), int(self.plan["group"].iloc[index])
