"""The stand-alone verifier as one file: the two modules that need nothing of the project, joined."""

from __future__ import annotations

import ast
import inspect

from gateway.audit import proofs, verifier


def standalone_verifier() -> str:
    """The text of `verify.py`: runs with Python 3.11 and `cryptography`, wherever it is taken."""
    checking, command = inspect.getsource(proofs), inspect.getsource(verifier)
    head = ast.get_docstring(ast.parse(command)) or ""
    imports = "\n".join(sorted({*_outside_imports(checking), *_outside_imports(command)}))
    body = "\n\n".join(_without_head(text).strip() + "\n" for text in (checking, command))
    return f'"""{head}\n"""\n\nfrom __future__ import annotations\n\n{imports}\n\n{body}'


def _outside_imports(text: str) -> list[str]:
    return [
        ast.unparse(node)
        for node in ast.parse(text).body
        if (isinstance(node, ast.Import))
        or (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").split(".")[0] not in {"gateway", "__future__"}
        )
    ]


def _without_head(text: str) -> str:
    """The module without its docstring and imports."""
    nodes = ast.parse(text).body[1:]
    first = next(node for node in nodes if not isinstance(node, ast.Import | ast.ImportFrom))
    return "\n".join(text.splitlines()[first.lineno - 1 :])
