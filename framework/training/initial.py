"""A new run may start with the weights of another run (the option run.init_from), and with nothing else of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from framework.assembly.parts import InitialWeights, Parts
from framework.errors import UsageError
from framework.options import RunOptions
from framework.recording.files import readable
from framework.recording.states import load_state
from framework.training.agents import env_steps_of, saved_weights
from framework.training.run_folder import INITIAL, INITIAL_FACTS, recorded_manifest
from framework.types import Policy, State, Targeted


def initialise(parts: Parts) -> None:
    """Give a new run's policy the weights that run.init_from names, and note them in `parts.initial`.

    Without the option, or when it has been done before, do nothing. A target network becomes a copy of the online
    network, as in every new run.

    Raises:
        UsageError: if there are no such weights, they are damaged, or they do not fit; the message then names every
            layer, with both shapes.
    """
    options = parts.config[RunOptions]
    if options.init_from is None:
        if options.init_weights is not None:
            raise UsageError(f"run.init_weights = {options.init_weights!r} needs run.init_from: add --init-from RUN")
        return
    if parts.initial is not None:
        return
    path = _file_of(options.init_from, options.init_weights)
    state = load_state(path)
    _start_from(parts.policy, state, path)
    parts.initial = InitialWeights(path.resolve(), state, env_steps_of(path))


def kept_weights(run: Path) -> Path:
    """The copy of its initial weights that a run keeps.

    Raises:
        UsageError: if it is missing, or is not what the run's manifest says.
    """
    path = run / INITIAL
    facts = recorded_manifest(run).get(INITIAL_FACTS)
    if not path.is_file() or not isinstance(facts, Mapping):
        raise UsageError(f"'{run}' began with the weights of another run, and its copy {INITIAL} is missing")
    with readable(path):
        content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != facts.get("sha256"):
        raise UsageError(f"{path}: damaged: its SHA-256 is not the one in the run's manifest")
    return path


def _file_of(source: str, weights: str | None) -> Path:
    path = Path(source)
    if path.suffix != ".safetensors":
        return saved_weights(source, weights)[1]
    if weights is not None:
        raise UsageError(f"{path} is one file of weights: drop run.init_weights, or name its run's folder")
    return path


def _start_from(policy: Policy, state: State, path: Path) -> None:
    own = policy.state_dict()
    shared = {name for name in own if name in state and any(_arrays(own[name]))}
    # a policy derives a network that the other run did not have, such as an average, from the others
    taken = {name: value for name, value in own.items() if name in shared or not shared or not any(_arrays(value))}
    problems = _misfits(taken, {name: state[name] for name in shared} if shared else state)
    if problems:
        raise UsageError([f"the weights in {path} do not fit this run's network:", *problems])
    try:
        policy.load_state_dict(with_weights(taken, state))
    except UsageError as error:
        raise UsageError(f"the weights in {path} do not fit this run's network: {error}") from error
    if isinstance(policy, Targeted):
        policy.update_target(1.0)


def with_weights(own: Any, given: Any) -> Any:
    """A policy's state with the weights of another state: its arrays of floating-point numbers.

    Everything else stays as the policy has it: its random generators and its counters.
    """
    if isinstance(own, Mapping):
        return {name: with_weights(value, given[name]) if name in given else value for name, value in own.items()}
    return given if isinstance(own, np.ndarray) and own.dtype.kind == "f" else own


def _misfits(own: State, given: State) -> list[str]:
    """One message for each layer that does not fit. A layer of several networks is named once, with all of them."""
    here, there = ({path: array.shape for path, array in _arrays(state)} for state in (own, given))
    found: dict[tuple[str, Any, Any], list[str]] = {}
    for path in [*here, *(path for path in there if path not in here)]:
        shapes = here.get(path), there.get(path)
        if shapes[0] != shapes[1]:
            network, _, layer = path.partition("/")
            found.setdefault((layer, *shapes), []).append(network)
    return [
        f"{' and '.join(networks)}{f', {layer}' if layer else ''}: {_shown(theirs)} there, {_shown(ours)} here"
        for (layer, ours, theirs), networks in found.items()
    ]


def _shown(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else str(list(shape))


def _arrays(node: Any, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Each array of floating-point numbers in a state, with its path "network/layer"."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _arrays(value, f"{path}/{name}" if path else name)
    elif isinstance(node, np.ndarray) and node.dtype.kind == "f":
        yield path, node
