"""A zoo: networks of many kinds, small and untrained, for test_zoo.py. Each function makes one, compiled nowhere."""

import keras
import numpy as np
from keras import layers, ops
from networks import WIDTH, OwnModel


# --- pictures ---------------------------------------------------------------------------------------------------------
def conv(filters, size=3, **more):
    return layers.Conv2D(filters, size, padding="same", **more)


def lenet():
    """Two convolutions with average pooling, then dense layers (LeCun 1998)."""
    some = [layers.Conv2D(6, 5, activation="tanh"), layers.AveragePooling2D(2), layers.Conv2D(16, 3, activation="tanh")]
    dense = [layers.Flatten(), layers.Dense(24, "tanh"), layers.Dense(16, "tanh"), layers.Dense(3, "softmax")]
    return keras.Sequential([keras.Input((16, 16, 1)), *some, layers.AveragePooling2D(2), *dense])


def vgg():
    """Blocks of two convolutions and a pooling, and dropout between the dense layers."""
    blocks = []
    for filters in (8, 16):
        blocks += [conv(filters, activation="relu"), conv(filters, activation="relu"), layers.MaxPooling2D()]
    dense = [layers.Flatten(), layers.Dense(32, "relu"), layers.Dropout(0.5), layers.Dense(3)]
    return keras.Sequential([keras.Input((12, 12, 3)), *blocks, *dense])


def resnet():
    """Residual blocks with batch normalization; where the size changes, the shortcut is a convolution of 1 × 1."""
    inputs = keras.Input((12, 12, 3))
    x = layers.ReLU()(layers.BatchNormalization()(conv(8, use_bias=False)(inputs)))
    for filters, stride in ((8, 1), (16, 2)):
        y = layers.BatchNormalization()(conv(filters, strides=stride, use_bias=False)(x))
        y = layers.BatchNormalization()(conv(filters, use_bias=False)(layers.ReLU()(y)))
        short = x if stride == 1 else layers.BatchNormalization()(conv(filters, 1, strides=2, use_bias=False)(x))
        x = layers.ReLU()(layers.Add()([y, short]))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def densenet():
    """Each convolution sees the outputs of all before it."""
    inputs = keras.Input((10, 10, 3))
    x = conv(8)(inputs)
    for _ in range(4):
        y = conv(8, use_bias=False)(layers.Activation("relu")(layers.BatchNormalization()(x)))
        x = layers.Concatenate()([x, y])
    x = layers.AveragePooling2D(2)(conv(12, 1)(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalMaxPooling2D()(x)))


def inception():
    """Convolutions of 1 × 1, 3 × 3 and 5 × 5 and a pooling side by side, twice."""
    x = inputs = keras.Input((10, 10, 3))
    for _ in range(2):
        three = conv(8, activation="relu")(conv(6, 1, activation="relu")(x))
        five = conv(6, 5, activation="relu")(conv(4, 1, activation="relu")(x))
        pooled = conv(4, 1, activation="relu")(layers.MaxPooling2D(3, strides=1, padding="same")(x))
        x = layers.Concatenate()([conv(8, 1, activation="relu")(x), three, five, pooled])
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def depthwise_separable():
    """MobileNet's blocks: a filter for each channel, then a mixture of the channels, with ReLU6."""
    x = inputs = keras.Input((16, 16, 3))
    for filters, stride in ((16, 2), (32, 1), (48, 2)):
        x = layers.ZeroPadding2D(1)(x)
        x = layers.DepthwiseConv2D(3, strides=stride, use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.ReLU(6.0)(layers.BatchNormalization()(conv(filters, 1, use_bias=False)(x)))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def squeeze_and_excitation():
    """Each channel times a number that follows from all channels' means; grouped convolutions as in ResNeXt."""
    x = inputs = keras.Input((10, 10, 8))
    for _ in range(2):
        y = conv(16, groups=4, activation="silu")(x)
        s = layers.Dense(4, "relu")(layers.GlobalAveragePooling2D(keepdims=True)(y))
        x = conv(8)(layers.Multiply()([y, layers.Dense(16, "sigmoid")(s)])) + x
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def unet():
    """Down by pooling, up by transposed convolutions, and bridges between; a picture comes out."""
    inputs = keras.Input((12, 12, 3))
    first = conv(8, activation="relu")(inputs)
    second = conv(12, activation="relu")(layers.MaxPooling2D()(first))
    x = conv(16, activation="relu")(layers.MaxPooling2D()(second))
    for filters, bridge in ((12, second), (8, first)):
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = conv(filters, activation="relu")(layers.Concatenate()([x, bridge]))
    return keras.Model(inputs, conv(1, 1, activation="sigmoid")(x))


def convolutional_autoencoder():
    """Encoder and decoder as models of their own, with noise on the inputs and upsampling in the decoder."""
    down = [conv(12, strides=2, activation="relu"), conv(8, strides=2, activation="relu")]
    encoder = keras.Sequential([keras.Input((12, 12, 1)), layers.GaussianNoise(0.1), *down], name="encoder")
    up = [layers.UpSampling2D(), conv(12, activation="relu"), layers.UpSampling2D(interpolation="bilinear"), conv(1)]
    decoder = keras.Sequential([keras.Input((3, 3, 8)), conv(8, activation="relu"), *up], name="decoder")
    return keras.Model(encoder.inputs[0], decoder(encoder.outputs[0]))


def generator():
    """A GAN's generator: numbers become a picture."""
    some = [layers.Dense(9 * 16, use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(0.2)]
    up = [layers.Conv2DTranspose(n, 4, strides=2, padding="same", activation="relu") for n in (12, 8)]
    last = layers.Conv2DTranspose(1, 3, padding="same", activation="tanh")
    return keras.Sequential([keras.Input((16,)), *some, layers.Reshape((3, 3, 16)), *up, last])


def discriminator():
    """A GAN's discriminator, whose kernels are divided by their spectral norm."""
    some = [layers.SpectralNormalization(conv(n, strides=2)) for n in (8, 16)]
    activated = [layer for one in some for layer in (one, layers.LeakyReLU(0.2), layers.Dropout(0.3))]
    last = layers.SpectralNormalization(layers.Dense(1))
    return keras.Sequential([keras.Input((12, 12, 3)), *activated, layers.Flatten(), last])


def group_normalization():
    """GroupNormalization and PReLU, whose slopes are weights too, and UnitNormalization at the end."""
    x = inputs = keras.Input((10, 10, 4))
    for filters in (8, 16):
        x = layers.PReLU(shared_axes=(1, 2))(layers.GroupNormalization(4)(conv(filters)(x)))
    x = layers.UnitNormalization()(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(3)(layers.PReLU()(layers.Dense(24)(x))))


def _beginning(model, last):
    """A large network up to a layer, by its name, and an output: what follows has the same layers with more weights."""
    x = layers.GlobalAveragePooling2D()(model.get_layer(last).output)
    return keras.Model(model.input, layers.Dense(3, "softmax")(layers.Dropout(0.2)(x)))


def efficientnet():
    """Of EfficientNetB0 the first four blocks: squeeze-and-excitation inside residuals, normalized in front."""
    return _beginning(keras.applications.EfficientNetB0(weights=None, input_shape=(32, 32, 3)), "block3a_project_bn")


def mobilenet_v2():
    """Of the narrowest MobileNetV2 the first seven blocks: wide in the middle, narrow at both ends."""
    whole = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35)
    return _beginning(whole, "block_6_project_BN")


@keras.saving.register_keras_serializable(package="tests")
class ClassToken(layers.Layer):
    """Puts one learned row before the rows of a sequence: (n, rows, width) becomes (n, 1 + rows, width)."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="random_normal", name="token")

    def call(self, x):
        return ops.concatenate([ops.repeat(self.token, ops.shape(x)[0], axis=0), x], axis=1)

    def get_prunable_weights(self):
        return []

    get_clusterable_weights = get_prunable_weights


@keras.saving.register_keras_serializable(package="tests")
class Positions(layers.Layer):
    """Adds a learned row to each row of a sequence, from an embedding inside."""

    def build(self, shape):
        self.rows = layers.Embedding(shape[1], shape[2], name="rows")
        self.rows.build(None)

    def call(self, x):
        return x + self.rows(ops.arange(x.shape[1]))


def vision_transformer():
    """Patches of a picture as a sequence; a class token and positions are learned by layers of classes of our own."""
    inputs = keras.Input((12, 12, 3))
    x = layers.Reshape((9, 24))(layers.Conv2D(24, 4, strides=4, name="patches")(inputs))
    x = Positions(name="positions")(ClassToken(name="class_token")(x))
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + layers.MultiHeadAttention(4, 6, dropout=0.1)(y, y)
        x = x + layers.Dense(24)(layers.Dense(48, "gelu")(layers.LayerNormalization(epsilon=1e-6)(x)))
    return keras.Model(inputs, layers.Dense(3)(layers.LayerNormalization()(x)[:, 0]))


def mlp_mixer():
    """Dense layers across the patches and across the channels in turn."""
    inputs = keras.Input((12, 12, 3))
    x = layers.Reshape((16, 16))(conv(16, 3, strides=3)(inputs))
    for _ in range(2):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        x = x + layers.Permute((2, 1))(layers.Dense(16)(layers.Dense(24, "gelu")(y)))
        x = x + layers.Dense(16)(layers.Dense(32, "gelu")(layers.LayerNormalization()(x)))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


# --- series, text, video ----------------------------------------------------------------------------------------------
def wavenet():
    """Causal convolutions with growing gaps, gates, and the sum of all of them as the output."""
    x = inputs = keras.Input((32, 1))
    x, skips = layers.Conv1D(12, 2, padding="causal")(x), []
    for gap in (1, 2, 4, 8):
        how = {"padding": "causal", "dilation_rate": gap}
        y = layers.Conv1D(12, 2, activation="tanh", **how)(x) * layers.Conv1D(12, 2, activation="sigmoid", **how)(x)
        skips.append(layers.Conv1D(12, 1)(y))
        x = x + skips[-1]
    return keras.Model(inputs, layers.Conv1D(1, 1)(layers.ReLU()(layers.Add()(skips))))


def separable_series():
    """Separable convolutions of one dimension, transposed ones and a depthwise one."""
    some = [layers.SeparableConv1D(24, 5, activation="relu", depth_multiplier=2), layers.MaxPooling1D()]
    more = [layers.SeparableConv1D(32, 3, activation="relu"), layers.DepthwiseConv1D(3), layers.Conv1DTranspose(8, 2)]
    end = [layers.SpatialDropout1D(0.1), layers.GlobalAveragePooling1D(), layers.Dense(3)]
    return keras.Sequential([keras.Input((24, 6)), *some, *more, *end])


def convolution_and_lstm():
    some = [layers.Conv1D(16, 5, activation="relu"), layers.MaxPooling1D(2), layers.LSTM(16, dropout=0.2)]
    return keras.Sequential([keras.Input((24, 3)), *some, layers.Dense(3, kernel_regularizer="l2")])


def bidirectional_gru():
    """Words with a mask, read in both directions twice."""
    first = layers.Bidirectional(layers.GRU(8, return_sequences=True))
    second = layers.Bidirectional(layers.GRU(8, reset_after=False), merge_mode="sum")
    some = [layers.Embedding(11, 12, mask_zero=True), first, second, layers.Dense(3)]
    return keras.Sequential([keras.Input((7,), dtype="int32"), *some])


def stacked_cells():
    """Cells of three kinds in one recurrent layer; a series is copied and given back."""
    cells = [layers.LSTMCell(12), layers.GRUCell(12), layers.SimpleRNNCell(12)]
    back = [
        layers.RepeatVector(6),
        layers.SimpleRNN(12, return_sequences=True),
        layers.TimeDistributed(layers.Dense(3)),
    ]
    return keras.Sequential([keras.Input((6, 3)), layers.RNN(cells), *back])


def translator():
    """An LSTM's last states begin another, which attends to what the first gave."""
    source, target = keras.Input((6,), dtype="int32"), keras.Input((5,), dtype="int32")
    seen, *states = layers.LSTM(12, return_sequences=True, return_state=True)(layers.Embedding(11, 12)(source))
    x = layers.LSTM(12, return_sequences=True)(layers.Embedding(11, 12)(target), initial_state=states)
    x = layers.Concatenate()([x, layers.Attention(use_scale=True)([x, seen])])
    return keras.Model([source, target], layers.Dense(11, "softmax")(x))


def convolutional_lstm():
    some = [layers.ConvLSTM2D(6, 3, padding="same", return_sequences=True), layers.BatchNormalization()]
    end = [layers.ConvLSTM2D(4, 3), layers.Flatten(), layers.Dense(3)]
    return keras.Sequential([keras.Input((3, 6, 6, 2)), *some, *end])


def video():
    """Convolutions in time and space."""
    some = [layers.Conv3D(8, 3, activation="relu"), layers.MaxPooling3D((1, 2, 2)), layers.Conv3D(12, 2)]
    return keras.Sequential([keras.Input((4, 10, 10, 2)), *some, layers.GlobalAveragePooling3D(), layers.Dense(3)])


def each_frame_then_lstm():
    """A convolutional network for each picture, and a recurrent layer over what it gave."""
    frame = [conv(8, strides=2, activation="relu"), conv(16, strides=2, activation="relu"), layers.Flatten()]
    seen = layers.TimeDistributed(keras.Sequential([keras.Input((8, 8, 2)), *frame]))
    return keras.Sequential([keras.Input((3, 8, 8, 2)), seen, layers.LSTM(12), layers.Dense(3)])


def encoder_with_mask():
    """Words with a mask, attention to those that are there, the mean over them."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 16, mask_zero=True)(inputs)
    for _ in range(2):
        x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(4, 4)(x, x)]))
        x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(16)(layers.Dense(32, "gelu")(x))]))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def grouped_queries():
    """As language models are made now: RMSNormalization, queries that share keys, gated dense layers, a causal mask."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 16)(inputs)
    for _ in range(2):
        y = layers.RMSNormalization()(x)
        x = x + layers.GroupQueryAttention(4, 4, 2, use_bias=False)(y, y, use_causal_mask=True)
        y = layers.RMSNormalization()(x)
        x = x + layers.Dense(16, use_bias=False)(layers.Dense(24, "silu", use_bias=False)(y) * layers.Dense(24)(y))
    words = layers.EinsumDense("abc,cd->abd", (None, 11), bias_axes="d")
    return keras.Model(inputs, words(layers.RMSNormalization()(x)))


# --- tables, graphs, several inputs -----------------------------------------------------------------------------------
def siamese():
    """One network on two pictures, and how far apart what it gives is."""
    inside = [conv(8, activation="relu"), layers.MaxPooling2D(), conv(16, activation="relu"), layers.Flatten()]
    tower = keras.Sequential([keras.Input((8, 8, 1)), *inside, layers.Dense(12)], name="tower")
    one, other = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    return keras.Model([one, other], layers.Dense(1, "sigmoid")(ops.abs(tower(one) - tower(other))))


def several_inputs_and_outputs():
    """A picture, words and numbers, by name; a class, a number and a vector, by name."""
    given = {
        "picture": keras.Input((8, 8, 1), name="picture"),
        "words": keras.Input((5,), dtype="int32", name="words"),
        "numbers": keras.Input((4,), name="numbers"),
    }
    seen = layers.Flatten()(conv(8, strides=2, activation="relu")(given["picture"]))
    read = layers.LSTM(12)(layers.Embedding(11, 8)(given["words"]))
    x = layers.Dense(24, "relu")(layers.Concatenate()([seen, read, given["numbers"]]))
    ends = {"class": layers.Dense(3, "softmax", name="class")(x), "age": layers.Dense(1, name="age")(x), "vector": x}
    return keras.Model(given, ends)


def wide_and_deep():
    """Crossed columns straight to the output, embeddings of columns and numbers through dense layers."""
    columns, numbers = keras.Input((3,), dtype="int32"), keras.Input((5,))
    wide = layers.CategoryEncoding(11, output_mode="multi_hot")(columns)
    deep = [layers.Flatten()(layers.Embedding(11, 8)(columns[:, place : place + 1])) for place in range(3)]
    deep = layers.Concatenate()([*deep, layers.BatchNormalization()(numbers)])
    deep = layers.Dense(16, "relu")(layers.Dense(32, "relu")(deep))
    return keras.Model([columns, numbers], layers.Dense(1)(wide) + layers.Dense(1, "sigmoid")(deep))


def recommender():
    """The product of a user's and an item's vector, each with a bias."""
    user, item = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    vectors = [layers.Flatten()(layers.Embedding(40, 16)(one)) for one in (user, item)]
    biases = [layers.Flatten()(layers.Embedding(40, 1)(one)) for one in (user, item)]
    return keras.Model([user, item], layers.Add()([layers.Dot(axes=1, normalize=True)(vectors), *biases]))


def graph_convolution():
    """Nodes that take the mean of their neighbors: the graph is an input."""
    nodes, graph = keras.Input((8, 12)), keras.Input((8, 8))
    weights, x = layers.Softmax()(graph), nodes
    for width in (24, 24):
        x = layers.Dense(width, "elu")(ops.matmul(weights, x))
    return keras.Model([nodes, graph], layers.Dense(3)(ops.mean(x, axis=1)))


def normalized_in_front():
    """Numbers whose mean and variance were measured, then dense layers that normalize themselves."""
    layer = layers.Normalization()
    layer.adapt(5 + 3 * np.random.default_rng(0).normal(size=(64, 8)))
    dense = [layers.Dense(32, "selu", kernel_initializer="lecun_normal"), layers.AlphaDropout(0.1), layers.Dense(24)]
    return keras.Sequential([keras.Input((8,)), layer, *dense, layers.Dense(3)])


def nested():
    """Sequential models, one of them used twice, in a functional one in a functional one."""
    inputs, inner = keras.Input((12,)), keras.Input((12,))
    twice = keras.Sequential([keras.Input((12,)), layers.Dense(24, "relu"), layers.Dense(12)], name="twice")
    middle = keras.Model(inner, twice(twice(inner)) + inner, name="middle")
    end = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(3)], name="end")
    return keras.Model(inputs, end(middle(inputs)))


def own_call():
    """A model of a class of its own, which the file doesn't hold: the class is handed over."""
    model = OwnModel(width=32)
    model(np.zeros((1, WIDTH), "float32"))
    return model


def _with_policy(policy, make):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return make()
    finally:
        keras.config.set_dtype_policy(before)


def mixed_float16():
    return _with_policy("mixed_float16", convolution_and_lstm)


def mixed_bfloat16():
    return _with_policy("mixed_bfloat16", resnet)


# fmt: off
ZOO = (
    lenet, vgg, resnet, densenet, inception, depthwise_separable, squeeze_and_excitation, unet,
    convolutional_autoencoder, generator, discriminator, group_normalization, efficientnet, mobilenet_v2,
    vision_transformer, mlp_mixer, wavenet, separable_series, convolution_and_lstm, bidirectional_gru,
    stacked_cells, translator, convolutional_lstm, video, each_frame_then_lstm, encoder_with_mask, grouped_queries,
    siamese, several_inputs_and_outputs, wide_and_deep, recommender, graph_convolution, normalized_in_front, nested,
    own_call, mixed_float16, mixed_bfloat16,
)
# fmt: on
OWN = {
    "vision_transformer": {"tests>ClassToken": ClassToken, "tests>Positions": Positions},
    "own_call": {"tests>OwnModel": OwnModel},
}  # what a kind's file needs besides Keras's own layers
