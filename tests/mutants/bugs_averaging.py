"""Bugs of the average of the online weights that plays evaluations."""

from tests.mutants.mutant import Mutant

AGENT = "plugins.dqn.agent"


def _bug(name: str, component: str, row: str, old: str, new: str, plugins: str = "dqn,chain") -> Mutant:
    row = f"not in the catalogue: {row}"
    return Mutant(name=name, component=component, row=row, plugins=plugins, module=AGENT, old=old, new=new)


MUTANTS = (
    _bug(
        "the_average_keeps_the_share_and_moves_by_the_rest",
        "policy",
        "the share and its rest change places",
        "max(self._averaging, 1 / self._averaged)",
        "1 - max(self._averaging, 1 / self._averaged)",
    ),
    _bug(
        "the_average_remembers_the_start",
        "policy",
        "weights of which nothing was learnt play evaluations",
        "max(self._averaging, 1 / self._averaged)",
        "self._averaging",
    ),
    _bug(
        "the_average_is_of_all_updates",
        "policy",
        "it never forgets",
        "max(self._averaging, 1 / self._averaged)",
        "1 / self._averaged",
    ),
    _bug(
        "the_average_counts_from_0",
        "policy",
        "the second update replaces the average, too",
        "max(self._averaging, 1 / self._averaged)",
        "max(self._averaging, 1 / max(1, self._averaged - 1))",
    ),
    _bug(
        "the_average_is_of_the_target",
        "policy",
        "it follows the wrong network",
        "_follow(self._average_tensors(), self._online_tensors(), max(",
        "_follow(self._average_tensors(), self._target_tensors(), max(",
    ),
    _bug(
        "the_online_network_follows_the_average",
        "policy",
        "the networks change places, and learning slows down",
        "_follow(self._average_tensors(), self._online_tensors(), max(",
        "_follow(self._online_tensors(), self._average_tensors(), max(",
    ),
    _bug(
        "the_average_forgets_buffers",
        "policy",
        "the statistics of a normalisation stay those of the start",
        "_follow(self._average_tensors(), self._online_tensors(), max(self._averaging, 1 / self._averaged))",
        "for slow, fast in zip(self.average.parameters(), self.online.parameters(), strict=True):\n"
        "                slow.data.lerp_(fast.data, max(self._averaging, 1 / self._averaged))",
    ),
    _bug(
        "the_average_explores",
        "policy",
        "what is learnt depends on it",
        "if explore or self.average is None:",
        "if self.average is None:",
    ),
    _bug(
        "evaluations_are_played_with_the_newest_weights",
        "policy",
        "the average is kept and never asked",
        "if explore or self.average is None:",
        "if True:",
        "dqn,noisy,chain",
    ),
    _bug(
        "the_average_is_in_training_mode",
        "policy",
        "noise in evaluations",
        "copy.deepcopy(self.target).eval() if averaging",
        "copy.deepcopy(self.target) if averaging",
        "dqn,noisy,chain",
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
        "        self._optimizer.step()\n        self._policy.update_average()\n",
        "        self._policy.update_average()\n        self._optimizer.step()\n",
    ),
    _bug(
        "the_average_moves_twice",
        "optimizer",
        "it is called twice for a step",
        "        self._policy.update_average()\n",
        "        self._policy.update_average()\n        self._policy.update_average()\n",
        "pqn,chain",
    ),
)
