# %% [markdown]
# # 02 · Crop, downscale, and what it costs
#
# **After this notebook you can** [crop](glossary.md#crop) and [downscale](glossary.md#downscale) an image with its
# label correctly, and compute the score of a network that reproduces its small labels perfectly.
# **You need:** [00](00_start_here.ipynb) (IoU) and [01](01_labels.ipynb) (codes).
# **Time:** about 75 minutes (reading 40, exercises 35).
#
# ## The question
#
# A frame of the dataset has millions of pixels. The report's network sees only a part of them: the edges of the frame
# are cut off, and the rest is made four times smaller in width and in height. But most objects in these videos are far
# away and small. Which objects can still be seen in the small image? How high can the score of a network be if it sees
# only the small image? (Report, section 4.2.)
#
# ## The idea in five lines
#
# **Crop**: cut $c_x$ columns off the left and the right and $c_y$ rows off the top and the bottom of a $W \times H$ frame.
# **Downscale**: make one pixel out of every block of $s \times s$ pixels.
# The image $I$ takes the *mean* of a block. The label $L$ takes the code of *one* pixel of the block, the upper left one. This is called a **[stride](glossary.md#stride)**:
#
# $$I'(y, x) = \frac{1}{s^2} \sum_{i=0}^{s-1} \sum_{j=0}^{s-1} I(c_y + s y + i,\; c_x + s x + j),
# \qquad L'(y, x) = L(c_y + s y,\; c_x + s x)$$
#
# The result has $(W - 2 c_x) / s$ columns and $(H - 2 c_y) / s$ rows. An object of $a$ pixels keeps about
# $a / s^2$ of them.

# %%
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from wadlib.course import check, cite, figure_slider, lesson, open_data, profile, show
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
# An image of 8x8 pixels: a bright street (180), a dark car (90) that continues beyond the right border, and two very
# dark people (20), each one pixel wide. One person stands alone. The other person stands in front of the car.

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
# Cut off 2 pixels on each side and halve the rest: 8x8 becomes 4x4 (inside the red line) and then 2x2. Before you run
# the next cell, do this on paper for both arrays, once by mean and once by stride. This gives four results. Which of
# them would you give to a network?

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
# **Image.** In the mean, the person who stands alone is still visible: the cell has the value 100, between street (180)
# and person (20). In the stride, that person is gone. With a stride, a thin object appears or disappears depending on
# where the grid of blocks begins. This is called **[aliasing](glossary.md#aliasing)**.
#
# **Label.** For codes, the mean is wrong. A code is a name, not an amount:

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
# The mean of background and person is not the code of any class. The mean of car and person is the code of a
# **motorbicycle**. This is a valid class, so no program reports an error. Therefore we never take the mean of labels.
#
# The library does the same as our two functions, with the numbers of the report. First the sizes:

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
# Below, this size is called *network size*, because the network gets images of this size. Then the arrays. We repeat
# the small street until it fills a whole frame, and compare the library with our two functions. The library rounds the
# mean to a whole number, so the two may differ by up to one half.

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
# We take a frame with near and far cars. The team in second place of the challenge reduced the number of pixels
# in another way: it kept full resolution, but only in the rows where the objects are. These rows are the
# **[strip](glossary.md#strip)**. The authors of the report did the same for their U-Net; we use their row numbers.

# %%
frame = lesson("near and far")
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
# The crop removes little. The strip removes most of the frame, but what it keeps has full resolution. In a figure of
# this size, *before* and *after* look the same. So we look closer, at one object whose size is typical for WAD.

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
# We cut a window around this object, once out of the image at network size and once out of the full frame.

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
# At network size the contour consists of a few squares, and thin parts are gone.
#
# ### To play with: factor and offset
#
# The report chose $s = 4$, and its grid of blocks begins at the edge of the crop. Other choices are possible. The next
# cell takes the same window with other factors and moves the grid to the right and down by 0 to 3 pixels. It makes the
# object's mask smaller by a stride, enlarges it again, and prints the IoU of the result with the original mask.

# %%
SCALES, OFFSETS = (1, 2, 4, 8, 16), (0, 1, 2, 3)


def downscaled(scale, offset):
    """The window by mean and by stride, with the grid moved, and the IoU of the object's mask."""
    window = tuple(slice(s.start + offset, s.stop + offset) for s in far)
    (rows, columns), true = label[window].shape, label[window] == code
    blocks = image[window].reshape(rows // scale, scale, columns // scale, scale, 3)
    small = label[window][::scale, ::scale]
    back = small.repeat(scale, axis=0).repeat(scale, axis=1) == code
    iou = (true & back).sum() / (true | back).sum()
    return blocks.mean(axis=(1, 3)).astype(np.uint8), small, iou


ious = {f"offset {o}": [downscaled(s, o)[2] for s in SCALES] for o in OFFSETS}
ious = pd.DataFrame(ious, index=[f"1/{s}" for s in SCALES])
print(ious.round(2).to_string())
assert (ious.iloc[0] == 1).all(), "factor 1 changes nothing"
assert ious.iloc[-1].max() < 1


# %%
def draw_downscaled(scale, offset):
    """What a network of this size sees, and what it learns from."""
    mean, small, iou = downscaled(scale, offset)
    left = f"{(small == code).sum()} px left, IoU {iou:.2f}"
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    draw_frame(axes[0], mean, f"Image: mean of {scale} x {scale} px")
    draw_label(axes[1], small, f"Label: stride, {left}")
    text = f"The window at factor {scale}, its grid moved by {offset} px. Of the object: {left}."
    return figure, text


figure_slider(
    ("factor", "offset"),
    (SCALES, OFFSETS),
    draw_downscaled,
    start=(2, 0),
    form=("1/{}", "{} px"),
    caption="The window at other factors and offsets of the grid: image by mean, label by stride.",
)

# %% [markdown]
# Look for two things. Move *factor*: with each step the object has about a quarter of the pixels. Move *offset*: the
# object stays the same, but its contour in the label changes, and the IoU changes too. Each row of the table above
# shows this for one factor.
#
# ### What it costs, in numbers
#
# For every object of many frames we count its pixels in the whole frame, inside the crop, inside the strip and at
# network size. Then we enlarge its small mask again (`upsample_label` fills each 4x4 block) and compute the IoU with
# the true mask. We call this the **[round trip](glossary.md#round-trip)**. Its IoU is the score of a network that
# reproduces its small labels *perfectly*.

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
wad = open_data()
most = {"quick": 100, "full": 600}[profile()]
chosen = np.sort(np.random.default_rng(0).permutation(len(wad.frames))[:most])
results = wad.map(measure, [wad.frames[i] for i in chosen], progress=False)
objects = pd.concat([table for table, _ in results])
print(f"{len(objects):,} objects in {len(chosen)} of {len(wad.frames)} frames")

# %% [markdown]
# First one frame. The viewer shows the result of the round trip as if it were a prediction. Blue pixels are correct. A
# striped object is **missed**: its IoU after the round trip is below ½. Press the key `e` to go from one error to the
# next.

# %%
from wadlib.viewer import MaskViewer

MaskViewer(
    frame, prediction=upsample_label(small_label), mode="errors", zoom="objects", title="round trip"
)

# %% [markdown]
# Does the crop cut off objects? Are the objects inside the strip? For the real data, notes about WAD say which share of
# the objects lies in the strip. The next cell prints this share and the shares in our data:

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
# The crop keeps nearly all pixels of objects. The strip holds nearly all objects entirely. But it cuts the few vehicles
# that are very near, and these have many pixels. Now the sizes of the objects. Two thresholds are common, and it is
# easy to confuse them. One is an **area of 32 pixels**: below it, one can hardly see a shape. The other is an **area of
# 32 x 32 pixels**: below it, the well-known dataset COCO calls an object *small*.

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
# The curve at network size lies far to the left: many objects have fewer than 32 pixels there. The next figure shows
# the IoU after the round trip for groups of objects. A group holds the objects of similar size in the full frame. Two
# of the borders between groups are the two thresholds, multiplied by $s^2$: an object of $32 s^2$ pixels has about 32
# pixels left at network size.

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
# The smaller the object, the lower its IoU. A network that learns from these small labels cannot be expected to reach
# more.
#
# ### Mean, stride, or a Gaussian filter?
#
# How much does the method change the image? We look at the place where mean and stride differ most. The next cell finds
# it. It searches inside the strip, because the objects are there.

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
# The report says that the authors "downscaled the image and its mask by a factor of 4". The published code calls
# `skimage.transform.resize` with `anti_aliasing=True`. This function first blurs the image with a Gaussian filter of
# standard deviation $(s - 1) / 2$. Then it takes one value of the blurred image for each block. So *downscaled* can
# mean three things: a stride, the mean of each block, or this filter. The next figure shows all three:

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
# A higher number of decibels (dB) means that two images are more alike. The mean is closer to the published code than
# the stride is. We use the mean because the equation above defines it exactly, and because it is many times faster. For
# labels, the published code uses the stride, as we do.
#
# ## The report's figure beside ours
#
# Section 4.2 has no figure of this. So we set our result beside the report's **Table 1**: if a network reproduced its
# small labels without an error, how high would its IoU be in the report's metric? "Pooled" IoU adds up the pixels of
# all frames first ([09](09_evaluation.ipynb) explains the difference).

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
# The downscale is **not** the reason why Table 1 is almost zero: a network that sees images of this size can score far
# more. But the downscale does lower the score, mostly for small objects. In the report's metric, a frame with one
# distant car counts as much as a frame full of near cars. In the pooled IoU, the distant car has few pixels and hardly
# counts. So its coarse contour lowers the report's metric more than the pooled IoU.
#
# ## Exercises
#
# **1.** ★ *Predict first.* An object has 96 pixels in the full frame. How many of them are left at network size ($s =
# 4$)? Take the average over all positions of the grid.

# %% tags=["exercise"]
pixels_left = ...

# %% tags=["check"]
check("02.1", pixels_left)

# %% tags=["solution", "hide-cell"]
pixels_left = 96 / 4**2
check("02.1", pixels_left)

# %% [markdown]
# **2.** ★★ The mean of a car's code and a person's code is the code of a motorbicycle. Take two different classes of
# our seven (`IDS`), with instance number 0. Find *all* pairs for which the mean of the two codes belongs to one of the
# seven classes. (It may be one of the two.) Write them as a dict `{(smaller class, larger class): class of the mean}`.

# %% tags=["exercise"]
third = {...: ...}  # such as {(33, 36): 34}

# %% tags=["check"]
check("02.2", third)

# %% tags=["solution", "hide-cell"]
third = {}
for a in IDS:
    for b in IDS:
        mean = (int(encode(a, 0)) + int(encode(b, 0))) // 2
        if a < b and mean // 1000 in IDS:
            third[a, b] = mean // 1000
for (a, b), c in third.items():
    same = " (one of the two)" if c in (a, b) else ""
    print(f"{CLASSES[a].name} + {CLASSES[b].name} -> {CLASSES[c].name}{same}")
check("02.2", third)

# %% [markdown]
# **3.** ★★ What if the factor were 2 or 8? Write a function for the IoU of a mask after a round trip with any factor.
# Then put all objects of the frame into one mask, and compute this IoU for the factors 1, 2, 4, 8 and 16.


# %% tags=["exercise"]
def round_trip_iou(mask, factor):
    """IoU of a mask (H,W) bool with itself after stride and enlarging; factor divides H and W."""
    raise NotImplementedError


# %% tags=["check"]
check("02.3", round_trip_iou)


# %% tags=["solution", "hide-cell"]
def round_trip_iou(mask, factor):
    """Keep the upper left pixel of each block, then fill the block with it."""
    back = mask[::factor, ::factor].repeat(factor, axis=0).repeat(factor, axis=1)
    return (mask & back).sum() / (mask | back).sum()


check("02.3", round_trip_iou)
crop = np.isin(decode(label[CROP_Y_PX:-CROP_Y_PX, CROP_X_PX:-CROP_X_PX])[0], IDS)
for factor in (1, 2, 4, 8, 16):
    print(f"1/{factor:<2d} IoU of all objects together {round_trip_iou(crop, factor):.3f}")

# %% [markdown]
# **4.** ★★ The challenge used another metric. An object was found only if a detection had an IoU *greater* than a
# threshold. There were ten thresholds: 0.50, 0.55, … 0.95. The score was the mean over thresholds and classes. Write a
# function for the share of objects that are found at each threshold. Then compute the mean share for our perfect
# network (the column `iou` of `objects`), and compare it with `cite("second_place_private_score")`, the score of the
# team in second place.


# %% tags=["exercise"]
def found_share(ious, thresholds):
    """IoU of each object (N,), thresholds (T,) -> share of the objects found at each threshold (T,)."""
    raise NotImplementedError


# %% tags=["check"]
check("02.4", found_share)


# %% tags=["solution", "hide-cell"]
def found_share(ious, thresholds):
    """Greater, not equal."""
    return (ious[:, None] > thresholds).mean(axis=0)


check("02.4", found_share)
thresholds = np.arange(50, 100, 5) / 100
per_class = {
    c: found_share(t["iou"].to_numpy(), thresholds) for c, t in objects.groupby("class_id")
}
found = pd.DataFrame(per_class, index=thresholds)
print(found.rename(columns=lambda c: CLASSES[c].name).map("{:.1%}".format).to_string())
second = cite("second_place_private_score").value
print(f"mean {found.to_numpy().mean():.3f}; the second place scored {second} on the real test set")

# %% [markdown] tags=["solution"]
# The share of found objects is not yet the score, which also counts false positives. But the score cannot be
# higher than that share. So the mean is the most that this network could reach.

# %% [markdown]
# **5.** ★★★ Is the IoU of the round trip the highest that *any* method can reach at network size? No: the stride is
# only one way to choose 4x4 blocks. Write a function that finds the set of blocks with the highest IoU with a mask, and
# returns this IoU. Hint: sort the blocks by the number of object pixels in them. Then try the first block, the first
# two blocks, and so on. (You may use `block_mean` from above. It always cuts off a border, so give it `np.pad(mask, 1)`
# and a crop of 1.)


# %% tags=["exercise"]
def best_block_iou(mask):
    """Largest IoU of a set of 4x4 blocks with a mask (H,W) bool; H and W are multiples of 4."""
    raise NotImplementedError


# %% tags=["check"]
check("02.5", best_block_iou)


# %% tags=["solution", "hide-cell"]
def best_block_iou(mask):
    """Blocks in the order of their pixels of the object."""
    covered = np.sort(block_mean(np.pad(mask, 1), 1, 1, FACTOR).ravel() * FACTOR**2)[::-1]
    inside = np.cumsum(covered)  # pixels of the object in the first k blocks
    taken = FACTOR**2 * np.arange(1, len(covered) + 1)
    return (inside / (mask.sum() + taken - inside)).max()


check("02.5", best_block_iou)
inner = label[CROP_Y_PX:-CROP_Y_PX, CROP_X_PX:-CROP_X_PX]
masks = [inner == code for code in instance_codes(inner)]
by_stride, best = ([f(m) for m in masks] for f in (lambda m: round_trip_iou(m, 4), best_block_iou))
print(
    f"mean IoU of {len(masks)} objects: stride {np.mean(by_stride):.3f}, best {np.mean(best):.3f}"
)
assert all(b >= s - 1e-9 for b, s in zip(best, by_stride, strict=True))

# %% [markdown] tags=["solution"]
# The strided label is a limit for a network that *learns from strided labels*, not for every network of this size. If
# the label takes the most frequent code of each block, the IoU can be higher. It can also be higher for a network whose
# masks have a higher resolution than its input.

# %% [markdown]
# **6.** ★★★ *Open task.* A frame may have at most 532,480 pixels (832x640) for the network. Choose how to use them: a
# crop, a strip, another factor, or several pieces of the frame. Which objects does your choice keep, and which does it
# lose? Use the tables of this notebook to support your answer.

# %% [markdown] tags=["open"]
# *Your answer.*

# %% [markdown] tags=["solution"]
# For example: the strip at factor 2.14 has about that many pixels and shows each object with about 3.5 times as many
# pixels as the whole frame at factor 4. It loses the few objects outside the strip, and very near vehicles are cut at its edge.
# A good answer names the loss in the unit of the table (share of objects or of pixels), not only the gain.

# %% [markdown]
# ## You can now
#
# - crop and downscale an image and its label, and say why the two need different rules;
# - explain aliasing with an example;
# - compute the score of a network that reproduces its small labels perfectly;
# - say why the downscale is not the reason for the low scores in Table 1.
