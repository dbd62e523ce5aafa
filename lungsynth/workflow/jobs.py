"""What the scheduler leaves for its jobs; read at every parse, so it imports next to nothing."""

import getpass
import glob
import os

from lungsynth.study.errors import WriteError


def tell_jobs(repository: str) -> None:
    """Leave in the environment what steps need of the scheduler: where lungsynth lies, the scheduler's pid, a name.

    Raises:
        WriteError: results cannot be written where one stands.
    """
    if not os.access(os.curdir, os.W_OK):
        there = f'"{repository}/Snakefile"'
        raise WriteError(
            f"{os.getcwd()}: cannot be written, and results go where one stands; "
            f"run from a folder of yours: snakemake --snakefile {there} ..."
        )
    places = [repository, os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    os.environ["LUNGSYNTH_SCHEDULER"] = str(os.getpid())
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a container's user need not be in its list; Snakemake and torch ask for the name
        os.environ["LOGNAME"] = f"user{os.getuid()}"


def gpus_asked(device: str) -> int:
    """GPUs that a job with a network asks for: one where the study says cuda, or leaves it open and one is here.

    A machine that submits to a cluster often has none while its nodes do: there the study says `device: cuda`.
    """
    here = bool(glob.glob("/dev/nvidia[0-9]*")) and os.environ.get("CUDA_VISIBLE_DEVICES", "all") not in ("", "-1")
    return 1 if device == "cuda" or (device == "auto" and here) else 0
