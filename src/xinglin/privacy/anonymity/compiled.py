"""The cutting of a table, compiled: the same steps as ``reference``, in place on rows of codes.

Only whole numbers decide between cuts; where shares are compared (t, entropy) both engines add the same
numbers in the same order. Importing this module loads the compiler.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xinglin.privacy.anonymity.coding import SCALE, TREE
from xinglin.privacy.anonymity.judging import holds

_SLOTS, _COUNTED = 256, 1 << 21
_KIND, _SIZE, _MISSING, _WEIGHT, _DEPTH, _TREE, _LINE = range(7)
_FIRST, _LAST, _COST = range(3)
_SPLIT, _KEEP_INSIDE, _KEEP_OUTSIDE = 0, 1, 2
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_PLACE_OF_BIT = np.zeros(64, dtype=np.int64)
for _bit in range(64):
    _PLACE_OF_BIT[((1 << _bit) * int(_DE_BRUIJN) & (2**64 - 1)) >> 58] = _bit
_jit = njit(cache=True, nogil=True)


@_jit
def _lost(shape, j, low, high):  # type: ignore[no-untyped-def]
    """What a group whose codes in column j lie in low … high loses a row, times the column's weight."""
    columns, nodes, place = shape
    if low == high:
        return 0
    if columns[j, _KIND] == TREE:
        return nodes[columns[j, _TREE] + low * columns[j, _DEPTH] + _meet(shape, j, low, high), _COST]
    if high == columns[j, _MISSING]:
        return columns[j, _WEIGHT] * SCALE
    return columns[j, _WEIGHT] * (place[columns[j, _LINE] + high] - place[columns[j, _LINE] + low])


@_jit
def _meet(shape, j, low, high):  # type: ignore[no-untyped-def]
    """The deepest level on which two different codes still have the same node."""
    columns, nodes, _ = shape
    level, depth = 0, columns[j, _DEPTH]
    one, other = columns[j, _TREE] + low * depth, columns[j, _TREE] + high * depth
    while level + 1 < depth and nodes[one + level + 1, _FIRST] == nodes[other + level + 1, _FIRST]:
        level += 1
    return level


@_jit
def _count(rows, begin, end, starts, counted, bits):  # type: ignore[no-untyped-def]
    """Count the codes of every column at once, and set a bit for each that occurs."""
    columns = len(starts) - 1
    for row in range(begin, end):
        for j in range(columns):
            at = starts[j] + np.int64(rows[row, j])
            counted[at] += 1
            bits[at >> 6] |= np.uint64(1) << np.uint64(at & 63)


@_jit
def _collect(begin, end, counted, bits, room):  # type: ignore[no-untyped-def]
    """What ``_count`` found between two places, ascending, and clear it; how many codes."""
    values, counts = room[0], room[1]
    found = 0
    for word in range(begin >> 6, end >> 6):
        left = bits[word]
        bits[word] = 0
        while left != 0:
            lowest = left & (~left + np.uint64(1))
            left ^= lowest
            at = (word << 6) + _PLACE_OF_BIT[(lowest * _DE_BRUIJN) >> np.uint64(58)]
            values[found], counts[found] = at - begin, counted[at]
            counted[at] = 0
            found += 1
    return found


@_jit
def _sort(rows, j, begin, end, room):  # type: ignore[no-untyped-def]
    """The codes that occur in a column far wider than the group, by sorting them; how many."""
    values, counts, sorting = room
    found, many = 0, end - begin
    for row in range(begin, end):
        sorting[row - begin] = rows[row, j]
    sorting[:many].sort()
    for at in range(many):
        if at == 0 or sorting[at] != sorting[at - 1]:
            values[found], counts[found] = sorting[at], 0
            found += 1
        counts[found - 1] += 1
    return found


@_jit
def _propose(cuts, number, every, gain, j, low, high, act):  # type: ignore[no-untyped-def]
    """Note a cut: all of them where more than k has to hold, else the best one; the first of equals."""
    if gain <= 0:
        return number
    if not every and number == 1:
        if gain <= cuts[0, 0]:
            return 1
        number = 0
    cuts[number, 0], cuts[number, 1], cuts[number, 2] = gain, j, low
    cuts[number, 3], cuts[number, 4] = high, act
    return number + 1


@_jit
def _possible(part, inside):  # type: ignore[no-untyped-def]
    """Whether cutting ``inside`` rows from a group leaves two groups, or one and few enough to suppress."""
    many, k, allowance, _ = part
    outside = many - inside
    if inside >= k:
        return outside >= k or 0 < outside <= allowance
    return outside >= k and 0 < inside <= allowance


@_jit
def _weigh(cuts, number, every, part, j, low, high, inside, saved_in, saved_out):  # type: ignore[no-untyped-def]
    """Judge the cut of a group into the codes low … high of column j and the others, by rows alone."""
    many, k, allowance, price = part
    outside = many - inside
    if inside >= k and outside >= k:
        return _propose(cuts, number, every, inside * saved_in + outside * saved_out, j, low, high, _SPLIT)
    if inside >= k and 0 < outside <= allowance:
        gain = inside * saved_in - outside * price
        return _propose(cuts, number, every, gain, j, low, high, _KEEP_INSIDE)
    if outside >= k and 0 < inside <= allowance:
        gain = outside * saved_out - inside * price
        return _propose(cuts, number, every, gain, j, low, high, _KEEP_OUTSIDE)
    return number


@_jit
def _cuts_of_tree(shape, j, part, found, values, counts, cuts, number, every):  # type: ignore[no-untyped-def]
    """Each child of the group's lowest common node against the others."""
    columns, nodes, _ = shape
    tree, depth = columns[j, _TREE], columns[j, _DEPTH]
    low, high = values[0], values[found - 1]
    whole = _lost(shape, j, low, high)
    below = _meet(shape, j, low, high) + 1
    children = 0
    for at in range(found):
        node = nodes[tree + values[at] * depth + below, _FIRST]
        if at == 0 or node != nodes[tree + values[at - 1] * depth + below, _FIRST]:
            children += 1
    at = 0
    while at < found:
        node = tree + values[at] * depth + below
        begin, inside = at, 0
        while at < found and values[at] <= nodes[node, _LAST]:
            inside += counts[at]
            at += 1
        most = (inside if children > 2 else part[0]) * whole
        if not _possible(part, inside) or (not every and number == 1 and most <= cuts[0, 0]):
            continue
        saved_in = whole - _lost(shape, j, values[begin], values[at - 1])
        saved_out = 0
        if children == 2:
            rest_low, rest_high = (values[at], high) if begin == 0 else (low, values[begin - 1])
            saved_out = whole - _lost(shape, j, rest_low, rest_high)
        number = _weigh(
            cuts, number, every, part, j, nodes[node, _FIRST], nodes[node, _LAST], inside, saved_in, saved_out
        )
    return number


@_jit
def _cuts_of_line(shape, j, part, found, values, counts, cuts, number, every):  # type: ignore[no-untyped-def]
    """Between each two neighbours; a missing value goes with either side, or stands alone."""
    columns, _, place = shape
    weight, line = columns[j, _WEIGHT], columns[j, _LINE]
    low, high = values[0], values[found - 1]
    gone = high == columns[j, _MISSING]
    present = found - 1 if gone else found
    top, lone = values[present - 1], (counts[found - 1] if gone else 0)
    begin, end = place[line + low], place[line + top]
    span = SCALE if gone else end - begin
    many, allowance = part[0], part[2]
    best = cuts[0, 0] if number == 1 and not every else 0
    before = 0
    for at in range(present - 1):
        before += counts[at]
        after = many - before - lone
        saved_low = weight * (span - (place[line + values[at]] - begin))
        saved_high = weight * (span - (end - place[line + values[at + 1]]))
        right = 0 if gone else saved_high
        if every or allowance > 0 or before * saved_low + (many - before) * right > best:
            number = _weigh(cuts, number, every, part, j, low, values[at], before, saved_low, right)
            best = cuts[0, 0] if number == 1 and not every else 0
        if gone and (every or allowance > 0 or after * saved_high > best):
            number = _weigh(cuts, number, every, part, j, values[at + 1], top, after, saved_high, 0)
            best = cuts[0, 0] if number == 1 and not every else 0
    if gone:
        saved_out = weight * (span - (end - begin))
        number = _weigh(cuts, number, every, part, j, high, high, lone, weight * SCALE, saved_out)
    return number


@_jit
def _move(rows, words, order, persons, shown, begin, end, cut, spare):  # type: ignore[no-untyped-def]
    """Bring the inside of a cut before the outside, each side in the order it had; where the outside begins.

    ``words``: the same memory as ``rows``, eight bytes at a time. Each row is written to both sides, and the
    place of one of them moves on: what is not asked cannot be guessed wrong by the processor.
    """
    j, low, high = cut
    words_spare, order_spare, persons_spare, shown_spare = spare
    width, keyed, columns = words.shape[1], len(persons) > 0, shown.shape[1]
    to, aside = np.int64(begin), np.int64(0)
    for row in range(begin, end):
        code = np.int64(rows[row, j])
        inside = np.int64(low <= code) & np.int64(code <= high)
        number = order[row]
        order_spare[aside], order[to] = number, number
        for at in range(width):
            word = words[row, at]
            words_spare[aside, at], words[to, at] = word, word
        if keyed:
            person = persons[row]
            persons_spare[aside], persons[to] = person, person
        for s in range(columns):
            value = shown[row, s]
            shown_spare[aside, s], shown[to, s] = value, value
        to += inside
        aside += 1 - inside
    order[to:end] = order_spare[:aside]
    words[to:end] = words_spare[:aside]
    if keyed:
        persons[to:end] = persons_spare[:aside]
    shown[to:end] = shown_spare[:aside]
    return to


@_jit
def _choose(rows, persons, shown, begin, end, cuts, number, tries, book, seen, stamp):  # type: ignore[no-untyped-def]
    """The first of the best cuts (at most ``tries`` of them) whose kept sides hold every rule; -1 for none."""
    for _ in range(min(number, tries)):
        best = -1
        for at in range(number):
            if cuts[at, 0] > 0 and (best < 0 or cuts[at, 0] > cuts[best, 0]):
                best = at
        cut = (cuts[best, 1], cuts[best, 2], cuts[best, 3])
        act = cuts[best, 4]
        good = act == _KEEP_OUTSIDE or holds(rows, persons, shown, begin, end, cut, True, book, seen, stamp)
        if good and act != _KEEP_INSIDE:
            good = holds(rows, persons, shown, begin, end, cut, False, book, seen, stamp)
        if good:
            return best
        cuts[best, 0] = 0
    return -1


@_jit
def _fill(rows, begin, end, starts, counted):  # type: ignore[no-untyped-def]
    """Count the codes of a group, every column in its own stretch of ``counted``."""
    counted[:] = 0
    columns = len(starts) - 1
    for row in range(begin, end):
        for j in range(columns):
            counted[starts[j] + rows[row, j]] += 1


@_jit
def _price(rows, begin, end, shape):  # type: ignore[no-untyped-def]
    """What losing a row of a group altogether would cost, beyond what it loses already."""
    price = 0
    for j in range(len(shape[0])):
        low, high = np.int64(rows[begin, j]), np.int64(rows[begin, j])
        for row in range(begin + 1, end):
            code = np.int64(rows[row, j])
            low = min(low, code)
            high = max(high, code)
        price += shape[0][j, _WEIGHT] * SCALE - _lost(shape, j, low, high)
    return price


@_jit
def _gather(rows, begin, end, part, shape, known, starts, scratch, room, cuts, every):  # type: ignore[no-untyped-def]
    """The cuts that a group allows by its rows; how many."""
    values, counts = room[0], room[1]
    counted, bits = scratch
    number, n = 0, end - begin
    narrow = len(bits) <= 2 * n + 16
    if len(known) == 0 and narrow:
        _count(rows, begin, end, starts, counted, bits)
    for j in range(len(shape[0])):
        found = 0
        if len(known):
            for code in range(shape[0][j, _SIZE]):
                count = known[starts[j] + code]
                if count > 0:
                    values[found], counts[found] = code, count
                    found += 1
        elif narrow:
            found = _collect(starts[j], starts[j + 1], counted, bits, room)
        else:
            found = _sort(rows, j, begin, end, room)
        if found < 2:
            continue
        if shape[0][j, _KIND] == TREE:
            number = _cuts_of_tree(shape, j, part, found, values, counts, cuts, number, every)
        else:
            number = _cuts_of_line(shape, j, part, found, values, counts, cuts, number, every)
    return number


@_jit
def _rooms(rows, size, length, every):  # type: ignore[no-untyped-def]
    """Room to work in: (values, counts, sorting), and for the cuts."""
    widest, most = 1, 4
    for j in range(len(size)):
        widest = max(widest, size[j])
        most += 2 * min(size[j], length) + 1
    values, counts = np.empty(widest + 1, dtype=np.int64), np.empty(widest + 1, dtype=np.int64)
    return (values, counts, np.empty(length, dtype=rows.dtype)), np.empty((most if every else 1, 5), dtype=np.int64)


@_jit
def _places(size):  # type: ignore[no-untyped-def]
    """Where each column's counts begin, every column at a word of bits of its own."""
    starts = np.zeros(len(size) + 1, dtype=np.int64)
    for j in range(len(size)):
        starts[j + 1] = starts[j] + (size[j] + 63) // 64 * 64
    return starts


@_jit
def _release(free, slot):  # type: ignore[no-untyped-def]
    """Give a slot for counts back; ``free``: a stack of the free ones, its height last."""
    if slot >= 0:
        free[free[-1]] = slot
        free[-1] += 1


@_jit
def _hand_down(rows, begin, middle, end, starts, slot, counted, free):  # type: ignore[no-untyped-def]
    """Counts of the two sides of a cut: the smaller side's are counted, the larger side's are what remains.

    ``slot``: where the whole group's counts lie (-1: nowhere); gives the slots of the two sides. Sides for
    which reading the rows again is cheaper get none. ``free``: a stack of free slots, its height last.
    """
    total, columns = counted.shape[1], len(starts) - 1
    small_first = middle - begin <= end - middle
    small = middle - begin if small_first else end - middle
    large = end - begin - small
    mine, other = -1, slot
    top = free[-1]
    if slot >= 0 and (top == 0 or large * columns < total):
        _release(free, slot)
        other = -1
    elif slot >= 0:
        mine = free[top - 1]
        free[-1] = top - 1
        if small_first:
            _fill(rows, begin, middle, starts, counted[mine])
        else:
            _fill(rows, middle, end, starts, counted[mine])
        for at in range(total):
            counted[other, at] -= counted[mine, at]
        if small * columns < total:
            _release(free, mine)
            mine = -1
    return (mine, other) if small_first else (other, mine)


@_jit
def cut_table(rows, words, order, persons, shown, edge, span, settings, shape, book):  # type: ignore[no-untyped-def]
    """Cut rows ``span[0]`` … ``span[1]``-1 until no cut is left; ``edge`` marks where classes begin.

    ``words``: the memory of ``rows`` as uint64; columns beyond those of ``shape`` only fill the last word.
    ``edge``: 1 a class begins here, 2 suppressed rows, 3 a group left for later because it has no more than
    ``stop`` rows. ``settings``: (every cut is to be judged, tries, stop, allowance, widest sensitive column).
    """
    every, tries, stop, allowance, widest = settings
    k, length, columns = book[0], span[1] - span[0], len(shape[0])
    room, cuts = _rooms(rows, shape[0][:, _SIZE], length, every)
    seen = np.zeros((shown.shape[1], widest), dtype=np.int64)
    stamp = np.zeros((shown.shape[1], widest), dtype=np.int64)
    spare = (np.empty_like(words[:length]), np.empty_like(order[:length]), np.empty_like(persons[:length]),
             np.empty_like(shown[:length]))  # fmt: skip
    starts = _places(shape[0][:, _SIZE])
    scratch = (np.zeros(starts[columns], dtype=np.int32), np.zeros(starts[columns] >> 6, dtype=np.uint64))
    slots = max(1, min(_SLOTS, _COUNTED // max(starts[columns], 1)))
    counted = np.zeros((slots, starts[columns]), dtype=np.int32)
    free = np.arange(slots + 1)
    slot = -1
    if slots > 2 and length * columns >= starts[columns]:
        free[-1] = slot = slots - 1
        _fill(rows, span[0], span[1], starts, counted[slot])
    waiting = [(span[0], span[1], allowance, slot)]
    while len(waiting) > 0:
        begin, end, allowed, slot = waiting.pop()
        n = end - begin
        edge[begin] = 3 if n <= stop else 1
        best = -1
        known = counted[slot] if slot >= 0 else counted[0, :0]
        if n > stop and n > k and (allowed > 0 or n >= 2 * k):
            part = (n, k, allowed, _price(rows, begin, end, shape) if allowed > 0 else 0)
            best = _gather(rows, begin, end, part, shape, known, starts, scratch, room, cuts, every) - 1
            if every:
                best = _choose(rows, persons, shown, begin, end, cuts, best + 1, tries, book, seen, stamp)
        if best < 0:
            _release(free, slot)
            continue
        cut, act = (cuts[best, 1], cuts[best, 2], cuts[best, 3]), cuts[best, 4]
        middle = _move(rows, words, order, persons, shown, begin, end, cut, spare)
        inside, outside = _hand_down(rows, begin, middle, end, starts, slot, counted, free)
        if act == _SPLIT:
            share = allowed * (middle - begin) // n
            waiting.append((middle, end, allowed - share, outside))
            waiting.append((begin, middle, share, inside))
        elif act == _KEEP_INSIDE:
            edge[middle] = 2
            _release(free, outside)
            waiting.append((begin, middle, allowed - (end - middle), inside))
        else:
            edge[begin] = 2
            _release(free, inside)
            waiting.append((middle, end, allowed - (middle - begin), outside))
