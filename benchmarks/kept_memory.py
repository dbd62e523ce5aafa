"""Networks on a processor with memory kept as a job keeps it, and as the C library would by itself, side by side.

Run with `make bench`; writes benchmarks/kept_memory.csv. Each is a process of its own, in turn; the ratio counts, not
the seconds.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

PASSES = 6
REPEATS = 5


def passes(kept: bool) -> list[float]:
    """Median processor seconds of the shipped segmenter's pass over a lung's box, and of a training step."""
    import torch

    from lungsynth.segment.kinds.dense_unet.network import DenseUNet
    from lungsynth.segment.kinds.dense_unet.settings import Architecture
    from lungsynth.workflow.step import keep_freed_memory

    if kept and not keep_freed_memory():
        sys.exit("this C library cannot be told to keep memory")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = DenseUNet(Architecture(widths=(24, 48, 96, 160)), slices=1)
    box, windows = torch.randn(2, 1, 256, 200) * 500 - 500, torch.randn(16, 1, 56, 56) * 500 - 500

    def look() -> None:
        with torch.inference_mode():
            network.eval()(box)

    def learn() -> None:
        network.train()(windows).square().mean().backward()

    return [_median(look), _median(learn)]


def _median(work) -> float:
    times = []
    for _ in range(PASSES + 1):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times[1:])


def main() -> None:
    """Time both in turn and write the medians."""
    seconds = {"kept": [], "given_back": []}
    for _ in range(REPEATS):
        for name in seconds:
            said = subprocess.run([sys.executable, __file__, name], check=True, capture_output=True, text=True).stdout
            seconds[name].append([float(number) for number in said.split()])
    rows = ["work,kept_s,given_back_s,ratio"]
    for k, work in enumerate(("pass", "training step")):
        kept, given_back = (statistics.median(one[k] for one in seconds[name]) for name in seconds)
        rows.append(f"{work},{kept:.3f},{given_back:.3f},{given_back / kept:.2f}")
    print("\n".join(rows[1:]))
    Path(__file__).with_suffix(".csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*passes(sys.argv[1] == "kept"))
    else:
        main()
