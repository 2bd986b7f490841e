"""Functions stay short; ruff limits their branches."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import modelarts_magics

PACKAGE = Path(modelarts_magics.__file__).parent
MAX_LINES = 40
FUNCTION_TYPES = (ast.FunctionDef, ast.AsyncFunctionDef)


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines from the signature to the end, without the docstring."""
    first = function.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring_lines = first.end_lineno - first.lineno + 1 if has_docstring else 0  # type: ignore[operator]
    return function.end_lineno - function.lineno + 1 - docstring_lines  # type: ignore[operator]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_functions_have_at_most_forty_lines(path: Path) -> None:
    """A longer function is split; its docstring does not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    too_long = [
        f"{node.name}: {_code_lines(node)} lines"
        for node in ast.walk(tree)
        if isinstance(node, FUNCTION_TYPES) and _code_lines(node) > MAX_LINES
    ]
    assert not too_long
