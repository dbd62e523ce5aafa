"""The images of one shard that the gate kept, in every format, with their rows."""

from lungsynth import __version__
from lungsynth.ct.files import whole_folder
from lungsynth.release.manifest import Item, write_images
from lungsynth.sets import bank, shard
from lungsynth.sets.tables import read_csv, read_parquet, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    image, release, number = job.settings("image"), job.settings("release"), int(job.wildcards.shard)
    _, masks, lesions = shard.read(job.input.composites.with_suffix(""))
    refined = shard.load(job.input.images)
    kept = read_csv(job.input.gate)
    kept = kept.loc[kept["keep"].astype(bool), "image"].tolist()
    seeds = read_parquet(job.input.plan).set_index("rank")["seed"]
    normals = bank.read(job.input.normals).table["id"].tolist()

    def item(k):
        """Image number k of the shard as it is handed over."""
        rows = lesions[lesions["image"] == k]
        rank = int(rows["composite"].iloc[0])
        sources = {int(row.lesion): str(row.source_nodule) for row in rows.itertuples()}
        normal, group = normals[int(rows["normal"].iloc[0])], f"group-{int(rows['group'].iloc[0]):05d}"
        made = (refined[k], masks[k], normal, group, int(seeds[rank]), sources)
        return Item(f"composite-{rank:07d}", *made, facts={"rank": rank})

    info = {"study": job.settings("study"), "lungsynth": __version__, "licence": release.licence}
    with whole_folder(job.output.images) as images, whole_folder(job.output.masks) as mask_files:
        places = (images, mask_files, release.formats, image.mm_per_px, release.slice_mm, info, f"{number}/")
        manifest, rows = write_images(map(item, job.bar(kept)), *places)
    write_csv(job.output.manifest, manifest)
    write_csv(job.output.lesions, rows)
    job.say(f"{len(manifest)} images with {len(rows)} lesions released, {len(refined) - len(manifest)} left out")
