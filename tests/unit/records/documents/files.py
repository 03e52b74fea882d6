"""Small documents made for tests: PDF, Word, TIFF."""

from __future__ import annotations

import io
import struct
import zipfile

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(*pages: str, info: str = "", extra: str = "") -> bytes:
    """A PDF whose pages show these texts (Latin letters); an empty one shows nothing."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for text in pages:
        lines = "".join(
            f"BT /F1 12 Tf 50 {700 - 20 * at} Td ({line}) Tj ET\n" for at, line in enumerate(text.split("\n")) if line
        )
        stream = lines + extra
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        resources = "<< /Font << /F1 3 0 R >> /XObject << /X0 4 0 R >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {resources}"
            f" /Contents {len(objects)} 0 R >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    if info:
        objects.append(info)
    held, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(held))
        held += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(held)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    told = f" /Info {len(objects)} 0 R" if info else ""
    held += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    held += f"trailer << /Size {len(objects) + 1} /Root 1 0 R{told} >>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(held)


def encrypted(body: bytes, password: str) -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(io.BytesIO(body)))
    writer.encrypt(password, algorithm="AES-256")
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


def docx(body: str, **parts: str) -> bytes:
    """A Word document; ``parts``: header1, footnotes … by name, and ``core`` for its properties."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("[Content_Types].xml", "<Types/>")
        made.writestr("word/document.xml", f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>')
        for name, text in parts.items():
            path = "docProps/core.xml" if name == "core" else f"word/{name}.xml"
            made.writestr(path, text if name == "core" else f'<w:hdr xmlns:w="{WORD}">{text}</w:hdr>')
    return held.getvalue()


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def tiff(images: int) -> bytes:
    """A TIFF file with so many empty directories."""
    held = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(images):
        held += struct.pack("<HI", 0, len(held) + 6 if number + 1 < images else 0)
    return bytes(held)
