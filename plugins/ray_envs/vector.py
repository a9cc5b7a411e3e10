"""A vector environment whose environments play in actors of a Ray cluster. Actors that are lost are replaced."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import ray
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from framework.assembly.recipe import Recipe
from framework.errors import NotRepeated
from plugins.ray_envs.actor import Described, EnvironmentActor, Shown
from plugins.ray_envs.options import RayEnvsOptions
from plugins.remote import START_SECONDS, Failure, RemoteError

ATTEMPTS = 3
"""An actor that is lost so often with the same request is not replaced again: the request itself may be the cause."""


@dataclass
class Episode:
    """A running episode: what an environment was told, and what it showed. That is enough to play it again.

    seed: of its last reset that had one.
    since: the resets without a seed after that.
    """

    seed: int
    since: int
    obs: Any
    actions: list[Any] = field(default_factory=list)
    total: float = 0.0


@dataclass
class Host:
    """An actor and its request under way."""

    env_ids: Sequence[int]
    actor: Any
    method: str = ""
    given: Mapping[int, Any] = field(default_factory=dict)
    """Environment → the seed of its reset, or its action."""
    answer: Any = None
    """Ray's reference to the answer."""


class RemoteEnvs(VectorEnv[Any, Any, Any]):
    """N environments, shared by actors. It behaves as gymnasium's `SyncVectorEnv` with `AutoresetMode.DISABLED`.

    Between `step_async` and `step_wait`, the environments step in the actors.
    """

    def __init__(
        self,
        recipe: Recipe,
        num_envs: int,
        actors: int,
        options: RayEnvsOptions,
        global_seeds: Sequence[int],
        wanted: Mapping[str, bool],
    ) -> None:
        """Start the actors. Ray must be connected.

        Raises:
            UsageError, RemoteError: if the environments cannot be made, or no actor starts.
        """
        self.at_close = ExitStack()
        self.num_envs = num_envs
        self._recipe, self._wanted, self._seconds = recipe, dict(wanted), options.seconds
        self._global_seeds = global_seeds
        # no_restart is Ray's default: it would not know which episodes to play again
        self._class = ray.remote(num_cpus=options.cores, scheduling_strategy="SPREAD")(EnvironmentActor)
        self._replaced = 0
        self._episodes: dict[int, Episode] = {}
        shares = [share.tolist() for share in np.array_split(np.arange(num_envs), actors)]
        self._hosts = [Host(share, self._start(share)) for share in shares]
        try:
            for host in self._hosts:
                self._send(host, "open", {})
            described: list[Described] = [self._receive(host) for host in self._hosts]
        except BaseException:
            self._kill_all()
            raise
        first = described[0]
        self.metadata = {**first.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.observation_space = batch_space(first.observation_space, num_envs)
        self.action_space = batch_space(first.action_space, num_envs)
        self._observations: Any = create_empty_array(first.observation_space, n=num_envs, fn=np.zeros)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin episodes, with a seed or None for each environment; some, with `options["reset_mask"]`."""
        started = (options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_))
        shown = self._ask("reset", {env_id: seed[env_id] for env_id in np.flatnonzero(started).tolist()})
        for env_id, (obs, *_) in shown.items():
            if seed[env_id] is None:
                before = self._episodes[env_id]
                self._episodes[env_id] = Episode(before.seed, before.since + 1, obs)
            else:
                self._episodes[env_id] = Episode(seed[env_id], 0, obs)
        return self._batch(), self._infos(shown)

    def step_async(self, actions: Any) -> None:
        """Start a step of all environments."""
        told = dict(enumerate(copy.deepcopy(list(iterate(self.action_space, actions)))))
        for host in self._hosts:
            self._send(host, "step", {env_id: told[env_id] for env_id in host.env_ids})

    def step_wait(self) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Wait for the step."""
        shown = self._collect(self._hosts)
        for host in self._hosts:
            for env_id, action in host.given.items():
                episode = self._episodes[env_id]
                episode.actions.append(action)
                episode.obs = shown[env_id][0]
                episode.total += shown[env_id][1]
        rewards, terminated, truncated = (
            np.array([shown[env_id][column] for env_id in range(self.num_envs)], dtype)
            for column, dtype in ((1, np.float64), (2, np.bool_), (3, np.bool_))
        )
        return self._batch(), rewards, terminated, truncated, self._infos(shown)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        self.step_async(actions)
        return self.step_wait()

    def measures(self) -> Mapping[str, float]:
        """How many actors were replaced, once there was one."""
        return {"actors_replaced": float(self._replaced)} if self._replaced else {}

    def close_extras(self, **kwargs: Any) -> None:
        """End the actors, and the Ray that was started for them."""
        try:
            self._kill_all()
        finally:
            self.at_close.close()

    def _ask(self, method: str, given: Mapping[int, Any]) -> dict[int, Shown]:
        asked = []
        for host in self._hosts:
            own = {env_id: given[env_id] for env_id in host.env_ids if env_id in given}
            if own:
                self._send(host, method, own)
                asked.append(host)
        return self._collect(asked)

    def _collect(self, hosts: Iterable[Host]) -> dict[int, Shown]:
        shown: dict[int, Shown] = {}
        for host in hosts:
            shown |= self._receive(host)
        return dict(sorted(shown.items()))

    def _send(self, host: Host, method: str, given: Mapping[int, Any]) -> None:
        host.method, host.given = method, given
        host.answer = getattr(host.actor, method).remote(*([given] if given else []))

    def _receive(self, host: Host) -> Any:
        """The answer to the request under way. If the actor is lost, another plays its episodes again and answers."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._wait(host, host.answer, START_SECONDS if host.method == "open" else 0)
            except _Lost as loss:
                if attempt == ATTEMPTS:
                    raise RemoteError(
                        f"{_named(host)}: {ATTEMPTS} actors in a row were lost, the last one because it {loss}"
                    ) from loss
                self._say(host, loss)
                self._replace(host)
                self._send(host, host.method, host.given)
        raise AssertionError

    def _wait(self, host: Host, answer: Any, more: float = 0.0) -> Any:
        limit = self._seconds + more
        try:
            found = ray.get(answer, timeout=limit)
        except ray.exceptions.GetTimeoutError as error:
            raise _Lost(f"did not answer within {limit:g} seconds") from error
        except ray.exceptions.RayError as error:
            raise _Lost(f"has ended ({type(error).__name__})") from error
        if isinstance(found, Failure):
            raise found.error(_named(host))
        return found

    def _replace(self, host: Host) -> None:
        """Start another actor. It plays the episodes again, but for those that a reset with a seed is about to end."""
        self._replaced += 1
        ray.kill(host.actor)
        host.actor = self._start(host.env_ids)
        if host.method == "open":
            return
        kept = {
            env_id: self._episodes[env_id]
            for env_id in host.env_ids
            if env_id in self._episodes and (host.method == "step" or host.given.get(env_id) is None)
        }
        try:
            self._wait(host, host.actor.open.remote(), START_SECONDS)
            episodes = {env_id: (episode.seed, episode.since, episode.actions) for env_id, episode in kept.items()}
            steps = sum(1 + since + len(actions) for _, since, actions in episodes.values())
            again: Mapping[int, Shown] = self._wait(host, host.actor.play_again.remote(episodes), self._seconds * steps)
        except _Lost:
            return  # the next attempt meets the same actor, and sees that it is lost
        for env_id, episode in kept.items():
            obs, total, *_ = again[env_id]
            if total != episode.total or not _equal(obs, episode.obs):
                raise NotRepeated(
                    f"environment {env_id} was played again in another actor, from its seed and {len(episode.actions)} "
                    "actions, and shows something else: the run cannot go on exactly. With --resume --force, new "
                    "episodes begin"
                )

    def _start(self, env_ids: Sequence[int]) -> Any:
        # one that takes the place of a lost one needs no free core: the lost one's machine may be gone
        made = self._class.options(num_cpus=0) if self._replaced else self._class
        return made.remote(self._recipe, env_ids, self._global_seeds[env_ids[0]], self._wanted)

    def _say(self, host: Host, loss: _Lost) -> None:
        print(
            f"warning: the actor of {_named(host)} {loss}: another one plays its episodes again",
            file=sys.stderr,
            flush=True,
        )

    def _batch(self) -> Any:
        observed = [self._episodes[env_id].obs for env_id in range(self.num_envs)]
        self._observations = concatenate(self.single_observation_space, observed, self._observations)
        return copy.deepcopy(self._observations)

    def _infos(self, shown: Mapping[int, Shown]) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        for env_id, (*_, info) in shown.items():
            infos = self._add_info(infos, info, env_id)
        return infos

    def _kill_all(self) -> None:
        if ray.is_initialized():
            for host in self._hosts:
                ray.kill(host.actor)


class _Lost(Exception):
    """An actor has ended, or did not answer in time."""


def _named(host: Host) -> str:
    ids = host.env_ids
    return f"environment {ids[0]}" if len(ids) == 1 else f"environments {ids[0]} to {ids[-1]}"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()
