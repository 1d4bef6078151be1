"""Small networks of every kind, for all tests that need some: each function makes one, with three outputs mostly."""

import keras
import numpy as np
from keras import layers

WIDTH = 6  # of the inputs of models that don't say how wide these are


def dense(*widths, inputs=4, activation=None):
    """Dense layers of these widths, with an activation in all but the last."""
    hidden = [layers.Dense(width, activation=activation) for width in widths[:-1]]
    return keras.Sequential([keras.Input((inputs,)), *hidden, layers.Dense(widths[-1])])


def tiny():
    """A network whose compressed file is about a hundred bytes."""
    return dense(3, 2, activation="relu")


def reference():
    """The reference network of notebook 19 with a softmax: 431,242 weights."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def convolutional():
    """The same kind, and small: convolutions, pooling, dropout, dense layers."""
    return keras.Sequential(
        [
            keras.Input((10, 10, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Conv2D(6, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dense(3),
        ]
    )


def residual():
    """Batch normalization, a sum in the middle, arithmetic between layers, a regularizer, names of its own."""
    inputs = keras.Input((8, 8, 3), name="picture")
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(inputs)
    x = layers.BatchNormalization(momentum=0.9)(x)
    y = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2", name="mine")(layers.ReLU()(x))
    y = layers.BatchNormalization()(layers.SeparableConv2D(4, 3, padding="same")(y))
    x = layers.Add()([x, y])
    x = keras.ops.relu(x * 2 + y)[:, 1:]
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def transformer():
    """Embeddings with a mask, attention, layer normalization."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 8, mask_zero=True)(inputs)
    attended = layers.MultiHeadAttention(2, 4, name="attention")(x, x, use_causal_mask=True)
    x = layers.LayerNormalization(epsilon=1e-6)(x + attended)
    x = layers.LayerNormalization()(x + layers.Dense(8)(layers.Dense(16, activation="gelu")(x)))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def two_outputs():
    """The transformer with what its last layer is given as a second output, both by name."""
    model = transformer()
    last = model.layers[-1]
    return keras.Model(model.inputs[0], {"classes": last.output, "pooled": last.input})


def recurrent():
    """Cells inside layers inside layers."""
    inputs = keras.Input((5, 3))
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.LSTM(4)(x)))


def shared():
    """One dense layer on two inputs, and once more on what it gave."""
    first, second = keras.Input((6,)), keras.Input((6,))
    layer = layers.Dense(6, activation="tanh", name="shared")
    return keras.Model([first, second], layers.Dense(3)(layers.Concatenate()([layer(layer(first)), layer(second)])))


def nested():
    """A functional model that is used twice, in a functional model, in a Sequential one."""
    inputs = keras.Input((6,))
    inner = keras.Model(inputs, layers.Dense(6, activation="relu", name="inside")(inputs), name="inner")
    return keras.Sequential([keras.Input((6,)), keras.Model(inputs, inner(inner(inputs))), layers.Dense(3)])


def lazy():
    """A Sequential without an Input, and a layer whose weights are also its statistics."""
    model = keras.Sequential([layers.Normalization(mean=0.5, variance=2.0), layers.Dense(3), layers.PReLU()])
    model.build((None, WIDTH))
    return model


@keras.saving.register_keras_serializable(package="tests")
class OwnModel(keras.Model):
    """A model of a class of its own, with layers in attributes and in a list."""

    def __init__(self, width=8, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.first = layers.Dense(width, activation="relu")
        self.more = [layers.Dense(width, activation="relu"), layers.Dropout(0.25)]
        self.last = layers.Dense(3)

    def call(self, x, training=None):
        x = self.first(x)
        for layer in self.more:
            x = layer(x)
        return self.last(x)

    def get_config(self):
        return {"width": self.width, "name": self.name}


def subclassed():
    """An OwnModel, built by a call on data."""
    model = OwnModel()
    model(np.zeros((1, WIDTH), "float32"))
    return model


def inputs_for(model, rows=8, seed=0):
    """Random inputs for a model: an array, or a list of them where it has several inputs."""
    rng = np.random.default_rng(seed)
    if not getattr(model, "inputs", None):
        return rng.normal(size=(rows, WIDTH)).astype("float32")
    drawn = [
        rng.integers(0, 11, (rows, *given.shape[1:]))
        if given.dtype == "int32"
        else rng.normal(size=(rows, *given.shape[1:])).astype("float32")
        for given in model.inputs
    ]
    return drawn[0] if len(drawn) == 1 else drawn


def array(variable):
    """A variable's or a tensor's value in NumPy."""
    return np.array(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable)))
