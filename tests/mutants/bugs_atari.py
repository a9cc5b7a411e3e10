"""Bugs of `atari` and its preset `pong`: the wrappers and the two back ends."""

from tests.mutants.mutant import Mutant

PLUGINS = "dqn,pong"
LIVES = "dqn,atari"
WRAPPERS = "plugins.atari.wrappers"
SINGLE = "plugins.atari.single"
NATIVE = "plugins.atari.native"
DESCRIPTION = "plugins.atari.description"


def _bug(name: str, row: str, module: str, old: str, new: str, plugins: str = PLUGINS) -> Mutant:
    return Mutant(name=name, component="environment", row=row, plugins=plugins, module=module, old=old, new=new)


MUTANTS = (
    _bug(
        "emulators_stick_although_the_metadata_say_that_they_do_not",
        "not in the catalogue: episodes_per_seed is declared where play draws random numbers",
        NATIVE,
        "repeat_action_probability=options.sticky,",
        "repeat_action_probability=max(options.sticky, 0.25),",
    ),
    _bug(
        "stale_frame_where_the_episode_ends_inside_a_skip",
        "Farama-Foundation/Gymnasium#1692",
        WRAPPERS,
        "frames: deque[Frame] = deque(maxlen=2)",
        'frames = self.__dict__.setdefault("kept", deque(maxlen=2))',
    ),
    _bug(
        "last_frame_of_a_skip_alone",
        "not in the catalogue: objects that flicker are lost",
        WRAPPERS,
        "return np.maximum(frames[0], frames[-1]), total",
        "return frames[-1], total",
    ),
    _bug(
        "frames_of_a_skip_are_one_array",
        "kengz/SLM-Lab#313",
        WRAPPERS,
        "frames.append(np.array(obs))  # a copy",
        "frames.append(obs)  # a copy",
    ),
    _bug(
        "last_reward_of_a_skip_alone",
        "not in the catalogue: rewards are not summed",
        WRAPPERS,
        "total += float(reward)",
        "total = float(reward)",
    ),
    _bug(
        "rewards_of_a_skip_overflow",
        "sotetsuk/pgx#1034",
        WRAPPERS,
        "total += float(reward)",
        "total = float(np.array([total], np.int8).view(np.int8)[0] + np.array(reward, np.int8))",
    ),
    _bug(
        "skip_goes_on_after_the_end",
        "not in the catalogue: steps after the end",
        WRAPPERS,
        "                break\n",
        "                continue\n",
    ),
    _bug(
        "skip_swallows_the_truncation",
        "not in the catalogue: a flag is lost",
        WRAPPERS,
        "truncated and not terminated, info",
        "False, info",
    ),
    _bug(
        "lost_life_ends_the_episode",
        "Farama-Foundation/Gymnasium#166",
        WRAPPERS,
        "            total += float(reward)\n",
        "            total += float(reward)\n"
        '            before, self.__dict__["lives"] = self.__dict__.get("lives", 0), info.get("lives", 0)\n'
        '            terminated = terminated or self.__dict__["lives"] < before\n',
    ),
    _bug(
        "lost_life_at_the_start_taken_for_the_end",
        "DLR-RM/stable-baselines3#1060",
        WRAPPERS,
        "    def number(self) -> int:\n        return int(self.np_random",
        "    def step(self, action: Any) -> Any:\n"
        "        obs, reward, terminated, truncated, info = self.env.step(action)\n"
        '        return obs, reward, terminated or info.get("lives", 9) < 5, truncated, info\n\n'
        "    def number(self) -> int:\n        return int(self.np_random",
    ),
    _bug(
        "another_button_than_fire",
        "not in the catalogue: a name for another",
        WRAPPERS,
        'super().__init__(env, "FIRE")',
        'super().__init__(env, "NOOP")',
    ),
    _bug(
        "frame_of_before_the_start_is_shown",
        "not in the catalogue: the reset's own observation",
        WRAPPERS,
        "obs, _, terminated, truncated, info = self.env.step(self._action)",
        "_, _, terminated, truncated, info = self.env.step(self._action)",
    ),
    _bug(
        "one_no_op_too_few",
        "not in the catalogue: the upper bound is left out",
        WRAPPERS,
        "self.np_random.integers(1, self._most + 1)",
        "self.np_random.integers(0, self._most)",
    ),
    _bug(
        "no_ops_that_no_seed_decides",
        "not in the catalogue: a generator without a seed",
        WRAPPERS,
        "self.np_random.integers(1, self._most + 1)",
        "np.random.default_rng().integers(1, self._most + 1)",
    ),
    _bug(
        "start_runs_over_the_end",
        "not in the catalogue: an end that nobody looks at",
        WRAPPERS,
        "                    obs, info = self.env.reset(options=options)",
        "                    break",
    ),
    _bug(
        "stack_of_the_episode_before",
        "not in the catalogue: the stack crosses a reset",
        WRAPPERS,
        "self._frames.extend([before] * (self._k - 1) + [np.array(obs)])",
        "self._frames.extend(([before] * (self._k - 1) if not self._frames else []) + [np.array(obs)])",
    ),
    _bug(
        "prepared_stack_padded_the_other_way_round",
        "Farama-Foundation/Gymnasium#829",
        WRAPPERS,
        'before = np.zeros_like(obs) if self._padding == "zero" else np.array(obs)',
        'before = np.zeros_like(obs) if self._padding == "repeat" else np.array(obs)',
    ),
    _bug(
        "skip_on_the_emulator_s_own_skip",
        "Farama-Foundation/Arcade-Learning-Environment#443",
        SINGLE,
        "frameskip=1,",
        "frameskip=4,",
    ),
    _bug(
        "skip_by_gym_s_default",
        "openai/gym#2454",
        SINGLE,
        "frameskip=1,",
        "frameskip=(2, 5),",
    ),
    _bug(
        "skip_squared_in_threads",
        "Farama-Foundation/Arcade-Learning-Environment#443",
        NATIVE,
        "frameskip=options.frame_skip,",
        "frameskip=options.frame_skip**2,",
    ),
    _bug(
        "frames_are_not_pooled_in_threads",
        "not in the catalogue: one back end pools, and the other does not",
        NATIVE,
        "maxpool=True,",
        "maxpool=False,",
    ),
    _bug(
        "every_n_th_pixel",
        "not in the catalogue: what is small is lost between the pixels",
        SINGLE,
        "    env = ResizeObservation(env, (height, options.size))\n",
        "    kept, columns = [[i * n // m for i in range(m)] for n, m in ((210, height), (160, options.size))]\n"
        "    space = gymnasium.spaces.Box(0, 255, (height, options.size), env.observation_space.dtype.type)\n"
        "    env = gymnasium.wrappers.TransformObservation(env, lambda frame: frame[kept][:, columns], space)\n",
    ),
    _bug(
        "grey_weights_hide_a_paddle",
        "OpenAI Baselines notes",
        SINGLE,
        "    env = ResizeObservation(env, (height, options.size))\n",
        "    emulator = env.unwrapped.ale\n"
        "    grey = lambda frame: (emulator.getScreenRGB() @ [0.69, 0.31, 0.0]).astype('uint8')\n"
        "    env = gymnasium.wrappers.TransformObservation(env, grey, env.observation_space)\n"
        "    env = ResizeObservation(env, (height, options.size))\n",
    ),
    _bug(
        "court_is_cut_elsewhere_in_threads",
        "not in the catalogue: one of two places that cut the same picture",
        NATIVE,
        "height, self._rows = picture(options, screen_of(game.name))\n",
        "height, rows = picture(options, screen_of(game.name))\n        self._rows = slice(0, options.size)\n",
    ),
    _bug(
        "limit_counts_steps_for_frames",
        "not in the catalogue: another unit",
        SINGLE,
        "FrameSkip(TimeLimit(env, options.max_frames), options.frame_skip)",
        "TimeLimit(FrameSkip(env, options.frame_skip), options.max_frames)",
    ),
    _bug(
        "limit_terminates_in_threads",
        "openai/baselines#436",
        NATIVE,
        "return obs[:, 0, self._rows], rewards.astype(np.float64), terminated, truncated, found",
        "return obs[:, 0, self._rows], rewards.astype(np.float64), terminated | truncated, truncated & False, found",
    ),
    _bug(
        "actions_numbered_another_way",
        "not in the catalogue: two of ALE's actions exchanged",
        SINGLE,
        "chosen = [meanings.index(name) for name in names]",
        "chosen = [meanings.index(name) for name in (*names[:1], *names[:0:-1])]",
    ),
    _bug(
        "game_of_seed_0_has_no_seed",
        "ale-py changelog",
        NATIVE,
        "[NO_SEED if value is None else value for value in given]",
        "[NO_SEED if not value else value for value in given]",
    ),
    _bug(
        "all_games_have_the_first_one_s_seed",
        "hill-a/stable-baselines#675",
        NATIVE,
        "[NO_SEED if value is None else value for value in given]",
        "[NO_SEED if value is None else given[0] for value in given]",
    ),
    _bug(
        "evaluation_is_clipped",
        "not in the catalogue: rewards clipped in the score, too",
        DESCRIPTION,
        'if role == "train" and options.clip_rewards',
        "if options.clip_rewards",
    ),
    _bug(
        "manifest_without_the_skip",
        "openai/gym#2454",
        DESCRIPTION,
        '        "frame_skip": options.frame_skip,\n        "protocol": protocol,',
        '        "frame_skip": 1,\n        "protocol": protocol,',
    ),
    _bug(
        "lost_lives_are_not_told_in_threads",
        "not in the catalogue: one of two back ends counts no lives",
        NATIVE,
        "(self._lives < before)",
        "(self._lives > before)",
        LIVES,
    ),
    _bug(
        "each_life_after_the_first_is_told_again",
        "not in the catalogue: lives are compared with those at the start",
        WRAPPERS,
        'before, self._lives = self._lives, info["lives"]',
        'before, left = self._lives, info["lives"]\n        self.__dict__["_lives"] = before if left else left',
        LIVES,
    ),
    _bug(
        "evaluations_end_with_a_life",
        "Farama-Foundation/Gymnasium#166",
        DESCRIPTION,
        'return game.life_loss and role == "train"',
        "return game.life_loss",
        LIVES,
    ),
)
