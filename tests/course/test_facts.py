"""The facts of the report: each has its source, every quote is exact, and nobody names another section for it."""

import ast
import csv
import re
from pathlib import Path

import pytest

from wadlib.course.facts import KINDS, Fact, cite, report_facts
from wadlib.errors import WadError

ROOT = Path(__file__).resolve().parents[2]
FACTS = report_facts()
REPORT = ROOT.parent / "shared" / "report" / "report_text.md"


def squeezed(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def sections():
    """Name of a section as `where` has it -> its text."""
    beside = next((p / "shared/report/report_text.md" for p in ROOT.parents if (p / "shared/report").is_dir()), REPORT)
    if not beside.is_file():
        pytest.skip("the report's text is not beside the repository")
    found, name = {}, "title"
    for line in beside.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"#+ (?:(Abstract|References)|(\d(?:\.\d)?)\.? )", line):
            name = f"section {heading[2]}" if heading[2] else heading[1].lower()
        found[name] = found.get(name, "") + line + "\n"
    return {name: squeezed(text) for name, text in found.items()}


# --- entries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS.keys())
def test_every_fact_has_its_source(fact):
    assert fact.kind in KINDS
    assert fact.where
    assert fact.value not in ("", None, [], {})
    assert bool(fact.quote) == (fact.kind == "text")
    if fact.kind in ("text", "digitised"):
        assert re.match(r"(title|abstract|section \d)", fact.where), "a place in the report"
    if fact.kind == "code":
        assert re.search(r"\.(py|ipynb|md)\b|^log$", fact.where), "a file of the authors' repository"


@pytest.mark.parametrize("fact", [f for f in FACTS.values() if f.quote], ids=lambda f: f.key)
def test_every_quote_stands_in_the_section_that_is_named(fact, sections):
    place = fact.where.split(",")[0]
    assert squeezed(fact.quote) in sections[place], f"{fact.where} does not say: {fact.quote}"


def test_facts_agree_with_each_other():
    seen = cite("epochs").value * cite("steps_per_epoch").value * cite("images_per_step").value
    assert seen == cite("images_seen").value
    assert round(seen / cite("train_frames").value, 2) == cite("passes").value
    both = cite("train_frames").value + cite("validation_frames").value
    assert round(cite("train_frames").value / both, 1) == cite("train_fraction").value
    steps = cite("epochs").value * (cite("steps_per_epoch").value + cite("validation_steps").value)
    assert round(cite("hours").value * 3600 / steps) == cite("seconds_per_step").value
    assert sum(value < 0.01 for value in cite("table_1").value.values()) == 5


def test_the_loss_curves_are_as_documented():
    text = (ROOT / "report" / cite("loss_curves").value).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == ["figure", "loss", "epoch", "train", "val"]
    assert {(row["figure"], row["loss"]) for row in rows} == {
        ("10", "mrcnn_bbox_loss"),
        ("11", "mrcnn_class_loss"),
        ("12", "mrcnn_mask_loss"),
        ("13", "loss"),
        ("14", "rpn_bbox_loss"),
        ("15", "rpn_class_loss"),
    }
    total, parts = {}, {}
    for row in rows:
        into = total if row["loss"] == "loss" else parts
        into[row["epoch"]] = into.get(row["epoch"], 0) + float(row["train"])
    assert len(total) == cite("epochs").value
    assert sum(abs(total[epoch] - parts[epoch]) for epoch in total) / len(total) < 0.013


# --- cite ----------------------------------------------------------------------------------------


def test_cite_shows_value_kind_and_place():
    shown = repr(cite("crop"))
    assert "left 28, right 28, top 75, bottom 75 px" in shown
    assert "text, section 4.2" in shown
    assert cite("crop").quote in shown
    markdown = cite("train_frames")._repr_markdown_()
    assert "5,804 frames" in markdown
    assert "(code, Mask_RCNN/Convert_Mask_to_COCO_Format.ipynb)" in markdown


def test_cite_names_what_is_close():
    with pytest.raises(WadError, match="there is no fact 'momemtum'; close to it: momentum"):
        cite("momemtum")
    with pytest.raises(WadError, match=r"there is no fact 'qqqq'\.\n"):
        cite("qqqq")


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "rumour", "where": "section 3"},
        {"kind": "code", "where": ""},
        {"kind": "text", "where": "section 3"},
        {"kind": "code", "where": "eval.py", "quote": "x"},
    ],
)
def test_a_fact_without_its_source_is_refused(entry):
    with pytest.raises(WadError, match="Fact x: got kind"):
        Fact("x", 1, **entry)


# --- what the companion says about the report ----------------------------------------------------

NUMBERS = r"\d{1,2}(?:\.\d)?(?:(?:, | and | to |–|-)\d{1,2}(?:\.\d)?)*"
SECTION = re.compile(rf"\b[Ss]ections? ({NUMBERS})")
FIGURES = re.compile(rf"[Ss]ections? ({NUMBERS}),? (?:and )?(Figs?|Figures?|Table|eqs?|equations?) ({NUMBERS})")
# A section of somebody else's paper: a year, an RFC or the paper's name stands right before it.
FOREIGN = re.compile(r"(?:(?:19|20)\d\d|RFC)[^;.]{0,40}$|R-CNN[\",”]* \($")
SPEAKS = re.compile(
    r"\b[Tt]he report (?:says|writes|states|trains|trained|evaluated|evaluates|uses|used|validates)\b"
    r"|\b[Tt]he report (?:keeps|kept|adds|added)\b"
    r"|\b[Tt]he report's (?:text|epochs?|training set)\b"
)
FIGURE_SECTION = {
    1: "2.1",
    2: "2.2",
    3: "3",
    4: "3.1",
    5: "3.2",
    6: "4.1",
    7: "4.1",
    8: "4.1",
    9: "4.1",
} | dict.fromkeys(range(10, 16), "5")
PLACES = {"fig": FIGURE_SECTION, "tab": {1: "5"}, "eq": dict.fromkeys(range(1, 7), "2.1")}


def numbers(text):
    """ "2.1, 3 and 4" -> its parts; "10 to 15" -> all of them."""
    parts = re.split(r", | and ", text)
    for part in parts:
        ends = re.split(r" to |–|-", part)
        if len(ends) == 2:
            yield from map(str, range(int(ends[0]), int(ends[1]) + 1))
        else:
            yield part


def units(text):
    """Sentences and rows of tables; "(Report, section …)" belongs to its whole paragraph."""
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", text):  # each item of a list is a paragraph
        flat = squeezed(paragraph)
        rows = [squeezed(line) for line in paragraph.splitlines() if line.strip().startswith("|")]
        if rows:
            yield from rows
        elif "(Report, section" in flat:
            yield flat
        else:
            yield from re.split(r"(?<=[.!?:])\s+(?=[A-Z*\"“(\[])", flat)


def sections_cited(text):
    """Yield (unit, sections of the report that it names)."""
    for unit in units(text):
        named = set()
        for found in SECTION.finditer(unit):
            before = unit[max(0, found.start() - 60) : found.start()]
            if not FOREIGN.search(before) or unit[found.end() :].lstrip(" )").startswith("of the report"):
                named |= set(numbers(found[1]))
        if named:
            yield unit, named


def wrong_sections(text):
    """Complaints about sentences that name a section for a fact, figure, table or equation that stands in another."""
    for unit, named in sections_cited(text):
        if unknown := named - SECTIONS:
            yield f"there is no section {', '.join(sorted(unknown))}: {unit}"
        spans = [
            (*found.span(), fact.key, fact.where.split(",")[0].removeprefix("section "))
            for fact in FACTS.values()
            if fact.kind == "text"
            for topic in fact.topics
            for found in re.finditer(topic, unit)
        ]
        told = set()  # characters complained about: two facts may share a phrase
        for start, end, key, section in spans:
            agreeing = [s for a, b, _, s in spans if a < end and start < b and s in named]
            if not agreeing and not told & set(range(start, end)):
                told |= set(range(start, end))
                yield f"{key} stands in section {section}, not in {', '.join(sorted(named))}: {unit}"
        for found in FIGURES.finditer(unit):
            kind = next(k for k in PLACES if found[2].lower().startswith(k))
            for number in numbers(found[3]):
                if (section := PLACES[kind][int(number)]) not in set(numbers(found[1])):
                    yield f"{found[2]} {number} belongs to section {section}: {unit}"


SECTIONS = {"1", "2", "2.1", "2.2", "3", "3.1", "3.2", "4", "4.1", "4.2", "5", "6"}


def misattributed(text):
    """Complaints about sentences that make the report say what only the published code shows."""
    for unit in units(text):
        if SPEAKS.search(unit) and not re.search(r"code|repository|notebook|published", unit):
            for fact in FACTS.values():
                if fact.kind == "code" and any(re.search(topic, unit) for topic in fact.topics):
                    yield f"{fact.key} is known from the code alone ({fact.where}): {unit}"


def misattributed_in_code(source):
    """The same for statements that print a fact by `cite`: kind "code" must not come under "the report"."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr | ast.Assign):
            strings = " ".join(
                n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
            )
            keys = [
                n.args[0].value
                for n in ast.walk(node)
                if isinstance(n, ast.Call)
                and getattr(n.func, "id", "") == "cite"
                and isinstance(n.args[0], ast.Constant)
            ]
            for key in keys:
                if FACTS[key].kind == "code" and "the report" in strings and "code" not in strings:
                    yield f"{key} is known from the code alone, line {node.lineno}: {strings}"


def markdown_of(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    if path.parent.name == "src":  # a notebook in percent format: the comments of its Markdown cells
        cells = re.split(r"^# %%", text, flags=re.M)
        return "\n\n".join(
            re.sub(r"^# ?", "", c.partition("\n")[2], flags=re.M) for c in cells if c.startswith(" [markdown]")
        )
    tree = ast.parse(text)
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    comments = re.findall(r"^\s*(# .*(?:\n\s*# .*)*)", text, flags=re.M)
    prose = [re.sub(r"^\s*# ", "", comment, flags=re.M) for comment in comments]
    return (
        "\n\n".join(prose)
        + "\n\n"
        + "\n\n".join(doc for node in ast.walk(tree) if isinstance(node, kinds) and (doc := ast.get_docstring(node)))
    )


NOTEBOOKS = sorted((ROOT / "notebooks" / "src").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md")), *sorted((ROOT / "results").rglob("*.md"))]
MODULES = sorted((ROOT / "wadlib").rglob("*.py"))


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda p: p.name)
def test_no_page_cites_another_section(path):
    assert not list(wrong_sections(markdown_of(path)))


def test_no_docstring_cites_another_section():
    assert not [(path.name, complaint) for path in MODULES for complaint in wrong_sections(markdown_of(path))]


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda p: p.name)
def test_no_page_calls_a_fact_of_the_code_the_reports(path):
    assert not list(misattributed(markdown_of(path)))
    if path.suffix == ".py":
        assert not list(misattributed_in_code(path.read_text(encoding="utf-8")))


SAYS = re.compile(r"\b[Rr]eport(?:'s text)? (?:says|writes|states|calls|asks)\b|[Ss]ays the report|[Tt]hey \"")


def inexact_quotes(text, report):
    """Yield what stands in quotation marks in a sentence that lets the report speak, and is not in the report."""
    for unit in units(text):
        if SAYS.search(unit):
            yield from (quote for quote in re.findall(r"[\"“]([^\"”]{4,})[\"”]", unit) if quote not in report)


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda p: p.name)
def test_what_the_report_says_in_quotation_marks_it_says(path, sections):
    assert not list(inexact_quotes(markdown_of(path), " ".join(sections.values())))


def test_the_check_of_quotes_finds_what_is_wrong():
    report = "the classification loss represented in Fig. 11 is diverging"
    assert list(inexact_quotes('The report says that its class loss "overfits badly".', report)) == ["overfits badly"]
    assert not list(inexact_quotes('The report says that its class loss "is diverging".', report))


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("The report crops 28 columns (section 4.1).", 1),
        ("The report crops 28 columns (section 4.2).", 0),
        ("Frames become 832x640. Why?\nAnd how? (Report, section 4.1.)", 1),
        ("| [02](a.ipynb) | section 4.1 | 3384x2710 becomes 832x640 |", 2),
        ("| [03](a.ipynb) | section 3, Fig 4 | bars |", 1),
        ("| [01](a.ipynb) | sections 3 and 3.2, Figs 3 and 5 | labels |", 0),
        ("(Report, section 4.2, Figs 10 to 15.)", 6),
        ("(Report, sections 4.2 and 5, Figs 10 to 15.)", 0),
        ("Class imbalance is blamed in section 5.", 0),
        ("Class imbalance is shown in section 3.", 1),
        ("See section 4.7 of the report.", 1),
        ("- Training from scratch (section 4.2)\n- a different class (section 5)", 0),
        ("- Training from scratch (section 5)\n- a different class (section 5)", 1),
        ("Fig 1 of the report (Boykov, Veksler & Zabih 2001, section 3) draws the α-β swap.", 0),
        ("Normalized cut (Shi and Malik 2000; section 2.2 of the report).", 1),
        ("Faster R-CNN (section 3.2) leaves it out.", 0),
    ],
)
def test_the_check_of_sections_finds_what_is_wrong(text, complaints):
    assert len(list(wrong_sections(text))) == complaints, list(wrong_sections(text))


def test_the_check_of_sources_finds_what_is_wrong():
    assert list(misattributed("The report trains on the first 70 % of each video."))
    assert not list(
        misattributed("The published code trains on the first 70 % of each video, the report's text says 70:30.")
    )
    assert list(misattributed_in_code('print("the report:", cite("train_frames").value)'))
    assert not list(misattributed_in_code('print("the report:", cite("hours").value, "h")'))
