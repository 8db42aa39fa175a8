"""One policy working in one simulated scene after the other, in this process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ams_ros.benchmark.episode_source import EpisodeSource, WorkClock
from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.local_slice_source import Infers, nothing
from ams_ros.benchmark.report import Episode, Times
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.scorer import Scorer
from ams_ros.benchmark.troubles import Troublemaker, draw_troubles
from ams_ros.benchmark.workplace import Workplace
from ams_ros.errors import PoolError
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.policy.protocol import Policy
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop, parse_mode
from ams_ros.types import SUCCESS, Guidance, TaskEvent, TaskRequest, TaskResult

EPISODE_BYTES = 48 * 2**20
"""Memory of the pool of one episode: some 400 contexts of the shipped policy, more than a step budget of 1500 and a
library make."""

GUIDED_SLICES, START_TIME = 2, 0.5
"""What modes guide by a success that do not replay: as many slices, from the same time on, as action replay does."""


_SETTLING = 1.0
"""s between the end of a task and the last look at the scene."""


class Rollout:
    """Runs and scores episodes of one task with one policy."""

    def __init__(
        self,
        request: EvaluationRequest,
        policy: Policy | None = None,
        reuse: LocalReuse | None = None,
        *,
        library: Sequence[Path] = (),
        workplace: Workplace | None = None,
        on_event: Callable[[TaskEvent], None] | None = None,
    ) -> None:
        """Load the request's policy and build its robot's workplace unless they are given.

        reuse: in modes with a pool, one that all episodes share. Without one each episode begins with a pool of its
        own that holds the contexts of the files of `library`, so that an episode stays a function of policy, library,
        task and seed. on_event: told of every line of the timeline too.
        """
        self._request, self._task, self._mode = request, find_task(request.task), parse_mode(request.mode)
        self.workplace = workplace or Workplace(request.robot, request.task)
        self._policy = policy or load_policy(request.policy)
        self._reuse, self._library, self._on_event = reuse, tuple(library), on_event
        self._rest = RestThresholds(slices=request.cap) if request.until_cap else RestThresholds()

    def run(self, seed: int, scene: SceneLayout | None = None) -> Episode:
        """Run the scene of that seed to its end; the simulator's truth scores it and steers nothing.

        scene: another one, with as many objects. Raises TruthLeak when anything but the scorer asks for that truth.
        """
        if not self._mode.pooled:
            return self._run(seed, scene, SliceInference(self._policy, self._request.variation.steps or None), None)
        if self._reuse is not None:
            return self._run(seed, scene, self._reuse.inference, self._reuse)
        with LocalReuse(self._policy, host_bytes=EPISODE_BYTES, robot=self._request.robot) as reuse:
            for file in self._library:
                imported = reuse.pool.import_file(file)
                if imported.skipped:
                    raise PoolError(f"{file}: {'; '.join(imported.skipped)}")
            return self._run(seed, scene, reuse.inference, reuse)

    def _run(self, seed: int, scene: SceneLayout | None, inference: Infers, reuse: LocalReuse | None) -> Episode:
        request, place = self._request, self.workplace
        began = time.perf_counter()
        body = place.body(acts=self._mode.guarded and not request.variation.blind)
        body.robot.reset(self._task.sample(seed, request.objects) if scene is None else scene)
        troubles = draw_troubles(request.faults, seed, place.profile, request.cap * self._policy.description.period)
        source = EpisodeSource(
            inference,
            body.robot,
            Troublemaker(body.robot, troubles, self._policy.description.period * self._policy.description.execute),
            nothing if reuse is None else reuse.drain,
        )
        stop = StopRequest()
        scorer = Scorer(request, place.plant, stop, ends=request.until_cap and not self._mode.replayed)
        loop = TaskLoop(
            source,
            body.robot,
            WorkClock(place.plant, source),
            self._rest,
            scorer.status,
            recovery=body.recovery,
            replay=place.replay(body, request.task, None if reuse is None else reuse.jobs, request.variation),
            on_event=partial(self._tell, scorer),
        )
        result = loop.run(self._task_request(seed), stop)
        # What was let go of just now is still falling, and is nowhere yet.
        body.robot.advance(_SETTLING)
        times = Times(result.seconds, tuple(scorer.job_times), dict(source.stages), time.perf_counter() - began)
        return self._scored(seed, result, scorer, times)

    def _tell(self, scorer: Scorer, event: TaskEvent) -> None:
        scorer.event(event)
        if self._on_event is not None:
            self._on_event(event)

    def _task_request(self, seed: int) -> TaskRequest:
        request, mode = self._request, self._mode
        guides = mode.pooled and not mode.replayed and bool(self._library)
        return TaskRequest(
            instruction=self._task.instruction,
            mode=mode,
            step_budget=request.cap,
            seed=seed,
            episode=f"seed-{seed}-{uuid.uuid4().hex[:12]}" if mode.pooled else "",
            guidance=Guidance(SUCCESS, START_TIME) if guides else None,
            guided_slices=GUIDED_SLICES if guides else 0,
            task=request.task,
            jobs=request.objects if request.tell_jobs else 0,
        )

    def _scored(self, seed: int, result: TaskResult, scorer: Scorer, times: Times) -> Episode:
        placed = scorer.placed()
        success = placed == self._request.objects
        # A cube may still be falling when the task ends, and be in place only when it is scored a second later.
        in_place = scorer.first_success if scorer.first_success is not None else result.steps
        return Episode(
            seed=seed,
            success=success,
            placed=placed,
            steps=result.steps,
            steps_to_success=in_place if success else None,
            inferences=result.inferences,
            outcome=result.outcome.value,
            message=result.message,
            jobs=len(result.job_steps),
            job_steps=result.job_steps,
            placed_steps=scorer.placed_steps(result.steps),
            replays=result.replays,
            attempts=scorer.attempts,
            exceptions=result.exceptions,
            signals=scorer.signals,
            times=times,
        )
