"""Bugs of n-step returns."""

from tests.mutants.mutant import Mutant


def _bug(name: str, row: str, old: str, new: str, plugins: str = "dqn,nstep,chain") -> Mutant:
    return Mutant(
        name=name,
        component="returns",
        row=row,
        plugins=plugins,
        module="framework.replay.returns",
        old=old,
        new=new,
    )


MUTANTS = (
    _bug(
        "gamma_where_gamma_to_the_n_belongs",
        "younggyoseo/FastTD3#6",
        "0.0, self._powers[length])",
        "0.0, self._powers[1])",
    ),
    _bug(
        "windows_cross_episodes",
        "younggyoseo/FastTD3#7",
        "used[:, 1:] = np.cumsum(ended[:, :-1], axis=1) == 0",
        "used[:, 1:] = np.cumsum(ended[:, 1:], axis=1) == 0",
    ),
    _bug(
        "windows_cross_truncation",
        "CleanRL rainbow_atari.py: truncation no boundary",
        "ended = terminated | truncated",
        "ended = terminated.copy()",
    ),
    _bug(
        "done_not_propagated",
        "ray-project/ray#2929",
        "(terminated & used).any(axis=1)",
        "terminated[:, 0]",
    ),
    _bug(
        "last_reward_dropped",
        "ray-project/ray#2929: the tail dropped",
        "returns = np.where(used, reward, 0.0) @",
        "returns = np.where(used & ~terminated, reward, 0.0) @",
    ),
    Mutant(
        name="gamma_is_not_the_agents",
        component="returns",
        row="Curt-Park/rainbow-is-all-you-need#66",
        plugins="dqn,nstep,chain",
        module="plugins.nstep",
        old="NStepReturns(config[ReturnsOptions].gamma, ",
        new="NStepReturns(0.99, ",
    ),
    _bug(
        "exponent_from_the_ends",
        "takuseno/d3rlpy#346",
        "0.0, self._powers[length])",
        "0.0, self._powers[(ended & used).sum(axis=1)])",
    ),
    _bug(
        "nan_behind_an_end_leaks",
        "anthonytorlucci/rlevo#192: in a window",
        "returns = np.where(used, reward, 0.0) @",
        "returns = (used * reward) @",
    ),
    _bug(
        "termination_behind_a_truncation_counts",
        "not in the catalogue: flags of the next episode",
        "(terminated & used).any(axis=1)",
        "terminated.any(axis=1)",
    ),
    _bug(
        "truncation_ends_the_bootstrap",
        "openai/baselines#436: in a window",
        "(terminated & used).any(axis=1)",
        "(ended & used).any(axis=1)",
    ),
    _bug(
        "rewards_discounted_one_step_too_far",
        "not in the catalogue: off by one in the powers of γ",
        "@ self._powers[:-1]",
        "@ self._powers[1:]",
    ),
    _bug(
        "one_length_for_all",
        "not in the catalogue: the first window's end is every window's",
        "        length = used.sum(axis=1)\n",
        "        used = np.broadcast_to(used.all(axis=0), used.shape)\n        length = used.sum(axis=1)\n",
    ),
    _bug(
        "rewards_normalised_over_the_batch",
        "not in the catalogue: windows that depend on each other",
        "returns = np.where(used, reward, 0.0) @",
        "returns = np.where(used, reward * (reward.std(axis=0).max() < 1e9) / max(len(reward), 1), 0.0) @",
    ),
    _bug(
        "window_cleared_in_place",
        "not in the catalogue: the caller's window is overwritten",
        "returns = np.where(used, reward, 0.0) @",
        "reward[~used] = 0.0\n        returns = reward @",
    ),
    _bug(
        "float32_sums",
        "thu-ml/tianshou#65: in the returns",
        "returns = np.where(used, reward, 0.0) @",
        "returns = np.where(used, reward, 0.0).astype(np.float32) @",
    ),
)
