"""What a notebook's result depends on beside its cells: the parts of coursekit that it reaches, and bundled data.

The parts are coursekit's top-level definitions: functions, classes, assignments. A part reaches those that it names: in
its own module, imported, as an attribute of an imported module, or offered by a package's `__getattr__`, whose table is
looked up and does not count itself. So a new function in a module that everybody uses changes nobody's key.

- A function registered by one of coursekit's decorators, such as `@exercise("3.2")` or `@bundled(name="digits")`, is
  reached by that string, too, in a cell or (if it is a word, as data sets' names are) in a part that is reached. A name
  that is put together while the notebook runs is not seen.
- A module that is passed on, or used in a way that can't be looked up, counts whole.
- A module's other statements, neither import, definition nor docstring, count where one of its parts is reached, or a
  cell or a part that is reached imports it. A module that only another module's head imports does not count by itself.
- A part counts as its syntax tree without docstrings, with what its names stand for. Comments, layout and other parts
  don't count. The tree is written down by `canonical`, which gives the same text in Python 3.11 to 3.13; `ast.dump`
  does not.
- Files in data/: a part that calls `data_dir()` depends on the files and folders whose names stand in it, with `*` for
  each hole of an f-string, and on everything there where it names nothing that is there. Records of runs in
  data/results/ never count, for a record would make itself out of date; an experiment's do where a part names its file.
"""

import ast
import hashlib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from coursekit.authoring import notebooks
from coursekit.paths import data_dir

NAME = "coursekit"
PACKAGE = Path(__file__).resolve().parents[2]
EFFECTS = "(what loading does)"  # the name of the part that holds a module's other statements
WHOLE = "*"
NOT_TAUGHT = ("authoring", "__main__.py")  # what notebooks never import
TABLES = ("_HOME_OF", "_FUNCTIONS_OF")  # {name: "module" or "module:function"} and {module: "name name"} of __getattr__
DATA_DIR = (f"{NAME}.paths", "data_dir")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
NOT_COMPARED = {"type_params", "type_comment", "kind", "ctx"}


def code_key(notebook):
    """16 hex digits that change with the notebook's cells, the parts of coursekit that they reach and bundled data."""
    said = [f"cells {notebooks.content_hash(notebook)}"]
    said += [f"{name} {mark}" for name, mark in reached_by(notebook).items()]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def reached_by(notebook):
    """{part of coursekit as "module.name", or file as "data/name": hash} of all that the notebook's cells reach."""
    package, reach = present_package(), _Reach()
    reach.add(package, notebook_part(notebook))
    found = {".".join(key): package.part(*key).mark for key in reach.parts}
    for file in _files(reach.patterns, _experiments_named(package, reach), data_dir()):
        found[f"data/{file.relative_to(data_dir()).as_posix()}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


def notebook_part(notebook):
    """The code cells of a notebook as one part; a cell that is no Python reaches nothing."""
    trees = []
    for cell in notebook.cells:
        if notebooks.has_code(cell):
            try:
                trees += ast.parse(TransformerManager().transform_cell(cell.source)).body
            except SyntaxError:
                continue
    return _Part(trees, {})


def canonical(node):
    """A syntax tree as text, without docstrings and places, in a form that is the same in Python 3.11 to 3.13."""
    if isinstance(node, list):
        return f"[{','.join(map(canonical, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, (*DEFINITIONS, ast.Module)):
        fields["body"] = without_docstrings(node.body)
    if isinstance(node, ast.JoinedStr):
        fields["values"] = _joined(node.values)
    kept = {name: value for name, value in fields.items() if name not in NOT_COMPARED and value not in (None, [])}
    if isinstance(node, ast.Constant):
        kept = {"value": node.value}  # None is a value, too
    return f"{type(node).__name__}({','.join(f'{name}={canonical(value)}' for name, value in kept.items())})"


def without_docstrings(body):
    """The statements of a body, without texts that stand by themselves."""
    return [node for node in body if not (isinstance(node, ast.Expr) and _is_text(node.value))]


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _joined(values):
    """The pieces of an f-string with neighboring texts as one: Python versions cut them differently."""
    pieces = []
    for value in values:
        text = value.value if isinstance(value, ast.Constant) else None
        if text is not None and pieces and isinstance(pieces[-1], ast.Constant):
            pieces[-1] = ast.Constant(pieces[-1].value + text)
        elif text != "":
            pieces.append(value)
    return pieces


# --- the package ------------------------------------------------------------------------------------------------------
def present_package():
    """coursekit as its files are now; read anew where one of them has changed."""
    files = [file for file in sorted(PACKAGE.rglob("*.py")) if file.relative_to(PACKAGE).parts[0] not in NOT_TAUGHT]
    return _package(tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


@lru_cache(maxsize=2)
def _package(files):
    return Package({_module_name(file): file.read_text(encoding="utf-8") for file, _, _ in files})


def _module_name(file):
    parts = (NAME, *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Package:
    """The modules of coursekit, {name: source}, and the parts in them."""

    def __init__(self, sources):
        packages = {name.rpartition(".")[0] for name in sources}
        self.modules = {name: Module(name, ast.parse(text, name), name in packages) for name, text in sources.items()}

    def part(self, module, name):
        """A part by its module and name."""
        return self.modules[module].parts[name]

    @cached_property
    def registered(self):
        """{string: parts that a decorator of coursekit's registers under it}."""
        found = {}
        for module in self.modules.values():
            for name, nodes in module.defined.items():
                for decorator in getattr(nodes[0], "decorator_list", []):
                    label = _label(decorator)
                    if label and self.means(module.names, _dotted(decorator.func)):
                        found.setdefault(label, []).append((module.name, name))
        return found

    def means(self, names, dotted):
        """The part (module, name) that a dotted name means where `names` are known; None if it is not coursekit's.

        names: {name: (module, name in it or None)}. A module itself is (module, "*").
        """
        first, *rest = dotted or [""]
        if first not in names:
            return None
        module, name = names[first]
        return self.inside(module, [name, *rest] if name else rest) if _is_ours(module) else None

    def inside(self, module, dotted):
        """What `module.a.b` means: a part, or the whole module where that can't be said."""
        if not dotted:
            return module, WHOLE
        here, (first, *rest) = self.modules.get(module), dotted
        if here is None:
            return None
        if first in here.defined:
            return module, first
        if first in here.imported and here.imported[first] != (module, first):
            return self.means(here.imported, dotted)
        if first in here.offered:
            home, name = here.offered[first]
            inside = name or (first if home in self.modules and first in self.modules[home].defined else None)
            return self.inside(home, [inside, *rest] if inside else rest)
        if f"{module}.{first}" in self.modules:
            return self.inside(f"{module}.{first}", rest)
        return module, WHOLE


def _with_packages(module):
    """A module's name and those of the packages around it, which importing it loads."""
    parts = module.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts) + 1)]


def _is_ours(module):
    return module.split(".")[0] == NAME


def _label(decorator):
    """The string under which a decorator registers: its first argument, or the one called `name`."""
    if not isinstance(decorator, ast.Call):
        return None
    given = [*decorator.args[:1], *(keyword.value for keyword in decorator.keywords if keyword.arg == "name")]
    texts = [argument.value for argument in given if _is_text(argument)]
    return texts[0] if texts else None


def _dotted(node):
    """["a", "b"] of a.b; None if it is anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else None


class Module:
    """One module: what it defines, imports and offers by its `__getattr__`."""

    def __init__(self, name, tree, is_package):
        self.name, self.is_package = name, is_package
        self.package = name if is_package else name.rpartition(".")[0]
        self.defined, self.imported, effects = {}, {}, []
        for node in without_docstrings(tree.body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imported |= _imports(node, self.package)
            elif isinstance(node, DEFINITIONS):
                self.defined.setdefault(node.name, []).append(node)
            elif names := _assigned(node):
                for variable in names:
                    self.defined.setdefault(variable, []).append(node)
            elif not _is_main(node):
                effects.append(node)
        self.offered = self._table() if "__getattr__" in self.defined else {}
        own = {part: (name, part) for part in self.defined}
        self.names = {**self.imported, **own}
        nodes = self.defined | ({EFFECTS: effects} if effects else {})
        self.parts = {part: _Part(statements, self.names, self.package) for part, statements in nodes.items()}

    def _table(self):
        """{name: (module, name in it or None)} of the names that `__getattr__` finds."""
        found = {}
        for table in TABLES:
            value = getattr(self.defined.get(table, [None])[-1], "value", None)
            if not isinstance(value, ast.Dict):
                continue
            for key, text in ast.literal_eval(value).items():
                if table == "_HOME_OF":
                    home, _, name = text.partition(":")
                    found[key] = (f"{self.name}.{home}", name or None)
                else:
                    found |= {name: (f"{self.name}.{key}", name) for name in text.split()}
        return found


def _assigned(node):
    """The names that a statement assigns to, if it does nothing else."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return []
    flat = [name for target in targets for name in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [name.id for name in flat] if all(isinstance(name, ast.Name) for name in flat) else []


def _is_main(node):
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def _imports(node, package=""):
    """{local name: (module, name in it or None)} of an import; a star imports the module whole."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.split(".")[0]: (alias.name if alias.asname else alias.name.split(".")[0], None)
            for alias in node.names
        }
    module = _origin(node, package)
    return {alias.asname or alias.name: (module, None if alias.name == "*" else alias.name) for alias in node.names}


def _origin(node, package):
    """The module that `from … import` names, a relative one from `package` on."""
    if not node.level:
        return node.module or ""
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _modules_in(node, package=""):
    """Names of what may be modules in an import."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    module = _origin(node, package)
    return [module, *(f"{module}.{alias.name}" for alias in node.names)]


# --- a part -----------------------------------------------------------------------------------------------------------
@dataclass
class _Part:
    """Statements, and what the names in them mean: {name: (module, name in it or None)} of their module."""

    nodes: list
    names: dict
    package: str = ""

    @cached_property
    def read(self):
        """What stands in the statements, see `_Reader`."""
        imports = [
            node
            for statement in self.nodes
            for node in ast.walk(statement)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = dict(self.names)
        for node in imports:
            names |= _imports(node, self.package)
        reader = _Reader(names)
        for node in self.nodes:
            reader.visit(node)
        reader.loads += [name for node in imports for name in _modules_in(node, self.package)]
        reader.used += [["*"] for node in imports if getattr(node, "names", None) and node.names[0].name == "*"]
        return reader

    @cached_property
    def mark(self):
        """A hash of the statements and of what the imported names in them stand for."""
        origins = {dotted[0]: self.read.names[dotted[0]] for dotted in self.read.used if dotted[0] in self.read.names}
        text = "".join(map(canonical, self.nodes)) + ascii(sorted(origins.items(), key=str))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def patterns(self):
        """Names of files that stand in this part, each hole of an f-string as a star."""
        return [pattern for pattern in self.read.patterns if pattern.strip("*")]


class _Reader(ast.NodeVisitor):
    """Collects dotted names that are used and not local to a function, strings, and f-strings as patterns."""

    def __init__(self, names):
        self.names, self.used, self.loads, self.strings, self.patterns = names, [], [], set(), []
        self._local = [set()]

    def generic_visit(self, node):
        """Visit what is inside, without a docstring."""
        fields = dict(ast.iter_fields(node))
        if isinstance(node, DEFINITIONS):
            fields["body"] = without_docstrings(node.body)
        for value in fields.values():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    self.visit(child)

    def _visit_function(self, node):
        for outside in (
            *getattr(node, "decorator_list", []),
            *node.args.defaults,
            *filter(None, node.args.kw_defaults),
        ):
            self.visit(outside)
        self._local.append(self._local[-1] | _local_names(node))
        self.generic_visit(node)
        self._local.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _visit_function

    def visit_Name(self, node):
        """A name by itself."""
        self._use([node.id])

    def visit_Attribute(self, node):
        """A dotted name as a whole, or what stands before the dot."""
        dotted = _dotted(node)
        if dotted:
            self._use(dotted)
        else:
            self.visit(node.value)

    def _use(self, dotted):
        if dotted[0] in self.names and dotted[0] not in self._local[-1]:
            self.used.append(dotted)

    def visit_Constant(self, node):
        """A string, which may name an exercise, a file, a module, or hold code that imports coursekit."""
        if isinstance(node.value, str):
            self.strings.add(node.value)
            self.patterns.append(node.value)
            self._read_code(node.value)

    def _read_code(self, text):
        if f"import {NAME}" in text or f"from {NAME}" in text:
            try:
                inner = _Part(ast.parse(text).body, {}).read
            except SyntaxError:
                return
            self.names = inner.names | self.names
            self.used += inner.used
            self.loads += inner.loads
            self.strings |= inner.strings

    def visit_JoinedStr(self, node):
        """An f-string as a pattern; what stands in its holes is read on."""
        self.patterns.append("".join(piece.value if isinstance(piece, ast.Constant) else "*" for piece in node.values))
        for piece in node.values:
            if isinstance(piece, ast.FormattedValue):
                self.visit(piece)


def _local_names(function):
    """Names that are local to a function: its arguments, and what it assigns and does not declare global."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    names = {argument.arg for argument in (*every, function.args.vararg, function.args.kwarg) if argument}
    waiting, elsewhere = list(function.body) if isinstance(function.body, list) else [function.body], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere |= set(node.names)
        elif isinstance(node, DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if not isinstance(node, (*SCOPES, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            waiting += ast.iter_child_nodes(node)
    return names - elsewhere


# --- what is reached --------------------------------------------------------------------------------------------------
@dataclass
class _Reach:
    """All that a notebook reaches, grown from its cells."""

    parts: set = field(default_factory=set)
    modules: set = field(default_factory=set)
    strings: set = field(default_factory=set)
    patterns: list = field(default_factory=list)  # for each part that calls data_dir(), the names in it

    def add(self, package, part):
        """Add what a part reaches, and what that reaches."""
        waiting, cells = [part], part
        while waiting:
            reached = waiting.pop()
            keys = self._named_in(package, reached.read) | self._loaded_by(package, reached.read.loads)
            for string in reached.read.strings - self.strings:
                if reached is cells or string.isidentifier():
                    keys |= set(package.registered.get(string, ()))
                keys |= self._loaded_by(package, [string] if string in package.modules else [])
            self.strings |= reached.read.strings
            if DATA_DIR in keys:
                self.patterns.append(reached.patterns)
            for module, _ in keys:
                keys = keys | self._loaded_by(package, [module])
            waiting += [package.part(*key) for key in keys - self.parts]
            self.parts |= keys

    def _named_in(self, package, read):
        keys = set()
        for dotted in read.used:
            found = package.means(read.names, dotted)
            if found and found[1] == WHOLE:
                keys |= _whole(package, found[0])
            elif found:
                keys.add(found)
        return keys

    def _loaded_by(self, package, modules):
        """What loading these modules does, and the packages around them, if they are met for the first time."""
        new = {one for module in modules for one in _with_packages(module) if one in package.modules} - self.modules
        self.modules |= new
        return {(one, EFFECTS) for one in new if EFFECTS in package.modules[one].parts}


def _whole(package, name, seen=()):
    """All parts of a module and all that it offers."""
    if name not in package.modules or name in seen:
        return set()
    module = package.modules[name]
    keys = {(name, part) for part in module.parts}
    for offered in (*module.imported, *module.offered):
        found = package.inside(name, [offered])
        if found and found[1] == WHOLE:
            keys |= _whole(package, found[0], (*seen, name))
        elif found:
            keys.add(found)
    return keys


def _experiments_named(package, reach):
    """Names of files with experiments' records: they stand in a part that is reached, in coursekit.experiments bare."""
    parts = [package.part(*key) for key in reach.parts if key[0].startswith(f"{NAME}.experiments")]
    bare = {string for part in parts for string in part.read.strings}
    return {f"{name}.jsonl" for name in bare} | reach.strings


def _files(patterns, records, folder):
    """The files below `folder` that count: those named in parts that call data_dir(), see above.

    patterns: for each such part the names in it; records: names of files with experiments' records.
    """
    every = {file: file.relative_to(folder).parts for file in folder.rglob("*") if file.is_file()}
    data = {file for file, parts in every.items() if parts[0] not in ("results", "README.md")}
    found = set()
    for names in patterns:
        named = {file for file in data if any(fnmatchcase(part, name) for part in every[file] for name in names)}
        if "results" in names:
            named |= {file for file in set(every) - data if file.name in records and not file.stem.isdigit()}
        found |= named if named or "results" in names else data
    return sorted(found)
