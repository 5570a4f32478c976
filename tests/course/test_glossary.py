"""Terms and symbols are defined where they are first used; notebooks say what they ask for and what one learns."""

import re
from pathlib import Path

import pytest

from wadlib.course.notebooks import read_source, sources

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "notebooks" / "glossary.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^## (?!Symbols)(.+)\n\n.* First in \[(\d\d)\]", GLOSSARY, re.M)
SYMBOLS = re.findall(r"^\| \$(.+?)\$ \| (.+?) \| \[(\d\d)\]", GLOSSARY, re.M)
OURS = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11")
"""Notebooks that follow these rules."""


def texts(number):
    (path,) = (p for p in sources(ROOT) if p.stem.startswith(number))
    cells = [c for c in read_source(path).cells if c.cell_type == "markdown"]
    return [c.source for c in cells if "solution" not in c.metadata.get("tags", [])]


def slug(term):
    return re.sub(r"[^\w\- ]", "", term.lower()).replace(" ", "-")


def prose(text):
    """Text without headings, tables, equations, code and links to other pages."""
    text = re.sub(r"^(#+ |\|).*$", "", text, flags=re.M)
    return re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\[[^\]]*\]\((?!glossary)[^)]*\)", "", text, flags=re.S)


@pytest.mark.parametrize(("term", "number"), TERMS)
def test_a_term_is_linked_where_it_is_first_used(term, number):
    text = prose("\n\n".join(texts(number)))
    words = r"\s+".join(map(re.escape, term.split()))
    first = re.search(rf"(?i)(?<![\w-]){words}(?:s|es)?(?![\w-])(?! R-CNN| Level)(.*)", text)
    assert first
    assert first[1].startswith(f"](glossary.md#{slug(term)})"), first[0][:80]


def test_links_lead_to_a_term():
    known = {slug(term) for term, _ in TERMS}
    assert len(known) == len(TERMS) > 45
    for number in OURS:
        links = re.findall(r"glossary\.md#([^)]*)\)", "\n".join(texts(number)))
        assert set(links) <= known


def symbols_of(text):
    """Letters and Greek names of the equations of a text."""
    found = set()
    for each in re.findall(r"\$\$(.*?)\$\$|(?<!\$)\$([^$]+)\$(?!\$)", text, re.S):
        math = re.sub(r"\\(?:mathrm|text|operatorname)\s*\{[^}]*\}", " ", "".join(each))
        math = re.sub(r"(?<![a-zA-Z\\])(?:[a-zA-Z]{2,})(?![a-zA-Z])", " ", math)  # cut, assoc, Ncut
        found |= set(re.findall(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])", math))
        found |= set(re.findall(r"\\(?:sigma|lambda|alpha|beta|gamma|mu|rho|tau|theta)(?![a-z])", math))
    return found


def test_every_symbol_of_00_to_05_is_in_the_list_and_defined_where_it_says():
    listed = {symbol: number for symbol, _, number in SYMBOLS}
    first = {}
    for number in OURS[:6]:
        for symbol in symbols_of("\n\n".join(texts(number))):
            first.setdefault(symbol, number)
    assert first == listed


@pytest.mark.parametrize("number", OURS)
def test_goals_prerequisites_and_time_at_the_top_and_what_one_can_at_the_end(number):
    first, *_, last = texts(number)
    top = first.split("## The question")[0]
    assert re.search(r"\*\*After this notebook you can\*\* .{20,}", top)
    assert re.search(r"\*\*You need:\*\* .{10,}", top)
    assert re.search(r"\*\*Time:\*\* about \d+ minutes \(reading \d+, exercises \d+\)", top)
    assert last.startswith("## You can now\n\n- ")
    assert last.count("\n- ") >= 3
