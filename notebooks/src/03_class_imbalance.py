# %% [markdown]
# # 03 · Class imbalance
#
# **After this notebook you can** measure [class imbalance](glossary.md#class-imbalance) in three units, compute [class
# weights](glossary.md#class-weight), choose frames so that a network sees rare classes more often, and write the cost
# of a label at a pixel.
# **You need:** [01](01_labels.ipynb) (instances), [02](02_preprocessing.ipynb) (sizes).
# **Time:** about 70 minutes (reading 45, exercises 25).
#
# ## The question
#
# A street is full of cars, and a tricycle is rare. A network learns from what it sees. How much does it see of each
# class? The answer depends on what we count: objects, pixels, or frames in which the class occurs. And what can we do
# if a class is rare? (Report, section 3.1, Fig 4.)
#
# ## The idea in five lines
#
# $n_c$ is the count of class $c$ in some unit (instances, pixels or frames), and $p_c$ its **share** of all counts.
# A **[loss](glossary.md#loss)** is the number that training makes small. It is a sum over pixels or objects.
# A **class weight** $w_c$ multiplies the part of the loss that belongs to class $c$.
# The simple choice is $1 / p_c$. The report's published U-Net code uses a weaker weight, with the power 0.3. This weight is computed for each *batch* (the images of one training step):
#
# $$p_c = \frac{n_c}{\sum_k n_k}, \qquad w_c = \frac{1}{p_c}
# \qquad\text{or}\qquad w_c = \left(\frac{\max_k p_k}{p_c + 10^{-6}}\right)^{0.3}$$
#
# After weighting, the share of class $c$ in the loss is proportional to $p_c w_c$. With $w_c = 1 / p_c$ all classes have
# the same share.

# %%
import json

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from wadlib.course import (
    check,
    cite,
    is_rendered,
    lesson_frames,
    open_data,
    profile,
    project_root,
    show,
)
from wadlib.course.lessons import RARE
from wadlib.figures import draw_bars, draw_frame, draw_grid, plot_style
from wadlib.labels import BACKGROUND, CLASSES, IDS, by_name, decode

plot_style()
names = {class_id: row.name for class_id, row in CLASSES.items()}

# %% [markdown]
# ## By hand
#
# Six small frames of 3x4 pixels. Cars (33) are in most of them. A bus (39) fills half a frame. People (36) are
# many and small. There is one tricycle (40).

# %%
street = np.full((6, 3, 4), BACKGROUND, np.uint16)
street[0, 1, :2], street[0, 2, 3] = 33000, 33001
street[1, 1:, :2] = 33000
street[2, :2, 1:] = 39000
street[3, 0, 0], street[3, 0, 2], street[3, 2, 1] = 36000, 36001, 36002
street[4, 2, :2], street[4, 2, 3], street[4, 0, 3] = 33000, 33001, 36000
street[5, 1, 1] = 40000

figure, axes = plt.subplots(2, 3, figsize=(11, 5.8))
for number, (each, label) in enumerate(zip(axes.flat, street, strict=True)):
    draw_grid(each, label, f"Frame {number}")
show(
    figure,
    "Six tables of 3 by 4 codes with a few cars, one large bus, four single-pixel people and one tricycle.",
)

# %% [markdown]
# Count on paper before you go on: instances, pixels and frames of each class. (An instance is a code *in one frame*:
# 33000 in two frames is two instances.) Which class is the rarest? Does it depend on the unit?

# %%
table = pd.DataFrame(
    {"instances": [5, 4, 1, 1], "pixels": [10, 4, 6, 1], "frames": [3, 2, 1, 1]},
    index=[33, 36, 39, 40],
)
share = table / table.sum()
weight = 1 / share
print((share * 100).round(1).add_suffix(", %").rename(index=names).to_string(), "\n")
print(weight.round(2).add_prefix("1 / share of ").rename(index=names).to_string())
np.testing.assert_allclose(share * weight, 1)

# %% [markdown]
# Cars lead in every column. The bus is one of the two rarest classes by instances, but it comes second by pixels. So a
# class may be rare for one loss and frequent for another: the loss of the U-Net is a sum over pixels, the loss of Mask
# R-CNN is a sum over objects.
#
# The library counts the same. `code_areas` lists the objects of one frame; `InstanceCounts` holds those of many.

# %%
from wadlib.dataset import InstanceCounts, code_areas, count_instances

found = [code_areas(label) for label in street]
counts = InstanceCounts(
    frames=len(street),
    codes=np.concatenate([codes for codes, _ in found]),
    areas_px=np.concatenate([areas for _, areas in found]),
    per_frame=np.array([len(codes) for codes, _ in found]),
)
print(counts.table())
for class_id in table.index:
    assert counts.instances[class_id] == table.loc[class_id, "instances"]
    assert counts.frames_with[class_id] == table.loc[class_id, "frames"]
    assert (
        counts.areas_px[decode(counts.codes)[0] == class_id].sum() == table.loc[class_id, "pixels"]
    )

# %% [markdown]
# The assertions pass: the library's counts equal the table.
#
# Imbalance also affects scores. A classifier that says "background" for every pixel has this **[accuracy](glossary.md#accuracy)** (the
# share of pixels that are correct):

# %%
accuracy = (street == BACKGROUND).mean()
print(
    f"It is right about {accuracy:.1%} of the pixels and finds 0 of {table['instances'].sum()} objects."
)
assert accuracy == (6 * 12 - table["pixels"].sum()) / (6 * 12)

# %% [markdown]
# So accuracy is useless here: it is high for a classifier that finds no object.
#
# ### From counts to costs: the unary
#
# Counts also give a first, simple predictor. Notebooks 04 and 05 use it. Let $x_p$ be the colour of pixel $p$. The
# **[unary cost](glossary.md#unary-cost)** of label $l$ at pixel $p$ is
#
# $$D_p(l) = -\log P(x_p \mid l) - \log P(l \mid p)$$
#
# The first term is small if this colour is frequent among the training pixels of label $l$. The second term is small if
# label $l$ is frequent at this position of the image. The unit of the cost is **[nats](glossary.md#nats)**, because the
# logarithm is the natural one. The label with the lowest cost is the most probable label. By hand, with two labels
# (road, car), two colours (dark, bright) and two positions:

# %%
P_colour = {"road": {"dark": 1 / 4, "bright": 3 / 4}, "car": {"dark": 3 / 4, "bright": 1 / 4}}
P_label = {"far left": {"road": 1 / 10, "car": 9 / 10}, "middle": {"road": 9 / 10, "car": 1 / 10}}
for place, prior in P_label.items():
    for colour in ("dark", "bright"):
        D_p = {k: -np.log(P_colour[k][colour]) - np.log(prior[k]) for k in prior}
        costs = ", ".join(f"{k} {cost:.2f}" for k, cost in D_p.items())
        print(f"{place:9s}{colour:7s} costs in nats: {costs} -> {min(D_p, key=D_p.get)}")
        product = {k: P_colour[k][colour] * prior[k] for k in prior}
        assert min(D_p, key=D_p.get) == max(product, key=product.get)

# %% [markdown]
# Dark pixels are more frequent on cars than on the road. But in the middle of the image cars are rare, so even a dark
# pixel gets the label road there. In this way the imbalance between labels also changes the cost. The library's
# `ColourLocationUnary` computes this cost for real images. It describes the colours of each label by a mixture of
# Gaussians, and the positions by a map for each label.

# %% [markdown]
# ## The library on a real frame
#
# One frame says little about shares, so we count many: `count_instances` reads the labels (and no images),
# which takes milliseconds per frame.

# %%
wad = open_data()
most = {"quick": 400, "full": len(wad.frames)}[profile()]
chosen = np.sort(np.random.default_rng(0).permutation(len(wad.frames))[:most])
frames = [wad.frames[i] for i in chosen]
counts = count_instances(frames, progress=False)
print(f"{counts.frames} of {len(wad.frames)} frames\n")
print(counts.table())

# %% [markdown]
# Now the shares in the three units. "Of frames" is the share of frames in which the class occurs, so these do
# not add up to 1.

# %%
ids = decode(counts.codes)[0]
pixels = {c: int(counts.areas_px[ids == c].sum()) for c in IDS}


def or_absent(values):
    """Replace 0 by nan: a class that is not in the data has no share."""
    return {c: v if v else float("nan") for c, v in values.items()}


shares = {
    "of instances": or_absent(
        {c: n / sum(counts.instances.values()) for c, n in counts.instances.items()}
    ),
    "of pixels": or_absent({c: n / sum(pixels.values()) for c, n in pixels.items()}),
    "of frames": or_absent({c: n / counts.frames for c, n in counts.frames_with.items()}),
}
figure, axes = plt.subplots(figsize=(11, 4.2))
draw_bars(axes, shares, ylabel="share", form="{:.1%}")
show(
    figure,
    "Three bars per class, its share of instances, of pixels and of frames; cars lead by far.",
)
print(
    "Not in this data (–): "
    + (", ".join(names[c] for c in IDS if not pixels[c]) or "no class is absent")
)

# %% [markdown]
# Cars lead in all units. A class with large objects has a larger share of pixels than of instances. Compared with the
# background, every class is rare:

# %%
size = cite("frame_size").value
everything = counts.frames * size["width"] * size["height"]
objects = sum(pixels.values())
print(f"{objects / everything:.2%} of all pixels belong to an object.")
print(
    f"'Always background' has an accuracy of {1 - objects / everything:.2%} and an IoU of 0 for every class."
)

# %% [markdown]
# ### Is our data similar to WAD in other ways?
#
# A dataset also has a typical number of objects per frame, typical sizes, and a typical position of the objects. The
# next table compares this data with what is known about WAD. In the table, *p5* means that 5 % of the values are lower.
# The areas of WAD come from few frames.

# %%
strip = cite("objects_between_rows").value
top, bottom = strip["top"], strip["bottom"]


def inside_strip(frame):
    """For each object of a frame: does it lie between the two rows entirely?"""
    label = frame.read_label()
    outside = np.union1d(code_areas(label[:top])[0], code_areas(label[bottom:])[0])
    return ~np.isin(code_areas(label)[0], outside)


inside = np.concatenate(wad.map(inside_strip, frames, progress=False))

# %%
per_frame, area = cite("instances_per_frame").value, cite("instance_area").value
rows = {"instances per frame, mean": (counts.per_frame.mean(), per_frame["mean"])}
rows["instances per frame, most"] = (counts.per_frame.max(), per_frame["max"])
for percent, name in ((5, "p5"), (50, "median"), (95, "p95")):
    rows[f"instances per frame, {name}"] = (
        np.percentile(counts.per_frame, percent),
        per_frame[name],
    )
for percent in (5, 50, 95):
    rows[f"instance area, p{percent}, px"] = (
        np.percentile(counts.areas_px, percent),
        area[f"p{percent}"],
    )
rows[f"objects in rows {top} to {bottom}, %"] = (
    100 * inside.mean(),
    100 * strip["share"],
)
print("WAD's areas:", cite("instance_area").where)
pd.DataFrame(rows, index=["this data", "WAD"]).T.map("{:,.1f}".format)

# %% [markdown]
# Compare the two columns. The number of objects and their sizes are similar, but not equal. Where a row differs, be
# careful: a result on this data may not hold for WAD.
#
# ## The report's figure beside ours
#
# Figure 4 of the report shows how many instances of each class its training data holds. The report prints no numbers,
# so we measured the heights of its bars. Each height may be wrong by about 200. The figure shows three bars per class:
# the report's, the whole training set (from a list that was published later), and ours. The scale is logarithmic: one
# step is a factor of ten.

# %%
reported = {by_name(name).id: n for name, n in cite("figure_4_counts").value.items()}
listing = cite("full_train_set_counts").value
complete = {c: listing[names[c]] for c in IDS}
series = {
    "report, Fig 4": reported,
    "whole training set": complete,
    "this data": or_absent(counts.instances),
}

figure, axes = plt.subplots(figsize=(11, 4.4))
draw_bars(axes, series, ylabel="instances", log=True)
show(
    figure,
    "Instance counts per class on a logarithmic scale: the report's, the whole training set's and ours.",
)

# %% [markdown]
# The three datasets differ in size, so we also compare the shares of the classes:


# %%
def share_of(values):
    return {c: values[c] / np.nansum(list(values.values())) for c in IDS}


shares = {name: share_of(values) for name, values in series.items()}
figure, axes = plt.subplots(figsize=(11, 4.2))
draw_bars(axes, shares, ylabel="share of instances", form="{:.1%}")
show(
    figure,
    "Shares of the classes among all instances, three bars per class; cars have most of them, people come next.",
)

# %% [markdown]
# Where do the report and the whole training set agree? We compare the shares class by class. The ratio of the two
# shares is 1 if they are equal. We may have measured a bar wrongly. This changes the ratio little for a high bar and
# much for a low bar. The columns *at least* and *at most* give the range of the ratio.

# %%
a, b = pd.Series(shares["report, Fig 4"]), pd.Series(shares["whole training set"])
slip = 200 / pd.Series(reported)
comparison = pd.DataFrame({"Fig 4": a, "whole set": b, "ratio": a / b})
comparison["at least"], comparison["at most"] = a / b * (1 - slip), a / b * (1 + slip)
print(comparison.rename(index=names).round(3).to_string(), "\n")
for name, share in {"Fig 4": a, "the whole set": b}.items():
    print(
        f"Order in {name:14s}"
        + ", ".join(names[c] for c in share.sort_values(ascending=False).index)
    )
rarer = comparison.index[comparison["at most"] < 0.9]
print("\nClearly rarer in the report's sample:", ", ".join(names[c] for c in rarer))

# %% [markdown]
# The order is similar: cars, then people, then all other classes. Some of the rare classes differ by more than our
# measuring error. The reason: the report chose some *videos* at random, and neighbouring frames of a video show the
# same objects. One bus that drives in front of the camera for a minute gives hundreds of instances. (See the open
# task.)
#
# Which frames were counted for these bars? The authors' published notebook counts nearly all frames of the chosen
# videos. These are more frames than the report trained on (its text and its code agree on the number of training
# frames). Do the chosen videos have fewer objects than the whole set? The mean number of instances per frame shows it.

# %%
whole_set = cite("full_train_set_frames").value
total, per_frame_wad = sum(reported.values()), sum(complete.values()) / whole_set
drawn, text, code = (
    cite(k).value for k in ("figure_4_frames", "train_frames_text", "train_frames")
)
sampled, videos = cite("videos_sampled").value, cite("videos_in_training_set").value
print(f"sampled {sampled} of {videos} videos; the bars of Fig 4 add up to {total:,}")
print(f"instances per frame: {total / drawn:.1f} of the {drawn:,} frames behind the bars (code),")
print(f"                     {per_frame_wad:.1f} of the {whole_set:,} of the whole training set")
print(f"training frames: about {text:,} (text), {code:,} (code)")
assert total / drawn < per_frame_wad
assert abs(code / text - 1) < 0.05, "text and code agree"
print("Note on the listing:", cite("full_train_set_counts").note)

# %% [markdown]
# So the chosen videos have fewer objects per frame than the whole training set.
#
# **The remedy that section 3.1 names.** Other driving datasets have more objects of the rare classes. The report names
# three of them and says why it did not use them. BDD100K and Cityscapes are real streets; CARLA is a simulator. None of
# them labels tricycles, so they could not help for the rarest class.

# %%
print(cite("other_datasets"), cite("imbalance_not_addressed"), sep="\n")

# %% [markdown]
# What would the remedy change? We counted the objects in 2,212 images of Cityscapes and add them to the counts of Fig 4.
# (The images may not be passed on, so the counts are read from a file. `results/maskrcnn/README.md` says how they were
# made. They come from polygons of a public copy.)

# %%
counted = json.loads(
    (project_root() / "results/maskrcnn/streets/class_counts.json").read_text(encoding="utf-8")
)["cityscapes"]
added = {by_name(name).id: n for name, n in counted["instances"].items()}
together = {c: reported[c] + added[c] for c in IDS}
assert counted["frames"] == 2212
assert added[by_name("tricycle").id] == 0

share = {"Fig 4": share_of(reported), "Fig 4 and Cityscapes": share_of(together)}
figure, axes = plt.subplots(figsize=(11, 4.2))
draw_bars(axes, share, ylabel="share of instances", form="{:.1%}")
show(
    figure,
    "Two bars per class: its share of the instances of Fig 4, and of these with those of Cityscapes.",
)
before, after = pd.Series(share["Fig 4"]), pd.Series(share["Fig 4 and Cityscapes"])
times = pd.Series(together) / pd.Series(reported).loc[list(IDS)]
for title, which in {"grows": after > before, "falls": after < before}.items():
    print(f"The share {title}:", ", ".join(names[c] for c in before.index[which]))
print("Times as many instances as before:")
print(times.rename(index=names).round(2).to_string())
for title, values in share.items():
    rarest = min(values, key=values.get)
    cars = values[by_name("car").id] / values[rarest]
    print(f"{title}: {cars:.0f} cars for each {names[rarest]}, the rarest class")
new = pd.Series(added) / sum(added.values())
assert new[[by_name("car").id, by_name("person").id]].sum() > 0.8

# %% [markdown]
# The remedy adds objects of six classes. More than 80 % of the new objects are cars and people, the two classes that were
# not rare. Bicycles and motorbicycles gain, too. There are few new trucks and buses, so their shares fall. No tricycle is
# added: it is now the rarest class. So the remedy helps some rare classes, but it does not balance the data. Notebook 08
# compares trainings with these images and without them.
#
# ### What follows for training
#
# The report trained for a number of **[epochs](glossary.md#epoch)**. Usually an epoch is one pass over the data. In the
# report it is a small, fixed number of training steps. How many images did the network see in all, and how many
# instances of each class? The number of steps is given only in the published code. (Mask R-CNN also keeps only some of
# a frame's objects. We ignore this.)

# %%
steps, batch, epochs = (cite(k).value for k in ("steps_per_epoch", "images_per_step", "epochs"))
per_epoch = steps * batch
images = epochs * per_epoch
at_checkpoint = cite("checkpoint_epoch").value * per_epoch
print(f"{epochs} epochs x {steps} steps x {batch} images = {images} images")
for name, number in {"text": text, "published code": code}.items():
    print(
        f"with {number} training frames ({name}), that is {images / number:.2f} passes over the data"
    )

assert images < min(text, code), "not one full pass over the data"

# %%
seen = pd.Series(reported) / drawn  # instances per frame
exposure = pd.DataFrame(
    {
        "per epoch": seen * per_epoch,
        "until the checkpoint": seen * at_checkpoint,
        "in all": seen * images,
    }
)
exposure["Table 1"] = pd.Series(
    {by_name(name).id: iou for name, iou in cite("table_1").value.items()}
)
exposure.loc[list(IDS)].rename(index=names).round(
    {"per epoch": 1, "until the checkpoint": 0, "in all": 0}
)

# %% [markdown]
# In all its training the network did not even see every frame once, and it saw only a few motorbicycles per epoch. But
# imbalance does not explain all of Table 1: people are frequent, and their score is also almost zero. Notebook 10 is
# about the other causes.
#
# ### What the rare classes look like
#
# The next figure shows five rare classes, each in several frames from several videos. Each image is a window around the
# largest object of its class, at network size.


# %%
def largest_object(label, class_id):
    """Rows and columns of a square window around the largest object of a class."""
    codes, areas = np.unique(label[decode(label)[0] == class_id], return_counts=True)
    rows, columns = np.nonzero(label == codes[areas.argmax()])
    half = int(max(24, 0.8 * np.ptp(rows), 0.8 * np.ptp(columns)))
    y, x = (max(0, int(v.min() + v.max()) // 2 - half) for v in (rows, columns))
    return np.s_[y : y + 2 * half, x : x + 2 * half]


figure, axes = plt.subplots(3, len(RARE), figsize=(11, 7))
for column, what in enumerate(RARE):
    found = lesson_frames(what)
    for ax in axes[len(found) :, column]:
        ax.set_axis_off()
    for ax, frame in zip(axes[:, column], found, strict=False):
        image, label = frame.read_pair()
        window = largest_object(label, by_name(what.split()[-1]).id)
        draw_frame(ax, image[window], what if ax is axes[0, column] else "")
show(
    figure, "Motorbicycles, bicycles, trucks, buses and tricycles, three of each, in other videos."
)

# %% [markdown]
# The objects of a class differ in shape, size, colour and light. A network that sees few of them in training cannot
# learn what they have in common.
#
# ### A remedy: draw frames by class
#
# Class weights are one remedy. Another remedy is to change what the network sees. For each training image, first choose
# a class at random, with the same probability for all classes. Then choose at random one of the frames in which this
# class occurs. (To choose at random is also called to *draw*.) With this method, frame $f$ is drawn with the
# probability
#
# $$q_f = \frac{1}{C} \sum_{c \in f} \frac{1}{|F_c|}$$
#
# where $F_c$ are the frames that hold class $c$, and $C$ is the number of classes in the data.

# %%
frame_of = np.repeat(np.arange(counts.frames), counts.per_frame)
held = np.zeros((counts.frames, len(IDS)), int)  # held[f, c]: instances of class c in frame f
np.add.at(held, (frame_of, np.searchsorted(IDS, ids)), 1)

present = held > 0
occurs = present.any(axis=0)
by_class = (present[:, occurs] / present[:, occurs].sum(axis=0)).mean(axis=1)
uniform = np.full(counts.frames, 1 / counts.frames)
assert np.isclose(by_class.sum(), 1)

# %% [markdown]
# Now we draw as many frames as the report did, once with equal probabilities and once by class. We count which
# instances a network would see. Let $n_{fc}$ be the number of instances of class $c$ in frame $f$. The expected number
# per drawn frame is $\sum_f q_f n_{fc}$. An assertion compares our counts with it: no count may differ by more than
# five standard deviations.

# %%
rng = np.random.default_rng(0)
seen = {}
for name, chance in {"every frame alike": uniform, "frames by class": by_class}.items():
    drawn = held[rng.choice(counts.frames, size=images, p=chance)].sum(axis=0)
    expected, square = chance @ held, chance @ held**2  # per frame drawn
    deviation = np.sqrt(images * (square - expected**2).clip(0))
    assert (np.abs(drawn - images * expected) <= 5 * deviation + 1e-6).all()
    seen[name] = or_absent(dict(zip(IDS, drawn / drawn.sum(), strict=True)))

figure, axes = plt.subplots(figsize=(11, 4.2))
draw_bars(axes, seen, ylabel="share of the instances seen", form="{:.1%}")
show(
    figure,
    "Two bars per class: its share of the instances seen when frames are drawn alike, and when drawn by class.",
)
alike, by = seen.values()
grown = [c for c in IDS if by[c] > alike[c]]
print("The share grows:", ", ".join(names[c] for c in grown))
print("The share falls:", ", ".join(names[c] for c in IDS if by[c] < alike[c]))
rarest = min((c for c in IDS if alike[c] > 0), key=alike.get)
for c in (rarest, by_name("car").id):
    print(f"{names[c]}: {by[c] / alike[c]:.2f} times its share")
if is_rendered():
    assert by[rarest] > 1.3 * alike[rarest]
    assert abs(by[33] / alike[33] - 1) < 0.05

# %% [markdown]
# In the rendered videos, the share of the rarest class grows most, and the share of cars hardly changes. The reason:
# nearly every frame with a rare object shows cars, too, and often many. Which frames are drawn most often? The viewer shows the first of them. Below
# the image, a button for each class shows the number of its objects. Click the button to hide these objects. Find the rare object in each frame: it is the reason why the frame is drawn so often.

# %%
from wadlib.viewer import MaskViewer

often = [frames[i] for i in np.argsort(-by_class, kind="stable")[:6]]
MaskViewer(often, names=True, title="frames with rare classes")

# %% [markdown]
# The method helps if rare classes occur in few frames. But there is a limit: a frame with a tricycle nearly always
# shows cars, too. So the shares of *instances* never become equal if we choose whole *frames*. There is also a
# disadvantage: the few frames with rare classes are repeated often. The next cell counts how often:

# %%
for name, chance in {"every frame alike": uniform, "frames by class": by_class}.items():
    print(
        f"{name:18s} the frame that comes up most often is drawn {images * chance.max():,.0f} times in {images:,}"
    )

# %% [markdown]
# ## Exercises
#
# **1.** ★ *Predict first.* In the published U-Net code (power 0.3), class A is 1000 times rarer than class B. About how many times
# larger is the weight of A: `"2"`, `"8"`, `"300"` or `"1000"`? (Ignore the $10^{-6}$.)

# %% tags=["exercise"]
times_larger = ...

# %% tags=["check"]
check("03.1", times_larger)

# %% tags=["solution", "hide-cell"]
print(f"1000 to the power 0.3 is {1000**0.3:.2f}")
times_larger = "8"
check("03.1", times_larger)

# %% [markdown]
# **2.** ★★ Take any power in place of 0.3 in the weight $w_c$. Write a function for the share of each class in the
# weighted loss. (The shares are proportional to $p_c w_c$ and add up to 1.) Then let $p_c$ be shares of pixels, with
# the background as an eighth class, and compute the shares for the powers 0, 0.3, 0.5 and 1. What is the share of the
# background?


# %% tags=["exercise"]
def loss_shares(p, power):
    """Shares p (C,) of the classes -> shares of the weighted loss (C,)."""
    raise NotImplementedError


# %% tags=["check"]
check("03.2", loss_shares)


# %% tags=["solution", "hide-cell"]
def loss_shares(p, power):
    """p w, scaled."""
    weighted = p * (p.max() / (p + 1e-6)) ** power
    return weighted / weighted.sum()


check("03.2", loss_shares)
by_pixels = {"background": everything - objects, **{names[c]: n for c, n in pixels.items() if n}}
p = pd.Series(by_pixels) / everything
in_loss = pd.DataFrame({f"power {power}": loss_shares(p, power) for power in (0, 0.3, 0.5, 1)})
print(in_loss.map("{:.2%}".format).to_string())
assert in_loss.loc["background"].is_monotonic_decreasing

# %% [markdown]
# **3.** ★★ The published U-Net code computes the weights for each batch separately. What is the weight of a class that
# has no pixel in the batch? What is the weight of a class that has one single pixel in the batch? Take $\max_k p_k =
# 1$. The sizes are in `cite("unet_input")` and `cite("unet_batch")`.

# %% tags=["exercise"]
size = cite("unet_input").value
pixels_of_batch = cite("unet_batch").value * size["width"] * size["height"]
weight_absent = ...
weight_single = ...

# %% tags=["check"]
check("03.3", (weight_absent, weight_single), pixels=pixels_of_batch)

# %% tags=["solution", "hide-cell"]
weight_absent, weight_single = ((1 / (n / pixels_of_batch + 1e-6)) ** 0.3 for n in (0, 1))
print(f"absent: {weight_absent:.0f}, a single pixel of {pixels_of_batch:,}: {weight_single:.0f}")
print("In cross entropy an absent class has no pixel, so its weight has no effect.")
print("The single pixel counts as much as that many pixels of background.")
check("03.3", (weight_absent, weight_single), pixels=pixels_of_batch)

# %% [markdown]
# **4.** ★★★ *Repeat-factor sampling* (from the LVIS dataset) is a weaker method than ours. Let $g_c$ be the share of
# frames that show class $c$. The class gets the rate $r_c = \max(1, \sqrt{t / g_c})$ with a threshold $t$. The repeat
# factor of a frame is the largest $r_c$ of its classes (1 if it shows none). Write a function for the repeat factors.
# Then take $t = 0.5$ and compare the shares of the classes with those of the two methods above.


# %% tags=["exercise"]
def repeat_factors(present, t):
    """present[f, c]: frame f holds class c, (F,C) bool -> repeat factor of each frame, (F,)."""
    raise NotImplementedError


# %% tags=["check"]
check("03.4", repeat_factors)


# %% tags=["solution", "hide-cell"]
def repeat_factors(present, t):
    """A class in no frame repeats none."""
    g = present.mean(axis=0)
    rates = np.maximum(1, np.sqrt(t / np.where(g > 0, g, 1)))
    return np.where(present, rates, 1).max(axis=1)


check("03.4", repeat_factors)
chance = repeat_factors(present, 0.5)
chance /= chance.sum()
ways = {"every frame alike": uniform, "repeat factor": chance, "frames by class": by_class}
shares = {
    name: pd.Series(q @ held / (q @ held).sum(), index=names.values()) for name, q in ways.items()
}
print(pd.DataFrame(shares).map("{:.1%}".format).to_string(), "\n")
for name, q in ways.items():
    print(f"{name:18s} most frequent frame: {images * q.max():,.0f} times in {images:,}")

# %% [markdown]
# **5.** ★★★ *Open task.* How much do the shares of the classes depend on the choice of the *videos*? Choose half of the
# videos at random, a thousand times. Look at the 5th and the 95th percentile of each class's share. Then choose the
# same number of *frames* at random, from all videos, and do the same. Explain the difference. What does it mean for Fig
# 4 of the report?

# %% [markdown] tags=["open"]
# *Your answer.*

# %% tags=["solution", "hide-cell"]
videos = np.unique([frame.video for frame in frames])
held_by = {video: held[[frame.video == video for frame in frames]] for video in videos}
per_video = np.array([held_by[video].sum(axis=0) for video in videos])
half, rng = max(1, len(videos) // 2), np.random.default_rng(1)
draws = {
    "videos": [per_video[rng.permutation(len(videos))[:half]].sum(axis=0) for _ in range(1000)],
    "frames": [
        held[rng.permutation(len(held))[: max(1, len(held) // 2)]].sum(axis=0) for _ in range(1000)
    ],
}
spread = {}
for unit, values in draws.items():
    share = np.array(values) / np.maximum(1, np.sum(values, axis=1, keepdims=True))
    low, high = np.percentile(share, (5, 95), axis=0)
    spread[f"half of the {unit}"] = [f"{a:.1%} to {b:.1%}" for a, b in zip(low, high, strict=True)]
print(
    f"{len(videos)} video(s)"
    + (": with a single one there is nothing to draw from" if len(videos) == 1 else "")
)
print(pd.DataFrame(spread, index=names.values()).to_string())

# %% [markdown] tags=["solution"]
# Frames of one video are not independent: they show the same objects. So the interval is wider when videos are drawn. Shares
# measured on few videos, such as Fig 4 of the report or ours, are more uncertain than the number of frames suggests.

# %% [markdown]
# ## You can now
#
# - count a class by instances, pixels and frames, and say which loss needs which count;
# - compute class weights and their effect on the loss;
# - choose frames by class, and say what this method cannot do;
# - write the unary cost of a label at a pixel.
