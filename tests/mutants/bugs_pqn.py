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
        "        after = following.get(int(lane[row]))\n",
        """        after = following.get(int(lane[row]))
        if after is None and not ended[row]:
            returns[row] = reward[row] + discount[row] * next_value[row - 1]
""",
    ),
    _bug(
        "lambda_carry_seeded_with_nothing",
        "purejaxql pqn_gymnax.py: the last step of a rollout without its bootstrap",
        "        after = following.get(int(lane[row]))\n",
        """        after = following.get(int(lane[row]))
        if after is None:
            returns[row] = reward[row]
""",
    ),
    _bug(
        "lambda_return_crosses_an_end",
        "younggyoseo/FastTD3#7: in λ-returns",
        "if after is not None and not ended[row]:",
        "if after is not None and discount[row] > 0:",
    ),
    _bug(
        "lambda_return_of_another_environment",
        "not in the catalogue: rows of several environments in one recursion",
        "        following[int(lane[row])] = row\n",
        "        following = dict.fromkeys(map(int, lane), row)\n",
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
)
