"""The `coursekit` command: what authors, instructors and CI run. Each subcommand stands in a module of its own."""

import argparse
import codecs
import os
import re
import sys

from coursekit import __version__
from coursekit.authoring import arguments
from coursekit.errors import CoursekitError

# What is printed for a sign that the terminal's encoding lacks; "?" for all others.
PLAIN = {"✓": "+", "✗": "x", "·": "-", "–": "-", "—": "-", "−": "-", "×": "x", "→": "->", "…": "...", "≥": ">="}
BASH = """\
_coursekit() {{
  local words="{all}"
  [ "$COMP_CWORD" -gt 1 ] && case "${{COMP_WORDS[1]}}" in
{each}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _coursekit coursekit"""  # of a file's name the shell thinks where no word fits
COMPLETION = {"bash": BASH, "zsh": f"autoload -Uz compinit bashcompinit && compinit && bashcompinit\n{BASH}"}


def main(words=None):
    """Run the command and return its exit status: 0 well, 1 something did not hold, 2 a mistake in the call."""
    _print_everywhere()
    after_interrupt = "nothing was changed"
    try:
        asked = _parser().parse_args(words)
        after_interrupt = asked.after_interrupt
        status = 0 if asked.action(asked) else 1
        sys.stdout.flush()
        return status
    except CoursekitError as error:
        print(f"coursekit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ncoursekit: interrupted; {after_interrupt}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _print_everywhere():
    """Let no sign end a command: where the terminal can't show it, a plain one takes its place."""

    def plain(error):
        return "".join(PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end

    codecs.register_error("coursekit-plain", plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="coursekit-plain")


def _parser():
    parser = arguments.Parser(prog="coursekit", description="Tools for those who write, teach and check the course.")
    parser.add_argument("--version", action="version", version=f"coursekit {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_rot(commands)
    _add_refresh(commands)
    _add_lint(commands)
    _add_index(commands)
    _add_new(commands)
    _add_release(commands)
    _add_site(commands)
    _add_book(commands)
    _add_doctor(commands)
    _add_bench(commands)
    _add_experiment(commands)
    _add_compress(commands)
    _add_inspect(commands)
    _add_expand(commands)
    _add_completion(commands)
    _add_help(commands, parser)
    return parser


def _add_completion(commands):
    def action(asked):
        every = commands.choices
        print(COMPLETION[asked.shell].format(all=" ".join(every), each="\n".join(map(case, every))))
        return True

    def case(name):
        options = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", commands.choices[name].format_usage())
        return f'    {name}) words="{" ".join(dict.fromkeys(options))}" ;;'

    example = "completion bash > ~/.local/share/bash-completion/completions/coursekit"
    summary = "Print what lets bash or zsh complete commands and options."
    parser = _add(commands, "completion", action, summary=summary, example=example)
    parser.add_argument("shell", choices=list(COMPLETION))


def _add_help(commands, parser):
    def action(asked):
        if asked.command is not None and asked.command not in commands.choices:
            raise CoursekitError(f"there is no command {asked.command}; there are {', '.join(commands.choices)}")
        (commands.choices[asked.command] if asked.command else parser).print_help()
        return True

    parser_of_help = _add(
        commands, "help", action, summary="Say what there is, or what a command does.", example="help run"
    )
    parser_of_help.add_argument("command", nargs="?", metavar="COMMAND")


def _add(commands, name, action, *, summary, example, after_interrupt="nothing was changed"):
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example: coursekit {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(action=action, after_interrupt=after_interrupt)
    return parser


def _add_notebooks(parser):
    parser.add_argument(
        "notebooks", nargs="*", metavar="NOTEBOOK", help="a file, name or number; all where none is given"
    )


def _add_run(commands):
    def action(asked):
        from coursekit.authoring.execution import runs

        return runs.run(
            asked.notebooks,
            seeds=arguments.seeds(asked.seeds),
            backends=asked.backends,
            profile=asked.profile,
            jobs=asked.jobs,
            results=asked.results and arguments.folder(asked.results),
            again=asked.again,
            stale=asked.stale,
            minutes=asked.minutes,
            dask=asked.dask,
            shard=asked.shard,
            executed=asked.executed and arguments.folder(asked.executed),
            summary=asked.summary and arguments.file(asked.summary),
            watch=asked.warnings,
        )

    parser = _add(
        commands,
        "run",
        action,
        summary="Execute notebooks in fresh kernels, keep the results and print a table of them.",
        example="run 01 02 --seeds 0-4 --backends tensorflow jax",
        after_interrupt="the runs that ended are kept, and the same command goes on from there",
    )
    _add_notebooks(parser)
    parser.add_argument("--seeds", nargs="+", default=["0"], metavar="SEED", help="such as 0-4 (default: 0)")
    parser.add_argument("--backends", nargs="+", default=["tensorflow"], metavar="BACKEND", help="tensorflow jax torch")
    parser.add_argument("--profile", choices=["quick", "full"], default="quick", help="default: quick")
    jobs = arguments.count("--jobs")
    parser.add_argument("--jobs", type=jobs, metavar="N", help="runs at once (default: one a core, if memory allows)")
    parser.add_argument("--results", metavar="FOLDER", help="where to keep the records (default: data/results)")
    parser.add_argument("--again", action="store_true", help="run what is already recorded, too")
    parser.add_argument(
        "--stale",
        action="store_true",
        help="run what has changed since it was recorded: cells, coursekit, data, versions",
    )
    parser.add_argument(
        "--minutes", type=arguments.minutes, metavar="M", help="with --stale: start nothing that would take longer"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="let the workers of a Dask scheduler do it: tcp://host:8786")
    parser.add_argument("--shard", type=arguments.shard, metavar="K/N", help="only a share, such as 2/4: for CI")
    parser.add_argument("--executed", metavar="FOLDER", help="keep the notebooks there as they came out")
    parser.add_argument("--summary", metavar="FILE", help="add the table to this file, in Markdown")
    parser.add_argument("--warnings", action="store_true", help="keep deprecation warnings, with their cells, too")


def _add_rot(commands):
    def action(asked):
        from coursekit.authoring.execution import rot

        paths = _found(asked.notebooks) if asked.notebooks else []
        folder = asked.folder and arguments.folder(asked.folder)
        return rot.rot(paths, pythons=asked.pythons, versions=asked.versions, folder=folder, keep=asked.keep)

    parser = _add(
        commands,
        "rot",
        action,
        summary="Run the notebooks with the oldest, the pinned and the newest packages on each Python; keep a table.",
        example="rot 00 05 --pythons 3.12 --versions oldest newest",
        after_interrupt="the environments that were finished are recorded, the one at work is removed",
    )
    _add_notebooks(parser)
    pythons, versions = ["3.11", "3.12", "3.13"], ["oldest", "locked", "newest"]
    about = f"(default: {' '.join(pythons)})"
    parser.add_argument("--pythons", nargs="+", type=arguments.python, default=pythons, metavar="3.N", help=about)
    about = "floors of pyproject.toml, pins of constraints.txt, latest (default: all three)"
    parser.add_argument("--versions", nargs="+", choices=versions, default=versions, help=about)
    about = "where the environments are made, some gigabytes each (default: build/rot)"
    parser.add_argument("--folder", metavar="FOLDER", help=about)
    parser.add_argument("--keep", action="store_true", help="do not remove the environments")


def _found(names):
    """The notebooks of these names; looking for them needs more than a bare Python, which is enough for all of them."""
    try:
        from coursekit.authoring import notebooks
    except ModuleNotFoundError as error:
        raise CoursekitError(f"to name notebooks, {error.name} is needed: `.venv/bin/coursekit rot …`") from error
    return notebooks.find(names)


def _add_refresh(commands):
    def action(asked):
        from coursekit.authoring.execution.refresh import refresh

        return refresh(asked.notebooks)

    parser = _add(
        commands,
        "refresh",
        action,
        summary="Execute notebooks (quick, TensorFlow, seed 0) and store them with their outputs.",
        example="refresh 02",
        after_interrupt="notebooks that were not finished are as they were",
    )
    _add_notebooks(parser)


def _add_lint(commands):
    def action(asked):
        from coursekit.authoring.lint import RULES, lint

        messages = lint(asked.notebooks)
        print("\n".join(messages) or f"nothing to mend ({len(RULES)} rules)")
        return not messages

    parser = _add(
        commands,
        "lint",
        action,
        summary="Say what in a notebook breaks the course's rules, and how to mend it.",
        example="lint notebooks/01_tensors.ipynb",
    )
    _add_notebooks(parser)


def _add_index(commands):
    def action(asked):
        from coursekit.authoring.pages.index import index

        stale = index(check=asked.check, repository=asked.repository, branch=asked.branch)
        for name in stale:
            print(f"{'out of date' if asked.check else 'written'}: {name}")
        return not (asked.check and stale)

    parser = _add(
        commands,
        "index",
        action,
        summary="Write what follows from the notebooks' metadata: titles, boxes, README table, course map, glossary.",
        example="index --check",
        after_interrupt="every file is whole, old or new; run it again",
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something is out of date")
    parser.add_argument("--repository", metavar="URL", help="set the repository's address first")
    parser.add_argument("--branch", metavar="NAME", help="set the branch that the badges open (at first: main)")


def _add_new(commands):
    def action(asked):
        from coursekit.authoring.skeleton import new

        return new(asked.number, asked.title)

    parser = _add(
        commands,
        "new",
        action,
        summary="Write a notebook and its checks to begin with; `coursekit lint` says what is left to do.",
        example='new 21 "Graphs"',
    )
    parser.add_argument("number", metavar="NUMBER", help="such as 21")
    parser.add_argument("title", metavar="TITLE", help="in quotes, where it has several words")


def _add_release(commands):
    def action(asked):
        from coursekit.authoring.editions.release import release

        return release(asked.out, run=not asked.no_run, nbgrader=asked.nbgrader, jobs=asked.jobs)

    parser = _add(
        commands,
        "release",
        action,
        summary="Write the student edition, without solutions and outputs, and check that it runs to its end.",
        example="release ../course-for-students",
        after_interrupt="nothing was written",
    )
    parser.add_argument("out", metavar="OUT", help="a folder that does not exist yet")
    parser.add_argument("--nbgrader", action="store_true", help="write a course folder for nbgrader instead")
    parser.add_argument(
        "--jobs",
        type=arguments.count("--jobs"),
        metavar="N",
        help="notebooks at once (default: one a core, if memory allows)",
    )
    parser.add_argument("--no-run", action="store_true", help="do not execute the result")


def _add_site(commands):
    def action(asked):
        from coursekit.authoring.pages.site import site

        return site(asked.out)

    parser = _add(
        commands,
        "site",
        action,
        summary="Build the course as static web pages from the stored notebooks; nothing is executed.",
        example="site build/site",
    )
    parser.add_argument("out", metavar="OUT", help="a new folder, or one that this command made and now replaces")


def _add_book(commands):
    def action(asked):
        from coursekit.authoring.pages.book import book

        return book(asked.out)

    parser = _add(
        commands,
        "book",
        action,
        summary="Print the core of all chapters as one PDF, from the stored notebooks; nothing is executed.",
        example="book build/core.pdf",
    )
    parser.add_argument("out", metavar="FILE", help="the PDF to write")


def _add_doctor(commands):
    def action(asked):
        from coursekit.authoring import doctor, report

        return report.report() if asked.report else doctor.doctor()

    parser = _add(
        commands,
        "doctor",
        action,
        summary="Say what is wrong with this environment and how to mend it.",
        example="doctor --report",
    )
    parser.add_argument(
        "--report", action="store_true", help="print what to paste into an issue, nothing private in it"
    )


def _add_bench(commands):
    def action(asked):
        from coursekit.experiments.bench import bench

        return bench(rounds=asked.rounds, tfmot=not asked.no_tfmot, large=not asked.no_large)

    parser = _add(
        commands,
        "bench",
        action,
        summary="Time clustering against plain training, compare file sizes, print both and keep them.",
        example="bench --rounds 11",
        after_interrupt="what was printed is kept, nothing else",
    )
    parser.add_argument(
        "--rounds", type=arguments.count("--rounds"), default=7, metavar="N", help="times each is measured (default: 7)"
    )
    parser.add_argument("--no-tfmot", action="store_true", help="leave out tensorflow-model-optimization")
    about = "leave out the network of 25 million parameters, which takes some minutes"
    parser.add_argument("--no-large", action="store_true", help=about)


def _add_experiment(commands):
    def action(asked):
        seeds = arguments.seeds(asked.seeds)

        from coursekit.experiments import exports, pipeline, reference, smallest, trained_for_size, untuned

        if asked.name == "smallest":
            kinds = (smallest, trained_for_size)
            known = [recipe for kind in kinds for recipe in kind.RECIPES]
            recipes = asked.recipes or known
            if unknown := sorted(set(recipes) - set(known)):
                raise CoursekitError(f"there is no recipe {', '.join(unknown)}; there are {', '.join(known)}")
            wanted = {kind: [recipe for recipe in recipes if recipe in kind.RECIPES] for kind in kinds}
            return all([kind.run(names, seeds) for kind, names in wanted.items() if names])
        if asked.recipes:
            raise CoursekitError(f"{asked.name} has no recipes; leave out --recipes")
        if asked.name == "exports":
            if seeds != [exports.SEED]:
                raise CoursekitError("exports looks at the kept networks, all of one seed; leave out --seeds")
            return exports.run()
        return {"reference": reference, "pipeline": pipeline, "untuned": untuned}[asked.name].run(seeds=seeds)

    parser = _add(
        commands,
        "experiment",
        action,
        summary="Make the records that are missing of an experiment at full size: minutes for each.",
        example="experiment pipeline --seeds 0-4",
        after_interrupt="the finished stages are kept, and the same command goes on from there",
    )
    about = (
        "reference: clustering in two libraries; pipeline: prune, cluster, quantize; smallest: how small it can get, "
        "all on true MNIST; exports: the same networks as LiteRT and ONNX; untuned: two networks that the library was "
        "not tuned for, on mnist5k"
    )
    names = ["reference", "pipeline", "smallest", "exports", "untuned"]
    parser.add_argument("name", choices=names, help=about)
    parser.add_argument("--seeds", nargs="+", default=["0"], metavar="SEED", help="such as 0-4 (default: 0)")
    parser.add_argument(
        "--recipes",
        nargs="+",
        metavar="RECIPE",
        help="of smallest: 200, 370, 555, dense; priced-555, ... (default: all)",
    )


def _add_compress(commands):
    def action(asked):
        source = arguments.existing(asked.model)
        data = asked.data and arguments.existing(asked.data)
        out = arguments.file(asked.output or source.with_suffix(".ckw"))
        if out.resolve() == source.resolve():
            raise CoursekitError(f"{out} is the model itself; name another file with -o")

        from coursekit.compression import command_line

        return command_line.compress(
            source,
            out,
            clusters=asked.clusters,
            prune=asked.prune,
            pattern=asked.pattern,
            blocks=asked.blocks,
            price=asked.price,
            budget=asked.budget,
            data=data,
            epochs=asked.epochs,
            codebook=asked.precision,
            others=asked.precision,
        )

    parser = _add(
        commands,
        "compress",
        action,
        summary="Write a saved Keras model as a small file, pruned, clustered or trained for size, and compare both.",
        example="compress model.keras --clusters 16 --prune 0.9 --data train.npz -o model.ckw",
    )
    parser.add_argument("model", metavar="MODEL", help="a file of model.save, such as model.keras")
    clusters = arguments.count("--clusters")
    parser.add_argument("--clusters", type=clusters, metavar="K", help="at most K values in each weight tensor")
    share = arguments.share("--prune")
    parser.add_argument("--prune", type=share, metavar="SHARE", help="this share of the weights becomes 0, such as 0.9")
    about = "2:4 for 2 zeros in each 4 weights along the inputs, in place of --prune"
    parser.add_argument("--pattern", type=arguments.pattern, metavar="M:N", help=about)
    blocks = arguments.pair("--blocks", "x", "4x2")
    about = "with --prune: blocks of so many inputs and outputs go as one, such as 4x2"
    parser.add_argument("--blocks", type=blocks, metavar="HxW", help=about)
    about = "train for size instead, where a bit costs so much of the loss, such as 1e-5; needs --data with y"
    parser.add_argument("--price", type=arguments.price, metavar="P", help=about)
    budget = arguments.count("--budget")
    about = "train for size until the file has at most so many bytes; needs --data with y"
    parser.add_argument("--budget", type=budget, metavar="BYTES", help=about)
    about = "an .npz file: x to compare answers on, and y too to train on with the model's own loss"
    parser.add_argument("--data", metavar="FILE", help=about)
    epochs = arguments.count("--epochs")
    about = "of training, with y (default: 3 for each of pruning and clustering, 20 for size)"
    parser.add_argument("--epochs", type=epochs, metavar="N", help=about)
    about = "of the numbers in the file (default: float32, which loses nothing)"
    parser.add_argument("--precision", choices=["float32", "float16"], default="float32", help=about)
    parser.add_argument("-o", "--output", metavar="FILE", help="default: MODEL with the ending .ckw")


def _add_inspect(commands):
    def action(asked):
        path = arguments.existing(asked.file)

        from coursekit.compression import command_line

        return command_line.inspect(path)

    parser = _add(
        commands,
        "inspect",
        action,
        summary="Print what the bytes of a compressed model go to.",
        example="inspect model.ckw",
    )
    parser.add_argument("file", metavar="FILE", help="a file of `coursekit compress` or save_compressed")


def _add_expand(commands):
    def action(asked):
        path = arguments.existing(asked.file)
        out = arguments.file(asked.output or path.with_suffix(".keras"))
        if out.suffix not in (".keras", ".h5"):
            raise CoursekitError(f"{out} must end with .keras or .h5, by which Keras knows the format")

        from coursekit.compression import command_line

        return command_line.expand(path, out)

    parser = _add(
        commands,
        "expand",
        action,
        summary="Write a compressed model in Keras's own format.",
        example="expand model.ckw -o model.keras",
    )
    parser.add_argument("file", metavar="FILE", help="a file of `coursekit compress` or save_compressed")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: FILE with the ending .keras")
