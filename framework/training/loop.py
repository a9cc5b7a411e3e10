"""The training loop: act, store, learn. It contains no algorithm: it only calls the parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Protocol

import numpy as np

from framework.assembly.parts import Parts
from framework.errors import NonFiniteLoss
from framework.events import Callback, Episode, EvaluationResult
from framework.options import RecordOptions, RunOptions
from framework.training.ends import reached_end
from framework.training.episode_info import InfoMetrics
from framework.training.evaluations import Aside, Evaluations, Stopped
from framework.types import Batch, State, Step, TDErrors

Listener = tuple[Callback, Callable[..., None]]
"""A callback and its method for one event."""


class Saver(Protocol):
    """Writes checkpoints. The loop calls it when no step, update or evaluation is running."""

    def after_step(self, loop: Loop) -> None: ...

    def at_the_end(self, loop: Loop) -> None:
        """Called once, before `on_end` of the callbacks, if the run ended without an exception."""
        ...


class Loop:
    """Runs assembled parts until an end is reached. `counters` and `evaluations.last` show the progress."""

    def __init__(
        self,
        parts: Parts,
        callbacks: Sequence[Callback] = (),
        saver: Saver | None = None,
        dispensable: Callable[[Callback, Exception], bool] = lambda callback, error: False,
        aside: Aside | None = None,
    ) -> None:
        """
        Args:
            parts: what the loop runs.
            callbacks: listeners, called in this order.
            saver: writes checkpoints.
            dispensable: called when a callback raises: says so and returns True if the run continues without it.
            aside: plays evaluations while training goes on, as evaluation.lag says; None: training waits for them.
        """
        self.parts = parts
        self._dispensable = dispensable
        self.counters = parts.counters
        self.evaluations = Evaluations(parts, self._tell_all, self._waiting, aside)
        self._played = 0
        self.running = False
        """True while the loop makes steps, updates and evaluations; false during a checkpoint and at the end."""
        self._stopping = self._abandoning = False
        self._returns = np.zeros(parts.spaces.num_envs)
        self._lengths = np.zeros(parts.spaces.num_envs, np.int64)
        self._info = InfoMetrics(parts.config[RecordOptions].info, parts.spaces.num_envs)
        self.callbacks = callbacks
        self._left_out: list[Callback] = []
        self._saver = saver
        self._on_step = _listeners(callbacks, "on_step")
        self._on_update = _listeners(callbacks, "on_update")
        self._on_episode = _listeners(callbacks, "on_episode")

    def run(self) -> None:
        """Train until one of the ends of the run is reached: run.steps, run.episodes, run.until or run.patience.

        Every callback's `on_end` is called, in order, even if the run or another callback raises an exception.
        """
        parts, counters = self.parts, self.counters
        overlap = parts.cadence.overlap
        with ExitStack() as ends:
            for callback in reversed(self.callbacks):
                ends.callback(self._end, callback)
            self._tell_all("on_start", counters)
            self.running = True
            ends.callback(self._rest)  # runs before the callbacks' on_end
            self.evaluations.resume()
            self.evaluations.after_step()  # a resumed run was stopped during an evaluation that training waited for
            while not self.finished:
                if not overlap:
                    self._learn()
                parts.collector.begin(counters)
                if overlap:
                    self._learn()
                step = parts.collector.finish()
                parts.buffer.add(step)
                counters.advance(step)
                parts.target_sync.tick(counters)
                self._report(step)
                self.evaluations.after_step()
                if self._saver is not None:
                    self._keep(self._saver.after_step)
            if not overlap and not self.evaluations.is_due:
                self._learn()
            if self._saver is not None:
                self._keep(self._saver.at_the_end)
            if not self._abandoning:
                self.evaluations.conclude()  # after the checkpoint: a run that continues concludes it at its own time

    def _keep(self, save: Callable[[Loop], None]) -> None:
        """Save with `running` false: the watchdog sets no time limit for a checkpoint."""
        self.running = False
        save(self)
        self.running = True

    def _rest(self) -> None:
        self.running = False

    def stop(self, *, abandon: bool = True) -> None:
        """End the run after the current step.

        Args:
            abandon: also an evaluation ends after its current step, and does not count; else it is played to its end.
        """
        self._stopping, self._abandoning = True, self._abandoning or abandon

    @property
    def complaints(self) -> list[str]:
        """One message for each key of record.info that no episode had; none before the first episode has ended."""
        return self._info.complaints(sorted(self.parts.stream.infos.keys)) if self.counters.episodes else []

    @property
    def pulse(self) -> tuple[int, int, int]:
        """A value that changes with every step, every update and every step of an evaluation."""
        return self.counters.env_steps, self.counters.updates, self._played

    def state_dict(self) -> State:
        """The loop's own state: unfinished episodes and evaluations. The parts have states of their own."""
        return {
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "info": self._info.state_dict(),
            **self.evaluations.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Load what `state_dict` returned."""
        self._returns[:] = state["returns"]
        self._lengths[:] = state["lengths"]
        self._info.load_state_dict(state["info"])
        self.evaluations.load_state_dict(state)

    def forget_running_episodes(self, env_ids: Any = slice(None)) -> None:
        """Count the returns and lengths of the next episodes from 0, in all environments or in these."""
        self._returns[env_ids], self._lengths[env_ids] = 0.0, 0
        self._info.forget(env_ids)

    def _learn(self) -> None:
        """Make the updates that are due. If the buffer has nothing to sample yet, they stay due."""
        parts, counters = self.parts, self.counters
        due = parts.cadence.due(counters)
        while counters.updates < due and len(parts.buffer):
            batch = parts.buffer.sample(parts.cadence.batch_size, counters)
            errors = parts.loss(batch, counters)
            if not np.isfinite(errors.loss).all():
                raise _non_finite(batch, errors)
            parts.optimizer.apply(batch, errors)
            parts.buffer.reprioritize(batch.ids, errors.priority)
            counters.updates += 1
            parts.target_sync.tick(counters)
            if self._on_update:
                self._call(self._on_update, batch, errors, counters)

    def _report(self, step: Step) -> None:
        if self._on_step:
            self._call(self._on_step, step, self.counters)
        if step.lost is not None:
            self.forget_running_episodes(step.env_id[step.lost])
        self._returns[step.env_id] += step.raw_reward
        self._lengths[step.env_id] += 1
        if self._info.names:
            self._info.add(step)
        if step.over.any():
            number = self.counters.episodes - int(step.over.sum())
            for row in np.flatnonzero(step.over).tolist():
                number += 1
                env_id, info = int(step.env_id[row]), self._info.end(step, row)
                episode = Episode(number, env_id, float(self._returns[env_id]), int(self._lengths[env_id]), info)
                self._returns[env_id], self._lengths[env_id] = 0.0, 0
                self._call(self._on_episode, episode, self.counters)

    @property
    def last_evaluation(self) -> EvaluationResult | None:
        """The result of the last evaluation, or of its confirmation."""
        return self.evaluations.last

    def _tell_all(self, event: str, *arguments: Any) -> None:
        self._tell(self.callbacks, event, *arguments)

    def _tell(self, callbacks: Sequence[Callback], event: str, *arguments: Any) -> None:
        self._call([(one, getattr(one, event)) for one in callbacks if not self._is_left_out(one)], *arguments)

    def _call(self, listeners: Sequence[Listener], *arguments: Any) -> None:
        """Call callbacks. One that raises is called no more if the run can do without it."""
        for callback, listen in tuple(listeners):
            try:
                listen(*arguments)
            except Exception as error:
                if not self._dispensable(callback, error):
                    raise
                self._leave_out(callback)

    def _is_left_out(self, callback: Callback) -> bool:
        return any(callback is other for other in self._left_out)  # equal callbacks are not the same one

    def _leave_out(self, callback: Callback) -> None:
        """Call the callback no more. It stays among `callbacks`, so that checkpoints hold its state as before."""
        self._left_out.append(callback)
        for listeners in (self._on_step, self._on_update, self._on_episode):
            listeners[:] = [listener for listener in listeners if listener[0] is not callback]

    def _end(self, callback: Callback) -> None:
        """Call `on_end`, also of a callback that was left out: it may have files open. Its errors are ignored."""
        if self._is_left_out(callback):
            with suppress(Exception):
                callback.on_end(self.counters)
        else:
            self._tell([callback], "on_end", self.counters)

    def _waiting(self, finished: int | None) -> None:
        """Called while training waits for an evaluation, with None if nothing has happened there."""
        if finished is not None:
            self._played += 1
        if self._abandoning:
            raise Stopped

    @property
    def finished(self) -> bool:
        """Whether the run has reached one of its ends or was stopped."""
        return self._stopping or bool(self.reason)

    @property
    def reason(self) -> str:
        """The end that the run has reached, in words; empty if it has reached none."""
        return reached_end(
            self.parts.config[RunOptions], self.counters, self.last_evaluation, self.evaluations.patience
        )


def _non_finite(batch: Batch, errors: TDErrors) -> NonFiniteLoss:
    bad = ~np.isfinite(errors.loss)
    ids = batch.ids[bad].tolist()
    return NonFiniteLoss(
        f"the loss of {len(ids)} of {len(bad)} transitions is NaN or infinite (ids {ids[:5]}). The weights are those "
        "of the last good update. The usual cause is a NaN reward or observation, or a learning rate that is too high",
        ids,
        {
            **{name: getattr(batch, name) for name in ("ids", "obs", "action", "reward", "discount", "weights")},
            "next_obs": batch.next_obs,
            "loss": errors.loss,
            "priority": errors.priority,
        },
    )


def _listeners(callbacks: Sequence[Callback], event: str) -> list[Listener]:
    """The callbacks that override this event, with their methods."""
    return [
        (callback, getattr(callback, event))
        for callback in callbacks
        if getattr(type(callback), event) is not getattr(Callback, event)
    ]
