# %% [markdown]
# # 07 · Inside Mask R-CNN
#
# **After this notebook you can** follow an image through all stages of Mask R-CNN and compute each of its losses by hand. You can also apply
# [non-maximum suppression](glossary.md#non-maximum-suppression) and write [RoIAlign](glossary.md#roialign).
# **You need:** [06](06_unet.ipynb) (convolutions, cross entropy), [01](01_labels.ipynb) (instances).
# **Time:** about 120 minutes (reading 75, exercises 45).
#
# ## The question
#
# Graph cuts gave each pixel a class. Two cars that touch have the same class, so a class per pixel cannot
# separate them. Can a network first find the objects, and then predict a mask for each? The report used Mask R-CNN
# from the package `mrcnn` for this (section 4.1, Figs 6 to 9). This notebook shows each stage of Mask R-CNN on one image. The code uses our package
# `wadlib.maskrcnn`. The section *The report's figure beside ours* compares the two packages.
#
# ## The idea in five lines
#
# 1. **[Anchors](glossary.md#anchor)** are boxes of several sizes and shapes, placed all over the image.
# 2. The **[region proposal network](glossary.md#region-proposal-network)** (RPN) predicts two things for each anchor. The first is the probability that the anchor lies on an object. The second is a **box correction**: a shift and a change of size.
# 3. Non-maximum suppression keeps the boxes with the highest scores. It drops each box that has a high IoU with a kept box. The kept boxes are the **[proposals](glossary.md#proposals)**.
# 4. **RoIAlign** crops the [features](glossary.md#feature) of each proposal. (RoI means *region of interest*: a box that may hold an object. A proposal is such a region.)
# 5. Three **[heads](glossary.md#head)** predict for each proposal the class probabilities $p$, a box correction $t$ and a mask.
#
# Training makes the sum of five losses small: two of the RPN, and three of the heads. Let $u$ be the true class of a proposal, and $v$ its true box correction.
# The heads predict a probability and a box correction for each class. For the true class, these are $p_u$ and $t^u$. The box loss of the RPN counts only
# anchors on an object. The box loss and the mask loss of the heads count only proposals on an object. The equation first gives the sum $L$ of the five
# losses. Then it gives the class loss and the box loss of the heads, for one proposal:
#
# $$L = L_{cls}^{rpn} + L_{box}^{rpn} + L_{cls} + L_{box} + L_{mask}, \qquad
# L_{cls} = -\log p_u, \quad L_{box} = \sum_{i \in \{x, y, w, h\}} \text{smooth}_{L_1}(t_i^u - v_i)$$
#
# Here $x$ and $y$ stand for the position of the box, and $w$ and $h$ for its width and its height. The equation takes the sum over these four numbers; our package takes their mean.
# For an error $d$, $\text{smooth}_{L_1}(d)$ is $\frac{d^2}{2}$ if $|d| < 1$, and $|d| - \frac12$ otherwise. For large errors it grows linearly, so one very
# wrong box does not dominate the sum.
#
# The four drawings below are Figs 6 to 9 of the report, drawn again: R-CNN (regions with CNN features) and its three successors. CNN means convolutional neural network.
# The upper row of a drawing is computed once per image, and the lower row once per region. R-CNN takes its regions from *selective search*, a method that groups similar pixels and needs no training.
# For each region, support vector machines (SVM) predict the class, and a linear regression corrects the box. Fast R-CNN computes one feature map for all regions.
# Faster R-CNN also predicts the regions from this map. Mask R-CNN adds a mask head.

# %%
from wadlib.training import quiet

quiet()  # before the first import of Keras: hides the log lines of TensorFlow
import json

import numpy as np
import pandas as pd
from keras import ops
from matplotlib import pyplot as plt

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
    show_drawing,
)

# %%
from wadlib.figures import PALETTE, draw_frame, draw_overlay, plot_style
from wadlib.labels import CLASSES
from wadlib.maskrcnn import Config, MaskRCNN
from wadlib.maskrcnn.learning import losses
from wadlib.maskrcnn.network import (
    best_anchors,
    boxes,
    crop_and_resize,
    non_max_suppression,
    normalized_anchors,
    pyramid_anchors,
    roi_pool,
)

# %%
plot_style()
for name in ("R-CNN", "Fast R-CNN", "Faster R-CNN", "Mask R-CNN"):
    show_drawing(name)

# %% [markdown]
# ## By hand
#
# **What RoIAlign does.** A feature map has 4x4 cells, and the value of a cell is $4 \cdot row + column$. Rows and columns count from 0. A box goes from
# row ½ to 2½ and from column ½ to 2. We want the features of this box as 2x2 numbers. *RoIPool* rounds the box to whole cells, divides it into 2x2 parts
# and takes the maximum of each part. *RoIAlign* does not round. It interpolates between the cells. Here we use a simple form of RoIAlign, the function `crop_and_resize` of our package.
# For 2x2 numbers it reads one value at each corner of the box. The RoIAlign of the Mask R-CNN paper reads several points in each part of the box. The section *RoIAlign as in the paper* below compares the two.

# %%
feature = np.arange(16.0, dtype=np.float32).reshape(4, 4)
box = np.array([1 / 2, 1 / 2, 5 / 2, 2])

pooled = roi_pool(box[None], feature[..., None], 2)[0, :, :, 0]
# Coordinates of crop_and_resize: 0 is the first cell, 1 is the last cell.
normalised = (box / 3).astype(np.float32)[None]
aligned = ops.convert_to_numpy(crop_and_resize(feature[None, ..., None], normalised, (2, 2)))[
    0, :, :, 0
]
by_hand = np.array([[4 * y + x for x in (1 / 2, 2)] for y in (1 / 2, 5 / 2)])
print(feature, "RoIPool:", pooled, "RoIAlign:", aligned, sep="\n")
assert np.allclose(aligned, by_hand)
assert (pooled == [[5, 5], [9, 9]]).all()

# %% [markdown]
# Now we shift the box by a quarter of a cell, down and to the right. If a cell stands for 4 pixels, the shift is one pixel. RoIPool rounds both boxes to
# the same cells, so its result does not change. Each number of RoIAlign grows by $4 \cdot \frac14 + \frac14$:
# the first term comes from the row, the second from the column.

# %%
shift = 1 / 4
moved = roi_pool(box[None] + shift, feature[..., None], 2)[0, :, :, 0]
normalised = ((box + shift) / 3).astype(np.float32)[None]
realigned = ops.convert_to_numpy(crop_and_resize(feature[None, ..., None], normalised, (2, 2)))[
    0, :, :, 0
]
print(
    "RoIPool changes by",
    np.unique(moved - pooled),
    " RoIAlign by",
    np.unique((realigned - aligned).round(5)),
)
assert (moved == pooled).all()
assert np.allclose(realigned - aligned, 4 * shift + shift)

# %% [markdown]
# **Two losses of the RPN**, on three anchors. The first anchor is on an object, and the second is not. The third
# is neutral: its IoU with the object is neither high nor low. Neutral anchors do not enter the losses. The array `match` holds 1, -1 and 0 for the three anchors. The
# network predicts that the first anchor is on an object with probability ¾, and the second with probability ½. The class loss is the mean of $-\log p$ over these two anchors, where $p$ is the probability of the true answer.
# The box loss uses the first anchor only. It is the mean of $\text{smooth}_{L_1}$ over the four numbers of the box correction. The `assert` lines compute both by hand.


# %%
def log_odds(p):
    """Scores before the softmax (*logits*) of background and object: their softmax is (1 - p, p)."""
    return [np.log(1 - p), np.log(p)]


match = np.array([[1, -1, 0]])
logits = np.array([[log_odds(3 / 4), log_odds(1 / 2), log_odds(1 / 9)]])
loss = float(losses.rpn_class_loss(match, logits))
print(f"rpn_class_loss {loss:.4f}")
assert np.isclose(loss, (-np.log(3 / 4) - np.log(1 / 2)) / 2)

wanted = np.array([[[0, 0, 0, 0]]], float)  # of the only anchor on an object
deltas = np.array([[[0.5, -1, 2, 0], [9, 9, 9, 9], [9, 9, 9, 9]]])
loss = float(losses.rpn_bbox_loss(wanted, match, deltas))
print(f"rpn_bbox_loss  {loss:.4f}")
assert np.isclose(
    loss, (0.5**2 / 2 + (1 - 1 / 2) + (2 - 1 / 2) + 0) / 4
)  # smooth L1, then the mean of four

# %% [markdown]
# **Three losses of the heads**, on two regions (proposals). The first region is on an object of class 2, the second on background (class 0). The heads predict a box and
# a mask for *each* class. Only the box and the mask of the *true* class enter the losses. The class loss is the mean over both regions. The box loss and the mask
# loss use the first region only.

# %%
truth = np.array([[2, 0]])
class_logits = np.log([[[1 / 4, 1 / 4, 1 / 2], [3 / 5, 1 / 5, 1 / 5]]])
box_moves = np.full((1, 2, 3, 4), 9.0)
box_moves[0, 0, 2] = [0.5, -1, 2, 0]
true_mask = np.zeros((1, 2, 2, 2))
true_mask[0, 0] = [[1, 1], [0, 0]]
mask = np.full((1, 2, 2, 2, 3), 0.01)
mask[0, 0, :, :, 2] = [[3 / 4, 1 / 2], [1 / 4, 1 / 2]]

heads = {
    "mrcnn_class_loss": float(losses.mrcnn_class_loss(truth, class_logits)),
    "mrcnn_bbox_loss": float(losses.mrcnn_bbox_loss(np.zeros((1, 2, 4)), truth, box_moves)),
    "mrcnn_mask_loss": float(losses.mrcnn_mask_loss(true_mask, truth, mask)),
}
print(pd.Series(heads).round(4).to_string())
assert np.isclose(heads["mrcnn_class_loss"], -(np.log(1 / 2) + np.log(3 / 5)) / 2)
assert np.isclose(heads["mrcnn_bbox_loss"], (1 / 8 + 1 / 2 + 3 / 2) / 4)
assert np.isclose(heads["mrcnn_mask_loss"], -(2 * np.log(3 / 4) + 2 * np.log(1 / 2)) / 4)

# %% [markdown]
# **The losses as the report prints them** (section 4.1; the report does not number these equations). $p_i^*$ is 1 if anchor $i$ is on an object, and 0 if it is not.
# $p_i$ is the predicted probability that anchor $i$ is on an object. $t_i$ is the predicted box correction of anchor $i$, and $t_i^*$ is the true one.
# We use two anchors. The first is on an object: $p^*_1$ is 1, and $p_1$ is ¾. The second is not: $p^*_2$ is 0, and $p_2$ is ½.
# The divisors are $N_{\mathrm{cls}} = 256$ and $N_{\mathrm{bbox}} = 2400$, and the factor of the box loss is $\lambda = 10$. The report takes these numbers from the Faster R-CNN paper (Ren et al. 2015):
#
# $$L_{\mathrm{cls}} = \frac{1}{N_{\mathrm{cls}}} \sum_i -p_i^* \log p_i - (1 - p_i^*) \log(1 - p_i), \qquad
# L_{\mathrm{bbox}} = \frac{\lambda}{N_{\mathrm{bbox}}} \sum_i p_i^* \cdot L_1^{\mathrm{smooth}}(t_i - t_i^*)$$

# %%
n_cls, n_bbox, balance = (cite(key).value for key in ("n_cls", "n_bbox", "lambda_bbox"))
p, on_object = np.array([3 / 4, 1 / 2]), np.array([1, 0])
off = np.array([[0.5, -1, 2, 0], [9, 9, 9, 9]])  # t - t*, four numbers for each anchor


def smooth_l1(x):
    return np.where(abs(x) < 1, x**2 / 2, abs(x) - 1 / 2)


L_cls = (-on_object * np.log(p) - (1 - on_object) * np.log(1 - p)).sum() / n_cls
L_bbox = balance / n_bbox * (on_object[:, None] * smooth_l1(off)).sum()
print(f"L_cls  = (-log 3/4 - log 1/2) / {n_cls} = {L_cls:.6f}")
print(f"L_bbox = {balance} / {n_bbox} * (1/8 + 1/2 + 3/2 + 0) = {L_bbox:.6f}")
assert np.isclose(L_cls, (np.log(4 / 3) + np.log(2)) / 256)
assert np.isclose(L_bbox, 10 / 2400 * (1 / 8 + 1 / 2 + 3 / 2))

# %% [markdown]
# **Why $\lambda = 10$?** An anchor has the weight $1 / N_{\mathrm{cls}}$ in the first sum and $\lambda / N_{\mathrm{bbox}}$ in the second. $N_{\mathrm{cls}}$ is the
# number of anchors in a training step (the mini-batch). $N_{\mathrm{bbox}}$ is the number of anchor positions in the image. It is about ten times as large as
# $N_{\mathrm{cls}}$. So $\lambda = 10$ makes the two weights nearly equal:

# %%
print(
    f"1 / N_cls = 1/{n_cls}, lambda / N_bbox = 1/{n_bbox // balance}; N_bbox / N_cls = {n_bbox / n_cls:.1f}"
)
assert 0.9 < (balance / n_bbox) / (1 / n_cls) < 1.1

# %% [markdown]
# **The mask.** For each region the mask head predicts one mask of $m \times m$ cells for each of $K$ classes: $K \cdot m^2$ numbers. $y_{ij}$ is the
# true value of a cell, 0 or 1. $\hat y_{ij}^k$ is the predicted probability in the mask of the true class $k$. The masks of other classes do not
# enter the loss. Here $m = 2$, $K = 3$ and $k = 2$. The cell also prints the sum $L$ of the report's three losses:
#
# $$L_{\mathrm{mask}} = -\frac{1}{m^2} \sum_{1 \le i, j \le m} \left[ y_{ij} \log \hat y_{ij}^k + (1 - y_{ij}) \log (1 - \hat y_{ij}^k) \right]$$

# %%
y = np.array([[1, 1], [0, 0]])
of_class = np.full((3, 2, 2), 0.01)  # K, m, m
of_class[2] = [[3 / 4, 1 / 2], [1 / 4, 1 / 2]]
k, m = 2, 2
L_mask = -(y * np.log(of_class[k]) + (1 - y) * np.log(1 - of_class[k])).sum() / m**2
L = L_cls + L_bbox + L_mask
print(
    f"outputs: K * m^2 = {of_class.size}; L_mask = {L_mask:.4f}; L = {L:.4f}, of which the mask is {L_mask / L:.0%}"
)
assert np.isclose(L_mask, (np.log(4 / 3) + np.log(2)) / 2)

# %% [markdown]
# The two other losses are divided by $N_{\mathrm{cls}}$ or $N_{\mathrm{bbox}} / \lambda$. These divisors are large, and there are only two anchors. So the mask loss is the largest part of the sum.
#
# The next table compares the losses of our package with the report's equations, on the same two anchors and the same region. Our package has **five** losses.
# Two belong to the RPN, and sum the same terms as the report's $L_{\mathrm{cls}}$ and $L_{\mathrm{bbox}}$. Three belong to the heads: class, box and mask.
# The report prints no equation for the class loss and the box loss of the heads. Our package divides each sum by the number of its terms, so it needs
# neither $N$ nor $\lambda$. (A box loss has four terms for each anchor or region on an object.) This is why the RPN losses differ in the table. The mask losses are equal.

# %%
match = np.array([[1, -1]])
logits = np.log([[[1 - q, q] for q in p]])
ours = {
    "rpn_class_loss": float(losses.rpn_class_loss(match, logits)),
    "rpn_bbox_loss": float(losses.rpn_bbox_loss(np.zeros((1, 1, 4)), match, off[None])),
    "mrcnn_class_loss": float(losses.mrcnn_class_loss(np.array([[2]]), np.log([[[1 / 4, 1 / 4, 1 / 2]]]))),
    "mrcnn_bbox_loss": float(losses.mrcnn_bbox_loss(np.zeros((1, 1, 4)), np.array([[2]]), np.tile(off[0], (1, 1, 3, 1)))),
    "mrcnn_mask_loss": float(losses.mrcnn_mask_loss(y[None, None], np.array([[2]]), of_class.transpose(1, 2, 0)[None, None])),
}  # fmt: skip
printed = {"rpn_class_loss": L_cls, "rpn_bbox_loss": L_bbox, "mrcnn_mask_loss": L_mask}
print(
    pd.DataFrame({"the package": ours, "as printed": printed})
    .reindex(ours)
    .round(6)
    .to_string(na_rep="-")
)
assert np.isclose(ours["rpn_class_loss"], L_cls * n_cls / 2), "two anchors take part, not 256"
assert np.isclose(ours["rpn_bbox_loss"], L_bbox * n_bbox / balance / 4), (
    "one anchor, the mean of four"
)
assert np.isclose(ours["mrcnn_mask_loss"], L_mask)

# %% [markdown]
# **RoIAlign as in the paper, and the shortcut.** The paper is that of Mask R-CNN (He et al. 2017). If a cell of the map stands for 16 pixels, the edge of a box at pixel $x$ lies at $x/16$ on the map. RoIPool rounds $x/16$;
# RoIAlign does not. The paper divides the box into **bins**, one for each output number. In each bin it reads *several* points by
# [bilinear interpolation](glossary.md#bilinear-interpolation) and averages them. Our function `crop_and_resize` is a shortcut. It reads *one* point for each
# bin. The outermost points lie on the border of the box.


# %%
def bilinear(feature, y, x):
    """Value of a map between its cells; cell (i, j) lies at (i, j)."""
    top, left = min(int(y), feature.shape[0] - 2), min(int(x), feature.shape[1] - 2)
    down, right = y - top, x - left
    rows = feature[top : top + 2, left : left + 2]
    return (1 - down) * (1 - right) * rows[0, 0] + (1 - down) * right * rows[0, 1] \
        + down * (1 - right) * rows[1, 0] + down * right * rows[1, 1]  # fmt: skip


def roi_align(feature, box, bins, points=2):
    """Mean of points x points samples in each of bins x bins parts of a box (y1, x1, y2, x2, in cells)."""
    y1, x1, y2, x2 = box
    place = (np.arange(bins * points) + 1 / 2) / (bins * points)
    samples = [
        [bilinear(feature, y1 + a * (y2 - y1), x1 + b * (x2 - x1)) for b in place] for a in place
    ]
    return np.reshape(samples, (bins, points, bins, points)).mean(axis=(1, 3))


def shortcut(feature, box, bins):
    normalised = (np.array(box) / (np.tile(feature.shape, 2) - 1)).astype(np.float32)[None]
    return ops.convert_to_numpy(
        crop_and_resize(feature[None, ..., None].astype(np.float32), normalised, (bins, bins))
    )[0, ..., 0]


# %%
box_px = np.array([8, 8, 40, 32])  # y1, x1, y2, x2
box = box_px / 16  # 0.5, 0.5, 2.5, 2.0: not rounded
slope = np.arange(16.0).reshape(4, 4)  # 4 * row + column
paper, package = roi_align(slope, box, 2), shortcut(slope, box, 2)
print("paper:", paper, "package:", package, sep="\n")
assert np.allclose(paper, [[4 * y + x for x in (0.875, 1.625)] for y in (1, 2)]), (
    "the middles of the bins"
)
assert np.allclose(package, [[4 * y + x for x in (0.5, 2)] for y in (0.5, 2.5)]), (
    "the corners of the box"
)
assert np.isclose(paper.mean(), package.mean())

# %% [markdown]
# The values of this map grow linearly, so both versions have the same mean. The four numbers of the paper's version are closer together, because its points lie inside the box.
#
# A second map shows a larger difference. One cell of this map is 1, and all others are 0. A box of 14x14 cells becomes 7x7 numbers. We move the cell with the 1
# from column to column inside the box. For each column we compute the sum of the 49 numbers. (If a cell stands for 16 pixels, this box has a side of 224 pixels.)

# %%
found = {"paper": [], "package": []}
for column in range(4, 16):
    spot = np.zeros((20, 20))
    spot[9, column] = 1
    found["paper"].append(roi_align(spot, (2, 2, 16, 16), 7).sum())
    found["package"].append(shortcut(spot, (2, 2, 16, 16), 7).sum())
table = pd.DataFrame(found, index=pd.Index(range(4, 16), name="column"))
print(table.round(3).T.to_string())
spread = table.std() / table.mean()
print("standard deviation over the columns, divided by the mean:", spread.round(2).to_dict())
assert spread["paper"] < 0.01 < spread["package"]

# %% [markdown]
# With the paper's RoIAlign, the sum is nearly the same in all columns. With the shortcut, the sum depends on the distance between the cell and the nearest
# point that is read. In some columns the sum is 0, so an object of one cell is lost. The shortcut reads one point per bin; here the paper's version reads four.

# %% [markdown]
# ## The library on a real frame
#
# **1. Anchors.** The network computes feature maps of five resolutions, the levels P2 to P6 of the **[feature pyramid](glossary.md#feature-pyramid)**. Each level has one anchor size. Each cell of a level has three
# anchors of this size, with different shapes. The table lists the levels for the report's settings. Most anchors belong to P2, because P2 has the most cells.
# The side of an anchor (`side_px`) is the square root of its area.

# %%
config = Config.report()
level_of = np.repeat(np.arange(2, 7), [3 * h * w for h, w in config.feature_shapes])
anchors = pyramid_anchors(config)
sizes = pd.DataFrame({"level": level_of, "side_px": np.sqrt(boxes.area(anchors)).round()})
counts = sizes.groupby(["level", "side_px"]).size().rename("anchors").reset_index()
counts["cells"] = [f"{h} x {w}" for h, w in config.feature_shapes]
print(counts.to_string(index=False))
print(f"anchors in all: {len(anchors):,}")

# %% [markdown]
# Which objects of the dataset have an anchor with a high IoU? In training, an anchor counts as *on an object* if its IoU with an object is at least 0.7. It counts as
# *not on an object* if all its IoUs are below 0.3. For some objects, no anchor reaches 0.7. Then the anchor with the highest IoU counts as on this object, although the IoU is low.
#
# We compare two settings. The report downscales the frame by four. The *classroom configuration* of
# this course has a smaller network than the report's. It uses the [strip](glossary.md#strip) of the frame, downscaled by two. For each object in a part of the frames, we compute the highest IoU with any anchor.
# An object *reaches* an IoU if its highest IoU is at least this number. Each setting cuts off a part of the frame. Objects in this part are not counted. An
# object is *left out* if its box in the small image is less than two pixels high or wide.
# The training leaves it out, too. This depends on the downscale, so the two settings can have different numbers of objects.

# %%
from wadlib.maskrcnn.frames import Placement, TrainingBatches, canvas, label_canvas, normalise
from wadlib.maskrcnn.frames.ground_truth import ground_truth

wad = open_data()


def reach(config, frames):
    """Per object: side of its box in pixels of the full frame, and IoU with the best anchor. Also: how many are left out."""
    sides, best, left_out = [], [], 0
    for frame in frames:
        label = frame.read_label()
        placement = Placement.of(label.shape, config)
        truth = ground_truth(label_canvas(label, placement), config)
        found = truth.boxes[truth.class_ids > 0]
        sides += (np.sqrt(boxes.area(found)) / placement.scale[0]).tolist()
        best += [boxes.iou(box[None], pyramid_anchors(config)).max() for box in found]
        left_out += truth.too_small
    return np.array(sides), np.array(best), left_out


frames = wad.frames[:: max(1, len(wad.frames) // {"quick": 12, "full": 100}[profile()])]
reached = {
    "report (÷4)": reach(Config.report(), frames),
    "classroom strip (÷2)": reach(Config.classroom(), frames),
}

# %%
figure, axes = plt.subplots(figsize=(10, 3.8))
for (name, found), colour, marker in zip(reached.items(), PALETTE, "o^", strict=False):
    sides, best, left_out = found
    axes.scatter(sides, best, s=12, color=colour, marker=marker, linewidths=0, label=name)
    below = sides < 24
    print(f"{name}: {len(sides)} objects; {left_out} more are left out (box below 2 px)")
    print(f"    {np.mean(best >= 0.7):.0%} reach 0.7, {np.mean(best >= 0.5):.0%} reach 0.5")
    print(f"    side below 24 px: {below.sum()}; {np.mean(best[below] >= 0.5):.0%} reach 0.5")
axes.axhline(0.7, color="0.3", linewidth=1, linestyle="--")
axes.axhline(0.3, color="0.3", linewidth=1, linestyle=":")
axes.text(0.99, 0.71, "on an object", transform=axes.transAxes, ha="right")
axes.text(0.7, 0.24, "not on an object", transform=axes.transAxes)
axes.set(
    xscale="log",
    xlabel="side of the object in the full frame / px",
    ylabel="IoU with its best anchor",
)
axes.set_ylim(0, 1)
axes.legend(loc="lower center", ncols=2)
show(
    figure,
    "Scatter plot of the best anchor's IoU against the size of the object, with lines at 0.7 and 0.3. In the report's setting, the IoU "
    "is lowest for the smallest objects. In the strip at half resolution, small objects have a higher IoU.",
)

# %% [markdown]
# The printed lines above the figure give the numbers. On the rendered frames, few objects reach 0.7, in either setting. So for most objects, only
# the anchor with the highest IoU counts as on the object. Few of the small objects (side below 24 px) reach 0.5 in the report's setting. In the strip, most of them reach 0.5.
#
# **One frame.** From here to the exercises, all cells use one frame, `lesson("two touching cars")`. It has small and large objects of several classes.

# %%
frame = lesson("two touching cars", among=frames)
strip = Config.classroom()
image, label = frame.read_pair()
placement = Placement.of(image.shape, strip)
shown, label = canvas(image, placement), label_canvas(label, placement)
known = ground_truth(label, strip)
objects, classes = (part[known.class_ids > 0] for part in (known.boxes, known.class_ids))
figure, axes = plt.subplots(figsize=(8.6, 2.2))
draw_overlay(axes, shown, label, f"{len(objects)} objects", smallest_name_px=250)
show(
    figure,
    "The strip of the frame that the next cells use. Its true objects are coloured, and the larger ones have names.",
)

# %% [markdown]
# Which level of the pyramid fits which object? The first slider changes the level. The second slider multiplies the sides of the anchors. An object is *reached* if
# its IoU with an anchor of this level is at least ½. The upper image shows three kinds of boxes:
#
# - white and dashed: the three anchors of one cell;
# - blue and solid: for each reached object, the anchor with the highest IoU;
# - orange and dotted: the objects that are not reached.
#
# The lower plot shows the highest IoU of each object with an anchor of this level. A grey dash is its highest IoU with an anchor of any level, at the original side (×1).
# The grey vertical line marks the side of the level's anchors.


# %%
def draw_boxes(ax, rectangles, colour=PALETTE[1], **look):
    """Outline boxes (N,4) y1,x1,y2,x2."""
    for y1, x1, y2, x2 in rectangles:
        outline = plt.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, **look)
        ax.add_patch(outline)


level_of = np.repeat(np.arange(2, 7), [3 * h * w for h, w in strip.feature_shapes])
best_of_all = boxes.iou(objects, pyramid_anchors(strip)).max(axis=1)


def anchors_of(level, times):
    """The anchors (A,4) of a level, with so many times their side."""
    sides = tuple(times * side for side in strip.anchor_scales)
    return pyramid_anchors(strip.replace(anchor_scales=sides))[level_of == level]


# %%
def draw_reach(ax, iou):
    """IoU of each object (N,) with the best anchor of a level, and of any level, by the object's size."""
    sides, reached = np.sqrt(boxes.area(objects)), iou >= 0.5
    ax.scatter(sides, best_of_all, marker="_", color="0.45", label="best of all levels, ×1")
    look = {"reached": (reached, "s", PALETTE[0]), "not reached": (~reached, "x", PALETTE[1])}
    for name, (which, marker, colour) in look.items():
        ax.scatter(sides[which], iou[which], marker=marker, color=colour, s=24, label=name)
    ax.axhline(0.5, color="0.3", linewidth=1, linestyle="--")
    ax.set(xscale="log", xlim=(4, 1500), xlabel="side of the object in the strip / px")
    ax.set(ylim=(0, 1), ylabel="IoU")
    ax.set_xticks(strip.anchor_scales, strip.anchor_scales)
    ax.minorticks_off()
    ax.legend(loc="upper right", fontsize=9)


# %%
def level_at_work(level, times):
    """The objects of the frame that the anchors of a level reach."""
    own = anchors_of(level, times)
    overlap = boxes.iou(objects, own)  # (objects, anchors)
    iou, best = overlap.max(axis=1), own[overlap.argmax(axis=1)]
    side, stride = times * strip.anchor_scales[level - 2], strip.strides[level - 2]
    height, width = strip.feature_shapes[level - 2]
    cell = (height // 2) * width + width // 2
    figure, axes = plt.subplots(2, 1, figsize=(8.6, 4.6), height_ratios=[5, 4])
    count = f"{np.sum(iou >= 0.5)} of {len(iou)} objects reached"
    title = f"P{level}: anchors of {side:.0f} px, three per cell of {stride} px; {count}"
    draw_frame(axes[0], shown, title)
    draw_boxes(axes[0], own[3 * cell : 3 * cell + 3], "white", linestyle="--", linewidth=1.2)
    draw_boxes(axes[0], objects[iou < 0.5], PALETTE[1], linestyle=":", linewidth=1.4)
    draw_boxes(axes[0], best[iou >= 0.5], PALETTE[0], linewidth=2)
    draw_reach(axes[1], iou)
    axes[1].axvline(side, color="0.6", linewidth=1)
    return figure, f"Level {level} on the frame, with anchors of {side:.0f} pixels: {count}."


figure_slider(
    ("pyramid level", "side of the anchors"),
    (range(2, 7), (0.7, 1, 1.4)),
    level_at_work,
    start=(2, 1),
    form=("P{}", "×{}"),
    caption="Anchors of one level of the pyramid, and the objects that they reach. Below: the IoU of each object with its best anchor of this level.",
)

# %% [markdown]
# Each level reaches objects of a limited range of sizes. From one level to the next, the side of the anchors about doubles. If the side of an object lies between the sides of two levels,
# its IoU is lower on both levels. The second slider moves the range to smaller or larger objects. Some objects are much smaller than the smallest anchor, or much larger than the largest one.
# They have a low IoU with all anchors.
#
# **2. The network.** With random weights the outputs of a network are meaningless. Our package contains trained weights for the classroom configuration. They are called `rendered`.
# A network can fit its training frames and fail on other frames ([over-fitting](glossary.md#over-fitting)). So we need frames that were not used in training. The videos of this
# notebook were not used: the rendered ones have another random seed than the training videos. Notebook 08 shows the training. The cell prints how many layers were loaded from the file. It
# would also list layers that are missing in the file.

# %%
model = MaskRCNN(strip)
at_random = {
    name: [ops.convert_to_numpy(variable).copy() for variable in variables]
    for name, variables in model.weights_by_layer().items()
}
print(model.load("rendered").summary())
print("parameters:", f"{sum(v.size for layer in at_random.values() for v in layer):,}")

# %% [markdown]
# **3. [Backbone](glossary.md#backbone), pyramid and region proposals.** The backbone is the part of the network that turns the image into feature maps. `model.stages` returns the tensor of each stage
# under its name. C2 to C5 are the feature maps of the backbone, and P2 to P6 are the levels of the pyramid.
# Their shape is (rows, columns, features). The tensors `rpn_class` and `rpn_bbox` have one row for each anchor, and
# `rpn_rois` has one row for each proposal. `roi_align_classifier` holds the features of each proposal. The class head and the box head give one row for each proposal (`mrcnn_class`, `mrcnn_bbox`).
# *Logits* are the scores before the softmax. `mrcnn_detection`, `roi_align_mask` and `mrcnn_mask` have one row for each *detection*: a box of the final
# result (step 5). These three tensors have a fixed number of rows. If there are fewer detections, the other rows of `mrcnn_detection` are 0.
#
# The **[objectness](glossary.md#objectness)** of an anchor is the RPN's probability that it lies on an object. The figure shows, for each cell, the highest objectness of its three anchors.
# The object of an anchor is the one with which its IoU is highest. For each level, the lines below the figure count the anchors that have an objectness above
# ½ and an IoU above 0.3 with their object. The lines also give the sides of these objects.

# %%
stages = model.stages(normalise(shown, strip), placement.normalized_window)
print(pd.Series({name: str(value.shape[1:]) for name, value in stages.items()}).to_string())

# %%
objectness = stages["rpn_class"][0, :, 1]
figure, axes = plt.subplots(3, 1, figsize=(7.4, 5.4), layout="constrained")
for level, ax in zip((2, 4, 6), axes, strict=True):
    height, width = strip.feature_shapes[level - 2]
    best = objectness[level_of == level].reshape(height, width, 3).max(axis=2)
    ax.imshow(best, cmap="cividis", vmin=0, vmax=1, aspect="equal")
    side = strip.anchor_scales[level - 2]
    ax.set_title(
        f"P{level}, {width}x{height} cells, anchors of {side} px; highest: {best.max():.2f}"
    )
    ax.set_axis_off()
show(
    figure,
    "The objectness on three levels of the pyramid (yellow: 1, dark blue: 0). On the fine level, the bright cells lie on small objects. "
    "On the coarse level, most bright cells lie on large objects. Most other cells are dark.",
)

# %%
sides = np.sqrt(boxes.area(objects))
strongest = objectness > 0.5
nearest = boxes.iou(pyramid_anchors(strip)[strongest], objects)
for level in range(2, 7):
    here = nearest[level_of[strongest] == level]
    here = here[here.max(axis=1) > 0.3] if len(here) else here
    if len(here):
        fit = sides[here.argmax(axis=1)]
        print(
            f"P{level}: {len(here):3d} anchors with an objectness above 0.5 and an IoU above 0.3; side of their objects: {fit.min():.0f} to {fit.max():.0f} px"
        )

# %% [markdown]
# These anchors lie on objects of different sizes. On the fine levels (P2, P3), the anchors with a high objectness lie on small objects. On the coarse levels (P5, P6), they lie on large objects.
#
# **4. Proposals.** The box corrections of the RPN move and resize the anchors with the highest objectness. Many of the new boxes overlap. Non-maximum suppression (NMS) keeps the
# box with the highest score and drops all boxes whose IoU with it is above 0.7. NMS repeats both steps with the boxes that are left. In the end, no two kept boxes have an IoU above 0.7. A setting limits the number of kept boxes.
# The figure shows only the 100 boxes with the highest objectness.

# %%
moved, scores = best_anchors(
    stages["rpn_class"][:, :, 1], stages["rpn_bbox"], normalized_anchors(strip), strip
)
before = boxes.denormalize(ops.convert_to_numpy(moved)[0], strip.image_shape)
after = boxes.denormalize(stages["rpn_rois"][0], strip.image_shape)
kept = ops.convert_to_numpy(non_max_suppression(moved[:, :100], scores[:, :100], 100, 0.7))[0]
kept = kept[kept >= 0]

figure, axes = plt.subplots(2, 1, figsize=(7.6, 3.9), layout="constrained")
draw_frame(axes[0], shown, "the 100 anchors with the highest objectness, corrected")
draw_boxes(axes[0], before[:100], linewidth=0.8)
draw_frame(axes[1], shown, f"the {len(kept)} of them that non-maximum suppression keeps")
draw_boxes(axes[1], before[kept], linewidth=0.8)
show(
    figure,
    "Boxes on the strip before and after non-maximum suppression. Above, many boxes lie on top of each other. Below, fewer are left, and they overlap less.",
)
exact = ops.convert_to_numpy(moved)[0], stages["rpn_rois"][0]  # not rounded to pixels
close = [int((np.triu(boxes.iou(b, b), 1) > 0.7).sum()) for b in exact]
print(
    f"pairs of boxes with an IoU above 0.7: {close[0]:,} among the {len(before)} corrected anchors, {close[1]} among the {len(after)} proposals"
)
assert close[1] == 0
hit = boxes.iou(objects, after).max(axis=1) >= 0.5
say(f"{hit.sum()} of the {len(hit)} objects have a proposal with an IoU of at least 0.5.")

# %% [markdown]
# **5. RoIAlign and the heads.** RoIAlign crops the features of each proposal to 7x7 cells. From these features, the class head predicts a class for each proposal, and the box head predicts a second box correction.

# %%
rois, by_class, deltas = (stages[key][0] for key in ("rpn_rois", "mrcnn_class", "mrcnn_bbox"))
predicted = by_class.argmax(axis=1)
own = deltas[np.arange(len(rois)), predicted] * strip.box_std  # of the predicted class
corrected = boxes.denormalize(boxes.apply_deltas(rois, own), strip.image_shape)
overlap = boxes.iou(after, objects)  # (proposals, objects)
target = overlap.argmax(axis=1)
on_one = overlap.max(axis=1) >= 0.5
right = predicted[on_one] == classes[target[on_one]]
better = boxes.iou(corrected, objects)[np.arange(len(rois)), target][on_one]
say(
    f"{on_one.sum()} of the {len(rois)} proposals have an IoU of at least 0.5 with an object. For {right.sum()} of them, the class head predicts the class of this object. "
    f"For {np.mean(predicted[~on_one] == 0):.0%} of the other proposals, it predicts background. "
    f"The box head changes the mean IoU of these {on_one.sum()} proposals from {overlap.max(axis=1)[on_one].mean():.2f} to {better.mean():.2f}."
)

# %% [markdown]
# The *class score* of a proposal is its highest class probability. Proposals with a high class score become **detections**, except those of the class background. A second NMS, separately for each class, drops repeated detections. For each detection, RoIAlign crops the features again,
# now to 14x14 cells. From these features the mask head predicts a mask of 28x28 probabilities. The figure shows image, features and mask of the largest detections. Each box is stretched to a square.

# %%
found, masks = stages["mrcnn_detection"][0], stages["mrcnn_mask"][0]
order = np.argsort(-boxes.area(found[:, :4]))[: (found[:, 4] > 0).sum()]  # the largest first
print(f"detections with a score of at least {strip.min_confidence}: {len(order)}")
figure, axes = plt.subplots(3, 5, figsize=(7.6, 5.1), layout="constrained")
for ax in axes.flat:
    ax.set_axis_off()
for i, column in zip(order, axes.T, strict=False):
    y1, x1, y2, x2 = boxes.denormalize(found[i, :4], strip.image_shape).astype(int)
    cells = np.linalg.norm(stages["roi_align_mask"][0, i], axis=2)  # of 96 features
    chances = masks[i, :, :, int(found[i, 4])]
    name = CLASSES[strip.wad_classes[int(found[i, 4])]].name
    column[0].imshow(shown[y1:y2, x1:x2], aspect="auto")
    column[0].set_title(f"{name} {found[i, 5]:.2f}", fontsize=10)
    column[1].imshow(cells, cmap="cividis")
    column[1].set_title("features 14x14", fontsize=10)
    column[2].imshow(chances, cmap="cividis", vmin=0, vmax=1)
    column[2].set_title("mask 28x28", fontsize=10)
show(
    figure,
    "The largest detections: the image, the features and the mask. A feature cell is bright if its feature vector is long. "
    "A mask cell is bright if its probability is high. The masks have about the shape of the objects.",
)

# %% [markdown]
# The number in a title is the class score. The class head predicts the score, and the mask head predicts the mask. So a detection with a high score can have a bad mask.
#
# Finally each mask is resized to its box, in the frame at full resolution. Pixels with a probability of at least ½ belong to the object. Where masks overlap, a pixel belongs to the mask with the highest score.
# How many of the true objects are found? An object is found if a detection of its class has a box with an IoU of at least 0.5. The printed lines group the
# objects by their side, in pixels of the strip.

# %%
detected = boxes.denormalize(found[order, :4], strip.image_shape)
same_class = found[order, 4].astype(int) == classes[:, None]  # (objects, detections)
is_found = ((boxes.iou(objects, detected) >= 0.5) & same_class).any(axis=1)
for name, which in {
    "below 16": sides < 16,
    "of 16 to 40": (sides >= 16) & (sides < 40),
    "of at least 40": sides >= 40,
}.items():
    print(
        f"objects with a side {name} px: {is_found[which].sum()} of {which.sum()} found with the right class"
    )

# %% [markdown]
# On the rendered frame, the share of found objects is lowest for the smallest objects. In the viewer, found objects are blue, missed objects (false negatives) are striped, and false positives are crossed.
# Press `e` to go to the next error. Drag the slider "Score from" to hide detections with lower scores.

# %%
from wadlib.viewer import MaskViewer

(result,) = model.detect([image])
MaskViewer(frame, prediction=result, mode="errors", zoom="objects", title="the trained network")

# %% [markdown]
# **6. The losses.** In training, the losses compare the outputs with the ground truth. The next cell computes the five losses on this frame, without a training step. It computes them for three networks: one with random weights,
# one with trained weights but random heads, and one with trained weights.

# %%
batch = TrainingBatches([frame], strip, seed=0, augmentation=None).batch(0, 0).x


def reset(start):
    """Give the layers whose name begins with `start` their random weights back."""
    for name, variables in model.weights_by_layer().items():
        for variable, value in zip(variables, at_random[name], strict=True):
            if name.startswith(start):
                variable.assign(value)


once = model.evaluate_on(batch)
reset("mrcnn_")
without_heads = model.evaluate_on(batch)
reset("")
random = model.evaluate_on(batch)
rois_at_random = model.stages(normalise(shown, strip), placement.normalized_window)["rpn_rois"][0]
model.load("rendered")
states = {"random weights": random, "random heads": without_heads, "trained": once}
names = [
    "rpn_class_loss",
    "rpn_bbox_loss",
    "mrcnn_class_loss",
    "mrcnn_bbox_loss",
    "mrcnn_mask_loss",
]
table = pd.DataFrame(states).loc[names]
print(table.round(4).to_string())
assert np.allclose(table.loc[names[:2], "random heads"], table.loc[names[:2], "trained"])
assert (table.loc[names[2:], "random heads"] > table.loc[names[2:], "trained"]).all()

# %%
figure, axes = plt.subplots(figsize=(8.6, 3))
for shift, name, colour, hatch in zip(
    (-0.27, 0, 0.27), states, PALETTE, ("", "///", "xxx"), strict=False
):
    place = np.arange(5) + shift
    axes.bar(place, table[name], 0.25, color=colour, hatch=hatch, edgecolor="white", label=name)
guess = [np.log(2), np.nan, np.log(8), np.nan, np.log(2)]
look = {"color": "0.2", "label": "all classes equally likely"}
axes.hlines(guess, np.arange(5) - 0.45, np.arange(5) + 0.45, **look)
axes.set_xticks(range(5), names, fontsize=9)
axes.set_ylabel("loss")
axes.legend(fontsize=9)
show(
    figure,
    "Bars of the five losses for random weights, random heads and trained weights. Random heads change only the losses of the heads: all three are higher than with trained weights. "
    "Lines mark the losses of a prediction that gives all classes the same probability.",
)

# %%
for name, line in zip(names, guess, strict=True):
    if not np.isnan(line):
        print(
            f"{name} with random weights: {random[name] / line:.2f} times the value of its black line"
        )
overlap = boxes.iou(boxes.denormalize(rois_at_random, strip.image_shape), objects).max(axis=1)
say(
    f"With random weights, {(overlap >= 0.5).sum()} of the {len(overlap)} proposals of the RPN have an IoU of at least 0.5 with an object."
)

# %% [markdown]
# The two RPN losses do not depend on the heads, so random heads do not change them. The black lines mark $\log 2$ and $\log 8$. If two classes have the same probability, the loss is $\log 2$. If eight classes
# have the same probability, it is $\log 8$. With random weights the probabilities are not exactly equal, so the losses are not exactly on the lines. The printed lines give the ratios.
#
# With random weights, the box loss of the heads is near 0, although nothing was learned. This loss counts only proposals on an object. In training, this configuration adds the true boxes to the proposals.
# With random weights, the RPN gives few or no proposals on an object (the count is above). So nearly all proposals on an object are true boxes. A true box needs no correction.
#
# The three losses of the heads are lower with trained weights than with random heads, although this frame was not used in the training.
#
# **7. $\lambda$, the weight of the boxes.** We compute the report's $L_{\mathrm{cls}}$ and $L_{\mathrm{bbox}}$ on the frame, from the outputs of the trained RPN. A training step uses a random sample of
# $N_{\mathrm{cls}} = 256$ anchors. We use such a sample.

# %%
match = batch["rpn_match"][0]
drawn = match != 0
chance, is_on = objectness[drawn], match[drawn] == 1
t = stages["rpn_bbox"][0][match == 1]
t_true = batch["rpn_bbox"][0][: len(t)]
class_part = -np.log(np.where(is_on, chance, 1 - chance)) / n_cls
box_part = np.zeros(len(chance))
box_part[is_on] = smooth_l1(t - t_true).sum(axis=1) / n_bbox  # times lambda
print(f"anchors: {is_on.sum()} on an object, {(~is_on).sum()} not")
print(f"L_cls = {class_part.sum():.5f}, L_bbox = lambda * {box_part.sum():.5f}")
equal = class_part.sum() / box_part.sum()
say(
    f"The two losses are equal at λ = {equal:.1f}. At the report's λ = {balance}, L_bbox is {balance / (equal + balance):.0%} of their sum."
)
assert drawn.sum() == n_cls
assert np.isclose(class_part.sum(), once["rpn_class_loss"], rtol=1e-3)
assert np.isclose(box_part.sum() * n_bbox / is_on.sum() / 4, once["rpn_bbox_loss"], rtol=1e-3)

# %% [markdown]
# Move the slider to change $\lambda$. The upper image shows the sampled anchors: orange anchors are on an object, blue ones are not. An anchor with a larger share
# of the sum has a wider line. The lower curve shows the share of $L_{\mathrm{bbox}}$ in the sum. The axis of $\lambda$ is linear below 1 and logarithmic above 1, so the curve bends at 1.


# %%
some_lambdas = np.concatenate([[0], np.geomspace(0.1, 200, 60)])


def weighted(lam):
    """Draw the sampled anchors by their share of the loss, and the share of L_bbox."""
    share = class_part + lam * box_part
    total = share.sum()
    boxes_share = lam * box_part.sum() / total
    on_objects = share[is_on].sum() / total
    figure, axes = plt.subplots(2, 1, figsize=(8.6, 4.4), height_ratios=[5, 4])
    what = f"λ = {lam}: L_cls + L_bbox = {total:.4f}, of which {on_objects:.0%} from anchors on objects"
    draw_frame(axes[0], shown, what)
    for anchor, part, on in zip(pyramid_anchors(strip)[drawn], share / total, is_on, strict=True):
        colour = PALETTE[1] if on else PALETTE[0]
        draw_boxes(axes[0], [anchor], colour, linewidth=0.3 + 12 * part**0.5 * (part > 0.002))
    axes[1].plot(some_lambdas, some_lambdas / (some_lambdas + equal), color="0.3")
    axes[1].plot(lam, boxes_share, "o", color=PALETTE[1], markersize=9)
    axes[1].axvline(balance, color="0.6", linewidth=1, linestyle="--")
    axes[1].set_xscale("symlog", linthresh=1)
    axes[1].set(xlabel="λ (dashed: the report's)", ylabel="share of L_bbox", ylim=(-0.05, 1.05))
    axes[1].set_xlim(-0.1, 200)
    return figure, f"The sampled anchors. {what}; share of L_bbox: {boxes_share:.0%}."


# %%
figure_slider(
    "λ",
    (0, 1, 3, 10, 30, 100),
    weighted,
    start=3,
    caption="The sampled anchors; a wider line means a larger share of the loss. Below: the share of L_bbox for each λ.",
)

# %% [markdown]
# The slider does not change the predictions of the network. $\lambda$ changes the weight of the box errors in a training step. With $\lambda = 0$ the box errors do not enter the sum. With a large $\lambda$
# nearly all of the sum comes from the box errors of the few anchors on objects. The report's $\lambda$ makes the two *weights* nearly equal (see *Why $\lambda = 10$?*), but not the two *losses*.

# %% [markdown]
# ## The report's figure beside ours
#
# Figures 7.1 to 7.4 at the top of this notebook are the report's Figs 6 to 9, drawn again. The report used the package `mrcnn` of 2018, here called *the original*. Newer versions of TensorFlow
# removed some functions that the original calls. We replace these functions, so the original still runs. Our network is written in Keras 3. Do the original and our package compute the same numbers?
# The next cells call functions of the original: first for the anchors, then for the losses. The RPN losses are computed on the frame. The losses of the heads are computed on
# the example with two regions.

# %%
from wadlib.maskrcnn.original import matterport

mrcnn = matterport.modules()  # the files of the package, unchanged
theirs = matterport.to_original_config(config, batch_size=1)
shapes = mrcnn.model.compute_backbone_shapes(theirs, theirs.IMAGE_SHAPE)
their_anchors = mrcnn.utils.generate_pyramid_anchors(
    theirs.RPN_ANCHOR_SCALES, theirs.RPN_ANCHOR_RATIOS, shapes, theirs.BACKBONE_STRIDES, 1
)
print(f"anchors of the original: {len(their_anchors):,}")
assert np.array_equal(their_anchors.astype(np.float32), pyramid_anchors(config))


def original_loss(name, *arrays):
    """The value of a loss function of the original package, which builds a graph and runs it in a session."""
    tf, function = mrcnn.model.tf, getattr(mrcnn.model, f"{name}_graph")
    first = [theirs] if name == "rpn_bbox_loss" else []
    with tf.Graph().as_default(), tf.Session() as session:
        return float(session.run(function(*first, *map(tf.constant, arrays))))


# %%
each = match[None, :, None].astype(np.int32)
u, of_two = (
    truth.astype(np.int32),
    [x.astype(np.float32) for x in (class_logits, box_moves, true_mask, mask)],
)
original = {
    "rpn_class_loss": original_loss("rpn_class_loss", each, stages["rpn_class_logits"]),
    "rpn_bbox_loss": original_loss("rpn_bbox_loss", batch["rpn_bbox"], each, stages["rpn_bbox"]),
    "mrcnn_class_loss": original_loss("mrcnn_class_loss", u, of_two[0], np.ones((1, 3), np.float32)),
    "mrcnn_bbox_loss": original_loss("mrcnn_bbox_loss", np.zeros((1, 2, 4), np.float32), u, of_two[1]),
    "mrcnn_mask_loss": original_loss("mrcnn_mask_loss", of_two[2], u, of_two[3]),
}  # fmt: skip
own = {name: once[name] for name in names[:2]} | heads
table = pd.DataFrame({"the original": original, "ours": own})
print(table.round(4).to_string())
assert np.allclose(table["the original"], table["ours"], rtol=1e-3)

# %% [markdown]
# The anchors are equal, and the five losses agree. The script `results/original/compare.py` compares the whole network. It builds the report's network twice, once with the original and once with
# our package. Both networks get the same image and the same random weights: our code writes the file of weights, and the original reads it. The script needs about 2 GB of memory and a minute, so the next cell only reads its stored result.

# %%
kept = json.loads((project_root() / "results" / "original" / "agreement.json").read_text())
table = pd.DataFrame(kept["layers"]).T
table["within 1e-3"] = np.where(table["difference"] < 1e-3, "yes", "no")
height, width = kept["image_shape"]
print(f"parameters of each network: {kept['parameters']:,}; image: {width}x{height}")
print(table.drop(columns="difference").to_string())
agree = table["within 1e-3"] == "yes"
say(
    f"{agree.sum()} of {len(agree)} tensors differ by less than 1e-3 of their largest value between the original and our network."
)
assert agree[["C2", "C5", "P2", "P5", "rpn_class", "rpn_bbox"]].all()

# %% [markdown]
# The table compares the two networks layer by layer. The column `original` gives the name of the layer in the original. The tests of our package (`tests/parity`) repeat this comparison. They also compare the mask head and a training step.
#
# The next cell lists the report's settings, from its text and from its published code. Where text and code disagree, both are listed: here the optimizer and the learning rate.
#
# The authors of the original published weights that were trained on the COCO dataset. These weights belong to a ResNet-101, but the report's network is a ResNet-50. The original loader copies
# layers by name. It silently ignores layers of the file that the network does not have. Our loader lists these layers, and notebook 08 counts them.

# %%
for key in ("backbone", "optimizer", "optimizer_code", "learning_rate", "learning_rate_code", "anchor_scales",
            "train_rois_per_image"):  # fmt: skip
    print(cite(key))
print("backbone of the COCO weights:", cite("pretrained_weights").value["backbone"])
assert list(config.anchor_scales) == cite("anchor_scales").value

# %% [markdown]
# ## Exercises
#
# **1.** ★ *Predict first.* In the report's frame an object fills a square of 16x16 pixels. The original has default settings for the dataset COCO (the *COCO configuration*). Its smallest anchors have a side of
# 32 pixels. A square anchor of this side has the same centre as the object. What is their IoU?

# %% tags=["exercise"]
iou_of_small_object = ...

# %% tags=["check"]
check("07.1", iou_of_small_object)

# %% tags=["solution", "hide-cell"]
square = np.array([[0, 0, 32, 32], [8, 8, 24, 24]], np.float32)
iou_of_small_object = 16**2 / 32**2
assert boxes.iou(square[:1], square[1:])[0, 0] == iou_of_small_object
check("07.1", iou_of_small_object)

# On the frames: the same objects, with the anchors of the COCO configuration and with those of the report.
_, best_coarse, _ = reach(Config.report().replace(anchor_scales=(32, 64, 128, 256, 512)), frames)
sides, best_report, _ = reached["report (÷4)"]
tiny_ones = sides / 4 < 16  # in pixels of the report's frame
for name, best in {"32 … 512": best_coarse, "8 … 128": best_report}.items():
    few, every = best[tiny_ones] >= 0.5, best >= 0.5
    print(
        f"anchors {name}: {few.mean():.0%} of {len(few)} objects below 16 px reach an IoU of 0.5, and {every.mean():.0%} of all objects"
    )
assert len(best_coarse) == len(best_report)  # the same objects

# %% [markdown]
# **2.** ★ Four statements of the report. What do the papers and the dataset say?
#
# | key | the report | your answer |
# |---|---|---|
# | `"class loss"` | $L_{\mathrm{cls}}$ of section 4.1 is a part of Mask R-CNN's loss. Which prediction does it score? | `"object or background"`, `"which class"` or `"which pixel"` |
# | `"mask branch"` | it is "a small fully-connected network" (section 4.1) | `"fully connected"`, `"fully convolutional"` or `"recurrent"` |
# | `"up-convolution"` | the decoder of a U-Net has a 3x3 deconvolution (section 2.2) | `"1x1"`, `"2x2"` or `"3x3"` |
# | `"COCO"` | the "COCO dataset has 91 object categories" (section 4.2). How many have annotations? | `"80"`, `"81"` or `"91"` |

# %% tags=["exercise"]
what_is_correct = {"class loss": ..., "mask branch": ..., "up-convolution": ..., "COCO": ...}

# %% tags=["check"]
check("07.2", what_is_correct)

# %% tags=["solution", "hide-cell"]
what_is_correct = {
    "class loss": "object or background",  # binary: the RPN's loss. Mask R-CNN's class loss is -log p_u
    "mask branch": "fully convolutional",  # each mask cell depends on its surroundings, not on the whole region
    "up-convolution": "2x2",  # in the U-Net paper, and in the report's own Fig 2
    "COCO": "80",  # the ids go up to the report's number, but some ids have no annotations
}
check("07.2", what_is_correct)
for key in ("class_loss_formula", "mask_branch", "unet_upsampling", "coco_categories"):
    print(cite(key))

# %% [markdown]
# **3.** ★ *Predict first.* In the example with two regions, the true class of the first region is 2. Now we set all cells in the mask of class 1 to a
# probability of 0.99. Is the new `mrcnn_mask_loss` `"higher"`, `"equal"` or `"lower"`?

# %% tags=["exercise"]
mask_loss_becomes = ...

# %% tags=["check"]
check("07.3", mask_loss_becomes)

# %% tags=["solution", "hide-cell"]
spoilt = mask.copy()
spoilt[0, 0, :, :, 1] = 0.99
before, after = (float(losses.mrcnn_mask_loss(true_mask, truth, each)) for each in (mask, spoilt))
print(f"a sigmoid for each class: {before:.4f} -> {after:.4f}")
assert before == after
mask_loss_becomes = "equal"
check("07.3", mask_loss_becomes)


def with_softmax(masks):
    """The mask loss if the classes shared one softmax at each cell."""
    odds = masks[0, 0] / (1 - masks[0, 0])
    chosen = (odds / odds.sum(axis=-1, keepdims=True))[..., 2]  # class 2 is the true one
    inside = true_mask[0, 0]
    return -(inside * np.log(chosen) + (1 - inside) * np.log(1 - chosen)).mean()


print(f"one softmax for all:      {with_softmax(mask):.4f} -> {with_softmax(spoilt):.4f}")
assert with_softmax(spoilt) != with_softmax(mask)

# %% [markdown] tags=["solution"]
# With one softmax, the probabilities of all classes in a cell add up to 1. So the mask of a wrong class changes the loss. Mask R-CNN uses a *sigmoid* for
# each class: it turns one score into a probability, without the scores of other classes. So the mask of a wrong class does not change the loss. The class
# comes from the class head alone.

# %% [markdown]
# **4.** ★★ Write the box loss of the RPN: the mean of $\text{smooth}_{L_1}$ over the four numbers of every anchor on an object. The loss is 0 if no
# anchor is on an object. (`smooth_l1` is defined above.)


# %% tags=["exercise"]
def my_box_loss(deltas, wanted, match):
    """Predicted and true box corrections (A,4), and for each anchor 1, -1 or 0 (A,) -> the loss."""
    raise NotImplementedError


# %% tags=["check"]
check("07.4", my_box_loss)


# %% tags=["solution", "hide-cell"]
def my_box_loss(deltas, wanted, match):
    """Only anchors with a match of 1 have a true box."""
    if not (match == 1).any():
        return 0.0
    return smooth_l1((deltas - wanted)[match == 1]).mean()


check("07.4", my_box_loss)
theirs = float(losses.rpn_bbox_loss(np.zeros((1, 1, 4)), np.array([[1, -1]]), off[None]))
assert np.isclose(my_box_loss(off, np.zeros((2, 4)), np.array([1, -1])), theirs)

# %% [markdown]
# **5.** ★★ *Spot the difference.* Four functions should compute the losses as the report prints them. A should compute
# $L_{\mathrm{cls}}$, B should compute $L_{\mathrm{bbox}}$, and C and D should compute $L_{\mathrm{mask}}$. Compare each function with its equation. Answer `"as printed"`, `"too much"`
# (the sum has terms that the equation excludes), `"too little"` (terms are missing), or `"another divisor"`.


# %%
def loss_a(p, on_object):
    return -(on_object * np.log(p)).sum() / 256


def loss_b(off, on_object):
    return 10 / 2400 * smooth_l1(off).sum()


def loss_c(y, of_class, k):
    return -(y * np.log(of_class[k]) + (1 - y) * np.log(1 - of_class[k])).sum() / len(y)


def loss_d(y, of_class, k):
    return -np.log(np.where(y == 1, of_class[k], 1 - of_class[k])).mean()


# %% tags=["exercise"]
differences = {"A": ..., "B": ..., "C": ..., "D": ...}

# %% tags=["check"]
check("07.5", differences)

# %% tags=["solution", "hide-cell"]
ratios = {
    "A": loss_a(p, on_object) / L_cls,  # anchors on background are missing
    "B": loss_b(off, on_object) / L_bbox,  # the factor p* is missing: all anchors count
    "C": loss_c(y, of_class, k) / L_mask,  # divided by m, not by its square
    "D": loss_d(y, of_class, k) / L_mask,  # one of two terms is 0 in each cell
}
print("value, divided by the value as printed:")
print(pd.Series(ratios).round(3).to_string())
assert np.isclose(ratios["D"], 1)
differences = {"A": "too little", "B": "too much", "C": "another divisor", "D": "as printed"}
check("07.5", differences)

# %% [markdown]
# **6.** ★★ Write non-maximum suppression in six lines. A box is dropped if its IoU with a kept box is *above* the threshold. `boxes.iou(a, b)` gives the
# IoUs (N,M) of boxes (N,4) and (M,4).


# %% tags=["exercise"]
def suppress(rectangles, threshold):
    """Boxes (N,4), best first -> list of the indices that are kept."""
    raise NotImplementedError


# %% tags=["check"]
check("07.6", suppress)


# %% tags=["solution", "hide-cell"]
def suppress(rectangles, threshold):
    """A box is compared with the boxes that are kept so far."""
    kept = []
    for i in range(len(rectangles)):
        if not kept or boxes.iou(rectangles[i][None], rectangles[kept]).max() <= threshold:
            kept.append(i)
    return kept


check("07.6", suppress)
some = ops.convert_to_numpy(moved)[0, :400]
falling = np.linspace(1, 0, len(some), dtype=np.float32)
library = ops.convert_to_numpy(non_max_suppression(some[None], falling[None], len(some), 0.3))[0]
kept = suppress(some, 0.3)
print(f"{len(kept)} of {len(some)} corrected anchors are kept with a threshold of 0.3")
assert kept == library[library >= 0].tolist()

# %% [markdown]
# **7.** ★★ *Predict first.* The report proposes other weights for the losses (section 5). The next cell prints the losses of the trained network
# on the frame. `loss` is their sum: all weights are 1. We set the weight of `mrcnn_class_loss` to ½ and change nothing else. What is the new value of `loss`?

# %%
print(pd.Series(once).round(4).to_string())

# %% tags=["exercise"]
loss_becomes = ...

# %% tags=["check"]
check("07.7", loss_becomes, losses=once)

# %% tags=["solution", "hide-cell"]
loss_becomes = once["loss"] - once["mrcnn_class_loss"] / 2
check("07.7", loss_becomes, losses=once)
model.training_model.config = strip.replace(loss_weights={"mrcnn_class_loss": 0.5})
model.compile()  # the same network, with other weights of the losses
again = model.evaluate_on(batch)
print(f"loss {once['loss']:.4f} -> {again['loss']:.4f}")
assert np.isclose(again["loss"], loss_becomes, rtol=1e-3)

# %% [markdown]
# **8.** ★★★ RoIAlign is linear: each output is a sum of cells with fixed weights. We can first process the rows and then the columns, so
# the result for a feature map $F$ is $R = A_y F A_x^\top$. Write the function that gives the matrix $A$ of one direction. Row $i$ of $A$ holds the weights of all cells
# for bin $i$. The points lie where `roi_align` above puts them. Each point is interpolated linearly between its two nearest cells. The weights of the bin are
# the mean over its points.


# %% tags=["exercise"]
def interpolation(size, start, end, bins, points):
    """Cells of the map, box from start to end (in cells), bins, points per bin -> weights (bins,size)."""
    raise NotImplementedError


# %% tags=["check"]
check("07.8", interpolation)


# %% tags=["solution", "hide-cell"]
def interpolation(size, start, end, bins, points):
    """The weight of a cell falls linearly from 1 to 0 over the distance of one cell."""
    place = start + (end - start) * (np.arange(bins * points) + 1 / 2) / (bins * points)
    hat = np.maximum(0, 1 - abs(place[:, None] - np.arange(size)))  # (bins * points, size)
    return hat.reshape(bins, points, size).mean(axis=1)


check("07.8", interpolation)
y1, x1, y2, x2 = box_px / 16
A_y, A_x = interpolation(4, y1, y2, 2, 2), interpolation(4, x1, x2, 2, 2)
print(A_y @ slope @ A_x.T)
assert np.allclose(A_y @ slope @ A_x.T, paper)

# %% [markdown]
# **9.** ★★★ *Open task.* Try to find five better anchor sides for the classroom strip: more objects should reach an IoU of 0.5. What are the disadvantages
# of more anchors? On which frames do you choose the sides, and on which frames do you measure the final share? (`reach(configuration, frames)` gives the
# sides, the best IoUs and the number of objects that are left out; `Config.classroom().replace(anchor_scales=...)` gives a configuration.)

# %% [markdown] tags=["open"]
# *Your answer.*

# %% tags=["solution", "hide-cell"]
choices = {
    "classroom": strip.anchor_scales,
    "smaller": (6, 12, 24, 48, 96),
    "closer together": (8, 14, 25, 45, 80),
    "larger": (16, 32, 64, 128, 256),
}
choose_on, report_on = frames[::2], frames[1::2]
shares = {}
for name, scales in choices.items():
    own = strip.replace(anchor_scales=scales)
    shares[name] = [np.mean(reach(own, part)[1] >= 0.5) for part in (choose_on, report_on)]
table = pd.DataFrame(shares, index=["one half", "other half"]).T
print("share of objects that reach 0.5; the sides are chosen on one half of the frames")
print(table.round(3).to_string())
best = table["one half"].idxmax()
print(f"chosen: {best}; share on the other half: {table.loc[best, 'other half']:.0%}")

# %% [markdown] tags=["solution"]
# On the rendered frames none of the three other choices is better than the classroom's sides. Five sides cover a limited range of sizes. If the sides are closer together, more objects are
# outside of this range. A sixth side or a fourth shape adds anchors, so each training step needs more computation. Most of the added anchors are on background, so the [class imbalance](glossary.md#class-imbalance) grows. The choice is made on
# one half of the frames, and the share is measured on the other half. Frames of other videos would be better, because neighbouring frames of a video show the same objects.

# %% [markdown]
# ## You can now
#
# - name the stages of Mask R-CNN and the shape of the tensor after each;
# - compute its five losses on two regions, and compare them with the report's equations;
# - say which objects the anchors of a pyramid level fit;
# - apply non-maximum suppression to a list of boxes;
# - write RoIAlign as a product of matrices, and say how the shortcut differs from it.
