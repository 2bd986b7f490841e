"""No module imports itself by way of others: in Python and TypeScript, for types and inside functions too."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "modelarts_magics"
FRONT_END = ROOT / "labextension" / "src"
TYPESCRIPT_IMPORT = re.compile(
    r"""(?:\b(?:import|export)\b[^'";]*?\bfrom\s*|\bimport\s*\(?\s*)(['"])(\.[^'"]*)\1"""
)

Graph = dict[str, set[str]]
"""The modules that each module imports."""


def python_graph(root: Path = ROOT, package: str = PACKAGE) -> Graph:
    """Return what each Python module of a package imports from the same package."""
    files = {_module_name(path, root): path for path in (root / package).rglob("*.py")}
    return {name: _python_imports(name, path, set(files)) for name, path in files.items()}


def _module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _python_imports(name: str, path: Path, modules: set[str]) -> set[str]:
    base = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = base[: len(base) - node.level + 1] if node.level else []
            source = ".".join([*prefix, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found.add(inner if inner in modules else source)
    return (found & modules) - {name}


def typescript_graph(folder: Path = FRONT_END) -> Graph:
    """Return what each TypeScript module of a folder imports from the same folder."""
    files = {path.resolve() for path in folder.rglob("*.ts")}
    graph: Graph = {}
    for path in files:
        links = TYPESCRIPT_IMPORT.finditer(path.read_text(encoding="utf-8"))
        targets = {_typescript_file(path, link.group(2), files) for link in links}
        graph[_short(path, folder)] = {_short(target, folder) for target in targets if target}
    return graph


def _typescript_file(path: Path, link: str, files: set[Path]) -> Path | None:
    target = (path.parent / link).resolve()
    candidates = (
        target,
        target.with_name(f"{target.name}.ts"),
        target.with_suffix(".ts"),
        target / "index.ts",
    )
    return next((candidate for candidate in candidates if candidate in files), None)


def _short(path: Path, folder: Path) -> str:
    return path.relative_to(folder.resolve()).with_suffix("").as_posix()


def folder_graph(graph: Graph, *, separator: str, depth: int) -> Graph:
    """Return what each folder imports; a module that lies beside the folders counts as one."""

    def folder(name: str) -> str:
        return separator.join(name.split(separator)[:depth])

    folders: Graph = {}
    for name, imported in graph.items():
        folders.setdefault(folder(name), set()).update(map(folder, imported))
    return {name: imported - {name} for name, imported in folders.items()}


def find_cycle(graph: Graph) -> list[str]:
    """Return the modules of one cycle in order, the first one again at the end; none: no cycle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])[::-1]
    return []


@pytest.mark.parametrize(
    "graph", [python_graph(), typescript_graph()], ids=["python", "typescript"]
)
def test_modules_import_each_other_in_one_direction(graph: Graph) -> None:
    """No chain of imports leads back to the module where it began."""
    assert sum(map(len, graph.values())) > len(graph) / 2
    assert find_cycle(graph) == []


def test_python_folders_import_each_other_in_one_direction() -> None:
    """A folder of the package never imports, for types either, from a folder that imports from it."""
    graph = python_graph()
    del graph[PACKAGE]  # the public names, which are loaded when they are first used
    assert find_cycle(folder_graph(graph, separator=".", depth=2)) == []


def test_typescript_folders_import_each_other_in_one_direction() -> None:
    """A folder of the front end never imports, for types either, from a folder that imports from it."""
    graph = folder_graph(typescript_graph(), separator="/", depth=1)
    assert find_cycle(graph) == []


@pytest.mark.parametrize(
    "source",
    [
        "from shop import basket",
        "from . import basket",
        "import shop.basket",
        "def buy():\n    from .basket import add",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.basket import Item",
    ],
)
def test_cycle_of_python_modules_is_found(tmp_path: Path, source: str) -> None:
    """An import counts wherever it stands."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "basket.py").write_text("from shop.till import pay\n")
    (tmp_path / "shop" / "till.py").write_text(source)
    assert set(find_cycle(python_graph(tmp_path, "shop"))) == {"shop.basket", "shop.till"}


@pytest.mark.parametrize(
    "source",
    [
        "import { add } from './basket';",
        "import type { Item } from '../shop/basket';",
        "import {\n  add,\n  type Item,\n} from './basket';",
        "export { add } from './basket';",
        "export * from './basket';",
        "import './basket';",
        "const load = () => import('./basket');",
    ],
)
def test_cycle_of_typescript_modules_is_found(tmp_path: Path, source: str) -> None:
    """An import counts in every form, a type's and a lazy one too."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "basket.ts").write_text("import { pay } from './till';\n")
    (folder / "till.ts").write_text(source)
    assert set(find_cycle(typescript_graph(folder))) == {"basket", "till"}
