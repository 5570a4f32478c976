# %% [markdown]
# # 00 · Start here
#
# **After this notebook you can** compute an [intersection over union](glossary.md#intersection-over-union) by hand, open the data, read one [frame](glossary.md#frame), and say
# what the course is about.
# **You need:** Python and NumPy at the level of a first course. Nothing about images.
# **Time:** about 40 minutes (reading 20, exercises 20).
#
# ## The question
#
# Can a network find every car, person and bicycle in a driving video, pixel by pixel? Ayush K. Rai and Kai-Wei Tsou
# asked this in 2019, in the course Visual Computing of Ecole CentraleSupélec. Their report is called *Instance Level
# Object Segmentation in Videos*. It tries four methods: normalized cut, graph cuts, a U-Net and Mask R-CNN. (Each
# method has its own notebook here.) The data comes from a public competition, the WAD challenge of the conference CVPR
# 2018 (WAD: workshop on autonomous driving). Nearly all scores in the last table of the report are zero or close to
# zero. **Why, and what would have helped?**
#
# You will find the answer yourself. Every notebook is about one section of the report. It starts with an example that
# you can work out on paper. Then it uses frames of driving videos. Then it shows the report's own figure beside ours.
#
# ## The idea in five lines
#
# The input is one image of a video, a **frame**. The output is a list of objects.
# Each object is an **[instance](glossary.md#instance)**: a class (such as car) and the set of pixels that belong to it, its **[mask](glossary.md#mask)**.
# People drew the correct masks by hand. These masks are the **[ground truth](glossary.md#ground-truth)**.
# The **intersection over union** (IoU) compares a predicted mask $A$ with the true mask $B$:
#
# $$\mathrm{IoU} = \frac{|A \cap B|}{|A \cup B|}$$
#
# It is 1 if the two are equal and 0 if they have no pixel in common.

# %%
import numpy as np
from matplotlib import pyplot as plt

from wadlib.course import check, cite, lesson, open_data, profile, show
from wadlib.figures import draw_bars, draw_frame, draw_grid, draw_overlay, plot_style
from wadlib.labels import CLASSES, by_name, decode
from wadlib.metrics import Overlap, report_iou

plot_style()

# %% [markdown]
# ## By hand
#
# The true car has 2x2 pixels. The prediction has the same size and lies one column further to the right.
# Count: how many pixels are in both masks? How many are in at least one?

# %%
truth = np.full((4, 5), 255, np.uint16)
truth[1:3, 1:3] = 33000
found = np.full((4, 5), 255, np.uint16)
found[1:3, 2:4] = 33000

figure, axes = plt.subplots(1, 2, figsize=(9, 2.8))
draw_grid(axes[0], truth, "What a person drew (B)")
draw_grid(axes[1], found, "What the program found (A)")
show(
    figure,
    "Two tables of 4 by 5 pixels, each with a 2 by 2 car; the second car is shifted right by one column.",
)

# %%
both = ((truth == 33000) & (found == 33000)).sum()
either = ((truth == 33000) | (found == 33000)).sum()
iou = report_iou([Overlap.from_labels(truth, found)])[33]
print(
    f"both: {both}, at least one: {either}, IoU = {both}/{either} = {both / either:.3f}; wadlib says {iou:.3f}"
)
assert (both, either) == (2, 6)
assert iou == 2 / 6

# %% [markdown]
# An error of one column costs two thirds of the score, because the car is only two columns wide. This matters for the
# report: it makes the frames smaller (notebook 02), and then most objects are only a few pixels wide.
#
# A pixel in $A$ but not in $B$ is a **[false positive](glossary.md#false-positive)**. A pixel in $B$ but not in $A$ is a **[false negative](glossary.md#false-negative)**. Both
# make the union larger, and so the IoU smaller.
#
# ## The library on a real frame
#
# The code of the course is in the Python package `wadlib`. You can also use the package without a notebook. The next
# cell opens a frame, reads its image and its label, and draws its instances. `lesson` opens frames by what they show:
# this one has instances of many classes.

# %%
frame = lesson("many classes")
image, label = frame.read_pair()
present = [CLASSES[c].name for c in CLASSES if (decode(label)[0] == c).any()]
print("Classes in this frame:", ", ".join(present))

figure, axes = plt.subplots(1, 2, figsize=(12, 5))
draw_frame(axes[0], image, "A frame")
draw_overlay(axes[1], image, label, "What a network should find in it", opacity=0.6, names=False)
show(
    figure,
    "A street as the camera of the car sees it, and the same street with every labelled object coloured.",
)

# %% [markdown]
# The left image is the input. The right image shows the ground truth: each colour is one class, each outline one instance.
#
# **Where does the data come from?** The real WAD videos take 100 GB, and their terms of use do not allow copies. So
# this companion uses **[rendered](glossary.md#rendered)** streets: a program (`wadlib.rendered`) draws the images.
# Their file format is the same as that of the real data, and the number and size of the objects are similar. Every
# notebook says which data its numbers come from. Do you have the real data (from the web site Kaggle)? Then set the
# environment variable `WAD_ROOT` to its folder before you start JupyterLab. Nothing else changes.
#
# The next cell opens all data of the course. The very first run takes about a minute, because the program has to draw
# the videos. A progress bar shows this.

# %%
wad = open_data()

# %% [markdown]
# **How long does it take?** There are two profiles. `WADLIB_PROFILE=quick` is the default: all notebooks together run
# in some minutes on a laptop. `full` uses more frames. The line *Profile …*, printed above, says which profile is used.
#
# **Is everything installed?** The next cell lists the versions.

# %%
from importlib.metadata import PackageNotFoundError, version


def installed(*names):
    """Version of the first of the packages that is there, or a hint."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            pass
    return "missing: run `make setup`"


packages = "wadlib numpy scikit-image matplotlib ipywidgets PyMaxflow mrcnn keras".split()
for package in packages:
    print(f"{package:14s} {installed(package)}")
print(f"{'tensorflow':14s} {installed('tensorflow-cpu', 'tensorflow')}")
assert profile() in ("quick", "full")

# %% [markdown]
# ## The report's figure beside ours
#
# The next figure is the report's last result, its Table 1: the mean IoU of each class for its Mask R-CNN, after 16
# hours of training on one graphics card. The numbers come from the file `report/report_facts.json`. This file names the
# place in the report for each number. `cite("hours")` shows one of them with its place. The authors publish their
# [code, report and slides](https://github.com/rayush7/CVPR-2018-WAD-Video-Segmentation-Challenge) and a [result
# video](https://www.youtube.com/watch?v=nRgVNnI4-AM).

# %%
table_1 = {by_name(name).id: value for name, value in cite("table_1").value.items()}
figure, axes = plt.subplots(figsize=(8, 3))
draw_bars(axes, {"the report, Table 1": table_1}, ylabel="mean IoU", form="{:.4f}")
axes.set_ylim(0, 1)
zeros = [CLASSES[class_id].name for class_id, value in table_1.items() if value == 0]
show(
    figure,
    "Bars of the report's Table 1: only the car stands visibly above zero, three classes are exactly zero.",
)
print("Exactly zero:", ", ".join(zeros))
assert len(zeros) == 3

# %% [markdown]
# Only the car has a clearly visible bar. Three classes have an IoU of exactly zero; the line below the figure names
# them.
#
# The report also names its limits. It uses only a part of the data (abstract). It mentions other datasets but does not
# use them (section 3.1). It does not use the order of the frames in time (section 6). The next cell prints these
# sentences of the report. Later notebooks return to each of them.

# %%
for key in ("subsample", "imbalance_not_addressed", "temporal_information"):
    print(cite(key))

# %% [markdown]
# The notebooks of the course. The column *report* says which section they belong to:
#
# | report | what | notebook |
# |---|---|---|
# | sections 3 and 3.2, Figs 3 and 5 | what a label file holds | [01 · From a 16-bit PNG to instances](01_labels.ipynb) |
# | section 4.2 | crop, downscale, and what that costs | [02 · Crop and downscale](02_preprocessing.ipynb) |
# | section 3.1, Fig 4 | nearly all objects belong to a few classes | [03 · Class imbalance](03_class_imbalance.ipynb) |
# | section 2.1, eqs 1–6 | an image as a graph that is cut in two | [04 · Normalized cut](04_normalized_cut.ipynb) |
# | section 2.1, Fig 1 | smooth labels by exact minimum cuts | [05 · α-β swap and α-expansion](05_graph_cuts.ipynb) |
# | section 2.2, Fig 2 | why the U-Net did not learn | [06 · The U-Net that did not converge](06_unet.ipynb) |
# | section 4.1, Figs 6 to 9 | find objects first, then draw their masks | [07 · Inside Mask R-CNN](07_mask_rcnn.ipynb) |
# | sections 4.2 and 5, Figs 10 to 15 | start from trained weights | [08 · Fine-tuning](08_fine_tuning.ipynb) |
# | section 5, Table 1 | what the metric measures, and our own scores | [09 · Evaluation](09_evaluation.ipynb) |
# | section 5 | why Table 1 is almost zero | [10 · The report revisited](10_report_revisited.ipynb) |
# | title, footnote 2, section 6 | identities over time, the result video | [11 · Video](11_video.ipynb) |
#
# ## Exercises
#
# Each notebook ends with exercises. The stars say how hard an exercise is. ★: you remember what the notebook said. ★★:
# you use it. ★★★: you need an idea of your own. Below each text is a cell for your answer. Replace the `...` (or the
# line `raise NotImplementedError`) with your answer and run the cell. Then run the next cell, which calls `check(...)`.
# It says whether the answer is right, and if not, what is wrong. The solution is in a closed cell below it. Try
# yourself before you open it.
#
# **1.** ★ *Predict first.* The 2x2 car is predicted one pixel too low **and** one pixel too far to the right (both
# errors together). What is the IoU? Count on paper, then type a fraction.

# %% tags=["exercise"]
iou_diagonal = ...  # such as 2 / 6

# %% tags=["check"]
check("00.1", iou_diagonal)

# %% tags=["solution", "hide-cell"]
diagonal = np.full_like(truth, 255)
diagonal[2:4, 2:4] = 33000
iou_diagonal = 1 / 7  # one pixel in both, 4 + 4 - 1 in at least one
assert report_iou([Overlap.from_labels(truth, diagonal)])[33] == iou_diagonal
check("00.1", iou_diagonal)

# %% [markdown]
# **2.** ★★ A car of $w$ by $w$ pixels is found one column too far to the right. Write its IoU as a function of $w$.


# %% tags=["exercise"]
def iou_of_slip(w):
    """IoU of a car of w x w pixels with the same car one column to the right."""
    raise NotImplementedError


# %% tags=["check"]
check("00.2", iou_of_slip)


# %% tags=["solution", "hide-cell"]
def iou_of_slip(w):
    """w rows with w - 1 columns in common, of w + 1 columns."""
    return (w - 1) / (w + 1)


check("00.2", iou_of_slip)

# %% [markdown]
# **3.** ★★ A perfect mask has IoU 1. What is the smallest whole number $w$ for which the error of exercise 2 lowers the
# IoU by *less* than 0.1?

# %% tags=["exercise"]
smallest_width = ...

# %% tags=["check"]
check("00.3", smallest_width)

# %% tags=["solution", "hide-cell"]
smallest_width = next(w for w in range(1, 100) if (w - 1) * 10 > 9 * (w + 1))
print("(w - 1) / (w + 1) > 9 / 10 as soon as w >", smallest_width - 1)
check("00.3", smallest_width)

# %% [markdown]
# **4.** ★★ A program finds *nothing*. Another program says that *every* pixel of the 4x5 grid is car. What is the IoU
# of each program for the true car?

# %% tags=["exercise"]
iou_nothing = ...
iou_everything = ...

# %% tags=["check"]
check("00.4", (iou_nothing, iou_everything), truth=truth)

# %% tags=["solution", "hide-cell"]
nothing, everything = np.full_like(truth, 255), np.full_like(truth, 33000)
iou_nothing = report_iou([Overlap.from_labels(truth, nothing)])[33]
iou_everything = report_iou([Overlap.from_labels(truth, everything)])[33]
print(f"nothing {iou_nothing:.3f}, everything {iou_everything:.3f}")
check("00.4", (iou_nothing, iou_everything), truth=truth)

# %% [markdown]
# **5.** ★★★ *Open task.* You build the emergency brake of a car: it stops the car when an object is detected in front
# of it. Which of the two programs of exercise 4 is more dangerous in this use? Does the IoU give that program the lower
# score? Propose another number, say what it rewards, and compute it for both programs.

# %% [markdown] tags=["open"]
# *Your answer.*

# %% [markdown] tags=["solution"]
# One possible answer. The program that calls every pixel a car brakes all the time. The program that finds nothing
# never brakes, and this is more dangerous. The IoU is higher for the first (4/20 against 0), because here the false
# positives make the union only five times as large as the car. The share of background pixels that are called car is 0
# for the second and 1 for the first; reported together with the share of car pixels that are found, it shows both
# errors.

# %% [markdown]
# ## You can now
#
# - compute the IoU of two masks by hand and with `report_iou`;
# - say what a false positive and a false negative are;
# - open the data, read a frame with its label, and draw both;
# - say what the report's Table 1 shows.
