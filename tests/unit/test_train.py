"""The training loop: runs end bit-equal however they were cut, killed or named; what goes wrong says so."""

import io
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

from lungsynth.study.errors import TrainingError
from lungsynth.study.stages.generate import Monitor
from lungsynth.study.training import Training
from lungsynth.train.ahead import Ahead
from lungsynth.train.checkpoints import RunPlan, hand_on, read_verdict
from lungsynth.train.data import Shape, Source, need
from lungsynth.train.loop import load, run_checkpoint
from lungsynth.train.trainable import Update
from lungsynth.train.watch import watch_mode

PLAN = RunPlan("toy", seed=7, training=Training(steps=12, checkpoints=4, points_every=5, ema=0.9))


def trained(plan, **changes):
    """The plan with another length, other pieces, other means."""
    return replace(plan, training=plan.training.model_copy(update=changes))


class Toy:
    """Two networks, dropout, batch norm, a buffer that is state, two updates a step, a falling rate, an average."""

    loss_family = "bce"
    monitored = ("first", "second")
    averaged = ("first",)

    def __init__(self, spoil_at=None):
        self.spoil_at, self.seen = spoil_at, []

    def build(self, shape, classes=1, real=None):
        first = nn.Sequential(nn.Linear(shape.size_px, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Linear(6, 1))
        second = nn.Linear(4, 1)
        second.register_buffer("pool", torch.zeros(3))
        return {"first": first, "second": second}

    def optimisers(self, modules):
        return {
            "first": torch.optim.Adam(modules["first"].parameters(), 1e-2, betas=(0.5, 0.9)),
            "second": torch.optim.RMSprop(modules["second"].parameters(), 1e-2),
        }

    def rate(self, step, steps):
        return 1 - step / steps

    def step(self, modules, batches, rng, step):
        x = next(batches)["x"]
        self.seen.append(float(x[0, 0]))
        loss = (modules["first"](x) - x.sum(1, keepdim=True)).square().mean()
        yield Update("first", loss * (float("nan") if step == self.spoil_at else 1), {"twice": 2 * loss.detach()})
        y = next(batches)["x"] + torch.randn(x.shape, generator=rng)
        modules["second"].pool.copy_(y[0, :3])
        yield Update("second", (modules["second"](y) - modules["first"](y).detach()).square().mean())


def draw(rng):
    return {"x": torch.from_numpy(rng.normal(size=(8, 4)).astype("float32"))}


DATA = Source(draw, Shape(1, 4))


def files(folder, k):
    return [folder / f"state-{k}.pt", folder / f"state-{k}.json", folder / f"losses-{k}.csv"]


def train(folder, plan=PLAN, kind=None, source=draw, progress=None):
    """All checkpoints of a run; the bytes of the last one's files."""
    folder.mkdir(exist_ok=True)
    for k in range(plan.training.checkpoints):
        previous = files(folder, k - 1)[0] if k else None
        plan_k = replace(plan, checkpoint=k)
        run_checkpoint(kind or Toy(), replace(DATA, draw=source), plan_k, previous, *files(folder, k), progress)
    return [path.read_bytes() for path in files(folder, plan.training.checkpoints - 1)]


def test_one_piece_and_four_end_in_the_same_bytes(tmp_path):
    in_four = train(tmp_path / "a")
    in_one = train(tmp_path / "b", trained(PLAN, checkpoints=1))
    assert in_four[0] == in_one[0]
    assert in_four[2] == in_one[2]


def test_file_names_and_global_random_numbers_leave_no_trace(tmp_path):
    first = train(tmp_path / "a")
    torch.manual_seed(99)
    torch.rand(5)
    folder = tmp_path / "other names"
    folder.mkdir()
    previous = None
    for k in range(4):
        state = folder / f"net_{k:03d}-{k}.pt"
        run_checkpoint(
            Toy(),
            DATA,
            replace(PLAN, checkpoint=k),
            previous,
            state,
            state.with_suffix(".json"),
            folder / f"l-{k}.csv",
        )
        previous = state
    assert previous.read_bytes() == first[0]


def test_a_killed_piece_leaves_nothing_and_its_repetition_changes_nothing(tmp_path):
    whole = train(tmp_path / "a")
    folder = tmp_path / "b"
    folder.mkdir()
    draws = []

    def dies(rng):
        draws.append(0)
        if len(draws) == 10:
            raise KeyboardInterrupt
        return draw(rng)

    run_checkpoint(Toy(), DATA, PLAN, None, *files(folder, 0))
    run_checkpoint(Toy(), replace(DATA, draw=dies), replace(PLAN, checkpoint=1), files(folder, 0)[0], *files(folder, 1))
    with pytest.raises(KeyboardInterrupt):
        run_checkpoint(
            Toy(), replace(DATA, draw=dies), replace(PLAN, checkpoint=2), files(folder, 1)[0], *files(folder, 2)
        )
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for k in (0, 1) for path in files(folder, k)
    )
    for k in (2, 3):
        run_checkpoint(Toy(), DATA, replace(PLAN, checkpoint=k), files(folder, k - 1)[0], *files(folder, k))
    assert [path.read_bytes() for path in files(folder, 3)] == whole


def test_the_state_holds_optimisers_average_buffers_and_step(tmp_path):
    train(tmp_path)
    state = torch.load(tmp_path / "state-3.pt", weights_only=True)
    assert state["step"] == 12
    assert state["modules"]["second"]["pool"].abs().sum() > 0
    assert state["optimisers"]["first"]["state"][0]["exp_avg"].abs().sum() > 0
    average, last = load(Toy(), tmp_path / "state-3.pt"), load(Toy(), tmp_path / "state-3.pt", ema=False)
    assert not average["first"].training
    assert not torch.equal(average["first"][0].weight, last["first"][0].weight)
    assert torch.equal(last["first"][0].weight, state["modules"]["first"]["0.weight"])
    assert torch.equal(average["second"].weight, state["modules"]["second"]["weight"])


def test_one_thread_or_two_is_the_plan_s_choice_and_is_put_back(tmp_path):
    threads = torch.get_num_threads()
    inside = []

    def look(rng):
        inside.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        return draw(rng)

    train(tmp_path, trained(PLAN, threads=2), source=look)
    assert set(inside) == {(2, True)}
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (threads, False)


def test_batches_depend_on_seed_and_step_alone(tmp_path):
    runs = []
    for name, plan in (("a", PLAN), ("b", trained(PLAN, checkpoints=2)), ("c", replace(PLAN, seed=8))):
        kind = Toy()
        train(tmp_path / name, plan, kind)
        runs.append(kind.seen)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 12
    assert set(runs[0]).isdisjoint(runs[2])


def test_the_loss_table_holds_means_over_points_of_the_whole_training(tmp_path):
    train(tmp_path)
    table = pd.read_csv(tmp_path / "losses-3.csv")
    assert list(table.columns) == ["point", "step", "loss_first", "twice", "loss_second"]
    assert table["step"].tolist() == [5, 10]
    assert (table["twice"] - 2 * table["loss_first"]).abs().max() < 1e-4
    single = trained(PLAN, points_every=1)
    train(tmp_path / "single", single)
    fine = pd.read_csv(tmp_path / "single" / "losses-3.csv")
    assert fine["loss_first"][:5].mean() == pytest.approx(table["loss_first"][0], rel=1e-4)


def test_rates_follow_the_kind_s_factor(tmp_path):
    train(tmp_path)
    state = torch.load(tmp_path / "state-3.pt", weights_only=True)
    assert state["optimisers"]["first"]["param_groups"][0]["lr"] == pytest.approx(1e-2 * (1 - 11 / 12))


def test_a_nan_loss_names_the_step_and_the_last_good_state(tmp_path):
    with pytest.raises(TrainingError, match=r"nan at step 4.*state-0\.pt"):
        train(tmp_path, kind=Toy(spoil_at=4))
    assert not (tmp_path / "state-1.pt").exists()
    with pytest.raises(TrainingError, match="no earlier state"):
        train(tmp_path / "first", kind=Toy(spoil_at=0))


def test_in_a_comparison_a_nan_loss_is_a_verdict_and_the_state_is_handed_on(tmp_path):
    train(tmp_path, replace(PLAN, tolerant=True), Toy(spoil_at=4))
    last = read_verdict(files(tmp_path, 3)[1])
    assert (last.step, last.stopped, last.spoilt) == (4, True, True)
    assert "nan at step 4" in last.verdict


def test_a_data_set_smaller_than_a_batch_is_refused():
    need(8, 8, "nodules")
    with pytest.raises(TrainingError, match="7 images are fewer than a batch of 8"):
        need(7, 8, "nodules")


@pytest.mark.parametrize("damage", ["truncated", "other training", "wrong step", "pickle"])
def test_a_state_that_does_not_fit_is_one_clear_line(tmp_path, damage):
    train(tmp_path, trained(PLAN, checkpoints=2))
    state, plan = tmp_path / "state-0.pt", trained(replace(PLAN, checkpoint=1), checkpoints=2)
    if damage == "truncated":
        state.write_bytes(state.read_bytes()[:500])
    elif damage == "pickle":
        torch.save(Toy(), state)
    elif damage == "other training":
        plan = replace(plan, seed=8)
    else:
        plan = trained(plan, checkpoints=3)
    with pytest.raises(TrainingError, match=r"state-0\.pt") as caught:
        run_checkpoint(Toy(), DATA, plan, state, *files(tmp_path, 9))
    assert "\n" not in str(caught.value)


class Level(Toy):
    """Losses that are flat from the start: the monitor stops as early as it may."""

    def step(self, modules, batches, rng, step):
        x = next(batches)["x"]
        for name in ("first", "second"):
            yield Update(name, modules[name](x).sum() * 0 + 1)


LONG = trained(replace(PLAN, monitor=Monitor(mode="auto")), steps=120, checkpoints=3, points_every=1)


def test_after_a_stop_the_last_state_is_handed_on(tmp_path):
    train(tmp_path, LONG, Level())
    verdicts = [read_verdict(tmp_path / f"state-{k}.json") for k in range(3)]
    assert [v.verdict for v in verdicts] == ["running", "stable", "stable"]
    assert [v.stopped for v in verdicts] == [False, True, True]
    assert verdicts[2].step == verdicts[2].stop_step == 71
    for name in ("state-{}.pt", "state-{}.json", "losses-{}.csv"):
        assert (tmp_path / name.format(1)).read_bytes() == (tmp_path / name.format(2)).read_bytes()


def test_slopes_lie_beside_the_losses_and_are_handed_on(tmp_path):
    for k in range(3):
        previous = files(tmp_path, k - 1)[0] if k else None
        slopes = tmp_path / f"slopes-{k}.csv"
        run_checkpoint(Level(), DATA, replace(LONG, checkpoint=k), previous, *files(tmp_path, k), out_slopes=slopes)
    first, last = (pd.read_csv(tmp_path / f"slopes-{k}.csv") for k in (0, 2))
    assert first["point"].tolist() == [39] and first["e0"].isna().all()  # too early for a look: the end alone
    assert last["point"].tolist() == [50, 60, 70] and last["e0"].tolist() == [0, 0, 0]
    assert last["step"].tolist() == [51, 61, 71]
    assert (last[["slope_g", "slope_d", "late_slope_g", "whole_slope_g"]] == 0).all(axis=None)
    assert (last[["intercept_g", "whole_intercept_d"]] == 1).all(axis=None)
    assert (tmp_path / "slopes-1.csv").read_bytes() == (tmp_path / "slopes-2.csv").read_bytes()


def test_a_kind_that_is_not_watched_has_the_heading_of_slopes_alone(tmp_path):
    plan = replace(LONG, monitor=Monitor(mode="none"))
    run_checkpoint(Level(), DATA, plan, None, *files(tmp_path, 0), out_slopes=tmp_path / "slopes.csv")
    table = pd.read_csv(tmp_path / "slopes.csv")
    assert len(table) == 0 and list(table.columns[:4]) == ["point", "step", "e0", "slope_g"]


def test_while_it_trains_the_tables_so_far_lie_beside_the_log_and_nothing_depends_on_them(tmp_path):
    log, seen, plan = tmp_path / "logs" / "train-0.log", [], trained(LONG, checkpoints=1)
    log.parent.mkdir()

    def looks(rng):
        tables = [log.with_name(f"train-0-{name}.csv") for name in ("losses", "slopes")]
        seen.append([len(pd.read_csv(path)) if path.exists() else None for path in tables])
        return draw(rng)

    shown, silent = files(tmp_path, 0), files(tmp_path / "logs", 1)
    run_checkpoint(Level(), replace(DATA, draw=looks), plan, None, *shown, log=log)
    run_checkpoint(Level(), DATA, plan, None, *silent)
    assert seen[0] == [None, None] and seen[12] == [11, 1] and seen[61] == [61, 2]
    assert [path.read_bytes() for path in shown] == [path.read_bytes() for path in silent]
    run_checkpoint(Level(), DATA, plan, None, *silent, log=tmp_path / "nowhere" / "is" / "a.log")
    (tmp_path / "taken").write_text("a file where a folder should be")
    run_checkpoint(Level(), DATA, plan, None, *silent, log=tmp_path / "taken" / "a.log")


def test_a_run_with_report_goes_on_to_its_end(tmp_path):
    train(tmp_path, replace(LONG, monitor=Monitor(mode="report")), Level())
    verdict = read_verdict(tmp_path / "state-2.json")
    assert (verdict.step, verdict.stopped, verdict.stop_step, verdict.verdict) == (120, False, 71, "stable")


def test_a_short_run_is_never_stopped(tmp_path):
    train(tmp_path, trained(LONG, steps=99), Level())
    verdict = read_verdict(tmp_path / "state-2.json")
    assert (verdict.step, verdict.stopped, verdict.stop_step) == (99, False, None)
    assert "too short to judge" in verdict.verdict


def test_the_monitor_stops_bce_losses_and_reports_on_the_rest():
    kind = Toy()
    modes = {}
    for family in ("bce", "wasserstein", "hinge", "lsgan"):
        kind.loss_family = family
        modes[family] = watch_mode(kind, "auto")
    assert modes == {"bce": "stop", "wasserstein": "report", "hinge": "report", "lsgan": "report"}
    assert watch_mode(kind, "stop") == "stop"
    kind.monitored = None
    assert watch_mode(kind, "stop") == "none"


def test_handing_on_is_decided_without_torch(tmp_path):
    train(tmp_path, LONG, Level())
    code = (
        "import sys; from pathlib import Path; from lungsynth.train.checkpoints import hand_on\n"
        f"f = Path({str(tmp_path)!r})\n"
        "assert hand_on(f/'state-0.pt', f/'x.pt', f/'x.json', f/'x.csv') is None\n"
        "assert hand_on(f/'state-1.pt', f/'x.pt', f/'x.json', f/'x.csv').stopped\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "x.pt").read_bytes() == (tmp_path / "state-1.pt").read_bytes()


def test_a_damaged_verdict_is_one_clear_line(tmp_path):
    (tmp_path / "state-0.json").write_text(json.dumps({"stopped": True}))
    with pytest.raises(TrainingError, match="no verdict"):
        hand_on(tmp_path / "state-0.pt", *files(tmp_path, 1))


def test_progress_ends_with_a_line_that_sums_up(tmp_path):
    text = io.StringIO()
    train(tmp_path, progress=text)
    last = text.getvalue().strip().splitlines()[-1]
    assert last.startswith("toy: step 12 of 12, loss_first ")
    assert last.endswith("monitor: not watched")


def test_a_run_may_start_from_another_s_weights(tmp_path):
    train(tmp_path)
    start, folder = tmp_path / "state-3.pt", tmp_path / "next"
    folder.mkdir()
    plan = trained(replace(PLAN, name="next", start=start), steps=1, checkpoints=1)
    kind = Toy()
    kind.rate = lambda step, steps: 0.0  # so that the weights after a step are those at the start
    run_checkpoint(kind, DATA, plan, None, *files(folder, 0))
    before, after = load(Toy(), start), load(Toy(), folder / "state-0.pt", ema=False)
    assert torch.equal(after["first"][0].weight, before["first"][0].weight)
    assert not torch.equal(load(Toy(), start, ema=False)["first"][0].weight, before["first"][0].weight)


@pytest.mark.parametrize(
    "size, named", [(5, "does not fit the network 'first'"), (4, "holds other, and this run trains")]
)
def test_weights_of_another_size_or_network_are_refused_before_any_step(tmp_path, size, named):
    train(tmp_path)
    start = tmp_path / "state-3.pt"
    if size == 4:
        state = torch.load(start, weights_only=True)
        torch.save({**state, "modules": {"other": state["modules"]["first"]}, "averages": {}}, start)
    data = replace(DATA, shape=Shape(1, size))
    with pytest.raises(TrainingError, match=named) as caught:
        run_checkpoint(Toy(), data, replace(PLAN, start=start), None, *files(tmp_path, 9))
    assert "state-3.pt" in str(caught.value) and "\n" not in str(caught.value)
    assert not files(tmp_path, 9)[0].exists()


def test_without_an_average_the_last_weights_are_used(tmp_path):
    train(tmp_path, trained(PLAN, ema=0))
    state = torch.load(tmp_path / "state-3.pt", weights_only=True)
    assert state["averages"] == {}
    weight = load(Toy(), tmp_path / "state-3.pt")["first"][0].weight
    assert torch.equal(weight, state["modules"]["first"]["0.weight"])


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_whoever_draws_them(workers):
    wanted = {5: 2, 6: 2, 7: 3, 8: 0, 9: 2}

    def draw(step, number):
        return torch.full((2,), 10 * step + number), {"who": torch.tensor(os.getpid())}

    batches, drawn, who = Ahead(draw, 10, workers), {}, set()
    before = torch.get_rng_state()
    for step, many in wanted.items():
        taken = list(itertools.islice(batches.of(step), many))
        drawn[step] = [int(images[0]) for images, _ in taken]
        who.update(int(info["who"]) for _, info in taken)
    assert drawn == {step: [10 * step + number for number in range(many)] for step, many in wanted.items()}
    assert len(who) == 1 + workers and torch.equal(torch.get_rng_state(), before)
