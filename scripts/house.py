#!/usr/bin/env python3
"""Measure the structure of the source: size, names that stand for more than one thing, long files and functions.

Usage: scripts/house.py [DIRECTORY of a checkout, default this one]
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else HOME
    source, tests = _trees(root / "src"), _trees(root / "tests")
    classes = Counter(
        node.name for tree in source.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    )
    files = Counter(path.name for path in source if not path.name.startswith("__"))
    functions = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for tree in source.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    rows = {
        "lines of source": _lines(source),
        "statements of source": _statements(source),
        "lines of tests": _lines(tests),
        "tests : source": round(_lines(tests) / _lines(source), 2),
        "class names defined more than once": sum(count > 1 for count in classes.values()),
        "file names used more than once": sum(count > 1 for count in files.values()),
        "files over 300 lines": sum(_lines({path: tree}) > 300 for path, tree in source.items()),
        "functions over 40 lines": sum(size > 40 for size in functions),
    }
    for name, value in rows.items():
        print(f"{name:38} {value:>10}")


def _trees(folder: Path) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))}


def _lines(trees: dict[Path, ast.Module]) -> int:
    return sum(path.read_text(encoding="utf-8").count("\n") for path in trees)


def _statements(trees: dict[Path, ast.Module]) -> int:
    return sum(isinstance(node, ast.stmt) for tree in trees.values() for node in ast.walk(tree))


if __name__ == "__main__":
    main()
