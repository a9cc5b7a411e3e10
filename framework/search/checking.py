"""Checks a sweep before its first trial: every option is there, and every end of its space can be assembled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framework.assembly.assemble import assemble_tolerantly
from framework.assembly.configuration import configure, without_void_values
from framework.config import Config, Source, unknown
from framework.errors import UsageError
from framework.options import EvaluationOptions
from framework.search.space import Space, parse_space
from framework.study.arms import OF_THE_STUDY, Arm, CheckedArm, check_arm

OVER = "--over"


@dataclass(frozen=True)
class Checked:
    """A composition whose space has been tried."""

    arm: CheckedArm
    """The composition in the middle of the space, with the largest threads and memory of all that were tried."""
    values: Mapping[str, Any]
    """The user's values, which all trials share."""
    evaluates: bool
    """Whether every composition that was tried has periodic evaluations."""


def declared_spaces(names: str | Sequence[str], sources: Sequence[Source]) -> tuple[Config, dict[str, Space]]:
    """The options in force, and the spaces that the composition's sections declare for options that it reads.

    Raises:
        UsageError: if the composition cannot be assembled.
    """
    parts = assemble_tolerantly(names, sources)
    parts.close()
    given = {path for source in sources if source.unread == "refused" for path in source.values}
    found = {}
    for section in parts.config:
        for key, text in type(section).searched.items():
            path = key if "." in key else f"{section.section_name}.{key}"
            if path in parts.read and path not in given:
                found[path] = parse_space(text)
    return parts.config, found


def check_space(names: str | Sequence[str], sources: Sequence[Source], space: Mapping[str, Space]) -> Checked:
    """Assemble the composition at the ends of its space.

    Each end of each option is tried with the others inside their ranges, and so are all lower and all upper ends
    together. A combination in between may still be refused: that trial fails, and the sweep goes on.

    Raises:
        UsageError: with every problem: unknown options, values that are refused, options that nothing reads.
    """
    unfit = dict(_unfit(names, sources, space))
    rest = {path: one for path, one in space.items() if path not in unfit}
    arms: list[CheckedArm] = []
    found: dict[str, None] = dict.fromkeys(unfit.values())
    for values in _tried(rest) if rest else ():
        try:
            arms.append(check_arm(Arm("sweep", names), [*sources, Source(OVER, values, unread="refused")]))
        except UsageError as error:
            found.update(dict.fromkeys(_told(problem, values, rest) for problem in error.problems))
    everywhere = set.intersection(*[set(arm.unread) for arm in arms]) if arms else set()
    found.update(dict.fromkeys(arms[0].unread[path] for path in sorted(everywhere)))
    if found:
        raise UsageError(list(found))
    most = replace(arms[0], threads=max(arm.threads for arm in arms), memory=max(arm.memory for arm in arms))
    return Checked(most, _shared(sources, space), _evaluates(names, sources, space))


def _shared(sources: Sequence[Source], space: Mapping[str, Space]) -> dict[str, Any]:
    """The values of all sources, without those that a trial sets itself or that a stronger source makes void."""
    searched = Source(OVER, dict.fromkeys(space), unread="refused")
    settled = without_void_values([*sources, searched])[:-1]
    merged = {path: value for source in settled for path, value in source.values.items()}
    return {path: value for path, value in merged.items() if path not in (*OF_THE_STUDY, *space)}


def _evaluates(names: str | Sequence[str], sources: Sequence[Source], space: Mapping[str, Space]) -> bool:
    every = space.get("evaluation.every")
    if every is not None:
        return all(every.tried)
    return bool(configure(names, sources)[1][EvaluationOptions].every)


def _unfit(
    names: str | Sequence[str], sources: Sequence[Source], space: Mapping[str, Space]
) -> Iterator[tuple[str, str]]:
    """Options that cannot be searched, each with the reason."""
    sections = {section.section_name: type(section) for section in configure(names, sources)[1]}
    fixed = {path: source.label for source in sources if source.unread == "refused" for path in source.values}
    for path in space:
        if path in OF_THE_STUDY:
            yield path, f"{OVER} {path}: the sweep itself sets it"
        elif why := unknown(path, sections):
            yield path, f"{OVER} {path}: {why}"
        elif path in fixed:
            yield path, f"{OVER} {path}: {fixed[path]} sets this option, too: remove one of them"


def _tried(space: Mapping[str, Space]) -> Iterator[dict[str, Any]]:
    """The points of the space that are assembled, the one in its middle first."""
    inside = {path: one.tried[min(1, len(one.tried) - 1)] for path, one in space.items()}
    points = [inside]
    points += [{**inside, path: value} for path, one in space.items() for value in one.tried]
    points += [{path: one.tried[end] for path, one in space.items()} for end in (0, -1)]
    yield from {repr(point): point for point in points}.values()  # by text, because 1 equals true


def _told(problem: str, values: Mapping[str, Any], space: Mapping[str, Space]) -> str:
    """A problem with what the user can do about it, or with the values with which it occurs."""
    path = next((path for path in values if problem.startswith(path)), None)
    if path is None:
        shown = ", ".join(f"{path} = {value}" for path, value in values.items())
        return problem if any(path in problem for path in values) else f"with {shown}: {problem}"
    if "integer" in problem and isinstance(values[path], float):
        return f"{problem}: search whole numbers with int(…) in place of {space[path]}"
    return problem
