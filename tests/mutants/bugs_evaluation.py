"""Bugs of evaluations."""

from tests.mutants.mutant import Mutant

EVALUATION = "framework.training.evaluation"

MUTANTS = (
    Mutant(
        name="the_policy_explores_in_evaluations",
        component="evaluation",
        row="ray-project/ray#7394",
        plugins="dqn,chain",
        module=EVALUATION,
        old="self._agent.policy.action_values(obs, explore=False)",
        new="self._agent.policy.action_values(obs, explore=True)",
    ),
    Mutant(
        name="evaluations_explore_as_training_does",
        component="evaluation",
        row="ray-project/ray#7394 (by the training's schedule)",
        plugins="dqn,chain",
        module=EVALUATION,
        old="self.stream.begin(self._exploration.choose(values, obs, self._counters))",
        new="own = getattr(self._agent, 'exploration', self._exploration)\n"
        "        self.stream.begin(own.choose(values, obs, self._counters))",
    ),
    Mutant(
        name="evaluations_are_greedy_whatever_epsilon",
        component="evaluation",
        row="not in the catalogue: ε is reported and not used",
        plugins="tabular,chain",
        module=EVALUATION,
        old="EpsilonGreedy(lambda counters: epsilon,",
        new="EpsilonGreedy(lambda counters: 0.0,",
    ),
    Mutant(
        name="epsilon_decays_in_an_evaluation",
        component="evaluation",
        row="not in the catalogue: a schedule where a constant belongs",
        plugins="tabular,chain",
        module=EVALUATION,
        old="EpsilonGreedy(lambda counters: epsilon,",
        new="EpsilonGreedy(lambda counters: epsilon / (1 + counters.env_steps / 20),",
    ),
    Mutant(
        name="evaluations_report_clipped_rewards",
        component="evaluation",
        row="not in the catalogue: the learner's reward is reported",
        plugins="dqn,chain",
        module=EVALUATION,
        old="self._total += step.raw_reward[row]",
        new="self._total += step.reward[row]",
    ),
    Mutant(
        name="the_first_to_finish_are_counted",
        component="evaluation",
        row="not in the catalogue: short episodes are favoured",
        plugins="tabular,chain",
        module=EVALUATION,
        old="        while any(group.playing for group in groups):\n",
        new="        for group in groups:\n"
        "            for game in group._games:\n"
        "                game._quota = episodes\n"
        "        while sum(len(group.finished) for group in groups) < episodes:\n",
    ),
    Mutant(
        name="an_evaluation_plays_too_few_episodes",
        component="evaluation",
        row="not in the catalogue: the remainder is dropped",
        plugins="tabular,chain",
        module=EVALUATION,
        old="episodes // num_envs + (env_id < episodes % num_envs)",
        new="episodes // num_envs",
    ),
    Mutant(
        name="an_evaluation_plays_on_after_a_truncation",
        component="evaluation",
        row="not in the catalogue: truncation is no end",
        plugins="dqn,chain",
        module=EVALUATION,
        old="        if step.over[row] or cut:",
        new="        if step.terminated[row] or cut:",
    ),
    Mutant(
        name="returns_add_up_over_episodes",
        component="evaluation",
        row="Farama-Foundation/Gymnasium#1624 (in evaluations)",
        plugins="tabular,chain",
        module=EVALUATION,
        old="        self._total, self._length = 0.0, 0\n",
        new="        self._total, self._length = getattr(self, '_total', 0.0), 0\n",
    ),
    Mutant(
        name="games_that_differ_in_rewards_alone_count_once",
        component="evaluation",
        row="not in the catalogue: what makes a game is left out",
        plugins="tabular,chain",
        module=EVALUATION,
        old="self._hash.update(step.action[row].tobytes() + step.raw_reward[row].tobytes())",
        new="self._hash.update(bytes([self._length % 256]))",
    ),
    Mutant(
        name="evaluations_play_on_in_the_training_environments",
        component="evaluation",
        row="not in the catalogue: one environment for both",
        plugins="tabular,chain",
        module=EVALUATION,
        old='        self.stream = agent.open_stream("evaluate", num_envs, name)\n',
        new='        agent.open_stream("evaluate", num_envs, name).close()\n'
        "        training = getattr(agent, 'stream', None)\n"
        "        fits = training is not None and training.spaces.num_envs >= num_envs\n"
        '        self.stream = training if fits else agent.open_stream("evaluate", num_envs, name)\n',
    ),
    Mutant(
        name="evaluations_use_environments_made_for_training",
        component="evaluation",
        row="not in the catalogue: the wrong role",
        plugins="dqn,chain",
        module=EVALUATION,
        old='agent.open_stream("evaluate", num_envs, name)',
        new='agent.open_stream("train", num_envs, name)',
    ),
    Mutant(
        name="evaluations_leave_their_environments_open",
        component="evaluation",
        row="not in the catalogue: a leak",
        plugins="tabular,chain",
        module=EVALUATION,
        old="        self.stream.close()\n",
        new="        pass\n",
    ),
    Mutant(
        name="every_evaluation_plays_the_same_games",
        component="evaluation",
        row="not in the catalogue: the seed does not know of the name",
        plugins="dqn,chain",
        module=EVALUATION,
        old='agent.open_stream("evaluate", num_envs, name)',
        new='agent.open_stream("evaluate", num_envs, "evaluation")',
    ),
    Mutant(
        name="evaluations_are_random_anew_each_time",
        component="evaluation",
        row="not in the catalogue: a generator that nobody seeded",
        plugins="tabular,chain",
        module=EVALUATION,
        old='agent.seeds.generator(f"evaluation/{name}")',
        new='__import__("numpy").random.default_rng()',
    ),
)
