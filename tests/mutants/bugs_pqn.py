"""Bugs of PQN's rollout and its λ-returns."""

from tests.mutants.mutant import Mutant


def _bug(name: str, row: str, old: str, new: str, module: str = "plugins.pqn.returns") -> Mutant:
    return Mutant(name=name, component="buffer", row=row, plugins="pqn,chain", module=module, old=old, new=new)


def _rollout(name: str, row: str, old: str, new: str) -> Mutant:
    return _bug(name, row, old, new, "plugins.pqn.rollout")


MUTANTS = (
    _bug(
        "lambda_carry_seeded_with_the_wrong_bootstrap",
        "purejaxql pqn_gymnax.py",
        "    backwards = _backwards(lane)\n",
        """    backwards = _backwards(lane)
    last = backwards[0][~ended[backwards[0]]]
    returns[last] = reward[last] + discount[last] * next_value[last - 1]
""",
    ),
    _bug(
        "lambda_carry_seeded_with_nothing",
        "purejaxql pqn_gymnax.py: the last step of a rollout without its bootstrap",
        "    backwards = _backwards(lane)\n",
        """    backwards = _backwards(lane)
    returns[backwards[0]] = reward[backwards[0]]
""",
    ),
    _bug(
        "lambda_return_crosses_an_end",
        "younggyoseo/FastTD3#7: in λ-returns",
        "goes_on = (row >= 0) & ~ended[row]",
        "goes_on = (row >= 0) & (discount[row] > 0)",
    ),
    _bug(
        "lambda_return_of_another_environment",
        "not in the catalogue: rows of several environments in one recursion",
        "    backwards = _backwards(lane)\n",
        "    backwards = _backwards(np.zeros_like(lane))\n",
    ),
    _bug(
        "lambda_returns_of_shorter_lanes",
        "not in the catalogue: environments that made fewer transitions, taken for a full array [T, N]",
        "place = np.repeat(count.cumsum(), count) - 1 - np.arange(len(lane))",
        "place = count.max() - 1 - (np.arange(len(lane)) - np.repeat(count.cumsum() - count, count))",
    ),
    _bug(
        "nan_behind_a_terminal_leaks",
        "anthonytorlucci/rlevo#192: in λ-returns",
        "one_step = reward + np.where(discount == 0, 0.0, discount * next_value)",
        "one_step = reward + discount * next_value",
    ),
    _bug(
        "lambda_and_one_minus_lambda_exchanged",
        "not in the catalogue: λ = 0 is the whole return",
        "discount[row] * lam * (returns[after] - next_value[row])",
        "discount[row] * (1 - lam) * (returns[after] - next_value[row])",
    ),
    _bug(
        "gamma_missing_in_the_recursion",
        "mlaux1/rl-blox#79: γ never reaches the λ-return",
        "returns[row] += discount[row] * lam *",
        "returns[row] += lam *",
    ),
    _rollout(
        "value_of_the_mean_action",
        "not in the catalogue: the bootstrap is no maximum",
        "only_legal(self._values(obs), obs).max(axis=1)",
        "only_legal(self._values(obs), obs).mean(axis=1)",
    ),
    _rollout(
        "truncation_zeroes_the_bootstrap",
        "openai/baselines#436: in a rollout",
        "lanes, batch.reward, batch.discount, next_value",
        "lanes, batch.reward, np.where(ended, 0.0, batch.discount), next_value",
    ),
    _rollout(
        "environment_numbers_by_reference",
        "Itomigna2/Muesli-lunarlander#1",
        "        self._lanes.append(step.env_id.copy())\n",
        "        self._lanes.append(step.env_id)\n",
    ),
    _rollout(
        "discount_left_in_the_batch",
        "not in the catalogue: bootstrapped twice",
        "        batch.discount = np.zeros(len(batch))\n",
        "",
    ),
    _rollout(
        "one_order_for_observations_another_for_returns",
        "not in the catalogue: minibatches mix rows",
        "    return replace(\n        batch,\n        **arrays,\n",
        '    arrays["reward"] = arrays["reward"][::-1].copy()\n'
        "    return replace(\n        batch,\n        **arrays,\n",
    ),
    _rollout(
        "rest_of_an_epoch_dropped",
        "ray-project/ray#2929: the tail dropped",
        "for rows in np.array_split(order, self._options.minibatches)]",
        "for rows in np.split(order[: len(order) - len(order) % self._options.minibatches], "
        "self._options.minibatches)]",
    ),
    _rollout(
        "successor_of_another_row",
        "not in the catalogue: late reads forget the minibatch's rows",
        "read_next_obs=lambda: batch.next_obs[rows],",
        "read_next_obs=lambda: batch.next_obs[: len(rows)],",
    ),
    _rollout(
        "a_round_learns_what_is_being_collected",
        "not in the catalogue: the transitions since the end of the rollout are learnt, too",
        "        size = self._sizes[0]\n",
        "        size = sum(self._sizes)\n",
    ),
    _rollout(
        "a_round_begins_before_its_rollout_is_whole",
        "not in the catalogue: half a rollout is learnt",
        "        whole = self._sizes[0] if len(self._sizes) > 1 else 0\n",
        "        whole = self._sizes[0]\n",
    ),
    _rollout(
        "the_ring_holds_one_rollout",
        "not in the catalogue: the next rollout overwrites what a late round has not learnt yet",
        "(4 if options.overlap else 2) * options.rollout",
        "2 * options.rollout",
    ),
    _rollout(
        "where_episodes_ended_in_the_next_rollout",
        "not in the catalogue: the ends of the wrong rollout",
        "        lanes, ended = lanes[:size], ended[:size]\n",
        "        lanes, ended = lanes[:size], ended[-size:]\n",
    ),
    _rollout(
        "a_rollout_ends_by_vector_steps",
        "not in the catalogue: an environment that resets itself misses a step, and the cadence counts transitions",
        "        self._collected += len(step)\n",
        "        self._collected += self._steps // self._options.rollout\n",
    ),
    Mutant(
        name="rows_of_a_rollout_in_8_bits",
        component="buffer",
        row="not in the catalogue: more than 8 bits can count",
        plugins="pqn,chain",
        module="plugins.pqn.returns",
        old="len(count)), -1, np.int64)",
        new="len(count)), -1, np.int8)",
    ),
    Mutant(
        name="a_round_is_due_before_its_rollout_is_whole",
        component="cadence",
        row="drawn by a seed: another arithmetic operator",
        plugins="pqn,chain",
        module="plugins.pqn.rollout",
        old="return counters.env_steps // self.steps * self.updates",
        new="return counters.env_steps * self.steps * self.updates",
    ),
)
