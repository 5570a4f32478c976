# %% [markdown]
# # 01 · From a 16-bit PNG to instances
#
# **After this notebook you can** decode a [label](glossary.md#label) file into classes and instances, and name three mistakes that programs
# make with such files.
# **You need:** [00 · Start here](00_start_here.ipynb).
# **Time:** about 45 minutes (reading 25, exercises 20).
#
# ## The question
#
# For every frame the dataset has a second image, the label. On the screen the label looks black. But it holds what the
# network has to learn: which pixels are a car, and *which car*. Each pixel of the label is one number. How can one
# number hold both facts, and how do we get the two facts back? (Report, sections 3 and 3.2, Figs 3 and 5.)
#
# ## The idea in five lines
#
# A **label** is an image of whole numbers. Each pixel of it holds a 16-bit **code** made of a class and an instance number:
#
# $$\mathrm{code} = 1000 \cdot \mathrm{class} + \mathrm{instance}
# \qquad\Longleftrightarrow\qquad
# \mathrm{class} = \left\lfloor \frac{\mathrm{code}}{1000} \right\rfloor, \quad
# \mathrm{instance} = \mathrm{code} \bmod 1000$$
#
# ($\lfloor\;\rfloor$: round down. mod: the remainder of the division.) Two codes do not stand for an instance: 255 is the **[background](glossary.md#background)**. 65535 means **ignore**: the people who drew the labels could not tell what is there.
# All pixels with the same code are one instance.
# An instance may have several [connected pieces](glossary.md#connected-pieces), for example a car behind a tree.

# %%
import numpy as np
from matplotlib import pyplot as plt

from wadlib.course import check, lesson, open_data, show
from wadlib.course.lesson_measures import divided_cars
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
# A street of 4x6 pixels. There are two cars (33000 and 33001). A person (36000) walks in front of the second car. Far
# away there is something unclear; its code is 65535.

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
# Before you run the next cell, divide 33001 by 1000 on paper. Which class is it, and which instance number? Then do the
# same with 65535. What does a program find if it does not know that this code is special?

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
# For 65535 the formula gives class 65, which is the class *traffic cone*. So a program that uses the formula for every
# code finds traffic cones where the label is unclear. The function `decode` of the library returns class 0 for both
# special codes.
#
# The second car is **one** instance in **two** pieces. A program that counts connected pieces finds three cars. A
# program that counts different codes finds two cars, which is correct:

# %%
from scipy import ndimage

pieces = ndimage.label(class_id == 33)[1]
codes = instance_codes(street, class_id=33)
print(f"{pieces} connected pieces of car, {len(codes)} cars: {codes}")
assert (pieces, len(codes)) == (3, 2)

# %% [markdown]
# ## The library on a real frame
#
# We take a frame in which two cars touch. `read_label` is strict. If a file has 8 bits, is coloured or is incomplete, it
# raises an error. The error message names the likely cause and a fix.

# %%
frame = lesson("two touching cars")
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
# The table lists the codes that cover the most pixels, one line for each code.
#
# Why does the file look black? A 16-bit grey image has values from 0 to 65535. Most viewers show only the upper 8 bits.
# For the background (255) the upper 8 bits are zero, so it is black. An instance of class 33 has the code 33000 or a
# little more, and its upper 8 bits give a dark grey. In the next figure, the image in the middle is the label as such a
# viewer shows it. The image on the right has one colour for each class and one shade of it for each instance:

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
# The next figure shows the largest car and its neighbours. The white lines are contours. Every instance has its own
# shade. So you can count two cars even where they touch. The cell prints the codes at the border of the largest car.


# %%
def window(label, *codes, height=800, width=1400):
    """Rows and columns around the pixels with these codes."""
    rows, columns = np.nonzero(np.isin(label, codes))
    top = int(np.clip(rows.mean() - height / 2, 0, label.shape[0] - height))
    left = int(np.clip(columns.mean() - width / 2, 0, label.shape[1] - width))
    return np.s_[top : top + height, left : left + width]


cars, areas = np.unique(label[decode(label)[0] == 33], return_counts=True)
largest = int(cars[areas.argmax()])
border = ndimage.binary_dilation(label == largest) & (label != largest)
print(f"At the border of {largest}:", *np.unique(label[border]).tolist())
part = window(label, largest)
figure, axes = plt.subplots(2, 1, figsize=(11, 6), height_ratios=[14, 1])
draw_overlay(axes[0], image[part], label[part], opacity=0.45)
draw_class_legend(axes[1])
show(
    figure,
    "A part of the street; each object is filled with a shade of its class colour, outlined and named.",
)

# %% [markdown]
# Now the street of the example by hand: a person in front of a car. The cell finds such a pair in the label, and counts
# the pieces of the car.

# %%
image, label = lesson("a person before a car").read_pair()
pairs = divided_cars(label)
if pairs:
    car, person = max(pairs, key=pairs.get)
    mask = label == car
    pieces = ndimage.label(mask)[1]
    print(f"Person {person} divides car {car} in {pairs[car, person]} rows.")
    print(f"Car {car} is one instance in {pieces} connected pieces.")
    assert pieces > 1
    part = window(label, car, person, height=240, width=480)
    figure, axes = plt.subplots(1, 2, figsize=(12, 3.4))
    draw_frame(axes[0], image[part], "The image")
    draw_overlay(axes[1], image[part], label[part], "The instances", opacity=0.5)
    show(
        figure,
        "A person walks in front of a car. The car is one instance in several pieces, left and right of the person.",
    )

# %% [markdown]
# The pieces on the left and on the right of the person have the same code, so they are one car.
#
# The **mask viewer** shows a video. `open_data` opens your WAD folder if `WAD_ROOT` is set, and the rendered videos
# otherwise. We choose the video with the most instances in its first frame. Press play. Most objects are small: turn the
# mouse wheel to zoom. Point at an object to see its class. Click an object to find it in the table of objects. The
# button `?` lists the keys.

# %%
from wadlib.viewer import MaskViewer

wad = open_data()
first = {v: len(instance_codes(v.frames[0].read_label())) for v in wad.train_videos[:12]}
video = max(first, key=first.get)
viewer = MaskViewer(video, title=video.name, zoom="objects")
viewer

# %% [markdown]
# Python can read your selection. Click an object, then run the next cell: `viewer.selected` holds the code, class,
# instance number and area of the object. If you clicked no object, the cell shows nothing.

# %%
viewer.selected

# %% [markdown]
# ## The report's figure beside ours
#
# Figures 3 and 5 of the report show a street with its label, and the masks on top of the image. The first two figures
# of our frame show the same. The photographs in the report belong to the dataset. The terms of the dataset allow us to
# study the images, but not to copy them into a public repository. If you have the data, set `WAD_ROOT` to see real
# images here.
#
# Three sources say what a code means, and they differ:
#
# | source | what it says |
# |---|---|
# | the report's text | code = class · 1000 + instance, seven classes |
# | the authors' published code | divides by 1000 and compares with the seven class ids |
# | the files | background is 255, not 0; 65535 is "ignore"; the same object may change its number between frames |
#
# In the published code, 255 gives class 0 and 65535 gives class 65. The code then keeps only the seven classes of the
# report. Neither 0 nor 65 is one of them, so the result is correct. But a program that lists *all* classes of a file
# would report class 65.
#
# The row *the files* matters for videos. A **[track](glossary.md#track)** is the same object, followed over several
# frames. An instance number is not a track. The next cell lists the cars of the first frames of one video:

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
# Look for the same number in each line: its area may jump, or the number is missing. In the real files and in the
# rendered ones, the number of one car can change from frame to frame. So we cannot use the numbers to follow a car.
#
# ## Exercises
#
# **1.** ★ *Predict first.* Somebody stores labels as 8-bit PNG (`codes.astype(np.uint8)`, which keeps only the lower 8
# bits of each code). Which of the codes 255, 33001, 36000 and 65535 still have their value in the file? List them.

# %% tags=["exercise"]
codes_that_survive = [...]

# %% tags=["check"]
check("01.1", codes_that_survive)

# %% tags=["solution", "hide-cell"]
four = np.array([255, 33001, 36000, 65535], dtype=np.uint16)
codes_that_survive = four[four.astype(np.uint8) == four].tolist()
for code, kept in zip(four.tolist(), four.astype(np.uint8).tolist(), strict=True):
    print(f"{code:6d} -> {kept:3d}  {'keeps its value' if code == kept else 'lost'}")
print("The lower 8 bits remain: 'ignore' becomes background, a car becomes a small number.")
check("01.1", codes_that_survive)

# %% [markdown]
# **2.** ★ How many different buses (class 39) can one frame hold at most?

# %% tags=["exercise"]
most_buses = ...

# %% tags=["check"]
check("01.2", most_buses)

# %% tags=["solution", "hide-cell"]
first_bus, last_bus = int(encode(39, 0)), int(encode(39, 999))
most_buses = last_bus - first_bus + 1
print(f"codes {first_bus} to {last_bus}")
check("01.2", most_buses)

# %% [markdown]
# **3.** ★★ Write `decode` yourself. For 255, for 65535 and for every code below 1000 both results are 0.


# %% tags=["exercise"]
def my_decode(label):
    """Codes (H,W) uint16 -> class (H,W) and instance number (H,W)."""
    raise NotImplementedError


# %% tags=["check"]
check("01.3", my_decode)


# %% tags=["solution", "hide-cell"]
def my_decode(label):
    """Divide, where the code is one of an instance."""
    is_instance = (label >= 1000) & (label != IGNORE)
    return np.where(is_instance, label // 1000, 0), np.where(is_instance, label % 1000, 0)


check("01.3", my_decode)

# %% [markdown]
# **4.** ★★★ Count the connected pieces of each instance of a label. (A pixel has 4 neighbours: above, below, left and
# right. `ndimage.label` also counts so by default.) Then find the instance with the most pieces in the frame
# `lesson("a car behind a fence")`. What stands in front of it?


# %% tags=["exercise"]
def pieces_of(label):
    """Code of each instance of a label (H,W) -> number of its connected pieces, a dict."""
    raise NotImplementedError


# %% tags=["check"]
check("01.4", pieces_of)


# %% tags=["solution", "hide-cell"]
def pieces_of(label):
    """One code at a time."""
    return {int(c): ndimage.label(label == c)[1] for c in instance_codes(label)}


check("01.4", pieces_of)
image, label = lesson("a car behind a fence").read_pair()
counted = pieces_of(label)
most = max(counted, key=counted.get)
rows, columns = np.nonzero(label == most)
height, width = slice(max(0, rows.min() - 80), rows.max() + 80), slice(0, None)
width = slice(max(0, columns.min() - 120), columns.max() + 120)
figure, axes = plt.subplots(figsize=(7, 4))
title = f"Instance {most}, pieces: {counted[most]}"
draw_overlay(axes, image[height, width], label[height, width], title, opacity=0.35)
show(figure, "A close-up of the instance with the most pieces, with its pieces outlined.")

# %% [markdown]
# **5.** ★★★ *Open task.* The dataset's list of classes also has *groups*, from 161 (car_groups) to 168
# (tricycle_groups). But no label file holds a group. Find out why (try `encode(161, 0)`). Then design a file format
# that can hold groups, instances that overlap, and more than a thousand instances of one class. What are its
# disadvantages: how large are its files, and how difficult is it to read them?

# %% [markdown] tags=["open"]
# *Your answer.*

# %% [markdown] tags=["solution"]
# The largest 16-bit number is 65535, and a group code would be at least 161000, so it does not fit. Possible formats:
# 32-bit PNG (not standard), two images (class and instance), or run-length encoded masks with a class each, as COCO uses.
# Only the last one can hold overlapping instances. It is no longer an image that a viewer opens.

# %% [markdown]
# ## You can now
#
# - decode and encode label files, with background and ignore;
# - say why a connected piece is not always a whole instance;
# - say why an 8-bit copy of a label is useless, and why instance numbers are not tracks;
# - use the mask viewer.
