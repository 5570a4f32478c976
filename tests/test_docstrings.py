"""The style of docstrings: what a public function does stands in its first word."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "wadlib"

VERBS = """
add apply assign average bring build call check choose close collapse collect compare compile compress compute
configure convolve copy count cover crop cut decide declare decode describe display divide do double draw drop
encode estimate evaluate exchange execute export extrude fetch fill find fit follow forget free get give group hand
hash hold import interpolate join judge keep lay learn let link list load look lower make map mark match measure
mend merge mirror mix move name number offer open outline pack paint pair parse place plan plant pool predict prepare
print project push put raise read refuse remove render resize return round run save say scale score see seed set
show solve sort split square start stretch sum suppress take tell train turn undo unpack view wait write yield
"""
"""Extend it by verbs; a noun phrase ("The mesh of …") becomes a sentence ("Build the mesh of …")."""


def functions_of(tree):
    """Public functions and methods with a docstring, not properties: a property is named by what it is."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            yield from functions_of(node)
        elif isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and not decorated(node, "property"):
            yield node


def decorated(node, word):
    return any(word in ast.unparse(each) for each in node.decorator_list)


def test_docstrings_of_public_functions_begin_with_a_verb():
    """Not those of commands, which Typer shows as help: they say what one gets."""
    verbs, wrong = set(VERBS.split()), []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in functions_of(ast.parse(path.read_text(encoding="utf-8"))):
            line = ast.get_docstring(node).splitlines()[0]
            if line.split()[0].rstrip(",:;").lower() not in verbs and not decorated(node, ".command("):
                wrong.append(f"{path.relative_to(PACKAGE).as_posix()}, {node.name}: {line}")
    assert not wrong, "docstrings that do not begin with a verb:\n" + "\n".join(wrong)
