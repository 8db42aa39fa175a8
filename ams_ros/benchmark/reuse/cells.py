"""The rows of `ams bench reuse`: each a way to infer, tried on the same scenes with the same noise."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.types import SIMILAR, GuidanceVariant

GUIDED_SLICES = 2
"""How many slices at the start of a task are started warm (facts of the paper's kind of replay: one or two suffice)."""

EVERY_SLICE = 2**31 - 1

EPISODE = "episode"
"""Guidance reference: the context of the same index in one episode that succeeded, another one for every seed."""

THRESHOLDS = (0.02, 0.05, 0.1, 0.3)
START_TIMES = (0.2, 0.35, 0.5, 0.8)
VARIANTS_AT = 0.5


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Start denoising from a context of an earlier success.

    reference: SIMILAR or EPISODE. start_time: 0 < t <= 1.
    """

    reference: str
    start_time: float
    variant: GuidanceVariant = GuidanceVariant.LATENT


@dataclass(frozen=True, slots=True)
class Cell:
    """One way to infer.

    pool: whether the pool is asked and filled. threshold: largest patch difference that passes as the same picture;
        0 is exact reuse.
    warm: what the first `slices` slices start from; None is noise.
    steps: denoising steps of the first `slices` slices, without any reuse; 0 is the policy's own number.
    """

    name: str
    pool: bool = False
    threshold: float = 0.0
    warm: WarmStart | None = None
    steps: int = 0
    slices: int = 0


DIRECT = Cell("direct")
EXACT = Cell("exact reuse", pool=True)


def cells(denoising_steps: int, quick: bool) -> tuple[Cell, ...]:
    """Every row, or with `quick` one of each kind; a policy of `denoising_steps` steps."""
    thresholds, times = ((0.1,), (VARIANTS_AT,)) if quick else (THRESHOLDS, START_TIMES)
    approximate = [Cell(f"approximate reuse, {value:g}", pool=True, threshold=value) for value in thresholds]
    similar = [_warm(WarmStart(SIMILAR, time)) for time in times]
    fewer = [_fewer(steps_from(time, denoising_steps), GUIDED_SLICES) for time in times]
    if quick:
        return (DIRECT, EXACT, *approximate, *similar, *fewer)
    variants = [
        _warm(WarmStart(SIMILAR, VARIANTS_AT, GuidanceVariant.RENOISED)),
        _warm(WarmStart(SIMILAR, 1.0, GuidanceVariant.NOISE)),
    ]
    episode = [_warm(WarmStart(EPISODE, time)) for time in (VARIANTS_AT, START_TIMES[-1])]
    throughout = [
        _warm(WarmStart(SIMILAR, VARIANTS_AT), EVERY_SLICE),
        *(_fewer(steps, EVERY_SLICE) for steps in (steps_from(VARIANTS_AT, denoising_steps), 1)),
    ]
    return (DIRECT, EXACT, *approximate, *similar, *variants, *episode, *fewer, *throughout)


def steps_from(start_time: float, denoising_steps: int) -> int:
    """How many steps a policy takes from that flow time when it is not told otherwise."""
    return max(1, round(denoising_steps * start_time))


def _warm(warm: WarmStart, slices: int = GUIDED_SLICES) -> Cell:
    what = {
        GuidanceVariant.LATENT: f"latent, t0 {warm.start_time:g}",
        GuidanceVariant.RENOISED: f"renoised, t0 {warm.start_time:g}",
        GuidanceVariant.NOISE: "noise",
    }[warm.variant]
    return Cell(f"warm start, {warm.reference}, {what}{_reach(slices)}", pool=True, warm=warm, slices=slices)


def _fewer(steps: int, slices: int) -> Cell:
    return Cell(f"control: {steps} steps from noise{_reach(slices)}", steps=steps, slices=slices)


def _reach(slices: int) -> str:
    return ", every slice" if slices == EVERY_SLICE else ""
