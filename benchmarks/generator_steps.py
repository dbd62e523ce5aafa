"""A step of each generator at 32 px (ours) against a plain formulation of the same networks, side by side.

Plain: grids channel by channel, memory as the C library handles it by itself, capsules routed over all their
predictions, and a filter of its own for each image where a style modulates it, as the papers write it. Each way is a
process of its own, in turn, on one thread; the ratio counts, not the seconds. Run with `make bench`; writes
benchmarks/generator_steps.csv.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from capsule_routing import with_votes
from torch.nn import functional

from lungsynth.generate.generator import make_kind
from lungsynth.generate.kinds.stylegan.blocks import ModulatedConv, demodulation
from lungsynth.generate.registry import GENERATORS
from lungsynth.nets.capsule import RoutedCapsules
from lungsynth.train.data import Shape
from lungsynth.workflow.step import keep_freed_memory

SIZE_PX, CHANNELS, BATCH = 32, 2, 32
STEPS = 5
REPEATS = 3


def with_own_filters(layer: ModulatedConv, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor | None = None):
    """The same function as `ModulatedConv.forward`, with a grouped convolution (Karras 2020, equations 1 and 3)."""
    styles, weight = layer.style(w), layer.conv.weight * layer.conv.scale
    filters = weight[None] * styles[:, None, :, None, None]
    if layer.demodulate:
        filters = filters * demodulation(weight, styles)[:, :, None, None, None]
    n, _, height, width = x.shape
    grouped = functional.conv2d(
        x.reshape(1, -1, height, width), filters.flatten(0, 1), padding=weight.shape[2] // 2, groups=n
    )
    x = grouped.view(n, -1, height, width)
    return (x if noise is None else x + noise) + layer.bias[:, None, None]


def make_plain() -> None:
    """Have this process compute plainly from here on."""
    torch.channels_last = torch.contiguous_format
    RoutedCapsules.forward = with_votes
    ModulatedConv.forward = with_own_filters


def step_seconds(name: str) -> float:
    """Median processor seconds of a step, all of a kind's updates, after the first."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    real = torch.rand(BATCH, CHANNELS, SIZE_PX, SIZE_PX) * 2 - 1
    kind = make_kind(name, {})
    modules = {key: module.train() for key, module in kind.build(Shape(CHANNELS, SIZE_PX), 1, real).items()}
    optimisers, noise = kind.optimisers(modules), torch.Generator().manual_seed(0)
    batches = iter(lambda: {"images": real, "labels": torch.zeros(BATCH, dtype=torch.long)}, None)
    times = []
    for step in range(STEPS + 1):
        start = time.process_time()
        for update in kind.step(modules, batches, noise, step):
            optimisers[update.optimiser].zero_grad(set_to_none=True)
            update.loss.backward()
            optimisers[update.optimiser].step()
        times.append(time.process_time() - start)
    return statistics.median(times[1:])


def main() -> None:
    """Time all kinds and write the medians."""
    rows = ["kind,ours_s,plain_s,ratio"]
    for name in GENERATORS.names():
        seconds = {"ours": [], "plain": []}
        for _ in range(REPEATS):
            for way, found in seconds.items():
                command = [sys.executable, __file__, name, way]
                found.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        ours, plain = (statistics.median(found) for found in seconds.values())
        rows.append(f"{name},{ours:.4f},{plain:.4f},{plain / ours:.2f}")
        print(rows[-1], flush=True)
    Path(__file__).with_suffix(".csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        keep_freed_memory() if sys.argv[2] == "ours" else make_plain()
        print(step_seconds(sys.argv[1]))
    else:
        main()
