# %% [markdown]
# # 01 · From a 16-bit PNG to instances
#
# ## The question
#
# The dataset gives a grey picture for every frame, and it looks black. In it is everything that the
# network is to learn: which pixels are a car, and *which car*. How do two answers fit into one
# number, and how do we get them back without losing any? (Report, sections 3 and 3.2, Figs 3 and 5.)
#
# ## The idea in five lines
#
# Each pixel of a label file is a whole number of 16 bits, the **code**:
#
# $$\mathrm{code} = 1000 \cdot \mathrm{class} + \mathrm{instance}
# \qquad\Longleftrightarrow\qquad
# \mathrm{class} = \left\lfloor \frac{\mathrm{code}}{1000} \right\rfloor, \quad
# \mathrm{instance} = \mathrm{code} \bmod 1000$$
#
# Two codes are no instance at all: 255 means *background*, and 65535 means *ignore* (the annotators
# could not tell). An instance is the set of pixels with the same code; it may fall into several
# pieces, when a tree stands before a car.

# %%
import numpy as np
from matplotlib import pyplot as plt

from wadlib.course import open_data, show
from wadlib.figures import (
    draw_class_legend,
    draw_frame,
    draw_grid,
    draw_label,
    draw_overlay,
    plot_style,
)
from wadlib.labels import BACKGROUND, CLASSES, IGNORE, decode, encode, instance_codes

plot_style()

# %% [markdown]
# ## By hand
#
# A street of 4x6 pixels. Two cars stand side by side (33000 and 33001), a person (36000) walks in
# front of the second, and far away is something that nobody could tell apart (65535).

# %%
street = np.array(
    [
        [255, 255, 255, 255, 65535, 65535],
        [33000, 33000, 255, 33001, 36000, 33001],
        [33000, 33000, 255, 33001, 36000, 33001],
        [255, 255, 255, 255, 36000, 255],
    ],
    dtype=np.uint16,
)
figure, axes = plt.subplots(figsize=(5.2, 3))
draw_grid(axes, street, "The codes, coloured by instance")
show(
    figure,
    "A table of 4 by 6 codes. Two blocks of car pixels, the second cut in two by a column of person pixels.",
)

# %% [markdown]
# Divide by 1000 yourself before you run the next cell: what class and what instance is 33001, and
# what would come out for 65535 if nobody told you that it is special?

# %%
print("33001 ->", divmod(33001, 1000))
print(
    "65535 ->", divmod(65535, 1000), "<- class 65 is 'traffic cone': careless code finds cones here"
)

class_id, instance = decode(street)
print("decode gives the classes\n", class_id)

assert class_id[1, 3] == 33
assert instance[1, 3] == 1
assert (class_id[0] == 0).all(), "neither background nor ignore is a class"
by_hand = np.where((street == IGNORE) | (street < 1000), 0, street // 1000)
np.testing.assert_array_equal(class_id, by_hand)
objects = class_id > 0
np.testing.assert_array_equal(encode(class_id[objects], instance[objects]), street[objects])

# %% [markdown]
# The second car is **one** instance in **two** pieces. Whoever counts connected pieces finds three
# cars here, and whoever counts codes finds two:

# %%
from scipy import ndimage

pieces = ndimage.label(class_id == 33)[1]
codes = instance_codes(street, class_id=33)
print(f"{pieces} connected pieces of car, {len(codes)} cars: {codes}")
assert (pieces, len(codes)) == (3, 2)

# %% [markdown]
# ## The library on a real frame
#
# `open_data` opens your WAD folder if `WAD_ROOT` is set, and the rendered videos otherwise.
# `read_label` is strict: an 8-bit, coloured or truncated file is an error with a cause and a fix,
# never a plausible wrong array.

# %%
wad = open_data()


def area_of_instances(frame):
    """Pixels of instances in a frame (every 8th row and column), to find one with much to see."""
    return np.isin(decode(frame.read_label()[::8, ::8])[0], list(CLASSES)).sum()


frame = max(wad.frames[:: max(1, len(wad.frames) // 24)], key=area_of_instances)
image, label = frame.read_image(), frame.read_label()
print(f"picture {image.shape} {image.dtype}, label {label.shape} {label.dtype}")
codes, areas = np.unique(label, return_counts=True)
for k in np.argsort(-areas)[:12]:
    c, i = decode(codes[k])
    special = {BACKGROUND: "background", IGNORE: "ignore"}
    name = special.get(int(codes[k])) or f"{CLASSES[int(c)].name} number {i}"
    print(f"{codes[k]:6d}  {name:22s} {areas[k]:9,d} pixels")
print(f"… {len(codes)} codes in all")

# %% [markdown]
# Why does the file look black? Grey pictures of 16 bits run from 0 to 65535; most viewers show only the
# upper 8 bits, and those of background (255) are zero. What remains are small grey specks. Colours help:
# one per class, one shade per instance.

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
draw_frame(axes[0], image, "The picture")
draw_frame(
    axes[1],
    np.repeat((label >> 8).astype(np.uint8)[:, :, None], 3, axis=2),
    "The label, as a viewer shows it",
)
draw_label(axes[2], label, "The label, decoded")
show(
    figure,
    "The same street three times: the picture, an almost black label, and the label with coloured objects.",
)

# %% [markdown]
# Look closer at the largest object and its neighbours. White lines are contours; every instance has
# its own shade, so that two cars that touch stay two.

# %%
codes = instance_codes(label)
largest = max(codes.tolist(), key=lambda code: (label == code).sum())
rows, columns = np.nonzero(label == largest)
height, width = 800, 2000
top = int(np.clip(rows.mean() - height / 2, 0, label.shape[0] - height))
left = int(np.clip(columns.mean() - width / 2, 0, label.shape[1] - width))
part = np.s_[top : top + height, left : left + width]
figure, axes = plt.subplots(2, 1, figsize=(11, 5), height_ratios=[12, 1])
draw_overlay(axes[0], image[part], label[part], opacity=0.45)
draw_class_legend(axes[1])
show(
    figure,
    "A part of the street; each object is filled with a shade of its class colour, outlined and named.",
)

# %% [markdown]
# Now look for yourself. The **mask viewer** shows the whole video that this frame is from: play it, turn the wheel to
# zoom (most objects are small), point at an object to see what it is, click it to find it in the table. The `?` lists
# the keys.

# %%
from wadlib.viewer import MaskViewer

video = next(v for v in wad.train_videos if frame in v.frames)
viewer = MaskViewer(video, frame=video.frames.index(frame), title=video.name, zoom="objects")
viewer

# %% [markdown]
# What you do there, Python can see. Click an object, then run the next cell: `selected` holds its code, class,
# instance number and area (nothing, as long as nothing was clicked).

# %%
viewer.selected

# %% [markdown]
# ## The report's figure beside ours
#
# Figures 3 and 5 of the report show a street with its label and the masks on top; the two figures above
# are their counterparts. The report's own photographs belong to the dataset, whose terms allow study
# but not copies in a public repository: set `WAD_ROOT` to see real ones here.
#
# Three sources tell us what a code means, and they do not quite agree:
#
# | source | what it says |
# |---|---|
# | the report's text | code = class · 1000 + instance, seven classes |
# | the authors' published code | divides by 1000 and compares with the seven ids: 255 and 65535 fall out |
# | the files | background is 255, not 0; 65535 is "ignore"; the same object may change its number between frames |
#
# The published code is right because 65 and 0 are not among its seven classes. It is a lucky
# escape more than a decision, and a program that lists *all* classes of a file is caught by it. The
# last line of the table matters for videos: instance numbers are not tracks. Here are the instances
# of one class in successive frames of one video:

# %%
print("frame   number of the instance and its area in pixels, for each car")
for number, each in enumerate(video.frames[:6]):
    codes, areas = np.unique(each.read_label(), return_counts=True)
    cars = [
        f"{code % 1000}: {area:,}"
        for code, area in zip(codes, areas, strict=True)
        if decode(code)[0] == 33
    ]
    print(f"{number:5d}   " + "   ".join(cars[:8]) + ("   …" if len(cars) > 8 else ""))

# %% [markdown]
# ## Exercises
#
# **1.** Which codes can a bus have? How many buses can one frame hold at most?

# %% tags=["solution", "hide-cell"]
first, last = int(encode(39, 0)), int(encode(39, 999))
print(f"{first} to {last}: {last - first + 1} buses")
assert last - first + 1 == 1000

# %% [markdown]
# **2.** The table of classes also has *groups* (161 car_groups … 168 tricycle_groups). Why does no label file
# hold one? Let `encode` tell you.

# %% tags=["solution", "hide-cell"]
from wadlib.errors import LabelError

try:
    encode(161, 0)
except LabelError as error:
    print(error)
assert 161 * 1000 > 2**16 - 1

# %% [markdown]
# **3.** Count the connected pieces of each instance in the frame above. Which instance is cut into the
# most, and what stands before it?

# %% tags=["solution", "hide-cell"]
pieces = {int(code): ndimage.label(label == code)[1] for code in instance_codes(label)}
most = max(pieces, key=pieces.get)
rows, columns = np.nonzero(label == most)
window = np.s_[
    max(0, rows.min() - 80) : rows.max() + 80, max(0, columns.min() - 120) : columns.max() + 120
]
figure, axes = plt.subplots(figsize=(7, 4))
draw_overlay(
    axes, image[window], label[window], f"Instance {most}, pieces: {pieces[most]}", opacity=0.35
)
show(figure, "A close-up of the instance with the most pieces, with its pieces outlined.")
assert pieces[most] >= 1

# %% [markdown]
# **4.** A colleague stored labels as 8-bit PNG "to save space". Which of the codes 255, 33001, 36000 and 65535 survive?

# %% tags=["solution", "hide-cell"]
codes = np.array([255, 33001, 36000, 65535], dtype=np.uint16)
for code, kept in zip(codes.tolist(), codes.astype(np.uint8).tolist(), strict=True):
    print(f"{code:6d} -> {kept:3d}  {'survives' if code == kept else 'lost'}")
print("A cast keeps the lower 8 bits: ignore turns into background, a car into a small number.")
assert codes.astype(np.uint8).tolist() == [255, 33001 % 256, 36000 % 256, 255]
