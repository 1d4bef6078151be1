"""Functions that draw one thing each and say in words what they drew.

Each shows its figure and prints a caption made from the data drawn, for readers who can't see it and for tests; none
returns anything. What several notebooks use stands in `lines`, `pictures`, `comparisons` and `sliders`; what one
notebook draws, in the module with its number. `style` holds the colors, which are safe for color-blind readers.
"""

from importlib import import_module

_FUNCTIONS_OF = {
    "lines": "bands curves fits history",
    "pictures": "heat images masks",
    "comparisons": "methods sizes",
    "sliders": "slider",
    "ch00_welcome": "course_map",
    "ch01_tensors": "likeness picked reduction reshape_and_transpose series shapes sharing table",
    "ch02_broadcasting": "broadcasting",
    "ch03_gradient_descent": "computation_graph ends jacobian paths slope",
    "ch04_neural_networks": "activations calibration confusion predicted prediction regions roc small_network",
    "ch05_regularization": "panels penalties_and_loss penalties_and_slopes points_and_curves refits stopping "
    "weight_paths weights_at",
    "ch06_keras_models": "layer_graph",
    "ch07_convolutional_networks": "grids",
    "ch09_sequences": "ctc_peaks forecasts spectrograms unrolled",
    "ch10_attention": "attention_map",
    "ch11_transformers_at_work": "bars visits",
    "ch12_autoencoders": "bound",
    "ch13_generative_adversarial_networks": "clouds judged swings",
    "ch14_diffusion_models": "arrows image_rows scatters",
    "ch15_unsupervised_learning": "groups",
    "ch16_custom_training_loops": "over_steps",
    "ch17_hyperparameter_tuning": "found_by parallel rungs surrogate tries",
    "ch18_pruning_and_quantization": "bytes_stored quantizer rounding_errors times weight_histograms",
    "ch19_weight_clustering": (
        "beside_published bits_per_weight centroids clusters index_shares number_line trade_off "
        "weights_before_and_after"
    ),
    "ch20_scaling_out": "speedups timeline",
}  # a module: the functions that it offers. No function may have a module's name: importing one would hide the other.
_HOME_OF = {name: module for module, names in _FUNCTIONS_OF.items() for name in names.split()}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"coursekit.plots has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"coursekit.plots.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
