"""Bugs of the buffer that shows some rows in the mirror."""

from tests.mutants.mutant import Mutant


def _bug(name: str, row: str, old: str, new: str, component: str = "buffer") -> Mutant:
    return Mutant(
        name=name,
        component=component,
        row=f"not in the catalogue: {row}",
        plugins="dqn,mirror,chain",
        module="plugins.mirror.buffer",
        old=old,
        new=new,
    )


MUTANTS = (
    _bug(
        "the_mirror_leaves_actions",
        "a picture turned round with the action that was right the other way round",
        "            action=self._exchanged(batch.action, rows),\n",
        "",
    ),
    _bug(
        "the_mirror_leaves_next_actions",
        "an on-policy target for the wrong action",
        "            read_next_action=lambda: self._exchanged(batch.next_action, rows),\n",
        "",
    ),
    _bug(
        "the_mirror_leaves_successors",
        "a transition from one side to the other",
        "            read_next_obs=lambda: self._turned(batch.next_obs, rows),\n",
        "",
    ),
    _bug(
        "the_mirror_exchanges_no_action_for_the_last",
        "−1 is the last entry of an array",
        "[*mirror.actions, -1]",
        "mirror.actions",
    ),
    _bug(
        "the_mirror_turns_what_the_buffer_keeps",
        "the buffer's own array is written to",
        "turned = obs.copy()  # the array may belong to the other buffer",
        "turned = obs",
    ),
    _bug(
        "the_mirror_turns_another_axis",
        "left and right for up and down",
        "np.flip(obs[rows], self._axis)",
        "obs[rows, ..., ::-1]",
    ),
    _bug(
        "the_mirror_turns_the_stack",
        "the newest frame becomes the oldest",
        "np.flip(obs[rows], self._axis)",
        "np.flip(obs[rows], 1)",
    ),
    _bug(
        "the_mirror_turns_every_row",
        "the game is never seen as it is",
        ".random(len(batch)) < 0.5",
        ".random(len(batch)) < 2",
    ),
    _bug("the_mirror_turns_no_row", "the plugin does nothing", ".random(len(batch)) < 0.5", ".random(len(batch)) < 0"),
    _bug(
        "the_mirror_s_generator_is_not_loaded",
        "drawn by a seed: a resumed run mirrors other rows",
        '            self._buffer.load_state_dict(state["buffer"])\n        self._load_own_state(state)\n',
        '            self._buffer.load_state_dict(state["buffer"])\n',
    ),
    _bug(
        "the_mirror_s_generator_is_not_loaded_from_segments",
        "the way of a checkpoint is another than that of a state",
        'state["buffer"], segments)\n        self._load_own_state(state)\n',
        'state["buffer"], segments)\n',
    ),
)
