# %% [markdown]
# # 00 · Start here
#
# ## The question
#
# In 2019 Ayush K. Rai and Kai-Wei Tsou asked in the course Visual Computing of Ecole CentraleSupélec: can a network
# find every single car, person and bicycle in a driving video, pixel by pixel? Their report, *Instance Level Object Segmentation in
# Videos*, tries normalized cut, graph cuts, a U-Net and Mask R-CNN on the WAD challenge of CVPR 2018.
# Its last table is almost all zeros. **Why, and what would have helped?**
#
# You will answer that yourself. Every notebook takes one section of the report, does it first with
# numbers that fit on a sheet of paper, then on driving videos, then beside the report's own figure.
#
# ## The idea in five lines
#
# A frame goes in, and for every object a class and a set of pixels come out. Whether the set $A$ is good
# is measured against the set $B$ that a person drew:
#
# $$\mathrm{IoU} = \frac{|A \cap B|}{|A \cup B|}$$
#
# It is 1 for a perfect answer and 0 for a miss. Everything in this course is about making that
# number larger, or about finding out why it is small.

# %%
import numpy as np
from matplotlib import pyplot as plt

from wadlib.course import cite, open_data, profile, show
from wadlib.figures import draw_bars, draw_frame, draw_grid, draw_overlay, plot_style
from wadlib.labels import CLASSES, by_name
from wadlib.metrics import Overlap, report_iou

plot_style()

# %% [markdown]
# ## By hand
#
# Somebody drew a car of 2x2 pixels. The program found one of the same size, one column further to the
# right. Count: how many pixels do both have, how many does at least one have?

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
# One column of two, and two thirds of the score are gone. Keep this in mind: most objects in these
# videos are only a few pixels wide after the report's downscaling.
#
# ## The library on a real frame
#
# Everything you see is made by the package `wadlib`, and you can use all of it without a notebook. This
# opens the data, reads a frame and draws its instances:

# %%
wad = open_data()
frame = wad.frames[len(wad.frames) // 3]
image, label = frame.read_pair()

figure, axes = plt.subplots(1, 2, figsize=(12, 5))
draw_frame(axes[0], image, "A frame")
draw_overlay(axes[1], image, label, "What a network should find in it", opacity=0.6, names=False)
show(
    figure,
    "A street as the camera of the car sees it, and the same street with every labelled object coloured.",
)

# %% [markdown]
# **Where does the data come from?** The real WAD videos take 100 GB and may not be copied here. So the
# companion brings its own: streets that `wadlib.rendered` draws in exactly the same format, with
# similar statistics. They are drawings, and every notebook says when its numbers come from them. If you
# have the Kaggle download, set `WAD_ROOT` to its folder before you start JupyterLab; nothing else changes.
#
# **How long does it take?** With `WADLIB_PROFILE=quick`, the default, the whole course runs in minutes on a
# laptop. `full` uses more frames. The line above says which one this is.
#
# **Is everything installed?**

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
# This is the report's last result, its Table 1: the mean IoU per class of its Mask R-CNN, after 16 hours of
# training on one graphics card. The numbers are read from `report/report_facts.json`, where each fact stands with its
# source: `cite("hours")` shows one. The authors publish their
# [code, report and slides](https://github.com/rayush7/CVPR-2018-WAD-Video-Segmentation-Challenge) and a
# [result video](https://www.youtube.com/watch?v=nRgVNnI4-AM).

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
# The report says what it is not: it works on a subsample (abstract), it names other datasets and does not use them (section 3.1),
# and it leaves the order of the frames unused (section 6). Each of these sentences has a place in a notebook.

# %%
for key in ("subsample", "imbalance_not_addressed", "temporal_information"):
    print(cite(key))

# %% [markdown]
# The same table for methods that you run yourself stands in notebook 09. The way there:
#
# | report | what | notebook |
# |---|---|---|
# | sections 3 and 3.2, Figs 3 and 5 | what is in a label file | [01 · From a 16-bit PNG to instances](01_labels.ipynb) |
# | section 4.2 | crop, downscale, and what that costs | [02 · Crop and downscale](02_preprocessing.ipynb) |
# | section 3.1, Fig 4 | few classes have nearly all objects | [03 · Class imbalance](03_class_imbalance.ipynb) |
# | section 2.1, eqs 1–6 | a picture as a graph that is cut in two | [04 · Normalized cut](04_normalized_cut.ipynb) |
# | section 2.1, Fig 1 | smooth labels by exact minimum cuts | [05 · α-β swap and α-expansion](05_graph_cuts.ipynb) |
# | section 2.2, Fig 2 | a network that learnt nothing, and why | [06 · The U-Net that did not converge](06_unet.ipynb) |
# | section 4.1, Figs 6 to 9 | find objects first, then draw their masks | [07 · Inside Mask R-CNN](07_mask_rcnn.ipynb) |
# | section 5, Table 1 | what the number means, and a first row of our own | [09 · Evaluation](09_evaluation.ipynb) |
# | section 5 | why Table 1 reads almost zero | [10 · The report revisited](10_report_revisited.ipynb) |
# | title, section 5 (footnote 2), section 6 | identities through time, the result video | [11 · Video](11_video.ipynb) |
#
# The numbers that are missing are kept for a Mask R-CNN that is trained in earnest (08).
#
# ## Exercises
#
# Each notebook ends with exercises, from easy to thoughtful; a solution is folded under each. Try first.
#
# **1.** The program shifts the 2x2 car by one pixel *diagonally*. What is the IoU? Count, then check.

# %% tags=["solution", "hide-cell"]
diagonal = np.full_like(truth, 255)
diagonal[2:4, 2:4] = 33000
iou = report_iou([Overlap.from_labels(truth, diagonal)])[33]
print(f"IoU = 1/7 = {iou:.3f}")
assert iou == 1 / 7

# %% [markdown]
# **2.** A car of $w$ by $w$ pixels is found one column to the right. Write its IoU as a formula of $w$, and check it
# for $w = 2, 4, 8, 100$. From which width on does the slip cost less than a tenth?

# %% tags=["solution", "hide-cell"]
for w in (2, 4, 8, 19, 20, 100):
    a = np.full((w, w + 1), 255, np.uint16)
    b = a.copy()
    a[:, :w], b[:, 1:] = 33000, 33000
    iou = report_iou([Overlap.from_labels(a, b)])[33]
    print(f"w = {w:3d}: IoU = (w-1)/(w+1) = {iou:.3f}")
    assert iou == (w - 1) / (w + 1)
# (w-1)/(w+1) > 9/10 as soon as w > 19.

# %% [markdown]
# **3.** What IoU does a program get for cars that finds *nothing*? And one that calls every pixel a car? Which of the
# two would you rather have in a car?

# %% tags=["solution", "hide-cell"]
nothing = np.full_like(truth, 255)
everything = np.full_like(truth, 33000)
for name, answer in (("nothing", nothing), ("everything", everything)):
    print(f"{name:11s}{report_iou([Overlap.from_labels(truth, answer)])[33]:.3f}")
assert report_iou([Overlap.from_labels(truth, everything)])[33] == 4 / 20
print(
    "The score prefers the one that never stops braking. A single number is never the whole story."
)
