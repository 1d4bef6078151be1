"""A grid world, a poor player's games, Q-learning and a small decision transformer on them. Born in notebook 11.

The world has 4 x 4 places. A game begins at place 0, at the top left, and ends at place 15, at the bottom right, or
after 15 steps. Each step costs 1, and who hasn't come to the goal by then pays 15 more: returns are -6 at best, -15 at
worst for those who came, and -30 for the others. Decision transformer as in Chen and others (2021), arXiv:2106.01345;
Q-learning as in Watkins and Dayan (1992), doi:10.1007/BF00992698.
"""

import keras
import numpy as np
from keras import ops

from coursekit.layers.attention import LayerNormalization, causal_mask, positional_encoding
from coursekit.models.transformer import EncoderBlock

SIDE, STEPS, GOAL, MISSED = 4, 15, 15, 15  # MISSED: what it costs not to come to the goal
MOVES = {"right": (0, 1), "down": (1, 0), "left": (0, -1), "up": (-1, 0)}


def moved(places, actions):
    """Where places (n,) lead by actions (n,), 0 to 3 in the order of MOVES; who meets a wall stays."""
    rows, columns = np.divmod(places, SIDE)
    steps = np.array(list(MOVES.values()))[actions]
    return np.clip(rows + steps[:, 0], 0, SIDE - 1) * SIDE + np.clip(columns + steps[:, 1], 0, SIDE - 1)


def games(n, choose):
    """n games: places (n, 15) and actions (n, 15), with -1 behind the end, and returns (n,).

    choose(step, places, actions) gives the actions (n,) of all games from what was played so far.
    """
    places, actions = np.full((n, STEPS), -1), np.full((n, STEPS), -1)
    now, playing, returns = np.zeros(n, dtype=int), np.ones(n, dtype=bool), np.zeros(n)
    for step in range(STEPS):
        places[playing, step] = now[playing]
        chosen = np.asarray(choose(step, places, actions))
        actions[playing, step] = chosen[playing]
        now = np.where(playing, moved(now, chosen), now)
        returns -= playing
        playing &= now != GOAL
    return places, actions, returns - MISSED * playing


def poor_player(rng, probabilities=(0.3, 0.3, 0.2, 0.2)):
    """A player that draws right, down, left and up with these probabilities, wherever it is."""
    return lambda step, places, actions: rng.choice(4, size=len(places), p=probabilities)


def q_learning(places, actions, sweeps=20, learning_rate=1.0):
    """The table Q (16, 4) from games that were played: the return from each action on, if the best ones follow.

    A step of a game calls for Q(place, action) = -1 + the largest Q of the next place, which is 0 at the goal. Each
    sweep moves Q toward the mean of what all steps with this place and action call for.
    """
    q = np.zeros((SIDE**2, 4))
    played = actions >= 0
    at, did = places[played], actions[played]
    after = moved(at, did)
    for _ in range(sweeps):
        target = -1 + np.where(after == GOAL, 0, q[after].max(axis=1))
        change, times = np.zeros_like(q), np.zeros_like(q)
        np.add.at(change, (at, did), target - q[at, did])
        np.add.at(times, (at, did), 1)
        q += learning_rate * change / np.maximum(times, 1)
    return q


def best_player(q):
    """The player that takes the best action of a table Q (16, 4)."""
    return lambda step, places, actions: q[places[:, step]].argmax(axis=1)


class DecisionTransformer(keras.Model):
    """What to do next, from the last `memory` steps: logits (batch, 4).

    inputs: return to go, place and action of each step, (batch, memory) each, whole numbers; 0 where the game had not
    begun, so places and actions are counted from 1 and a return of -r is written r. The last action is not looked at.
    """

    def __init__(self, memory=3, width=32, heads=4, hidden=64, blocks=1):
        super().__init__()
        kinds = {"returns": STEPS + MISSED + 1, "places": SIDE**2 + 1, "actions": 5}
        start = {"embeddings_initializer": keras.initializers.RandomNormal(stddev=1.0)}
        self.tables = [keras.layers.Embedding(number, width, name=name, **start) for name, number in kinds.items()]
        self.positions = ops.convert_to_tensor(positional_encoding(3 * memory, width))
        self.blocks = [EncoderBlock(width, heads, hidden) for _ in range(blocks)]
        self.norm, self.logits, self.memory, self.width = LayerNormalization(), keras.layers.Dense(4), memory, width

    def call(self, inputs):
        """Logits of the next action (batch, 4)."""
        three = [table(one) for table, one in zip(self.tables, inputs, strict=True)]  # (batch, memory, width) each
        x = ops.reshape(ops.stack(three, axis=2), (-1, 3 * self.memory, self.width)) + self.positions
        x = x[:, :-1]  # return, place, action, return, place, action, ..., return, place
        for block in self.blocks:
            x = block(x, causal_mask(3 * self.memory - 1))
        return self.logits(self.norm(x[:, -1]))


def last_steps(step, to_go, places, actions, memory):
    """The inputs of a DecisionTransformer before a step: three arrays (n, memory), filled up with 0 in front.

    to_go: (n, 15), the returns to go of each step as positive numbers; places and actions as `games` gives them.
    """
    three = []
    for values, first in ((to_go, 0), (places, 1), (actions, 1)):
        padded = np.pad(values[:, : step + 1] + first, ((0, 0), (memory, 0)))
        three.append(padded[:, -memory:].astype("int32"))
    return three


def examples(places, actions, memory):
    """Every step of every game as an example: inputs, three arrays (n, memory), and the action that was taken (n,)."""
    inputs, targets = [], []
    length = (actions >= 0).sum(axis=1)
    last = moved(places[np.arange(len(places)), length - 1], actions[np.arange(len(places)), length - 1])
    cost = length + MISSED * (last != GOAL)
    to_go = np.maximum(cost[:, None] - np.arange(STEPS), 0)  # (games, 15)
    for step in range(STEPS):
        playing = length > step
        three = last_steps(step, to_go[playing], places[playing], actions[playing], memory)
        inputs.append(np.stack(three))
        targets.append(actions[playing, step])
    return list(np.concatenate(inputs, axis=1)), np.concatenate(targets)


def asking_player(model, wanted, rng):
    """A player that asks the model for a return of `wanted`, such as -6, and draws from its probabilities."""

    def choose(step, places, actions):
        to_go = np.clip(-wanted - np.arange(STEPS), 1, STEPS + MISSED) * np.ones((len(places), 1), dtype=int)
        inputs = last_steps(step, to_go, np.maximum(places, 0), actions, model.memory)
        p = ops.convert_to_numpy(ops.softmax(model(inputs))).astype(float)
        return (p.cumsum(axis=1) / p.sum(axis=1, keepdims=True) < rng.random((len(p), 1))).sum(axis=1).clip(0, 3)

    return choose
