"""The cutting of a table, compiled: the same steps as ``reference``, in place on rows of codes.

Only whole numbers decide between cuts; where shares are compared (t, entropy) both engines add the same
numbers in the same order. Importing this module loads the compiler.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xinglin.privacy.anonymity.coding import SCALE, TREE

_SLOTS, _COUNTED = 256, 1 << 21
_KIND, _SIZE, _MISSING, _WEIGHT, _DEPTH, _TREE, _LINE = range(7)
_FIRST, _LAST, _COST = range(3)
_SPLIT, _KEEP_INSIDE, _KEEP_OUTSIDE = 0, 1, 2
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
def _tally(rows, j, begin, end, low, high, histogram, values, counts, sorting):  # type: ignore[no-untyped-def]
    """The codes that occur in column j and how often, ascending; how many there are."""
    many = end - begin
    width = high - low + 1
    found = 0
    if width <= 4 * many + 256:
        for row in range(begin, end):
            histogram[rows[row, j] - low] += 1
        for code in range(width):
            if histogram[code] > 0:
                values[found], counts[found] = code + low, histogram[code]
                histogram[code] = 0
                found += 1
        return found
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
        if not _possible(part, inside):
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
    low, high = values[0], values[found - 1]
    whole = _lost(shape, j, low, high)
    gone = high == shape[0][j, _MISSING]
    present = found - 1 if gone else found
    top = values[present - 1]
    lone = counts[found - 1] if gone else 0
    many = part[0]
    before = 0
    for at in range(present - 1):
        before += counts[at]
        after = many - before - lone
        if not _possible(part, before) and not (gone and _possible(part, after)):
            continue
        saved_low = whole - _lost(shape, j, low, values[at])
        saved_high = whole - _lost(shape, j, values[at + 1], top)
        right = 0 if gone else saved_high
        number = _weigh(cuts, number, every, part, j, low, values[at], before, saved_low, right)
        if gone:
            number = _weigh(cuts, number, every, part, j, values[at + 1], top, after, saved_high, 0)
    if gone:
        saved_out = whole - _lost(shape, j, low, top)
        number = _weigh(cuts, number, every, part, j, high, high, lone, whole, saved_out)
    return number


@_jit
def _count_side(rows, persons, shown, begin, end, cut, inside, seen, stamp):  # type: ignore[no-untyped-def]
    """Persons on one side of a cut, and how many of them show each sensitive value; rows where no key is given."""
    j, low, high = cut
    keyed = len(persons) > 0
    found, latest = 0, -1
    for row in range(begin, end):
        if j >= 0 and (low <= rows[row, j] <= high) != inside:
            continue
        person = persons[row] if keyed else row
        if person != latest:
            found += 1
            latest = person
        for s in range(shown.shape[1]):
            code = shown[row, s]
            if not keyed or stamp[s, code] != found:
                stamp[s, code] = found
                seen[s, code] += 1
    return found


@_jit
def _diverse(seen, found, size, rule, cl, logs):  # type: ignore[no-untyped-def]
    """Whether the values that a class shows are l-diverse; rule: (kind, l), kinds as ``rulebook`` numbers them."""
    distinct, total, entropy = 0, 0, 0
    for code in range(size):
        if seen[code] > 0:
            distinct += 1
            total += seen[code]
        if seen[code] == found:
            return False
    kind, least = rule
    if distinct < least:
        return False
    if kind == 1:
        for code in range(size):
            entropy += logs[seen[code]]
        # logs are rounded to the nearest: half a unit each is allowed for.
        return logs[total] - entropy + distinct + 1 >= total * cl[0]
    if kind == 2:
        ordered = np.sort(seen[:size])
        tail = 0
        for at in range(size - least + 1):
            tail += ordered[at]
        return ordered[size - 1] * cl[1] < cl[0] * tail
    return True


@_jit
def _close(seen, size, whole, limit, distance, tree):  # type: ignore[no-untyped-def]
    """Whether a class's values lie within ``limit`` of the whole table's; distances as ``rulebook`` numbers them."""
    mine, all_ = 0, 0
    for code in range(size):
        mine += seen[code]
        all_ += whole[code]
    moved = 0.0
    if distance == 0:
        for code in range(size):
            moved += float(abs(seen[code] * all_ - whole[code] * mine))
        return moved <= limit * 2.0 * float(mine) * float(all_)
    if distance == 1:
        ahead = 0
        for code in range(size - 1):
            ahead += seen[code] * all_ - whole[code] * mine
            moved += float(abs(ahead))
        return moved <= limit * float(max(size - 1, 1)) * float(mine) * float(all_)
    at = 0
    while at < len(tree):
        parent, up, down = tree[at, 0], 0.0, 0.0
        height = float(tree[at, 3]) / float(tree[at, 4])
        while at < len(tree) and tree[at, 0] == parent:
            extra = 0
            for code in range(tree[at, 1], tree[at, 2] + 1):
                extra += seen[code] * all_ - whole[code] * mine
            if extra > 0:
                up += float(extra)
            else:
                down -= float(extra)
            at += 1
        moved += height * min(up, down)
    return moved <= limit * float(mine) * float(all_)


@_jit
def _holds(rows, persons, shown, begin, end, cut, inside, book, seen, stamp):  # type: ignore[no-untyped-def]
    """Whether one side of a cut holds every rule."""
    k, sizes, kinds, c, limits, distances, wholes, begins, trees, logs = book
    seen[:] = 0
    stamp[:] = 0
    found = _count_side(rows, persons, shown, begin, end, cut, inside, seen, stamp)
    if found < k:
        return False
    for s in range(shown.shape[1]):
        rule = (kinds[s, 0], kinds[s, 1])
        if kinds[s, 1] > 0 and not _diverse(seen[s], found, sizes[s], rule, c[s], logs):
            return False
        tree = trees[begins[s] : begins[s + 1]]
        if limits[s] >= 0 and not _close(seen[s], sizes[s], wholes[s], limits[s], distances[s], tree):
            return False
    return True


@_jit
def whole_holds(rows, persons, shown, book, widest):  # type: ignore[no-untyped-def]
    """Whether the table as one class holds every rule."""
    seen = np.zeros((shown.shape[1], widest), dtype=np.int64)
    stamp = np.zeros((shown.shape[1], widest), dtype=np.int64)
    return _holds(rows, persons, shown, 0, len(rows), (-1, 0, 0), True, book, seen, stamp)


@_jit
def _move(rows, order, persons, shown, begin, end, cut, spare):  # type: ignore[no-untyped-def]
    """Bring the inside of a cut before the outside, each side in the order it had; where the outside begins."""
    j, low, high = cut
    rows_spare, order_spare, persons_spare, shown_spare = spare
    to, aside = begin, 0
    for row in range(begin, end):
        if low <= rows[row, j] <= high:
            if to != row:
                order[to] = order[row]
                for column in range(rows.shape[1]):
                    rows[to, column] = rows[row, column]
                if len(persons):
                    persons[to] = persons[row]
                for s in range(shown.shape[1]):
                    shown[to, s] = shown[row, s]
            to += 1
        else:
            order_spare[aside] = order[row]
            for column in range(rows.shape[1]):
                rows_spare[aside, column] = rows[row, column]
            if len(persons):
                persons_spare[aside] = persons[row]
            for s in range(shown.shape[1]):
                shown_spare[aside, s] = shown[row, s]
            aside += 1
    order[to:end] = order_spare[:aside]
    rows[to:end] = rows_spare[:aside]
    if len(persons):
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
        good = act == _KEEP_OUTSIDE or _holds(rows, persons, shown, begin, end, cut, True, book, seen, stamp)
        if good and act != _KEEP_INSIDE:
            good = _holds(rows, persons, shown, begin, end, cut, False, book, seen, stamp)
        if good:
            return best
        cuts[best, 0] = 0
    return -1


@_jit
def _fill(rows, begin, end, starts, counted):  # type: ignore[no-untyped-def]
    """Count the codes of a group, every column in its own stretch of ``counted``."""
    counted[:] = 0
    for row in range(begin, end):
        for j in range(rows.shape[1]):
            counted[starts[j] + rows[row, j]] += 1


@_jit
def _limits(rows, begin, end, known, starts, low, high):  # type: ignore[no-untyped-def]
    """The lowest and highest code of a group in each column, from its counts or from its rows."""
    if len(known):
        for j in range(rows.shape[1]):
            at, to = starts[j], starts[j + 1] - 1
            while known[at] == 0:
                at += 1
            while known[to] == 0:
                to -= 1
            low[j], high[j] = at - starts[j], to - starts[j]
        return
    for j in range(rows.shape[1]):
        low[j], high[j] = rows[begin, j], rows[begin, j]
    for row in range(begin + 1, end):
        for j in range(rows.shape[1]):
            code = np.int64(rows[row, j])
            low[j] = min(low[j], code)
            high[j] = max(high[j], code)


@_jit
def _gather(rows, begin, end, part, shape, limits, known, starts, room, cuts, every):  # type: ignore[no-untyped-def]
    """The cuts that a group allows by its rows; how many."""
    low, high = limits
    histogram, values, counts, sorting = room
    number, price = 0, 0
    n, k, allowed = part
    for j in range(rows.shape[1]):
        price += shape[0][j, _WEIGHT] * SCALE - _lost(shape, j, low[j], high[j])
    whole = (n, k, allowed, price)
    for j in range(rows.shape[1]):
        if low[j] == high[j]:
            continue
        if len(known):
            found = 0
            for code in range(low[j], high[j] + 1):
                count = known[starts[j] + code]
                if count > 0:
                    values[found], counts[found] = code, count
                    found += 1
        else:
            found = _tally(rows, j, begin, end, low[j], high[j], histogram, values, counts, sorting)
        if shape[0][j, _KIND] == TREE:
            number = _cuts_of_tree(shape, j, whole, found, values, counts, cuts, number, every)
        else:
            number = _cuts_of_line(shape, j, whole, found, values, counts, cuts, number, every)
    return number


@_jit
def _rooms(rows, size, length, every):  # type: ignore[no-untyped-def]
    """Room to work in: (histogram, values, counts, sorting), and for the cuts."""
    widest, most = 1, 4
    for j in range(len(size)):
        widest = max(widest, size[j])
        most += 2 * min(size[j], length) + 1
    whole = np.zeros(widest + 1, dtype=np.int64)
    values, counts = np.empty(widest + 1, dtype=np.int64), np.empty(widest + 1, dtype=np.int64)
    sorting = np.empty(length, dtype=rows.dtype)
    return (whole, values, counts, sorting), np.empty((most if every else 1, 5), dtype=np.int64)


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
    total, columns = counted.shape[1], rows.shape[1]
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
def cut_table(rows, order, persons, shown, edge, span, settings, shape, book):  # type: ignore[no-untyped-def]
    """Cut rows ``span[0]`` … ``span[1]``-1 until no cut is left; ``edge`` marks where classes begin.

    ``edge``: 1 a class begins here, 2 suppressed rows, 3 a group left for later because it has no more than
    ``stop`` rows. ``settings``: (every cut is to be judged, tries, stop, allowance, widest sensitive column).
    """
    every, tries, stop, allowance, widest = settings
    k, length, columns = book[0], span[1] - span[0], rows.shape[1]
    room, cuts = _rooms(rows, shape[0][:, _SIZE], length, every)
    limits = (np.zeros(columns, dtype=np.int64), np.zeros(columns, dtype=np.int64))
    seen = np.zeros((shown.shape[1], widest), dtype=np.int64)
    stamp = np.zeros((shown.shape[1], widest), dtype=np.int64)
    spare = (np.empty_like(rows[:length]), np.empty_like(order[:length]), np.empty_like(persons[:length]),
             np.empty_like(shown[:length]))  # fmt: skip
    starts = np.zeros(columns + 1, dtype=np.int64)
    starts[1:] = np.cumsum(shape[0][:, _SIZE])
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
            _limits(rows, begin, end, known, starts, limits[0], limits[1])
            best = _gather(rows, begin, end, (n, k, allowed), shape, limits, known, starts, room, cuts, every) - 1
            if every:
                best = _choose(rows, persons, shown, begin, end, cuts, best + 1, tries, book, seen, stamp)
        if best < 0:
            _release(free, slot)
            continue
        cut, act = (cuts[best, 1], cuts[best, 2], cuts[best, 3]), cuts[best, 4]
        middle = _move(rows, order, persons, shown, begin, end, cut, spare)
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
