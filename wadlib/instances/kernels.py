"""The three inner loops of the instance metrics, compiled with numba.

Each works on flat arrays and allocates nothing.
"""

from typing import Any

from wadlib._shared.compiled import jit


@jit
def runs_of_strings(chars: Any, string_ends: Any, pixels: int, starts: Any, ends: Any, offsets: Any) -> int:
    """Turn COCO's compressed run lengths, several strings one after the other, into runs of ones.

    The format (``rleToString`` in COCO's ``maskApi.c``): run lengths of zeros and ones in turn, from
    the third on as the difference to the one two before; each as groups of five bits, lowest first,
    bit 6 saying that another group follows, plus 48 to be printable.

    Parameters
    ----------
    chars : (C,) uint8, all strings; string_ends : (N,) where each ends
    pixels : how many pixels each mask has
    starts, ends : (C,), written: half-open runs of ones
    offsets : (N+1,), written: runs ``offsets[n]:offsets[n+1]`` belong to mask n

    Returns
    -------
    -1, or the number of the first string that is no mask of that many pixels
    """
    position, run = 0, 0
    offsets[0] = 0
    for n in range(len(string_ends)):
        pixel, index, one_before, two_before = 0, 0, 0, 0
        first = run
        while position < string_ends[n]:
            # A number: five bits to a character, least first, a sixth says that more follow.
            length, shift, more = 0, 0, True
            while more:
                if position == string_ends[n] or shift > 30:
                    return n
                group = int(chars[position]) - 48
                if group < 0 or group > 63:
                    return n
                length |= (group & 31) << shift
                more = (group & 32) != 0
                position += 1
                shift += 5
                if not more and (group & 16) != 0:
                    length -= 1 << shift  # a negative difference: carry the sign on
            # From the third on it is the difference to the number two before; odd ones are runs of ones.
            if index > 2:
                length += two_before
            if length < 0 or length > pixels - pixel:
                return n
            if index % 2 == 1 and length > 0:
                if run > first and ends[run - 1] == pixel:  # after zero zeros
                    ends[run - 1] = pixel + length
                else:
                    starts[run] = pixel
                    ends[run] = pixel + length
                    run += 1
            pixel += length
            two_before = one_before
            one_before = length
            index += 1
        if pixel != pixels:
            return n
        offsets[n + 1] = run
    return -1


@jit
def intersect_runs(
    starts_a: Any, ends_a: Any, offsets_a: Any, starts_b: Any, ends_b: Any, offsets_b: Any, shared: Any
) -> None:
    """Write to ``shared[i, j]`` how many pixels mask i of one set and mask j of another have in common."""
    for i in range(len(offsets_a) - 1):
        for j in range(len(offsets_b) - 1):
            a, last_a = offsets_a[i], offsets_a[i + 1]
            b, last_b = offsets_b[j], offsets_b[j + 1]
            pixels = 0
            # Objects side by side have no column in common: most pairs end here.
            if a < last_a and b < last_b and starts_a[a] < ends_b[last_b - 1] and starts_b[b] < ends_a[last_a - 1]:
                while a < last_a and b < last_b:
                    low = max(starts_a[a], starts_b[b])
                    high = min(ends_a[a], ends_b[b])
                    if high > low:
                        pixels += high - low
                    if ends_a[a] < ends_b[b]:
                        a += 1
                    else:
                        b += 1
            shared[i, j] = pixels


@jit
def match_greedily(
    iou: Any,
    truth_class: Any,
    found_class: Any,
    ignore_share: Any,
    truth_out: Any,
    thresholds: Any,
    taken: Any,
    matched: Any,
    ignored: Any,
) -> None:
    """Match the instances of one frame greedily as COCO does (``COCOeval.evaluateImg``), at all sizes and thresholds.

    The detection with the highest score chooses first. It takes the free object of its class that it overlaps most,
    if by the threshold or more; only where there is none, one that does not count here (of another
    size), or the ignore region, which anyone may take any number of times.

    Parameters
    ----------
    iou : (G,D) IoU of each true object with each detection; detections sorted by falling score
    truth_class, found_class : (G,), (D,)
    ignore_share : (D,) share of each detection's pixels whose truth is IGNORE
    truth_out : (A,G) bool, object g does not count in size bin a
    thresholds : (T,)
    taken : (G,) bool, work space
    matched, ignored : (D,A) uint16, all zero; bit t is set where detection d is matched, and where that
        match does not count, at threshold t
    """
    sizes, objects = truth_out.shape
    for a in range(sizes):
        for t in range(len(thresholds)):
            taken[:] = False
            for d in range(len(found_class)):
                best, which = thresholds[t], -1
                for g in range(objects):
                    if not truth_out[a, g] and not taken[g] and truth_class[g] == found_class[d] and iou[g, d] >= best:
                        best, which = iou[g, d], g
                on_ignore = False
                if which < 0:
                    for g in range(objects):
                        if truth_out[a, g] and not taken[g] and truth_class[g] == found_class[d] and iou[g, d] >= best:
                            best, which = iou[g, d], g
                    on_ignore = ignore_share[d] >= best
                    if on_ignore:
                        which = -1  # the region is the last of COCO's list, and is never used up
                if which >= 0:
                    taken[which] = True
                if which >= 0 or on_ignore:
                    matched[d, a] |= 1 << t
                    if on_ignore or truth_out[a, which]:
                        ignored[d, a] |= 1 << t
