"""The games of Atari's console: every one in ale-py that a single player can play."""

from __future__ import annotations

GAMES = (
    *("adventure", "air_raid", "alien", "amidar", "assault", "asterix", "asteroids", "atlantis", "atlantis2"),
    *("backgammon", "bank_heist", "basic_math", "battle_zone", "beam_rider", "berzerk", "blackjack", "bowling"),
    *("boxing", "breakout", "carnival", "casino", "centipede", "chopper_command", "crazy_climber", "crossbow"),
    *("darkchambers", "defender", "demon_attack", "donkey_kong", "double_dunk", "earthworld", "elevator_action"),
    *("enduro", "entombed", "et", "fishing_derby", "flag_capture", "freeway", "frogger", "frostbite", "galaxian"),
    *("gopher", "gravitar", "hangman", "haunted_house", "hero", "human_cannonball", "ice_hockey", "jamesbond"),
    *("journey_escape", "kaboom", "kangaroo", "keystone_kapers", "king_kong", "klax", "koolaid", "krull"),
    *("kung_fu_master", "laser_gates", "lost_luggage", "mario_bros", "miniature_golf", "montezuma_revenge", "mr_do"),
    *("ms_pacman", "name_this_game", "othello", "pacman", "phoenix", "pitfall", "pitfall2", "pong", "pooyan"),
    *("private_eye", "qbert", "riverraid", "road_runner", "robotank", "seaquest", "sir_lancelot", "skiing"),
    *("solaris", "space_invaders", "space_war", "star_gunner", "superman", "surround", "tennis", "tetris"),
    *("tic_tac_toe_3d", "time_pilot", "trondead", "turmoil", "tutankham", "up_n_down", "venture", "video_checkers"),
    *("video_chess", "video_cube", "video_pinball", "wizard_of_wor", "word_zapper", "yars_revenge", "zaxxon"),
)
"""ALE's names, in alphabetical order. Without the four games in ale-py that need two players."""

SCREEN = (210, 160)
"""Rows and columns of most games' screens."""

ROWS = {
    **dict.fromkeys(("adventure", "air_raid", "keystone_kapers", "king_kong", "klax", "laser_gates"), 250),
    **dict.fromkeys(("mr_do", "pacman", "sir_lancelot", "space_war"), 250),
    "carnival": 214,
    "journey_escape": 230,
    "pooyan": 220,
}
"""The rows of the screens that have more than 210."""


def screen_of(game: str) -> tuple[int, int]:
    """Rows and columns of a game's screen, in pixels."""
    return ROWS.get(game, SCREEN[0]), SCREEN[1]
