"""The plan as a data set: any composite of a study's folder, rendered when it is asked for."""

from pathlib import Path

from lungsynth.compose.render import Renderer
from lungsynth.sets import bank
from lungsynth.sets.tables import read_parquet
from lungsynth.study.stages import Render


class CompositeDataset:
    """Composites of `results/STUDY/compose`, best first; works with `torch.utils.data.DataLoader` and without torch.

    Args:
        folder: holds normals.npz, nodules.npz, groups.parquet and plan.parquet.
        render: feather and texture; the study's own, where it changed them, for bytes equal to its shards.

    >>> composites = CompositeDataset("results/demo/compose")  # doctest: +SKIP
    >>> composites[0]["image"].dtype  # doctest: +SKIP
    dtype('int16')
    """

    def __init__(self, folder: str | Path, render: Render | None = None):
        folder = Path(folder)
        self.plan = read_parquet(folder / "plan.parquet")
        self.renderer = Renderer(
            bank.read(folder / "normals.npz"),
            bank.read(folder / "nodules.npz"),
            read_parquet(folder / "groups.parquet"),
            render or Render(),
        )

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, rank: int) -> dict:
        """image int16 HU [h, w], mask uint8 [h, w] (k-th lesion), and the plan's row as plain numbers.

        Raises:
            IndexError: there is no such rank.
        """
        if not -len(self) <= rank < len(self):
            raise IndexError(f"composite {rank} of {len(self)}")
        row = self.plan.iloc[rank]
        made = self.renderer.render(int(row["normal"]), int(row["group"]))
        numbers = {"normal": int, "group": int, "clearance_mm": float, "rank": int, "seed": int}
        return {"image": made.image, "mask": made.mask} | {name: kind(row[name]) for name, kind in numbers.items()}

    def lesions(self, rank: int) -> list[dict]:
        """One row a lesion of a composite: centre, box, diameter_mm, texture, mean_hu, source_nodule."""
        row = self.plan.iloc[rank]
        return self.renderer.render(int(row["normal"]), int(row["group"])).lesions
