"""What the scheduler leaves for its jobs; read at every parse, so it imports next to nothing."""

import os


def tell_jobs(repository: str) -> None:
    """Leave in the environment what steps need of the scheduler: where lungsynth lies, and the scheduler's own pid.

    And how threads wait for each other: asleep. By default they spin, and where another process wants the core a
    training with two threads takes many times as long; the user's own OMP_WAIT_POLICY stands.
    """
    places = [repository, os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    os.environ["LUNGSYNTH_SCHEDULER"] = str(os.getpid())
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
