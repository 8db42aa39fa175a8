"""What an action context takes (paper, Table 1), measured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import fmean

from ams_ros.benchmark.library import LIBRARY_SEEDS
from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.finding import Figure, Finding, Reports
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.rollout import EPISODE_BYTES, Rollout
from ams_ros.context.records import VectorKind
from ams_ros.errors import PoolError
from ams_ros.policy.pi0 import load_policy
from ams_ros.types import Mode

_JOBS, _QUICK_JOBS = 10, 2
_PAGE = 1000

_USE = {
    VectorKind.VISION: "low",
    VectorKind.PREFIX: "medium",
    VectorKind.LATENTS: "high",
    VectorKind.TIMES: "high",
    VectorKind.OUTPUT: "high",
    VectorKind.JOINTS: "high",
    VectorKind.GRIPPER: "high",
}
"""As the paper's Table 1 says of its items."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One job's contexts.

    kinds: mean bytes of a context by kind of vector. logical: bytes of all. stored: with equal parts kept once.
    """

    contexts: int
    kinds: dict[str, float]
    logical: int
    stored: int


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """It runs its own."""
    return ()


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """A row for each kind of vector, and the whole."""
    if "cubes" not in request.policies:
        return None
    jobs = measure(request.policies["cubes"], _QUICK_JOBS if request.quick else _JOBS)
    kinds = {kind: fmean(job.kinds.get(kind, 0.0) for job in jobs) for kind in jobs[0].kinds}
    rows = [(kind, f"{value:,.0f}", _USE[VectorKind(kind)]) for kind, value in kinds.items()]
    rows.append(("a context", f"{sum(kinds.values()):,.0f}", ""))
    rows.append((f"a job of {fmean(job.contexts for job in jobs):.0f} contexts", f"{_mean(jobs, 'logical'):,.0f}", ""))
    rows.append(("the same, equal parts kept once", f"{_mean(jobs, 'stored'):,.0f}", ""))
    return Finding(
        name="storage",
        title="What a context takes",
        text=(
            f"Means over {len(jobs)} jobs of one cube; the use is what the paper says of it. The paper "
            " has 63 MB of vision features, 165 MB of prefix and 165 MB of noise for pi0.",
        ),
        columns=("", "bytes", "use"),
        rows=tuple(rows),
        figures={"jobs": [asdict(job) for job in jobs]},
    )


def measure(checkpoint: str, jobs: int) -> tuple[Stored, ...]:
    """What so many jobs of one cube leave behind, each in a pool of its own. Raises PoolError when one had no room."""
    policy, found = load_policy(checkpoint), []
    alone = EvaluationRequest("cubes", Mode.AMS.value, 1, 1, 0, checkpoint, cap=300, library=0, tell_jobs=True)
    rollout = Rollout(alone, policy)
    for seed in LIBRARY_SEEDS[:jobs]:
        with LocalReuse(policy, host_bytes=EPISODE_BYTES) as reuse:
            Rollout(alone, policy, reuse, workplace=rollout.workplace).run(seed)
            reuse.drain()
            found.append(_stored(reuse))
    rollout.workplace.close()
    return tuple(found)


def _stored(reuse: LocalReuse) -> Stored:
    stats = reuse.pool.stats()
    if stats.evictions + stats.drops + stats.refused:
        raise PoolError("contexts found no room: free shared memory in /dev/shm and measure again")
    kinds: dict[str, int] = defaultdict(int)
    listed = reuse.pool.listing("", None, 0, _PAGE, vectors=True).contexts
    for context in listed:
        for place in context.places:
            kinds[place.kind.value] += place.nbytes
    means = {kind: nbytes / len(listed) for kind, nbytes in kinds.items()}
    return Stored(len(listed), means, stats.logical_bytes, stats.stored_bytes)


def _mean(jobs: tuple[Stored, ...], key: str) -> float:
    return fmean(getattr(job, key) for job in jobs)


FIGURE = Figure("storage", "Table 1", cells, make)
