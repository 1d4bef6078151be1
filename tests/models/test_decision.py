"""The grid world: where moves lead, what games give, what is learned from them."""

import numpy as np

from coursekit.models import decision

RIGHT, DOWN, LEFT, UP = range(4)


def test_moves_and_walls():
    assert decision.moved(np.array([0, 0, 5, 5, 3, 12]), np.array([LEFT, UP, RIGHT, UP, RIGHT, DOWN])).tolist() == [
        0, 0, 6, 1, 3, 12,
    ]  # fmt: skip


def test_a_game_ends_at_the_goal_or_after_15_steps():
    way = [RIGHT] * 3 + [DOWN] * 3
    places, actions, returns = decision.games(2, lambda step, places, actions: np.full(2, way[step % 6]))
    assert returns.tolist() == [-6, -6] and places[0].tolist() == [0, 1, 2, 3, 7, 11] + [-1] * 9
    assert actions[0].tolist() == way + [-1] * 9
    _, actions, returns = decision.games(1, lambda step, places, actions: np.array([LEFT]))
    assert returns.tolist() == [-30] and (actions == LEFT).all()


def test_q_learning_finds_the_shortest_way_from_a_poor_players_games():
    places, actions, returns = decision.games(500, decision.poor_player(np.random.default_rng(0)))
    q = decision.q_learning(places, actions, sweeps=40)
    assert returns.mean() < -15
    assert decision.games(1, decision.best_player(q))[2].tolist() == [-6]
    assert abs(q[0].max() + 6) < 0.2 and abs(q[14, RIGHT] + 1) < 1e-2


def test_examples_hold_what_stood_before_each_action():
    places, actions, _ = decision.games(
        1, lambda step, places, actions: np.array([[DOWN, LEFT, DOWN, DOWN, RIGHT, RIGHT, RIGHT][step % 7]])
    )
    (to_go, at, did), targets = decision.examples(places, actions, memory=2)
    assert targets.tolist() == [DOWN, LEFT, DOWN, DOWN, RIGHT, RIGHT, RIGHT]
    assert to_go.tolist() == [[0, 7], [7, 6], [6, 5], [5, 4], [4, 3], [3, 2], [2, 1]]
    assert at[:3].tolist() == [[0, 1], [1, 5], [5, 5]]  # counted from 1
    assert did[1].tolist() == [DOWN + 1, LEFT + 1]


def test_the_last_action_is_not_looked_at():
    model = decision.DecisionTransformer(memory=2, width=8, heads=2, hidden=8)
    three = [np.array([[3, 2]]), np.array([[4, 5]]), np.array([[1, 2]])]
    other = [three[0], three[1], np.array([[1, 4]])]
    first = [three[0], three[1], np.array([[3, 2]])]
    from keras import ops

    logits = [ops.convert_to_numpy(model(one)) for one in (three, other, first)]
    assert np.allclose(logits[0], logits[1]) and not np.allclose(logits[0], logits[2])
