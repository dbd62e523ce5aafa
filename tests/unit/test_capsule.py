"""Capsules against Sabour 2017: squash, routing, parameter counts, and gradients that a penalty can go through."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lungsynth.nets.capsule import PrimaryCapsules, RoutedCapsules, squash


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=8).filter(lambda v: max(map(abs, v)) > 1e-2))
def test_squash_keeps_direction_and_follows_equation_1(values):
    s = torch.tensor(values, dtype=torch.float64)
    v, square = squash(s), float(s.square().sum())
    assert float(v.norm()) == pytest.approx(square / (1 + square), rel=1e-3)
    assert torch.allclose(v / v.norm(), s / s.norm(), atol=1e-6)


def test_squash_has_a_finite_gradient_at_zero():
    s = torch.zeros(2, 3, requires_grad=True)
    squash(s).sum().backward()
    assert torch.isfinite(s.grad).all()


def as_printed(layer: RoutedCapsules, u: torch.Tensor, inputs: int) -> torch.Tensor:
    """Routing as the paper prints it, one sample at a time, all votes built."""
    outputs, in_out, out = layer.weight.shape
    weight = layer.weight.view(outputs, in_out // inputs, inputs, out)
    results = []
    for sample in u:
        votes = torch.einsum("jdio,di->ijo", weight, sample)
        b = torch.zeros(inputs, outputs, dtype=u.dtype)
        for _ in range(layer.steps):
            c = b.softmax(1)
            v = squash(torch.einsum("ij,ijo->jo", c, votes))
            b = b + torch.einsum("ijo,jo->ij", votes, v)
        results.append(v)
    return torch.stack(results)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_fast_routing_equals_the_printed_procedure(steps):
    torch.manual_seed(0)
    layer = RoutedCapsules(5, 4, 3, 6, steps).double()
    u = torch.randn(2, 4, 5, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.mul_(10)
        assert torch.allclose(layer(u), as_printed(layer, u, 5), atol=1e-12)


def test_samples_are_routed_apart():
    layer = RoutedCapsules(5, 4, 3, 6)
    u = torch.randn(4, 4, 5)
    assert torch.allclose(layer(u)[:1], layer(u[:1]), atol=1e-6)


def test_the_mnist_net_has_sabour_s_parameter_count():
    """6,804,224 without the decoder: conv 9 x 9 of 256, 32 types of 8-D on 6 x 6, 10 capsules of 16-D."""
    stem = torch.nn.Conv2d(1, 256, 9)
    primary = PrimaryCapsules(256, 32, 8, kernel=9, stride=2, padding=0)
    u = primary(torch.relu(stem(torch.rand(1, 1, 28, 28))))
    assert u.shape == (1, 8, 1152)
    routed = RoutedCapsules(1152, 8, 10, 16)
    assert routed(u).shape == (1, 10, 16)
    assert sum(p.numel() for net in (stem, primary, routed) for p in net.parameters()) == 6_804_224


@pytest.mark.parametrize("detach", [True, False])
def test_a_gradient_penalty_reaches_the_weights_through_the_routing(detach):
    torch.manual_seed(1)
    primary, routed = PrimaryCapsules(2, 3, 4, 3, 2, 1), RoutedCapsules(3 * 16, 4, 5, 6, detach=detach)
    x = torch.randn(2, 2, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(routed(primary(x)).sum(), x, create_graph=True)
    (gradient.flatten(1).norm(dim=1) - 1).square().mean().backward()
    for weight in (primary.conv.weight, routed.weight):
        assert torch.isfinite(weight.grad).all() and weight.grad.abs().sum() > 0


def test_first_and_second_derivatives_are_right():
    torch.manual_seed(2)
    layer = RoutedCapsules(3, 2, 2, 2, steps=3, detach=False).double()
    u = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (u,))
    assert torch.autograd.gradgradcheck(layer, (u,))
