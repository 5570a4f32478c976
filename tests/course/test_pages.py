"""The pages of the book about the report: complete, linked, and without a typed result."""

import importlib
import json
import re
from pathlib import Path

import pytest

from wadlib.course import finding
from wadlib.course.api import ROOMS
from wadlib.course.facts import cite
from wadlib.course.finding import RESULTS, substitutions

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
PAGES = sorted(BOOK.glob("*.md"))


def slug(heading):
    """As MyST makes it: lower case, no punctuation, dashes for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def headings(notebook):
    text = (ROOT / "notebooks" / "src" / f"{notebook}.py").read_text(encoding="utf-8")
    return {slug(found) for found in re.findall(r"^# #{1,3} (.+)$", text, re.M)}


def rows(page):
    lines = [line for line in (BOOK / page).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not set(line) <= set("|- ")]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
        page, _, anchor = target.partition("#")
        if page.endswith(".ipynb"):
            assert anchor == "" or anchor in headings(Path(page).stem), target
        elif page.startswith("api/"):  # written when the book is built
            assert Path(page).stem in {"core", "index", *ROOMS}, target
        else:
            assert (BOOK / page).is_file(), target


def test_every_page_is_in_the_table_of_contents():
    front = (BOOK / "index.md").read_text(encoding="utf-8")
    for path in PAGES:
        assert path.stem == "index" or re.search(rf"^{path.stem}$", front, re.M), path.name


def test_all_15_figures_6_equations_and_the_table_are_listed():
    listed = [(row[0], row[2], row[3]) for row in rows("figures_index.md") if len(row) == 4][1:]
    expected = [*(f"Fig {n}" for n in range(1, 16)), *(f"Equation {n}" for n in range(1, 7)), "Table 1"]
    assert [name for name, _, _ in listed] == expected
    assert len(listed) == 22
    for name, link, how in listed:
        assert re.search(r"\]\(\d\d_\w+\.ipynb#[\w-]+\)", link), f"{name} leads to a cell"
        assert re.match(r"(redrawn|computed|the same as equation \d|not shown, because)", how), f"{name}: {how}"


def test_each_section_without_a_figure_has_its_place():
    listed = {row[0]: row[2] for row in rows("figures_index.md") if len(row) == 3}
    assert set(listed) >= {"abstract", *(f"section {n}" for n in ("2", "2.1", "3.1", "4.1", "5", "6"))}
    for name, link in listed.items():
        assert name == "report" or re.search(r"\]\(\d\d_\w+\.ipynb#[\w-]+\)", link), f"{name} leads to a cell"


def test_the_bibliography_holds_the_reports_18_references_in_order():
    listed = [row for row in rows("bibliography.md") if re.fullmatch(r"\[\d+\]", row[0])]
    assert [row[0] for row in listed] == [f"[{n}]" for n in range(1, 19)]
    assert all(len(row) == 4 and all(row) for row in listed)


def test_the_bibliography_is_the_reports(sections_of_references):
    for row in rows("bibliography.md"):
        if re.fullmatch(r"\[\d+\]", row[0]):
            title = re.search(r"\*(.+?)\.\*", row[1])[1]
            words = re.findall(r"\w{4,}", title.lower())
            entry = sections_of_references[int(row[0].strip("[]"))].lower()
            assert all(word in entry for word in words), (row[0], title)


@pytest.fixture
def sections_of_references():
    beside = ROOT.parent / "shared" / "report" / "report_text.md"
    path = next((p / "shared/report/report_text.md" for p in ROOT.parents if (p / "shared/report").is_dir()), beside)
    if not path.is_file():
        pytest.skip("the report's text is not beside the repository")
    text = path.read_text(encoding="utf-8").split("## References")[1]
    parts = re.split(r"^- \[(\d+)\] ", text, flags=re.M)[1:]
    return {int(number): entry for number, entry in zip(parts[::2], parts[1::2], strict=True)}


def test_modules_that_the_bibliography_names_exist():
    for name in set(re.findall(r"`(wadlib[\w.]+)`", (BOOK / "bibliography.md").read_text(encoding="utf-8"))):
        if not _is_module(name):
            room, _, last = name.rpartition(".")
            assert _is_module(room), name
            assert hasattr(importlib.import_module(room), last), name


def _is_module(name):
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


class TestFinding:
    def test_the_page_types_no_result(self):
        text = (BOOK / "a_line_that_erased_frames.md").read_text(encoding="utf-8")
        used = set(re.findall(r"\{\{ (\w+) \}\}", text))
        assert used == set(substitutions(ROOT)), "each number is used, and each name has a number"
        found = json.loads((ROOT / RESULTS).read_text(encoding="utf-8"))
        typed = set(re.findall(r"\d+\.\d+", text))
        assert typed <= {str(cite("table_1").value["car"]), "0.13", "0.14", "0.15"} | {"13.1", "14.2", "15.0"}
        assert "python -m wadlib.course.finding" in text
        assert found["by"] == "python -m wadlib.course.finding"

    def test_what_the_page_says_in_words_is_so(self):
        found = json.loads((ROOT / RESULTS).read_text(encoding="utf-8"))
        by_score = sorted(found["thresholds"].items(), key=lambda item: -float(item[0]))
        erased = [each["erased"] for _, each in by_score]
        means = [[each["report_iou"][step]["mean"] for _, each in by_score] for step in ("as published", "no division")]
        assert erased == sorted(erased), "the loss grows as the network finds more"
        assert means[0] == sorted(means[0], reverse=True)
        at = found["thresholds"]["0.9"]["report_iou"]
        steps = [at[name]["mean"] for name in ("as published", "no division", "highest score on top")]
        assert steps[2] - steps[1] < 0.1 * (steps[1] - steps[0]), "it is the division that matters"
        crowd = found["at_published_min_score"]
        assert crowd["objects_per_erased_frame"] > 2 * crowd["objects_per_kept_frame"]
        gone = crowd["share_of_its_frames_erased"]
        assert gone["car"] == min(gone.values()), "cars also drive alone"

    def test_numbers_become_words(self):
        said = substitutions(ROOT)
        found = json.loads((ROOT / RESULTS).read_text(encoding="utf-8"))["thresholds"]["0.9"]
        assert said["erased"] == str(found["erased"])
        assert said["published_mean"] == f"{found['report_iou']['as published']['mean']:.3f}"
        assert len(said["classes_table"].splitlines()) == 2 + 8
        assert len(said["thresholds_table"].splitlines()) == 2 + len(finding.THRESHOLDS)

    @pytest.mark.slow
    def test_the_command_finds_the_same_again(self, monkeypatch):
        monkeypatch.delenv("WAD_ROOT", raising=False)
        monkeypatch.delenv("WADLIB_PROFILE", raising=False)
        kept = json.loads((ROOT / RESULTS).read_text(encoding="utf-8"))
        again = finding.measure()
        del kept["scikit-image"], again["scikit-image"]
        assert again == kept
