"""The learner's end: asks actors for fragments, publishes weights, hands over the steps, and replaces lost actors."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import ray

from framework.assembly.recipe import Recipe
from framework.seeding import Seeds
from framework.spaces import leaves_of
from framework.types import Counters, Policy, Spaces, State, Step
from plugins.ray_collect.actor import Collected, CollectingActor, Weights, learner_of
from plugins.ray_collect.fragments import Unpacker, joined, most_bytes
from plugins.ray_collect.member import Member, Request
from plugins.ray_collect.options import RayCollectOptions
from plugins.remote import START_SECONDS, Failure, RemoteError

MOST_REQUESTS = 2
"""Requests of an actor that are under way, or whose fragment the learner has not used up."""

POLL_SECONDS = 0.002
"""The time between two looks for fragments while there are steps to hand over."""

WAIT_SECONDS = 0.5
"""The time between two looks at actors that may hang, while there is nothing to hand over."""

LONGEST_LOOK = 1.0
"""The most seconds between two looks that count as silence of an actor."""

RECENT = 100
"""The fragments over which staleness is measured."""


class ActorCollector:
    """Collects from actors. `finish` returns a step of each actor that has one.

    The learner waits where no actor has one, and actors wait where the learner has not used their fragments. So the
    number of updates for each step is what the cadence says, whichever side is slower.
    """

    def __init__(
        self,
        recipe: Recipe,
        shares: Sequence[int],
        options: RayCollectOptions,
        spaces: Spaces,
        policy: Policy,
        seeds: Seeds,
        prioritised: bool,
        infos: int,
    ) -> None:
        """
        Args:
            recipe: of the actors.
            shares: the number of environments of each actor.
            options: the section ray_collect.
            spaces: of the run.
            policy: of the learner.
            seeds: of the run.
            prioritised: whether actors compute the priorities of new transitions.
            infos: how many numbers of the environments' info a row may have.
        """
        self._infos = infos
        self._recipe, self._options, self._spaces = recipe, options, spaces
        self._policy, self._seeds, self._prioritised = learner_of(policy), seeds, prioritised
        self._class = ray.remote(num_cpus=options.cores, scheduling_strategy="SPREAD")(CollectingActor)
        offsets = np.cumsum([0, *shares[:-1]]).tolist()
        self._members = [
            Member(number, share, Unpacker(offset, share))
            for number, (share, offset) in enumerate(zip(shares, offsets, strict=True))
        ]
        self._epoch = 0
        self._started = False
        self._counters = Counters()
        self._version, self._published = -1, 0
        self._weights: Any = None
        self._polled = 0.0
        self._staleness: deque[int] = deque(maxlen=RECENT)
        self._counts = dict.fromkeys(("fragments", "stale_fragments", "lost_actors", "lost_episodes"), 0)

    def begin(self, counters: Counters) -> None:
        """Publish the weights if they are due, and ask the actors for more."""
        self._counters = counters
        if not self._started:
            self._started = True
            for member in self._members:
                self._start(member)
        if self._weights is None or counters.updates - self._published >= self._options.publish:
            self._publish(counters)
        for member in self._members:
            self._ask(member)

    def finish(self) -> Step:
        """Wait for a step of at least one actor.

        Raises:
            RemoteError: if code in an actor raised an error, or no actor is left.
            UsageError: if an environment or a plugin in an actor refuses something.
        """
        if time.monotonic() - self._polled > POLL_SECONDS:
            self._receive(0.0)
        while True:
            steps = [step for member in self._members if (step := member.next_step()) is not None]
            if steps:
                step = joined(steps)
                if step.lost is not None:
                    self._counts["lost_episodes"] += int(step.lost.sum())
                return step
            if all(member.actor is None for member in self._members):
                raise RemoteError(
                    f"all {len(self._members)} actors were lost more than ray_collect.restarts = "
                    f"{self._options.restarts} times"
                )
            if self._counters.updates > self._published:
                self._publish(self._counters)  # else an actor might wait for newer weights, and the learner for it
            for member in self._members:
                self._ask(member)
            self._receive(WAIT_SECONDS)

    def measures(self) -> Mapping[str, float]:
        """Staleness in updates over the last fragments, counts since this process began, and what is there now."""
        recent = self._staleness or [0]
        return {
            "staleness_mean": float(np.mean(recent)),
            "staleness_max": float(max(recent)),
            **{name: float(count) for name, count in self._counts.items()},
            "actors": float(sum(member.actor is not None for member in self._members)),
            "versions": float(self._version + 1),
            "waiting": float(sum(member.load - len(member.requests) for member in self._members)),
        }

    def manifest(self) -> Mapping[str, Any]:
        """How the run is collected, and the most bytes that fragments and weights take at once."""
        leaves = leaves_of(self._spaces.frame).values()
        frame = sum(int(np.prod(leaf.shape or ())) * np.dtype(leaf.dtype).itemsize for leaf in leaves)
        shares = [member.num_envs for member in self._members]
        most = [most_bytes(self._options.fragment, share, frame, self._infos) for share in shares]
        fragments = MOST_REQUESTS * sum(most)
        return {
            "environments": shares,
            "initial_priorities": self._prioritised,
            "requests_at_most": MOST_REQUESTS * len(shares),
            "fragment_bytes_at_most": fragments,
            # each request under way may hold another version, and there is the newest
            "weight_bytes_at_most": (MOST_REQUESTS * len(shares) + 1) * _bytes(self._policy.state_dict()),
        }

    def state_dict(self) -> State:
        """Which episodes are under way. A run that continues begins new ones in their place."""
        return {
            "epoch": self._epoch,
            "running": np.concatenate([member.unpacker.running for member in self._members]),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue after the steps that the learner had."""
        self._epoch = int(state["epoch"])
        begin = 0
        for member in self._members:
            member.unpacker.running[:] = state["running"][begin : begin + member.num_envs]
            member.cut = True
            begin += member.num_envs

    def close(self) -> None:
        """End the actors."""
        for member in self._members:
            if member.actor is not None and ray.is_initialized():
                ray.kill(member.actor)

    def _start(self, member: Member) -> None:
        """Start an actor. Its episodes are new ones."""
        # one that takes the place of a lost one needs no free core: the lost one's machine may be gone
        made = self._class.options(num_cpus=0) if member.losses else self._class
        member.actor = made.remote(self._recipe, member.number, len(self._members), member.num_envs, self._prioritised)
        member.fresh, member.silent = True, 0.0
        self._begin_episodes(member)

    def _begin_episodes(self, member: Member) -> None:
        member.epoch, self._epoch = self._epoch, self._epoch + 1

    def _publish(self, counters: Counters) -> None:
        """Put the weights into the object store, once for all actors."""
        self._version += 1
        self._published = counters.updates
        self._weights = ray.put(Weights(counters.state_dict(), self._policy.state_dict()))

    def _ask(self, member: Member) -> None:
        while member.actor is not None and member.load < MOST_REQUESTS:
            seed = self._seeds.integer("ray_collect", member.number, member.epoch)
            answer = member.actor.collect.remote(
                member.epoch, seed, self._options.fragment, self._version, [self._weights]
            )
            if not member.requests:
                member.silent = 0.0
            member.requests.append(Request(answer, member.epoch))

    def _receive(self, timeout: float) -> None:
        """Take the fragments that are there; wait for one at most this long. Then replace actors that hang."""
        oldest = {member.requests[0].answer: member for member in self._members if member.requests}
        if oldest:
            ready, _ = ray.wait(list(oldest), num_returns=1 if timeout else len(oldest), timeout=timeout)
            for answer in ready:
                self._take(oldest[answer])
        # while the learner did something else, such as an evaluation, it is not the actors that were silent
        looked = min(time.monotonic() - self._polled, LONGEST_LOOK)
        self._polled = time.monotonic()
        for member in self._members:
            if not member.requests:
                continue
            member.silent += looked
            limit = self._options.seconds + (START_SECONDS if member.fresh else 0.0)
            if member.silent > limit:
                # an answer may be there, on another machine
                ready, _ = ray.wait([member.requests[0].answer], timeout=0, fetch_local=False)
                if not ready:
                    self._lose(member, f"did not answer within {limit:g} seconds")

    def _take(self, member: Member) -> None:
        request = member.requests[0]
        try:
            found: Collected | Failure = ray.get(request.answer)
        except ray.exceptions.RayError as error:
            self._lose(member, f"has ended ({type(error).__name__})")
            return
        member.requests.popleft()
        member.fresh, member.silent = False, 0.0
        if isinstance(found, Failure):
            raise found.error(f"actor {member.number}")
        if request.epoch != member.epoch:
            return  # it goes on with episodes that were abandoned
        staleness = self._counters.updates - found.updates
        self._staleness.append(staleness)
        if staleness > self._options.staleness:
            self._counts["stale_fragments"] += 1
            self._begin_episodes(member)
            member.cut = True
            return
        self._counts["fragments"] += 1
        member.process = found.process
        if len(found.fragment):
            member.waiting.append((found.fragment, member.cut))
            member.cut = False

    def _lose(self, member: Member, how: str) -> None:
        """Replace an actor, as often as `ray_collect.restarts` allows. What it had not delivered is lost."""
        self._counts["lost_actors"] += 1
        member.losses += 1
        member.requests.clear()
        member.cut = True
        ray.kill(member.actor)
        again = member.losses <= self._options.restarts
        goes_on = "another one begins new episodes" if again else "the run goes on without it"
        print(f"warning: ray_collect: actor {member.number} {how}: {goes_on}", file=sys.stderr, flush=True)
        if again:
            self._start(member)
        else:
            member.actor = None


def _bytes(state: Any) -> int:
    if isinstance(state, Mapping):
        return sum(_bytes(value) for value in state.values())
    return int(getattr(state, "nbytes", 0))
