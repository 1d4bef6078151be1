"""How every figure of the course looks: colors, sizes, and a caption in words under it. Born in notebook 00."""

import textwrap

# Okabe and Ito (2008), "Color Universal Design": told apart with any of the common kinds of color blindness.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"]
GRAY = "#8a8a8a"
MARKERS = "osD^vP*X"  # and these differ together with the colors, so that nothing is told by color alone
LINES = ("-", "--", "-.", ":")
HATCHES = ("", "//", "..", "xx", "\\\\")
DPI = 80  # of pictures with several panels: a notebook stays small
LINE = 96  # characters that fit beside each other on a notebook's page


def use():
    """Make the course's style the default of matplotlib in this kernel."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "axes.prop_cycle": mpl.cycler(color=COLORS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "axes.titlelocation": "left",
            "figure.dpi": 90,
            "figure.facecolor": "white",
            "font.size": 10,
            "image.cmap": "cividis",
            "legend.frameon": False,
        }
    )


def figure(width=7.0, height=3.0, rows=1, cols=1, **subplots):
    """A figure of `width` × `height` inches in the course's style: (fig, axes), as matplotlib's subplots gives them."""
    import matplotlib.pyplot as plt

    use()
    return plt.subplots(rows, cols, figsize=(width, height), layout="constrained", **subplots)


def finish(caption):
    """Show the figure that was drawn, then its caption, wrapped at words. Every picture ends with this."""
    import matplotlib.pyplot as plt

    plt.show()
    print(textwrap.fill(caption, LINE))
