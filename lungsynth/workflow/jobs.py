"""What the scheduler leaves for its jobs; read at every parse, so it imports next to nothing."""

import os


def tell_jobs(repository: str) -> None:
    """Leave in the environment what steps need of the scheduler: where lungsynth lies, and the scheduler's own pid."""
    places = [repository, os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    os.environ["LUNGSYNTH_SCHEDULER"] = str(os.getpid())
