"""The read-me of an offline bundle: what it is and how anybody checks it, in English and Chinese."""

from __future__ import annotations

from xinglin.kernel.instants import to_text
from xinglin.stores.evidence_archive import Manifest

_TEXT = """# Evidence of “{space}”

Subject: `{subject}` · log: `{origin}` · entries: {count} · made: {made}

Check it, with no network:

    xinglin verify THIS-FILE.zip

The command reads every entry, leads it by its receipt to the checkpoint's root, and verifies the signatures of the
log and of the witnesses. It ends with 0 if all of it holds, with 4 if anything does not.

Who has to vouch is in `policy.txt`. Do not take that from this file alone: compare its SHA-256, which the command
prints, with the one that the regulator or another participant tells you, or name your own copy: `--policy FILE`.

* `bundle.json`: which entries these are; the names of participants are the maker's word.
* `entries/`: the entries as they stand in the log. They hold commitments, never a patient's data.
* `receipts/`: for each entry the proof that it is in the log (C2SP tlog-proof v1).
* `checkpoint.txt`: the log's size and root, signed by the log and cosigned by witnesses.
* `space.json`: the public descriptor of the space.

What it proves: these entries were in the log at that size, unchanged, at those places. What it does not: that there
are no other entries about the same use.

# “{space}”的证据

对象：`{subject}` · 日志：`{origin}` · 条目：{count} · 制作时间：{made}

离线核验，无需联网:

    xinglin verify 本文件.zip

该命令逐条读取条目，按收据推算到检查点的根哈希，并验证日志与见证方的签名。全部成立时返回 0，任何一项不成立时返回 4。

由谁见证才算数，写在 `policy.txt` 中。请不要只凭本文件采信：把命令给出的 SHA-256 与监管方或其他参与方告知的值比对，
或用 `--policy 文件` 指定您自己保存的策略。

* `bundle.json`：包含哪些条目;参与方名称由制作者提供。
* `entries/`：日志中的原始条目，只含承诺值，不含任何患者数据。
* `receipts/`：每个条目在日志中的证明（C2SP tlog-proof v1）。
* `checkpoint.txt`：日志的大小与根哈希，由日志签名，并由见证方联署。
* `space.json`：空间的公开描述。

它能证明：这些条目在该日志大小下确在其位，未被改动。它不能证明：同一次使用再无其他条目。
"""


def read_me(manifest: Manifest) -> str:
    """The text for a bundle."""
    return _TEXT.format(
        space=manifest.space,
        subject=manifest.subject,
        origin=manifest.origin,
        count=len(manifest.indices),
        made=to_text(manifest.made),
    )
