"""Which sentences modules can say, read from their source: constructors' arguments, with values put in.

An expression is followed to every text that it can be: through names, parameters, branches, tables and the
functions of its module. Whatever cannot be followed is a value, and `samples` has one for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import product
from pathlib import Path

from markupsafe import Markup

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def left_in_english(sentence: str, told: Markup, shared: AbstractSet[str]) -> set[str]:
    """Words of the English sentence that its Indonesian has as well, and that are not `shared` by both."""
    words = (
        re.findall(r"(?<![\w.:/`-])[a-z]{2,}(?![\w:/`-]|\.\w)", text) for text in (sentence, told.striptags())
    )
    return set.intersection(*map(set, words)) - shared


class Said:
    """What one module can say. `samples` are values by a word in the expression that they stand for."""

    def __init__(self, path: Path, samples: Mapping[str, str], sample: str) -> None:
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self._samples, self._sample = samples, sample
        self._nodes = list(ast.walk(self.tree))
        self._parents = {child: node for node in self._nodes for child in ast.iter_child_nodes(node)}
        self._functions = {node.name: node for node in self._nodes if isinstance(node, _FUNCTIONS)}
        self._resolving: set[tuple[str, ast.AST]] = set()

    def calls(self, names: frozenset[str]) -> Iterator[ast.Call]:
        """Every call of one of the names."""
        for node in self._nodes:
            if isinstance(node, ast.Call) and _name(node.func) in names:
                yield node

    def assigned(self, name: str) -> Iterator[ast.expr]:
        """Every expression that is given to a variable of this name."""
        for node in self._nodes:
            match node:
                case ast.Assign(targets=[ast.Name(id=given)], value=value) if given == name:
                    yield value
                case ast.AnnAssign(target=ast.Name(id=given), value=ast.expr() as value) if given == name:
                    yield value

    def returned(self, name: str) -> Iterator[ast.expr]:
        """Every expression that the function of this name gives."""
        for node in ast.walk(self._functions[name]) if name in self._functions else ():
            if isinstance(node, ast.Return) and node.value is not None:
                yield node.value

    def texts(self, node: ast.expr) -> set[str]:
        """Every text that the expression can be."""
        match node:
            case ast.Constant() | ast.JoinedStr() | ast.FormattedValue() | ast.BinOp():
                return self._written(node)
            case ast.IfExp(body=body, orelse=otherwise):
                return self.texts(body) | self.texts(otherwise)
            case ast.Name(id=name):
                return self._named(name, node)
            case ast.Subscript(value=value):
                return self._table(_name(value)) or {self._value(node)}
            case ast.Call():
                return self._called(node)
        return {self._value(node)}

    def _written(self, node: ast.expr) -> set[str]:
        """What a text is that is written down, or put together from parts."""
        match node:
            case ast.Constant(value=value) if value is None or isinstance(value, str):
                return set() if value is None else {value}
            case ast.JoinedStr(values=parts):
                return _joined([self.texts(part) for part in parts])
            case ast.FormattedValue(value=value, format_spec=None) if not isinstance(value, ast.BinOp):
                return self.texts(value)
            case ast.FormattedValue(format_spec=ast.expr() as spec):
                return {"1.5" if ".1f" in ast.unparse(spec) else "7"}
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _joined([self.texts(left), self.texts(right)])
        return {self._value(node)}

    def _called(self, node: ast.Call) -> set[str]:
        match node.func:
            case ast.Attribute(value=ast.Constant(value=str(glue)), attr="join"):
                return {glue.join([self._sample, self._sample])}
            case ast.Attribute(value=value, attr="rstrip"):
                return {text.rstrip() for text in self.texts(value)}
        returned = list(self.returned(_name(node.func)))
        return set().union(*map(self.texts, returned)) if returned else {self._value(node)}

    def _named(self, name: str, node: ast.AST) -> set[str]:
        if table := self._table(name):
            return table
        scope = self._scope(node)
        if (name, scope) in self._resolving:
            return {self._value(ast.Name(name))}
        self._resolving.add((name, scope))
        try:
            found = set().union(*map(self.texts, self._given(name, scope)))
        finally:
            self._resolving.discard((name, scope))
        return found or {self._value(ast.Name(name))}

    def _given(self, name: str, scope: ast.AST) -> list[ast.expr]:
        """What a name was given: in its function, by whoever calls that, from a table, or in the module."""
        values = [value for value in self.assigned(name) if self._scope(value) is scope]
        if not isinstance(scope, _FUNCTIONS):
            return values
        places = [one.arg for one in scope.args.args]
        if name in places and scope in self.tree.body:
            calls = [one for one in self.calls(frozenset({scope.name})) if isinstance(one.func, ast.Name)]
            values += [one.args[places.index(name)] for one in calls if len(one.args) > places.index(name)]
        loops = (one for one in ast.walk(scope) if isinstance(one, ast.For) and _loops(one, name))
        values += [one.iter for one in loops if self._table(_name(one.iter))]
        return values or [value for value in self.assigned(name) if self._scope(value) is self.tree]

    def _table(self, name: str) -> set[str]:
        """Every sentence in a table of the module; its keys, patterns and other words are none."""
        within = [
            one
            for value in self.assigned(name)
            if self._scope(value) is self.tree and not isinstance(value, ast.Constant | ast.JoinedStr)
            for one in ast.walk(value)
        ]
        patterns = {one for call in within if isinstance(call, ast.Call) for one in call.args}
        texts = (one.value for one in within if isinstance(one, ast.Constant) and one not in patterns)
        return {text for text in texts if isinstance(text, str) and " " in text}

    def _scope(self, node: ast.AST) -> ast.AST:
        while node in self._parents:
            node = self._parents[node]
            if isinstance(node, _FUNCTIONS):
                return node
        return self.tree

    def _value(self, node: ast.expr) -> str:
        expression = ast.unparse(node)
        return next((value for word, value in self._samples.items() if word in expression), self._sample)


def _joined(parts: Sequence[set[str]]) -> set[str]:
    return {"".join(texts) for texts in product(*parts)}


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _loops(loop: ast.For, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(loop.target))
