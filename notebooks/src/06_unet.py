# %% [markdown]
# # 06 · The U-Net that did not converge
#
# ## The question
#
# The graph cuts of notebook 05 knew colours and places. A network can learn what a car *looks* like. The report tried
# a U-Net, with cross entropy and with dice, and says in a sentence that it did not converge. Such a sentence costs a
# student a week. Why did it not? We repeat the attempt, ask the network what it has learnt, and take the causes away
# one at a time, until it works. (Report, section 2.2, Fig 2.)
#
# ## The idea in five lines
#
# A U-Net goes down and up. On the way **down**, convolutions look at the picture, and each pooling halves it: the deeper,
# the more of the street a cell sees. On the way **up**, the map is doubled again, and what the same level saw on the way
# down is **copied** beside it, so that fine edges are not lost. At the end each pixel $p$ has a score for each class
# $c$, and the softmax makes probabilities $q_{pc}$ of them. With the truth $t_{pc}$ (1 for the right class, else 0):
#
# $$L_{CE} = -\frac{1}{N} \sum_p \sum_c w_c \, t_{pc} \log q_{pc}, \qquad
# L_{dice} = \sum_c w_c \Big(1 - \frac{2 \sum_p q_{pc} t_{pc}}{\sum_p q_{pc} + \sum_p t_{pc}}\Big)$$
#
# Cross entropy asks every pixel, dice every class. $w_c$ is a weight, larger for rare classes.

# %%
from wadlib.training import deterministic, quiet, read_log

quiet()  # before the first import of Keras: TensorFlow greets with a dozen lines
deterministic(0)

from dataclasses import replace

import numpy as np
import pandas as pd
from keras import ops
from matplotlib import pyplot as plt

from wadlib.course import cite, is_rendered, open_data, prepared, profile, project_root, show
from wadlib.figures import INK, PALETTE, draw_class_legend, draw_label, draw_unet, plot_style
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
    load_unet,
    one_hot,
    predict,
    predict_label,
    receptive_field,
    recipe,
    ronneberger,
    stages,
    train_unet,
    watch_gradients,
)

plot_style()

# %% [markdown]
# ## By hand
#
# The smallest U there is: one pooling, one channel, no biases. The picture is 4x4 with a bright block. The first
# convolution takes from each pixel its left neighbour, so it answers where the picture gets brighter to the right:

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
# Do it on paper first; each number is one step. Note what the pooling forgot: *where* in its block the edge was.
# The copy still knows. Now the library's network with these four kernels:

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
# And the losses, for somebody who has learnt **nothing**: the same $q_c$ at every pixel. Of $N$ pixels a share $s$ is
# car. The sums in dice become $N q s$, $N q$ and $N s$, so car costs $1 - 2qs/(q+s)$. Try it with $s = 1/20$:

# %%
s = 1 / 20
for q in (1, 1 / 2, 1 / 20):
    print(f"q = {q:4.2f}: car costs 1 - {2 * q * s / (q + s):.3f} = {1 - 2 * q * s / (q + s):.3f}")
assert 1 - 2 * s * s / (s + s) == 1 - s
assert all(1 - 2 * q * s / (q + s) > 1 - 2 * s for q in np.linspace(0.01, 1, 100))

# %% [markdown]
# A rare class costs nearly its whole weight, *whatever* a constant says: between $1 - 2s$ and 1. And a class that is not in
# the picture at all ($s = 0$) costs exactly $w_c$, unless $q_c$ is zero to the last digit. Keep both in mind.
#
# ## The library on a real frame
#
# The authors' published code shows what they trained. The network sees rows 1560 to 2280 at an eighth of the resolution. It
# has nine outputs, background and the classes 33 to 40. Drawn from its tensors, with their true shapes:

# %%
attempt = recipe("attempt9")
figure, axes = plt.subplots(figsize=(10, 5))
draw_unet(axes, stages(attempt.build()), "The U-Net of the attempt")
show(
    figure,
    "A U of boxes: on the way down the map shrinks from 90x422 pixels to 12x53 while the channels grow from 64 "
    "to 1024, on the way up it grows back, joined by copies from the left arm; nine channels at the end.",
)
a = attempt.architecture
print(f"pictures times {a.scale:g}, activation {a.activation}, biases {a.bias}")
print(f"normalisation: {a.normalisation}; Adam with a learning rate of {attempt.learning_rate:g}")

# %% [markdown]
# With 64 to 1024 channels and 32 frames, a single step takes a minute and more on a laptop. For the live part of this
# notebook we divide all channels by 8, halve the resolution and let a batch have 3 frames. **These runs are quick ones**:
# they show how training *starts*. The long runs come below.

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
# Now the attempt. Once in every few steps we look at the loss, and at the **softmax**: which probability does the network
# give to *car* at the pixels of cars, and which anywhere? Whoever has learnt what cars look like has two different
# numbers there.


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
# Nothing moves. Is that *nothing learnt*? By hand we saw what a constant costs; the library finds the cheapest one for the very labels that
# we watch. There are two: one that gives every class a little, and one that gives the absent classes
# exactly nothing and so saves their weights.

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
# It starts beside the constant and stays there. Does it get any signal? The gradient says how the loss
# would change with each layer's weights:

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
# So the gradient is alive everywhere. But look at the step: Adam moves each weight by about the learning rate,
# whatever the gradient's size.
#
# ### One cause at a time
#
# There are five suspects. We take each away from the attempt, alone, and see whether car begins to stand out.

# %%
L = quick.loss
suspects = {
    "pictures / 1000": lambda r: r.replace(
        architecture=r.architecture.replace(scale=1 / 127.5, offset=-1.0)
    ),
    "learning rate 1e-5": lambda r: r.replace(learning_rate=2e-3),
    "no normalisation": lambda r: r.replace(
        architecture=r.architecture.replace(normalisation="batch")
    ),
    "weights from the batch, no mean": lambda r: r.replace(
        loss=r.loss | {"class_weights": None, "normalise": True}
    ),
    "dice counts absent classes": lambda r: r.replace(
        loss=r.loss | {"absent": "skip", "per_image": False, "cross_entropy": 1.0}
    ),
}
for name, take_away in suspects.items():
    _, logs[f"without: {name}"] = live(take_away(quick))

# %% [markdown]
# Each loss has another scale, so we divide it by what its own constant predictor costs: 1 is *nothing learnt*. On the
# right the question that needs no scale: how much more probability does car get at cars than anywhere?


# %%
def draw_logs(title, runs):
    """Loss over its constant predictor's, and how far car stands out, for some runs."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.9))
    styles = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1))]
    for number, (name, (a_recipe, log)) in enumerate(runs.items()):
        style = {"color": PALETTE[number], "linestyle": styles[number % 6], "label": name}
        taken = log["epoch"] * STEPS
        axes[0].plot(taken, log["val_loss"] / constant(a_recipe.loss), **style)
        axes[1].plot(taken, log["softmax/car"] - log["softmax/car anywhere"], **style)
    axes[0].axhline(1, color=INK, linewidth=0.8)
    axes[0].set(xlabel="steps", title="loss / the constant predictor's")
    axes[1].set(xlabel="steps", title="softmax of car: at cars less anywhere", ylim=(-0.05, 0.5))
    axes[1].legend(fontsize=8, title=title, loc="upper left")
    for ax in axes:
        ax.locator_params(axis="x", integer=True)
    return figure


recipes = {"the attempt": quick} | {f"without: {n}": f(quick) for n, f in suspects.items()}
figure = draw_logs("quick runs", {name: (recipes[name], logs[name]) for name in recipes})
show(
    figure,
    "Left: the loss of six quick runs over their constant predictors. Right: none of the six "
    "gives car more probability at cars than anywhere.",
)

# %% [markdown]
# Not one of them helps alone! With a larger learning rate the loss does fall, and lands *on* the constant predictor: the
# network uses its new freedom to learn how frequent the classes are, and nothing else. So turn it round. Take **all** away,
# which is our cure, and put one back at a time. We show two; exercise 5 asks for the others.

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
    "the cure": cured,
    "with: learning rate 1e-5": all_but(rate),
    "with: no normalisation": all_but(plain),
}
for name, a_recipe in recipes.items():
    _, logs[name] = live(a_recipe)
figure = draw_logs("quick runs", {name: (recipes[name], logs[name]) for name in recipes})
show(
    figure,
    "Left: losses over the constant predictor's. Right: car stands out in the cure, "
    "but not with the small learning rate and not without normalisation.",
)

# %% [markdown]
# In so few steps nothing moves with the authors' learning rate, and without normalisation everything slides onto the constant:
# **either alone is enough to hold it back**, so taking away one cause at a time could not help. (That the cure's loss is above
# 1 at first is the lag of batch normalisation's running averages: exercise 3.)


# %%
def stands_out(log):
    """How much more probability car has at cars than anywhere, on average over the second half."""
    half = log.iloc[len(log) // 2 :]
    return (half["softmax/car"] - half["softmax/car anywhere"]).mean()


gain = pd.Series({name: stands_out(log) for name, log in logs.items()})
if is_rendered():
    assert gain["the cure"] > 0.03
    assert gain[["the attempt", "with: learning rate 1e-5", "with: no normalisation"]].max() < 0.02
gain.to_frame("car at cars less anywhere").round(3)

# %% [markdown]
# ### The cure, in earnest
#
# A long run used the five cures and our seven classes. Its pictures are windows around objects, a rare class as often as a
# frequent one, and the class weights are those of the whole training set. It ran once, on rendered videos of another
# seed; the commands, the machine, its log and its weights are in `results/unet`. So these curves are read from a file, and
# the predictions below are computed here and now.

# %%
import json

kept = project_root() / "results" / "unet"
model, long_recipe = load_unet(kept / "cured")
log = read_log(kept / "cured")
figure, axes = plt.subplots(figsize=(8.6, 3.2))
axes.plot(log["epoch"], log["loss"], "-", color=PALETTE[0], label="training")
axes.plot(log["epoch"], log["val_loss"], "--", color=PALETTE[1], label="other videos")
axes.set(xlabel="epoch", ylabel="loss", title="The long run of the cure")
axes.set_ylim(bottom=0)
axes.legend()
show(
    figure,
    "Training and validation loss of the cured U-Net fall together, steeply at first and then slowly.",
)
print(
    f"{model.count_params():,} weights, pictures of {long_recipe.geometry.width}x{long_recipe.geometry.height}"
)

# %% [markdown]
# What is it worth? We let it label held-out frames, which it has never seen: they are of another seed. Beside it the attempt
# (its quick run) and the unary of notebook 05, which knew colours and places.

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
    "the cured U-Net": [predict_label(model, x, long_recipe.geometry) for x in images],
}

# %% [markdown]
# And the graph cut? Its terms want costs, and a probability is a cost: $D_p(c) = -\log q_{pc}$. So the U-Net takes the
# place of the colours, and α-expansion smooths what it says.

# %%
LAMBDA = 1.0  # nats that two different neighbours pay where the picture is smooth
rows = slice(365, 557)  # the strip, in network pixels: elsewhere all is background


def smooth(image):
    """The U-Net's label of a frame after α-expansion."""
    costs = unary_from_probabilities(predict(model, image, long_recipe.geometry))
    seen = long_recipe.geometry.picture(image)  # as many pixels as there are costs
    f = alpha_expansion(costs, LAMBDA, contrast_weights(seen)).labels
    return label_from_indices(long_recipe.geometry.to_frame(f.astype(np.uint8), image.shape[:2]))


labels["the cured U-Net + α-expansion"] = [smooth(image) for image in images]


# %%
def scores(predictions):
    """Report-IoU per class, and their mean."""
    iou = report_iou([Overlap.from_labels(*pair) for pair in zip(truths, predictions, strict=True)])
    return {CLASSES[c].name: iou[c] for c in IDS} | {"mean": mean_iou(iou)}


table = pd.DataFrame({name: scores(predictions) for name, predictions in labels.items()})
if is_rendered():  # the U-Net has never seen a real street
    assert table.loc["mean", "the cured U-Net"] > table.loc["mean", "colours and places (05)"]
    assert table.loc["mean", "the cured U-Net"] >= 3 * table.loc["mean", "the attempt"]
table.T.round(3)

# %% [markdown]
# Read the rows, not only the means. The U-Net is above colours and places almost everywhere. The graph cut mends cars, and
# pays with the smallest things: a bicycle of a few pixels is all boundary, and boundary is what it charges for. A
# tricycle is hardly found by anyone.

# %%
number = int(np.argmax([np.isin(truth // 1000, IDS).sum() for truth in truths]))
shown = {"the truth": truths} | labels
figure, axes = plt.subplots(6, 1, figsize=(8.6, 11.2), height_ratios=[9] * 5 + [1])
for ax, (name, maps) in zip(axes, shown.items(), strict=False):
    draw_label(ax, maps[number][rows], name, by="class")
draw_class_legend(axes[-1])
show(
    figure,
    "Five label maps of one held-out strip. The attempt's is a meaningless checkerboard, the unary's is speckled, the cured "
    "U-Net finds the near car and pieces of what stands behind it, and α-expansion cleans their borders.",
)

# %% [markdown]
# Step through held-out frames: blue pixels are right, striped ones are missed, crossed ones are a false alarm.

# %%
from wadlib.viewer import MaskViewer


def ours(frame):
    """The instances of a frame: connected pieces of the cured U-Net's label."""
    return predict_label(model, frame, long_recipe.geometry, instances=True)


MaskViewer(frames[:6], prediction=ours, mode="errors", title="the cured U-Net")

# %% [markdown]
# ## The report's figure beside ours
#
# Fig 2 of the report is the paper's own drawing. Here it is, drawn from the tensors of that network: valid convolutions lose a
# frame at each step, so copies are cropped, and of 572 pixels 388 come out.

# %%
figure, axes = plt.subplots(figsize=(10, 5.6))
draw_unet(axes, stages(build_unet(ronneberger())), "Fig 2: U-Net (Ronneberger et al., 2015)")
show(
    figure,
    "The letter U with the shapes of every tensor: from 572x572 down to 28x28 with 1024 channels, and up again to "
    "388x388 with two.",
)

# %% [markdown]
# The report's text says that training did not converge. Its published code keeps the log, and there is a story in it. Beside
# it the attempt as it was published, full width, on rendered videos (a long run, from a file; its batches
# have 4 frames instead of 32, or it would have taken days):

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
axes[1].set(xlabel="epoch", ylabel="loss", title="Our attempt, and who learnt nothing")
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
# Our attempt sits on the upper line from its first step to its last. Theirs, trained for longer, fell, and the last
# line tells how far: about three and a half times the weight of *one absent class*, to where a constant without absent
# classes ends. So it did not learn to see. It learnt, batch by batch, that some classes are not there at all, and
# gave them zero to the last digit; each such class then stopped to cost its weight. What is left is what present classes
# cost a predictor that is constant. The authors watched a number fall tenfold that said nothing about the street, and then
# stand still: "did not converge" is what anyone would write. Text, code and log agree; the cause was in
# none of them. (What one absent class weighs depends on the batch; ours are rendered, so read "about".)
#
# | | the report's text | its code | here |
# |---|---|---|---|
# | loss | cross entropy, dice | one or the other, with weights of each batch, not divided by their sum | cross entropy, a proper mean; the weights are those of all training frames |
# | absent class | – | counts in dice, with a weight of about 60 | no pixel, no loss |
# | picture | – | divided by 1000 | -1 to 1 |
# | normalisation | – | none | batch normalisation |
# | learning rate | – | 0.00001 (9 classes), 0.0005 (2 classes) | 0.001, falling |
#
# ## Exercises
#
# **1.** How much of the street does one output pixel of the attempt see, in pixels of the full frame? Is that enough for a
# bus that stands right in front of the car?

# %% tags=["solution", "hide-cell"]
field = receptive_field(attempt.architecture)
print(f"{field} cells of {attempt.geometry.step} pixels = {field * attempt.geometry.step} pixels")
assert receptive_field(attempt.architecture.replace(widths=(64, 256))) < field, "depth makes it"

# %% [markdown]
# **2.** A batch holds neither riders nor tricycles nor bicycles, and background covers 95 % of it. How much of the attempt's loss do
# the three absent classes make up before training? Compute it from the formula of the weights.

# %% tags=["solution", "hide-cell"]
weight = (0.95 / 1e-6) ** 0.3
print(f"each weighs {weight:.1f}, together {3 * weight:.0f}")
assert np.isclose(weight, (0.95 * 1e6) ** 0.3)

# %% [markdown]
# **3.** In the quick run of the cure, the *training* loss is below the validation loss from the first steps on, though nothing can be
# overfitted yet. Batch normalisation uses the batch's mean in training, and a running average (momentum 0.9)
# afterwards. How many steps does it take until the average has forgotten 95 % of its first value?

# %% tags=["solution", "hide-cell"]
steps = int(np.ceil(np.log(0.05) / np.log(0.9)))
print(steps, "steps; the quick runs have", STEPS * ROUNDS)
assert 0.9**steps < 0.05 < 0.9 ** (steps - 1)

# %% [markdown]
# **4.** The U-Net says *car* per pixel. Take the truth itself as its prediction: how many cars remain if two that touch
# become one? Count connected pieces of car against instances, over the held-out frames.

# %% tags=["solution", "hide-cell"]
from scipy import ndimage

instances = pieces = 0
for truth in truths:
    codes = truth[truth // 1000 == 33]
    instances += len(np.unique(codes))
    pieces += ndimage.label(truth // 1000 == 33)[1]
print(
    f"{instances} cars, {pieces} connected pieces: some cars touch, others are cut by what stands before them"
)

# %% [markdown]
# **5.** Put the other causes back into the cure: pictures divided by 1000, and the published loss. Which of the two holds the network back
# in these few steps, and does it still with `ROUNDS = 12`?

# %% tags=["solution", "hide-cell"]
picture_scale, _, _, *published_loss = suspects
others = {"pictures / 1000": (picture_scale,), "the published loss": published_loss}
if profile() == "full":  # each takes a while
    for name, kept in others.items():
        print(name, round(stands_out(live(all_but(*kept))[1]), 3))
# With the published loss car stands out as well, on another scale. Small pictures hold it back for these steps only:
# batch normalisation undoes the factor, and the first layer's weights need some time.
