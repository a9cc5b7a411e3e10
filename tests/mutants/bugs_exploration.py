"""Bugs of explorations: schedules in the wrong time, actions drawn by another rule, state that is lost."""

from tests.mutants.mutant import Mutant

EPSILON = "    return lambda counters: shape(options.start, options.final, options.horizon, counters[options.unit])\n"

AFRESH_EACH_EPISODE = """    begun = {"episodes": 0, "at": 0}

    def epsilon(counters: Counters) -> float:
        if counters.episodes != begun["episodes"]:
            begun.update(episodes=counters.episodes, at=counters[options.unit])
        return shape(options.start, options.final, options.horizon, counters[options.unit] - begun["at"])

    return epsilon
"""

ONCE_FINAL_ALWAYS_FINAL = """    def epsilon(counters: Counters) -> float:
        if _OVER or counters[options.unit] >= options.horizon:
            _OVER.append(True)
            return options.final
        return shape(options.start, options.final, options.horizon, counters[options.unit])

    return epsilon


_OVER: list[bool] = []
"""

FROM_ITS_OWN_BEGINNING = """    begun: list[int] = []

    def epsilon(counters: Counters) -> float:
        begun.append(counters[options.unit])
        return shape(options.start, options.final, options.horizon, counters[options.unit] - begun[0])

    return epsilon
"""

OWN_CLOCK = """        self._calls = getattr(self, "_calls", 0) + 1
        epsilon = self._epsilon(Counters(*[self._calls] * 4))
        legal = legal_actions(obs)
        count, actions = values.shape
        draws = """

CHOOSE = """        epsilon = self._epsilon(counters)
        legal = legal_actions(obs)
        count, actions = values.shape
        draws = """


def _engine(name: str, row: str, old: str, new: str, plugins: str = "dqn,chain") -> Mutant:
    return Mutant(name, "exploration", row, plugins, "framework.defaults.exploration", old, new)


def _plugin(name: str, row: str, old: str, new: str) -> Mutant:
    plugin = name.partition("_")[0]
    return Mutant(
        name, "exploration", f"not in the catalogue: {row}", f"tabular,{plugin},chain", f"plugins.{plugin}", old, new
    )


MUTANTS = (
    Mutant(
        name="share_of_the_horizon",
        component="exploration",
        row="not in the catalogue: the share is that of the horizon, not of the run",
        plugins="dqn,chain",
        module="framework.defaults.schedules",
        old="round(options.share * steps)",
        new="round(options.share * options.horizon)",
    ),
    Mutant(
        name="ez_greedy_repeats_once_too_often",
        component="exploration",
        row="not in the catalogue: the first step of a repeated action is not counted",
        plugins="dqn,ez_greedy,chain",
        module="plugins.ez_greedy",
        old="self._left[rows] = 1 + np.searchsorted",
        new="self._left[rows] = 2 + np.searchsorted",
    ),
    Mutant(
        name="ez_greedy_hides_what_it_repeats",
        component="exploration",
        row="not in the catalogue: probabilities of epsilon-greedy where an action is certain",
        plugins="dqn,ez_greedy,chain",
        module="plugins.ez_greedy",
        old="pushes = (self._left > 0) & allowed",
        new="pushes = (self._left > 99) & allowed",
    ),
    _engine("epsilon_begins_anew_each_episode", "google-deepmind/rlax#102", EPSILON, AFRESH_EACH_EPISODE),
    _engine(
        "epsilon_stays_final_in_the_next_run",
        "hill-a/stable-baselines#758",
        EPSILON,
        ONCE_FINAL_ALWAYS_FINAL,
    ),
    _engine("epsilon_decays_in_frames", "shivaverma/Orbit#10", "counters[options.unit]", "counters.frames"),
    _engine("epsilon_decays_in_calls", "shivaverma/Orbit#10", CHOOSE, OWN_CLOCK),
    _engine(
        "epsilon_counts_from_where_it_was_loaded",
        "ray-project/ray#28289",
        EPSILON,
        FROM_ITS_OWN_BEGINNING,
        "tabular,chain",
    ),
    Mutant(
        name="epsilon_passes_its_end",
        component="exploration",
        row="not in the catalogue: no lower bound after the horizon",
        plugins="dqn,chain",
        module="framework.defaults.schedules",
        old="return final if t >= horizon else start",
        new="return start",
    ),
    Mutant(
        name="epsilon_is_final_a_step_late",
        component="exploration",
        row="not in the catalogue: off by one in the exponential schedule",
        plugins="dqn,chain",
        module="framework.defaults.schedules",
        old="-(t + 1) /",
        new="-t /",
    ),
    _engine(
        "random_actions_leave_out_the_last",
        "not in the catalogue: an upper bound that is excluded twice",
        "draws[random] / epsilon * actions, actions - 1)",
        "draws[random] / epsilon * (actions - 1), actions - 1)",
    ),
    _engine(
        "greedy_over_the_wrong_axis",
        "not in the catalogue: axes exchanged",
        "chosen = only_legal(values, obs).argmax(axis=1)",
        "chosen = values.argmax(axis=0)[np.arange(count) % actions]",
    ),
    _engine(
        "greedy_takes_the_lowest",
        "not in the catalogue: costs taken for values",
        "chosen = only_legal(values, obs).argmax(axis=1)",
        "chosen = values.argmin(axis=1)",
    ),
    _engine(
        "actions_are_int32",
        "not in the catalogue: the protocol's integer type is ignored",
        "        return chosen\n",
        "        return chosen.astype(np.int32)\n",
    ),
    _engine(
        "one_draw_for_all_environments",
        "not in the catalogue: the environments explore in unison",
        "self._generator.random(count))",
        "np.full(count, self._generator.random()))",
    ),
    _engine(
        "probabilities_forget_the_greedy_action_is_random_too",
        "not in the catalogue: two formulas for one policy",
        "only_legal(values, obs).argmax(axis=1)] += 1 - epsilon",
        "only_legal(values, obs).argmax(axis=1)] = 1 - epsilon",
    ),
    _engine(
        "random_actions_are_never_the_greedy_one",
        "not in the catalogue: choose draws from the others, probabilities from all",
        "        return chosen\n",
        "        best = only_legal(values, obs).argmax(axis=1)\n"
        "        return np.where(random & (chosen == best), (chosen + 1) % actions, chosen)\n",
    ),
    _engine(
        "exploration_never_advances_its_generator",
        "not in the catalogue: a copy is drawn from, so that every call draws the same",
        "self._generator.random(count))",
        '__import__("copy").deepcopy(self._generator).random(count))',
    ),
    _engine(
        "explorations_share_a_generator",
        "not in the catalogue: an attribute of the class where one of the object is meant",
        "        self._generator = generator\n",
        "        type(self)._generator = generator\n",
    ),
    _engine(
        "exploration_writes_into_the_values",
        "not in the catalogue: the caller's array is changed",
        "chosen = only_legal(values, obs).argmax(axis=1)",
        "chosen = only_legal(values, obs).argmax(axis=1)\n        values[:] = 0",
    ),
    _engine(
        "exploration_keeps_the_last_values",
        "Itomigna2/Muesli-lunarlander#1",
        "chosen = only_legal(values, obs).argmax(axis=1)",
        'chosen = getattr(self, "_last", values).argmax(axis=1)\n        self._last = values',
    ),
    _engine(
        "exploration_does_not_load_its_generator",
        "DLR-RM/stable-baselines3#1526",
        '        self._generator.bit_generator.state = state["generator"]\n',
        "        pass\n",
    ),
    _engine(
        "probabilities_draw",
        "not in the catalogue: whoever asks changes what is done next",
        "result = allowed * (epsilon / allowed.sum(axis=1, keepdims=True))",
        "result = allowed * (epsilon / allowed.sum(axis=1, keepdims=True))\n        self._generator.random()",
    ),
    _plugin("boltzmann_multiplies_by_tau", "τ upside down", ")) / self._temperature)", ")) * self._temperature)"),
    _plugin("boltzmann_overflows", "exp of what is large", "(exact - exact.max(axis=1, keepdims=True))", "(exact)"),
    _plugin(
        "boltzmann_shares_a_row",
        "normalised along the wrong axis",
        "weights / weights.sum(axis=1, keepdims=True)",
        "weights / weights.sum()",
    ),
    _plugin(
        "ucb_is_not_a_root", "a bound too wide", "np.sqrt(np.log(tried.sum()) / tried)", "np.log(tried.sum()) / tried"
    ),
    _plugin(
        "ucb_counts_a_step_at_once",
        "environments in one state try the same action",
        "            tried = counts[state, actions]\n",
        "            before = counts.copy() if row == 0 else before\n            tried = before[state, actions]\n",
    ),
    _plugin(
        "ucb_counts_when_asked",
        "a missing copy",
        "self._counts.copy())\n        result",
        "self._counts)\n        result",
    ),
    _plugin(
        "ucb_counts_are_not_loaded",
        "state that is lost",
        '        self._counts[...] = state["counts"]\n',
        "        pass\n",
    ),
    _plugin(
        "ucb_never_tries_the_untried",
        "an infinite bound that became none",
        "chosen[row] = actions[tried.argmin()]",
        "chosen[row] = actions[values[row, actions].argmax()]",
    ),
    Mutant(
        name="random_actions_in_8_bits",
        component="exploration",
        row="not in the catalogue: more than 8 bits can count",
        plugins="dqn,chain",
        module="framework.defaults.exploration",
        old="actions - 1).astype(np.int64)",
        new="actions - 1).astype(np.int8)",
    ),
    Mutant(
        name="counts_of_ucb_in_8_bits",
        component="exploration",
        row="not in the catalogue: more than 8 bits can count",
        plugins="tabular,ucb,chain",
        module="plugins.ucb",
        old="np.zeros((states.count, actions), np.int64)",
        new="np.zeros((states.count, actions), np.int8)",
    ),
)
