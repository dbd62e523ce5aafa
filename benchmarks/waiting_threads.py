"""Two training threads on a busy machine: asleep while they wait for each other, or spinning, as OpenMP's default is.

Each run trains the default segmenter's network for some seconds in a process of its own, once beside a process that
keeps one core busy and once alone.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path

SECONDS = 10
STEPS = f"""
import time, torch
from lungsynth.segment.kinds.dense_unet.network import DenseUNet
from lungsynth.segment.kinds.dense_unet.settings import Architecture
torch.set_num_threads(2)
network = DenseUNet(Architecture(), 3)
windows = torch.randn(16, 3, 32, 32)
steps, start = 0, time.perf_counter()
while time.perf_counter() - start < {SECONDS}:
    network(windows).mean().backward()
    steps += 1
print(steps)
"""


def steps(policy: str | None, busy: bool) -> int:
    """Training steps in SECONDS."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    if policy:
        environment["OMP_WAIT_POLICY"] = policy
    load = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        run = subprocess.run([sys.executable, "-c", STEPS], env=environment, capture_output=True, text=True, check=True)
    finally:
        if load:
            load.kill()
            load.wait()
    return int(run.stdout)


def main() -> None:
    """Write the table beside this file."""
    rows = []
    for busy in (True, False):
        spinning, asleep = steps(None, busy), steps("PASSIVE", busy)
        rows.append({"busy": busy, "spinning": spinning, "asleep": asleep, "ratio": round(asleep / spinning, 2)})
        print(rows[-1])
    with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
