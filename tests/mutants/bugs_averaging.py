"""Bugs of the average of the online weights that plays evaluations."""

from tests.mutants.mutant import Mutant

PARTS, WEIGHTS = "plugins.averaging.parts", "plugins.dqn.weights"
FOLLOWS = "follow(self._average_tensors(), self._online_tensors(), "


def _bug(
    name: str, component: str, row: str, old: str, new: str, plugins: str = "dqn,averaging,chain", module: str = PARTS
) -> Mutant:
    row = f"not in the catalogue: {row}"
    return Mutant(name=name, component=component, row=row, plugins=plugins, module=module, old=old, new=new)


MUTANTS = (
    _bug(
        "the_average_keeps_the_share_and_moves_by_the_rest",
        "policy",
        "the share and its rest change places",
        "max(self._rate, 1 / self._updates)",
        "1 - max(self._rate, 1 / self._updates)",
    ),
    _bug(
        "the_average_remembers_the_start",
        "policy",
        "weights of which nothing was learnt play evaluations",
        "max(self._rate, 1 / self._updates)",
        "self._rate",
    ),
    _bug(
        "the_average_is_of_all_updates",
        "policy",
        "it never forgets",
        "max(self._rate, 1 / self._updates)",
        "1 / self._updates",
    ),
    _bug(
        "the_average_counts_from_0",
        "policy",
        "the second update replaces the average, too",
        "max(self._rate, 1 / self._updates)",
        "max(self._rate, 1 / max(1, self._updates - 1))",
    ),
    _bug(
        "the_average_is_of_the_target",
        "policy",
        "it follows the wrong network",
        "NetworkTensors(self.average), learner.online_tensors",
        "NetworkTensors(self.average), learner.target_tensors",
    ),
    _bug(
        "the_online_network_follows_the_average",
        "policy",
        "the networks change places, and learning slows down",
        FOLLOWS,
        "follow(self._online_tensors(), self._average_tensors(), ",
    ),
    _bug(
        "the_average_forgets_buffers",
        "policy",
        "the statistics of a normalisation stay those of the start",
        "follow(self._average_tensors(), self._online_tensors(), max(self._rate, 1 / self._updates))",
        "for slow, fast in zip(self.average.parameters(), self.learner.online.parameters(), strict=True):\n"
        "            slow.data.lerp_(fast.data, max(self._rate, 1 / self._updates))",
    ),
    _bug(
        "the_average_explores",
        "policy",
        "what is learnt depends on it",
        "        if explore:\n",
        "        if False:\n",
    ),
    _bug(
        "evaluations_are_played_with_the_newest_weights",
        "policy",
        "the average is kept and never asked",
        "        if explore:\n",
        "        if True:\n",
        "dqn,averaging,noisy,chain",
    ),
    _bug(
        "the_average_is_in_training_mode",
        "policy",
        "noise in evaluations",
        "copy.deepcopy(learner.target).eval()",
        "copy.deepcopy(learner.target)",
        "dqn,averaging,noisy,chain",
    ),
    _bug(
        "the_average_does_not_move",
        "optimizer",
        "no call of it after the step",
        "        self._policy.update_average()\n",
        "",
    ),
    _bug(
        "the_average_lags_by_one_update",
        "optimizer",
        "it is called before the step",
        "        self._optimizer.apply(batch, errors)\n        self._policy.update_average()\n",
        "        self._policy.update_average()\n        self._optimizer.apply(batch, errors)\n",
    ),
    _bug(
        "the_average_moves_twice",
        "optimizer",
        "it is called twice for a step",
        "        self._policy.update_average()\n",
        "        self._policy.update_average()\n        self._policy.update_average()\n",
        "pqn,averaging,chain",
    ),
    _bug(
        "pqn_bootstraps_from_the_average",
        "buffer",
        "a rollout's returns come from the weights that play evaluations",
        "learner = policy.learner if isinstance(policy, Averaged) else policy",
        "learner = policy",
        "pqn,averaging,chain",
        module="plugins.pqn",
    ),
    _bug(
        "the_saved_average_is_the_online_network",
        "state",
        "a run that goes on evaluates with other weights",
        'state.get("average", state["online"])',
        'state["online"]',
    ),
    _bug(
        "the_average_forgets_how_old_it_is",
        "state",
        "a run that goes on begins its average anew",
        'self._updates = int(state.get("averaged", 0))',
        "self._updates = 0",
    ),
)
