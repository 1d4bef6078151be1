"""A model's architecture in about a hundred bytes, and built again from them without running anyone's code.

Keras describes the reference network of notebook 19 in 5,563 characters of JSON. Almost all of them follow from the
rest: defaults, names that Keras counts up, shapes that the layers compute, wires from each layer to the next. `pack`
leaves those out and deflates what is left against a dictionary of frequent words; `unpack` puts them back. What was
left out is fixed in this module and not asked of the Keras that reads, so that a file keeps its meaning when a default
changes. `pack` unpacks its own result and compares, and falls back to writing an object out in full.

A description names classes, and naming is all it can do: only those in `ALLOWED` are built, all of them Keras's own.
Born in notebook 19.
"""

import copy
import importlib
import inspect
import json
import re
import zlib

from coursekit.errors import CompressedFileError
from coursekit.keras_internals import FUNCTIONAL_MODULE, OPERATION_MODULES, every_layer, object_sharing

MOST_TEXT = 2**22  # characters of a description; a network of a thousand layers has a tenth of that
MOST_DEPTH = 60
MOST_LOOPS = 1000  # steps of a loop that Keras would unroll while it builds a layer

# What a file may name. Left out on purpose: Lambda, TFSMLayer, TorchModuleWrapper, JaxLayer and FlaxLayer run foreign
# code; StringLookup, TextVectorization and their like open files that the description names (_TABLES).
ALLOWED = {
    "keras.layers": """
        Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
        AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention
        AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional
        CategoryEncoding CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
        ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D
        Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU GRUCell GaussianDropout
        GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D
        GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention GroupedQueryAttention Identity
        InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum
        Minimum MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization RNN RandomBrightness
        RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing
        RandomFlip RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation
        RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape
        Resizing ReversibleEmbedding SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax Solarization
        SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells Subtract
        TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D
        ZeroPadding3D""",
    "keras": "Sequential DTypePolicy",
    FUNCTIONAL_MODULE: "Functional",
    "keras.initializers": """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones Orthogonal
        RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros""",
    "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
    "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
    "keras.dtype_policies": "DTypePolicy QuantizedDTypePolicy QuantizedFloat8DTypePolicy DTypePolicyMap",
    "keras.quantizers": "AbsMaxQuantizer Int8QuantizationConfig Int4QuantizationConfig",
}
ALLOWED = {module: tuple(names.split()) for module, names in ALLOWED.items()}
_TABLES = ("StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "HashedCrossing", "FeatureSpace")
_NUMBERS = {"__tensor__", "__numpy__"}  # how Keras writes constants: a list of numbers and a dtype
_PLAIN = {"__keras_tensor__", "__slice__", "__ellipsis__", *_NUMBERS}  # and tensors between layers, slices and `...`
_NAMELESS = (
    "keras.initializers",
    "keras.regularizers",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.quantizers",
)
_MODULE_OF = {name: module for module in reversed(ALLOWED) for name in ALLOWED[module]}  # the first module counts


# --- what is left out -------------------------------------------------------------------------------------------------
def _object(module, class_name, **config):
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


_GLOROT = _object("keras.initializers", "GlorotUniform", seed=None, input_axes=None, output_axes=None)
_UNIFORM = _object("keras.initializers", "RandomUniform", seed=None, minval=-0.05, maxval=0.05)
_ZEROS, _ONES = (_object("keras.initializers", name) for name in ("Zeros", "Ones"))
_ORTHOGONAL = _object("keras.initializers", "Orthogonal", seed=None, gain=1.0)
_FLOAT32 = _object("keras", "DTypePolicy", name="float32")

_USUAL = {  # keyword: the value that is left out, in every class; None is the usual value of keywords not named here
    "activation": "linear",
    "alpha_initializer": _ZEROS,
    "axis": -1,
    "beta_initializer": _ZEROS,
    "bias_initializer": _ZEROS,
    "center": True,
    "data_format": "channels_last",
    "depth_multiplier": 1,
    "depthwise_initializer": _GLOROT,
    "dropout": 0.0,
    "dtype": _FLOAT32,
    "embeddings_initializer": _UNIFORM,
    "epsilon": 0.001,
    "gain": 1.0,
    "gamma_initializer": _ONES,
    "go_backwards": False,
    "groups": 1,
    "interpolation": "nearest",
    "invert": False,
    "keepdims": False,
    "kernel_initializer": _GLOROT,
    "mask_zero": False,
    "maxval": 0.05,
    "mean": 0.0,
    "merge_mode": "concat",
    "minval": -0.05,
    "momentum": 0.99,
    "moving_mean_initializer": _ZEROS,
    "moving_variance_initializer": _ONES,
    "negative_slope": 0.0,
    "offset": 0.0,
    "optional": False,
    "padding": "valid",
    "pointwise_initializer": _GLOROT,
    "ragged": False,
    "recurrent_activation": "sigmoid",
    "recurrent_dropout": 0.0,
    "recurrent_initializer": _ORTHOGONAL,
    "renorm": False,
    "renorm_momentum": 0.99,
    "reset_after": True,
    "return_sequences": False,
    "return_state": False,
    "rms_scaling": False,
    "scale": True,
    "score_mode": "dot",
    "sparse": False,
    "stateful": False,
    "stddev": 0.05,
    "synchronized": False,
    "threshold": 0.0,
    "trainable": True,
    "unit_forget_bias": True,
    "unroll": False,
    "use_bias": True,
    "use_gate": False,
    "use_scale": False,
    "zero_output_for_mask": False,
}


def _three(*names):
    return " ".join(f"{name}_{what}" for name in names for what in ("initializer", "regularizer", "constraint"))


_LAYER = "trainable dtype"
_KERNEL = f"{_three('kernel', 'bias')} activity_regularizer"
_CONV = f"{_LAYER} strides padding data_format dilation_rate activation use_bias"
_DEPTH = "depth_multiplier activity_regularizer"
_POOL = f"{_LAYER} strides padding data_format"
_GLOBAL = f"{_LAYER} data_format keepdims"
_NORM = f"{_LAYER} axis epsilon center scale {_three('beta', 'gamma')}"
_RNN = f"""{_LAYER} return_sequences return_state go_backwards stateful unroll zero_output_for_mask activation use_bias
    {_KERNEL} {_three("recurrent")} dropout recurrent_dropout seed"""
_FAN = "seed input_axes output_axes"
_SCALED = "GlorotUniform GlorotNormal HeNormal HeUniform LecunNormal LecunUniform"
_BARE = """Activation Add Average ELU Identity Masking Maximum Minimum Multiply Permute RepeatVector Reshape Subtract
    TimeDistributed"""
_KEYS = {  # class: the keywords that are left out where they have their usual value
    "InputLayer": "dtype sparse ragged optional",
    "Dense": f"{_LAYER} activation use_bias {_three('kernel', 'bias')} quantization_config",
    "EinsumDense": f"{_LAYER} activation bias_axes {_KERNEL} quantization_config",
    "Embedding": f"{_LAYER} {_three('embeddings')} activity_regularizer mask_zero quantization_config",
    **{f"Conv{n}D": f"{_CONV} groups {_KERNEL}" for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": f"{_CONV} output_padding {_KERNEL}" for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": f"{_CONV} {_DEPTH} {_three('depthwise', 'bias')}" for n in (1, 2)},
    **{f"SeparableConv{n}D": f"{_CONV} {_DEPTH} {_three('depthwise', 'pointwise', 'bias')}" for n in (1, 2)},
    **{f"{what}Pooling{n}D": _POOL for what in ("Max", "Average") for n in (1, 2, 3)},
    **{f"Global{what}Pooling{n}D": _GLOBAL for what in ("Max", "Average") for n in (1, 2, 3)},
    "SimpleRNN": _RNN.removesuffix(" seed"),
    "LSTM": f"{_RNN} recurrent_activation unit_forget_bias",
    "GRU": f"{_RNN} recurrent_activation reset_after",
    "Bidirectional": f"{_LAYER} merge_mode",
    "MultiHeadAttention": f"""{_LAYER} value_dim dropout use_bias use_gate output_shape attention_axes sliding_window
        {_KERNEL} seed""",
    "Attention": f"{_LAYER} use_scale score_mode dropout seed",
    "BatchNormalization": f"""{_NORM} momentum moving_mean_initializer moving_variance_initializer synchronized renorm
        renorm_clipping renorm_momentum""",
    "LayerNormalization": f"{_NORM} rms_scaling",
    "GroupNormalization": _NORM,
    "RMSNormalization": f"{_LAYER} axis",
    "Dropout": f"{_LAYER} seed noise_shape",
    "SpatialDropout1D": "trainable seed",
    "SpatialDropout2D": "trainable seed data_format",
    "GaussianNoise": f"{_LAYER} seed",
    "Rescaling": f"{_LAYER} offset",
    "UpSampling2D": f"{_LAYER} data_format interpolation",
    "ZeroPadding2D": f"{_LAYER} data_format",
    "Flatten": f"{_LAYER} data_format",
    "ReLU": f"{_LAYER} max_value negative_slope threshold",
    "LeakyReLU": _LAYER,
    "PReLU": f"{_LAYER} {_three('alpha')} shared_axes",
    "Normalization": f"{_LAYER} invert variance",
    **dict.fromkeys(("Softmax", "Concatenate", "UnitNormalization"), f"{_LAYER} axis"),
    **dict.fromkeys(_BARE.split(), _LAYER),
    **dict.fromkeys(_SCALED.split(), _FAN),
    **dict.fromkeys(("RandomNormal", "TruncatedNormal"), "seed mean stddev"),
    "RandomUniform": "seed minval maxval",
    "Orthogonal": "seed gain",
    "Zeros": "",
    "Ones": "",
    "DTypePolicy": "",
    "Sequential": f"{_LAYER} build_input_shape",
    "Functional": "trainable",
}
_KEYS = {name: tuple(keys.split()) for name, keys in _KEYS.items()}
_PER_AXIS = ("kernel_size", "strides", "dilation_rate", "pool_size", "size")  # [3, 3] of a Conv2D is written 3
_ENDS = ("input_layers", "output_layers")
_BESIDE = {"&": "shared_object_id", "!": "frozen"}  # what stands beside the keywords of an object
_READY = ("layers", *_ENDS, "in", "name", "#", "-", *_BESIDE)  # keywords with rules of their own
_MASKED = ("BatchNormalization", "Sequential", "Functional")  # called with mask=None where no mask is known


def _usual(name, key, config):
    """The value of a keyword that is left out. config: the object's keywords, which a few values follow from."""
    if name == "InputLayer" and key == "dtype":
        return "float32"
    if key == "strides":
        return config.get("pool_size") if "Pooling" in name else [1] * int(re.search(r"\d", name)[0])
    if key == "dilation_rate":
        return [1] * int(re.search(r"\d", name)[0])
    if key == "value_dim":
        return config.get("key_dim")
    if key == "build_input_shape":
        first = (config.get("layers") or [{}])[0]
        return first["config"].get("batch_shape") if first.get("class_name") == "InputLayer" else None
    if key == "groups" and name == "GroupNormalization":
        return 32
    if key == "activation" and name in ("SimpleRNN", "LSTM", "GRU"):
        return "tanh"
    return _USUAL.get(key)


# Pieces of descriptions, none of them a network. The frequent ones come last, where deflate needs the fewest bits.
_WORDS = (
    b'["GaussianNoise",{"stddev":0.1}],["PReLU"],["GroupNormalization",{"groups":8}],["SimpleRNN",{"units":32}],'
    b'["TimeDistributed",{"layer":["UpSampling2D",{"size":2}],["ZeroPadding2D",{"padding":[[1,1],[1,1]]}],'
    b'["RMSNormalization",{"epsilon":1e-06}],["Conv3D",{"filters":8,["Conv1D",{"filters":64,"kernel_size":[3],'
    b'["Conv2DTranspose",{"filters":["SeparableConv2D",{"filters":["DepthwiseConv2D",{"kernel_size":3,'
    b'["GlobalMaxPooling2D"],["GlobalAveragePooling1D"],["LeakyReLU",{"negative_slope":0.2}],["Reshape",'
    b'{"target_shape":[7,7,["Rescaling",{"scale":0.00392156862745098}],"momentum":0.9"epsilon":1e-05'
    b'"bias_regularizer":"kernel_regularizer":["L1",{"l1":0.01}],["L2",{"l2":0.0001}],"kernel_constraint":'
    b'"bias_initializer":"kernel_initializer":["HeUniform"],["HeNormal"],["Bidirectional",{"layer":["LSTM",'
    b'{"units":["GRU",{"units":"return_sequences":true,"name":"forward_lstm","name":"backward_lstm",'
    b'"go_backwards":true"backward_layer":["MultiHeadAttention",{"num_heads":4,"key_dim":32,"attention_axes":[1]'
    b'"use_causal_mask":true["LayerNormalization",{"epsilon":1e-06}],["Embedding",{"input_dim":10000,"output_dim":32,'
    b'"mask_zero":true"dtype":["DTypePolicy",{"name":"mixed_bfloat16"{"name":"mixed_float16"}]"float16""uint8""int32"'
    b'"trainable":false["AveragePooling2D",{"pool_size":2}],["Concatenate",{"in":[[[["@",1],["@",3]]],{}]]}],'
    b'["Multiply",{"in":["Activation",{"activation":"gelu""silu""elu""tanh""sigmoid""softmax"["numpy.Add",{"in":'
    b'["GlobalAveragePooling2D"],["Functional",{"layers":[["InputLayer",{"shape":[32,32,3]}],["Conv2D",{"filters":'
    b'"use_bias":false"strides":2["BatchNormalization"],["ReLU"],["Add",{"in":[[[[["@",1],["@",4]]],{}]]}],"&":0'
    b'["Sequential",{"layers":[["InputLayer",{"shape":[["Dropout",{"rate":0.1}],["Flatten"],["Flatten",{"#":1}],'
    b'["MaxPooling2D",{"pool_size":3}],["MaxPooling2D",{"#":1,"pool_size":2}],["Dropout",{"#":1,"rate":0.2}],["Dense",'
    b'{"#":1,"units":10}],["Dropout",{"rate":0.5}],["Conv2D",{"#":1,"filters":128,"kernel_size":1}],["Dense",{"units":'
    b'512["Conv2D",{"filters":16,"kernel_size":5,"padding":"same","activation":"relu"}],["MaxPooling2D",{"pool_size":2}]'
    b',["Conv2D",{"filters":"kernel_size":3,"activation":"relu"}],["Dense",{"units":"activation":"relu"}],["Dense",'
    b'{"units":10,"activation":"softmax"}]]}]'
)

# From version 2 on, the reference network of notebook 19 comes last: many networks for small pictures look like it.
_NETWORK = (
    b'["Sequential",{"layers":[["InputLayer",{"shape":[28,28,1]}],["Conv2D",{"filters":32,"kernel_size":3,'
    b'"activation":"relu"}],["MaxPooling2D",{"pool_size":2}],["Dropout",{"rate":0.25}],["Conv2D",{"filters":64,'
    b'"kernel_size":3,"activation":"relu"}],["MaxPooling2D",{"pool_size":2}],["Dropout",{"rate":0.25}],["Flatten"],'
    b'["Dense",{"units":256,"activation":"relu"}],["Dense",{"units":10}]]}]'
)
_DICTIONARIES = {1: _WORDS, 2: _WORDS + _NETWORK}  # of each version of the format


# --- a description, long and short ------------------------------------------------------------------------------------
# Long is what Keras's serialize_keras_object gives, as JSON. Short: an object is a list [class, {keywords}] with the
# keywords that have unusual values; a tensor between layers is ["@", how many layers back], then node and output where
# they are not 0; a list that begins with a string is written ["=", string, ...]. Keywords that Keras doesn't have:
# "#" the number in the name, "&" the number of a shared layer, "in" what a layer is called on, "-" what is not there,
# and of the whole model "!" the numbers of frozen layers and weights, where its own configuration doesn't say so.


def describe(model):
    """The long description of a Keras model, without its compilation.

    Raises CompressedFileError if the model can't be described, a subclass without `get_config` for example.
    """
    from keras import saving

    try:
        with object_sharing():
            text = json.dumps(saving.serialize_keras_object(model))
    except (TypeError, ValueError, NotImplementedError, RecursionError) as error:
        raise CompressedFileError(
            f"the architecture of {model.name!r} can't be written down ({_first_line(error)}); give a Sequential or "
            "functional model of Keras's own layers, or a subclass with get_config that is registered with "
            "keras.saving.register_keras_serializable"
        ) from error
    return _tidy(json.loads(text), {})


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _tidy(value, numbers):
    """Without compilation; shared layers are numbered from 0, and no other shared objects are marked."""
    if isinstance(value, list):
        return [_tidy(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: _tidy(item, numbers) for key, item in value.items() if key != "compile_config"}
    if "shared_object_id" in value:
        shared = value.pop("shared_object_id")
        if _is_layer(value):
            value["shared_object_id"] = numbers.setdefault(shared, len(numbers))
    if _token(value) == "Sequential" and "dtype" in value["config"]:
        value["config"]["dtype"] = copy.deepcopy(_FLOAT32)  # no use: Keras sets it anew, and each layer has its own
    return value


def without_derived(value):
    """A long description without what is derived from the rest: shapes that layers have computed or were built for."""
    if isinstance(value, list):
        return [without_derived(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__keras_tensor__":
        return _tensor(*value["config"]["keras_history"])
    known = _token(value) is not None
    return {key: without_derived(item) for key, item in value.items() if not (known and key == "build_config")}


def _tensor(name, node=0, output=0):
    config = {"shape": [], "dtype": "float32", "keras_history": [name, node, output]}
    return {"class_name": "__keras_tensor__", "config": config}


def _token(value):
    """What names the class of an object of Keras's own, or None."""
    module, name = value.get("module"), value.get("class_name")
    if not isinstance(name, str) or not isinstance(module, str) or not isinstance(value.get("config"), dict):
        return None
    if module in OPERATION_MODULES.values() and value.get("registered_name") == name:
        return f"{module.rsplit('.')[-1]}.{name}"
    registered = "Functional" if name == "Functional" else None
    return name if _MODULE_OF.get(name) == module and value.get("registered_name") == registered else None


def _is_layer(value):
    return _token(value) not in (None, "DTypePolicy") and isinstance(value["config"].get("name"), str)


class _Names:
    """The names that Keras gives in a new session, in the order in which objects are met: dense, dense_1, dense_2."""

    def __init__(self):
        self.last = {}

    def given(self, class_name, number=None):
        """The name with this number, or with the next one."""
        base = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", class_name)
        base = re.sub("([a-z])([A-Z])", r"\1_\2", base).lower()
        number = self.last.get(base, -1) + 1 if number is None else number
        self.last[base] = number
        return f"{base}_{number}" if number else base


def _number(class_name, name):
    """The number in a name that Keras gave, None for another name."""
    tail = re.search(r"_([1-9]\d{0,8})$", name)
    number = int(tail[1]) if tail else 0
    return number if _Names().given(class_name, number) == name else None


class _Shorten:
    """Long to short, in one pass. names: whether the layers keep their names."""

    def __init__(self, names):
        self.keep_names, self.names = names, _Names()

    def __call__(self, value, here=None):
        """here: (place of the layer that is called, {name: place}) inside of calls."""
        if isinstance(value, list):
            short = [self(item, here) for item in value]
            return ["=", *short] if value and isinstance(value[0], str) else short
        if not isinstance(value, dict):
            return value
        if here and value.get("class_name") == "__keras_tensor__":
            name, *rest = value["config"]["keras_history"]
            return ["@", here[0] - here[1][name], *_trimmed(rest)]
        token = _token(value)
        return self.object(token, value) if token else {key: self(item, here) for key, item in value.items()}

    def object(self, token, value, calls=None):
        config, words = dict(value["config"]), {}
        if _is_layer(value):
            words = self.name(value["class_name"], config.pop("name"))
        words |= {short: value[long] for short, long in _BESIDE.items() if long in value}
        for key in _usual_keys(token):
            if key not in config:
                words.setdefault("-", []).append(key)
            elif _same(config[key], _usual(token, key, config)):
                del config[key]
        if token == "InputLayer" and config["batch_shape"][:1] == [None]:
            config["shape"] = config.pop("batch_shape")[1:]
        words |= {key: _per_axis_short(token, key, item) for key, item in config.items()}
        if "layers" in config:
            words["layers"] = self.layers(config["layers"])
        if token == "Functional":
            words = {key: item for key, item in words.items() if key not in _ENDS} | _ends_short(config)
        words = {key: item if key in _READY else self(item) for key, item in words.items()}
        if calls is not None:
            words["in"] = calls
        return [token, words] if words else [token]

    def name(self, class_name, name):
        expected = self.names.last.copy()
        if not self.keep_names or self.names.given(class_name) == name:
            return {}
        self.names.last = expected
        number = _number(class_name, name)
        if number is None:
            return {"name": name}
        self.names.given(class_name, number)
        return {"#": number}

    def layers(self, layers):
        """Those of a Sequential, and those of a Functional with what each is called on."""
        places = {layer["config"]["name"]: i for i, layer in enumerate(layers)}
        short = []
        for i, layer in enumerate(layers):
            token, nodes = _token(layer), layer.get("inbound_nodes")
            calls = None
            if nodes is not None:
                calls = [[self(node["args"], (i, places)), self(node["kwargs"], (i, places))] for node in nodes]
                calls = None if calls == _usual_calls(i, token) else calls
            short.append(self.object(token, layer, calls))
        return short


class _Lengthen:
    """Short to long, in the same order."""

    def __init__(self):
        self.names = _Names()

    def __call__(self, value, here=None):
        if isinstance(value, dict):
            return {key: self(item, here) for key, item in value.items()}
        if not isinstance(value, list):
            return value
        if not value or not isinstance(value[0], str):
            return [self(item, here) for item in value]
        if value[0] == "=":
            return [self(item, here) for item in value[1:]]
        if value[0] == "@":
            return _tensor(here[1][here[0] - value[1]], *value[2:])
        return self.object(*value)

    def object(self, token, words=None):
        words = dict(words or {})
        value = _named(token)
        if value["class_name"] != "DTypePolicy" and _MODULE_OF.get(token) not in _NAMELESS:
            name = words.pop("name", None)
            name = self.names.given(value["class_name"], words.pop("#", None)) if name is None else name
            value["config"]["name"] = name
        value |= {long: words.pop(short) for short, long in _BESIDE.items() if short in words}
        absent = words.pop("-", [])
        words.pop("in", None)
        layers = words.pop("layers", None)
        config = {key: item if key in _READY else self(item) for key, item in words.items()}
        config = {key: _per_axis_long(token, key, item) for key, item in config.items()}
        if token == "InputLayer" and "shape" in config:
            config["batch_shape"] = [None, *config.pop("shape")]
        value["config"] |= config
        if layers is not None:
            value["config"]["layers"] = self.layers(token, layers)
        if token == "Functional":
            value["config"] |= _ends_long(value["config"])
        for key in _usual_keys(token):
            if key not in value["config"] and key not in absent:
                value["config"][key] = copy.deepcopy(_usual(token, key, value["config"]))
        return value

    def layers(self, token, layers):
        long = [self(layer) for layer in layers]
        if token == "Functional":
            names = [layer["config"]["name"] for layer in long]
            for i, (short, layer) in enumerate(zip(layers, long, strict=True)):
                calls = (short[1] if len(short) > 1 else {}).get("in", _usual_calls(i, short[0]))
                layer["name"] = names[i]
                layer["inbound_nodes"] = [
                    {"args": self(args, (i, names)), "kwargs": self(kwargs, (i, names))} for args, kwargs in calls
                ]
        return long


def _usual_keys(token):
    return _KEYS.get(token, ("trainable", "dtype") if _MODULE_OF.get(token) == "keras.layers" else ())


def _same(a, b):
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)  # tells 1, 1.0 and true apart


def _trimmed(numbers):
    """Without the zeros at the end."""
    while numbers and not numbers[-1]:
        numbers = numbers[:-1]
    return numbers


def _axes(token):
    digit = re.search(r"(\d)D", token)
    return int(digit[1]) if digit else 0


def _per_axis_short(token, key, value):
    """[3, 3] as 3, for a layer with two axes; and 3, which would be taken for it, as [3]."""
    if key in _PER_AXIS and _axes(token) > 1:
        if isinstance(value, int):
            return [value]
        if isinstance(value, list) and isinstance(value[0], int) and value == [value[0]] * _axes(token):
            return value[0]
    return value


def _per_axis_long(token, key, value):
    if key in _PER_AXIS and _axes(token) > 1:
        if isinstance(value, int):
            return [value] * _axes(token)
        if len(value) == 1:
            return value[0]
    return value


def _usual_calls(place, token):
    """A layer is usually called once, on what the layer before it gave."""
    return [] if token == "InputLayer" else [[[["@", 1]], {"mask": None} if token in _MASKED else {}]]


def _ends_short(config):
    """Inputs and outputs of a Functional, where they are not all its InputLayers and its last layer."""
    places = {layer["config"]["name"]: i for i, layer in enumerate(config["layers"])}
    usual = _usual_ends(config["layers"])
    short = {
        key: _each_end(config[key], lambda name, *rest: ["@", places[name], *_trimmed(rest)])
        for key in usual
        if config[key] != usual[key]
    }
    return short


def _ends_long(config):
    """The same, long."""
    names = [layer["config"]["name"] for layer in config["layers"]]
    ends = _usual_ends(config["layers"])
    for key in ends:
        if key in config:
            ends[key] = _each_end(config[key], lambda _, place, node=0, output=0: [names[place], node, output])
    return ends


def _usual_ends(layers):
    inputs = [[layer["config"]["name"], 0, 0] for layer in layers if layer["class_name"] == "InputLayer"]
    last = layers[-1]
    outputs = [last["config"]["name"], int(last["class_name"] == "Functional"), 0]
    return {"input_layers": inputs[0] if len(inputs) == 1 else inputs, "output_layers": outputs}


def _each_end(value, change):
    """The structure with each [name, node, output] in it changed."""
    if isinstance(value, dict):
        return {key: _each_end(end, change) for key, end in value.items()}
    if value and isinstance(value[0], str):
        return change(*value)
    return [_each_end(end, change) for end in value]


def _named(token):
    """An object of this class without keywords. Raises CompressedFileError if files may not name the class."""
    if not isinstance(token, str):
        raise CompressedFileError(f"the file describes a layer of class {token!r}, which is no name")
    module = _MODULE_OF.get(token)
    registered = "Functional" if token == "Functional" else None
    if module is None:
        home, _, name = token.rpartition(".")
        if home not in OPERATION_MODULES:
            raise _refusal(token)
        module = OPERATION_MODULES[home]
        token = registered = name
    return {"module": module, "class_name": token, "config": {}, "registered_name": registered}


def _refusal(name, is_function=False, module=""):
    if name in _TABLES:
        return CompressedFileError(
            f"{name!r} makes numbers of words or of other numbers by a table, and a compressed file holds no tables: "
            "save a model of the layers after it, and apply it to the inputs before"
        )
    if name == "__lambda__":
        return CompressedFileError(
            "a function without a name (lambda x: 2 * x) is Python code, and a compressed file holds none: give it a "
            "name (def double(x): return 2 * x) and hand it over where the file is saved and where it is loaded: "
            "custom_objects={'double': double}"
        )
    if name == "Lambda":
        return CompressedFileError(
            "a Lambda layer holds Python code, and a compressed file holds none: give the layer a function with a name "
            "(def double(x): return 2 * x) and hand both over where the file is saved and where it is loaded: "
            "custom_objects={'Lambda': keras.layers.Lambda, 'double': double}"
        )
    if is_function and str(name).isidentifier():
        return CompressedFileError(
            f"{name[:80]!r} is none of Keras's own activations, and a compressed file holds no code: if you trust the "
            f"function, hand it over where the file is saved and where it is loaded: custom_objects={{{name[:80]!r}: "
            f"{name[:80]}}}"
        )
    if module.rpartition(".")[0] == OPERATION_MODULES["numpy"].rpartition(".")[0]:
        return CompressedFileError(
            f"{name[:80]!r} is a function of keras.ops that a compressed file may not name: take one of Keras's layers "
            f"for it, or hand it over where the file is saved and where it is loaded: custom_objects={{{name[:80]!r}: "
            f"kind}}, where kind is the class of that name among type(one) for one in model.operations"
        )
    return CompressedFileError(
        f"{str(name)[:80]!r} is none of Keras's own layers that a compressed file may name. Strip the model of "
        "wrappers (strip_clustering, strip_pruning); if you trust the class, hand it over: custom_objects={...}"
    )


# --- bytes ------------------------------------------------------------------------------------------------------------
def pack(description, names=True):
    """A long description as few bytes. names=False: the layers get the names that they would have in a new session."""
    text = _short_text(description, names)
    coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=_DICTIONARIES[2])
    return coder.compress(text.encode()) + coder.flush()


def _short_text(description, names):
    core = without_derived(description)
    if _is_known(core):
        short = _Shorten(names)(core)
        if not names or _same(_Lengthen()(json.loads(json.dumps(short))), core):
            return _text(short)
    return _text(description)  # written out in full; it begins with { and not with [


def _text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _is_known(value):
    """Whether every object in a description is one of Keras's own."""
    if isinstance(value, list):
        return all(map(_is_known, value))
    if not isinstance(value, dict):
        return True
    plain = "class_name" not in value or value["class_name"] in _PLAIN or value["class_name"] == "function"
    return (plain or _token(value) is not None) and all(map(_is_known, value.values()))


def unpack(data, version=2):
    """The long description from the bytes that `pack` made, in this version of the format or an older one.

    Raises CompressedFileError for any other bytes.
    """
    try:
        coder = zlib.decompressobj(-15, zdict=_DICTIONARIES[version])
        text = coder.decompress(data, MOST_TEXT)
        if coder.unconsumed_tail or not coder.eof or coder.unused_data:
            raise CompressedFileError(f"the file's description of the architecture is cut or above {MOST_TEXT:,} bytes")
        value = json.loads(text.decode())
        _no_deeper(value, MOST_DEPTH)
        value = _Lengthen()(value) if isinstance(value, list) else value
    except (zlib.error, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise CompressedFileError("the file's description of the architecture can't be read") from error
    if not isinstance(value, dict) or "class_name" not in value:
        raise CompressedFileError("the file describes no model")
    return value


def _no_deeper(value, depth):
    if not depth:
        raise CompressedFileError(f"the file's description of the architecture is more than {MOST_DEPTH} levels deep")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _no_deeper(item, depth - 1)


# --- building ---------------------------------------------------------------------------------------------------------
def check(description, most, custom_objects=()):
    """Refuse a description that could do more than build layers of Keras's own, or that would take too much memory.

    most: the largest number that may stand in it, for sizes. custom_objects: names of classes that the caller trusts.
    Raises CompressedFileError.
    """
    from keras import saving

    strangers = set(saving.get_custom_objects()) - set(custom_objects)
    try:
        _check(description, most, set(custom_objects), strangers)
    except (TypeError, ValueError, AttributeError) as error:  # a list where a name belongs, a word where a number does
        raise CompressedFileError("the file's description of the architecture makes no sense") from error


def _check(value, most, trusted, strangers):
    if isinstance(value, str) and value in strangers:
        raise _refusal(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > most:
        raise CompressedFileError(
            f"the file describes a layer with a size of {value:.3g}, and at most {most:,} are allowed"
        )
    if isinstance(value, list):
        for item in value:
            _check(item, most, trusted, strangers)
    if isinstance(value, dict) and value.get("class_name") in _NUMBERS:
        return _check_constant(value.get("config"))
    if isinstance(value, dict):
        if "class_name" in value or "registered_name" in value:
            _check_object(value, most, trusted)
        if not all(map(_takes_a_tensor, value.get("inbound_nodes") or ())):
            raise CompressedFileError(
                f"the file describes a {value.get('class_name')} that is called on numbers alone, and would compute "
                "from them while it is built: no model of Keras has such a layer"
            )
        for key, item in value.items():
            if key not in ("seed", "shared_object_id", "registered_name", "class_name"):
                _check(item, most, trusted, strangers)


def _takes_a_tensor(call):
    """Whether a layer is called on something that the model is given, and not on constants alone."""
    if isinstance(call, dict):
        return call.get("class_name") == "__keras_tensor__" or any(map(_takes_a_tensor, call.values()))
    return isinstance(call, list) and any(map(_takes_a_tensor, call))


def _check_object(value, most, trusted):
    name, config = value.get("class_name"), value.get("config")
    if name in _PLAIN:
        return
    if name == "function" and value.get("module") == "builtins" and isinstance(config, str):
        return None if config in trusted else _check_activation(config)
    if value.get("registered_name") in trusted or name in trusted:
        return None
    token = _token(value)
    if token is None or not _is_operation(value):
        raise _refusal(name, module=str(value.get("module")))
    if config.get("unroll") or config.get("power_iterations", 1) > MOST_LOOPS:
        raise CompressedFileError(f"the file describes a {name} that is unrolled step by step, which is not built here")
    size = 1
    for axis in (config.get("batch_shape") or ()) if token == "InputLayer" else ():
        size *= 1 if axis is None else int(axis)
    if size > most:
        raise CompressedFileError(
            f"the file describes an input of {size:.3g} numbers, and at most {most:,} are allowed"
        )
    return None


def _check_constant(config):
    """Refuse a constant that is anything else than numbers, in lists of lists, and one of Keras's dtypes."""
    from keras.backend import standardize_dtype

    if not isinstance(config, dict) or set(config) != {"value", "dtype"} or not _are_numbers(config["value"]):
        raise CompressedFileError("the file describes a constant that is made of something else than numbers")
    standardize_dtype(config["dtype"])  # a ValueError for one that Keras doesn't know


def _are_numbers(value):
    return all(map(_are_numbers, value)) if isinstance(value, list) else isinstance(value, int | float)


def _check_activation(name):
    from keras import activations

    if not name.isidentifier() or name.startswith("_") or not inspect.isfunction(getattr(activations, name, None)):
        raise _refusal(name, is_function=True)


def _is_operation(value):
    """Whether the class is in Keras and, for arithmetic between layers, an operation that takes no function."""
    if value["module"] not in OPERATION_MODULES.values():
        return True
    from keras import Operation

    operation = getattr(importlib.import_module(value["module"]), value["class_name"], None)
    return inspect.isclass(operation) and issubclass(operation, Operation) and operation.__module__ == value["module"]


def build(description, custom_objects=None):
    """A Keras model, not compiled, from its long description. Raises CompressedFileError where Keras can't build it."""
    from keras import Model, saving

    try:
        with object_sharing():  # Keras takes the description apart, so it gets a copy
            model = saving.deserialize_keras_object(
                _for_this_keras(copy.deepcopy(description)), custom_objects=custom_objects, safe_mode=True
            )
    except Exception as error:  # Keras raises errors of every kind for a description that doesn't fit together
        raise CompressedFileError(f"Keras can't build the model that is described ({_first_line(error)})") from error
    if not isinstance(model, Model):
        raise CompressedFileError(f"what is described is a {type(model).__name__} and no model")
    _freeze(model, description)
    return model


def _freeze(model, description):
    """Freeze what a description names, and the Sequential models that were frozen as a whole, which Keras forgets."""
    from keras import Sequential

    if "frozen" in description:
        return _freeze_by_number(model, description["frozen"])
    frozen = {config.get("name") for config in _frozen(description)}
    for layer in every_layer(model) if frozen else ():
        if layer.name in frozen and isinstance(layer, Sequential):
            layer.trainable = False
    return None


def _freeze_by_number(model, frozen):
    from coursekit.compression.model_copy import set_frozen

    if not (isinstance(frozen, list) and len(frozen) == 2 and all(map(_are_places, frozen))):
        raise CompressedFileError("what the file describes as frozen makes no sense")
    set_frozen(model, [set(some) for some in frozen])  # in a list from a stranger a search could take long


def _are_places(value):
    return isinstance(value, list) and all(type(one) is int for one in value)


def _frozen(value):
    """The configurations of all Sequential models in a description that are not to be trained."""
    if (
        isinstance(value, dict)
        and value.get("class_name") == "Sequential"
        and value["config"].get("trainable") is False
    ):
        yield value["config"]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _frozen(item)


def without_states(value):
    """A long description in which no recurrent layer keeps its state, whose variables can't be made without values."""
    if isinstance(value, list):
        return [without_states(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: False if key == "stateful" and item is True else without_states(item) for key, item in value.items()}


def _for_this_keras(value):
    """Without keywords that have their usual value and that an older Keras doesn't know."""
    if isinstance(value, list):
        return [_for_this_keras(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: _for_this_keras(item) for key, item in value.items()}
    if value.get("module") in ("keras.layers", "keras.initializers") and (token := _token(value)):
        taken = inspect.signature(getattr(importlib.import_module(value["module"]), token).__init__).parameters
        config = value["config"]
        for key in _usual_keys(token):
            unknown = key not in taken and key not in _LAYER.split() and key in config
            if unknown and _same(config[key], _usual(token, key, config)):
                del config[key]
    return value


def weights_of(model):
    """[(name, shape, dtype)] of a model's weights, in Keras's order; also of a model that has no values.

    Weights to which their class gives no name, and Keras variable, variable_1 and so on, all count as "variable".
    """
    names = [re.sub(r"^variable_\d+$", "variable", weight.name) for weight in model.weights]
    return [(name, tuple(one.shape), str(one.dtype)) for name, one in zip(names, model.weights, strict=True)]
