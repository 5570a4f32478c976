# %% [markdown]
# # 04 · Normalized cut
#
# ## The question
#
# Show somebody a photograph of a street and ask for its parts, and you get: the sky, the trees, the road, a
# truck. Nobody had to say what a truck is; things that look alike and lie together belong together. Can a program
# divide a picture like that, without ever having seen a label? And how far does it get us towards the
# *classes* that the challenge asks for? (Report, section 2.1, equations 1 to 6.)
#
# ## The idea in five lines
#
# Make every pixel a node of a graph, and join near pixels by an edge that weighs the more, the more alike they are:
# $w(u, v) = e^{-|F(u) - F(v)|^2 / \sigma_I} \, e^{-|X(u) - X(v)|^2 / \sigma_X}$, with $F$ the brightness and $X$ the
# place. (Both sigmas divide as they are; they are not squared.) Now divide the nodes $V$ into two sides $A$ and $B$:
#
# $$cut(A, B) = \sum_{u \in A,\, v \in B} w(u, v), \qquad assoc(A, V) = \sum_{u \in A,\, t \in V} w(u, t)$$
#
# $$Ncut(A, B) = \frac{cut(A, B)}{assoc(A, V)} + \frac{cut(A, B)}{assoc(B, V)}
# = 2 - \left( \frac{assoc(A, A)}{assoc(A, V)} + \frac{assoc(B, B)}{assoc(B, V)} \right)$$
#
# To find the least $Ncut$ is NP-hard. Let $y$ be any real numbers in place of two sides, and it becomes an eigenproblem,
# $(D - W)\,y = \lambda D\,y$: take the second smallest $\lambda$ and cut its $y$ at a threshold.

# %%
import itertools
import json

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from wadlib.course import cite, open_data, profile, project_root, say, show
from wadlib.figures import (
    PALETTE,
    draw_bars,
    draw_class_legend,
    draw_frame,
    draw_grid,
    draw_label,
    plot_style,
)
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
# A picture of 2x4 pixels, dark on the left and bright on the right. Each pixel is joined to its eight neighbours.
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
# Check one weight with a pencil: pixels 0 and 1 differ by 0.1 and are 1 apart. The diagonal is 0: a pixel is not its own
# neighbour (exercise 2 shows why that matters). Then write the two sums exactly as the equations say:

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
# Eight pixels can be divided into two sides in $2^7 - 1$ ways (pixel 0 may always be in $B$; both sides need a pixel).
# So few that we can simply try them all, by hand and with `wadlib`:

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
# The best cut is the one you would have drawn, by far. Now the second form of the equation: $assoc(A, V) = assoc(A, A) +
# cut(A, B)$, so *little between the sides* and *much within them* are one and the same wish. It holds for every cut:

# %%
for A in cuts:
    within = assoc(W, A, A) / assoc(W, A) + assoc(W, ~A, ~A) / assoc(W, ~A)
    assert abs(ncut_value(W, A) - (2 - within)) < 1e-12
print(f"Ncut = 2 - (what stays within) for all {len(cuts)} cuts, to 1e-12")

# %% [markdown]
# **A slip worth knowing.** A machine-read text of the report prints $cut(B, V) / assoc(B, V)$ for the
# second fraction of equation 4; both public PDFs print $cut(A, B)$, as they should. Read it slowly: $cut(B, V)$ sums $w$ from $B$ to *everything*, and that is just what
# $assoc(B, V)$ is. So what does the fraction say about a cut?

# %%
V = np.ones(8, bool)
fractions = {cut(W, ~A, V) / assoc(W, ~A) for A in cuts}
print("cut(B, V) / assoc(B, V) over all cuts:", fractions)
assert fractions == {1.0}, "identically 1"

# %% [markdown]
# Nothing: it is always 1. It must be $cut(A, B)$. A typing slip like that happens to everybody; trying all cuts of a
# tiny picture is how one notices.
#
# ### Why normalize at all?
#
# Why divide by $assoc$? A plain *minimum cut* would be simpler. Here is another picture, two grey halves
# and one glint, and for each of its cuts the two quantities:

# %%
glint = np.array([[0.2, 0.2, 0.6, 0.6], [0.2, 0.2, 0.6, 1.0]])
G = weights_of(glint)
plain, normal = (np.array([f(G, A) for A in cuts]) for f in (cut, ncut_value))
least, best_normal = int(plain.argmin()), int(normal.argmin())
figure = plt.figure(figsize=(10.5, 4.6))
order = [["image", "all"], ["min", "all"], ["ncut", "all"]]
axes = figure.subplot_mosaic(order, width_ratios=[1, 1.6])
draw_grid(axes["image"], glint, "Brightness", colours=grey(glint))
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
    "Left the picture, its minimum cut, which chips off the bright corner pixel, and its normalized "
    "cut through the middle. Right all cuts as dots: the leftmost is not the lowest.",
)

# %%
assert min(cuts[least].sum(), (~cuts[least]).sum()) == 1, "the minimum cut chips off one pixel"
assert cuts[best_normal].sum() == 4, "the normalized cut halves the picture"
print(f"the chip: cut {plain[least]:.3f}, Ncut {normal[least]:.3f}")
print(f"the half: cut {plain[best_normal]:.3f}, Ncut {normal[best_normal]:.3f}")

# %% [markdown]
# A single pixel has few edges, so cutting them is cheap. But *all* its edges are cut: its fraction
# $cut / assoc$ is 1, and $Ncut$ sees through it. That takes **both** fractions. With the slip of equation 4 only one is
# left, and it is smallest if $A$ is nearly everything (now either side may be $A$):

# %%
either = [*cuts, *(~A for A in cuts)]
slipped = either[int(np.argmin([cut(G, A) / assoc(G, A) + 1 for A in either]))]
print(f"with the slip, A has {slipped.sum()} of 8 pixels: the glint is chipped off again")
assert np.array_equal(~slipped, cuts[least])

# %% [markdown]
# ### From 127 cuts to one eigenvector
#
# A small frame has no $2^7$ cuts but $2^{500{,}000}$. So we relax: solve $(D - W)\,y = \lambda D\,y$, take $y$ of
# $\lambda_2$, and try all thresholds. That is one pass over the edges (`sweep`):

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
# Two things are guaranteed: no cut is below $\lambda_2$, and no threshold is below the best cut. The sweep is usually
# the best cut, as here, but **not always**:

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
# Now a frame of the dataset, cropped and downscaled as in the report: 832x640 pixels, each joined to the 68 others less
# than 5 pixels away. (We choose a frame with much to see, among those that we will not learn from.)

# %%
from wadlib.labels import BACKGROUND, CLASSES, IDS, NETWORK_INDEX, by_name, decode, encode
from wadlib.preprocess import CROP_Y_PX, FACTOR, STRIP_WINDOW, crop_and_downscale

wad = open_data()


def small(frame):
    """Image and label of a frame at network size."""
    return crop_and_downscale(*frame.read_pair())


def area_of_instances(frame):
    """Pixels of the evaluated instances of a frame, counted on a coarse grid."""
    return np.isin(decode(frame.read_label()[::8, ::8])[0], IDS).sum()


split = wad.split("report", seed=0, videos=10)
most = {"quick": 12, "full": 100}[profile()]
learn, held_out = (f[:: -(-len(f) // most)] for f in (split.train, split.validation))
image, label = small(max(held_out, key=area_of_instances))

# %%
pixels = normalized_cut(image, "pixels")
assert pixels.converged
assert 2 * len(pixels.affinity.offsets) == 68
print(f"nodes: {pixels.affinity.shape[0]:,}   edges: {np.count_nonzero(pixels.affinity.weights):,}")
print("lambda_2 to lambda_4:", *[f"{value:.3g}" for value in pixels.eigenvalues])
print(
    f"Ncut of the cut: {pixels.ncut:.3g}; lambda_2 says that none is below {pixels.eigenvalues[0]:.3g}"
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
# Nobody told it about streets. Each eigenvector is nearly flat inside a thing and jumps at its contour. But look also
# where it changes *slowly*, across a plain wall or the sky: a threshold has to fall somewhere, and may
# divide what belongs together. And look at what the cut did **not** choose: it takes the cheapest border in
# the picture, not the one that matters to a driver.
#
# ### Superpixels instead of pixels
#
# Half a million nodes are many. Merge them first: SLIC makes patches of like colour, and the graph joins patches that
# touch. It is so small that we can go on: cut the cheaper side again, and again, as long as a part has a cut below 0.2.

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
# Look at the sizes of the sides. Normalizing asks for balance, but it cannot force it: patches whose colour nobody
# near them has are joined by next to nothing, and are the first to go.
#
# Which graph is better? An $Ncut$ on patches and one on pixels are sums over *different* edges: do not compare
# them. Put both cuts on the same ruler, the weights of the pixel graph:

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
# The pixel graph is the honest problem, and its cut follows brightness, pixel by pixel. The superpixel graph sees
# *colour*, takes a small fraction of the time for dozens of cuts (`make bench` measures both on your machine), and
# makes one mistake that it cannot take back: a contour that SLIC missed is gone. Far cars are smaller than a patch.
#
# ### What can it say about classes?
#
# A segment has a number, not a name. To get names, somebody must vote: here the **unary** of notebook 05, learnt from
# the training frames, which knows the colours and places of each class. Each segment takes the class that most of its
# pixels vote for. To give small things a chance we now let colours differ less, `sigma_colour=100`, which makes more
# segments.

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
# To be fair to the normalized cut we ask a second question: what if the voter were perfect? Let the *truth* vote.
# Then every mistake that is left is a segment that runs across the border of an object.

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
# Drag the border between the truth on the left and the vote in the segments of the normalized cut on the right:

# %%
from wadlib.viewer import MaskViewer

voted = instances_from_indices(maps[CUT])
MaskViewer(image, truth=label, prediction=voted, mode="swipe", zoom="objects", title="Ncut")

# %% [markdown]
# The speckle is gone, and with it many a small object: a car of ten pixels is outvoted in a segment that is mostly
# road.
#
# ## The report's figure beside ours
#
# The report has no figure for this section and no scores, so we set the report's **Table 1** (its Mask R-CNN) beside
# ours, by the same mean IoU. (The last column is the mean over the classes that have a number.)

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
# It is the same ruler, **not the same test**: the report scored a trained network on thousands of real frames; these are a
# few frames, drawn ones unless `WAD_ROOT` is set, and the last line saw the answers. What one can read from it:
#
# - **What Ncut can say:** where a large thing ends. No training, no labels, and any voter may use the segments.
# - **What it cannot say:** what the thing is. Its weights know only *differences* (exercise 3).
# - **What it gets wrong for this task:** the last bar. Even if the truth votes, much is lost, because the segments are
#   large and the objects of these videos are small. Balance is built into $Ncut$: a small side has a small
#   $assoc$, and pays for it.
#
# ### Three sentences of section 2.1
#
# Section 2.1 calls the normalized cut "relatively cheap" beside a neural network. Is it? The times below were measured on one machine in
# one run (`results/relatively_cheap`): what it costs to process *one* frame of 832x640 pixels. The network has learnt already, the cut has nothing to learn.

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
# Two more sentences mix two methods:

# %%
print(cite("normalized_cut_maximum_flow"), cite("terminals"), sep="\n")

# %% [markdown]
# Vertices $s$ and $t$ belong to another method. A maximum flow finds the minimum cut between *two given terminals*, exactly, and so
# solves an energy with two labels (notebook 05). The normalized cut has no terminals and is NP-hard. What we compute is the
# eigenvector of a relaxed problem, and $\lambda_2$ tells how far off we may be.
#
# ## Exercises
#
# **1.** How many cuts does a frame of 832x640 pixels have? Print the number of its digits. If a computer tried a
# million million cuts in a second, for how many pixels would it finish within a year?

# %% tags=["solution", "hide-cell"]
n = label.size
digits = int((n - 1) * np.log10(2)) + 1  # of 2^(n - 1) - 1
largest = int(np.log2(1e12 * 365 * 24 * 3600)) + 1
print(f"{n:,} pixels: a number of {digits:,} digits; in a year: {largest} pixels")
assert 2 ** (largest - 1) - 1 <= 1e12 * 365 * 24 * 3600 < 2**largest - 1

# %% [markdown]
# **2.** Some programs give every pixel an edge to itself, $w(u, u) = 1$: after all, it is like itself. Do it to the
# picture with the glint, and with larger weights too. What happens to the $Ncut$ of the chip and of the half?

# %% tags=["solution", "hide-cell"]
for loop in (0, 1, 4, 16, 64):
    looped = G + loop * np.eye(8)
    chip, half = (ncut_value(looped, cuts[k]) for k in (least, best_normal))
    print(
        f"w(u, u) = {loop:2d}   chip {chip:.3f}   half {half:.3f}   chip / half {chip / half:.2f}"
    )
one = G + np.eye(8)
assert ncut_value(one, cuts[least]) < ncut_value(G, cuts[least]) / 2

# %% [markdown]
# The lonely pixel is now "associated" with itself: its fraction is no longer 1, and all the more the less it is joined to
# others. On eight pixels the half still wins. On a whole frame with many odd pixels one of them does, and
# the cut is a single glint.
#
# **3.** A bright car on a dark road, or a dark car on a bright road? Show that the pixel graph cannot tell: it is the same
# for a picture and its negative. What does that mean for classes?

# %% tags=["solution", "hide-cell"]
bright = brightness(image)
positive, negative = (
    pixel_affinity(b, radius=2, sigma_intensity=0.1) for b in (bright, 1 - bright)
)
np.testing.assert_allclose(positive.weights, negative.weights, atol=1e-6)
np.testing.assert_allclose(weights_of(picture), weights_of(1 - picture), atol=1e-6)
print("The same weights, so the same cuts: a class cannot be read from them, only a border.")

# %% [markdown]
# **4.** With a higher threshold there are more segments. Let the truth vote in them: what share of the pixels *of objects*
# and of *all* pixels gets its true class, with thresholds of 0.1, 0.2, 0.5 and with all superpixels? One of the two can
# only rise. Which, and why?

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

# %% [markdown]
# The share of all pixels. The cheapest cut is always made first, so a higher threshold only divides the same segments
# further, and the majority of each half is right at least as often as the majority of the whole. Objects have no such
# guarantee: a half that is mostly road outvotes the part of a car that the whole had won.
