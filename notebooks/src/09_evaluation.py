# %% [markdown]
# # 09 · Evaluation: Table 1 and what a number rewards
#
# **After this notebook you can** compute the report's IoU, [pooled IoU](glossary.md#pooled-iou), [panoptic quality](glossary.md#panoptic-quality) and [average precision](glossary.md#average-precision) by hand,
# choose a metric for a purpose, and detect [leakage](glossary.md#leakage) between training and validation.
# **You need:** [00](00_start_here.ipynb) (IoU), [01](01_labels.ipynb) (codes), [03](03_class_imbalance.ipynb) (the unary).
# **Time:** about 90 minutes (reading 55, exercises 35). The section *By hand* can be read directly after 01.
#
# ## The question
#
# The report validates on more than a billion pixels. Its Table 1 gives seven numbers, one per class, and most of them
# are almost zero. How are they computed? Which predictions get a high score from this metric, and which errors does it
# ignore? How high are the scores of our methods? Which other numbers does a participant of the challenge need? (Report,
# section 5, Table 1.)
#
# ## The idea in five lines
#
# In frame $f$ let $A_{fc}$ be the pixels predicted as class $c$, and $B_{fc}$ the pixels that truly belong to class $c$. (These are the letters of the report.)
# $F_c$ is the set of frames whose truth has the class. The report takes the mean IoU over these frames (left).
# **Pooled** IoU adds up the pixels of *all* frames first (right):
#
# $$\mathrm{IoU}_c = \frac1{|F_c|}\sum_{f\in F_c}\frac{|A_{fc}\cap B_{fc}|}{|A_{fc}\cup B_{fc}|}
# \qquad\qquad
# \mathrm{IoU}^{\mathrm{pooled}}_c = \frac{\sum_f |A_{fc}\cap B_{fc}|}{\sum_f |A_{fc}\cup B_{fc}|}$$
#
# We can compute both from one table per frame, the **[joint histogram](glossary.md#joint-histogram)** $H_{gp}$: how many pixels have the true code $g$ and the predicted code $p$.
# Other metrics compare *objects*: **[instance IoU](glossary.md#instance-iou)**, **panoptic quality** and **average precision** (for predictions with scores).
#
# Section 5 of the report defines the IoU of a predicted and a true *instance*. But the report computes it per class, "to lessen the complexity". So all instances of one class in a frame are compared as one set of pixels. The third of the next cells prints these two sentences of the report:

# %%
from fractions import Fraction

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from wadlib.course import (
    check,
    cite,
    figure_slider,
    open_data,
    prepared,
    profile,
    report_facts,
    scored_instances,
    show,
    stored_predictions,
)
from wadlib.figures import (
    draw_bars,
    draw_class_legend,
    draw_grid,
    draw_matrix,
    draw_overlay,
    plot_style,
)
from wadlib.labels import BACKGROUND, CLASSES, IGNORE, by_name, class_map, encode

# %%
from wadlib.metrics import (
    InstanceOverlap,
    MatchTable,
    Overlap,
    average_precision,
    confusion,
    confusion_table,
    evaluate_folder,
    instance_iou,
    match,
    mean_iou,
    panoptic_quality,
    pooled_iou,
    precision_recall,
    report_iou,
    score_sweep,
)

plot_style()

# %%
print(cite("metric"), cite("iou_letters"), sep="\n")

# %% [markdown]
# ## By hand
#
# Two frames of 6x6 pixels, with a car (`c`) and persons (`p`). The true car has the instance number 0. The program
# gives the number 7 to its car (`C`). This is not an error: the numbers only have to differ between instances.

# %%
CODES = {".": BACKGROUND, "c": 33000, "C": 33007, "p": 36000}


def label_of(*rows):
    """Letters -> (H,W) uint16 codes."""
    return np.array([[CODES[letter] for letter in row] for row in rows], np.uint16)


truths = [
    label_of("......", "cccc..", "cccc.p", "cccc.p", ".....p", ".....p"),
    label_of("......", "......", "ppp...", "ppp...", "......", "......"),
]
predictions = [
    label_of("......", ".CCCC.", ".CCCC.", ".CCCC.", ".....p", ".....p"),
    label_of("......", "......", "pppp..", "pppp..", "...CCC", "...CCC"),
]

# %%
figure, axes = plt.subplots(2, 2, figsize=(7.6, 7.6))
for f, (truth, prediction) in enumerate(zip(truths, predictions, strict=True)):
    draw_grid(axes[f, 0], truth, f"Frame {f + 1}: truth (B)")
    draw_grid(axes[f, 1], prediction, f"Frame {f + 1}: prediction (A)")
show(
    figure,
    "Four tables of 6 by 6 codes. Frame 1: a car, predicted one column too far right, and a person "
    "of four pixels, two of them found. Frame 2: a person found with a column too many, and a "
    "predicted car where there is none.",
)

# %% [markdown]
# Count on paper for each frame and each of the two classes: how many pixels are in $A$, in $B$, in both
# ($I$), in at least one of the two ($U$)? Then run the next cell.

# %%
counts = {}
print("frame  class    A   B   I   U   I/U")
for f, (truth, prediction) in enumerate(zip(truths, predictions, strict=True)):
    for c in (33, 36):
        a, b = class_map(prediction) == c, class_map(truth) == c
        counts[f, c] = tuple(int(pixels.sum()) for pixels in (a, b, a & b, a | b))
        in_a, in_b, in_both, in_either = counts[f, c]
        assert in_either == in_a + in_b - in_both
        name, ratio = CLASSES[c].name, Fraction(in_both, in_either)
        print(f"{f + 1:5d}  {name:7s}{in_a:3d} {in_b:3d} {in_both:3d} {in_either:3d}   {ratio}")

assert (counts[0, 33], counts[0, 36]) == ((12, 12, 9, 15), (2, 4, 2, 4))
assert (counts[1, 33], counts[1, 36]) == ((6, 0, 0, 6), (8, 6, 6, 8))

# %% [markdown]
# Now the two formulas. The truth of frame 2 holds no car, so $F_{\mathrm{car}}$ is frame 1 alone:

# %%
by_hand_report = {33: Fraction(9, 15), 36: (Fraction(2, 4) + Fraction(6, 8)) / 2}
by_hand_pooled = {33: Fraction(9 + 0, 15 + 6), 36: Fraction(2 + 6, 4 + 8)}

overlaps = [Overlap.from_labels(t, p) for t, p in zip(truths, predictions, strict=True)]
by_report, by_pooled = report_iou(overlaps), pooled_iou(overlaps)
for c in (33, 36):
    print(f"{CLASSES[c].name:7s} report {by_hand_report[c]} = {by_report[c]:.4f}", end="   ")
    print(f"pooled {by_hand_pooled[c]} = {by_pooled[c]:.4f}")
    assert by_report[c] == float(by_hand_report[c])
    assert by_pooled[c] == float(by_hand_pooled[c])
assert np.isnan(by_report[39]), "a class in no truth has no IoU: nan, not 0"

# %% [markdown]
# Look at two things. First, the *person*: the pooled IoU is higher than the report's IoU. The reason: frame 2 has more
# person pixels and the higher IoU. In the report's mean, both frames have the same weight. Second, the *car*: the false
# positive car of frame 2 does not lower the report's IoU at all. If we remove this car, only the pooled IoU changes:

# %%
no_car = predictions[1].copy()
no_car[class_map(no_car) == 33] = BACKGROUND
cleaned = [overlaps[0], Overlap.from_labels(truths[1], no_car)]
print(f"report: {by_report[33]:.4f} -> {report_iou(cleaned)[33]:.4f}")
print(f"pooled: {by_pooled[33]:.4f} -> {pooled_iou(cleaned)[33]:.4f}")
assert report_iou(cleaned)[33] == by_report[33]
assert pooled_iou(cleaned)[33] == 9 / 15 > by_pooled[33]

# %% [markdown]
# We can compute all these numbers from the joint histograms. The next cell shows the joint histogram of frame 1. Each
# $A$, $B$ and $I$ of frame 1 is a sum of some of its entries. Find these entries:

# %%
true_codes, predicted_codes, H = overlaps[0].table()
assert H.sum() == 36
assert (H[true_codes == 33000].sum(), H[:, predicted_codes == 33007].sum()) == counts[0, 33][:2]
pd.DataFrame(H, index=pd.Index(true_codes, name="truth ↓ prediction →"), columns=predicted_codes)

# %% [markdown]
# So far we have compared classes, not objects. If a program joins two cars into one region, its IoU may still be 1.
# **Instance IoU** takes, for each true object, the predicted object with the highest IoU, and then the mean of these
# IoUs. Here the IoU of the car is 9/15. The IoUs of the persons are 2/4 and 6/8.

# %%
each = instance_iou(overlaps)
print(f"car {each[33]:.4f}, person {each[36]:.4f}")
assert each[33] == 9 / 15
assert each[36] == (2 / 4 + 6 / 8) / 2

# %% [markdown]
# **Panoptic quality** (PQ) first makes pairs. A true and a predicted object with an IoU *above* one half are a pair, a
# **[true positive](glossary.md#true-positive)** (TP). Predicted objects without a partner are false positives (FP).
# True objects without a partner are false negatives (FN), also called missed. Then
#
# $$PQ=\frac{\sum_{TP} IoU}{|TP|+\frac12|FP|+\frac12|FN|}$$
#
# The car of frame 1 is a TP. The car of frame 2 is an FP. For the person of frame 1 the IoU is 2/4, which is *not
# above* one half. So the true person is missed, **and** the predicted person is a false positive.

# %%
quality = panoptic_quality(overlaps)
by_hand = {
    33: Fraction(9, 15) / (1 + Fraction(1, 2)),
    36: Fraction(6, 8) / (1 + Fraction(1 + 1, 2)),
}
for k, c in enumerate(CLASSES):
    if c in by_hand:
        print(
            f"{CLASSES[c].name:7s} true positive {quality.tp[k]}, false positive {quality.fp[k]}, ",
            end="",
        )
        print(f"missed {quality.fn[k]}: PQ {by_hand[c]} = {quality.pq[c]:.4f}")
        assert abs(quality.pq[c] - float(by_hand[c])) < 1e-12
print("PQ of the bus, which is in neither frame:", quality.pq[39])

# %% [markdown]
# **Average precision** (AP) also uses the **score** of each detection: a number from 0 to 1 that says how certain the
# method is. For AP, make a list of all predicted cars of both frames, with the highest score first. Go down the list. A
# detection is correct if its IoU with a true car is equal to a threshold *or higher*, and if this true car has no
# partner yet. After each detection, compute two numbers. **Precision** is the share of the detections so far that are
# correct. **Recall** is the share of the true objects that are found so far. AP is the mean precision over the recalls
# 0, 0.01, … 1. (Exercise 5 gives the details.) We choose some scores as an example:

# %%
scores = [
    {33007: 0.6, 36000: 0.9},
    {33007: 0.8, 36000: 0.7},
]  # the false positive car has a higher score
table_of_matches = MatchTable()
for overlap, of_frame in zip(overlaps, scores, strict=True):
    table_of_matches.add(match(InstanceOverlap.from_overlap(overlap, of_frame)))
for c in (33, 36):
    curve = precision_recall(table_of_matches, c, iou=0.5)
    for s, precision, recall in zip(curve.scores, curve.precision, curve.recall, strict=True):
        print(
            f"{CLASSES[c].name:7s} score {s} and more: precision {precision:.2f}, recall {recall:.2f}"
        )
ap = average_precision(table_of_matches)
print({CLASSES[c].name: round(ap.ap50[c], 4) for c in (33, 36)})
assert abs(ap.ap50[33] - 1 / 2) < 1e-12  # the first in the list is wrong, the second right: 1 of 2
assert abs(ap.ap50[36] - 1) < 1e-12  # both persons, and here 2/4 is enough

# %% [markdown]
# If the false positive car had the *lower* score of the two, the AP of car would be 1. A false positive does not lower
# AP if all true positives have higher scores. The **[confusion matrix](glossary.md#confusion-matrix)** shows which
# classes are mixed up. It counts the pixels for each true class (row) and each predicted class (column):

# %%
mixed = confusion(overlaps)
assert mixed.sum() == 2 * 36
confusion_table(mixed).loc[["background", "car", "person"], ["background", "car", "person"]]

# %% [markdown]
# What about pixels whose true code is 65535 (*ignore*)? The report's code treats them as "not a car". All other metrics
# do not count these pixels.
#
# ## The library on a real frame
#
# We need a method that we can test. The simplest one is the unary of notebook 03: colours and positions of each class.
# Each pixel gets the label with the lowest cost. As in the report, frames are first cropped and downscaled by 4.

# %%
import tempfile
from pathlib import Path

from wadlib.course.lesson_measures import largest_share
from wadlib.frames import read_label, write_label
from wadlib.graphcut import ColourLocationUnary, alpha_expansion, contrast_weights
from wadlib.preprocess import CROP_Y_PX, FACTOR, NETWORK_SHAPE, STRIP_WINDOW

data = open_data()
wad = prepared(data, frames={"quick": 120, "full": 600}[profile()])
folder = Path(tempfile.mkdtemp(prefix="wadlib-"))  # for predictions
split = wad.split("report", seed=0)
print(split.report())

# %% [markdown]
# A prediction is a file in the format of the true labels. Its name is `PRED/label/<frame>_instanceIds.png`, where
# `PRED` is any folder. The library finds the prediction of a frame **by the name** of the frame.


# %%
def predict_folder(unary, frames, out):
    """Predict each frame and write its label file below `out`."""

    def predict(frame):
        write_label(prediction_path(out, frame), unary.predict(frame.read_image()))

    wad.map(predict, frames, progress=False)


def prediction_path(out, frame):
    """Where the prediction of a frame lies."""
    (out / "label").mkdir(parents=True, exist_ok=True)
    return out / "label" / f"{frame.name}_instanceIds.png"


unary = ColourLocationUnary.fit(split.train, seed=0, samples=20_000)
seen = [c for c, pixels in zip(CLASSES, unary.pixels[1:], strict=True) if pixels]
print("classes in the training frames:", ", ".join(CLASSES[c].name for c in seen))
absent = [CLASSES[c].name for c in CLASSES if c not in seen]
print("never seen, so never predicted:", ", ".join(absent) or "none")
predict_folder(unary, split.validation, folder / "unary")

# %% [markdown]
# The next cell computes all metrics. In its table, the column `frames` says in how many frames the truth has the class.
# The column `objects` says how many true objects there are. If there are only a few frames, the mean is not reliable.
# If there is none, the table shows "-". (For all frames of a dataset, `wadlib evaluate ROOT PRED` prints this table.)

# %%
result = evaluate_folder(split.validation, folder / "unary", progress=False)
print(result.summary(draws=500))

# %% [markdown]
# Below the table are the **[bootstrap intervals](glossary.md#bootstrap-intervals)**. They estimate how much a number
# would change with other videos. For them, videos are chosen at random many times, and a video may be chosen more than
# once. We choose videos and not frames, because the frames of one video show the same cars.
#
# We should also look at images. The next cell lists the five frames with the lowest IoU. Then it shows the frame with
# the best score and the frame with the worst. It leaves out frames in which one near object covers a fifth of the image
# or more, because such an object hides the street:

# %%
per_frame = result.per_frame().dropna(subset="report IoU")
print(
    result.worst(5)[
        ["report IoU", "PQ", "objects", "found", "false positives", "missed"]
    ].to_string(index=False)
)
by_name_of = {
    frame.name: frame for frame in split.validation if largest_share(frame.read_label()) < 1 / 5
}
ious = per_frame["report IoU"].filter(items=by_name_of)
best, worst = (by_name_of[ious.agg(pick)] for pick in ("idxmax", "idxmin"))
strip = STRIP_WINDOW[0]  # the full-size rows that hold nearly all objects
rows = slice((strip.start - CROP_Y_PX) // FACTOR, (strip.stop - CROP_Y_PX) // FACTOR)

figure, axes = plt.subplots(5, 1, figsize=(7.8, 8.6), height_ratios=[10, 10, 10, 10, 1])
for k, (frame, name) in enumerate([(best, "Best"), (worst, "Worst")]):
    image, truth = frame.read_image()[rows], frame.read_label()[rows]
    seen = read_label(prediction_path(folder / "unary", frame))[rows]
    draw_overlay(axes[2 * k], image, truth, f"{name} frame: truth", smallest_name_px=150)
    title = f"{name} frame: prediction, mean IoU {per_frame['report IoU'][frame.name]:.3f}"
    draw_overlay(axes[2 * k + 1], image, seen, title, smallest_name_px=600)
draw_class_legend(axes[4])
show(
    figure,
    "The validation frames with the best and the worst score, each with the true and the predicted objects.",
)

# %% [markdown]
# Is this score high or low? To say this, we need a **[baseline](glossary.md#baseline)**. We compute the scores of two
# predictors that do not use the image. They give the *same* label map for every frame. The first one predicts nothing.
# The second one predicts car at every pixel of the strip.

# %%
nothing = np.full(NETWORK_SHAPE, BACKGROUND, np.uint16)
band = nothing.copy()
band[rows] = encode(33, 0)


def score_map(label):
    """Overlaps of one label map with the truth of every validation frame."""
    return [Overlap.from_labels(frame.read_label(), label) for frame in split.validation]


floors = {"nothing": score_map(nothing), "a band of car": score_map(band)}
for name, o in floors.items():
    print(f"{name:14s} report {mean_iou(report_iou(o)):.4f}   pooled {mean_iou(pooled_iou(o)):.4f}")
assert mean_iou(report_iou(floors["nothing"])) == 0

# %% [markdown]
# The band of car has a score above zero although it uses no image. So a low score above zero, such as 0.01 in a table,
# does not show that a method uses the image. The method must be better than this baseline. The open task is about this.
#
# A mean over frames does not show the single frames. We take the class that occurs in the most frames. The next figure
# shows one dot per frame: how many pixels of this class the frame has, and its IoU.

# %%
with_class = result.iou.frames_with_class()
common = max(with_class, key=with_class.get)
position, name = list(CLASSES).index(common), CLASSES[common].name
areas = result.scores.rows["truth_px"][:, position]
ious = result.per_frame()[name].to_numpy()

figure, axes = plt.subplots(figsize=(7, 3.4))
axes.plot(areas[areas > 0], ious[areas > 0], "o", label="one frame")
axes.axhline(result.report_iou[common], color="C1", label="the report's mean over frames")
axes.axhline(result.pooled_iou[common], color="C2", linestyle="--", label="pooled over all pixels")
axes.set(xlabel=f"pixels of {name} in the truth", ylabel="IoU", title=f"{name}, frame by frame")
axes.xaxis.set_major_formatter("{x:,.0f}")
axes.set_xlim(0, 1.08 * areas.max())
axes.set_ylim(0, 1.15 * np.nanmax(ious) or 1)
axes.legend(loc="best")
show(
    figure,
    f"Dots: IoU of {name} in each frame against its area; lines: mean over frames, and pooled.",
)
print(f"mean over frames {result.report_iou[common]:.4f}, pooled {result.pooled_iou[common]:.4f}")

# %% [markdown]
# In the report's mean, a frame with one distant object counts as much as a frame full of objects. In the pooled number
# each pixel counts the same, so large objects near the camera have most of the weight. The two numbers answer different
# questions, and both are valid. A table should say which of them it shows.
#
# ### Methods that give scores
# Some methods (detectors) give each object a *score*, and their masks may overlap. A label map cannot hold this. So the
# file `PRED/instances.json` holds the masks with their scores. If predictions of a trained network for these frames are
# stored with the companion, we use them. If not, we use a **simulated predictor**: it takes the truth and adds random
# errors. It is not a real method, because it uses no image. It only shows how the metrics behave. The first printed
# line says which one is used.

# %%
from wadlib.instances import instances_from_indices, write_predictions

method, found = scored_instances(split.validation)
kept = stored_predictions(split.validation)
if method in kept:  # its label maps hold only high scores
    where = kept[method].folder
else:
    where = folder / "scored"
    write_predictions(where, [(f.image_path.name, found[f.name]) for f in split.validation])
scored = evaluate_folder(split.validation, where, progress=False)
print(method)
print(scored.summary(draws=500))

# %% [markdown]
# The next figure shows precision and recall for all score thresholds, from high to low. The area under a curve is AP.
# Some curves end before recall 1: no detection finds the other objects, whatever the threshold.

# %%
in_truth = [c for c, frames in scored.iou.frames_with_class().items() if frames]
marks = dict(zip(CLASSES, "os^vDPX", strict=True))
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.8), sharey=True)
for ax, iou in zip(axes, (0.5, 0.75), strict=True):
    for c in in_truth:
        curve = precision_recall(scored.scores.matches, c, iou=iou)
        colour = np.array(CLASSES[c].colour) / 255
        style = {"color": colour, "marker": marks[c], "markersize": 3, "linewidth": 1}
        ax.plot(curve.recall, curve.precision, label=CLASSES[c].name, **style)
    ax.set(xlabel="recall", title=f"IoU {iou} and more", xlim=(-0.02, 1.02), ylim=(-0.03, 1.05))
axes[0].set_ylabel("precision")
axes[1].legend(fontsize=8)
figure.suptitle(method, x=0, ha="left", fontsize=9)
show(
    figure,
    "Precision against recall for each class, at IoU 0.5 and 0.75; the stricter one ends earlier.",
)

# %% [markdown]
# Which threshold is best? For each threshold, the next cell counts true positives (*found*), false positives and missed
# objects. It also computes F1, the harmonic mean of precision and recall: F1 is high only if both are high.

# %%
sweep = score_sweep(scored.scores.matches, common)
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.4))
for values, style, label in (
    (sweep.found, "o-", "found"),
    (sweep.wrong, "s--", "false positive"),
    (sweep.missed, "^:", "missed"),
):
    axes[0].plot(sweep.thresholds, values, style, markersize=4, label=label)
axes[0].set(xlabel="lowest score that is kept", ylabel=f"{CLASSES[common].name}s at IoU 0.5")
axes[0].legend()
for values, style, label in (
    (sweep.precision, "o-", "precision"),
    (sweep.recall, "^:", "recall"),
    (sweep.f1, "D--", "F1"),
):
    axes[1].plot(sweep.thresholds, values, style, markersize=4, label=label)
axes[1].set(xlabel="lowest score that is kept", ylim=(-0.03, 1.05))
axes[1].legend()
show(
    figure,
    "Objects found, false positives and missed objects; and precision, recall and F1, by score threshold.",
)
if not np.isnan(sweep.f1).all():
    print(
        f"best F1 {np.nanmax(sweep.f1):.3f} at score {sweep.thresholds[np.nanargmax(sweep.f1)]:.2f}"
    )

# %% [markdown]
# The report's IoU depends on the threshold, too, and differently for each class. Move the slider. Which threshold would
# you choose for cars, and which for persons?


# %%
def iou_above(threshold):
    """The report's IoU of the detections of this score and more."""
    labels = {frame: found[frame.name].above(threshold).to_label() for frame in few}
    iou = report_iou(Overlap.from_labels(f.read_label(), label) for f, label in labels.items())
    figure, axes = plt.subplots(figsize=(9, 3.2))
    draw_bars(axes, {f"score {threshold:.2f} and more": iou}, ylabel="mean IoU", form="{:.3f}")
    axes.set_ylim(0, 1)
    return (
        figure,
        f"Bars of the IoU of each class for detections of score {threshold:.2f} and more.",
    )


few = split.validation[:: -(-len(split.validation) // 12)]
figure_slider(
    "threshold",
    np.arange(0, 0.96, 0.05).round(2),
    iou_above,
    start=10,
    form="{:.2f}",
    caption="The report's IoU of each class, from the detections whose score is at least the threshold.",
)

# %% [markdown]
# The viewer shows the same in images. Drag "Score from" to the right: detections with lower scores disappear. The key
# `e` goes from one error to the next.

# %%
from wadlib.viewer import MaskViewer

MaskViewer(few, prediction=found, mode="errors", title=method)

# %% [markdown]
# Which classes does this method mix up? The next figure is its confusion matrix in shares. Each row is a true class. It
# shows which classes were predicted at the pixels of this class; the shares of a row add up to 1.

# %%
names = ["background", *(c.name for c in CLASSES.values())]
counts = scored.scores.confusion.astype(float)
shares = counts / np.where(counts.sum(axis=1) > 0, counts.sum(axis=1), np.nan)[:, None]
figure, axes = plt.subplots(figsize=(7, 4))
draw_matrix(axes, shares[1:], names[1:], names, xlabel="predicted class", ylabel="true class")
axes.set_title(f"Where the pixels of a class went: {method}", fontsize=10)
show(figure, "A matrix: for each true class the share of its pixels by predicted class.")

# %% [markdown]
# The column *background* shows the share of missed pixels.
#
# ### Leakage between training and validation
# How are the frames divided into training and validation frames (the *split*)? The published code trains on the first
# 70 % of *each* video and validates on the rest. So every video is in both parts, and often even the same parked car.
# This is called **leakage**: the training frames hold information about the validation frames. What is the score if
# training and validation use different videos?

# %%
both = len({frame.video for frame in wad.frames}) > 1
if both:
    by_video = wad.split("by_video", seed=0, videos=10)
    print(by_video.report())
    stranger = ColourLocationUnary.fit(by_video.train, seed=0, samples=20_000)
    predict_folder(stranger, by_video.validation, folder / "stranger")
    result_by_video = evaluate_folder(by_video.validation, folder / "stranger", progress=False)
else:
    print("The data has one video, which cannot be on one side only: this part needs two or more.")

# %% [markdown]
# The two splits have different validation frames, and this alone changes the score. For a fair comparison we take only
# the frames that are validation frames in both splits. The column *same videos* shows the model that was trained on the
# beginning of these videos. The column *other videos* shows the model that was trained on other videos only.

# %%
if both:
    shared = [frame for frame in split.validation if frame in by_video.validation]
    columns = {
        "report's split": result,
        "by video": result_by_video,
        "same videos": evaluate_folder(shared, folder / "unary", progress=False),
        "other videos": evaluate_folder(shared, folder / "stranger", progress=False),
    }
    table = {
        f"{name} ({each.frames})": {CLASSES[c].name: iou for c, iou in each.report_iou.items()}
        | {"mean": mean_iou(each.report_iou)}
        for name, each in columns.items()
    }
    print("the report's IoU (frames in brackets); the two columns on the right share their frames")
    print(pd.DataFrame(table).to_string(na_rep="-", float_format="{:.4f}".format))

# %% [markdown]
# If the number in the column *same videos* is much higher than in *other videos*, a part of the score comes from
# leakage. There are few frames here, so a single class may also be lower. (The profile `full` uses more frames.) From
# now on, we name the split with every score.
#
# ## The report's figure beside ours
#
# The next cells show Table 1 of the report beside our methods: the unary (*colour and place*), the unary with
# α-expansion as in notebook 05, and each network whose predictions for these frames are stored.


# %%
def smoothed(frame):
    """Colour and place, then α-expansion on the rows that hold objects."""
    image = frame.read_image()
    labels = np.zeros(NETWORK_SHAPE, np.uint8)
    labels[rows] = alpha_expansion(
        unary.costs(image)[rows], 10.0, contrast_weights(image[rows])
    ).labels
    return instances_from_indices(labels)


def predict_smoothed(frame):
    """Write the smoothed prediction of a frame."""
    write_label(prediction_path(folder / "smoothed", frame), smoothed(frame))


wad.map(predict_smoothed, split.validation, progress=False)
evaluations = {
    "colour and place": result,
    "+ α-expansion": evaluate_folder(split.validation, folder / "smoothed", progress=False),
}
for name, each in kept.items():
    evaluations[name] = evaluate_folder(split.validation, each.folder, progress=False)
if method not in evaluations:
    evaluations["(simulated)"] = scored

# %%
table_1 = {by_name(name).id: value for name, value in cite("table_1").value.items()}
lines = {"report, Mask R-CNN": {CLASSES[c].name: v for c, v in table_1.items()}}
lines["report, Mask R-CNN"]["mean"] = mean_iou(table_1)
for name, e in evaluations.items():
    lines[name] = {CLASSES[c].name: v for c, v in e.report_iou.items()}
    lines[name] |= {
        shown: e.mean(score) for shown, score in [("mean", "report_iou"), ("pooled", "pooled_iou")]
    }
    lines[name] |= {
        shown: e.mean(score) for shown, score in [("AP50", "ap50"), ("AP", "ap"), ("PQ", "pq")]
    }
print("the report's IoU per class and its mean; then other means, and one line per method")
print(pd.DataFrame(lines).T.to_string(na_rep="-", float_format="{:.4f}".format))

# %%
series = {"report, Mask R-CNN": table_1}
series |= {
    f"ours, {name}": e.report_iou for name, e in evaluations.items() if name != "(simulated)"
}
figure, axes = plt.subplots(figsize=(11, 4))
draw_bars(axes, series, ylabel="mean IoU, the report's way", form="{:.4f}")
axes.set_title("Table 1 and our methods, report's split")
show(figure, "Bars per class: Table 1 of the report, where only the car stands out, and ours.")

# %% [markdown]
# The metric is the same, but **the test is not**. So the figure does not say which method is better:

# %%
theirs = {key: fact.value for key, fact in report_facts().items()}
print(f"the text:   {theirs['videos_sampled']} videos, Mask R-CNN, {theirs['hours']} h")
print(
    f"the code:   {theirs['validation_frames']:,} real frames, epoch {theirs['checkpoint_epoch']},"
)
print(f"            detections of score {theirs['min_confidence']} and more")
print(f"ours:       frames: {result.frames}, videos: {len({f.video for f in split.validation})}")
print("            colour and place: of each pixel, learnt in seconds")

# %% [markdown]
# | | the report | this notebook |
# |---|---|---|
# | frames | real WAD frames | rendered streets, unless `WAD_ROOT` is set |
# | method | Mask R-CNN, which finds objects one by one | a label for each pixel, then connected pieces; a small Mask R-CNN too |
# | what is left out | detections below a high score | pieces of a few pixels; of the Mask R-CNN, detections below a medium score |
# | formula | mean over the frames that hold the class | the same |
# | pairs of files | two sorted lists of files, paired in order | by name |
#
# Table 1 says only "mean IoU". Two details are not in the report, only in the authors' published code: which frames are
# left out, and that the codes of overlapping masks are *added up* before the IoU is computed. Because the code is
# published, we can check the table. Notebook 10 explains why its numbers are so small.
#
# ## Exercises
#
# **1.** ★ *Predict first.* A square of 4x4 pixels is found one row too low and two columns too far right. What is its IoU, as a
# fraction?

# %% tags=["exercise"]
iou_of_square = ...

# %% tags=["check"]
check("09.1", iou_of_square)

# %% tags=["solution", "hide-cell"]
truth = np.full((6, 8), BACKGROUND, np.uint16)
found_square = truth.copy()
truth[0:4, 0:4], found_square[1:5, 2:6] = 33000, 33000
in_both = 3 * 2  # rows in common times columns in common
iou_of_square = in_both / (16 + 16 - in_both)
assert report_iou([Overlap.from_labels(truth, found_square)])[33] == iou_of_square
check("09.1", iou_of_square)

# %% [markdown]
# **2.** ★★ *Predict first.* Take the example by hand. In the truth of frame 2, give the code *ignore* (65535) to the
# six pixels where the false positive car is. Which of the four numbers changes: `"report's car"`, `"report's person"`,
# `"pooled car"` or `"pooled person"`?

# %% tags=["exercise"]
number_that_changes = ...

# %% tags=["check"]
check("09.2", number_that_changes)

# %% tags=["solution", "hide-cell"]
unsure = truths[1].copy()
unsure[4:6, 3:6] = IGNORE
again = [Overlap.from_labels(t, p) for t, p in zip([truths[0], unsure], predictions, strict=True)]
new_report, new_pooled = report_iou(again), pooled_iou(again)
for c in (33, 36):
    print(f"{CLASSES[c].name:7s} report {by_report[c]:.4f} -> {new_report[c]:.4f}", end="   ")
    print(f"pooled {by_pooled[c]:.4f} -> {new_pooled[c]:.4f}")
number_that_changes = "pooled car"
check("09.2", number_that_changes)

# %% [markdown]
# **3.** ★★ Write a function for the report's IoU of one class. It gets the masks of the class in each frame.


# %% tags=["exercise"]
def my_report_iou(true_masks, predicted_masks):
    """Lists of masks (H,W) bool of one class, one per frame -> its IoU; nan if no truth holds it."""
    raise NotImplementedError


# %% tags=["check"]
check("09.3", my_report_iou)


# %% tags=["solution", "hide-cell"]
def my_report_iou(true_masks, predicted_masks):
    """Frames whose truth holds the class."""
    pairs = zip(true_masks, predicted_masks, strict=True)
    ious = [(a & b).sum() / (a | b).sum() for b, a in pairs if b.any()]
    return np.mean(ious) if ious else np.nan


check("09.3", my_report_iou)

# %% [markdown]
# **4.** ★★ The published code lists the true files and the predicted files, sorts both, and pairs them with `zip`. If
# one file is missing, all pairs after it are wrong. Write a function that pairs them by name. It raises a `ValueError`
# if a frame is missing or if there is a frame without truth.


# %% tags=["exercise"]
def pairs_by_name(true_names, predicted_names):
    """Two lists of frame names -> list of (true, predicted); ValueError if they differ."""
    raise NotImplementedError


# %% tags=["check"]
check("09.4", pairs_by_name)


# %% tags=["solution", "hide-cell"]
def pairs_by_name(true_names, predicted_names):
    """The symmetric difference names the frames without a partner."""
    alone = set(true_names) ^ set(predicted_names)
    if alone:
        raise ValueError(f"frames without a partner: {sorted(alone)}")
    return [(name, name) for name in true_names]


check("09.4", pairs_by_name)

# %% tags=["solution", "hide-cell"]
from wadlib.errors import MetricError

for frame in split.validation[1:]:  # the truth itself is the prediction; the first file is missing
    write_label(prediction_path(folder / "perfect", frame), frame.read_label())
true_files = sorted(frame.label_path for frame in split.validation)
predicted_files = sorted((folder / "perfect" / "label").iterdir())
shifted = mean_iou(
    report_iou(
        Overlap.from_labels(read_label(t), read_label(p))
        for t, p in zip(true_files, predicted_files, strict=False)
    )
)
print(f"a perfect prediction, paired by position: mean IoU {shifted:.3f}")
assert shifted < 1
try:
    evaluate_folder(split.validation, folder / "perfect", progress=False)
except MetricError as error:
    print(error)

# %% [markdown]
# **5.** ★★★ Write a function for average precision. Sort the detections by score, and compute precision and recall
# after each of them. For each of the 101 recalls 0, 0.01, … 1, take the largest precision at this recall or a higher
# one (0 if there is none). Return the mean of these 101 numbers.


# %% tags=["exercise"]
def my_average_precision(scores, correct, objects):
    """Scores (N,), whether each detection is correct (N,) bool, number of true objects -> AP."""
    raise NotImplementedError


# %% tags=["check"]
check("09.5", my_average_precision)


# %% tags=["solution", "hide-cell"]
def my_average_precision(scores, correct, objects):
    """1e-12: a recall such as 3/10 is not exact."""
    hits = np.cumsum(correct[np.argsort(-scores, kind="stable")])
    recall, precision = hits / objects, hits / np.arange(1, len(hits) + 1)
    levels = np.linspace(0, 1, 101)
    return np.mean([max(precision[recall >= r - 1e-12], default=0) for r in levels])


check("09.5", my_average_precision)

# %% [markdown]
# **6.** ★★★ *Open task.* In Table 1, some classes have exactly zero. Build a predictor that uses *no image* and has an
# IoU above zero for as many classes as you can. How high is its pooled IoU? What do you conclude about the report's
# metric?

# %% [markdown] tags=["open"]
# *Your answer.*

# %% tags=["solution", "hide-cell"]
# Never background: each pixel gets the class that is most frequent at its place.
cells = 1 + np.argmax(unary.location[..., 1:], axis=2)  # (80,104): one for each 8x8 pixels
game = instances_from_indices(cells.repeat(8, axis=0).repeat(8, axis=1))
gamed, honest = report_iou(score_map(game)), pooled_iou(score_map(game))
print("                 report   pooled  Table 1")
for c in (c for c, frames in with_class.items() if frames):
    print(f"{CLASSES[c].name:15s}{gamed[c]:8.4f} {honest[c]:8.4f} {table_1[c]:8.4f}")

# %% [markdown] tags=["solution"]
# Nearly every pixel is wrong, but false positives in frames without the class cost nothing in the report's metric. So a value above zero
# does not show that a class was recognised. The pooled IoU is lower, because it counts these false positives.

# %% [markdown]
# ## You can now
#
# - compute four metrics by hand, and say which errors each of them ignores;
# - choose a score threshold with precision and recall;
# - compare a score with a baseline;
# - recognise leakage in a split, and pair files by name.
