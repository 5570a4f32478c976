# %% [markdown]
# # 06 · The U-Net that did not converge
#
# **After this notebook you can** explain a U-Net layer by layer, compute [cross entropy](glossary.md#cross-entropy) and
# [dice](glossary.md#dice) by hand, recognise a network that gives the same answer at every pixel, and find out what
# prevents a network from learning.
# **You need:** [03](03_class_imbalance.ipynb) (class weights), [05](05_graph_cuts.ipynb) (unary and smoothing), what a convolution is.
# **Time:** about 75 minutes (reading 45, exercises 30).
#
# ## The question
#
# The graph cuts of notebook 05 used only colours and positions. A network can learn what a car *looks* like. The report
# tried a U-Net with two losses, cross entropy and dice. It says in one sentence that the training did not converge (the
# network did not learn). Why? We repeat this attempt, look at what the network has learnt, and remove the possible
# causes one after the other until the network learns. (Report, section 2.2, Fig 2.)
#
# ## The idea in five lines
#
# On the way **down**, convolutions process the image, and each **[pooling](glossary.md#pooling)** halves its resolution, so each cell of a deeper layer depends on a larger part of the image.
# On the way **up**, the resolution is doubled again. On each level, the map from the way down is **copied** and put beside the map from below, because it still has the fine edges.
# At the end each pixel $p$ has a score for each class $c$. The **[softmax](glossary.md#softmax)** turns the scores into probabilities $q_{pc}$.
# The truth $t_{pc}$ is 1 for the correct class and 0 otherwise. Two losses for $N$ pixels, **cross entropy** and **dice**:
#
# $$L_{CE} = -\frac{1}{N} \sum_p \sum_c w_c \, t_{pc} \log q_{pc}, \qquad
# L_{dice} = \sum_c w_c \Big(1 - \frac{2 \sum_p q_{pc} t_{pc}}{\sum_p q_{pc} + \sum_p t_{pc}}\Big)$$
#
# Cross entropy is a sum over pixels, dice a sum over classes. $w_c$ is a class weight, larger for rare classes.

# %%
from wadlib.training import deterministic, quiet, read_log

quiet()  # before the first import of Keras: hides the log lines of TensorFlow
deterministic(0)

from dataclasses import replace

import numpy as np
import pandas as pd
from keras import ops
from matplotlib import pyplot as plt

# %%
from wadlib.course import (
    check,
    cite,
    is_rendered,
    lesson,
    open_data,
    prepared,
    profile,
    project_root,
    show,
)
from wadlib.figures import (
    INK,
    PALETTE,
    draw_class_legend,
    draw_frame,
    draw_label,
    draw_unet,
    plot_style,
)
from wadlib.labels import CLASSES, IDS, label_from_indices

# %%
from wadlib.unet import (
    SegmentationLoss,
    SmallFrames,
    batch_class_weights,
    batches,
    build_unet,
    channel_names,
    class_counts,
    class_softmax,
    constant_predictor_loss,
    layer_shapes,
    load_unet,
    one_hot,
    predict,
    predict_label,
    receptive_field,
    recipe,
    ronneberger,
    train_unet,
    watch_gradients,
)

plot_style()

# %% [markdown]
# ## By hand
#
# The smallest U-Net: one pooling, one channel, no biases. The image has 4x4 pixels and a bright block. The first
# convolution subtracts from each pixel its left neighbour. So its result is positive where the image becomes brighter to the right:

# %%
picture = np.array([[0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 0, 0]], float)
left = np.pad(picture, ((0, 0), (1, 0)))[:, :-1]  # each pixel's left neighbour, 0 outside
edges = np.maximum(picture - left, 0)  # convolution, then ReLU
pooled = edges.reshape(2, 2, 2, 2).max(axis=(1, 3))  # the largest of each 2x2 block
up = np.kron(pooled, [[1, 2], [3, 4]])  # each cell times a 2x2 kernel: an up-convolution
joined = np.stack([edges, up], axis=-1)  # (4, 4, 2): copied, and come from below
for name, array in {"edges": edges, "pooled": pooled, "up": up}.items():
    print(name, *array.astype(int).tolist(), sep="\n  ")

# %% [markdown]
# Compute the three arrays on paper, too. Each array is one step. After the pooling we no longer know *where* in its
# block the edge was. The copy still has this information. Now we build the same network with the library and give its
# layers these kernels:

# %%
tiny = build_unet((4, 4, 1), classes=1, widths=(1, 1), scale=1.0, offset=0.0)
difference = np.zeros((3, 3, 1, 1))
difference[1, 1], difference[1, 0] = 1, -1
same = np.zeros((3, 3, 1, 1))
same[1, 1] = 1
kernels = {
    "down0_conv1": difference,
    "down0_conv2": same,
    "bottom_conv1": same,
    "bottom_conv2": same,
}
kernels["up0_upconv"] = np.array([[1, 2], [3, 4]], float)[..., None, None]
for layer, kernel in kernels.items():
    tiny.get_layer(layer).set_weights([kernel, np.zeros(1)])


def inside(model, layer, images):
    """What a layer of a network gives for some images."""
    import keras

    part = keras.Model(model.input, model.get_layer(layer).output)
    return keras.ops.convert_to_numpy(part(images))


image = picture[None, :, :, None]
expected = {"down0_relu2": edges, "down0_pool": pooled, "up0_upconv": up}
for layer, array in expected.items():
    assert np.array_equal(inside(tiny, layer, image)[0, :, :, 0], array)
assert np.array_equal(inside(tiny, "up0_concat", image)[0], joined)
print("the same numbers in the network:", ", ".join(kernels))

# %% [markdown]
# The library's layers give the same numbers. Now the losses. Take a predictor that has learnt **nothing**: it gives the
# same $q_c$ at every pixel. (We call it a *constant* below.) Let $q$ be its probability for car, and let a share $s$ of
# the $N$ pixels be car. Then the three sums in dice are $N q s$, $N q$ and $N s$. With the weight 1, car costs $1 -
# 2qs/(q+s)$. Try $s = 1/20$:

# %%
s = 1 / 20
for q in (1, 1 / 2, 1 / 20):
    print(f"q = {q:4.2f}: car costs 1 - {2 * q * s / (q + s):.3f} = {1 - 2 * q * s / (q + s):.3f}")
assert 1 - 2 * s * s / (s + s) == 1 - s
assert all(1 - 2 * q * s / (q + s) > 1 - 2 * s for q in np.linspace(0.01, 1, 100))

# %% [markdown]
# So a rare class costs nearly its whole weight, whatever constant we choose: between $1 - 2s$ and 1 if the weight is 1.
# A class that is not in the image ($s = 0$) costs exactly its weight $w_c$, unless $q_c$ is exactly zero. We need both
# facts below.
#
# ## The library on a real frame
#
# The authors' published code shows which network they trained. Its input is rows 1560 to 2280 of the frame, at an
# eighth of the resolution. It has nine outputs: background and the classes 33 to 40. The next figure shows the size of
# each map of that network:

# %%
attempt = recipe("attempt9")
figure, axes = plt.subplots(figsize=(10, 5))
draw_unet(axes, layer_shapes(attempt.architecture), "The U-Net of the attempt")
show(
    figure,
    "A U of boxes: on the way down the map shrinks from 90x422 pixels to 12x53 while the channels grow from 64 "
    "to 1024, on the way up it grows back, joined by copies from the left arm; nine channels at the end.",
)
a = attempt.architecture
print(f"pictures times {a.scale:g}, activation {a.activation}, biases {a.bias}")
print(f"normalisation: {a.normalisation}; Adam with a learning rate of {attempt.learning_rate:g}")

# %% [markdown]
# The network has 64 to 1024 channels (maps per layer), and a batch has 32 frames. So one step of training takes a
# minute or more on a laptop. For the training in this notebook, we divide the number of channels by 8, halve the
# resolution, and use batches of 3 frames. **These are short runs**: they show how training *starts*. Long runs come
# further below.

# %%
data = open_data()
wad = prepared(data, frames={"quick": 48, "full": 240}[profile()])
split = wad.split("by_video" if len(wad.videos) > 2 else "report", seed=0)
print(split.report())

# %%
g = attempt.geometry
coarse = replace(g, step=2 * g.step, height=g.height // 2, width=g.width // 2)
quick = attempt.replace(geometry=coarse, batch_size=3)
narrow = tuple(width // 8 for width in a.widths)
quick = quick.replace(architecture=quick.architecture.replace(widths=narrow))
small = SmallFrames(quick.geometry, quick.table)  # each frame is decoded once
some = split.validation[:: max(1, len(split.validation) // 4)][:4]
watched = batches(some, small, batch_size=len(some), training=False).batch(0, 0)
print("pictures", watched.x.shape, watched.x.dtype, " targets", watched.y.shape, watched.y.dtype)
shares = np.bincount(watched.y.ravel(), minlength=256)[:9] / watched.y.size
print(
    "share of the pixels:",
    dict(zip(["background", *range(33, 41)], shares.round(4).tolist(), strict=True)),
)

# %% [markdown]
# Now the attempt. Every few steps we record the loss and the **softmax** probability of *car*, once at the pixels of
# cars and once over all pixels. If the network has learnt what cars look like, the first number is higher than the
# second.


# %%
def look(a_recipe):
    """Callback of a training: loss and softmax of the watched batch."""
    loss, names = SegmentationLoss(**a_recipe.loss), channel_names(a_recipe)

    def callback(end):
        logits = end.model(watched.x, training=False)
        q = ops.convert_to_numpy(ops.softmax(logits))
        seen = {f"softmax/{name}": v for name, v in class_softmax(q, watched.y, names).items()}
        anywhere = {"softmax/car anywhere": q[watched.y < len(names)][:, 1].mean()}
        return {"val_loss": float(loss(watched.y, logits))} | seen | anywhere

    return callback


# %%
STEPS, ROUNDS = 5, {"quick": 4, "full": 40}[profile()]


def live(a_recipe, *callbacks):
    """A quick training: the network, and its log with a row before it and one after every five steps."""
    options = {"epochs": ROUNDS, "steps": STEPS, "small": small, "before": True, "progress": False}
    callbacks = [look(a_recipe), *callbacks]
    trained = train_unet(a_recipe, split.train, run=None, callbacks=callbacks, **options)
    return trained.model, pd.DataFrame(trained.training.rows)


attempted, log = live(quick, watch_gradients(watched))
logs = {"the attempt": log}
first, last = logs["the attempt"].iloc[0], logs["the attempt"].iloc[-1]
for column in ("val_loss", "softmax/car", "softmax/car anywhere"):
    print(f"{column:22s} {first[column]:10.4f} -> {last[column]:10.4f}")

# %% [markdown]
# Neither the loss nor the probabilities change much. Has the network learnt nothing? To answer this, we compare its
# loss with the loss of a constant. The library finds the constant with the lowest loss on the same frames. There are
# two such constants. The first one gives every class a probability above zero. The second one gives exactly zero to the
# classes that are absent from these frames, so they cost nothing.

# %%
counts = class_counts(watched.y, 9)
weights = np.asarray(batch_class_weights(one_hot(watched.y, 9)), float)
absent = counts.sum(axis=0) == 0
print("weights:", dict(zip(["background", *range(33, 41)], weights.round(1).tolist(), strict=True)))
print(
    "not in these frames:", int(absent.sum()), "classes, together", f"{weights[absent].sum():.1f}"
)


def constant(loss, smallest=1e-6):
    """Loss of the best constant predictor on the watched batch."""
    return constant_predictor_loss(counts, pixels=watched.y[0].size, smallest=smallest, **loss).loss


upper, lower = constant(attempt.loss), constant(attempt.loss, smallest=0)
print(f"the cheapest constant: {upper:.1f}, or {lower:.1f} with the absent classes at exactly 0")
print(f"the attempt:           {last['val_loss']:.1f}")
assert lower < upper
if is_rendered():
    assert upper < 1.02 * last["val_loss"]

# %% [markdown]
# The loss of the attempt starts near that of the first constant and stays there. Can the weights of the network change
# at all? The **[gradient](glossary.md#gradient)** says how much the loss changes if a weight changes. The right part of
# the next figure shows the size of the gradient for each layer. The left part shows the probability of each class at
# its own pixels:

# %%
norms = {
    c.removeprefix("gradient/"): last[c] for c in logs["the attempt"] if c.startswith("gradient/")
}
softmax = logs["the attempt"].filter(regex="^softmax/[a-z0-9]+$")
figure, axes = plt.subplots(1, 2, figsize=(11, 4))
for number, column in enumerate(softmax):
    style = {"color": PALETTE[number], "linestyle": ["-", "--", "-.", ":"][number % 4]}
    name = column.removeprefix("softmax/")
    axes[0].plot(logs["the attempt"]["epoch"] * STEPS, softmax[column], label=name, **style)
axes[0].set(xlabel="steps", ylim=(0, 0.3), title="softmax of each class at its own pixels")
axes[0].legend(fontsize=8, ncols=2)
axes[0].locator_params(axis="x", integer=True)
axes[1].bar(range(len(norms)), norms.values(), color=PALETTE[0])
axes[1].set_xticks(range(len(norms)), norms, rotation=65, ha="right", fontsize=8)
axes[1].set(yscale="log", title="norm of the gradient after the last step")
show(
    figure,
    "Left: the probability of each class at its own pixels, flat lines near one ninth. Right: bars of the "
    "gradient's norm for each layer on a logarithmic axis, from the first convolution to the logits.",
)
print(f"largest / smallest: {max(norms.values()) / min(norms.values()):,.0f}")

# %% [markdown]
# On the left, all probabilities stay near one ninth. This is what a network with nine outputs gives if it has learnt
# nothing. On the right, the gradient is not zero in any layer, so each layer could learn. But each step is small: the
# training method, Adam, changes each weight by about the **[learning rate](glossary.md#learning-rate)**, whatever the
# size of the gradient. And in this attempt the learning rate is very small.
#
# ### One cause at a time
#
# There are five possible causes: the values of the input are small, the learning rate is small, there is no
# normalization, the weights are computed for each batch, and absent classes count in the loss. We change one of them at
# a time and keep the other four. Does the network then give car a higher probability at the pixels of cars?

# %%
L = quick.loss
suspects = {
    "inputs from -1 to 1": lambda r: r.replace(
        architecture=r.architecture.replace(scale=1 / 127.5, offset=-1.0)
    ),
    "learning rate 0.002": lambda r: r.replace(learning_rate=2e-3),
    "batch normalization": lambda r: r.replace(
        architecture=r.architecture.replace(normalisation="batch")
    ),
    "no batch weights, mean": lambda r: r.replace(
        loss=r.loss | {"class_weights": None, "normalise": True}
    ),
    "absent classes skipped": lambda r: r.replace(
        loss=r.loss | {"absent": "skip", "per_image": False, "cross_entropy": 1.0}
    ),
}
for name, take_away in suspects.items():
    _, logs[f"+ {name}"] = live(take_away(quick))

# %% [markdown]
# The losses of these runs cannot be compared directly, because some changes also change the loss. So in the left figure
# each loss is divided by the loss of its own best constant. There, 1 means *nothing learnt*. The right figure shows the
# probability of car at the pixels of cars, minus its mean over all pixels.


# %%
def draw_logs(title, runs):
    """Loss over its constant predictor's, and how much more probable car is at cars, for some runs."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.9))
    styles = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1))]
    for number, (name, (a_recipe, log)) in enumerate(runs.items()):
        style = {"color": PALETTE[number], "linestyle": styles[number % 6], "label": name}
        taken = log["epoch"] * STEPS
        axes[0].plot(taken, log["val_loss"] / constant(a_recipe.loss), **style)
        axes[1].plot(taken, log["softmax/car"] - log["softmax/car anywhere"], **style)
    axes[0].axhline(1, color=INK, linewidth=0.8)
    axes[0].set(xlabel="steps", title="loss / the constant predictor's")
    axes[1].set(
        xlabel="steps", title="softmax of car: mean at cars − mean of all pixels", ylim=(-0.05, 0.5)
    )
    axes[1].legend(fontsize=8, title=title, loc="upper left")
    for ax in axes:
        ax.locator_params(axis="x", integer=True)
    return figure


recipes = {"the attempt": quick} | {f"+ {n}": f(quick) for n, f in suspects.items()}
figure = draw_logs("quick runs", {name: (recipes[name], logs[name]) for name in recipes})
show(
    figure,
    "Left: the loss of six quick runs over their constant predictors. Right: none of the six "
    "gives car more probability at cars than anywhere.",
)

# %% [markdown]
# No single change is enough. With a larger learning rate the loss falls, but only to the loss of the constant: the
# network has learnt only how frequent the classes are. We have removed one cause at a time to see which one matters.
# This is called an **[ablation](glossary.md#ablation)**. Now we do it the other way round: we remove **all** causes and
# then put one back at a time. The next figure shows this for two causes. The open task is about the others.

# %%
cured = quick
for take_away in suspects.values():
    cured = take_away(cured)


def all_but(*kept):
    """Every cause taken away but these."""
    a_recipe = quick
    for name, take_away in suspects.items():
        a_recipe = a_recipe if name in kept else take_away(a_recipe)
    return a_recipe


_, rate, plain, *_ = suspects
recipes = {
    "all five changes": cured,
    "all but learning rate": all_but(rate),
    "all but normalization": all_but(plain),
}
for name, a_recipe in recipes.items():
    _, logs[name] = live(a_recipe)
figure = draw_logs("quick runs", {name: (recipes[name], logs[name]) for name in recipes})
show(
    figure,
    "Left: losses over the constant predictor's. Right: car becomes more probable at cars with all changes, "
    "but not with the small learning rate and not without normalisation.",
)

# %% [markdown]
# In so few steps, a small learning rate alone prevents learning. Missing normalization alone prevents it, too. **Each
# of the two is enough**: if we remove only one of them, the other still prevents learning. (In the run with all
# changes, the loss is above 1 at first. The reason is the running averages of batch normalization, which change slowly:
# see exercise 1.)


# %%
def stands_out(log):
    """How much more probability car has at cars than anywhere, on average over the second half."""
    half = log.iloc[len(log) // 2 :]
    return (half["softmax/car"] - half["softmax/car anywhere"]).mean()


gain = pd.Series({name: stands_out(log) for name, log in logs.items()})
if is_rendered():
    assert gain["all five changes"] > 0.03
    assert gain[["the attempt", "all but learning rate", "all but normalization"]].max() < 0.02
gain.to_frame("softmax of car: at cars − all pixels").round(3)

# %% [markdown]
# ### The long run
#
# We also trained a U-Net for a long time, with all five changes and our seven classes. Its inputs are windows around
# objects, and rare classes are chosen as often as frequent ones. Its class weights are computed once, from the whole
# training set. This training was done once, on other rendered videos than ours (another seed). The folder
# `results/unet` holds the commands, the log and the weights, and names the machine. The next cell reads the curves from
# this folder. The predictions after it are computed now, with the stored weights.

# %%
import json

kept = project_root() / "results" / "unet"
model, long_recipe = load_unet(kept / "cured")
log = read_log(kept / "cured")
figure, axes = plt.subplots(figsize=(8.6, 3.2))
axes.plot(log["epoch"], log["loss"], "-", color=PALETTE[0], label="training")
axes.plot(log["epoch"], log["val_loss"], "--", color=PALETTE[1], label="other videos")
axes.set(xlabel="epoch", ylabel="loss", title="The long run with all changes")
axes.set_ylim(bottom=0)
axes.legend()
show(
    figure,
    "Training and validation loss of the U-Net fall together, steeply at first and then slowly.",
)
print(
    f"{model.count_params():,} weights, pictures of {long_recipe.geometry.width}x{long_recipe.geometry.height}"
)

# %% [markdown]
# How good is this network? We use it on held-out frames, which were not used in training. We compare it with the
# attempt (its short run) and with the unary of notebooks 03 and 05.

# %%
from wadlib.graphcut import (
    ColourLocationUnary,
    alpha_expansion,
    contrast_weights,
    unary_from_probabilities,
)
from wadlib.metrics import Overlap, mean_iou, report_iou

most = {"quick": 8, "full": 60}[profile()]
frames = split.validation[:: -(-len(split.validation) // most)]
images = [frame.read_image() for frame in frames]
truths = [frame.read_label() for frame in frames]
unary = ColourLocationUnary.fit(split.train, seed=0, samples=5_000)
labels = {
    "the attempt": [predict_label(attempted, x, quick.geometry, quick.table) for x in images],
    "colours and places (05)": [unary.predict(x) for x in images],
    "the U-Net": [predict_label(model, x, long_recipe.geometry) for x in images],
}

# %% [markdown]
# A probability also gives a unary cost for a graph cut: $D_p(c) = -\log q_{pc}$. So the U-Net replaces
# the colour model, and α-expansion smooths its result.

# %%
LAMBDA = 1.0  # nats that two different neighbours pay where the picture is smooth
rows = slice(365, 557)  # the strip, in network pixels: elsewhere all is background


def smooth(image):
    """The U-Net's label of a frame after α-expansion."""
    costs = unary_from_probabilities(predict(model, image, long_recipe.geometry))
    seen = long_recipe.geometry.picture(image)  # as many pixels as there are costs
    f = alpha_expansion(costs, LAMBDA, contrast_weights(seen)).labels
    return label_from_indices(long_recipe.geometry.to_frame(f.astype(np.uint8), image.shape[:2]))


labels["the U-Net + α-expansion"] = [smooth(image) for image in images]


# %%
def scores(predictions):
    """Report-IoU per class, and their mean."""
    iou = report_iou([Overlap.from_labels(*pair) for pair in zip(truths, predictions, strict=True)])
    return {CLASSES[c].name: iou[c] for c in IDS} | {"mean": mean_iou(iou)}


table = pd.DataFrame({name: scores(predictions) for name, predictions in labels.items()})
if is_rendered():  # the U-Net has never seen a real street
    assert table.loc["mean", "the U-Net"] > table.loc["mean", "colours and places (05)"]
    assert table.loc["mean", "the U-Net"] >= 3 * table.loc["mean", "the attempt"]
table.T.round(3)

# %% [markdown]
# Compare the classes, not only the means. For almost every class, the IoU of the U-Net is higher than that of the
# colour model. The graph cut helps cars but harms the smallest objects. The reason: each pair of different neighbours
# has a cost, and these pairs are on the boundary of an object. A bicycle of a few pixels has much boundary for its
# area. No method finds tricycles.

# %%
x, truth = lesson("a near car", "network", among=frames).read_pair()
shown = {
    "the truth": truth,
    "the attempt": predict_label(attempted, x, quick.geometry, quick.table),
    "colours and places (05)": unary.predict(x),
    "the U-Net": predict_label(model, x, long_recipe.geometry),
    "the U-Net + α-expansion": smooth(x),
}
figure, axes = plt.subplots(7, 1, figsize=(8.6, 13), height_ratios=[9] * 6 + [1])
draw_frame(axes[0], x[rows], "the image")
for ax, (name, found) in zip(axes[1:], shown.items(), strict=False):
    draw_label(ax, found[rows], name, by="class")
draw_class_legend(axes[-1])
show(
    figure,
    "A strip of a street and five label maps of it. That of the attempt is a meaningless checkerboard, that of the unary is speckled, the "
    "U-Net finds the near car and pieces of what stands behind it, and α-expansion cleans their borders.",
)

# %% [markdown]
# The figure shows the same: the attempt gives a meaningless pattern, the colour model gives many wrong pixels, and the
# U-Net finds large near objects, but not always their class: compare the colours of the truck. The viewer shows more
# frames of other videos: blue pixels are correct, pixels with stripes are missed, pixels with crosses are false
# positives.

# %%
from wadlib.viewer import MaskViewer


def ours(frame):
    """The instances of a frame: connected pieces of the U-Net's label."""
    return predict_label(model, frame, long_recipe.geometry, instances=True)


names = ("a near car", "two touching cars", "near and far", "a person before a car", "dusk")
shown = [lesson(name, "network", among=frames) for name in names]
MaskViewer(shown, prediction=ours, mode="errors", title="the U-Net")

# %% [markdown]
# ## The report's figure beside ours
#
# Fig 2 of the report is the figure of the original U-Net paper. We build the network of that paper and draw the sizes
# of its maps. Its convolutions add no border of zeros (no *padding*), so each convolution makes the map smaller, and
# the copies must be cropped. An input 572 pixels wide gives an output 388 pixels wide.

# %%
figure, axes = plt.subplots(figsize=(10, 5.6))
draw_unet(axes, layer_shapes(ronneberger()), "Fig 2: U-Net (Ronneberger et al., 2015)")
show(
    figure,
    "The letter U with the shapes of every tensor: from 572x572 down to 28x28 with 1024 channels, and up again to "
    "388x388 with two.",
)

# %% [markdown]
# The report says that training did not converge. The authors' published code still holds the log of the losses; the
# left figure shows it. For the right figure, we trained the same network in full size on rendered videos. (It is a long
# run, read from a file. To save time, its batches have 4 frames instead of 32.)

# %%
theirs = np.array(cite("unet_log").value)
long_run, facts = (
    read_log(kept / "attempt9"),
    json.loads((kept / "attempt9" / "evaluation.json").read_text()),
)
figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
axes[0].plot(theirs, "o-", color=PALETTE[3], markersize=4)
axes[0].set(xlabel="row of the log", ylabel="loss", title="The report's log", ylim=(0, 260))
axes[1].plot(long_run["epoch"], long_run["val_loss"], "o-", color=PALETTE[0], markersize=4)
for (name, value), style in zip(facts["loss"].items(), ("--", ":"), strict=True):
    axes[1].axhline(value, color=INK, linestyle=style, linewidth=1, label=name.replace("_", " "))
axes[1].set(xlabel="epoch", ylabel="loss", title="Our attempt, and two constants")
axes[1].set_ylim(bottom=0)
axes[1].legend(loc="center right")
show(
    figure,
    "Left: the report's loss falls from 238 to 160 and 22 and stays there. Right: the loss of our "
    "attempt, with the losses of two constant predictors as horizontal lines.",
)
end = theirs[-5:].mean()
print(
    f"the report's log ends at {end:.1f}; our constant without absent classes costs {facts['loss']['constant_without_absent']:.1f}"
)
drop = theirs[0] - end
print(f"the report's fall: {drop:.0f} = {drop / weights.max():.1f} x {weights.max():.0f}")

# %% [markdown]
# The loss of our attempt stays at the higher of the two horizontal lines, the constant that gives every class a
# probability above zero. The authors trained for longer, and their loss fell. The printed line *the report's fall*
# compares this fall with the weight of *one absent class*: it is about three and a half times this weight. And the loss
# at the end is near the loss of the constant that gives absent classes zero. This fits one explanation: batch by batch,
# the network learnt that some classes are absent, and gave them a probability of exactly zero. Then such a class no
# longer costs its weight. What remains is the loss of a constant for the classes that are present. So the loss became
# about ten times smaller, although the network learnt nothing about the street. (This comparison is approximate: the
# weight of an absent class depends on the batch, and our batches are rendered.)
#
# | | the report's text | its code | here |
# |---|---|---|---|
# | loss | cross entropy, dice | one or the other, with weights of each batch, not divided by their sum | cross entropy, a weighted mean; the weights are those of all training frames |
# | absent class | – | counts in dice, with a weight of about 60 | no pixel, no loss |
# | image values | – | divided by 1000 | -1 to 1 |
# | normalization | – | none | batch normalization |
# | learning rate | – | 0.00001 (9 classes), 0.0005 (2 classes) | 0.001, falling |
#
# ## Exercises
#
# **1.** ★ *Predict first.* In training, batch normalization uses the mean of the batch. After training, it uses a
# running average. Each training step replaces the running average by 0.9 times its old value plus 0.1 times the mean of
# the batch. After how many steps is less than 5 % of the first value left in it?

# %% tags=["exercise"]
steps_to_forget = ...

# %% tags=["check"]
check("06.1", steps_to_forget)

# %% tags=["solution", "hide-cell"]
steps_to_forget = int(np.ceil(np.log(0.05) / np.log(0.9)))
print(steps_to_forget, "steps; the short runs have", STEPS * ROUNDS)
check("06.1", steps_to_forget)

# %% [markdown]
# **2.** ★★ Write a function for the dice loss of one class (weight 1) if the predictor is a constant.


# %% tags=["exercise"]
def constant_dice(q, s):
    """Loss of a class that covers the share s of the pixels and gets the probability q at all of them."""
    raise NotImplementedError


# %% tags=["check"]
check("06.2", constant_dice)


# %% tags=["solution", "hide-cell"]
def constant_dice(q, s):
    """The number of pixels cancels."""
    return 1 - 2 * q * s / (q + s)


check("06.2", constant_dice)

# %% [markdown]
# **3.** ★★ In a batch, 95 % of the pixels are background, and three of the nine classes are absent: rider, tricycle and
# bicycle. Before training, every class has a probability above zero. How much do the three absent classes together add
# to the dice loss of the attempt? Take the published formula for $w_c$ of notebook 03 (the one with the power 0.3), and
# round the sum to a whole number.

# %% tags=["exercise"]
loss_of_three = ...

# %% tags=["check"]
check("06.3", loss_of_three)

# %% tags=["solution", "hide-cell"]
one_weight = (0.95 / 1e-6) ** 0.3
loss_of_three = round(3 * one_weight)
print(f"each weighs {one_weight:.1f}")
check("06.3", loss_of_three)

# %% [markdown]
# **4.** ★★★ Each level of the way down has two 3x3 convolutions and then a pooling of 2x2 blocks. After $d$ poolings
# there are two more 3x3 convolutions at the bottom. One cell of the last map at the bottom depends on a square of input
# pixels. How many pixels long is one side of this square?


# %% tags=["exercise"]
def cells_seen(poolings):
    """Input pixels along one side that a cell at the bottom sees, after its two convolutions."""
    raise NotImplementedError


# %% tags=["check"]
check("06.4", cells_seen)


# %% tags=["solution", "hide-cell"]
def cells_seen(poolings):
    """Upwards from the bottom: a pooling doubles, two convolutions add 2 + 2."""
    seen = 1 + 4
    for _ in range(poolings):
        seen = 2 * seen + 4
    return seen


check("06.4", cells_seen)
deepest = len(attempt.architecture.widths) - 1
print(f"the bottom of the attempt: {cells_seen(deepest) * attempt.geometry.step} px of the frame")
field = receptive_field(attempt.architecture)
print(f"an output of the attempt: {field} cells = {field * attempt.geometry.step} px of the frame")

# %% [markdown]
# **5.** ★★ The U-Net gives each pixel a class, but no instance number. Write a function that gets a list of true labels
# and returns two numbers: the number of cars, and the number of connected pieces of *car* pixels. Then compare the two
# numbers for the held-out frames.


# %% tags=["exercise"]
def cars_and_pieces(labels):
    """Labels (H,W) of codes -> (number of cars, number of connected pieces of car), over all of them."""
    raise NotImplementedError


# %% tags=["check"]
check("06.5", cars_and_pieces)

# %% tags=["solution", "hide-cell"]
from scipy import ndimage


def cars_and_pieces(labels):
    """A car of two frames counts twice."""
    cars = [label // 1000 == 33 for label in labels]
    instances = sum(len(np.unique(label[car])) for label, car in zip(labels, cars, strict=True))
    return instances, sum(ndimage.label(car)[1] for car in cars)


check("06.5", cars_and_pieces)
cars, pieces = cars_and_pieces(truths)
print(f"{cars} cars, {pieces} pieces: some cars touch, others are divided by what is before them")

# %% [markdown]
# **6.** ★★★ *Open task.* Put the other two causes back, one at a time: images divided by 1000, and the published loss.
# First predict: which of the two prevents learning in these few steps? Then test it, also with `ROUNDS = 12`, and
# explain the result.

# %% [markdown] tags=["open"]
# *Your answer.*

# %% tags=["solution", "hide-cell"]
picture_scale, _, _, *published_loss = suspects
others = {"pictures / 1000": (picture_scale,), "the published loss": published_loss}
if profile() == "full":  # each takes a while
    for name, kept in others.items():
        print(name, round(stands_out(live(all_but(*kept))[1]), 3))

# %% [markdown] tags=["solution"]
# With the published loss, the network also learns to give car a higher probability at cars; only the values of the loss
# are different. Small image values prevent learning only in the first steps: batch normalization corrects the scale,
# but the weights of the first layer need some time.

# %% [markdown]
# ## You can now
#
# - compute the layers of a small U-Net by hand;
# - compute the loss of a constant predictor, and compare the loss of a network with it;
# - say whether a falling loss means that the network has learnt something;
# - plan an ablation when several causes act together.
