"""Whether other values may lead a `build(hp)` to other hyperparameters, by what its files say. Nothing is run."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from spaces.outside import sources

# Methods of Keras Tuner's `HyperParameters` that ask for something, and what these are called wherever they come from.
_ASKING = frozenset({"Int", "Float", "Choice", "Boolean", "Fixed", "conditional_scope", "name_scope"})
_HP = "hp"
_ITSELF = frozenset({"self", "cls"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CALLED = (*_FUNCTIONS, ast.Lambda)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_LEAVING = (ast.Return, ast.Break, ast.Continue)


def asks_in_branches(file: str) -> bool:
    """Whether some values of a choice may lead to hyperparameters that others do not; also where nobody can tell.

    More of the same, in a loop over a `range`, does not count.

    Args:
        file: The function's; "" where nobody knows it.
    """
    try:
        trees = [ast.parse(text) for text in sources.texts(file).values()]
    except (SyntaxError, ValueError):
        return True
    return not trees or _Files(trees).branch()


class _Files:
    """The files of a function: its own, and those beside it that it imports."""

    def __init__(self, trees: list[ast.Module]) -> None:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        asked = [one.func for one in nodes if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)]
        self._hp = {_HP, *(_called(one.value) for one in asked if one.attr in _ASKING)} - {""}
        self._modules = {
            alias.asname or alias.name.partition(".")[0]
            for node in nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        # Those that Python calls by itself, such as `__init__`, are called by the name of their class.
        self._definitions = [one for one in nodes if isinstance(one, _DEFINITIONS) and not one.name.startswith("__")]
        self._lambdas = [one for one in nodes if isinstance(one, ast.Lambda)]
        self._defined = Counter(one.name for one in self._definitions)
        # What asks by calling what asks does so itself.
        self._asking: set[str] = set()
        while more := {one.name for one in self._definitions if self._asks(one)} - self._asking:
            self._asking |= more
        # By the name of each function the parameters that the names of what it asks for are made of.
        self._naming: dict[str, set[str]] = {}
        while any(self._learn_naming(one) for one in self._definitions if isinstance(one, _FUNCTIONS)):
            pass

    def branch(self) -> bool:
        """Whether one of the functions that have to do with `hp` may ask for other things with other values."""
        return any(
            any(map(self._asks, _conditional(one)))
            or self._hands_over(one)
            or any(map(self._goes_another_way, (inner for inner in ast.walk(one) if isinstance(inner, _CALLED))))
            for one in (*self._definitions, *self._lambdas)
            if any(_called(node) in self._hp for node in ast.walk(one))
        )

    def _asks(self, node: ast.AST) -> bool:
        return any(_called(one) in self._hp or _called(one) in self._asking for one in ast.walk(node))

    def _hands_over(self, definition: ast.AST) -> bool:
        """Whether `hp` goes to code that is not among the files, or a value decides which code asks."""
        nodes = list(ast.walk(definition))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        if any(not self._is_known(call.func) for call in calls for value in _given(call) if _called(value) in self._hp):
            return True
        if any(map(_names_a_method, calls)):
            return True
        named = {id(call.func) for call in calls}
        if any(self._is_method(node) and id(node) not in named for node in nodes):
            return True
        if any(_called(part) in self._hp for node in nodes for part in _held(node)):
            return True
        named |= {id(node.value) for node in nodes if isinstance(node, ast.Return)}
        named |= {id(one) for node in nodes for part in _of_no_value(node) for one in ast.walk(part)}
        return any(_called(node) in self._asking and id(node) not in named for node in nodes) or any(
            self._asks(node.body) and not self._hp & {one.arg for one in node.args.args}
            for node in nodes
            if isinstance(node, ast.Lambda)
        )

    def _is_known(self, called: ast.AST) -> bool:
        """Whether what is called is written in the files, under the name that it is called by."""
        if isinstance(called, ast.Attribute):
            owner = called.value
            ours = isinstance(owner, ast.Name) and owner.id in _ITSELF | self._modules
            # One definition is that of whoever calls `super()`.
            inherited = _called(getattr(owner, "func", owner)) == "super" and self._defined[called.attr] > 1
            return called.attr in self._defined and (ours or inherited)
        return _called(called) in self._defined

    def _goes_another_way(self, function: ast.AST) -> bool:
        """Whether a condition ends a function or loop that asks for more, or a value decides what a loop goes over."""
        own = list(_own(function))
        loops = [node for node in own if isinstance(node, _LOOPS) and self._asks(node)]
        for branch in own:
            if isinstance(branch, ast.If | ast.Match) and any(isinstance(one, _LEAVING) for one in _own(branch)):
                later = any(self._asks(node) for node in own if getattr(node, "lineno", 0) > (branch.end_lineno or 0))
                if later or any(one is branch for loop in loops for one in ast.walk(loop)):
                    return True
        derived = self._derived(own)
        over = [loop.iter for loop in loops if isinstance(loop, ast.For | ast.AsyncFor)]
        over += [
            part.iter
            for node in own
            if isinstance(node, _COMPREHENSIONS) and self._asks(node)
            for part in node.generators
        ]
        names = [name for node in own if isinstance(node, ast.Call) for name in self._names(node)]
        # Whoever calls the function may give it what follows from a value.
        arguments = {one.arg for one in ast.walk(function) if isinstance(one, ast.arg)} - _ITSELF - self._hp
        return any(self._decides(part, derived | arguments) and not self._is_range(part) for part in over) or any(
            self._decides(name, derived) for name in names
        )

    def _is_asked(self, call: ast.Call) -> bool:
        return self._is_method(call.func)

    def _is_method(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in _ASKING and _called(node.value) in self._hp

    def _names(self, call: ast.Call) -> list[ast.expr]:
        """What the names of hyperparameters are made of that a call asks for, itself or in a function of the files."""
        if self._is_asked(call):
            return _named(call)
        naming = self._naming.get(_called(call.func), set())
        if not naming:
            return []
        found = [one.value for one in call.keywords if one.arg in naming]
        for definition in self._definitions:
            if isinstance(definition, _FUNCTIONS) and definition.name == _called(call.func):
                given = zip(_parameters(definition), call.args, strict=False)
                found += [value for name, value in given if name in naming]
        return found

    def _learn_naming(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Whether there are more of its parameters that names are made of than was known."""
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        used = {_called(part) for call in calls for name in self._names(call) for part in ast.walk(name)}
        known = self._naming.setdefault(function.name, set())
        more = used.intersection(_parameters(function)) - self._hp - known
        known |= more
        return bool(more)

    def _is_range(self, over: ast.AST) -> bool:
        """Whether it is a `range` of numbers: with the largest ones a loop asks for all that it ever asks for."""
        if not isinstance(over, ast.Call) or _called(over.func) != "range":
            return False
        inside = [one for part in over.args for one in ast.walk(part) if isinstance(one, ast.Call)]
        return all(self._is_asked(one) for one in inside)

    def _derived(self, own: list[ast.AST]) -> set[str]:
        """The variables, and attributes of its object, that a function sets to what follows from hyperparameters."""
        found: set[str] = set()
        assigned = [node for node in own if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr)]
        while True:
            following = [one for one in assigned if one.value is not None and self._decides(one.value, found)]
            names = {_called(part) for one in following for target in _set_by(one) for part in ast.walk(target)}
            if (more := names - self._hp - _ITSELF - {""}) <= found:
                return found
            found |= more

    def _decides(self, node: ast.AST, derived: set[str]) -> bool:
        return self._asks(node) or any(_called(one) in derived for one in ast.walk(node))


def _called(node: ast.AST) -> str:
    """The name of a variable or attribute; "" of anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _set_by(node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> list[ast.expr]:
    """What an assignment sets."""
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _names_a_method(call: ast.Call) -> bool:
    """Whether it is `getattr(self, kind)`."""
    owner, *name = call.args[:2] or [call]
    of_itself = _called(call.func) == "getattr" and _called(owner) in _ITSELF
    return of_itself and not any(isinstance(one, ast.Constant) for one in name)


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(one.value for one in call.keywords)]


def _held(node: ast.AST) -> list[ast.expr]:
    """What stands in a list, tuple, set or dict."""
    if isinstance(node, ast.Dict):
        return node.values
    if isinstance(node, ast.List | ast.Tuple | ast.Set) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return node.elts
    return []


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The names of its parameters in their order, and of those that have no place after them."""
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if names[:1] and names[0] in _ITSELF else names


def _named(call: ast.Call) -> list[ast.expr]:
    """What says the name of a hyperparameter that is asked for."""
    return [*call.args[:1], *(one.value for one in call.keywords if one.arg == "name")]


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function or statement, without what stands in the functions inside it."""
    waiting = [*ast.iter_child_nodes(node)]
    while waiting:
        one = waiting.pop()
        yield one
        if not isinstance(one, (*_DEFINITIONS, ast.Lambda)):
            waiting += ast.iter_child_nodes(one)


def _conditional(definition: ast.AST) -> Iterator[ast.AST]:
    """What is done under a condition only."""
    for node in ast.walk(definition):
        if isinstance(node, ast.If):
            yield from (*node.body, *node.orelse)
        elif isinstance(node, ast.IfExp):
            yield from (node.body, node.orelse)
        elif isinstance(node, ast.Match):
            yield from (one for case in node.cases for one in case.body)
        elif isinstance(node, ast.BoolOp):
            yield from node.values[1:]
        elif isinstance(node, ast.While):
            yield from node.body
        elif isinstance(node, ast.Try):
            yield from node.handlers
        elif isinstance(node, _COMPREHENSIONS) and any(part.ifs for part in node.generators):
            yield from (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)


def _of_no_value(node: ast.AST) -> list[ast.expr]:
    """What of a definition says what it is, and hands nothing over: bases, decorators, annotations."""
    if isinstance(node, ast.ClassDef):
        return [*node.bases, *node.decorator_list]
    if isinstance(node, _FUNCTIONS):
        return [*node.decorator_list, *([node.returns] if node.returns else [])]
    annotation = getattr(node, "annotation", None)
    return [] if annotation is None else [annotation]
