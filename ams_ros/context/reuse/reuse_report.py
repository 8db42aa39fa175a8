"""Telling what the pool did for one inference."""

from __future__ import annotations

from collections.abc import Sequence

from ams_ros.context.reuse.guarded_store import ABSENT, CONNECTED
from ams_ros.context.reuse.guidance_search import Guided
from ams_ros.context.reuse.pool_reader import Reusable
from ams_ros.context.reuse.stage_medians import StageMedians
from ams_ros.policy.protocol import Denoising
from ams_ros.policy.stage_timer import StageTimer
from ams_ros.types import ReuseReport


def reuse_report(
    *,
    state: str,
    found: Reusable,
    guided: Guided,
    denoising: Denoising,
    stages: StageTimer,
    medians: StageMedians,
    stored: bool,
    messages: Sequence[str],
) -> ReuseReport:
    """The report; a whole prefix that was found counts as every camera's features, too.

    seconds_saved is of encoding and prefix. That a guided denoising takes fewer steps is told by `steps`: it is no
    merit of the pool, a shorter denoising from noise saves the same.
    """
    reused, approximate = found.reused, tuple(each for each in found.reused if each in found.differences)
    keys = found.reused_keys
    lookup = stages.seconds("lookup")
    saved = 0.0
    if reused:
        saved += len(reused) * medians.median("encode")
    if found.prefix is not None:
        saved += medians.median("prefix") - stages.seconds("encode")
    word = "" if state in (CONNECTED, ABSENT) else state
    return ReuseReport(
        pool=CONNECTED if state == CONNECTED else ABSENT,
        message="; ".join(dict.fromkeys(each for each in (word, *messages) if each)),
        vision_exact=tuple(each for each in reused if each not in found.differences),
        vision_approximate=approximate,
        prefix="" if found.prefix is None else ("approximate" if approximate else "exact"),
        tiers=tuple(found.tiers[key] for key in keys),
        bytes_reused=sum(found.sizes[key] for key in keys),
        patch_difference=max((found.differences[each] for each in approximate), default=0.0),
        guided_by=guided.context_id,
        guided_episode=guided.episode,
        similarity=guided.similarity,
        start_time=float(denoising.times[0]),
        steps=len(denoising.times) - 1,
        lookup_seconds=lookup,
        seconds_saved=saved - lookup,
        stored=stored,
    )
