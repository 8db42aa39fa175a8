"""Which attempt comes next: stored successes one by one, for one instruction after the other (spec row R3)."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.replay.settings import ReplaySettings
from ams_ros.types import SUCCESS, Guidance


@dataclass(frozen=True, slots=True)
class Attempt:
    """From the start pose until a job is done or nothing happens any more.

    number: from 0. instruction: what the policy is told. rank: of the success that guides it, 0 the nearest; None for
    an attempt from noise.
    """

    number: int
    instruction: str
    rank: int | None


class AttemptOrder:
    """Tells the next attempt from how those before it went.

    A task goes through its instructions, the whole task's first. With each, the successes stored for it are tried, the
    nearest first, and where there are fewer than `tries`, the rest is from noise. An attempt that brings a job begins
    this anew with the instruction that brought it: what guided it may do so again, and there is one success more. When
    every instruction came to nothing since, all is exhausted.

    Since the last success at most `tries` attempts are made with each instruction, `unguided` of them from noise, and
    no success guides two of them. Where jobs are known to be left, that is gone through again and again, until `tries`
    attempts in a row have moved nothing at all.
    """

    def __init__(
        self, settings: ReplaySettings, instructions: tuple[str, ...], *, guided: bool, persistent: bool = False
    ) -> None:
        """instructions: at least one, all different. guided: False for attempts from noise alone, `tries` of them.

        persistent: whether it is known that jobs are left.
        """
        self._settings, self._instructions, self._guided = settings, instructions, guided
        self._persistent = persistent
        self._number = -1
        self._at = 0
        self._known = False
        self._succeeded: list[int] = []
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._exhausted = self._idle = 0
        self._begin_instruction()

    def _begin_instruction(self) -> None:
        self._failed = self._from_noise = self._rank = 0
        self._stored = self._guided
        self._tried: set[str] = set()

    @property
    def longest(self) -> int:
        """Steps after which an attempt is cut off."""
        return self._settings.longest(self._succeeded)

    @property
    def exhausted(self) -> bool:
        """Whether there is no next attempt."""
        through = self._exhausted >= len(self._instructions)
        return through and (not self._persistent or self._idle >= self._settings.tries)

    def next(self) -> Attempt:
        """The next attempt; not to be called when exhausted, nor before it is told how the last one went."""
        if self.exhausted:
            raise RuntimeError("every instruction is exhausted")
        self._number += 1
        self._known = False
        return Attempt(self._number, self._instructions[self._at], self._rank if self._stored else None)

    def guidance(self, attempt: Attempt, index: int, episode: str) -> Guidance | None:
        """Of slice `index` of the attempt. episode: that guided slice 0, empty when none did."""
        settings = self._settings
        if attempt.rank is None or index >= settings.warm or (index and not episode):
            return None
        return Guidance(
            episode if index else SUCCESS,
            settings.start_time,
            settings.variant,
            settings.denoising,
            0 if index else attempt.rank,
        )

    def guided_by(self, episode: str) -> bool:
        """Slice 0 was guided by that episode, empty for none; returns whether the attempt is worth making.

        None means that there are no more successes: this attempt is from noise, as are all further ones. An episode
        that was tried before has come up in another place, as the situation changed; it is not tried again, and the
        attempt that comes to nothing by this counts as no try.
        """
        if not episode:
            self._stored = False
            return True
        self._known = episode in self._tried
        self._tried.add(episode)
        return not self._known

    def succeeded(self, steps: int) -> None:
        """The attempt brought a job within that many steps."""
        self._succeeded.append(steps)
        self._begin_anew()

    def failed(self, *, moved: bool) -> None:
        """The attempt came to nothing. moved: whether it ran any step."""
        if self._stored:
            self._rank += 1
        else:
            self._from_noise += 1
        if self._known:
            return
        self._idle = 0 if moved else self._idle + 1
        self._failed += 1
        most = self._settings.unguided if self._guided else self._settings.tries
        if self._failed >= self._settings.tries or self._from_noise >= most:
            self._exhausted += 1
            self._at = (self._at + 1) % len(self._instructions)
            self._begin_instruction()
