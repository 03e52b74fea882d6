"""XML of strangers: no document type, no entity, no network, bounded size and depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.records.documents.bounds import XML_BYTES
from xinglin.records.documents.errors import BadXml

if TYPE_CHECKING:
    from lxml.etree import _Element

SDTC = "{urn:hl7-org:sdtc}"


def parse_xml(body: bytes, *, limit_bytes: int = XML_BYTES.value) -> _Element:
    """The root element. Raises ``BadXml``.

    libxml2's own limits hold (256 levels, 10 MB a text); a document type declaration is refused, whatever it says.
    """
    from lxml import etree

    if len(body) > limit_bytes:
        raise BadXml(f"An XML document is larger than {limit_bytes:,} bytes.")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        line = getattr(error, "lineno", None)
        raise BadXml("The XML is damaged, or nested too deeply.", place=f"line {line}" if line else "") from None
    if root is None or root.getroottree().docinfo.doctype:
        raise BadXml("The XML brings a document type.", why="What it defines could be anything.")
    return root


def plain_names(root: _Element) -> _Element:
    """Elements under their local names (those of HL7's ``sdtc`` extension as ``sdtc-name``), in place."""
    for element in root.iter():
        tag = element.tag
        if isinstance(tag, str) and tag[:1] == "{":
            element.tag = f"sdtc-{tag[len(SDTC) :]}" if tag.startswith(SDTC) else tag.rpartition("}")[2]
    return root
