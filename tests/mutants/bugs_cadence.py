"""Bugs of cadences: too many updates, too few, or at another time."""

from tests.mutants.mutant import Mutant

DUE = "        return int(max(0, counters.env_steps - self.starts) * self.updates_per_step)\n"


def _due(name: str, row: str, new: str) -> Mutant:
    return Mutant(name, "cadence", f"not in the catalogue: {row}", "dqn,chain", "framework.defaults.pacing", DUE, new)


MUTANTS = (
    _due(
        "updates_per_step_upside_down",
        "steps an update where updates a step are meant",
        "        return int(max(0, counters.env_steps - self.starts) / self.updates_per_step)\n",
    ),
    _due(
        "warm_up_does_not_shift_the_updates",
        "all updates of the warm-up are made up for at its end",
        "        return int(counters.env_steps * self.updates_per_step) if counters.env_steps > self.starts else 0\n",
    ),
    _due(
        "warm_up_ignored",
        "updates from the first step",
        "        return int(counters.env_steps * self.updates_per_step)\n",
    ),
    _due(
        "warm_up_has_no_lower_bound",
        "a negative number of updates",
        "        return int((counters.env_steps - self.starts) * self.updates_per_step)\n",
    ),
    _due(
        "warm_up_counted_in_frames",
        "the wrong unit",
        "        return int(max(0, counters.frames - self.starts) * self.updates_per_step)\n",
    ),
    _due(
        "an_update_before_the_first_step",
        "off by one",
        "        return 1 + int(max(0, counters.env_steps - self.starts) * self.updates_per_step)\n",
    ),
    _due(
        "updates_rounded_to_the_nearest",
        "an update early",
        "        return round(max(0, counters.env_steps - self.starts) * self.updates_per_step)\n",
    ),
    _due(
        "updates_not_rounded_at_all",
        "a float where a number of updates is meant",
        "        return max(0, counters.env_steps - self.starts) * self.updates_per_step\n",
    ),
    _due(
        "due_is_handed_out_by_calls",
        "updates depend on who asks",
        '        object.__setattr__(self, "asked", getattr(self, "asked", 0) + 1)\n'
        "        return int(self.asked * self.updates_per_step)\n",
    ),
    _due(
        "due_counts_only_what_is_open",
        "what is due now, not in all",
        "        due = int(max(0, counters.env_steps - self.starts) * self.updates_per_step)\n"
        "        return max(0, due - counters.updates)\n",
    ),
    Mutant(
        name="overlap_is_a_word",
        component="cadence",
        row="not in the catalogue: 'no' counts as true",
        plugins="dqn,chain",
        module="framework.defaults.plugin",
        old="overlap=True)",
        new='overlap="no")',
    ),
    Mutant(
        name="batch_size_of_the_default",
        component="cadence",
        row="not in the catalogue: an option that is not read",
        plugins="dqn,chain",
        module="framework.defaults.plugin",
        old="ReplayRatio(options.batch_size,",
        new="ReplayRatio(32,",
    ),
    Mutant(
        name="a_rollout_falls_back",
        component="cadence",
        row="not in the catalogue: every other rollout counts the updates down again",
        plugins="pqn,chain",
        module="plugins.pqn.rollout",
        old="return counters.env_steps // self.steps * self.updates",
        new="return counters.env_steps // self.steps % 2 * self.updates",
    ),
    Mutant(
        name="an_overlapped_round_comes_a_step_late",
        component="cadence",
        row="not in the catalogue: the counters are taken for those after the step",
        plugins="pqn,chain",
        module="plugins.pqn.rollout",
        old="counters.env_steps - self.steps + self.num_envs",
        new="counters.env_steps - self.steps",
    ),
    Mutant(
        name="an_overlapped_round_comes_at_once",
        component="cadence",
        row="not in the catalogue: all updates of a round during one step",
        plugins="pqn,chain",
        module="plugins.pqn.rollout",
        old="            return max(0, counters.env_steps - self.steps + self.num_envs) * self.updates // self.steps\n",
        new="            return max(0, counters.env_steps - self.steps + self.num_envs) // self.steps * self.updates\n",
    ),
)
