"""Whether other values may lead a `build(hp)` to other hyperparameters, by what its files say. Nothing is run."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Set
from typing import NamedTuple

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
# With larger numbers these give larger ones.
_GROWTH = (ast.Add, ast.Mult)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
# Some parameters of functions, by the names that these are called by.
_Parameters = dict[str, set[str]]
# A variable of one function, by its id, and its name; or what is known everywhere by its name.
_Variable = tuple[int | None, str]


def asks_in_branches(file: str) -> bool:
    """Whether some values of a choice may lead to hyperparameters that others do not; also where nobody can tell.

    More of the same, in a loop over a `range`, does not count.

    Args:
        file: The function's; "" where nobody knows it.
    """
    if not sources.is_users(file):
        # The files of a package lead through all that is installed.
        return True
    found = [sources.parsed(text) for text in sources.texts(file).values()]
    trees = [tree for tree in found if tree is not None]
    return not trees or len(trees) < len(found) or _Files(trees).branch()


class _Setting(NamedTuple):
    """Something that a function sets.

    Attributes:
        name: Of the variable or attribute, or of the function, whose value is what it returns.
        value: What it follows from: its value, or the condition under which it is set.
        alone: Whether it is that value, or more by it.
        local: Whether it is a variable of that function, which others may have by the same name.
    """

    name: str
    value: ast.expr
    alone: bool
    local: bool


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
        # By the names that they are called by: what makes an object is called by that of its class.
        self._functions = [(one.name, one) for one in nodes if isinstance(one, _FUNCTIONS)]
        classes = [one for one in nodes if isinstance(one, ast.ClassDef)]
        self._functions += [
            (one.name, part)
            for one in classes
            for part in one.body
            if isinstance(part, _FUNCTIONS) and part.name == "__init__"
        ]
        # The parameters that the names of what a function asks for are made of, and those that say how often it asks.
        self._naming: _Parameters = {}
        self._lasting: _Parameters = {}
        self._learn(self._naming, self._all_names)
        self._learn(self._lasting, self._lengths)
        # The functions that something called stands in, itself among them: it knows their variables.
        self._around: dict[int, set[int]] = {id(one): set() for one in nodes if isinstance(one, _CALLED)}
        for _, function in self._functions:
            for inner in ast.walk(function):
                if isinstance(inner, _CALLED):
                    self._around[id(inner)].add(id(function))
        self._set = [(function, [*_settings(function)]) for _, function in self._functions]
        self._following = self._found_following()
        # Numbers among these that are largest where all that they follow from is.
        self._growing = set(self._following)
        while lost := self._not_growing():
            self._growing -= lost

    def branch(self) -> bool:
        """Whether one of the functions that have to do with `hp` may ask for other things with other values."""
        involved = [
            one
            for one in (*self._definitions, *self._lambdas)
            if any(_called(node) in self._hp for node in ast.walk(one))
        ]
        # Where none of them has, what asks is in other files.
        return not involved or any(
            any(map(self._asks, _conditional(one)))
            or self._hands_over(one)
            or any(map(self._goes_another_way, (inner for inner in ast.walk(one) if isinstance(inner, _CALLED))))
            for one in involved
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
        # Whoever calls the function may give it what follows from a value.
        arguments = {one.arg for one in ast.walk(function) if isinstance(one, ast.arg)} - _ITSELF - self._hp
        following = self._known(function, self._following)
        as_given = arguments - {name for where, name in self._following if where == id(function)}
        return (
            any(self._decides(part, following | arguments) for part in self._asked_over(own, ranges=False))
            or any(self._decides(name, following) for name in self._all_names(own))
            or not all(self._grows(length, function, as_given) for length in self._lengths(own))
        )

    def _asked_over(self, nodes: list[ast.AST], *, ranges: bool) -> list[ast.expr]:
        """What loops and comprehensions that ask go over: a `range` of numbers, or anything else."""
        asking = [node for node in nodes if isinstance(node, (*_LOOPS, *_COMPREHENSIONS)) and self._asks(node)]
        found = [node.iter for node in asking if isinstance(node, ast.For | ast.AsyncFor)]
        found += [part.iter for node in asking if isinstance(node, _COMPREHENSIONS) for part in node.generators]
        return [part for part in found if _is_range(part) == ranges]

    def _lengths(self, nodes: list[ast.AST]) -> list[ast.expr]:
        """What says how far a `range` goes that is asked over, here or in a function of the files that is called."""
        ranges = [part for part in self._asked_over(nodes, ranges=True) if isinstance(part, ast.Call)]
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        return [
            *(length for call in ranges for length in call.args),
            *(value for call in calls for value in self._passed(call, self._lasting)),
        ]

    def _is_method(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in _ASKING and _called(node.value) in self._hp

    def _all_names(self, nodes: list[ast.AST]) -> list[ast.expr]:
        """What the names of hyperparameters are made of that calls ask for, or the functions of the files they call."""
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        return [
            name
            for call in calls
            for name in (_named(call) if self._is_method(call.func) else self._passed(call, self._naming))
        ]

    def _passed(self, call: ast.Call, parameters: _Parameters) -> list[ast.expr]:
        """What a call of a function of the files gives for some of its parameters."""
        wanted = parameters.get(_called(call.func), set())
        found = [one.value for one in call.keywords if one.arg in wanted]
        for name, function in self._functions if wanted else ():
            if name == _called(call.func):
                given = zip(_parameters(function), call.args, strict=False)
                found += [value for parameter, value in given if parameter in wanted]
        return found

    def _learn(self, known: _Parameters, parts: Callable[[list[ast.AST]], list[ast.expr]]) -> None:
        """Adds the parameters that parts of functions are made of; those that are known already lead to more parts."""
        more = True
        while more:
            more = False
            for name, function in self._functions:
                used = {_called(one) for part in parts([*ast.walk(function)]) for one in ast.walk(part)}
                new = used.intersection(_parameters(function)) - self._hp - known.setdefault(name, set())
                known[name] |= new
                more = more or bool(new)

    def _known(self, function: ast.AST, variables: Set[_Variable]) -> set[str]:
        """The names among variables that a function knows: its own, those of functions around it, and everyone's."""
        hidden = {one.arg for one in ast.walk(getattr(function, "args", function)) if isinstance(one, ast.arg)}
        around = self._around[id(function)] - {id(function)}
        return {
            name
            for where, name in variables
            if where is None or where == id(function) or (where in around and name not in hidden)
        }

    def _found_following(self) -> set[_Variable]:
        """What follows from hyperparameters, in whatever function it is set."""
        found: set[_Variable] = set()
        others = {"", *self._hp, *_ITSELF, *self._modules}
        more = True
        while more:
            before = len(found)
            for function, settings in self._set:
                known = self._known(function, found)
                found |= {
                    _variable(function, one)
                    for one in settings
                    if one.name not in others and self._decides(one.value, known)
                }
            more = len(found) > before
        return found

    def _not_growing(self) -> set[_Variable]:
        """Those that are taken for growing and are set to something that is not."""
        found: set[_Variable] = set()
        for function, settings in self._set:
            known = self._known(function, self._following)
            deciding = [one for one in settings if self._decides(one.value, known)]
            found |= {
                _variable(function, one) for one in deciding if not (one.alone and self._grows(one.value, function))
            }
        return found & self._growing

    def _grows(self, number: ast.expr, function: ast.AST, arguments: Set[str] = frozenset()) -> bool:
        """Whether a number is largest where all that it follows from is: with the largest values, which are tried.

        Args:
            number: What gives it.
            function: Where it stands.
            arguments: Of the function; what is given for them is looked at where it is called.
        """
        deciding = self._known(function, self._following) | arguments
        if self._is_value(number) or not self._decides(number, deciding):
            return True
        if isinstance(number, ast.BinOp) and isinstance(number.op, _GROWTH):
            return all(self._grows(part, function, arguments) for part in (number.left, number.right))
        if isinstance(number, ast.BinOp) and isinstance(number.op, ast.Sub | ast.FloorDiv):
            return self._grows(number.left, function, arguments) and not self._decides(number.right, deciding)
        if (name := _called(number)) in deciding:
            return name in arguments or name not in self._known(function, self._following - self._growing)
        if isinstance(number, ast.Subscript) and self._decides(number.slice, deciding):
            return False
        return isinstance(number, ast.Attribute | ast.Subscript) and self._grows(number.value, function, arguments)

    def _is_value(self, node: ast.AST) -> bool:
        """Whether it is the value of one hyperparameter."""
        if isinstance(node, ast.Subscript):
            return _called(node.value) in self._hp
        asked = node.func if isinstance(node, ast.Call) else None
        return isinstance(asked, ast.Attribute) and _called(asked.value) in self._hp and asked.attr in (*_ASKING, "get")

    def _decides(self, node: ast.AST, derived: set[str]) -> bool:
        return self._asks(node) or any(_called(one) in derived for one in ast.walk(node))


def _called(node: ast.AST) -> str:
    """The name of a variable or attribute; "" of anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_range(over: ast.AST) -> bool:
    """Whether it is a `range` of numbers."""
    return isinstance(over, ast.Call) and _called(over.func) == "range"


def _settings(function: _Function) -> Iterator[_Setting]:
    """All that a function sets, once for each value and condition that it follows from."""
    outer = {name for node in _own(function) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    for node in _own(function):
        yield from _set_by(node, function.name, outer)
        if (tested := _tested(node)) is not None:
            inside = (one for part in _own(node) for one in _set_by(part, function.name, outer))
            yield from (_Setting(one.name, tested, False, one.local) for one in inside)


def _set_by(node: ast.AST, function: str, outer: Set[str]) -> Iterator[_Setting]:
    """What a statement sets, changes or returns.

    Args:
        node: The statement.
        function: The name of the function that it stands in.
        outer: Names in it that are not its own.
    """
    if isinstance(node, ast.Return) and node.value is not None:
        yield _Setting(function, node.value, False, False)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        # `names.append(name)`, of a list that others may hold.
        yield _Setting(_called(node.value.func.value), node.value, False, False)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.AugAssign) and node.value is not None:
        added = not isinstance(node, ast.AugAssign) or isinstance(node.op, _GROWTH)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            alone = added and isinstance(target, ast.Name | ast.Attribute)
            for part in ast.walk(target):
                stored = isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
                yield _Setting(_called(part), node.value, alone, stored and _called(part) not in outer)


def _variable(function: _Function, one: _Setting) -> _Variable:
    return (id(function) if one.local else None, one.name)


def _tested(node: ast.AST) -> ast.expr | None:
    """What decides whether, or how often, the statements inside of a statement are reached; None: nothing does."""
    if isinstance(node, ast.If | ast.While):
        return node.test
    if isinstance(node, ast.Match):
        return node.subject
    return node.iter if isinstance(node, ast.For | ast.AsyncFor) and not _is_range(node.iter) else None


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


def _parameters(function: _Function) -> list[str]:
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
