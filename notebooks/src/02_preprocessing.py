# %% [markdown]
# # 02 · Crop, downscale, and what it costs
#
# ## The question
#
# A frame of the dataset has millions of pixels, and the report's network sees only a small part of them: the edges
# are cut off, and the rest is made four times smaller along each side. Nobody misses the sky. But most objects in
# these videos are far away and small. Which of them survive, and how well can a network score that sees no more than
# this? (Report, section 4.2.)
#
# ## The idea in five lines
#
# Cut $c_x$ columns off the left and the right and $c_y$ rows off the top and the bottom of a $W \times H$ frame,
# then make one pixel out of every block of $s \times s$. The picture $I$ takes the *mean* of a block; the label
# $L$ takes the code of *one* of its pixels, the upper left:
#
# $$I'(y, x) = \frac{1}{s^2} \sum_{i=0}^{s-1} \sum_{j=0}^{s-1} I(c_y + s y + i,\; c_x + s x + j),
# \qquad L'(y, x) = L(c_y + s y,\; c_x + s x)$$
#
# What is left has $(W - 2 c_x) / s$ columns and $(H - 2 c_y) / s$ rows; an object of $a$ pixels keeps about
# $a / s^2$ of them.

# %%
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from wadlib.course import cite, open_data, profile, show
from wadlib.figures import (
    draw_bars,
    draw_cumulative,
    draw_frame,
    draw_grid,
    draw_label,
    draw_overlay,
    draw_rectangle,
    draw_spread,
    draw_threshold,
    plot_style,
)
from wadlib.labels import CLASSES, IDS, decode, encode, instance_codes

plot_style()

# %% [markdown]
# ## By hand
#
# A picture of 8x8 pixels: a bright street (180), a dark car (90) that runs out of the picture on the
# right, and two very dark people (20), each one pixel wide. One stands alone, one stands before the car.

# %%
picture, label = np.full((8, 8), 180), np.full((8, 8), 255, np.uint16)
picture[2:6, 4:8], label[2:6, 4:8] = 90, 33001
picture[2:4, 3], label[2:4, 3] = 20, 36000
picture[4:6, 4], label[4:6, 4] = 20, 36001


def block_mean(values, crop_y, crop_x, factor):
    """Cut the edges off, then take the mean of each factor x factor block."""
    inside = values[crop_y:-crop_y, crop_x:-crop_x].astype(float)
    rows, columns = inside.shape[0] // factor, inside.shape[1] // factor
    return inside.reshape(rows, factor, columns, factor).mean(axis=(1, 3))


def stride(values, crop_y, crop_x, factor):
    """Cut the edges off, then keep the upper left pixel of each factor x factor block."""
    return values[crop_y:-crop_y, crop_x:-crop_x][::factor, ::factor]


# %% [markdown]
# Cut off 2 pixels on each side and halve the rest: 8x8 becomes 4x4 (inside the red line) and then 2x2. Do it
# on paper for both arrays, by mean and by stride, before you run the next cell. Which of the four results
# would you give to a network?

# %%
grey = np.stack([picture] * 3, axis=2).astype(np.uint8)
figure, axes = plt.subplots(2, 3, figsize=(10.5, 8.8), width_ratios=[1.75, 1, 1])
draw_grid(axes[0, 0], picture, "Picture", colours=grey)
draw_grid(axes[1, 0], label, "Label")
for row, values in enumerate((picture, label)):
    axes[row, 0].set_axisbelow(True)  # the grid, so that it does not hide the crop
    draw_rectangle(axes[row, 0], 1.5, 5.5, 1.5, 5.5)
    for column, (name, shrink) in enumerate(
        {"mean": block_mean, "stride": stride}.items(), start=1
    ):
        small = shrink(values, 2, 2, 2)
        colours = np.stack([small] * 3, axis=2).astype(np.uint8) if row == 0 else None
        draw_grid(axes[row, column], small.astype(int), f"by {name}", colours=colours)
show(
    figure,
    "Two 8 by 8 tables, picture and label, and each of them made 2 by 2, once by mean and once by stride.",
)

# %% [markdown]
# **Picture.** The mean keeps a trace of the lonely person (100 lies between 180 and 20); the stride loses it
# without a trace. Thin things that come and go with the position of the grid are called *aliasing*.
#
# **Label.** Now the mean is the wrong one. A code is a name, not an amount:

# %%
np.testing.assert_array_equal(block_mean(picture, 2, 2, 2), [[100, 90], [180, 55]])
np.testing.assert_array_equal(stride(picture, 2, 2, 2), [[180, 90], [180, 20]])
np.testing.assert_array_equal(stride(label, 2, 2, 2), [[255, 33001], [255, 36001]])

averaged = block_mean(label, 2, 2, 2).astype(np.uint16)
for code in (averaged[0, 0], averaged[1, 1]):
    class_id = int(decode(code)[0])
    print(
        f"{code}: class {class_id}, {CLASSES[class_id].name if class_id in CLASSES else 'which does not exist'}"
    )
assert decode(averaged[0, 0])[0] not in IDS, "half background, half person is no class of ours"
assert CLASSES[int(decode(averaged[1, 1])[0])].name == "motorbicycle", "half car, half person"

# %% [markdown]
# The first mean is a code of nothing. The second is worse: half a car and half a person make a perfectly
# valid **motorbicycle**, and no program will ever complain. That is why labels are never averaged.
#
# The library does the same with the report's numbers. First the sizes:

# %%
from wadlib.frames import FULL_SHAPE
from wadlib.preprocess import (
    CROP_X_PX,
    CROP_Y_PX,
    FACTOR,
    NETWORK_SHAPE,
    STRIP_WINDOW,
    crop_and_downscale,
    full_resolution_strip,
    upsample_label,
)

size, crop, small_size, factor = (
    cite(key).value for key in ("frame_size", "crop", "network_input", "downscale")
)
width = (size["width"] - crop["left"] - crop["right"]) / factor
height = (size["height"] - crop["top"] - crop["bottom"]) / factor
print(f"({size['width']} - {crop['left']} - {crop['right']}) / {factor} = {width:g} columns")
print(f"({size['height']} - {crop['top']} - {crop['bottom']}) / {factor} = {height:g} rows")

assert (size["height"], size["width"]) == FULL_SHAPE
assert (height, width) == (small_size["height"], small_size["width"]) == NETWORK_SHAPE
assert crop == {"left": CROP_X_PX, "right": CROP_X_PX, "top": CROP_Y_PX, "bottom": CROP_Y_PX}
assert factor == FACTOR

# %% [markdown]
# Then the arrays. We tile our small street until it fills a whole frame, and compare the library with the
# two functions that we wrote above. (The library rounds the mean to a whole number, so they may differ by a half.)

# %%
repeats = -(-np.array(FULL_SHAPE) // 8)
full_picture = np.tile(picture, repeats)[: FULL_SHAPE[0], : FULL_SHAPE[1]]
full_label = np.tile(label, repeats)[: FULL_SHAPE[0], : FULL_SHAPE[1]]

small_picture, small_label = crop_and_downscale(
    np.stack([full_picture] * 3, axis=2).astype(np.uint8), full_label
)
np.testing.assert_array_equal(small_label, stride(full_label, CROP_Y_PX, CROP_X_PX, FACTOR))
difference = np.abs(small_picture[:, :, 0] - block_mean(full_picture, CROP_Y_PX, CROP_X_PX, FACTOR))
print(f"Largest difference between our mean and the library's: {difference.max()}")
assert difference.max() <= 0.5

# %% [markdown]
# ## The library on a real frame
#
# We take a frame with much to see. The second-place team of the challenge chose another way to save pixels:
# keep full resolution, but only of the **strip** of rows where the objects are. (The authors of the
# report did the same for their U-Net, and the numbers of the rows below are theirs.)

# %%
wad = open_data()


def area_of_instances(frame):
    """Pixels of the evaluated instances of a frame, counted on a coarse grid."""
    return np.isin(decode(frame.read_label()[::8, ::8])[0], IDS).sum()


frame = max(wad.frames[:: max(1, len(wad.frames) // 24)], key=area_of_instances)
image, label = frame.read_pair()
small_image, small_label = crop_and_downscale(image, label)
strip_image, strip_label = full_resolution_strip(image, label)
assert cite("unet_rows").value == [STRIP_WINDOW[0].start, STRIP_WINDOW[0].stop]
for name, array in {
    "whole frame": label,
    "network size": small_label,
    "strip": strip_label,
}.items():
    megapixels, objects = array.size / 1e6, np.isin(decode(array)[0], IDS).sum()
    print(
        f"{name:12s} {array.shape[1]} x {array.shape[0]} = {megapixels:.2f} Mpx, {objects:9,d} of objects"
    )

# %%
figure, axes = plt.subplot_mosaic(
    [["full", "small"], ["strip", "strip"]], figsize=(10, 6.7), height_ratios=[1.9, 1]
)
draw_frame(axes["full"], image, f"Before: {image.shape[1]} x {image.shape[0]}")
bottom, right = FULL_SHAPE[0] - CROP_Y_PX, FULL_SHAPE[1] - CROP_X_PX
draw_rectangle(axes["full"], CROP_Y_PX, bottom, CROP_X_PX, right, "the report's crop")
draw_rectangle(
    axes["full"], STRIP_WINDOW[0].start, STRIP_WINDOW[0].stop, 0, FULL_SHAPE[1], "the strip"
)
draw_frame(axes["small"], small_image, f"After: {small_image.shape[1]} x {small_image.shape[0]}")
name = f"The strip: {strip_image.shape[1]} x {strip_image.shape[0]}"
draw_overlay(axes["strip"], strip_image, strip_label, name, smallest_name_px=8000)
show(
    figure,
    "Above left the whole frame with two boxes, one a little smaller than the frame, one a strip below its middle; "
    "above right the frame at network size; below the strip with its objects outlined.",
)

# %% [markdown]
# At this size the two upper pictures look alike. Go closer: an object of a size that is typical for WAD (of the three
# nearest to its median area, the one that fills its box best), once with all its pixels and once with those of the
# network.

# %%
from wadlib.dataset import code_areas


def fill(code):
    """Share of its bounding box that an object covers: low if it hides behind leaves or a fence."""
    rows, columns = np.nonzero(label == code)
    return len(rows) / ((np.ptp(rows) + 1) * (np.ptp(columns) + 1))


codes, areas = code_areas(label)
usual = cite("instance_area").value["p50"]
code = max(codes[np.argsort(np.abs(np.log(areas / usual)))[:3]], key=fill)

# %% [markdown]
# We cut a window around it, in network pixels, and the same window in the full frame.

# %%
rows, columns = np.nonzero(label == code)
y, x = int(rows.mean() - CROP_Y_PX) // FACTOR, int(columns.mean() - CROP_X_PX) // FACTOR
y, x = int(np.clip(y, 12, NETWORK_SHAPE[0] - 12)), int(np.clip(x, 18, NETWORK_SHAPE[1] - 18))
near = np.s_[y - 12 : y + 12, x - 18 : x + 18]
far = tuple(
    slice(s.start * FACTOR + c, s.stop * FACTOR + c)
    for s, c in zip(near, (CROP_Y_PX, CROP_X_PX), strict=True)
)
before, after = int((label == code).sum()), int((small_label == code).sum())
figure, axes = plt.subplots(2, 2, figsize=(9, 6.4))
draw_frame(axes[0, 0], image[far], f"Full resolution: {CLASSES[code // 1000].name} of {before} px")
draw_frame(axes[0, 1], small_image[near], f"Network size: {after} px")
draw_label(axes[1, 0], label[far])
draw_label(axes[1, 1], small_label[near])
show(
    figure,
    "A distant object and its label: fine contours on the left, a handful of coarse squares on the right.",
)

# %% [markdown]
# ### What it costs, in numbers
#
# For every object of many frames we ask: how many pixels has it in the whole frame, inside the crop, inside the
# strip and at network size? And when its small mask is blown up again (`upsample_label` fills each 4x4 block), how
# much does it overlap with the true one? That is the IoU of a network that reproduces its small labels *perfectly*.

# %%
from wadlib.metrics import REPORT_TABLE_1, Overlap, pooled_iou, report_iou


def measure(frame):
    """One row per object of a frame, and the overlap of its label with the label after the round trip."""
    label = frame.read_label()
    _, small = crop_and_downscale(None, label)
    codes, areas = code_areas(label)
    crop = label[CROP_Y_PX:-CROP_Y_PX, CROP_X_PX:-CROP_X_PX]
    parts = {"in_crop": crop, "in_strip": label[STRIP_WINDOW], "small": small}
    table = pd.DataFrame({"class_id": decode(codes)[0], "full": areas}, index=codes)
    for name, part in parts.items():
        table[name] = pd.Series(*code_areas(part)[::-1]).reindex(codes, fill_value=0)
    overlap = Overlap.from_labels(label, upsample_label(small))
    same = overlap.truth == overlap.prediction
    both = pd.Series(overlap.pixels[same], overlap.truth[same]).reindex(codes, fill_value=0)
    table["iou"] = both / (table["full"] + table["small"] * FACTOR**2 - both)
    return table, overlap


# %%
most = {"quick": 100, "full": 600}[profile()]
chosen = np.sort(np.random.default_rng(0).permutation(len(wad.frames))[:most])
results = wad.map(measure, [wad.frames[i] for i in chosen], progress=False)
objects = pd.concat([table for table, _ in results])
print(f"{len(objects):,} objects in {len(chosen)} of {len(wad.frames)} frames")

# %% [markdown]
# Look at one frame first. Here the round trip plays the part of a prediction: blue was kept, a striped object is
# **missed**, because it lost so much of itself that its IoU is below ½. Press `e` to go from one mistake to the next.

# %%
from wadlib.viewer import MaskViewer

MaskViewer(
    frame, prediction=upsample_label(small_label), mode="errors", zoom="objects", title="round trip"
)

# %% [markdown]
# Does the crop cut anything off, and is the strip really where the objects are? The notes on the dataset say that it
# holds nearly all of them (the share in the facts below); here is what this data says:

# %%
kept = {}
for name, column in {"crop": "in_crop", "strip": "in_strip"}.items():
    kept[name] = {
        "of the objects' pixels": objects[column].sum() / objects["full"].sum(),
        "of the objects, entirely": (objects[column] == objects["full"]).mean(),
        "of the objects, at least partly": (objects[column] > 0).mean(),
    }
print(pd.DataFrame(kept).map("{:.1%}".format).to_string())
known = cite("objects_between_rows").value["share"]
print(f"The notes on WAD: {known:.1%} of the objects lie in the strip\n")
strip_size = (STRIP_WINDOW[0].stop - STRIP_WINDOW[0].start) * FULL_SHAPE[1]
per_object = objects["in_strip"].sum() / objects["small"].sum()
print(
    f"The strip has {strip_size / np.prod(NETWORK_SHAPE):.1f} times the pixels of the network-size frame,"
)
print(f"and shows the objects with {per_object:.1f} times as many.")

# %% [markdown]
# Now the sizes. Two thresholds are in use, and they are easily confused: an **area of 32 pixels** (below it there is
# hardly a shape to see), and COCO's "small", an **area of 32 x 32 pixels**.

# %%
tiny, coco_small = 32, 32 * 32
sizes = {"full size": objects["full"], "network size": objects["small"]}
figure, axes = plt.subplots(figsize=(9, 4.2))
draw_cumulative(
    axes, {n: a.to_numpy(float) for n, a in sizes.items()}, xlabel="area of the object, px"
)
axes.set_xlim(0.8, None)
draw_threshold(axes, tiny, "32 px", height=0.9)
draw_threshold(axes, coco_small, "32 x 32 px: COCO's small", height=0.4)
show(
    figure,
    "Two rising step curves, the share of objects up to an area; the one at network size lies far to the left.",
)

table = pd.DataFrame(
    {
        "below 32 px": {name: (area < tiny).mean() for name, area in sizes.items()},
        "below 32 x 32 px (COCO's small)": {
            name: (area < coco_small).mean() for name, area in sizes.items()
        },
        "no pixel left": {name: (area == 0).mean() for name, area in sizes.items()},
    }
)
table.map("{:.1%}".format)

# %% [markdown]
# A network can learn to find an object of 30 pixels, but it has little to go by. The next figure asks what even a
# perfect answer is worth: the IoU after the round trip, by the object's size in the full frame. The
# edges of the groups are our two thresholds, seen through the downscale: an object has 32 pixels left if it had
# $32 s^2$ before.

# %%
from itertools import pairwise

edges = np.array([1, 128, tiny * FACTOR**2, 2048, coco_small * FACTOR**2, np.inf])
groups = {}
for low, high in pairwise(edges):
    name = f"{low:,.0f}–{high:,.0f}" if np.isfinite(high) else f"{low:,.0f} and more"
    groups[name] = objects["iou"][(objects["full"] >= low) & (objects["full"] < high)].to_numpy()
figure, axes = plt.subplots(figsize=(9, 4.2))
draw_spread(axes, groups, xlabel="area in the full frame, px", ylabel="IoU after the round trip")
axes.set_ylim(0, 1)
show(figure, "Five boxes, one per group of sizes; the IoU rises with the size of the object.")
print(
    pd.Series({name: np.median(iou) for name, iou in groups.items() if len(iou)})
    .round(3)
    .to_string()
)

# %% [markdown]
# ### Mean, stride, or a soft filter?
#
# For the picture, we look for the place where the choice matters most: where the mean of the blocks and the
# plain stride differ. We look inside the strip, because what happens in the sky is nobody's concern.

# %%
import cv2

plain = stride(image, CROP_Y_PX, CROP_X_PX, FACTOR)
difference = np.abs(plain.astype(float) - small_image).mean(axis=2)
window, margin = (64, 84), 8  # in network pixels; the margin is for filters that look around
first, last = ((row - CROP_Y_PX) // FACTOR for row in (STRIP_WINDOW[0].start, STRIP_WINDOW[0].stop))
mean = cv2.blur(
    difference, window[::-1], anchor=(0, 0)
)  # [y, x]: mean over the window that begins there
allowed = mean[first : last - window[0], margin : -window[1] - margin]
y, x = (np.argwhere(allowed == allowed.max())[0] + [first, margin]).tolist()
place = np.s_[y : y + window[0], x : x + window[1]]
print(f"Rows {y} to {y + window[0]}, columns {x} to {x + window[1]} of the network-size frame:")
print(f"plain stride and mean differ by {difference[place].mean():.1f} grey levels there,")
print(f"by {difference.mean():.1f} in the frame as a whole")

# %% [markdown]
# The report's text says that they "downscaled the image and its mask by a factor of 4". Its published code is more careful than that sentence:
# it calls `skimage.transform.resize` with `anti_aliasing=True`, which first blurs the picture with a Gaussian of
# standard deviation $(s - 1) / 2$ and then samples it. So here are three ways to read one sentence:

# %%
from skimage.transform import resize

top, left = (y - margin) * FACTOR + CROP_Y_PX, (x - margin) * FACTOR + CROP_X_PX
high, wide = ((n + 2 * margin) * FACTOR for n in window)
around = image[top : top + high, left : left + wide]
soft = resize(around, (high // FACTOR, wide // FACTOR), anti_aliasing=True, preserve_range=True)
soft = soft[margin:-margin, margin:-margin]

figure, axes = plt.subplots(1, 3, figsize=(10, 3))
draw_frame(axes[0], plain[place], "Plain stride (aliasing)")
draw_frame(axes[1], small_image[place], "Mean of each block (ours)")
draw_frame(axes[2], soft.round().astype(np.uint8), "Gaussian, sampled (their code)")
show(figure, "The same piece of the street three times: grainy, clear, and a little softer.")


# %%
def psnr(a, b):
    """Peak signal-to-noise ratio in decibels; 255 is the peak. More is more alike."""
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2))


with_mean, with_stride = psnr(small_image[place], soft), psnr(plain[place], soft)
print(
    f"Compared with the published code: mean {with_mean:.1f} dB, plain stride {with_stride:.1f} dB"
)
assert with_mean > with_stride

# %% [markdown]
# We take the mean because the equation above says exactly what it is, and it is many times faster. The labels
# are strided in the published code too: there, all three readings agree.
#
# ## The report's figure beside ours
#
# Section 4.2 has no figure of this, so we set our result beside the report's **Table 1**. The bars answer:
# if a network gave back its small labels without one mistake, what would the report's metric say? "Pooled" adds up
# the pixels of all frames first (notebook 09 explains the difference).

# %%
overlaps = [overlap for _, overlap in results]
perfect = {"report's metric": report_iou(overlaps), "pooled": pooled_iou(overlaps)}
figure, axes = plt.subplots(figsize=(11, 4.2))
draw_bars(
    axes,
    {f"perfect network, {name}": iou for name, iou in perfect.items()}
    | {"report's Table 1": REPORT_TABLE_1},
    ylabel="IoU",
    form="{:.3f}",
)
show(
    figure,
    "Three bars per class: the two perfect networks reach high values, the bars of Table 1 are near zero.",
)

absent = [CLASSES[c].name for c in IDS if np.isnan(perfect["pooled"][c])]
print("Not in this data (–): " + (", ".join(absent) or "no class is absent"))
assert all(
    perfect["report's metric"][c] > REPORT_TABLE_1[c] for c in IDS if CLASSES[c].name not in absent
)

# %% [markdown]
# So the downscale is **not** why Table 1 reads almost zero: a network that works at this size can score far more.
# It does cost something, though, and it costs the small objects most. Compare the first two bars of a class: in the
# report's metric a frame with one distant car counts as much as a frame full of near ones, so the distant car's
# ragged edge weighs more there than in the pooled number.
#
# ## Exercises
#
# **1.** A car and a person average to a motorbicycle. Find *all* pairs of classes whose mean is a valid third class.

# %% tags=["solution", "hide-cell"]
third = {}
for a in IDS:
    for b in IDS:
        mean = (int(encode(a, 0)) + int(encode(b, 0))) // 2
        if a < b and mean // 1000 in IDS:
            third[a, b] = mean // 1000
for (a, b), c in third.items():
    print(
        f"{CLASSES[a].name} + {CLASSES[b].name} -> {CLASSES[c].name}"
        + (" (one of the two)" if c in (a, b) else "")
    )
assert third[33, 36] == 34

# %% [markdown]
# **2.** What if the report had downscaled by 2, or by 8? Compute the pooled IoU of a perfect network over the
# classes together, for the factors 1, 2, 4, 8 and 16, on the frame above. (All of them divide the cropped frame.)

# %% tags=["solution", "hide-cell"]
crop = np.isin(decode(label[CROP_Y_PX:-CROP_Y_PX, CROP_X_PX:-CROP_X_PX])[0], IDS)
scores = {}
for factor in (1, 2, 4, 8, 16):
    back = crop[::factor, ::factor].repeat(factor, axis=0).repeat(factor, axis=1)
    scores[factor] = (crop & back).sum() / (crop | back).sum()
    print(f"1/{factor:<2d} IoU of all objects together {scores[factor]:.3f}")
assert scores[1] == 1
assert scores[2] > scores[8]

# %% [markdown]
# **3.** The challenge did not use the report's metric. It counted an object as found only if a detection had an IoU
# *greater* than a threshold, for ten thresholds 0.50, 0.55, … 0.95, and took the mean over thresholds and classes.
# Which share of the objects does our perfect network find at each threshold? How does the mean compare with the score
# of the second place?

# %% tags=["solution", "hide-cell"]
thresholds = np.arange(50, 100, 5) / 100
found = pd.DataFrame(
    {t: (objects["iou"] > t).groupby(objects["class_id"]).mean() for t in thresholds}
)
print(found.mean().map("{:.1%}".format).to_string())
mean = found.to_numpy().mean()
second = cite("second_place_private_score").value
print(
    f"mean over thresholds and classes {mean:.3f}; the second place scored {second} on the real test set"
)
assert (found.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None), "a stricter threshold finds no more"

# %% [markdown]
# The share of found objects is not yet the score, in which false alarms count as well. But the score cannot be
# higher than that share, so the mean is the most that this network could reach.
#
# **4.** Is it really a ceiling for *every* method that works at network size? A mask made of 4x4 blocks need not be
# the strided label. For each object of the frame above find the set of blocks with the best IoU: sort the blocks by
# how much of them the object covers, and try the first one, the first two, …


# %% tags=["solution", "hide-cell"]
def best_block_iou(mask):
    """Largest IoU of a set of blocks with a mask (H, W) of the cropped frame."""
    covered = np.sort(block_mean(np.pad(mask, 1), 1, 1, FACTOR).ravel() * FACTOR**2)[::-1]
    inside = np.cumsum(covered)  # pixels of the object in the first k blocks
    taken = FACTOR**2 * np.arange(1, len(covered) + 1)
    return (inside / (mask.sum() + taken - inside)).max()


inner = label[CROP_Y_PX:-CROP_Y_PX, CROP_X_PX:-CROP_X_PX]
back = upsample_label(small_label)[CROP_Y_PX:-CROP_Y_PX, CROP_X_PX:-CROP_X_PX]
by_stride, best = [], []
for code in instance_codes(inner):
    by_stride.append(
        ((inner == code) & (back == code)).sum() / ((inner == code) | (back == code)).sum()
    )
    best.append(best_block_iou(inner == code))
print(
    f"Mean IoU of {len(best)} objects: strided labels {np.mean(by_stride):.3f}, best blocks {np.mean(best):.3f}"
)
assert all(b >= s - 1e-9 for b, s in zip(best, by_stride, strict=True))

# %% [markdown]
# So the strided label is a ceiling for a network that *learns from strided labels*, not for every network of this size.
# Labels with the majority of each block, or a network that draws its masks finer than its input, can do better. No
# choice of blocks brings back what never was in the picture, though.
