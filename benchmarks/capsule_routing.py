"""Routing without votes (ours) against routing that builds them, side by side: one critic pass with gradient penalty.

Run with `make bench`; writes benchmarks/capsule_routing.csv. The ratio counts, not the seconds.
"""

import statistics
import time
from pathlib import Path

import torch

from lungsynth.nets.capsule import RoutedCapsules, squash

SIZES = ((64, 256), (64, 1024))  # batch, capsules below
REPEATS = 7


def with_votes(layer: RoutedCapsules, u: torch.Tensor) -> torch.Tensor:
    """The same function, as it is written in the paper: all predictions first, then three weightings of them."""
    outputs, _, out_dimensions = layer.weight.shape
    weight = layer.weight.view(outputs, *u.shape[1:], out_dimensions)
    votes = torch.einsum("ndi,odie->noie", u, weight)
    logits = torch.zeros(votes.shape[:3])
    for step in range(layer.steps):
        last = step == layer.steps - 1
        used = votes if last else votes.detach()
        v = squash((logits.softmax(1).unsqueeze(3) * used).sum(2))
        if not last:
            logits = logits + (used * v.unsqueeze(2)).sum(3)
    return v


def penalty_pass(function, layer: RoutedCapsules, u: torch.Tensor) -> None:
    """Forward, gradient to the input, and backward through that gradient, as the critic's penalty takes them."""
    u = u.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(function(layer, u).sum(), u, create_graph=True)
    gradient.square().sum().backward()


def main() -> None:
    """Time both in turn and write the medians."""
    torch.set_num_threads(1)
    rows = ["batch,capsules,ours_s,with_votes_s,ratio"]
    for batch, capsules in SIZES:
        torch.manual_seed(0)
        layer, u = RoutedCapsules(capsules, 8, 10, 16), torch.randn(batch, 8, capsules)
        torch.testing.assert_close(layer(u), with_votes(layer, u), rtol=1e-3, atol=1e-5)
        times = {"ours": [], "votes": []}
        for _ in range(REPEATS):
            for name, function in (("ours", RoutedCapsules.forward), ("votes", with_votes)):
                start = time.process_time()
                penalty_pass(function, layer, u)
                times[name].append(time.process_time() - start)
        ours, votes = (statistics.median(times[name]) for name in ("ours", "votes"))
        rows.append(f"{batch},{capsules},{ours:.4f},{votes:.4f},{votes / ours:.1f}")
        print(rows[-1])
    Path(__file__).with_suffix(".csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
