# %% [markdown]
# # 04 · Normalized cut
#
# **After this notebook you can** write an image as a [graph](glossary.md#graph), compute a normalized cut by hand and with an eigenvector, and
# say what this method can and cannot do for object classes.
# **You need:** [03](03_class_imbalance.ipynb) (the unary), eigenvectors of symmetric matrices.
# **Time:** about 75 minutes (reading 45, exercises 30).
#
# ## The question
#
# A person can divide a photograph of a street into parts: the sky, the trees, the road, a truck. The pixels of one part
# look alike and are close together. Can a program divide an image in this way, without any label? And does this help to
# find the *classes* of the challenge? (Report, section 2.1, equations 1 to 6.)
#
# ## The idea in five lines
#
# Every pixel is a node of a **graph**, and an edge joins pixels that are near each other. The edge between the pixels $u$ and $v$ has a weight. It is large if the two are similar:
# $w(u, v) = e^{-|F(u) - F(v)|^2 / \sigma_I} \, e^{-|X(u) - X(v)|^2 / \sigma_X}$. Here $F$ is the brightness and $X$ the
# position. (The report divides by $\sigma_I$ and $\sigma_X$ themselves, not by their squares.) Divide the nodes $V$ into two sides $A$ and $B$:
#
# $$Ncut(A, B) = \frac{cut(A, B)}{assoc(A, V)} + \frac{cut(A, B)}{assoc(B, V)}
# = 2 - \left( \frac{assoc(A, A)}{assoc(A, V)} + \frac{assoc(B, B)}{assoc(B, V)} \right) \tag{1}$$
#
# $$cut(A, B) = \sum_{u \in A,\, v \in B} w(u, v) \tag{2}$$
#
# $$assoc(A, V) = \sum_{u \in A,\, t \in V} w(u, t) \tag{3}$$
#
# The equations have the numbers of the report. (The report's equations 4, 5 and 6 repeat these three.) To find the lowest $Ncut$ is NP-hard: no fast method is known.
# Let $W$ be the table of all $w(u, v)$, and $D$ the diagonal table of its row sums. Instead of a side, $A$ or $B$, give each node a real number $y$. Then the problem becomes $(D - W)\,y = \lambda D\,y$, which is fast to solve. Take the solution $y$ with the second smallest $\lambda$.
# Nodes whose $y$ lies below a threshold are one side.

# %%
import itertools
import json

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from wadlib.course import (
    check,
    cite,
    figure_slider,
    lesson,
    open_data,
    profile,
    project_root,
    say,
    show,
)
from wadlib.figures import (
    PALETTE,
    draw_bars,
    draw_class_legend,
    draw_frame,
    draw_grid,
    draw_label,
    plot_style,
)

# %%
from wadlib.graphcut import (
    ColourLocationUnary,
    assoc,
    brightness,
    cut,
    ncut_value,
    normalized_cut,
    pixel_affinity,
    smallest_eigenvectors,
    sweep,
)

plot_style()

# %% [markdown]
# ## By hand
#
# An image of 2x4 pixels, dark on the left and bright on the right. Each pixel is joined to its eight neighbours.
# The table on the right holds all weights: row $u$, column $v$, pixels numbered in reading order.

# %%
picture = np.array([[0.1, 0.2, 0.8, 0.9], [0.1, 0.3, 0.7, 0.9]])


def grey(values):
    """Values 0..1 as grey cells (H,W,3); 1 is not quite white, so that its cell can be seen."""
    return np.repeat(np.round(225 * values)[..., None], 3, axis=2).astype(np.uint8)


def weights_of(picture):
    """W of a small picture, (n,n)."""
    graph = pixel_affinity(picture, radius=1.5, sigma_intensity=0.1, sigma_distance=4)
    return graph.to_sparse().toarray()


W = weights_of(picture)
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), width_ratios=[1, 1.3])
draw_grid(axes[0], picture, "Brightness", colours=grey(picture))
draw_grid(axes[1], W.round(2), "W: how alike (light: much)", colours=grey(W))
show(
    figure,
    "Eight pixels, dark left and bright right, and the 8 by 8 table of their weights: large within "
    "a half, close to 0 between the halves.",
)

# %% [markdown]
# Check one weight on paper: pixels 0 and 1 differ by 0.1 in brightness, and their distance is 1. The diagonal is 0,
# because a pixel has no edge to itself (exercise 3 shows what such an edge would change). Now we write the two sums of
# the equations as code:

# %%
assert np.isclose(W[0, 1], np.exp(-(0.1**2) / 0.1) * np.exp(-(1**2) / 4))


def cut_by_hand(W, A, B):
    """Sum of w(u, v) for u in A and v in B."""
    return sum(W[u, v] for u in np.flatnonzero(A) for v in np.flatnonzero(B))


def ncut_by_hand(W, A):
    """Ncut of A and the rest."""
    everything, between = np.ones(len(A), bool), cut_by_hand(W, A, ~A)
    return between / cut_by_hand(W, A, everything) + between / cut_by_hand(W, ~A, everything)


# %% [markdown]
# In how many ways can we divide eight pixels into two sides? If we exchange $A$ and $B$, the cut is the same. So we put
# pixel 0 into $B$. Each of the other 7 pixels is in $A$ or in $B$, and $A$ needs at least one pixel: this gives $2^7 -
# 1$ ways. We can try them all, with our function and with `wadlib`:

# %%
cuts = [np.array([False, *r]) for r in itertools.product([False, True], repeat=7) if any(r)]
ncuts = np.array([ncut_by_hand(W, A) for A in cuts])
np.testing.assert_allclose([ncut_value(W, A) for A in cuts], ncuts, rtol=1e-12)
best = ncuts.min()
print(f"cuts: {len(cuts)}   Ncut from {best:.4f} to {ncuts.max():.4f}")

SIDE = np.array([[round(255 * c) for c in to_rgb(PALETTE[k])] for k in (5, 6)], np.uint8)


def draw_sides(axes, A, title, shape=(2, 4)):
    """The two sides of a cut as a table of letters."""
    side = np.reshape(A, shape).astype(int)
    draw_grid(axes, np.array(["B", "A"])[side], title, colours=SIDE[side])


ranking = np.argsort(ncuts.round(6), kind="stable")
figure, axes = plt.subplots(2, 3, figsize=(9.5, 4.4))
for place, (ax, k) in enumerate(zip(axes.flat, [*ranking[:5], ranking[-1]], strict=True), 1):
    name = f"no. {place}" if place < 6 else f"the worst, no. {len(cuts)}"
    draw_sides(ax, cuts[k], f"{name}: Ncut {ncuts[k]:.3f}")
show(
    figure,
    "The five best cuts and the worst. The best divides left from right in the middle; the worst "
    "is a chequered pattern.",
)

# %% [markdown]
# The best cut separates dark from bright. Now look at the second form of equation 1. It follows from $assoc(A, V) =
# assoc(A, A) + cut(A, B)$. It says: to make the weight *between* the sides small is the same goal as to make the weight
# *within* the sides large. We test this form on every cut:

# %%
for A in cuts:
    within = assoc(W, A, A) / assoc(W, A) + assoc(W, ~A, ~A) / assoc(W, ~A)
    assert abs(ncut_value(W, A) - (2 - within)) < 1e-12
print(f"Ncut = 2 - (what stays within) for all {len(cuts)} cuts, to 1e-12")

# %% [markdown]
# **A misprint in one copy.** One text version of the report (made by a machine) has $cut(B, V) / assoc(B, V)$ as the
# second fraction of equation 4. Both public PDFs have $cut(A, B)$ there, which is correct. What would the misprint
# mean? $cut(B, V)$ is the sum of $w$ from $B$ to *all* nodes. This is also the definition of $assoc(B, V)$. What is the
# value of the fraction then?

# %%
V = np.ones(8, bool)
fractions = {cut(W, ~A, V) / assoc(W, ~A) for A in cuts}
print("cut(B, V) / assoc(B, V) over all cuts:", fractions)
assert fractions == {1.0}, "identically 1"

# %% [markdown]
# It is 1 for every cut, so it says nothing about the cut. The numerator must be $cut(A, B)$.
#
# ### Why normalize?
#
# Why do we divide by $assoc$? Without the division we would have a **[minimum cut](glossary.md#minimum-cut)**, which is
# simpler. Here is another image: two grey halves and one bright pixel. The figure shows $cut$ and $Ncut$ of each of its
# cuts:

# %%
bright_corner = np.array([[0.2, 0.2, 0.6, 0.6], [0.2, 0.2, 0.6, 1.0]])
G = weights_of(bright_corner)
plain, normal = (np.array([f(G, A) for A in cuts]) for f in (cut, ncut_value))
least, best_normal = int(plain.argmin()), int(normal.argmin())
figure = plt.figure(figsize=(10.5, 4.6))
order = [["image", "all"], ["min", "all"], ["ncut", "all"]]
axes = figure.subplot_mosaic(order, width_ratios=[1, 1.6])
draw_grid(axes["image"], bright_corner, "Brightness", colours=grey(bright_corner))
draw_sides(axes["min"], cuts[least], f"minimum cut: {plain[least]:.2f}")
draw_sides(axes["ncut"], cuts[best_normal], f"normalized cut: {normal[best_normal]:.2f}")
axes["all"].scatter(plain, normal, s=18, color=PALETTE[3], label="all 127 cuts")
for k, name, mark in ((least, "minimum cut", "s"), (best_normal, "normalized cut", "D")):
    colour = PALETTE[4] if k == least else PALETTE[0]
    axes["all"].scatter(plain[k], normal[k], s=80, color=colour, marker=mark, label=name)
axes["all"].set(xlabel="cut(A, B)", ylabel="Ncut(A, B)", ylim=(0, None))
axes["all"].legend(loc="lower right")
show(
    figure,
    "Left the picture, its minimum cut, which cuts off the bright corner pixel, and its normalized "
    "cut through the middle. Right all cuts as dots: the leftmost is not the lowest.",
)

# %%
assert min(cuts[least].sum(), (~cuts[least]).sum()) == 1, "the minimum cut separates one pixel"
assert cuts[best_normal].sum() == 4, "the normalized cut halves the picture"
print(f"one pixel: cut {plain[least]:.3f}, Ncut {normal[least]:.3f}")
print(f"one half:  cut {plain[best_normal]:.3f}, Ncut {normal[best_normal]:.3f}")

# %% [markdown]
# A single pixel has few edges, so it is cheap to cut them. The minimum cut does this. But then *all* edges of the pixel
# are cut. So its fraction $cut / assoc$ is 1, and $Ncut$ is large. The normalized cut therefore divides the image in
# the middle. For this it needs both fractions. With the misprint, the second fraction is always 1. The first fraction
# is smallest if $A$ holds nearly all pixels. The next cell tries all cuts with the misprint. Each of the two sides may
# be $A$:

# %%
either = [*cuts, *(~A for A in cuts)]
misprinted = either[int(np.argmin([cut(G, A) / assoc(G, A) + 1 for A in either]))]
print(f"with the misprint, A has {misprinted.sum()} of 8 pixels: the bright pixel is cut off again")
assert np.array_equal(~misprinted, cuts[least])

# %% [markdown]
# ### From 127 cuts to one eigenvector
#
# A frame at network size has about $2^{500{,}000}$ cuts. We cannot try them all. The **relaxed** problem allows a real
# number $y$ for each pixel in place of a side. We solve $(D - W)\,y = \lambda D\,y$ and take the $y$ that belongs to
# the second smallest value $\lambda_2$. Then the function `sweep` tries all thresholds: the pixels with $y$ below the
# threshold are one side. It needs to look at each edge only once:

# %%
e = smallest_eigenvectors(W, 3)
s = sweep(W, e.vectors[0])
d = W.sum(axis=1)
assert np.allclose(d * e.vectors[0] - W @ e.vectors[0], e.values[0] * d * e.vectors[0])
print("lambda_2 to lambda_4:", e.values.round(4))
print(f"lambda_2 {e.values[0]:.4f} <= best of all cuts {best:.4f} <= sweep {s.ncut:.4f}")
assert e.values[0] <= best <= s.ncut + 1e-12

figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.4), width_ratios=[1, 1.2])
y = e.vectors[0].reshape(2, 4)
draw_grid(axes[0], y.round(2), "y of λ₂", colours=grey((y - y.min()) / np.ptp(y)))
axes[1].plot(range(1, 8), s.values, "o-", label="Ncut at each threshold")
axes[1].axhline(e.values[0], color=PALETTE[4], linestyle="--", label="λ₂: no cut is lower")
axes[1].set(xlabel="pixels below the threshold", ylabel="Ncut", ylim=(0, None))
axes[1].legend(loc="upper center")
show(
    figure,
    "The eigenvector has one sign in the left half and the other in the right. Ncut over the "
    "thresholds is lowest in the middle, just above lambda 2.",
)

# %% [markdown]
# Two inequalities always hold. No cut has an $Ncut$ below $\lambda_2$. And no threshold gives a lower $Ncut$ than the
# best of all cuts. Here the best threshold gives the best cut. Often this is so, but **not always**. In the next image
# it is not:

# %%
crooked = np.array([[0.5, 0.2, 0.4, 0.0], [0.7, 1.0, 0.8, 0.5]])
C = weights_of(crooked)
swept, system = sweep(C, smallest_eigenvectors(C).vectors[0]), smallest_eigenvectors(C)
winner = min(cuts, key=lambda A: ncut_value(C, A))
figure, axes = plt.subplots(1, 3, figsize=(10.5, 2.1))
draw_grid(axes[0], crooked, "Brightness", colours=grey(crooked))
draw_sides(axes[1], winner, f"best of all: Ncut {ncut_value(C, winner):.3f}")
draw_sides(axes[2], swept.side, f"sweep: Ncut {swept.ncut:.3f}")
show(figure, "A picture whose best cut is not among the thresholds of its eigenvector.")
assert system.values[0] <= ncut_value(C, winner) < swept.ncut

# %% [markdown]
# ## The library on a real frame
#
# Now a frame of the dataset, cropped and downscaled as in the report: 832x640 pixels. Each pixel has an edge to the 68
# other pixels that are less than 5 pixels away. The frame shows a near car, a truck and some objects far away.

# %%
from wadlib.labels import BACKGROUND, CLASSES, IDS, NETWORK_INDEX, by_name, decode, encode
from wadlib.preprocess import CROP_Y_PX, FACTOR, STRIP_WINDOW, crop_and_downscale

wad = open_data()


def small(frame):
    """Image and label of a frame at network size."""
    return crop_and_downscale(*frame.read_pair())


split = wad.split("report", seed=0, videos=10)
most = {"quick": 12, "full": 100}[profile()]
learn, held_out = (f[:: -(-len(f) // most)] for f in (split.train, split.validation))
image, label = small(lesson("a near car", among=held_out))

# %%
pixels = normalized_cut(image, "pixels")
assert pixels.converged
assert 2 * len(pixels.affinity.offsets) == 68
print(f"nodes: {pixels.affinity.shape[0]:,}   edges: {np.count_nonzero(pixels.affinity.weights):,}")
print("lambda_2 to lambda_4:", *[f"{value:.3g}" for value in pixels.eigenvalues])
print(
    f"Ncut of the cut: {pixels.ncut:.3g}; no cut has an Ncut below lambda_2 = {pixels.eigenvalues[0]:.3g}"
)
assert pixels.eigenvalues[0] <= pixels.ncut

# %%
from skimage.segmentation import mark_boundaries


def with_borders(image, labels):
    """The picture with yellow lines between segments."""
    lines = mark_boundaries(image, labels, color=(1, 0.85, 0), mode="thick")
    return (255 * lines).astype(np.uint8)


def with_sides(image, labels):
    """The picture with one side of a cut tinted blue."""
    tint = np.array(to_rgb(PALETTE[0])) * 255
    mixed = np.where(labels[..., None] == 1, 0.4 * image + 0.6 * tint, image)
    return with_borders(mixed.astype(np.uint8), labels)


def shades(vector):
    """An eigenvector as a picture: dark blue to yellow, a hundredth clipped at either end."""
    low, high = np.quantile(vector, [0.01, 0.99])
    scaled = np.clip((vector - low) / (high - low), 0, 1)
    return (255 * plt.colormaps["cividis"](scaled)[..., :3]).astype(np.uint8)


# %%
figure, axes = plt.subplots(2, 2, figsize=(8.6, 6.9))
draw_frame(axes[0, 0], with_sides(image, pixels.labels), "The frame and its cut")
for ax, vector, number in zip(axes.flat[1:], pixels.eigenvectors, "₂₃₄", strict=True):
    draw_frame(ax, shades(vector), f"y of λ{number}")
show(
    figure,
    "A street and its three smallest eigenvectors: large flat areas with sharp borders along "
    "the contours of the street. The cut runs along one of these borders.",
)

# %% [markdown]
# No label was used. Each eigenvector is nearly constant inside a region and changes fast at its contour. The method has
# two weaknesses. First, in some regions an eigenvector changes *slowly*, for example across a plain wall or the sky.
# There the threshold may divide one region into two. Second, the cut is the border with the lowest $Ncut$, and this is
# often not the contour of an object.
#
# ### Superpixels instead of pixels
#
# The pixel graph has half a million nodes. To make it smaller, we use **[superpixels](glossary.md#superpixels)** as
# nodes: small regions of similar colour, found by the method SLIC. An edge joins two superpixels that touch. This graph
# is so small that we can cut it again and again. Each part is divided further if it has a cut with an $Ncut$ below 0.2.

# %%
patches = normalized_cut(image, threshold=0.2)
two = normalized_cut(image, regions=patches.regions, segments=2, threshold=2)
assert patches.converged
print(f"nodes: {patches.affinity.shape[0]}   edges: {patches.affinity.nnz // 2}")
print(f"segments: {patches.labels.max() + 1}   the first cuts:")
for c in patches.cuts[:4]:
    print(f"  Ncut {c.ncut:.3g} (lambda_2 {c.eigenvalue:.3g}), sides of {c.sizes} patches")

figure, axes = plt.subplots(2, 2, figsize=(8.6, 6.9))
draw_frame(axes[0, 0], with_borders(image, patches.regions), "Superpixels: the nodes")
draw_frame(axes[0, 1], shades(patches.eigenvectors[0]), "y of λ₂ on superpixels")
draw_frame(axes[1, 0], with_sides(image, two.labels), "The first cut")
draw_frame(axes[1, 1], with_borders(image, patches.labels), "All cuts below 0.2")
show(
    figure,
    "The frame in some hundreds of patches, their second eigenvector, the first cut into two, and "
    "several dozen segments.",
)

# %% [markdown]
# Normalization prefers sides of similar size, but one side may still have only a few superpixels. If a few superpixels
# differ in colour from all their neighbours, the edges between them have very small weights, and this cut comes first.
# The printed sizes of the sides show whether this happens in this frame.
#
# ### To play with: $\sigma_I$ and the threshold
#
# The number of segments (the parts that remain at the end) depends on two numbers: $\sigma_I$ for the colours
# (`sigma_colour`), and the threshold for $Ncut$. The next cell counts the segments for some values of both.

# %%
SIGMAS, THRESHOLDS = (50, 100, 200, 400), (0.05, 0.1, 0.2, 0.4)
strip = slice(*((r - CROP_Y_PX) // FACTOR for r in (STRIP_WINDOW[0].start, STRIP_WINDOW[0].stop)))
divided = {}
for sigma, limit in itertools.product(SIGMAS, THRESHOLDS):
    options = {"regions": patches.regions, "sigma_colour": sigma, "threshold": limit}
    divided[sigma, limit] = normalized_cut(image, **options).labels
segments_of = pd.DataFrame(
    {f"threshold {t}": [divided[s, t].max() + 1 for s in SIGMAS] for t in THRESHOLDS},
    index=[f"sigma {s}" for s in SIGMAS],
)
print(segments_of.to_string())
assert (segments_of.iloc[:, 0] <= segments_of.iloc[:, -1]).all()


# %%
def draw_divided(sigma, limit):
    """The strip with its segments."""
    count = f"{divided[sigma, limit].max() + 1} segments in the frame"
    figure, axes = plt.subplots(figsize=(8.6, 2.4))
    draw_frame(axes, with_borders(image, divided[sigma, limit])[strip], count)
    return figure, f"The segments for sigma {sigma} and threshold {limit}: {count}."


figure_slider(
    ("sigma", "threshold"),
    (SIGMAS, THRESHOLDS),
    draw_divided,
    start=(3, 2),
    caption="A strip of the frame, divided with another sigma of the colours and another threshold.",
)

# %% [markdown]
# Look for two things. Move *threshold*: a higher threshold allows more cuts. So in each row of the table the number of
# segments grows from left to right. The old borders stay, and new borders are added. Move *sigma*: if sigma is small, a
# difference of colour makes the weight of an edge much smaller. So a cut through this edge is cheaper, and there are
# more segments.
#
# ### Superpixels or pixels?
#
# Which graph gives the better cut? We cannot compare an $Ncut$ on superpixels with an $Ncut$ on pixels, because they
# are sums over *different* edges. So we take both cuts and compute their $Ncut$ on the same graph, the pixel graph:

# %%
same_ruler = {
    "cut found on pixels": ncut_value(pixels.affinity, pixels.labels == 1),
    "cut found on superpixels": ncut_value(pixels.affinity, two.labels == 1),
}
for name, value in same_ruler.items():
    print(f"{name:25s} Ncut on the pixel graph {value:.3g}")
print(f"(on its own graph, the superpixels' cut has {two.ncut:.3g})")
assert np.isclose(same_ruler["cut found on pixels"], pixels.ncut, rtol=1e-6)
assert min(same_ruler.values()) >= pixels.eigenvalues[0], "lambda_2 bounds every cut of that graph"

# %% [markdown]
# Compare the first two printed lines. A lower $Ncut$ on the pixel graph does not mean that a cut is more useful,
# because the weights of the pixel graph use brightness only. The superpixel graph uses *colour*, and it needs a small
# fraction of the time (`make bench` measures both on your machine). It has one disadvantage: if SLIC misses a contour,
# no cut can find it. And distant cars are smaller than a superpixel.
#
# ### What can it say about classes?
#
# A segment has no class. We choose its class by a vote of its pixels. Each pixel votes for the class with the lowest
# unary cost $D_p(l)$. (Notebook [03](03_class_imbalance.ipynb) defines this cost; here it is learnt from the training
# frames.) The segment gets the class with the most votes. We use `sigma_colour=100`, because a smaller sigma gives more
# and smaller segments.

# %%
from wadlib.instances import instances_from_indices

unary = ColourLocationUnary.fit((small(f) for f in learn), seed=0, samples=5_000)
print(f"frames learnt from: {len(learn)}   held out: {len(held_out)}")


def majority(votes, segments):
    """The commonest of the votes 0..7 (H,W) in each segment, at each of its pixels."""
    rows = segments.max() + 1
    table = np.bincount((8 * segments + votes).ravel(), minlength=8 * rows).reshape(rows, 8)
    return table.argmax(axis=1)[segments]


votes, parts = np.array([[0, 1, 1, 3]]), np.array([[0, 0, 0, 1]])
assert majority(votes, parts).tolist() == [[1, 1, 1, 3]]

# %% [markdown]
# The result depends on the unary and on the segments. To test the segments alone, we also make a vote in which each
# pixel votes for its *true* class. Then every error that remains comes from a segment that crosses the contour of an
# object.

# %%
UNARY, PATCHES, CUT, PERFECT = "unary alone", "+ superpixels", "+ Ncut", "truth votes, Ncut"


def indices(label):
    """Label codes (H,W) -> 0 for background, 1..7 for the classes."""
    classes, found = decode(label)[0], np.zeros(label.shape, int)
    for class_id, index in NETWORK_INDEX.items():
        found[classes == class_id] = index
    return found


# %%
def segment(image):
    """The segments that vote."""
    return normalized_cut(image, threshold=0.2, sigma_colour=100)


def predict(image, label):
    """Name of a method -> class index at each pixel."""
    found = segment(image)
    votes = unary.costs(image).argmin(axis=2)
    return {
        UNARY: votes,
        PATCHES: majority(votes, found.regions),
        CUT: majority(votes, found.labels),
        PERFECT: majority(indices(label), found.labels),
    }


# %%
CODE = np.array([BACKGROUND, *(encode(c, 0) for c in IDS)], np.uint16)
rows = slice(*((r - CROP_Y_PX) // FACTOR for r in (STRIP_WINDOW[0].start, STRIP_WINDOW[0].stop)))
maps = {"the truth": indices(label), **predict(image, label)}
figure = plt.figure(figsize=(10, 4.6))
order = [["segments", "the truth"], [UNARY, PATCHES], [CUT, PERFECT], ["key", "key"]]
axes = figure.subplot_mosaic(order, height_ratios=[9, 9, 9, 1.5])
draw_frame(axes["segments"], with_borders(image, segment(image).labels)[rows], "The segments")
for name, found in maps.items():
    draw_label(axes[name], CODE[found[rows]], name[0].upper() + name[1:], by="class")
draw_class_legend(axes["key"])
show(
    figure,
    "A strip of the frame: its segments, the true classes, and four answers: speckled from the "
    "unary, in patches, in large segments, and the large segments if the truth votes.",
)

# %% [markdown]
# In the viewer, the truth is on the left of the line. On the right is the result of the vote in the segments of the
# normalized cut. Drag the line:

# %%
from wadlib.viewer import MaskViewer

voted = instances_from_indices(maps[CUT])
MaskViewer(image, truth=label, prediction=voted, mode="swipe", zoom="objects", title="Ncut")

# %% [markdown]
# The single wrong pixels are gone, but so are many small objects. If a segment is mostly road and holds a car of ten
# pixels, the vote gives road.
#
# ## The report's figure beside ours
#
# The report has no figure and no scores for this section. So we set the report's **Table 1** (its Mask R-CNN) beside
# ours, with the same metric, the mean IoU. The last column is the mean over the classes that have a number.

# %%
from wadlib.metrics import Overlap, mean_iou, report_iou


def overlaps_of(frame):
    """Name of a method -> Overlap of a frame."""
    image, label = small(frame)
    answers = predict(image, label).items()
    return {n: Overlap.from_labels(label, instances_from_indices(found)) for n, found in answers}


results = wad.map(overlaps_of, held_out, progress=False)
scores = {name: report_iou([r[name] for r in results]) for name in results[0]}
table_1 = {by_name(name).id: value for name, value in cite("table_1").value.items()}
lines = {
    name: {CLASSES[c].name: iou[c] for c in IDS} | {"mean": mean_iou(iou)}
    for name, iou in {**scores, "report, Mask R-CNN": table_1}.items()
}
print(pd.DataFrame(lines).T.to_string(na_rep="–", float_format="{:.3f}".format))

# %%
figure, axes = plt.subplots(figsize=(11, 4.2))
bars = {"report, Mask R-CNN": table_1}
bars |= {name: scores[name] for name in (UNARY, CUT, PERFECT)}
draw_bars(axes, bars, ylabel="mean IoU, the report's way", form="{:.3f}")
show(
    figure,
    "Bars per class: Table 1, the unary alone, the unary voting in the segments of the normalized "
    "cut, and the truth voting in the same segments.",
)
absent = [CLASSES[c].name for c in IDS if np.isnan(scores[UNARY][c])]
print("Not in the held-out frames (–): " + (", ".join(absent) or "no class is absent"))

# %% [markdown]
# The metric is the same, but **the test is not**. The report tested a trained network on thousands of real frames. We
# test on a few frames, and they are rendered unless `WAD_ROOT` is set. And the bars *truth votes* use the ground truth.
# The figure shows:
#
# - **What Ncut gives:** contours of large regions, without training and without labels.
# - **What it cannot give:** the class. Its weights depend only on *differences* (see the open task).
# - **What it gets wrong for this task:** even if the truth votes, the scores are low, because the segments are large
#   and most objects of these videos are small. Why are the segments large? A small side has a small $assoc$, and this
#   makes its $Ncut$ large.
#
# ### Three sentences of section 2.1
#
# Section 2.1 calls the normalized cut "relatively cheap" compared with a neural network. The times below were measured
# once, on one machine (`results/relatively_cheap`). They are the times to process *one* frame of 832x640 pixels. The
# network is already trained.

# %%
print(cite("normalized_cut_cost"))
times = json.loads((project_root() / "results/relatively_cheap/times.json").read_text())["seconds"]
theirs = times["Mask R-CNN of the report"]
table = pd.DataFrame({"CPU seconds a frame": times})
table["times the report's network"] = table["CPU seconds a frame"] / theirs
print(table.round(2).to_string())
whole, merged = (times[f"normalized cut of {of}"] / theirs for of in ("the pixels", "superpixels"))
assert merged < 1 < whole
say(
    f"A cut of superpixels takes {merged:.2f} times as long as the report's network, a cut of all pixels {whole:.1f} times. So the sentence is true "
    f"for superpixels, and for the training that a cut does not need ({cite('hours').value} hours). It is not true for a frame cut pixel by pixel."
)

# %% [markdown]
# Two other sentences of section 2.1 mix up two methods:

# %%
print(cite("normalized_cut_maximum_flow"), cite("terminals"), sep="\n")

# %% [markdown]
# The vertices $s$ and $t$ belong to another method, the graph cuts of notebook 05. They are two special nodes, the
# **[terminals](glossary.md#terminals)**. A **[maximum flow](glossary.md#maximum-flow)** finds the minimum cut between
# two *given* terminals exactly. The normalized cut has no terminals. It is NP-hard. So we solve a relaxed problem with
# an eigenvector, and $\lambda_2$ says how far our cut can be from the best one.
#
# ## Exercises
#
# **1.** ★ *Predict first.* A computer tries $10^{12}$ cuts in a second. What is the largest number of pixels of an
# image whose cuts it can all try within a year of 365 days? (Count each cut once, as above.)

# %% tags=["exercise"]
largest_image = ...

# %% tags=["check"]
check("04.1", largest_image)

# %% tags=["solution", "hide-cell"]
tried = 10**12 * 365 * 24 * 3600
largest_image = max(n for n in range(2, 100) if 2 ** (n - 1) - 1 <= tried)
print(f"{largest_image} pixels; a frame has {label.size:,}")
check("04.1", largest_image)

# %% [markdown]
# **2.** ★★ Write a function for $Ncut$ without a loop. Use `W[A][:, ~A]` and sums.


# %% tags=["exercise"]
def my_ncut(W, A):
    """Ncut of the side A (n,) bool and the rest, for the weights W (n,n)."""
    raise NotImplementedError


# %% tags=["check"]
check("04.2", my_ncut)


# %% tags=["solution", "hide-cell"]
def my_ncut(W, A):
    """The same numerator, and the row sums of either side."""
    crossing = W[A][:, ~A].sum()
    return crossing / W[A].sum() + crossing / W[~A].sum()


check("04.2", my_ncut)

# %% [markdown]
# **3.** ★★ *Predict first.* Some programs give every pixel an edge to itself, $w(u, u) = 1$. Look again at the image
# with the bright pixel, and at the cut that separates this pixel. What happens to the $Ncut$ of this cut: `"falls"`,
# `"rises"` or `"stays"`?

# %% tags=["exercise"]
ncut_of_bright_pixel = ...

# %% tags=["check"]
check("04.3", ncut_of_bright_pixel)

# %% tags=["solution", "hide-cell"]
for loop in (0, 1, 4, 16, 64):
    looped = G + loop * np.eye(8)
    corner, half = (ncut_value(looped, cuts[k]) for k in (least, best_normal))
    print(f"w(u, u) = {loop:2d}   pixel {corner:.3f}   half {half:.3f}   ratio {corner / half:.2f}")
ncut_of_bright_pixel = "falls"
check("04.3", ncut_of_bright_pixel)

# %% [markdown] tags=["solution"]
# The pixel is now associated with itself, so $assoc(A, V)$ grows and its fraction is below 1. With eight pixels the half still
# wins. On a whole frame with many unusual pixels, such a cut of one pixel can win.

# %% [markdown]
# **4.** ★★★ Write a function that finds the best threshold. It gets $W$ and the numbers $y$ (no two are equal), tries
# every threshold, and returns two things: the lowest $Ncut$ and one side of this cut.


# %% tags=["exercise"]
def best_threshold(W, y):
    """Least Ncut over all thresholds of y (n,), and one side of it, (n,) bool."""
    raise NotImplementedError


# %% tags=["check"]
check("04.4", best_threshold)


# %% tags=["solution", "hide-cell"]
def best_threshold(W, y):
    """The largest y is left out: nothing lies above it."""
    found = [(ncut_value(W, y <= t), t) for t in np.sort(y)[:-1]]
    value, t = min(found)
    return value, y <= t


check("04.4", best_threshold)
print(best_threshold(W, e.vectors[0])[0], "by the library:", s.ncut)

# %% [markdown]
# **5.** ★★ With a higher threshold there are more segments. The truth votes in them. Now a segment is divided into two.
# Consider two numbers: the share of correct pixels among `"all pixels"`, and among the `"pixels of objects"`. Which of
# the two can rise or stay, but never fall?

# %% tags=["exercise"]
can_only_rise = ...

# %% tags=["check"]
check("04.5", can_only_rise)

# %% tags=["solution", "hide-cell"]
truth, objects = indices(label), indices(label) > 0
segments = {
    f"threshold {t}": normalized_cut(
        image, regions=patches.regions, threshold=t, sigma_colour=100
    ).labels
    for t in (0.1, 0.2, 0.5)
}
segments["superpixels"] = patches.regions
right = []
for name, found in segments.items():
    same = majority(truth, found) == truth
    right.append(same.mean())
    of_objects = same[objects].mean() if objects.any() else float("nan")
    print(
        f"{name:14s} {found.max() + 1:4d} segments   of all pixels {same.mean():.4f}"
        f"   of objects {of_objects:.4f}"
    )
assert (np.diff(right) >= 0).all()

# %% tags=["solution", "hide-cell"]
can_only_rise = "all pixels"
check("04.5", can_only_rise)

# %% [markdown] tags=["solution"]
# The share of all pixels: the majority of each half is correct at least as often as the majority of the whole. For
# objects this is not so. Suppose that a segment got the label car. After the division, one half may be mostly road.
# Then this half gets the label road, and its car pixels become wrong.

# %% [markdown]
# **6.** ★★★ *Open task.* Show that the pixel graph is the same for an image and for its negative (`1 - brightness`).
# What does this mean for the classes? Propose a weight $w(u, v)$ that is different for a bright car on a dark road and
# for a dark car on a bright road.

# %% [markdown] tags=["open"]
# *Your answer.*

# %% tags=["solution", "hide-cell"]
bright = brightness(image)
both = [pixel_affinity(b, radius=2, sigma_intensity=0.1) for b in (bright, 1 - bright)]
np.testing.assert_allclose(both[0].weights, both[1].weights, atol=1e-6)
print("The same weights, so the same cuts: only a contour can be read from them, not a class.")

# %% [markdown] tags=["solution"]
# No function of differences alone can do it. A weight may use absolute values, for example the unary costs: pixels whose cheapest label is the
# same are joined more strongly. This is the step from normalized cut to the energies of notebook 05.

# %% [markdown]
# ## You can now
#
# - compute $cut$, $assoc$ and $Ncut$ on paper;
# - say why $Ncut$ needs both fractions;
# - find a cut with the second eigenvector, and say with $\lambda_2$ how far it can be from the best cut;
# - say what the method can and cannot do for classes.
